//! The router of one room.

use std::time::Duration;

use estrade_types::{
    DropReason, MonoTime, ParticipantKey, Permits, RxMedia, SessionId, SlotId, SourceKind, TxMedia,
    WallClock,
};

use crate::{Egress, RouterCounters, RouterEvent, RtpAccepted, RtpRefused, SlotStats, SourceStats};

/// Settings of a room's router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterConfig {
    /// How many current speakers are heard at once, 1 to 5; values outside are brought inside.
    pub audio_slots: u8,
    /// Both clocks at one instant, for the NTP timestamps of sender reports.
    pub wall_clock: WallClock,
    /// Canonical name of our streams in SDES (RFC 3550 §6.5.1, RFC 7022): at most 32 bytes are used.
    pub cname: String,
}

/// A session that joins a room's media.
#[derive(Clone, Copy, Debug)]
pub struct AddSession<'a> {
    /// The session's lasting id: named in events.
    pub session: SessionId,
    /// The caller's own index of the session: named in [`crate::LegAddress`] and [`Egress::rtcp`].
    pub slot: u32,
    /// Whose session it is. Must have been set by [`RoomRouter::set_participant`].
    pub participant: ParticipantKey,
    /// Sections in which we receive.
    pub rx: &'a [RxMedia],
    /// Sections in which we send. Their index is [`crate::LegAddress::stream`].
    pub tx: &'a [TxMedia],
    /// Random bits: first sequence numbers and timestamps come from them. RFC 3550 §5.1.
    pub seed: u64,
    /// Whether [`RouterEvent::Slot`] is wanted for this session. Plain players have nobody to tell.
    pub tells_slots: bool,
}

/// A session in a router: index and generation; never leaves its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouterSession {
    index: u32,
    generation: u32,
}

/// Why a router refused a call; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouterError {
    /// No such participant.
    UnknownParticipant,
    /// No such session.
    UnknownSession,
    /// More sections than [`estrade_types::limits`] allow.
    Full,
    /// Sections contradict each other: a repeated MID, SSRC or slot, an empty codec list.
    Invalid,
}

impl std::fmt::Display for RouterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::UnknownParticipant => "no such participant in the room",
            Self::UnknownSession => "no such session in the room",
            Self::Full => "too many media sections",
            Self::Invalid => "media sections contradict each other",
        })
    }
}

impl std::error::Error for RouterError {}

/// The media of one room on one shard.
#[derive(Debug)]
pub struct RoomRouter {
    config: RouterConfig,
    counters: RouterCounters,
}

impl RoomRouter {
    /// A router without anybody.
    pub fn new(config: RouterConfig, _now: MonoTime) -> Self {
        Self {
            config,
            counters: RouterCounters::default(),
        }
    }

    /// Changes the number of audio slots, 1 to 5.
    pub fn set_audio_slots(&mut self, _now: MonoTime, audio_slots: u8) {
        self.config.audio_slots = audio_slots;
    }

    /// Takes a fresh reading of both clocks.
    pub fn set_wall_clock(&mut self, wall_clock: WallClock) {
        self.config.wall_clock = wall_clock;
    }

    /// Adds a participant or changes its permits; in force for the next packet. A source whose permit
    /// is withdrawn leaves every slot at once.
    pub fn set_participant(&mut self, _now: MonoTime, _who: ParticipantKey, _permits: Permits) {}

    /// Forgets a participant. Its sessions must be removed by the caller too; until then nothing of
    /// theirs is taken.
    pub fn remove_participant(&mut self, _now: MonoTime, _who: ParticipantKey) {}

    /// Adds a session's streams. Call it once its transport is connected, or before: nothing but
    /// waiting legs is kept for a session that cannot receive yet, but what is sent to it is lost,
    /// so see [`Self::set_connected`].
    ///
    /// # Errors
    ///
    /// When the participant is unknown or the sections are refused.
    pub fn add_session(
        &mut self,
        _now: MonoTime,
        _session: AddSession<'_>,
    ) -> Result<RouterSession, RouterError> {
        Ok(RouterSession {
            index: 0,
            generation: 0,
        })
    }

    /// Tells that a session's transport can carry media (or no longer can). Until the first call with
    /// `true` nothing is sent to the session; then its slots start, video at a keyframe.
    pub fn set_connected(
        &mut self,
        _now: MonoTime,
        _session: RouterSession,
        _is_connected: bool,
        _egress: &mut impl Egress,
    ) {
    }

    /// Removes a session: its sources leave every slot, its legs are gone.
    pub fn remove_session(&mut self, _now: MonoTime, _session: RouterSession) {}

