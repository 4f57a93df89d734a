//! What can be read of a room, as plain values.

use std::collections::BTreeMap;

use estrade_types::{LinkKind, ParticipantId, Permits, Role, RoomId, SourceKind};

use crate::RoomSettings;

/// Where a room stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomState {
    /// Open.
    Live,
    /// Over.
    Ended,
}

/// Which participants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageFilter {
    /// Everybody.
    All,
    /// Those on stage, held seats included.
    Stage,
    /// Those in the audience.
    Audience,
}

/// Where a participant stands with regard to the stage. `product.md` §4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageState {
    /// In the audience.
    Audience,
    /// In the audience with a raised hand.
    Requested,
    /// In the audience with an open invitation.
    Invited,
    /// On stage.
    OnStage,
    /// On stage, with its connection lost and its seat kept.
    Held,
}

/// One participant.
#[derive(Clone, Debug, PartialEq)]
pub struct ParticipantView {
    /// Identity.
    pub id: ParticipantId,
    /// Display name.
    pub name: String,
    /// App-defined attributes.
    pub attributes: BTreeMap<String, String>,
    /// Role.
    pub role: Role,
    /// With regard to the stage.
    pub stage: StageState,
    /// Door it came through.
    pub link: LinkKind,
    /// Whether its media transport is up.
    pub is_connected: bool,
    /// Whether the owner muted its microphone.
    pub audio_self_muted: bool,
    /// Whether a moderator or the app muted its microphone.
    pub audio_server_muted: bool,
    /// Whether the microphone is locked.
    pub audio_locked: bool,
    /// Whether the owner muted its camera.
    pub video_self_muted: bool,
    /// Whether a moderator or the app muted its camera.
    pub video_server_muted: bool,
    /// Whether the camera is locked.
    pub video_locked: bool,
    /// What the media plane takes from it, all taken together.
    pub permits: Permits,
    /// Sources that deliver media now.
    pub active_sources: Vec<SourceKind>,
    /// Milliseconds of Unix time at which it joined.
    pub joined_unix_ms: u64,
}

/// A raised hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandView {
    /// Whose.
    pub participant: ParticipantId,
    /// Place in the order of raising.
    pub order: u64,
}

/// A room as it stands after event `revision`.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomView {
    /// Id.
    pub id: RoomId,
    /// State.
    pub state: RoomState,
    /// Settings.
    pub settings: RoomSettings,
    /// Milliseconds of Unix time at which it was created.
    pub created_unix_ms: u64,
    /// Number of the latest event.
    pub revision: u64,
    /// Those on stage, in seating order.
    pub stage: Vec<ParticipantView>,
    /// How many are in the audience.
    pub audience_count: u32,
    /// Raised hands, in order.
    pub hands: Vec<HandView>,
    /// Who holds the floor.
    pub active_speaker: Option<ParticipantId>,
    /// Whose picture is on, and which.
    pub programme: Option<(ParticipantId, SourceKind)>,
    /// The spotlight.
    pub spotlight: Vec<ParticipantId>,
}
