//! Where the latest keyframe of a layer lies in its ring, and whether all of it is there.
//!
//! Fed by [`crate::source`] with every stored packet; read by cuts. RFC 7741 §4.3, RFC 6184 §5.
//!
//! *Invariant*: what [`KeyframeSpan::complete`] names is held in the ring without a gap from its
//! first packet to its last.

use estrade_types::{ExtSeqNo, MonoTime, RtpTimestamp};

use crate::ring::{PacketFacts, PacketRing};

/// A keyframe all of whose packets are in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CompleteKeyframe {
    /// Its first packet.
    pub(crate) start: ExtSeqNo,
    /// Whether every packet after it, up to the newest, is there as well.
    pub(crate) is_contiguous: bool,
    /// Packets from its first to the newest of the layer.
    pub(crate) packets: u64,
    /// When its first packet came.
    pub(crate) started_at: MonoTime,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: ExtSeqNo,
    timestamp: RtpTimestamp,
    /// Everything from `start` to here is in the ring.
    contiguous_to: ExtSeqNo,
    is_complete: bool,
    started_at: MonoTime,
}

/// Follows the newest keyframe of a layer.
#[derive(Debug, Default)]
pub(crate) struct KeyframeSpan {
    span: Option<Span>,
}

impl KeyframeSpan {
    /// Takes note of a packet that was just stored. True if it completed a keyframe.
    pub(crate) fn on_stored(
        &mut self,
        now: MonoTime,
        seq: ExtSeqNo,
        facts: &PacketFacts,
        ring: &PacketRing,
    ) -> bool {
        if facts.is_keyframe_start {
            self.on_start(now, seq, facts.timestamp);
        }
        let Some(span) = &mut self.span else {
            return false;
        };
        if seq.0 != span.contiguous_to.0 + 1 && seq != span.start {
            return false;
        }
        let was_complete = span.is_complete;
        span.advance(ring);
        span.is_complete && !was_complete
    }

    /// Forgets the keyframe: the stream began anew, or it is of no use.
    pub(crate) fn clear(&mut self) {
        self.span = None;
    }

    /// The newest keyframe, if all of it is held.
    pub(crate) fn complete(&self, ring: &PacketRing) -> Option<CompleteKeyframe> {
        let span = self.span.filter(|span| span.is_complete)?;
        let highest = ring.highest()?;
        let packets = highest.0.checked_sub(span.start.0)? + 1;
        (packets <= ring.capacity() && ring.contains(span.start)).then_some(CompleteKeyframe {
            start: span.start,
            is_contiguous: span.contiguous_to == highest,
            packets,
            started_at: span.started_at,
        })
    }

    /// When the first packet of a keyframe came that is not complete yet.
    pub(crate) fn arriving_since(&self) -> Option<MonoTime> {
        self.span
            .filter(|span| !span.is_complete)
            .map(|span| span.started_at)
    }

    /// When the first packet of the newest keyframe came.
    pub(crate) fn started_at(&self) -> Option<MonoTime> {
        self.span.map(|span| span.started_at)
    }

    fn on_start(&mut self, now: MonoTime, seq: ExtSeqNo, timestamp: RtpTimestamp) {
        let mut started_at = now;
        if let Some(span) = &self.span {
            let is_same = span.timestamp == timestamp;
            // Of one frame the first start counts (parameter sets before slices); of two frames
            // the later.
            if is_same && seq > span.start || !is_same && seq < span.start {
                return;
            }
            if is_same {
                started_at = span.started_at;
            }
        }
        self.span = Some(Span {
            start: seq,
            timestamp,
            contiguous_to: seq,
            is_complete: false,
            started_at,
        });
    }
}

impl Span {
    /// Walks on over what is there: each packet once in the life of a keyframe.
    fn advance(&mut self, ring: &PacketRing) {
        if self.contiguous_to == self.start {
            self.look_at(self.start, ring);
        }
        while let Some(next) = self.contiguous_to.offset(1)
            && ring.contains(next)
        {
            self.look_at(next, ring);
            self.contiguous_to = next;
        }
    }

    fn look_at(&mut self, seq: ExtSeqNo, ring: &PacketRing) {
        let Some(packet) = ring.get(seq).filter(|packet| !packet.payload.is_empty()) else {
            return; // A filler belongs to no frame.
        };
        let is_inside = packet.facts.timestamp == self.timestamp;
        // The next frame's packet ends a frame whose sender sets no marker.
        self.is_complete |= !is_inside || packet.facts.marker;
    }
}

#[cfg(test)]
mod tests {
    use estrade_types::Codec;

    use super::*;

    const KEY: PacketFacts = PacketFacts {
        timestamp: RtpTimestamp(90),
        marker: false,
        codec: Codec::H264,
        audio_level: None,
        video_orientation: None,
        is_keyframe_start: true,
        vp8: None,
    };
    const BODY: PacketFacts = PacketFacts {
        is_keyframe_start: false,
        ..KEY
    };
    const LAST: PacketFacts = PacketFacts {
        marker: true,
        ..BODY
    };
    const DELTA: PacketFacts = PacketFacts {
        timestamp: RtpTimestamp(3_090),
        ..LAST
    };

    fn feed(packets: &[(u64, PacketFacts)]) -> (KeyframeSpan, PacketRing, Vec<u64>) {
        let mut ring = PacketRing::new(16);
        let mut span = KeyframeSpan::default();
        let mut completed = Vec::new();
        for (seq, facts) in packets {
            ring.store(ExtSeqNo(*seq), *facts, &[1]).unwrap();
            if span.on_stored(MonoTime(*seq), ExtSeqNo(*seq), facts, &ring) {
                completed.push(*seq);
            }
        }
        (span, ring, completed)
    }

    #[test]
    fn a_keyframe_is_complete_with_its_last_missing_packet() {
        let (span, ring, completed) = feed(&[(10, KEY), (12, LAST), (13, DELTA), (11, BODY)]);
        assert_eq!(completed, [11]);
        let complete = span.complete(&ring).unwrap();
        assert_eq!((complete.start, complete.packets), (ExtSeqNo(10), 4));
        assert!(complete.is_contiguous);
    }

    #[test]
    fn the_first_packet_may_come_last() {
        let (span, ring, completed) = feed(&[(11, BODY), (12, LAST), (10, KEY)]);
        assert_eq!(completed, [10]);
        assert!(span.complete(&ring).is_some());
    }

    #[test]
    fn parameter_sets_that_come_after_the_slice_move_the_start() {
        let slice = PacketFacts {
            marker: true,
            ..KEY
        };
        let (span, ring, _) = feed(&[(11, slice), (10, KEY)]);
        assert_eq!(span.complete(&ring).unwrap().start, ExtSeqNo(10));
    }

    #[test]
    fn a_gap_behind_the_keyframe_is_told() {
        let (span, ring, _) = feed(&[(10, KEY), (11, LAST), (13, DELTA)]);
        assert!(!span.complete(&ring).unwrap().is_contiguous);
    }

    #[test]
    fn a_keyframe_that_left_the_ring_is_gone() {
        let mut packets = vec![(10, KEY), (11, LAST)];
        packets.extend((12..30).map(|seq| (seq, DELTA)));
        let (span, ring, _) = feed(&packets);
        assert_eq!(span.complete(&ring), None);
    }
}
