//! From a publisher's sequence numbers to dense ones that have no holes but real losses.
//!
//! Fed by [`crate::source`] with what is on the wire; everything behind it (ring, legs, cuts) counts
//! in dense numbers. Two things on the wire would otherwise tear a hole into every leg: packets of
//! padding only, which nobody needs, and restarts, where the numbers jump (RFC 3550 A.1).
//!
//! *Invariant*: the dense number of a packet never changes, and two packets never share one.

use arrayvec::ArrayVec;
use estrade_types::{ExtSeqNo, SeqExtender, SeqNo};

/// A jump forward of this many numbers is a restart, not a loss. RFC 3550 A.1 (`MAX_DROPOUT`).
const DROPOUT_MAX: i16 = 3_000;

/// A packet this far behind is a restart, not a reordering: more than any ring holds.
const MISORDER_MAX: i16 = 1_000;

/// Boundaries kept; a late packet from before the oldest is dropped as too old.
const SEGMENTS_MAX: usize = 32;

/// The first dense number: high enough that packets that were overtaken at the start have one too.
const DENSE_FIRST: u64 = 0x1_0000;

/// A packet's place on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The publisher's number, unwrapped.
    pub(crate) rx: ExtSeqNo,
    /// The highest before it, if it is new; for gaps.
    pub(crate) newer_than: Option<ExtSeqNo>,
    /// Whether the stream began anew with it.
    pub(crate) is_restart: bool,
}

/// A packet's place in its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// It has a dense number.
    Dense(ExtSeqNo),
    /// Padding that came in order: it takes no number.
    Swallowed,
    /// From before everything that is remembered.
    TooOld,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Valid from this number on.
    from: u64,
    /// `rx - shift` is the dense number (modulo 2^64: after a restart it may be negative).
    shift: u64,
    /// How many numbers right before `from` were swallowed.
    swallowed: u64,
}

/// Numbers the packets of one layer.
#[derive(Debug)]
pub(crate) struct Numbering {
    extender: Option<SeqExtender>,
    /// Added to what the extender says; a multiple of 2^16, so that the low bits stay the wire's.
    cycles: u64,
    /// What the next packet after an unlikely jump must be numbered to be believed.
    probation: Option<SeqNo>,
    segments: ArrayVec<Segment, SEGMENTS_MAX>,
    rx_highest: u64,
    dense_highest: u64,
    rebase: bool,
    /// Whether packets were left out on purpose: they must not find a place later.
    has_skipped: bool,
}

impl Numbering {
    pub(crate) fn new() -> Self {
        Self {
            extender: None,
            cycles: 0,
            probation: None,
            segments: ArrayVec::new(),
            rx_highest: 0,
            dense_highest: DENSE_FIRST - 1,
            rebase: true,
            has_skipped: false,
        }
    }

    /// Unwraps a number; `None` for one that jumps until a second packet confirms it.
    pub(crate) fn extend(&mut self, seq: SeqNo) -> Option<Arrival> {
        let Some(extender) = &mut self.extender else {
            return Some(self.restart_at(seq));
        };
        let ahead = seq
            .0
            .wrapping_sub(extender.highest().wire().0)
            .cast_signed();
        if !(-MISORDER_MAX..DROPOUT_MAX).contains(&ahead) {
            if self.probation == Some(seq) {
                return Some(self.restart_at(seq));
            }
            self.probation = Some(SeqNo(seq.0.wrapping_add(1)));
            return None;
        }
        self.probation = None;
        let before = ExtSeqNo(self.cycles.wrapping_add(extender.highest().0));
        let rx = ExtSeqNo(self.cycles.wrapping_add(extender.extend(seq)?.0));
        Some(Arrival {
            rx,
            newer_than: (rx > before).then_some(before),
            is_restart: false,
        })
    }

    /// Unwraps the original number of a retransmission, learning nothing from it. `None` before the
    /// first packet, or the first after a pause: there is nothing to repair.
    pub(crate) fn extend_original(&self, seq: SeqNo) -> Option<ExtSeqNo> {
        if self.rebase {
            return None;
        }
        let rx = self.extender.as_ref()?.peek(seq)?;
        Some(ExtSeqNo(self.cycles.wrapping_add(rx.0)))
    }

    /// The next packet placed follows the last one directly, whatever was lost or left out between;
    /// what is older than it has no place.
    pub(crate) fn rebase(&mut self) {
        self.rebase = true;
        self.has_skipped = true;
    }

    /// The highest number on the wire; `None` before the first.
    pub(crate) fn highest(&self) -> Option<SeqNo> {
        Some(self.extender.as_ref()?.highest().wire())
    }

    /// The next packet of the wire begins the stream anew: another SSRC took it over.
    pub(crate) fn restart(&mut self) {
        self.extender = None;
        self.probation = None;
    }

    /// Gives a packet its dense number.
    pub(crate) fn place(&mut self, rx: ExtSeqNo, is_padding: bool) -> Placement {
        if self.rebase {
            self.rebase_at(rx.0);
        }
        if rx.0 <= self.rx_highest {
            return self.place_late(rx.0);
        }
        let Some(last) = self.segments.last_mut() else {
            return Placement::TooOld;
        };
        self.rx_highest = rx.0;
        if is_padding {
            let follows = last.from == rx.0 && last.swallowed > 0;
            if follows {
                last.from += 1;
                last.shift = last.shift.wrapping_add(1);
                last.swallowed += 1;
            } else {
                let shift = last.shift.wrapping_add(1);
                self.push(Segment {
                    from: rx.0 + 1,
                    shift,
                    swallowed: 1,
                });
            }
            return Placement::Swallowed;
        }
        let dense = rx.0.wrapping_sub(last.shift);
        self.dense_highest = self.dense_highest.max(dense);
        Placement::Dense(ExtSeqNo(dense))
    }

