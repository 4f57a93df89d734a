//! Which packets to ask a publisher for again, and when. RFC 4585 §6.2.1.
//!
//! Fed by [`crate::source`] with each arrival of a video stream; read by the feedback timer. A packet
//! is first asked for after a tolerance for reordering, then once per round trip, at most
//! [`TRIES_MAX`] times. The list is bounded: at its end the oldest is given up, its frame being late
//! already; whoever needs the stream then needs a keyframe.

use std::time::Duration;

use arrayvec::ArrayVec;
use estrade_types::{ExtSeqNo, MonoTime};

/// Missing packets remembered per stream. A larger gap is hopeless and is not asked for at all.
const MISSING_MAX: usize = 128;

/// Requests per packet. More only helps the loss to go on.
const TRIES_MAX: u8 = 10;

/// How long a packet may be merely late. Shorter asks for reordered packets, longer delays repair.
const REORDER_TOLERANCE: Duration = Duration::from_millis(10);

/// Between two requests for one packet, whatever the round trip.
const REPEAT_MIN: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug)]
struct Missing {
    seq: ExtSeqNo,
    next_at: MonoTime,
    tries: u8,
}

/// Missing packets of one stream, ascending.
#[derive(Debug, Default)]
pub(crate) struct NackGenerator {
    missing: ArrayVec<Missing, MISSING_MAX>,
    gave_up: bool,
}

impl NackGenerator {
    /// Notes that the numbers between `newer_than` and `seq` were skipped.
    pub(crate) fn on_gap(&mut self, now: MonoTime, newer_than: ExtSeqNo, seq: ExtSeqNo) {
        let first = newer_than.0.saturating_add(1);
        let gap = seq.0.saturating_sub(first);
        if gap > u64::try_from(MISSING_MAX).unwrap_or(0) {
            self.missing.clear();
            self.gave_up = true;
            return;
        }
        for lost in first..seq.0 {
            if self.missing.is_full() {
                self.missing.remove(0);
                self.gave_up = true;
            }
            self.missing.push(Missing {
                seq: ExtSeqNo(lost),
                next_at: now.plus(REORDER_TOLERANCE),
                tries: 0,
            });
        }
    }

    /// A packet came after all.
    pub(crate) fn on_late(&mut self, seq: ExtSeqNo) {
        if let Ok(at) = self
            .missing
            .binary_search_by_key(&seq, |missing| missing.seq)
        {
            self.missing.remove(at);
        }
    }

    /// Forgets everything: a keyframe came, the stream began anew, or nobody needs it.
    pub(crate) fn clear(&mut self) {
        self.missing.clear();
        self.gave_up = false;
    }

    /// Calls `ask` for every packet that is due, ascending.
    pub(crate) fn on_timeout(
        &mut self,
        now: MonoTime,
        rtt: Duration,
        mut ask: impl FnMut(ExtSeqNo),
    ) {
        let repeat = rtt.max(REPEAT_MIN);
        let mut gave_up = false;
        self.missing.retain(|missing| {
            if now < missing.next_at {
                return true;
            }
            if missing.tries >= TRIES_MAX {
                gave_up = true;
                return false;
            }
            missing.tries += 1;
            missing.next_at = now.plus(repeat);
            ask(missing.seq);
            true
        });
        self.gave_up |= gave_up;
    }

    /// Whether something was given up since the last call: only a keyframe repairs the stream.
    pub(crate) fn take_gave_up(&mut self) -> bool {
        std::mem::take(&mut self.gave_up)
    }

    /// Whether nothing is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// When the next request is due.
    pub(crate) fn next_deadline(&self) -> Option<MonoTime> {
        self.missing.iter().map(|missing| missing.next_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    fn asked(nack: &mut NackGenerator, at_ms: u64) -> Vec<u64> {
        let mut asked = Vec::new();
        nack.on_timeout(MonoTime::from_millis(at_ms), RTT, |seq| asked.push(seq.0));
        asked
    }

    #[test]
    fn a_late_packet_is_not_asked_for() {
        let mut nack = NackGenerator::default();
        nack.on_gap(MonoTime::ZERO, ExtSeqNo(10), ExtSeqNo(13));
        assert!(asked(&mut nack, 9).is_empty());
        nack.on_late(ExtSeqNo(11));
        assert_eq!(asked(&mut nack, 10), [12]);
    }

    #[test]
    fn a_packet_is_asked_for_once_per_round_trip_and_then_given_up() {
        let mut nack = NackGenerator::default();
        nack.on_gap(MonoTime::ZERO, ExtSeqNo(1), ExtSeqNo(3));
        let times = (0..3_000u64).filter(|ms| !asked(&mut nack, *ms).is_empty());
        let times: Vec<u64> = times.collect();
        assert_eq!(times.len(), usize::from(TRIES_MAX));
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 100));
        assert!(nack.take_gave_up());
        assert_eq!(nack.next_deadline(), None);
    }

    #[test]
    fn a_hopeless_gap_is_given_up_at_once() {
        let mut nack = NackGenerator::default();
        nack.on_gap(MonoTime::ZERO, ExtSeqNo(1), ExtSeqNo(1_000));
        assert!(nack.take_gave_up());
        assert!(asked(&mut nack, 100).is_empty());
    }

    #[test]
    fn the_oldest_goes_first_when_the_list_is_full() {
        let mut nack = NackGenerator::default();
        nack.on_gap(MonoTime::ZERO, ExtSeqNo(0), ExtSeqNo(129));
        nack.on_gap(MonoTime::ZERO, ExtSeqNo(129), ExtSeqNo(131));
        let asked = asked(&mut nack, 50);
        assert_eq!((asked.len(), asked[0], asked[127]), (128, 2, 130));
        assert!(nack.take_gave_up());
    }
}
