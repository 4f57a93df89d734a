//! Facts a media shard tells control.

use crate::{
    AudioLevel, CommandId, CommandOutcome, CommandRefused, MonoTime, ParticipantKey, RoomKey,
    SessionId, ShardCounters, SlotId, SourceKind,
};

/// Why a session or a room was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client left.
    Left,
    /// A moderator or the app removed the participant.
    Removed,
    /// The room ended.
    RoomEnded,
    /// The same identity joined again.
    Replaced,
    /// The endpoint never completed ICE and DTLS in time.
    ConnectTimeout,
    /// The endpoint's consent expired. RFC 7675 §5.1.
    ConsentExpired,
    /// The DTLS handshake failed, or the certificate did not match its fingerprint.
    HandshakeFailed,
    /// The endpoint closed DTLS.
    ClosedByEndpoint,
    /// The server is shutting down.
    ServerShutdown,
    /// The server failed; others are not affected.
    InternalError,
}

impl CloseReason {
    /// The word used in messages and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Removed => "removed",
            Self::RoomEnded => "room_ended",
            Self::Replaced => "replaced",
            Self::ConnectTimeout => "connect_timeout",
            Self::ConsentExpired => "consent_expired",
            Self::HandshakeFailed => "handshake_failed",
            Self::ClosedByEndpoint => "closed_by_endpoint",
            Self::ServerShutdown => "server_shutdown",
            Self::InternalError => "internal_error",
        }
    }
}

/// Where a session's transport stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// ICE and DTLS are up: media flows.
    Connected,
    /// Gone; the session id is dead.
    Closed(CloseReason),
}

/// Why the programme moved. `product.md` §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProgrammeReason {
    /// The active speaker changed.
    Speaker,
    /// The first picture of the room.
    First,
    /// The previous owner's picture went away.
    OwnerGone,
    /// A spotlight was set or cleared.
    Spotlight,
    /// A screen share started.
    ShareStarted,
    /// A screen share ended.
    ShareEnded,
    /// The switch policy says so.
    Policy,
    /// Nobody has a picture.
    NoPicture,
}

impl ProgrammeReason {
    /// The word used in messages and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Speaker => "speaker",
            Self::First => "first",
            Self::OwnerGone => "owner_gone",
            Self::Spotlight => "spotlight",
            Self::ShareStarted => "share_started",
            Self::ShareEnded => "share_ended",
            Self::Policy => "policy",
            Self::NoPicture => "no_picture",
        }
    }
}

/// One of the participants who speak now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeakingParticipant {
    /// Who.
    pub participant: ParticipantKey,
    /// Latest level.
    pub level: AudioLevel,
}

/// A fact from a media shard. Order is the order in which it happened on that shard.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ShardEvent {
    /// A command is in force, or was refused and changed nothing.
    Applied {
        /// Which command.
        id: CommandId,
        /// What came of it.
        outcome: Result<CommandOutcome, CommandRefused>,
    },
    /// A session's transport changed state.
    Session {
        /// The session.
        session: SessionId,
        /// Its room.
        room: RoomKey,
        /// The new state.
        state: SessionState,
    },
    /// A source began or ceased to deliver packets that are accepted.
    SourceActive {
        /// The room.
        room: RoomKey,
        /// Whose source.
        participant: ParticipantKey,
        /// Which.
        source: SourceKind,
        /// Whether packets flow.
        is_active: bool,
    },
    /// The active speaker changed.
    ActiveSpeaker {
        /// The room.
        room: RoomKey,
        /// Who holds the floor now.
        participant: Option<ParticipantKey>,
        /// When it was decided.
        at: MonoTime,
    },
    /// The set of people speaking now changed, or their order did. Loudest first. Lossy: a newer one
    /// replaces an older one that has not been read.
    Speaking {
        /// The room.
        room: RoomKey,
        /// Who speaks.
        speaking: Vec<SpeakingParticipant>,
    },
    /// The programme moved.
    Programme {
        /// The room.
        room: RoomKey,
        /// Whose picture, and which; `None` for no picture.
        source: Option<(ParticipantKey, SourceKind)>,
        /// Why.
        reason: ProgrammeReason,
        /// When.
        at: MonoTime,
    },
    /// A slot of a session now carries another source. For audio slots, which are room-wide, one
    /// event per session is sent only for sessions with a WebSocket-sized need: see the router.
    Slot {
        /// The session.
        session: SessionId,
        /// Its room.
        room: RoomKey,
        /// The slot.
        slot: SlotId,
        /// What it carries; `None` for nothing.
        source: Option<(ParticipantKey, SourceKind)>,
    },
    /// A participant whose microphone is not taken sends voice all the same: a hint for its client.
    SpeakingWhileMuted {
        /// The room.
        room: RoomKey,
        /// Who.
        participant: ParticipantKey,
    },
    /// The shard's counters, once a second.
    Counters(Box<ShardCounters>),
    /// The shard's thread ended; its sessions are lost if it was not asked to.
    Stopped {
        /// Whether it was asked to stop.
        was_asked: bool,
    },
}
