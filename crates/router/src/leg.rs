//! One slot of one receiver: a continuous RTP stream out of whatever the server switches in.
//!
//! Fed by the room with stored packets of the layer it is attached to; writes to [`Egress`]. The slot's
//! SSRC, sequence numbers, timestamps and VP8 ids never jump: each cut starts a new [`Mapping`] that
//! goes on where the last one ended. RFC 3550 §5.1, RFC 7741 §4.2.
//!
//! *Invariant*: an extended sequence number is sent once. The ring stores a dense number once, a
//! mapping is a bijection, and mappings do not overlap.

mod mapping;
mod repair;

use std::time::Duration;

use estrade_rtp::{EgressHeader, vp8};
use estrade_types::{
    Codec, ExtSeqNo, ExtensionId, Mid, MonoTime, ParticipantKey, PayloadType, RtpTimestamp, SlotId,
    SourceKind, Ssrc, TxMedia,
};

pub(crate) use mapping::{LayerKey, Mapping};
pub(crate) use repair::{Repair, Resend};

use crate::bits::{Bits, ticks_of};
use crate::egress::HEAD_BYTES_MAX;
use crate::leg_list::{Links, Membership};
use crate::ring::{PacketFacts, StoredPacket};
use crate::{Egress, EgressPayload, LegAddress, MediaClass};

/// How eagerly a leg waits for a keyframe. `product.md` §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitStage {
    /// For the layer it wants.
    Eager,
    /// For a lower one, after a second in vain.
    Lowered,
    /// Given up: takes a keyframe if one comes, asks seldom.
    Quiet,
}

/// A leg's waiting for a keyframe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// The layer whose keyframe will do.
    pub(crate) layer: LayerKey,
    /// The layer that was wanted at first.
    pub(crate) desired: LayerKey,
    pub(crate) since: MonoTime,
    pub(crate) stage: WaitStage,
}

/// What is told of a slot.
pub(crate) type Shown = Option<(ParticipantKey, SourceKind)>;

/// A receiver's report on the leg.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reported {
    pub(crate) fraction_lost: u8,
    pub(crate) jitter: u32,
    pub(crate) rtt: Option<Duration>,
}

/// One slot of one receiver.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) address: LegAddress,
    pub(crate) session: u32,
    pub(crate) participant: ParticipantKey,
    pub(crate) slot: SlotId,
    pub(crate) ssrc: Ssrc,
    payload_types: [Option<PayloadType>; 3],
    mid: Option<(ExtensionId, Mid)>,
    audio_level: Option<ExtensionId>,
    video_orientation: Option<ExtensionId>,
    attached_links: Links,
    waiting_links: Links,
    /// The layer it is attached to.
    pub(crate) current: Option<LayerKey>,
    pub(crate) wait: Option<Wait>,
    /// Whether its session can receive.
    pub(crate) is_open: bool,
    /// Whether it is its session's last audio slot, which stands for the room's further ones too.
    pub(crate) is_last: bool,
    /// Index of the source it is to show.
    pub(crate) want: Option<u32>,
    /// What it could not show because the receiver did not negotiate the codec; counted once.
    pub(crate) mismatch: Option<LayerKey>,
    pub(crate) layer_cap: Option<u8>,
    /// `None` until the first packet after attaching.
    mapping: Option<Mapping>,
    next_seq: u64,
    last_timestamp: RtpTimestamp,
    last_sent_at: Option<MonoTime>,
    last_picture_id: u16,
    last_tl0picidx: u8,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) cuts: u64,
    pub(crate) repair: Option<Box<Repair>>,
    pub(crate) reported: Reported,
    /// What control has been told the slot shows.
    pub(crate) told: Shown,
    pub(crate) is_told_dirty: bool,
    /// Whether a sender report has left since the first packet.
    pub(crate) has_reported: bool,
}

/// The place of a codec in a leg's table.
const fn codec_index(codec: Codec) -> usize {
    match codec {
        Codec::Opus => 0,
        Codec::Vp8 => 1,
        Codec::H264 => 2,
    }
}

