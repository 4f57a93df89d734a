//! One encoded stream of a source.

use std::time::Duration;

use estrade_rtp::{HeaderExtensions, RtpView, h264, vp8};
use estrade_types::{
    Bitrate, ClockRate, Codec, DropReason, ExtSeqNo, MediaKind, MonoTime, RtpTimestamp, SeqNo,
    SourceKind, Ssrc,
};

use crate::bits::ticks_of;
use crate::keyframe_span::{CompleteKeyframe, KeyframeSpan};
use crate::keyframes::KeyframeThrottle;
use crate::leg_list::{LegList, Membership};
use crate::nack::NackGenerator;
use crate::numbering::{Arrival, Numbering, Placement};
use crate::ring::{NotStored, PacketFacts, PacketRing, StoredPacket, Vp8Ids};
use crate::rx_stats::RxStats;

/// Packets a video layer's ring holds: 2 to 3 s of 2 Mbit/s.
const VIDEO_PKTS: u16 = 512;

/// Packets an audio layer's ring holds: more than a second.
const AUDIO_PKTS: u16 = 64;

/// A timestamp that differs by more than this from the time that passed is a jump, not a pause.
const TIMESTAMP_JUMP: Duration = Duration::from_secs(10);

/// Between two goodbyes that are believed: each moves the whole room.
const GOODBYE_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Packets from before a goodbye may come this long after it.
const STRAGGLING_MAX: Duration = Duration::from_secs(2);

/// And have been sent this many packets before it; one from further back begins the stream anew.
const STRAGGLING_PKTS_MAX: i16 = 1_000;

/// How long a layer that died must live again before anybody is moved up to it: one that hardly gets
/// through would else take everybody up and down with every packet.
const STEADY_AFTER: Duration = Duration::from_secs(2);

/// The window over which the bitrate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// A packet that was stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    /// Its dense number.
    pub(crate) seq: ExtSeqNo,
    /// Whether it completed a keyframe.
    pub(crate) is_keyframe_complete: bool,
    /// Whether the layer had been quiet before.
    pub(crate) is_waking: bool,
    /// Whether it is newer than all before it.
    pub(crate) is_newest: bool,
    /// Whether the codec is another one than before: nothing in the ring fits to it.
    pub(crate) is_codec_change: bool,
}

/// One encoded stream.
#[derive(Debug)]
pub(crate) struct Layer {
    kind: MediaKind,
    /// The media SSRC bound to it.
    pub(crate) ssrc: Option<Ssrc>,
    numbering: Numbering,
    stats: Option<RxStats>,
    pub(crate) nack: NackGenerator,
    ring: Option<PacketRing>,
    keyframe: KeyframeSpan,
    pub(crate) throttle: KeyframeThrottle,
    /// Until when somebody waits for a keyframe eagerly.
    pub(crate) eager_until: MonoTime,
    pub(crate) attached: LegList,
    pub(crate) waiting: LegList,
    codec: Option<Codec>,
    timestamp_bias: u32,
    newest: Option<(RtpTimestamp, MonoTime)>,
    /// Length of a packet's sound.
    pub(crate) ptime: Duration,
    pub(crate) last_media_at: Option<MonoTime>,
    pub(crate) is_live: bool,
    /// Whether legs may be moved up to it: it never died, or has lived for a while since.
    pub(crate) is_steady: bool,
    steady_from: MonoTime,
    goodbye_at: Option<MonoTime>,
    /// Who said the last goodbye, and its highest number by then.
    gone: Option<(Ssrc, SeqNo)>,
    window_started: MonoTime,
    window_bytes: u64,
    bitrate: Bitrate,
}

impl Layer {
    pub(super) fn new(source: SourceKind) -> Self {
        Self {
            kind: source.media_kind(),
            ssrc: None,
            numbering: Numbering::new(),
            stats: None,
            nack: NackGenerator::default(),
            ring: None,
            keyframe: KeyframeSpan::default(),
            throttle: KeyframeThrottle::default(),
            eager_until: MonoTime::ZERO,
            attached: LegList::new(Membership::Attached),
            waiting: LegList::new(Membership::Waiting),
            codec: None,
            timestamp_bias: 0,
            newest: None,
            ptime: Duration::from_millis(20),
            last_media_at: None,
            is_live: false,
            is_steady: true,
            steady_from: MonoTime::ZERO,
            goodbye_at: None,
            gone: None,
            window_started: MonoTime::ZERO,
            window_bytes: 0,
            bitrate: Bitrate::default(),
        }
    }

