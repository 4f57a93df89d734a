//! What happened in a room, numbered without gap.

use estrade_types::{CloseReason, MonoTime, ParticipantId, ProgrammeReason, Role, SourceKind};

use crate::{Actor, MuteKind, ParticipantView};

/// One change of a room's state. Numbers start at 1 and have no gap.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Room-wide sequence number.
    pub number: u64,
    /// When it was applied.
    pub at: MonoTime,
    /// Wall time of the same moment, milliseconds of Unix time; filled in by the directory.
    pub unix_ms: u64,
    /// Who caused it.
    pub actor: Actor,
    /// What happened.
    pub kind: EventKind,
}

/// Why a raised hand is no longer raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandClosed {
    /// By its owner, or because it left.
    Lowered,
    /// Approved: its owner comes on stage.
    Approved,
    /// Rejected.
    Rejected,
}

/// Why somebody left the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageLeft {
    /// By a moderator or the app.
    Demoted,
    /// By itself.
    SteppedDown,
    /// It left the room, or its seat was not claimed in time.
    Gone,
}

/// The kinds of change.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// The room was created.
    RoomCreated,
    /// The room ended; nothing follows.
    RoomEnded {
        /// Why.
        reason: CloseReason,
    },
    /// Somebody came in, on stage if its view says so; or somebody came back with a new session,
    /// and the view replaces what was known of it.
    ParticipantJoined {
        /// As it came in.
        participant: ParticipantView,
    },
    /// Somebody is gone; if it held the floor or the picture, it no longer does.
    ParticipantLeft {
        /// Who.
        participant: ParticipantId,
        /// Why.
        reason: CloseReason,
    },
    /// Somebody's connection was lost or is back; its seat is kept meanwhile.
    ConnectionChanged {
        /// Who.
        participant: ParticipantId,
        /// Whether media can flow.
        is_connected: bool,
    },
    /// A role changed.
    RoleChanged {
        /// Who.
        participant: ParticipantId,
        /// To which.
        role: Role,
    },
    /// Somebody came on stage.
    StageJoined {
        /// Who.
        participant: ParticipantId,
        /// As what.
        role: Role,
        /// The participant as it stands now: others may not have heard of it before.
        view: Box<ParticipantView>,
    },
    /// Somebody left the stage.
    StageLeft {
        /// Who.
        participant: ParticipantId,
        /// How.
        how: StageLeft,
    },
    /// A mute changed, for one kind of media of one participant.
    MuteChanged {
        /// Who.
        participant: ParticipantId,
        /// What.
        kind: MuteKind,
        /// Whether its owner muted it.
        self_muted: bool,
        /// Whether a moderator or the app muted it.
        server_muted: bool,
        /// Whether only an unlock lets the owner unmute.
        locked: bool,
    },
    /// Somebody was asked to unmute.
    UnmuteRequested {
        /// Who.
        participant: ParticipantId,
    },
    /// A hand went up.
    HandRaised {
        /// Whose.
        participant: ParticipantId,
        /// Place in the order of raising, growing.
        order: u64,
    },
    /// A hand is down again.
    HandLowered {
        /// Whose.
        participant: ParticipantId,
        /// How.
        how: HandClosed,
    },
    /// Somebody was invited to the stage.
    StageInvited {
        /// Who.
        participant: ParticipantId,
    },
    /// An invitation was accepted (`true`), or declined, canceled or expired.
    InviteClosed {
        /// Whose.
        participant: ParticipantId,
        /// Whether it was accepted.
        accepted: bool,
    },
    /// A source began or ceased to deliver media.
    SourceChanged {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        source: SourceKind,
        /// Whether media flows.
        is_active: bool,
    },
    /// The active speaker changed.
    ActiveSpeakerChanged {
        /// Who holds the floor.
        participant: Option<ParticipantId>,
    },
    /// The programme moved.
    ProgrammeChanged {
        /// Whose picture, and which.
        source: Option<(ParticipantId, SourceKind)>,
        /// Why.
        reason: ProgrammeReason,
    },
    /// The spotlight changed.
    SpotlightChanged {
        /// In order; empty when cleared.
        participants: Vec<ParticipantId>,
    },
}
