//! A publisher's packet: bound, accounted, permitted, stored, forwarded. The hot path.

use estrade_rtp::{HeaderExtensions, RtpView, rtx};
use estrade_types::{AudioLevel, DropReason, ExtSeqNo, MediaKind, MonoTime, SourceKind, Ssrc};

use super::{RoomRouter, RouterSession, kind_index};
use crate::binding::Stream;
use crate::leg::LayerKey;
use crate::leg_list::Membership;
use crate::source::Stored;
use crate::{AudioPacket, Egress, MutedLevel, RtpAccepted, RtpRefused};

/// An Opus payload this short holds no sound: DTX. RFC 6716 §2.1.9.
const DTX_BYTES_MAX: usize = 3;

/// The level assumed of a client that sends none: speech at -40 dBov.
const LEVEL_ASSUMED: AudioLevel = AudioLevel::from_octet(40);

/// A packet on its way through.
struct Inbound<'a> {
    stream: Stream,
    source: u32,
    packet: &'a RtpView<'a>,
    extensions: &'a HeaderExtensions,
}

impl RoomRouter {
    /// Takes one plain RTP packet from a session; forwards it if it may travel.
    ///
    /// `Ok(None)` for a packet that carries nothing (padding, bandwidth probes): accounted, not
    /// passed on.
    ///
    /// # Errors
    ///
    /// Every reason for which the packet was dropped; it has been counted.
    pub fn on_rtp(
        &mut self,
        now: MonoTime,
        session: RouterSession,
        packet: &[u8],
        egress: &mut impl Egress,
    ) -> Result<Option<RtpAccepted>, RtpRefused> {
        let taken = self.take(now, session, packet, egress);
        match &taken {
            Ok(Some(accepted)) => {
                self.counters.rx_rtp_packets += 1;
                self.counters.rx_rtx_packets += u64::from(accepted.is_retransmission);
            }
            Ok(None) => {}
            Err(refused) => self.counters.drops.count(refused.reason),
        }
        self.settle(now, egress);
        taken
    }

    fn take(
        &mut self,
        now: MonoTime,
        session: RouterSession,
        packet: &[u8],
        egress: &mut impl Egress,
    ) -> Result<Option<RtpAccepted>, RtpRefused> {
        let index = self.index(session).ok_or(DropReason::UnknownSource)?;
        let packet = RtpView::parse(packet).map_err(|_| DropReason::RtpMalformed)?;
        let session = self
            .sessions
            .get_mut(index)
            .ok_or(DropReason::UnknownSource)?;
        let extensions = HeaderExtensions::read(&packet, session.binding.extensions());
        if !session.is_publisher {
            session.is_publisher = true;
            self.publishers.push(index);
        }
        if let Some(seq) = extensions.transport_seq {
            session.arrivals.on_packet(now, seq);
            if let Some(due) = session.arrivals.next_deadline() {
                self.next_arrivals = Some(self.next_arrivals.map_or(due, |at| at.min(due)));
            }
        }
        let stream = session.binding.bind(&packet, &extensions)?;
        let source = *session
            .sources
            .get(usize::from(stream.section))
            .ok_or(DropReason::UnknownSsrc)?;
        self.last_packet_at = now;
        self.tick_soon(now);
        let inbound = Inbound {
            stream,
            source,
            packet: &packet,
            extensions: &extensions,
        };
        if stream.is_rtx {
            self.take_repair(now, &inbound, egress)
        } else {
            self.take_media(now, &inbound, egress)
        }
    }