    /// Another SSRC carries the layer from now on.
    pub(crate) fn rebind(&mut self, ssrc: Ssrc) {
        self.ssrc = Some(ssrc);
        self.numbering.restart();
        self.stats = None;
        self.nack.clear();
        self.keyframe.clear();
    }

    /// The layer's SSRC said goodbye. False if that changed nothing: it had before, or it says so too
    /// often for all that follows from it.
    pub(crate) fn take_goodbye(&mut self, now: MonoTime) -> bool {
        let is_again = self
            .goodbye_at
            .is_some_and(|at| now.since(at) < GOODBYE_INTERVAL_MIN);
        if is_again {
            return false;
        }
        let Some(ssrc) = self.ssrc.take() else {
            return false;
        };
        self.goodbye_at = Some(now);
        self.gone = self.numbering.highest().map(|highest| (ssrc, highest));
        self.stats = None;
        self.nack.clear();
        self.last_media_at = None;
        self.is_live = false;
        true
    }

    /// Whether a packet was overtaken by its stream's goodbye: it must not bring the stream back.
    pub(crate) fn is_straggler(&self, now: MonoTime, packet: &RtpView<'_>) -> bool {
        let is_soon = self
            .goodbye_at
            .is_some_and(|at| now.since(at) < STRAGGLING_MAX);
        self.ssrc.is_none()
            && is_soon
            && self.gone.is_some_and(|(ssrc, highest)| {
                let ahead = packet.sequence_number().0.wrapping_sub(highest.0);
                ssrc == packet.ssrc() && (-STRAGGLING_PKTS_MAX..=0).contains(&ahead.cast_signed())
            })
    }

    /// The permit is gone: what is held is freed, what comes is only accounted.
    pub(crate) fn silence(&mut self) {
        self.ring = None;
        self.keyframe.clear();
        self.nack.clear();
        self.numbering.rebase();
        self.last_media_at = None;
        self.is_steady = true;
    }

    /// Brings the liveness up to date. True if it changed, or whether the layer may be moved up to.
    pub(crate) fn update_liveness(&mut self, now: MonoTime, is_live: bool) -> bool {
        let before = (self.is_live, self.is_steady);
        if is_live {
            self.is_steady |= now >= self.steady_from;
        } else if self.is_live {
            self.is_steady = false;
        }
        self.is_live = is_live;
        before != (self.is_live, self.is_steady)
    }

    /// Accounts a packet of the media SSRC, permitted or not. `None` if its number is beyond belief.
    pub(crate) fn account(&mut self, now: MonoTime, packet: &RtpView<'_>) -> Option<ExtSeqNo> {
        let Arrival {
            rx,
            newer_than,
            is_restart,
        } = self.numbering.extend(packet.sequence_number())?;
        if is_restart {
            self.stats = None;
            self.nack.clear();
            self.keyframe.clear();
            if !self.attached.is_empty() {
                // Unless the new stream begins with one, which takes the wish back.
                self.request_keyframe(now);
            }
        }
        let rate = self.clock_rate();
        self.stats
            .get_or_insert_with(|| RxStats::new(rate, rx))
            .on_packet(now, rx, packet.timestamp());
        match newer_than {
            Some(newer_than) if self.ring.is_some() && self.kind == MediaKind::Video => {
                self.nack.on_gap(now, newer_than, rx);
            }
            Some(_) => {}
            None => self.nack.on_late(rx),
        }
        Some(rx)
    }

    /// The number of a packet that a retransmission repairs. `None` if there is nothing to repair:
    /// the stream has not begun, or said goodbye.
    pub(crate) fn account_repair(&mut self, original: SeqNo) -> Option<ExtSeqNo> {
        self.ssrc?;
        let rx = self.numbering.extend_original(original)?;
        self.nack.on_late(rx);
        Some(rx)
    }

    /// Leaves out what comes while the source is not permitted: the next packet that is stored
    /// follows the last one.
    pub(crate) fn skip(&mut self) {
        self.numbering.rebase();
        self.nack.clear();
    }

