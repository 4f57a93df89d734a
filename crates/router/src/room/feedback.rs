//! RTCP from an endpoint: reports, requests for packets and keyframes, goodbyes.
//! RFC 3550 §6, RFC 4585 §6, RFC 5104 §4.3.1.
//!
//! An endpoint speaks only for its own streams and about its own slots: an SSRC that is neither is
//! ignored.

use std::time::Duration;

use estrade_rtp::EgressHeader;
use estrade_rtp::rtcp::{Compound, Nack, Packet, ReportBlock, SenderInfo};
use estrade_types::{DropReason, ExtSeqNo, MediaKind, MonoTime, NtpShort, SlotId, Ssrc};

use super::{RoomRouter, RouterSession};
use crate::egress::HEAD_BYTES_MAX;
use crate::leg::Resend;
use crate::{Egress, MediaClass};

/// Round trip assumed until one was measured.
pub(super) const RTT_DEFAULT: Duration = Duration::from_millis(100);

/// A round trip longer than this is a report gone wrong.
const RTT_MAX: Duration = Duration::from_secs(10);

/// Sequence numbers looked at in one compound: a sane receiver never asks for as many.
const NACKED_MAX: u32 = 512;

impl RoomRouter {
    /// Takes one plain RTCP compound from a session: reports, requests for packets and keyframes.
    ///
    /// # Errors
    ///
    /// When the compound is malformed: then none of it is applied. It has been counted.
    pub fn on_rtcp(
        &mut self,
        now: MonoTime,
        session: RouterSession,
        compound: &[u8],
        egress: &mut impl Egress,
    ) -> Result<(), DropReason> {
        let Some(index) = self.index(session) else {
            self.counters.drops.count(DropReason::UnknownSource);
            return Err(DropReason::UnknownSource);
        };
        let Ok(compound) = Compound::parse(compound) else {
            self.counters.drops.count(DropReason::RtcpMalformed);
            return Err(DropReason::RtcpMalformed);
        };
        let mut budget = NACKED_MAX;
        for packet in compound {
            match packet {
                Packet::SenderReport(report) => {
                    self.on_sender_info(now, index, &report.info);
                    for block in report.reports {
                        self.on_report_block(now, index, &block);
                    }
                }
                Packet::ReceiverReport(report) => {
                    for block in report.reports {
                        self.on_report_block(now, index, &block);
                    }
                }
                Packet::Nack(nack) => self.on_nack(now, index, &nack, &mut budget, egress),
                Packet::Pli(pli) => self.on_keyframe_wanted(now, index, pli.media_ssrc, egress),
                Packet::Fir(fir) => {
                    for entry in fir.entries() {
                        self.on_keyframe_wanted(now, index, entry.ssrc, egress);
                    }
                }
                Packet::Bye(bye) => {
                    for ssrc in bye.ssrcs() {
                        self.on_bye(now, index, ssrc);
                    }
                }
                // Estimates of the path to the receiver have no reader yet; descriptions of sources
                // say nothing that negotiation has not.
                _ => {}
            }
        }
        self.settle(now, egress);
        Ok(())
    }

