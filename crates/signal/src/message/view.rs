//! Rooms and participants as JSON.

use std::collections::BTreeMap;

use estrade_room::{HandPolicy, HandView, ParticipantView, RoomState, RoomView, StageState};
use estrade_types::{LinkKind, ParticipantId, Permits, SourceKind};
use serde::Serialize;

/// A room.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomJson {
    id: String,
    state: &'static str,
    revision: u64,
    created_at: u64,
    audience_count: u32,
    stage: Vec<ParticipantJson>,
    hands: Vec<HandJson>,
    active_speaker: Option<String>,
    programme: Option<SourceJson>,
    spotlight: Vec<String>,
    settings: SettingsJson,
    attributes: BTreeMap<String, String>,
}

/// The settings that concern clients.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SettingsJson {
    max_stage: u16,
    hand_policy: &'static str,
    client_moderation: bool,
    data: bool,
}

/// A raised hand.
#[derive(Clone, Debug, Serialize)]
struct HandJson {
    participant: String,
    order: u64,
}

/// Whose picture, and which.
#[derive(Clone, Debug, Serialize)]
struct SourceJson {
    participant: String,
    source: &'static str,
}

/// A participant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParticipantJson {
    id: String,
    name: String,
    attributes: BTreeMap<String, String>,
    role: &'static str,
    stage: &'static str,
    link: &'static str,
    connected: bool,
    audio: MutesJson,
    video: MutesJson,
    permits: PermitsJson,
    sources: Vec<&'static str>,
    joined_at: u64,
}

/// The mutes of one kind of media.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MutesJson {
    self_muted: bool,
    server_muted: bool,
    locked: bool,
}

/// What the server takes from a participant.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct PermitsJson {
    microphone: bool,
    camera: bool,
    screen: bool,
}

impl From<Permits> for PermitsJson {
    fn from(permits: Permits) -> Self {
        Self {
            microphone: permits.microphone,
            camera: permits.camera,
            screen: permits.screen,
        }
    }
}

impl From<&(ParticipantId, SourceKind)> for SourceJson {
    fn from((participant, source): &(ParticipantId, SourceKind)) -> Self {
        Self {
            participant: participant.to_string(),
            source: source.as_str(),
        }
    }
}

impl From<&HandView> for HandJson {
    fn from(hand: &HandView) -> Self {
        Self {
            participant: hand.participant.to_string(),
            order: hand.order,
        }
    }
}

impl From<&ParticipantView> for ParticipantJson {
    fn from(view: &ParticipantView) -> Self {
        Self {
            id: view.id.to_string(),
            name: view.name.clone(),
            attributes: view.attributes.clone(),
            role: view.role.as_str(),
            stage: match view.stage {
                StageState::Audience => "audience",
                StageState::Requested => "requested",
                StageState::Invited => "invited",
                StageState::OnStage => "onStage",
                StageState::Held => "held",
            },
            link: match view.link {
                LinkKind::WebSocket => "webSocket",
                LinkKind::Whip => "whip",
                LinkKind::Whep => "whep",
            },
            connected: view.is_connected,
            audio: MutesJson {
                self_muted: view.audio_self_muted,
                server_muted: view.audio_server_muted,
                locked: view.audio_locked,
            },
            video: MutesJson {
                self_muted: view.video_self_muted,
                server_muted: view.video_server_muted,
                locked: view.video_locked,
            },
            permits: view.permits.into(),
            sources: view
                .active_sources
                .iter()
                .map(|source| source.as_str())
                .collect(),
            joined_at: view.joined_unix_ms,
        }
    }
}

impl From<&RoomView> for RoomJson {
    fn from(view: &RoomView) -> Self {
        let names = |ids: &[ParticipantId]| ids.iter().map(ToString::to_string).collect();
        Self {
            id: view.id.to_string(),
            state: match view.state {
                RoomState::Live => "live",
                RoomState::Ended => "ended",
            },
            revision: view.revision,
            created_at: view.created_unix_ms,
            audience_count: view.audience_count,
            stage: view.stage.iter().map(ParticipantJson::from).collect(),
            hands: view.hands.iter().map(HandJson::from).collect(),
            active_speaker: view.active_speaker.as_ref().map(ToString::to_string),
            programme: view.programme.as_ref().map(SourceJson::from),
            spotlight: names(&view.spotlight),
            settings: SettingsJson {
                max_stage: view.settings.max_stage,
                hand_policy: match view.settings.hand_policy {
                    HandPolicy::Anyone => "anyone",
                    HandPolicy::Off => "off",
                },
                client_moderation: view.settings.client_moderation,
                data: view.settings.data,
            },
            attributes: view.settings.attributes.clone(),
        }
    }
}