    /// Turns a session's video slots on or off.
    ///
    /// # Errors
    ///
    /// When the session is unknown.
    pub fn set_video_wanted(
        &mut self,
        _now: MonoTime,
        _session: RouterSession,
        _wanted: bool,
        _egress: &mut impl Egress,
    ) -> Result<(), RouterError> {
        Ok(())
    }

    /// Fixes a session's main picture to a participant's camera while it is live; `None` to follow the
    /// programme again.
    ///
    /// # Errors
    ///
    /// When the session is unknown.
    pub fn set_pin(
        &mut self,
        _now: MonoTime,
        _session: RouterSession,
        _participant: Option<ParticipantKey>,
        _egress: &mut impl Egress,
    ) -> Result<(), RouterError> {
        Ok(())
    }

    /// Caps the layer a slot takes: 0 for the lowest; `None` for the best that is live.
    ///
    /// # Errors
    ///
    /// When the session is unknown.
    pub fn set_layer_cap(
        &mut self,
        _now: MonoTime,
        _session: RouterSession,
        _slot: SlotId,
        _cap: Option<u8>,
        _egress: &mut impl Egress,
    ) -> Result<(), RouterError> {
        Ok(())
    }

    /// Moves the programme: what main slots show, and (while a screen is shared) second slots. The
    /// cut of each leg follows as soon as the new source's keyframe is complete.
    pub fn set_programme(
        &mut self,
        _now: MonoTime,
        _main: Option<(ParticipantKey, SourceKind)>,
        _second: Option<(ParticipantKey, SourceKind)>,
        _egress: &mut impl Egress,
    ) {
    }

    /// The order in which a main slot falls back for the programme's own owner, after the previous
    /// programmes: host, co-hosts, longest on stage. Those beyond the first 16 are ignored.
    pub fn set_fallback(
        &mut self,
        _now: MonoTime,
        _order: &[ParticipantKey],
        _egress: &mut impl Egress,
    ) {
    }

    /// Whom thumbnails show: recent speakers, most recent first. Those beyond the first 32 are
    /// ignored.
    pub fn set_recent(
        &mut self,
        _now: MonoTime,
        _recent: &[ParticipantKey],
        _egress: &mut impl Egress,
    ) {
    }

    /// Who holds the floor: always heard, and what a receiver with a single audio slot hears first.
    pub fn set_active_speaker(&mut self, _now: MonoTime, _who: Option<ParticipantKey>) {}

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
        _now: MonoTime,
        _session: RouterSession,
        _packet: &[u8],
        _egress: &mut impl Egress,
    ) -> Result<Option<RtpAccepted>, RtpRefused> {
        Err(RtpRefused {
            reason: DropReason::UnknownSsrc,
            muted: None,
        })
    }

    /// Takes one plain RTCP compound from a session: reports, requests for packets and keyframes.
    ///
    /// # Errors
    ///
    /// When the compound is malformed; the packets before the flaw have been applied.
    pub fn on_rtcp(
        &mut self,
        _now: MonoTime,
        _session: RouterSession,
        _compound: &[u8],
        _egress: &mut impl Egress,
    ) -> Result<(), DropReason> {
        Ok(())
    }

    /// When [`Self::on_timeout`] wants to be called; `None` while the room is quiet.
    pub fn next_deadline(&self) -> Option<MonoTime> {
        None
    }

    /// Does what is due: feedback and reports, repeated requests, layers and slots that went quiet.
    pub fn on_timeout(&mut self, _now: MonoTime, _egress: &mut impl Egress) {}

    /// The next thing to tell; `None` when there is nothing more.
    pub fn poll_event(&mut self) -> Option<RouterEvent> {
        None
    }

    /// What is known of a participant's source; `None` if it never sent one.
    pub fn source_stats(&self, _who: ParticipantKey, _source: SourceKind) -> Option<SourceStats> {
        None
    }

    /// Whether a participant's camera (or screen) could be shown now.
    pub fn has_live_video(&self, who: ParticipantKey, source: SourceKind) -> bool {
        self.source_stats(who, source)
            .is_some_and(|stats| stats.layers_live > 0)
    }

    /// What was sent on a session's slot, and what the receiver reported.
    pub fn slot_stats(&self, _session: RouterSession, _slot: SlotId) -> Option<SlotStats> {
        None
    }

    /// The latest round-trip time measured with a session.
    pub fn rtt(&self, _session: RouterSession) -> Option<Duration> {
        None
    }

    /// What the router counted.
    pub fn counters(&self) -> &RouterCounters {
        &self.counters
    }
}
