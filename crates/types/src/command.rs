//! What control asks of a media shard. Each command is acknowledged by [`crate::ShardEvent::Applied`]
//! once it is in force: the call that caused it returns only then.

use std::time::Duration;

use crate::{
    CloseReason, Fingerprint, IceCredentials, ParticipantKey, Permits, RoomKey, RxMedia, SessionId,
    StageSeat, TxMedia,
};

/// Who picks the active speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpeakerRule {
    /// The rule of Jitsi and mediasoup in its exact integer form.
    Reference,
    /// Estrade's own: evidence in one sum.
    #[default]
    Evidence,
}

/// What moves the main picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SwitchPolicy {
    /// The active speaker.
    #[default]
    Speaker,
    /// Always the host.
    HostOnly,
    /// Only spotlights.
    Manual,
    /// Nothing: the main slot stays empty.
    None,
}

/// What the main picture does while the active speaker has no camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoVideoPolicy {
    /// The last picture stays.
    #[default]
    Keep,
    /// The host's picture after 3 s.
    Host,
    /// The slot pauses; clients draw an avatar.
    Avatar,
}

/// A room's settings on the media side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaRoomSettings {
    /// How many current speakers are heard at once, 1 to 5.
    pub audio_slots: u8,
    /// Who picks the active speaker.
    pub speaker_rule: SpeakerRule,
    /// What moves the picture.
    pub switch_policy: SwitchPolicy,
    /// What happens while the active speaker has no camera.
    pub no_video_policy: NoVideoPolicy,
    /// Shortest time between two cuts that follow the speaker, 1 to 5 s.
    pub min_dwell: Duration,
}

impl Default for MediaRoomSettings {
    fn default() -> Self {
        Self {
            audio_slots: 3,
            speaker_rule: SpeakerRule::default(),
            switch_policy: SwitchPolicy::default(),
            no_video_policy: NoVideoPolicy::default(),
            min_dwell: Duration::from_secs(2),
        }
    }
}

/// Everything a shard needs to serve one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The session.
    pub session: SessionId,
    /// Its room, which must be open on this shard.
    pub room: RoomKey,
    /// Its participant, which must be seated by [`ShardCommand::SetParticipant`] before.
    pub participant: ParticipantKey,
    /// The endpoint's ICE credentials.
    pub remote_ice: IceCredentials,
    /// The endpoint's certificate must hash to one of these. RFC 8122 §5. Never empty.
    pub fingerprints: Vec<Fingerprint>,
    /// Sections in which we receive.
    pub rx: Vec<RxMedia>,
    /// Sections in which we send.
    pub tx: Vec<TxMedia>,
}

/// A command to a media shard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShardCommand {
    /// Opens a room on the shard, or changes its settings.
    SetRoom {
        /// The room.
        room: RoomKey,
        /// Its settings.
        settings: MediaRoomSettings,
    },
    /// Closes a room: every session in it is closed.
    CloseRoom {
        /// The room.
        room: RoomKey,
        /// Told in the closed sessions' events.
        reason: CloseReason,
    },
    /// Adds a participant to a room, or changes its seat and permits. In force for every packet
    /// that the shard reads after the acknowledgement.
    SetParticipant {
        /// The room.
        room: RoomKey,
        /// The participant.
        participant: ParticipantKey,
        /// Its place on the stage; `None` for the audience.
        seat: Option<StageSeat>,
        /// What is taken from it.
        permits: Permits,
    },
    /// Forgets a participant; its sessions are closed.
    RemoveParticipant {
        /// The room.
        room: RoomKey,
        /// The participant.
        participant: ParticipantKey,
        /// Told in the closed sessions' events.
        reason: CloseReason,
    },
    /// Opens a session; answered by [`CommandOutcome::SessionOpened`].
    OpenSession(Box<OpenSession>),
    /// Restarts ICE with the endpoint's new credentials; answered by
    /// [`CommandOutcome::SessionOpened`] with ours. RFC 8445 §9.
    RestartIce {
        /// The session.
        session: SessionId,
        /// The endpoint's new credentials.
        remote_ice: IceCredentials,
    },
    /// Closes a session.
    CloseSession {
        /// The session.
        session: SessionId,
        /// Told in the event.
        reason: CloseReason,
    },
    /// Turns a session's video slots on or off (audio-only mode).
    SetVideoWanted {
        /// The session.
        session: SessionId,
        /// Whether any video is sent to it.
        wanted: bool,
    },
    /// Fixes one session's main picture to a participant.
    SetPin {
        /// The session.
        session: SessionId,
        /// Whom to show; `None` to follow the programme again.
        participant: Option<ParticipantKey>,
    },
    /// Restricts the programme to these participants; empty to clear.
    SetSpotlight {
        /// The room.
        room: RoomKey,
        /// At most [`crate::limits::SPOTLIGHTS_MAX`], first is shown while none of them speaks.
        participants: Vec<ParticipantKey>,
    },
}

/// What a command that was applied brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandOutcome {
    /// In force.
    Done,
    /// The session is ready for the endpoint's checks at these credentials.
    SessionOpened {
        /// Our ICE credentials, for the answer.
        local_ice: IceCredentials,
    },
}

/// Why a shard refused a command; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandRefused {
    /// No such room on this shard.
    UnknownRoom,
    /// No such participant in the room.
    UnknownParticipant,
    /// No such session on this shard.
    UnknownSession,
    /// A limit of [`crate::limits`] is reached.
    Full,
    /// The parameters contradict each other (a repeated SSRC or MID, an empty codec list).
    Invalid,
    /// The shard is shutting down.
    Closing,
}