impl Leg {
    pub(crate) fn new(
        media: &TxMedia,
        address: LegAddress,
        session: u32,
        participant: ParticipantKey,
        bits: &mut Bits,
    ) -> Self {
        let mut payload_types = [None; 3];
        let mut rtx = [None; 3];
        for negotiated in &media.codecs {
            let index = codec_index(negotiated.codec);
            if let (Some(plain), Some(rtx)) = (payload_types.get_mut(index), rtx.get_mut(index)) {
                plain.get_or_insert(negotiated.payload_type);
                *rtx = rtx.or(negotiated.rtx_payload_type);
            }
        }
        let repair = media
            .rtx_ssrc
            .filter(|_| media.slot.media_kind() == estrade_types::MediaKind::Video)
            .map(|ssrc| Box::new(Repair::new(ssrc, rtx, bits)));
        Self {
            address,
            session,
            participant,
            slot: media.slot,
            ssrc: media.ssrc,
            payload_types,
            mid: media.extensions.mid.map(|id| (id, media.mid)),
            audio_level: media.extensions.audio_level,
            video_orientation: media.extensions.video_orientation,
            attached_links: Links::NONE,
            waiting_links: Links::NONE,
            current: None,
            wait: None,
            is_open: false,
            is_last: false,
            want: None,
            mismatch: None,
            layer_cap: None,
            mapping: None,
            // Below 2^15, so that the receiver's rollover counter starts at 0. RFC 3711 §3.3.1.
            next_seq: bits.next() & 0x7fff,
            last_timestamp: RtpTimestamp(crate::bits::low32(bits.next())),
            last_sent_at: None,
            last_picture_id: crate::bits::low16(bits.next()) & 0x7fff,
            last_tl0picidx: 0,
            packets: 0,
            bytes: 0,
            cuts: 0,
            repair,
            reported: Reported::default(),
            told: None,
            is_told_dirty: false,
            has_reported: false,
        }
    }

    pub(crate) fn links(&self, sort: Membership) -> Links {
        match sort {
            Membership::Attached => self.attached_links,
            Membership::Waiting => self.waiting_links,
        }
    }

    pub(crate) fn links_mut(&mut self, sort: Membership) -> &mut Links {
        match sort {
            Membership::Attached => &mut self.attached_links,
            Membership::Waiting => &mut self.waiting_links,
        }
    }

    /// Whether the receiver negotiated the codec.
    pub(crate) fn takes(&self, codec: Codec) -> bool {
        self.payload_type(codec).is_some()
    }

    /// The receiver has reported on the stream: it knows the SSRC, so the MID is no longer needed.
    /// RFC 9143 §14.
    pub(crate) fn on_known(&mut self) {
        self.mid = None;
    }

    /// Whatever comes next starts a new mapping.
    pub(crate) fn unmap(&mut self) {
        self.mapping = None;
    }

    /// Starts a new mapping with the packet `seq`: it gets the next free sequence number.
    ///
    /// `newest` is the timestamp of the newest packet that goes out with it in one burst: that one is
    /// placed at the time that has passed since the last packet sent, and what lies between is
    /// squeezed in before it, so that a burst does not push the stream into the future.
    pub(crate) fn start_mapping(
        &mut self,
        now: MonoTime,
        layer: LayerKey,
        seq: ExtSeqNo,
        first: &PacketFacts,
        newest: RtpTimestamp,
    ) {
        const PAUSE_MAX: Duration = Duration::from_secs(3_600);
        let elapsed = self
            .last_sent_at
            .map_or(Duration::ZERO, |at| now.since(at).min(PAUSE_MAX));
        let squeezed = Mapping::squeezed(newest, first.timestamp);
        let step = ticks_of(elapsed, first.codec.clock_rate()).max(squeezed + 1);
        let ids = first.vp8.unwrap_or_default();
        let mapping = Mapping {
            layer,
            first_in: seq,
            first_out: self.next_seq,
            anchor_in: newest,
            anchor_out: RtpTimestamp(self.last_timestamp.0.wrapping_add(step)),
            picture_id_delta: self
                .last_picture_id
                .wrapping_add(1)
                .wrapping_sub(ids.picture_id),
            tl0picidx_delta: self
                .last_tl0picidx
                .wrapping_add(1)
                .wrapping_sub(ids.tl0picidx),
        };
        self.mapping = Some(mapping);
        if let Some(repair) = &mut self.repair {
            repair.remember(mapping);
        }
    }