    /// Stores a permitted packet. `Ok(None)` for padding that takes no number.
    pub(crate) fn store(
        &mut self,
        now: MonoTime,
        rx: ExtSeqNo,
        packet: &RtpView<'_>,
        payload: &[u8],
        codec: Codec,
        extensions: &HeaderExtensions,
    ) -> Result<Option<Stored>, DropReason> {
        let seq = match self.numbering.place(rx, payload.is_empty()) {
            Placement::Dense(seq) => seq,
            Placement::Swallowed => return Ok(None),
            Placement::TooOld => return Err(DropReason::TooOld),
        };
        let kind = self.kind;
        let ring = self.ring.get_or_insert_with(|| {
            PacketRing::new(match kind {
                MediaKind::Video => VIDEO_PKTS,
                MediaKind::Audio => AUDIO_PKTS,
            })
        });
        if ring.contains(seq) {
            return Err(DropReason::Duplicate);
        }
        let is_newest = ring.highest().is_none_or(|highest| seq > highest);
        let timestamp = self.adjust_timestamp(now, packet.timestamp(), codec, is_newest)?;
        let facts = facts(packet, payload, codec, timestamp, extensions);
        let is_codec_change = self.codec.is_some_and(|before| before != codec);
        if is_codec_change {
            self.keyframe.clear();
        }
        let ring = self.ring.as_mut().ok_or(DropReason::TooOld)?;
        ring.store(seq, facts, payload)
            .map_err(|refused| match refused {
                NotStored::Duplicate => DropReason::Duplicate,
                NotStored::TooOld => DropReason::TooOld,
            })?;
        self.codec = Some(codec);
        if facts.is_keyframe_start {
            self.throttle.on_keyframe();
        }
        let is_keyframe_complete = self.keyframe.on_stored(now, seq, &facts, ring);
        if is_keyframe_complete {
            // What was lost before it needs no repair any more; what legs still miss, they ask for.
            self.nack.take_gave_up();
        }
        let is_waking = !payload.is_empty() && !self.is_live;
        if is_waking && !self.is_steady {
            self.steady_from = now.plus(STEADY_AFTER);
        }
        if !payload.is_empty() {
            self.last_media_at = Some(now);
            self.is_live = true;
        }
        self.measure(now, payload.len());
        Ok(Some(Stored {
            seq,
            is_keyframe_complete,
            is_waking,
            is_newest,
            is_codec_change,
        }))
    }

