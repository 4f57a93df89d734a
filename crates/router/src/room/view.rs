//! What can be asked of a room: for the director, statistics and tests.

use std::time::Duration;

use estrade_types::{Bitrate, MonoTime, ParticipantKey, SlotId, SourceKind};

use super::{RoomRouter, RouterSession};
use crate::{RouterCounters, SlotStats, SourceStats};

impl RoomRouter {
    /// What is known of a participant's source; `None` if it sends none.
    pub fn source_stats(
        &self,
        now: MonoTime,
        who: ParticipantKey,
        source: SourceKind,
    ) -> Option<SourceStats> {
        let source = self.sources.get(self.published(who, source)?)?;
        let bps = source
            .layers()
            .map(|(_, layer)| layer.bitrate(now).as_bps())
            .fold(0, u64::saturating_add);
        Some(SourceStats {
            is_active: source.is_active,
            last_packet_at: source.last_packet_at,
            layers_live: u8::try_from(source.live_layers().len()).unwrap_or(u8::MAX),
            bitrate: Bitrate::from_bps(bps),
        })
    }

    /// Whether a participant's camera (or screen) could be shown now: permitted, and a layer of it
    /// delivers.
    pub fn has_live_video(&self, who: ParticipantKey, source: SourceKind) -> bool {
        self.published(who, source)
            .and_then(|source| self.sources.get(source))
            .is_some_and(|source| {
                source.kind != SourceKind::Microphone && !source.live_layers().is_empty()
            })
    }

    /// What a session's slot carries now.
    pub fn slot_source(
        &self,
        session: RouterSession,
        slot: SlotId,
    ) -> Option<(ParticipantKey, SourceKind)> {
        self.shown(self.leg_for(self.index(session)?, slot)?)
    }

    /// What was sent on a session's slot, and what the receiver reported.
    pub fn slot_stats(&self, session: RouterSession, slot: SlotId) -> Option<SlotStats> {
        let leg = self.legs.get(self.leg_for(self.index(session)?, slot)?)?;
        Some(SlotStats {
            packets: leg.packets,
            bytes: leg.bytes,
            rtx_packets: leg.repair.as_ref().map_or(0, |repair| repair.packets),
            fraction_lost: leg.reported.fraction_lost,
            jitter: leg.reported.jitter,
            rtt: leg.reported.rtt,
            cuts: leg.cuts,
        })
    }

    /// The latest round-trip time measured with a session.
    pub fn rtt(&self, session: RouterSession) -> Option<Duration> {
        self.sessions.get(self.index(session)?)?.rtt
    }

    /// What the router counted.
    pub const fn counters(&self) -> &RouterCounters {
        &self.counters
    }
}
