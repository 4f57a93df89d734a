//! What can be asked of a room, by whom, and why it can be refused.

use std::fmt;

use estrade_types::{
    Admission, CloseReason, LinkKind, ParticipantId, ParticipantKey, ProgrammeReason, Role,
    SessionId, SourceKind,
};

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The app, with its API key: above all roles.
    App,
    /// A participant, with the rights of its role.
    Participant(ParticipantId),
    /// The server itself: a timer, a lost connection, shutdown.
    Server,
}

/// What is muted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MuteKind {
    /// The microphone.
    Audio,
    /// Camera and screen.
    Video,
}

impl MuteKind {
    /// Whether `source` falls under it.
    pub const fn covers(self, source: SourceKind) -> bool {
        match self {
            Self::Audio => matches!(source, SourceKind::Microphone),
            Self::Video => matches!(source, SourceKind::Camera | SourceKind::Screen),
        }
    }
}

/// A client asks to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinCommand {
    /// Its verified token.
    pub admission: Admission,
    /// Its session, given out by the directory.
    pub session: SessionId,
    /// Which door it came through.
    pub link: LinkKind,
}

/// A command to a room. Each is atomic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// A client comes in. The same identity joining again replaces its older session.
    Join(JoinCommand),
    /// A client's session ended.
    Leave {
        /// Which session; an older one than the participant's present session changes nothing.
        session: SessionId,
        /// Why. A lost connection keeps a seat on stage for `seat_grace`.
        reason: CloseReason,
    },
    /// Puts somebody on stage: by moderators only from a raised hand; the app may force it. The
    /// person arrives muted unless it raised its hand.
    Promote {
        /// Whom.
        participant: ParticipantId,
        /// `Cohost` or `Speaker`.
        role: Role,
    },
    /// Takes somebody off the stage, or steps down.
    Demote {
        /// Whom.
        participant: ParticipantId,
    },
    /// Mutes somebody; the owner may unmute unless `lock`.
    Mute {
        /// Whom.
        participant: ParticipantId,
        /// What.
        kind: MuteKind,
        /// Whether only [`Command::Unlock`] lets the owner unmute.
        lock: bool,
    },
    /// Lifts a mute lock; the owner stays muted until it unmutes itself.
    Unlock {
        /// Whom.
        participant: ParticipantId,
        /// What.
        kind: MuteKind,
    },
    /// Mutes everybody on stage but the actor and those with an excepted role.
    MuteAll {
        /// Roles left alone.
        except: Vec<Role>,
        /// Whether owners cannot unmute until unlocked.
        lock: bool,
    },
    /// The actor mutes or unmutes itself.
    SelfMute {
        /// What.
        kind: MuteKind,
        /// To which state.
        muted: bool,
    },
    /// Asks somebody to unmute: the server never opens a microphone.
    RequestUnmute {
        /// Whom.
        participant: ParticipantId,
    },
    /// Closes somebody's session.
    Remove {
        /// Whom.
        participant: ParticipantId,
    },
    /// The actor raises its hand.
    RaiseHand,
    /// The actor lowers its hand.
    LowerHand,
    /// Approves a raised hand: the person comes on stage.
    ApproveHand {
        /// Whose.
        participant: ParticipantId,
    },
    /// Rejects a raised hand.
    RejectHand {
        /// Whose.
        participant: ParticipantId,
    },
    /// Invites somebody in the audience to the stage.
    Invite {
        /// Whom.
        participant: ParticipantId,
    },
    /// Takes an invitation back.
    CancelInvite {
        /// Whose.
        participant: ParticipantId,
    },
    /// The actor accepts its invitation: it comes on stage.
    AcceptInvite,
    /// The actor declines its invitation.
    DeclineInvite,
    /// The app or a moderator fixes the programme to these; empty to clear.
    Spotlight {
        /// At most [`estrade_types::limits::SPOTLIGHTS_MAX`].
        participants: Vec<ParticipantId>,
    },
    /// Ends the room: everybody out.
    End {
        /// Told to everybody.
        reason: CloseReason,
    },
    /// Lets due timers act (invitations, seat grace, empty room).
    Tick,
    /// A fact from the media plane: a session's transport came up. By [`Actor::Server`] only, as
    /// the facts below.
    Connected {
        /// Which session.
        session: SessionId,
    },
    /// A fact from the media plane: a source began or ceased to deliver media.
    SourceActive {
        /// Whose.
        key: ParticipantKey,
        /// Which.
        source: SourceKind,
        /// Whether media flows.
        is_active: bool,
    },
    /// A fact from the media plane: the active speaker changed.
    ActiveSpeaker {
        /// Who holds the floor.
        key: Option<ParticipantKey>,
    },
    /// A fact from the media plane: the programme moved.
    Programme {
        /// Whose picture, and which.
        source: Option<(ParticipantKey, SourceKind)>,
        /// Why.
        reason: ProgrammeReason,
    },
}

/// Why a room refused a command. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomError {
    /// The room has ended.
    Ended,
    /// The room holds as many as it may.
    Full {
        /// How many.
        max: u32,
    },
    /// The stage holds as many as it may.
    StageFull {
        /// How many.
        max: u16,
    },
    /// There is a host already.
    HostPresent,
    /// Nobody of that identity is in the room.
    UnknownParticipant,
    /// The actor's role does not allow it.
    NotAllowed {
        /// What was tried, as a word for messages.
        act: &'static str,
    },
    /// The participant is not where the command needs it (no hand, no invitation, not on stage).
    WrongState {
        /// What was needed, as a phrase for messages.
        needs: &'static str,
    },
    /// The microphone or camera is locked by a moderator.
    Locked,
    /// The same act came too soon after the last.
    TooSoon {
        /// How long to wait.
        retry_after: std::time::Duration,
    },
    /// The queue of hands is full.
    HandsFull,
    /// Hands are switched off.
    HandsOff,
    /// The token was issued before its owner was removed.
    TokenRevoked,
    /// A value is out of range.
    InvalidField {
        /// Which.
        field: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl fmt::Display for RoomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => write!(f, "the room has ended"),
            Self::Full { max } => write!(f, "the room is full: it holds {max} participants"),
            Self::StageFull { max } => write!(f, "the stage is full: it holds {max}"),
            Self::HostPresent => write!(f, "the room has a host already"),
            Self::UnknownParticipant => write!(f, "no such participant in the room"),
            Self::NotAllowed { act } => write!(f, "this role may not {act}"),
            Self::WrongState { needs } => write!(f, "the participant must be {needs}"),
            Self::Locked => write!(f, "a moderator has locked it"),
            Self::TooSoon { retry_after } => {
                write!(f, "too soon: try again in {} ms", retry_after.as_millis())
            }
            Self::HandsFull => write!(f, "too many hands are raised"),
            Self::HandsOff => write!(f, "hands are switched off in this room"),
            Self::TokenRevoked => write!(f, "the token was issued before its owner was removed"),
            Self::InvalidField { field, allowed } => write!(f, "{field}: must be {allowed}"),
        }
    }
}

impl std::error::Error for RoomError {}