    fn take_media(
        &mut self,
        now: MonoTime,
        inbound: &Inbound<'_>,
        egress: &mut impl Egress,
    ) -> Result<Option<RtpAccepted>, RtpRefused> {
        let source = self
            .sources
            .get_mut(inbound.source)
            .ok_or(DropReason::UnknownSsrc)?;
        let layer = source
            .layer_or_new(inbound.stream.layer)
            .ok_or(DropReason::UnknownSsrc)?;
        if layer.is_straggler(now, inbound.packet) {
            return Err(DropReason::TooOld.into());
        }
        if layer.ssrc != Some(inbound.packet.ssrc()) {
            layer.rebind(inbound.packet.ssrc());
            self.recut(now, self.layer_key(inbound.source, inbound.stream.layer));
        }
        let layer = self
            .sources
            .get_mut(inbound.source)
            .and_then(|source| source.layer_mut(inbound.stream.layer))
            .ok_or(DropReason::UnknownSsrc)?;
        let rx = layer
            .account(now, inbound.packet)
            .ok_or(DropReason::TooOld)?;
        if let Some(due) = layer.nack.next_deadline() {
            self.next_nack = Some(self.next_nack.map_or(due, |at| at.min(due)));
        }
        let payload = inbound.packet.payload();
        if let Err(reason) = self.admit(now, inbound.source) {
            if let Some(layer) = self
                .sources
                .get_mut(inbound.source)
                .and_then(|source| source.layer_mut(inbound.stream.layer))
            {
                layer.skip();
            }
            return Err(self.refused(reason, inbound));
        }
        self.pass_on(now, inbound, rx, payload, egress)
    }

    fn take_repair(
        &mut self,
        now: MonoTime,
        inbound: &Inbound<'_>,
        egress: &mut impl Egress,
    ) -> Result<Option<RtpAccepted>, RtpRefused> {
        let Some((original, payload)) = rtx::unwrap(inbound.packet.payload()) else {
            return Ok(None); // A probe: padding on the RTX stream repairs nothing.
        };
        let source = self
            .sources
            .get_mut(inbound.source)
            .ok_or(DropReason::UnknownSsrc)?;
        if !source.is_permitted {
            return Err(DropReason::NotPermitted.into());
        }
        let rx = source
            .layer_mut(inbound.stream.layer)
            .and_then(|layer| layer.account_repair(original))
            .ok_or(DropReason::TooOld)?;
        self.admit(now, inbound.source)?;
        self.pass_on(now, inbound, rx, payload, egress)
    }

    /// Whether a source's packets may travel: permitted, and its participant's newest that sends.
    fn admit(&mut self, now: MonoTime, index: u32) -> Result<(), DropReason> {
        const HANDOVER: std::time::Duration = std::time::Duration::from_secs(1);
        let source = self.sources.get(index).ok_or(DropReason::UnknownSsrc)?;
        if !source.is_permitted {
            return Err(DropReason::NotPermitted);
        }
        let (who, kind) = (source.participant, source.kind);
        let before = self.published(who, kind);
        if before == Some(index) {
            return Ok(());
        }
        if let Some(other) = before.and_then(|before| self.sources.get(before)) {
            let order = |session| self.sessions.get(session).map_or(0, |s| s.order);
            let is_newer = order(source.session) > order(other.session);
            let is_quiet = other
                .last_packet_at
                .is_none_or(|at| now.since(at) >= HANDOVER);
            if !is_newer && !is_quiet {
                return Err(DropReason::NotPermitted);
            }
        }
        if let Some(before) = before {
            self.withdraw(before);
            if let Some(source) = self.sources.get_mut(before) {
                source.is_permitted = true; // Superseded, not forbidden.
            }
        }
        if let Some(published) = self
            .participants
            .get_mut(&who)
            .and_then(|participant| participant.published.get_mut(kind_index(kind)))
        {
            *published = Some(index);
        }
        self.are_pictures_dirty = true;
        if kind == SourceKind::Microphone && self.active_speaker == Some(who) {
            self.let_active_in(now);
        }
        Ok(())
    }

