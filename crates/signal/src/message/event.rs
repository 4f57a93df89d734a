//! Room events as JSON.

use estrade_room::{Actor, Event, EventKind, HandClosed, MuteKind, StageLeft};
use serde::Serialize;

use super::ParticipantJson;

/// One numbered change of a room.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EventJson {
    number: u64,
    at: u64,
    actor: ActorJson,
    event: KindJson,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum ActorJson {
    App,
    Participant { participant: String },
    Server,
}

#[derive(Clone, Debug, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum KindJson {
    RoomCreated,
    RoomEnded {
        reason: &'static str,
    },
    ParticipantJoined {
        participant: Box<ParticipantJson>,
    },
    ParticipantLeft {
        participant: String,
        reason: &'static str,
    },
    ConnectionChanged {
        participant: String,
        connected: bool,
    },
    RoleChanged {
        participant: String,
        role: &'static str,
    },
    StageJoined {
        participant: String,
        role: &'static str,
        view: Box<ParticipantJson>,
    },
    StageLeft {
        participant: String,
        how: &'static str,
    },
    MuteChanged {
        participant: String,
        mute_kind: &'static str,
        self_muted: bool,
        server_muted: bool,
        locked: bool,
    },
    UnmuteRequested {
        participant: String,
    },
    HandRaised {
        participant: String,
        order: u64,
    },
    HandLowered {
        participant: String,
        how: &'static str,
    },
    StageInvited {
        participant: String,
    },
    InviteClosed {
        participant: String,
        accepted: bool,
    },
    SourceChanged {
        participant: String,
        source: &'static str,
        active: bool,
    },
    ActiveSpeakerChanged {
        participant: Option<String>,
    },
    ProgrammeChanged {
        participant: Option<String>,
        source: Option<&'static str>,
        reason: &'static str,
    },
    SpotlightChanged {
        participants: Vec<String>,
    },
    /// A kind newer than this protocol: only its number matters.
    Other,
}

impl From<&Actor> for ActorJson {
    fn from(actor: &Actor) -> Self {
        match actor {
            Actor::App => Self::App,
            Actor::Participant(participant) => Self::Participant {
                participant: participant.to_string(),
            },
            Actor::Server => Self::Server,
        }
    }
}

impl From<&Event> for EventJson {
    fn from(event: &Event) -> Self {
        Self {
            number: event.number,
            at: event.unix_ms,
            actor: ActorJson::from(&event.actor),
            event: KindJson::from(&event.kind),
        }
    }
}

impl From<&EventKind> for KindJson {
    fn from(kind: &EventKind) -> Self {
        match kind {
            EventKind::RoomCreated => Self::RoomCreated,
            EventKind::RoomEnded { reason } => Self::RoomEnded {
                reason: reason.as_str(),
            },
            EventKind::ParticipantJoined { participant } => Self::ParticipantJoined {
                participant: Box::new(ParticipantJson::from(participant)),
            },
            EventKind::ParticipantLeft {
                participant,
                reason,
            } => Self::ParticipantLeft {
                participant: participant.to_string(),
                reason: reason.as_str(),
            },
            EventKind::ConnectionChanged {
                participant,
                is_connected,
            } => Self::ConnectionChanged {
                participant: participant.to_string(),
                connected: *is_connected,
            },
            EventKind::SourceChanged {
                participant,
                source,
                is_active,
            } => Self::SourceChanged {
                participant: participant.to_string(),
                source: source.as_str(),
                active: *is_active,
            },
            EventKind::ActiveSpeakerChanged { participant } => Self::ActiveSpeakerChanged {
                participant: participant.as_ref().map(ToString::to_string),
            },
            EventKind::ProgrammeChanged { source, reason } => Self::ProgrammeChanged {
                participant: source.as_ref().map(|(who, _)| who.to_string()),
                source: source.as_ref().map(|(_, source)| source.as_str()),
                reason: reason.as_str(),
            },
            EventKind::SpotlightChanged { participants } => Self::SpotlightChanged {
                participants: participants.iter().map(ToString::to_string).collect(),
            },
            stage => of_the_stage(stage),
        }
    }
}

/// Roles, stage, hands and mutes.
fn of_the_stage(kind: &EventKind) -> KindJson {
    match kind {
        EventKind::RoleChanged { participant, role } => KindJson::RoleChanged {
            participant: participant.to_string(),
            role: role.as_str(),
        },
        EventKind::StageJoined {
            participant,
            role,
            view,
        } => KindJson::StageJoined {
            participant: participant.to_string(),
            role: role.as_str(),
            view: Box::new(ParticipantJson::from(&**view)),
        },
        EventKind::StageLeft { participant, how } => KindJson::StageLeft {
            participant: participant.to_string(),
            how: match how {
                StageLeft::Demoted => "demoted",
                StageLeft::SteppedDown => "steppedDown",
                StageLeft::Gone => "gone",
            },
        },
        EventKind::MuteChanged {
            participant,
            kind,
            self_muted,
            server_muted,
            locked,
        } => KindJson::MuteChanged {
            participant: participant.to_string(),
            mute_kind: match kind {
                MuteKind::Audio => "audio",
                MuteKind::Video => "video",
            },
            self_muted: *self_muted,
            server_muted: *server_muted,
            locked: *locked,
        },
        EventKind::UnmuteRequested { participant } => KindJson::UnmuteRequested {
            participant: participant.to_string(),
        },
        EventKind::HandRaised { participant, order } => KindJson::HandRaised {
            participant: participant.to_string(),
            order: *order,
        },
        EventKind::HandLowered { participant, how } => KindJson::HandLowered {
            participant: participant.to_string(),
            how: match how {
                HandClosed::Lowered => "lowered",
                HandClosed::Approved => "approved",
                HandClosed::Rejected => "rejected",
            },
        },
        EventKind::StageInvited { participant } => KindJson::StageInvited {
            participant: participant.to_string(),
        },
        EventKind::InviteClosed {
            participant,
            accepted,
        } => KindJson::InviteClosed {
            participant: participant.to_string(),
            accepted: *accepted,
        },
        _ => KindJson::Other,
    }
}