    /// A stored packet.
    pub(crate) fn packet(&self, seq: ExtSeqNo) -> Option<StoredPacket<'_>> {
        self.ring.as_ref()?.get(seq)
    }

    /// The highest number stored.
    pub(crate) fn highest(&self) -> Option<ExtSeqNo> {
        self.ring.as_ref()?.highest()
    }

    /// The newest keyframe, if all of it is held.
    pub(crate) fn complete_keyframe(&self) -> Option<CompleteKeyframe> {
        self.keyframe.complete(self.ring.as_ref()?)
    }

    /// When the first packet of a keyframe came that is not complete yet.
    pub(crate) fn keyframe_arriving_since(&self) -> Option<MonoTime> {
        self.keyframe.arriving_since()
    }

    /// Somebody wants a keyframe.
    pub(crate) fn request_keyframe(&mut self, now: MonoTime) {
        self.throttle.request(now, self.keyframe.started_at());
    }

    /// The newest packet's timestamp and when it came.
    pub(crate) const fn newest(&self) -> Option<(RtpTimestamp, MonoTime)> {
        self.newest
    }

    /// What is added to the publisher's timestamps.
    pub(crate) const fn timestamp_bias(&self) -> u32 {
        self.timestamp_bias
    }

    pub(crate) const fn codec(&self) -> Option<Codec> {
        self.codec
    }

    pub(crate) fn stats_mut(&mut self) -> Option<&mut RxStats> {
        self.stats.as_mut()
    }

    pub(crate) fn stats(&self) -> Option<&RxStats> {
        self.stats.as_ref()
    }

    pub(crate) const fn kind(&self) -> MediaKind {
        self.kind
    }

    pub(crate) const fn clock_rate(&self) -> ClockRate {
        match self.kind {
            MediaKind::Audio => ClockRate::OPUS,
            MediaKind::Video => ClockRate::VIDEO,
        }
    }

    /// What arrived over the last whole second; zero if that was long ago.
    pub(crate) fn bitrate(&self, now: MonoTime) -> Bitrate {
        if now.since(self.window_started) > RATE_WINDOW * 2 {
            return Bitrate::default();
        }
        self.bitrate
    }

    /// Corrects a timestamp that jumps: legs must never see one step back, or by hours.
    fn adjust_timestamp(
        &mut self,
        now: MonoTime,
        timestamp: RtpTimestamp,
        codec: Codec,
        is_newest: bool,
    ) -> Result<RtpTimestamp, DropReason> {
        let rate = codec.clock_rate();
        let jump = ticks_of(TIMESTAMP_JUMP, rate).cast_signed();
        let adjusted = timestamp.0.wrapping_add(self.timestamp_bias);
        let Some((last, at)) = self.newest else {
            self.newest = Some((RtpTimestamp(adjusted), now));
            return Ok(RtpTimestamp(adjusted));
        };
        let step = adjusted.wrapping_sub(last.0).cast_signed();
        if !is_newest {
            // Overtaken: from before the newest, or of the same frame.
            let is_plausible = step <= 0 && step > -jump;
            return if is_plausible {
                Ok(RtpTimestamp(adjusted))
            } else {
                Err(DropReason::TooOld)
            };
        }
        let elapsed = ticks_of(now.since(at).min(Duration::from_secs(3_600)), rate);
        let surplus = adjusted
            .wrapping_sub(last.0.wrapping_add(elapsed))
            .cast_signed();
        let is_jump = step < 0 || surplus.unsigned_abs() > jump.unsigned_abs();
        let adjusted = if is_jump {
            let continued = last.0.wrapping_add(elapsed.max(1));
            self.timestamp_bias = continued.wrapping_sub(timestamp.0);
            continued
        } else {
            adjusted
        };
        if codec == Codec::Opus && !is_jump {
            self.learn_ptime(step);
        }
        self.newest = Some((RtpTimestamp(adjusted), now));
        Ok(RtpTimestamp(adjusted))
    }

    /// A step between two packets of sound that a packet can hold: 2.5 to 120 ms. RFC 7587 §4.2.
    fn learn_ptime(&mut self, step: i32) {
        if (120..=5_760).contains(&step) {
            let us = u64::from(step.unsigned_abs()) * 1_000 / 48;
            self.ptime = Duration::from_micros(us);
        }
    }

    fn measure(&mut self, now: MonoTime, bytes: usize) {
        let elapsed = now.since(self.window_started);
        if elapsed >= RATE_WINDOW {
            let ms = u64::try_from(elapsed.as_millis())
                .unwrap_or(u64::MAX)
                .max(1);
            self.bitrate = Bitrate::from_bps(self.window_bytes.saturating_mul(8_000) / ms);
            self.window_started = now;
            self.window_bytes = 0;
        }
        self.window_bytes += u64::try_from(bytes).unwrap_or(0);
    }
}

/// What legs need to know of a packet.
fn facts(
    packet: &RtpView<'_>,
    payload: &[u8],
    codec: Codec,
    timestamp: RtpTimestamp,
    extensions: &HeaderExtensions,
) -> PacketFacts {
    let (is_keyframe_start, vp8) = match codec {
        Codec::Opus => (false, None),
        Codec::Vp8 => (vp8::is_keyframe_start(payload), vp8_ids(payload)),
        Codec::H264 => (h264::is_keyframe_start(payload), None),
    };
    PacketFacts {
        timestamp,
        marker: packet.marker(),
        codec,
        audio_level: extensions.audio_level,
        video_orientation: extensions.video_orientation,
        is_keyframe_start,
        vp8,
    }
}

fn vp8_ids(payload: &[u8]) -> Option<Vp8Ids> {
    let descriptor = vp8::Descriptor::parse(payload)?;
    Some(Vp8Ids {
        picture_id: descriptor.picture_id.map_or(0, vp8::PictureId::value),
        tl0picidx: descriptor.tl0picidx.unwrap_or(0),
        descriptor_len: u8::try_from(descriptor.len).ok()?,
    })
}
