//! How the packets of one layer are renumbered for one leg between two cuts.

use estrade_types::{ExtSeqNo, RtpTimestamp};

/// How strongly the timestamps of a burst are squeezed together: a frame that is a second old goes out
/// 31 ms before the newest. More would give neighboring frames the same timestamp.
const SQUEEZE: u32 = 32;

/// One layer of one source, for as long as the source exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerKey {
    /// Index of the source.
    pub(crate) source: u32,
    /// Generation of that index.
    pub(crate) generation: u32,
    /// Which layer, lowest first.
    pub(crate) layer: u8,
}

/// A renumbering, fixed from one cut to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    pub(crate) layer: LayerKey,
    /// Dense number of the first packet it covers.
    pub(crate) first_in: ExtSeqNo,
    /// The extended sequence number that packet goes out with.
    pub(crate) first_out: u64,
    /// A timestamp of the source, and what it is on the leg.
    pub(crate) anchor_in: RtpTimestamp,
    pub(crate) anchor_out: RtpTimestamp,
    pub(crate) picture_id_delta: u16,
    pub(crate) tl0picidx_delta: u8,
}

impl Mapping {
    /// The extended sequence number of a packet; `None` for one from before the cut.
    pub(crate) fn out_seq(&self, seq: ExtSeqNo) -> Option<u64> {
        Some(self.first_out + seq.0.checked_sub(self.first_in.0)?)
    }

    /// The packet behind an extended sequence number at or after `first_out`.
    pub(crate) fn in_seq(&self, ext_seq: u64) -> Option<ExtSeqNo> {
        let offset = ext_seq.checked_sub(self.first_out)?;
        Some(ExtSeqNo(self.first_in.0.checked_add(offset)?))
    }

    /// A timestamp on the leg: real time from the anchor on, squeezed before it.
    pub(crate) fn out_timestamp(&self, timestamp: RtpTimestamp) -> RtpTimestamp {
        let ahead = timestamp.0.wrapping_sub(self.anchor_in.0);
        RtpTimestamp(if ahead.cast_signed() >= 0 {
            self.anchor_out.0.wrapping_add(ahead)
        } else {
            let behind = Self::squeezed(self.anchor_in, timestamp);
            self.anchor_out.0.wrapping_sub(behind)
        })
    }

    /// By how much `timestamp` goes out before `newest`, in ticks.
    pub(crate) fn squeezed(newest: RtpTimestamp, timestamp: RtpTimestamp) -> u32 {
        let behind = newest.0.wrapping_sub(timestamp.0);
        if behind.cast_signed() <= 0 {
            0
        } else {
            behind / SQUEEZE
        }
    }

    /// A picture id on the leg, modulo 2^15. RFC 7741 §4.2.
    pub(crate) const fn out_picture_id(&self, picture_id: u16) -> u16 {
        picture_id.wrapping_add(self.picture_id_delta) & 0x7fff
    }

    /// A TL0PICIDX on the leg. RFC 7741 §4.2.
    pub(crate) const fn out_tl0picidx(&self, tl0picidx: u8) -> u8 {
        tl0picidx.wrapping_add(self.tl0picidx_delta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: Mapping = Mapping {
        layer: LayerKey {
            source: 0,
            generation: 0,
            layer: 0,
        },
        first_in: ExtSeqNo(100),
        first_out: 65_530,
        anchor_in: RtpTimestamp(10),
        anchor_out: RtpTimestamp(1_000),
        picture_id_delta: 5,
        tl0picidx_delta: 250,
    };

    #[test]
    fn a_number_maps_there_and_back() {
        assert_eq!(MAPPING.out_seq(ExtSeqNo(110)), Some(65_540));
        assert_eq!(MAPPING.in_seq(65_540), Some(ExtSeqNo(110)));
        assert_eq!(MAPPING.out_seq(ExtSeqNo(99)), None);
    }

    #[test]
    fn timestamps_before_the_anchor_are_squeezed_and_never_fold_back() {
        let wire = |n: u32| MAPPING.out_timestamp(RtpTimestamp(n)).0;
        assert_eq!(wire(3_010), 4_000);
        assert_eq!(wire(10u32.wrapping_sub(3_200)), 900);
        let ages: Vec<u32> = (0..60u32)
            .map(|frame| wire(10u32.wrapping_sub((60 - frame) * 3_000)))
            .collect();
        let step = |pair: &[u32]| pair[1].wrapping_sub(pair[0]);
        assert!(ages.windows(2).all(|pair| (1..200).contains(&step(pair))));
    }

    #[test]
    fn ids_wrap_at_their_widths() {
        assert_eq!(MAPPING.out_picture_id(0x7ffe), 3);
        assert_eq!(MAPPING.out_tl0picidx(10), 4);
    }
}