    fn on_sender_info(&mut self, now: MonoTime, index: u32, info: &SenderInfo) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some((section, layer)) = session.binding.media_layer(info.ssrc) else {
            return;
        };
        session.on_sender_clock(now, info.ntp);
        let source = session.sources.get(usize::from(section)).copied();
        if let Some(stats) = source
            .and_then(|source| self.sources.get_mut(source))
            .and_then(|source| source.layer_mut(layer))
            .and_then(|layer| layer.stats_mut())
        {
            stats.on_sender_report(now, info);
        }
    }

    fn on_report_block(&mut self, now: MonoTime, index: u32, block: &ReportBlock) {
        let Some(leg) = self.leg_of(index, block.ssrc) else {
            return;
        };
        let rtt = self.round_trip(now, block);
        if let Some(leg) = self.legs.get_mut(leg) {
            leg.on_known();
            leg.reported.fraction_lost = block.fraction_lost;
            leg.reported.jitter = block.jitter;
            leg.reported.rtt = rtt.or(leg.reported.rtt);
        }
        if let Some(session) = self.sessions.get_mut(index) {
            session.rtt = rtt.or(session.rtt);
        }
    }

    /// Arrival less delay less last report, in 1/65536 s. RFC 3550 §6.4.1.
    fn round_trip(&self, now: MonoTime, block: &ReportBlock) -> Option<Duration> {
        if block.last_sr == NtpShort(0) {
            return None;
        }
        let NtpShort(arrival) = self.config.wall_clock.at(now).short();
        let units = arrival
            .wrapping_sub(block.last_sr.0)
            .wrapping_sub(block.delay_since_last_sr.0);
        // A little below zero is rounding; far below is a report that lies.
        let units = if units > 0xffff_ff00 { 0 } else { units };
        let rtt = Duration::from_micros((u64::from(units) * 1_000_000) >> 16);
        (rtt <= RTT_MAX).then_some(rtt)
    }

    fn on_nack(
        &mut self,
        now: MonoTime,
        index: u32,
        nack: &Nack<'_>,
        budget: &mut u32,
        egress: &mut impl Egress,
    ) {
        let rtt = self
            .sessions
            .get(index)
            .and_then(|session| session.rtt)
            .unwrap_or(RTT_DEFAULT);
        let leg = self.leg_of(index, nack.media_ssrc);
        for seq in nack.sequence_numbers() {
            if *budget == 0 {
                return;
            }
            *budget -= 1;
            self.counters.nacks_received += 1;
            let resend = leg.and_then(|leg| self.legs.get_mut(leg)).and_then(|leg| {
                let highest = leg.highest_sent()?;
                leg.repair.as_mut()?.find(now, seq, highest, rtt)
            });
            let is_sent = leg
                .zip(resend)
                .is_some_and(|(leg, resend)| self.resend(now, leg, &resend, egress));
            self.counters.nacks_refused += u64::from(!is_sent);
        }
    }

    /// Sends a packet again, on the leg's RTX stream. RFC 4588 §4.
    fn resend(
        &mut self,
        now: MonoTime,
        leg: u32,
        resend: &Resend,
        egress: &mut impl Egress,
    ) -> bool {
        let key = resend.mapping.layer;
        let is_current = self.sources.generation(key.source) == key.generation;
        let Some(source) = self
            .sources
            .get(key.source)
            .filter(|source| is_current && source.is_permitted)
        else {
            return false;
        };
        let packet = source
            .layer(key.layer)
            .and_then(|layer| layer.packet(resend.seq));
        let (Some(packet), Some(leg)) = (packet, self.legs.get_mut(leg)) else {
            return false;
        };
        let mid = leg.mid();
        let (address, media_bytes, is_open) = (leg.address, leg.bytes, leg.is_open);
        let Some(repair) = leg.repair.as_mut().filter(|_| is_open) else {
            return false;
        };
        let Some(payload_type) = repair.payload_type(packet.facts.codec) else {
            return false;
        };
        let bytes = u64::try_from(packet.payload.len()).unwrap_or(u64::MAX);
        if !repair.take_share(now, media_bytes, bytes) {
            return false;
        }
        let ext_seq = repair.take_seq();
        let header = EgressHeader {
            payload_type,
            marker: packet.facts.marker,
            sequence_number: ExtSeqNo(ext_seq).wire(),
            timestamp: resend.mapping.out_timestamp(packet.facts.timestamp),
            ssrc: repair.ssrc,
            csrc: Some(Ssrc(source.participant.0.get())),
            mid,
            audio_level: None,
            video_orientation: None,
            transport_seq: None,
        };
        let mut head = [0; HEAD_BYTES_MAX];
        let osn = estrade_rtp::rtx::header(resend.original);
        let payload = resend.mapping.payload(&packet, &osn, &mut head);
        repair.packets += 1;
        egress.rtp(address, &header, ext_seq, payload, MediaClass::Rtx);
        self.counters.tx_rtx_packets += 1;
        self.counters.tx_rtp_packets += 1;
        true
    }

    /// A receiver lost its picture: the layer it is on is asked, and the one it waits for.
    fn on_keyframe_wanted(
        &mut self,
        now: MonoTime,
        index: u32,
        ssrc: Ssrc,
        egress: &mut impl Egress,
    ) {
        self.counters.keyframe_requests_received += 1;
        let leg = self.leg_of(index, ssrc).and_then(|leg| self.legs.get(leg));
        let Some(leg) = leg.filter(|leg| leg.slot.media_kind() == MediaKind::Video) else {
            return;
        };
        let wanted = leg.current.or(leg.wait.map(|wait| wait.layer));
        if let Some(key) = wanted.filter(|key| self.source(*key).is_some()) {
            self.want_keyframe(now, key, egress);
        }
    }

    fn on_bye(&mut self, now: MonoTime, index: u32, ssrc: Ssrc) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        // The binding stays: an encoding that is switched off says goodbye, and when it is switched on
        // again it goes on under the same SSRC and does not name itself a second time.
        let Some((section, layer)) = session.binding.media_layer(ssrc) else {
            return;
        };
        let Some(source) = session.sources.get(usize::from(section)).copied() else {
            return;
        };
        let Some(layer) = self
            .sources
            .get_mut(source)
            .and_then(|source| source.layer_mut(layer))
        else {
            return;
        };
        if !layer.take_goodbye(now) {
            return;
        }
        let is_over = self
            .sources
            .get(source)
            .is_some_and(|source| source.layers().all(|(_, layer)| layer.ssrc.is_none()));
        if is_over {
            if let Some(source) = self.sources.get_mut(source) {
                source.last_packet_at = None;
            }
            self.is_audio_dirty |= self.audio.remove(source);
            self.set_active(source, false);
        }
        self.are_pictures_dirty = true;
        self.tick_soon(now);
    }

    /// The session's leg with this media SSRC.
    fn leg_of(&self, index: u32, ssrc: Ssrc) -> Option<u32> {
        let session = self.sessions.get(index)?;
        let is_it = |leg: &&u32| self.legs.get(**leg).is_some_and(|leg| leg.ssrc == ssrc);
        session.legs.iter().find(is_it).copied()
    }

    /// The session's leg for a slot.
    pub(super) fn leg_for(&self, index: u32, slot: SlotId) -> Option<u32> {
        let session = self.sessions.get(index)?;
        let is_it = |leg: &&u32| self.legs.get(**leg).is_some_and(|leg| leg.slot == slot);
        session.legs.iter().find(is_it).copied()
    }
}