    /// Sends a stored packet. False if it is not for this leg: from before its cut, or in a codec
    /// that the receiver did not negotiate.
    pub(crate) fn send(
        &mut self,
        now: MonoTime,
        layer: LayerKey,
        seq: ExtSeqNo,
        packet: &StoredPacket<'_>,
        csrc: Ssrc,
        egress: &mut impl Egress,
    ) -> bool {
        let Some(payload_type) = self.payload_type(packet.facts.codec) else {
            return false;
        };
        let is_first = self.mapping.is_none();
        if is_first {
            self.start_mapping(now, layer, seq, packet.facts, packet.facts.timestamp);
        }
        let Some(mapping) = self.mapping else {
            return false;
        };
        let Some(ext_seq) = mapping.out_seq(seq) else {
            return false;
        };
        let timestamp = mapping.out_timestamp(packet.facts.timestamp);
        let is_audio = packet.facts.codec == Codec::Opus;
        let header = EgressHeader {
            payload_type,
            // For sound, the first packet after a pause or a change of speaker. RFC 3551 §4.1.
            marker: packet.facts.marker || (is_audio && is_first),
            sequence_number: ExtSeqNo(ext_seq).wire(),
            timestamp,
            ssrc: self.ssrc,
            csrc: Some(csrc),
            mid: self.mid,
            audio_level: self.audio_level.zip(packet.facts.audio_level),
            video_orientation: self.video_orientation.zip(packet.facts.video_orientation),
            transport_seq: None,
        };
        let mut head = [0; HEAD_BYTES_MAX];
        let payload = mapping.payload(packet, &[], &mut head);
        let class = if is_audio {
            MediaClass::Audio
        } else {
            MediaClass::Video
        };
        self.packets += 1;
        self.bytes += u64::try_from(payload.len()).unwrap_or(0);
        egress.rtp(self.address, &header, ext_seq, payload, class);
        if ext_seq >= self.next_seq {
            self.next_seq = ext_seq + 1;
            self.last_timestamp = timestamp;
            self.last_sent_at = Some(now);
            if let Some(ids) = packet.facts.vp8 {
                self.last_picture_id = mapping.out_picture_id(ids.picture_id);
                self.last_tl0picidx = mapping.out_tl0picidx(ids.tl0picidx);
            }
        }
        true
    }

    /// The timestamp a packet of the current source would have, were its own `timestamp`; `None`
    /// before the first packet of the source.
    pub(crate) fn out_timestamp(&self, timestamp: RtpTimestamp) -> Option<RtpTimestamp> {
        Some(self.mapping?.out_timestamp(timestamp))
    }

    /// When the last packet left, and its timestamp.
    pub(crate) fn last_sent(&self) -> Option<(MonoTime, RtpTimestamp)> {
        Some((self.last_sent_at?, self.last_timestamp))
    }

    /// The highest extended sequence number sent, if any.
    pub(crate) fn highest_sent(&self) -> Option<ExtSeqNo> {
        self.last_sent_at?;
        self.next_seq.checked_sub(1).map(ExtSeqNo)
    }

    pub(crate) const fn mid(&self) -> Option<(ExtensionId, Mid)> {
        self.mid
    }

    fn payload_type(&self, codec: Codec) -> Option<PayloadType> {
        self.payload_types
            .get(codec_index(codec))
            .copied()
            .flatten()
    }
}

impl Mapping {
    /// A payload as this mapping rewrites it, behind `prefix` (at most 2 bytes).
    pub(crate) fn payload<'a>(
        &self,
        packet: &StoredPacket<'a>,
        prefix: &[u8],
        head: &'a mut [u8; HEAD_BYTES_MAX],
    ) -> EgressPayload<'a> {
        let descriptor_len = packet
            .facts
            .vp8
            .map_or(0, |ids| usize::from(ids.descriptor_len));
        let split = packet.payload.split_at_checked(descriptor_len);
        let (descriptor, body) = split.unwrap_or((&[], packet.payload));
        let len = prefix.len() + descriptor.len();
        let Some((before, own)) = head
            .get_mut(..len)
            .and_then(|head| head.split_at_mut_checked(prefix.len()))
        else {
            return EgressPayload {
                head: &[],
                body: packet.payload,
            };
        };
        before.copy_from_slice(prefix);
        own.copy_from_slice(descriptor);
        if let Some(ids) = packet.facts.vp8 {
            // Always true: the descriptor was parsed whole when it was stored.
            let _is_rewritten = vp8::rewrite_ids(
                own,
                self.out_picture_id(ids.picture_id),
                self.out_tl0picidx(ids.tl0picidx),
            );
        }
        EgressPayload {
            head: head.get(..len).unwrap_or_default(),
            body,
        }
    }
}