    fn pass_on(
        &mut self,
        now: MonoTime,
        inbound: &Inbound<'_>,
        rx: ExtSeqNo,
        payload: &[u8],
        egress: &mut impl Egress,
    ) -> Result<Option<RtpAccepted>, RtpRefused> {
        let key = self.layer_key(inbound.source, inbound.stream.layer);
        let source = self
            .sources
            .get_mut(inbound.source)
            .ok_or(DropReason::UnknownSsrc)?;
        let kind = source.kind;
        let participant = source.participant;
        let layer = source
            .layer_mut(inbound.stream.layer)
            .ok_or(DropReason::UnknownSsrc)?;
        let stored = layer.store(
            now,
            rx,
            inbound.packet,
            payload,
            inbound.stream.codec,
            inbound.extensions,
        )?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let ptime = layer.ptime;
        if !payload.is_empty() {
            source.last_packet_at = Some(now);
            self.set_active(inbound.source, true);
        }
        let audio = (kind == SourceKind::Microphone).then(|| AudioPacket {
            level: level_of(inbound.extensions, payload),
            ptime,
            is_in_order: stored.is_newest,
        });
        if let Some(audio) = audio.filter(|audio| audio.is_in_order) {
            self.hear(now, inbound.source, audio.level, egress);
        }
        if stored.is_codec_change {
            self.evict(key);
            self.are_pictures_stale = true;
        }
        self.are_pictures_dirty |= stored.is_waking && kind.media_kind() == MediaKind::Video;
        self.forward(now, key, stored, egress);
        Ok(Some(RtpAccepted {
            participant,
            source: kind,
            timestamp: inbound.packet.timestamp(),
            audio,
            is_retransmission: inbound.stream.is_rtx,
        }))
    }

    /// Feeds a microphone's level to the audio slots, before the packet is forwarded: a newcomer's
    /// first voiced packet is already heard.
    fn hear(&mut self, now: MonoTime, index: u32, level: AudioLevel, egress: &mut impl Egress) {
        let Some(source) = self.sources.get_mut(index) else {
            return;
        };
        let is_voiced = source.loudness.on_level(now, level);
        if self
            .audio
            .on_packet(now, index, &source.loudness, is_voiced)
        {
            self.is_audio_dirty = true;
            self.settle(now, egress);
        }
    }

    /// Sends a stored packet to every leg on its layer, then lets waiting legs in.
    fn forward(&mut self, now: MonoTime, key: LayerKey, stored: Stored, egress: &mut impl Egress) {
        let Some(source) = self.sources.get(key.source) else {
            return;
        };
        let csrc = Ssrc(source.participant.0.get());
        let Some(layer) = source.layer(key.layer) else {
            return;
        };
        let Some(packet) = layer.packet(stored.seq) else {
            return;
        };
        let mut sent = 0;
        let mut next = layer.attached.first();
        while let Some(index) = next {
            let Some(leg) = self.legs.get_mut(index) else {
                break;
            };
            next = leg.links(Membership::Attached).next();
            if leg.send(now, key, stored.seq, &packet, csrc, egress) {
                sent += 1;
            }
        }
        self.counters.tx_rtp_packets += sent;
        if stored.is_keyframe_complete {
            self.cut_waiting(now, key, egress);
        }
    }

    /// A refusal, with the level of a muted microphone.
    fn refused(&self, reason: DropReason, inbound: &Inbound<'_>) -> RtpRefused {
        let source = self.sources.get(inbound.source);
        let muted = source
            .filter(|source| source.kind == SourceKind::Microphone && !source.is_permitted)
            .zip(inbound.extensions.audio_level)
            .map(|(source, level)| MutedLevel {
                participant: source.participant,
                level,
                timestamp: inbound.packet.timestamp(),
            });
        RtpRefused { reason, muted }
    }
}

impl From<DropReason> for RtpRefused {
    fn from(reason: DropReason) -> Self {
        Self {
            reason,
            muted: None,
        }
    }
}

/// A packet's level; for a client that sends none, guessed from the size of the payload.
fn level_of(extensions: &HeaderExtensions, payload: &[u8]) -> AudioLevel {
    match extensions.audio_level {
        Some(level) => level,
        None if payload.len() <= DTX_BYTES_MAX => AudioLevel::SILENCE,
        None => LEVEL_ASSUMED,
    }
}
