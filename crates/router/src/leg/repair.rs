//! Retransmissions to one receiver. RFC 4588, RFC 4585 §6.2.1.
//!
//! A NACK names a number of the leg; the mappings that were in force since the last few cuts tell which
//! ring packet it was. The answer goes out on the RTX SSRC with its own numbering, so that the media
//! SSRC's SRTP index is never used twice (RFC 3711 §9.1). What a receiver can cause is bounded: once
//! per round trip and packet, and a share of what it is sent anyway.

use std::time::Duration;

use arrayvec::ArrayVec;
use estrade_types::{Codec, ExtSeqNo, MonoTime, PayloadType, SeqNo, Ssrc};

use super::{Mapping, codec_index};
use crate::bits::{Bits, low16};

/// Mappings remembered: a NACK from before that many cuts is too late anyway.
const HISTORY_MAX: usize = 8;

/// Recently resent packets remembered. A collision only allows a repetition too early.
const RECENT: usize = 64;

/// Between two answers for one packet, whatever the round trip.
const REPEAT_MIN: Duration = Duration::from_millis(50);

/// The window over which the share is measured.
const SHARE_WINDOW: Duration = Duration::from_secs(1);

/// Bytes of retransmission that each window allows whatever was sent: a keyframe's worth.
const SHARE_BYTES_MIN: u64 = 40_000;

/// One byte in this many may be a retransmission.
const SHARE_DIVISOR: u64 = 4;

/// A packet to be sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resend {
    /// The number under which the receiver missed it.
    pub(crate) original: SeqNo,
    /// Its number in the ring.
    pub(crate) seq: ExtSeqNo,
    /// The mapping under which it was sent.
    pub(crate) mapping: Mapping,
}

/// What a leg keeps to answer NACKs.
#[derive(Debug)]
pub(crate) struct Repair {
    pub(crate) ssrc: Ssrc,
    payload_types: [Option<PayloadType>; 3],
    next_seq: u64,
    history: ArrayVec<Mapping, HISTORY_MAX>,
    recent: [(u64, MonoTime); RECENT],
    window_started: MonoTime,
    window_media_bytes: u64,
    window_rtx_bytes: u64,
    allowance: u64,
    /// Retransmissions sent.
    pub(crate) packets: u64,
}

impl Repair {
    pub(super) fn new(
        ssrc: Ssrc,
        payload_types: [Option<PayloadType>; 3],
        bits: &mut Bits,
    ) -> Self {
        Self {
            ssrc,
            payload_types,
            next_seq: bits.next() & 0x7fff,
            history: ArrayVec::new(),
            recent: [(u64::MAX, MonoTime::ZERO); RECENT],
            window_started: MonoTime::ZERO,
            window_media_bytes: 0,
            window_rtx_bytes: 0,
            allowance: SHARE_BYTES_MIN,
            packets: 0,
        }
    }

    pub(super) fn remember(&mut self, mapping: Mapping) {
        if self.history.is_full() {
            self.history.remove(0);
        }
        self.history.push(mapping);
    }

    /// What a receiver means by `seq`, if it may be answered now.
    pub(crate) fn find(
        &mut self,
        now: MonoTime,
        seq: SeqNo,
        highest: ExtSeqNo,
        rtt: Duration,
    ) -> Option<Resend> {
        let behind = highest.wire().0.wrapping_sub(seq.0);
        let ext_seq = highest.0.checked_sub(u64::from(behind))?;
        if behind > 0x7fff {
            return None; // Not sent yet.
        }
        let covers = |mapping: &&Mapping| mapping.first_out <= ext_seq;
        let mapping = *self.history.iter().rev().find(covers)?;
        let index = usize::from(low16(ext_seq)) % RECENT;
        let (last, at) = self.recent.get_mut(index)?;
        if *last == ext_seq && now.since(*at) < rtt.max(REPEAT_MIN) {
            return None;
        }
        (*last, *at) = (ext_seq, now);
        Some(Resend {
            original: seq,
            seq: mapping.in_seq(ext_seq)?,
            mapping,
        })
    }

    /// Takes `bytes` from the share; false if there is not enough left. `media_bytes` is what the leg
    /// has sent so far.
    pub(crate) fn take_share(&mut self, now: MonoTime, media_bytes: u64, bytes: u64) -> bool {
        if now.since(self.window_started) >= SHARE_WINDOW {
            let sent = media_bytes.saturating_sub(self.window_media_bytes);
            self.allowance = (sent / SHARE_DIVISOR).max(SHARE_BYTES_MIN);
            self.window_started = now;
            self.window_media_bytes = media_bytes;
            self.window_rtx_bytes = 0;
        }
        if self.window_rtx_bytes + bytes > self.allowance {
            return false;
        }
        self.window_rtx_bytes += bytes;
        true
    }

    /// The next number of the RTX stream. RFC 4588 §4.
    pub(crate) fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    /// The payload type of retransmissions of a codec.
    pub(crate) fn payload_type(&self, codec: Codec) -> Option<PayloadType> {
        self.payload_types
            .get(codec_index(codec))
            .copied()
            .flatten()
    }
}
