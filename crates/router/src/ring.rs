//! The packets of one layer, stored once for all receivers: retransmission cache and keyframe cache.
//!
//! Written by [`crate::source`] when a packet is accepted, read by every leg attached to the layer,
//! by retransmissions and by cuts. All bytes are allocated when the ring is made; a packet is copied
//! into the slot of its dense number modulo the capacity and overwrites the one a lap before.
//!
//! *Invariant*: a number is stored at most once, so it is forwarded at most once.

use estrade_types::{AudioLevel, Codec, ExtSeqNo, RtpTimestamp, limits};

use crate::bits::at;

/// What the legs need to know of a stored packet, beyond its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacketFacts {
    /// The timestamp, after the layer's own corrections.
    pub(crate) timestamp: RtpTimestamp,
    /// The marker bit.
    pub(crate) marker: bool,
    /// The codec its payload type names.
    pub(crate) codec: Codec,
    /// Level, where there is one.
    pub(crate) audio_level: Option<AudioLevel>,
    /// Orientation, where there is one.
    pub(crate) video_orientation: Option<u8>,
    /// Whether a keyframe starts here.
    pub(crate) is_keyframe_start: bool,
    /// VP8: what a cut must continue.
    pub(crate) vp8: Option<Vp8Ids>,
}

/// The running numbers of a VP8 packet. RFC 7741 §4.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vp8Ids {
    /// The picture id, 7 or 15 bits; 0 if there is none.
    pub(crate) picture_id: u16,
    /// TL0PICIDX; 0 if there is none.
    pub(crate) tl0picidx: u8,
    /// Bytes of the descriptor; at most 6.
    pub(crate) descriptor_len: u8,
}

/// A packet in the ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredPacket<'a> {
    /// What is known of it.
    pub(crate) facts: &'a PacketFacts,
    /// Its payload without padding; empty for a filler.
    pub(crate) payload: &'a [u8],
}

/// Why a packet was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotStored {
    /// It is there already.
    Duplicate,
    /// Its slot has been given to a newer packet.
    TooOld,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    seq: ExtSeqNo,
    len: u16,
    facts: PacketFacts,
}

/// A ring of packets.
pub(crate) struct PacketRing {
    slots: Box<[Option<Slot>]>,
    bytes: Box<[u8]>,
    highest: Option<ExtSeqNo>,
}

impl std::fmt::Debug for PacketRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PacketRing")
            .field("capacity", &self.slots.len())
            .field("highest", &self.highest)
            .finish_non_exhaustive()
    }
}

impl PacketRing {
    /// Allocates a ring for `capacity` packets.
    pub(crate) fn new(capacity: u16) -> Self {
        let capacity = usize::from(capacity.max(1));
        Self {
            slots: vec![None; capacity].into_boxed_slice(),
            bytes: vec![0; capacity * limits::DATAGRAM_BYTES_MAX].into_boxed_slice(),
            highest: None,
        }
    }

    /// Stores a packet. Payloads are at most [`limits::DATAGRAM_BYTES_MAX`] bytes, as every
    /// datagram is; a longer one would be cut.
    pub(crate) fn store(
        &mut self,
        seq: ExtSeqNo,
        facts: PacketFacts,
        payload: &[u8],
    ) -> Result<(), NotStored> {
        if self
            .highest
            .is_some_and(|highest| seq.0 + self.capacity() <= highest.0)
        {
            return Err(NotStored::TooOld);
        }
        let index = self.index(seq);
        let Some(slot) = self.slots.get_mut(index) else {
            return Err(NotStored::TooOld);
        };
        match slot {
            Some(held) if held.seq == seq => return Err(NotStored::Duplicate),
            Some(held) if held.seq > seq => return Err(NotStored::TooOld),
            _ => {}
        }
        let start = index * limits::DATAGRAM_BYTES_MAX;
        let len = payload.len().min(limits::DATAGRAM_BYTES_MAX);
        if let (Some(room), Some(payload)) =
            (self.bytes.get_mut(start..start + len), payload.get(..len))
        {
            room.copy_from_slice(payload);
        }
        *slot = Some(Slot {
            seq,
            len: u16::try_from(len).unwrap_or(u16::MAX),
            facts,
        });
        self.highest = self.highest.max(Some(seq));
        Ok(())
    }

    /// The packet of that number, while it is held.
    pub(crate) fn get(&self, seq: ExtSeqNo) -> Option<StoredPacket<'_>> {
        let index = self.index(seq);
        let slot = self
            .slots
            .get(index)?
            .as_ref()
            .filter(|slot| slot.seq == seq)?;
        let start = index * limits::DATAGRAM_BYTES_MAX;
        Some(StoredPacket {
            facts: &slot.facts,
            payload: self.bytes.get(start..start + usize::from(slot.len))?,
        })
    }

    /// Whether the packet is held.
    pub(crate) fn contains(&self, seq: ExtSeqNo) -> bool {
        let held = self.slots.get(self.index(seq)).and_then(Option::as_ref);
        held.is_some_and(|slot| slot.seq == seq)
    }

    /// The highest number stored.
    pub(crate) const fn highest(&self) -> Option<ExtSeqNo> {
        self.highest
    }

    /// How many packets it holds at most.
    pub(crate) fn capacity(&self) -> u64 {
        u64::try_from(self.slots.len()).unwrap_or(1)
    }

    fn index(&self, seq: ExtSeqNo) -> usize {
        // Below the capacity, which is at most 2^16.
        at(crate::bits::low32(seq.0 % self.capacity()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const AUDIO: PacketFacts = PacketFacts {
        timestamp: RtpTimestamp(0),
        marker: false,
        codec: Codec::Opus,
        audio_level: None,
        video_orientation: None,
        is_keyframe_start: false,
        vp8: None,
    };

    #[test]
    fn a_number_is_stored_once() {
        let mut ring = PacketRing::new(8);
        assert_eq!(ring.store(ExtSeqNo(5), AUDIO, b"five"), Ok(()));
        assert_eq!(
            ring.store(ExtSeqNo(5), AUDIO, b"other"),
            Err(NotStored::Duplicate)
        );
        assert_eq!(ring.get(ExtSeqNo(5)).map(|p| p.payload), Some(&b"five"[..]));
    }

    #[test]
    fn a_lap_overwrites_and_nothing_older_comes_back() {
        let mut ring = PacketRing::new(8);
        for seq in 0..20 {
            assert_eq!(ring.store(ExtSeqNo(seq), AUDIO, &[0]), Ok(()));
        }
        assert!(!ring.contains(ExtSeqNo(11)));
        assert!(ring.contains(ExtSeqNo(12)));
        assert_eq!(
            ring.store(ExtSeqNo(11), AUDIO, &[0]),
            Err(NotStored::TooOld)
        );
    }
}