    fn place_late(&self, rx: u64) -> Placement {
        let mut newer: Option<&Segment> = None;
        for segment in self.segments.iter().rev() {
            if rx >= segment.from {
                let was_swallowed = newer.is_some_and(|newer| rx >= newer.from - newer.swallowed);
                return if was_swallowed {
                    Placement::Swallowed
                } else {
                    Placement::Dense(ExtSeqNo(rx.wrapping_sub(segment.shift)))
                };
            }
            newer = Some(segment);
        }
        Placement::TooOld
    }

    fn rebase_at(&mut self, rx: u64) {
        let is_first = self.dense_highest < DENSE_FIRST && !self.has_skipped;
        self.rebase = false;
        self.segments.clear();
        self.push(Segment {
            // Packets that the first one overtook keep their place; after a restart, packets from
            // before have none.
            from: if is_first {
                rx.saturating_sub(DENSE_FIRST)
            } else {
                rx
            },
            shift: rx.wrapping_sub(self.dense_highest + 1),
            swallowed: 0,
        });
        self.rx_highest = rx.saturating_sub(1);
    }

    fn push(&mut self, segment: Segment) {
        if self.segments.is_full() {
            self.segments.remove(0);
        }
        self.segments.push(segment);
    }

    fn restart_at(&mut self, seq: SeqNo) -> Arrival {
        let highest = self
            .extender
            .map_or(0, |extender| self.cycles.wrapping_add(extender.highest().0));
        let highest = highest.max(self.rx_highest);
        let extender = SeqExtender::starting_at(seq);
        self.cycles = highest & !0xffff;
        let rx = ExtSeqNo(self.cycles.wrapping_add(extender.highest().0));
        self.extender = Some(extender);
        self.probation = None;
        self.rebase = true;
        Arrival {
            rx,
            newer_than: None,
            is_restart: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dense(numbering: &mut Numbering, seq: u16, is_padding: bool) -> Option<u64> {
        let arrival = numbering.extend(SeqNo(seq))?;
        match numbering.place(arrival.rx, is_padding) {
            Placement::Dense(dense) => Some(dense.0 - DENSE_FIRST),
            Placement::Swallowed | Placement::TooOld => None,
        }
    }

    #[test]
    fn padding_in_order_leaves_no_hole() {
        let mut numbering = Numbering::new();
        assert_eq!(dense(&mut numbering, 65_534, false), Some(0));
        assert_eq!(dense(&mut numbering, 65_535, true), None);
        assert_eq!(dense(&mut numbering, 0, true), None);
        assert_eq!(dense(&mut numbering, 1, false), Some(1));
        assert_eq!(dense(&mut numbering, 65_535, true), None);
        assert_eq!(dense(&mut numbering, 3, false), Some(3));
        assert_eq!(dense(&mut numbering, 2, false), Some(2));
    }

    #[test]
    fn padding_that_comes_late_fills_the_hole_it_left() {
        let mut numbering = Numbering::new();
        assert_eq!(dense(&mut numbering, 10, false), Some(0));
        assert_eq!(dense(&mut numbering, 12, false), Some(2));
        assert_eq!(dense(&mut numbering, 11, true), Some(1));
    }

    #[test]
    fn a_jump_counts_only_when_a_second_packet_confirms_it() {
        let mut numbering = Numbering::new();
        assert_eq!(dense(&mut numbering, 10, false), Some(0));
        assert_eq!(dense(&mut numbering, 20_000, false), None);
        assert_eq!(dense(&mut numbering, 11, false), Some(1));
        assert_eq!(dense(&mut numbering, 20_000, false), None);
        assert_eq!(dense(&mut numbering, 20_001, false), Some(2));
        assert_eq!(dense(&mut numbering, 20_002, false), Some(3));
        assert_eq!(dense(&mut numbering, 12, false), None);
    }

    #[test]
    fn packets_overtaken_at_the_start_have_a_place() {
        let mut numbering = Numbering::new();
        assert!(dense(&mut numbering, 5, false).is_some());
        let arrival = numbering.extend(SeqNo(4)).unwrap();
        assert_eq!(
            numbering.place(arrival.rx, false),
            Placement::Dense(ExtSeqNo(DENSE_FIRST - 1))
        );
    }

    #[test]
    fn a_pause_leaves_no_hole() {
        let mut numbering = Numbering::new();
        assert_eq!(dense(&mut numbering, 5, false), Some(0));
        for seq in 6..200 {
            assert!(numbering.extend(SeqNo(seq)).is_some());
        }
        numbering.rebase();
        assert_eq!(dense(&mut numbering, 200, false), Some(1));
    }

    proptest! {
        #[test]
        fn two_packets_never_share_a_number(
            start: u16,
            steps in prop::collection::vec((-20i16..30, any::<bool>()), 1..400),
        ) {
            let mut numbering = Numbering::new();
            let mut at = start;
            let mut seen = std::collections::BTreeMap::new();
            let mut kinds = std::collections::BTreeMap::new();
            for (step, is_padding) in steps {
                at = at.wrapping_add_signed(step);
                let Some(arrival) = numbering.extend(SeqNo(at)) else { continue };
                // A publisher does not change what it sent under a number.
                let is_padding = *kinds.entry(arrival.rx).or_insert(is_padding);
                if let Placement::Dense(dense) = numbering.place(arrival.rx, is_padding) {
                    prop_assert_eq!(*seen.entry(dense).or_insert(arrival.rx), arrival.rx);
                }
            }
        }
    }
}
