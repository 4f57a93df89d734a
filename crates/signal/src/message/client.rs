//! What a client may say.

use std::fmt;

use estrade_directory::StageFilter;
use estrade_room::{Command, MuteKind};
use estrade_types::{CloseReason, ParticipantId, Role, limits};
use serde::Deserialize;
use serde_json::Value;

/// A message of a client, read but not yet done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClientMessage {
    /// Echoed in the answer.
    pub(crate) id: Option<u64>,
    /// What is asked.
    pub(crate) act: Act,
}

/// What a client can ask.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    Offer {
        sdp: String,
    },
    IceRestart {
        fragment: String,
    },
    /// Anything the room decides.
    Room(Command),
    Video {
        wanted: bool,
    },
    Pin {
        participant: Option<ParticipantId>,
    },
    Data {
        to: Option<ParticipantId>,
        topic: String,
        payload: String,
    },
    List {
        filter: StageFilter,
        page_token: Option<String>,
    },
    Leave,
    Ping,
}

/// Why a message was not understood. The connection goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidMessage {
    /// The message's id, where it could be read.
    pub(crate) id: Option<u64>,
    /// `invalid_message`, `unknown_type` or `invalid_field`.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
}

/// The wire form. Unknown fields are ignored.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum Wire {
    Offer {
        sdp: String,
    },
    IceRestart {
        fragment: String,
    },
    RaiseHand,
    LowerHand,
    AcceptInvite,
    DeclineInvite,
    SelfMute {
        kind: String,
        muted: bool,
    },
    Promote {
        participant: String,
        role: String,
    },
    Demote {
        participant: String,
    },
    ApproveHand {
        participant: String,
    },
    RejectHand {
        participant: String,
    },
    Invite {
        participant: String,
    },
    CancelInvite {
        participant: String,
    },
    Mute {
        participant: String,
        kind: String,
        #[serde(default)]
        lock: bool,
    },
    Unlock {
        participant: String,
        kind: String,
    },
    MuteAll {
        #[serde(default)]
        except_roles: Vec<String>,
        #[serde(default)]
        lock: bool,
    },
    RequestUnmute {
        participant: String,
    },
    Remove {
        participant: String,
    },
    Spotlight {
        participants: Vec<String>,
    },
    EndRoom,
    Video {
        wanted: bool,
    },
    Pin {
        participant: Option<String>,
    },
    Data {
        to: Option<String>,
        topic: String,
        payload: String,
    },
    ListParticipants {
        filter: String,
        page_token: Option<String>,
    },
    Leave,
    Ping,
}

/// Every `type` we know; a test holds it against the wire form.
const TYPES: &[&str] = &[
    "offer",
    "iceRestart",
    "raiseHand",
    "lowerHand",
    "acceptInvite",
    "declineInvite",
    "selfMute",
    "promote",
    "demote",
    "approveHand",
    "rejectHand",
    "invite",
    "cancelInvite",
    "mute",
    "unlock",
    "muteAll",
    "requestUnmute",
    "remove",
    "spotlight",
    "endRoom",
    "video",
    "pin",
    "data",
    "listParticipants",
    "leave",
    "ping",
];

impl ClientMessage {
    /// Reads a text message.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidMessage> {
        let invalid = |id, code, message| InvalidMessage { id, code, message };
        let value: Value = serde_json::from_str(text)
            .map_err(|error| invalid(None, "invalid_message", format!("Not JSON: {error}.")))?;
        let id = value.get("id").and_then(Value::as_u64);
        let kind = value.get("type").and_then(Value::as_str).ok_or_else(|| {
            let message = "A message is an object with a \"type\".".to_owned();
            invalid(id, "invalid_message", message)
        })?;
        if !TYPES.contains(&kind) {
            let message = "There is no message of this type.".to_owned();
            return Err(invalid(id, "unknown_type", message));
        }
        let wire: Wire = serde_json::from_value(value)
            .map_err(|error| invalid(id, "invalid_message", format!("{error}.")))?;
        let act =
            Act::try_from(wire).map_err(|field| invalid(id, "invalid_field", field.to_string()))?;
        Ok(Self { id, act })
    }
}

/// A field whose value cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct InvalidField {
    field: &'static str,
    why: String,
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}.", self.field, self.why)
    }
}

impl TryFrom<Wire> for Act {
    type Error = InvalidField;

    fn try_from(wire: Wire) -> Result<Self, InvalidField> {
        Ok(match wire {
            Wire::Offer { sdp } => Self::Offer { sdp },
            Wire::IceRestart { fragment } => Self::IceRestart { fragment },
            Wire::Video { wanted } => Self::Video { wanted },
            Wire::Pin { participant } => Self::Pin {
                participant: participant.as_deref().map(whom).transpose()?,
            },
            Wire::Data { to, topic, payload } => data(to.as_deref(), topic, payload)?,
            Wire::ListParticipants { filter, page_token } => Self::List {
                filter: stage_filter(&filter)?,
                page_token,
            },
            Wire::Leave => Self::Leave,
            Wire::Ping => Self::Ping,
            other => Self::Room(command(other)?),
        })
    }
}

/// What the room decides.
fn command(wire: Wire) -> Result<Command, InvalidField> {
    Ok(match wire {
        Wire::RaiseHand => Command::RaiseHand,
        Wire::LowerHand => Command::LowerHand,
        Wire::AcceptInvite => Command::AcceptInvite,
        Wire::DeclineInvite => Command::DeclineInvite,
        Wire::SelfMute { kind, muted } => Command::SelfMute {
            kind: mute_kind(&kind)?,
            muted,
        },
        Wire::Promote { participant, role } => Command::Promote {
            participant: whom(&participant)?,
            role: role_named(&role)?,
        },
        Wire::Mute {
            participant,
            kind,
            lock,
        } => Command::Mute {
            participant: whom(&participant)?,
            kind: mute_kind(&kind)?,
            lock,
        },
        Wire::Unlock { participant, kind } => Command::Unlock {
            participant: whom(&participant)?,
            kind: mute_kind(&kind)?,
        },
        Wire::MuteAll { except_roles, lock } => Command::MuteAll {
            except: except_roles
                .iter()
                .map(|role| role_named(role))
                .collect::<Result<_, _>>()?,
            lock,
        },
        Wire::Spotlight { participants } => Command::Spotlight {
            participants: spotlight(&participants)?,
        },
        Wire::EndRoom => Command::End {
            reason: CloseReason::RoomEnded,
        },
        other => return about_one(other),
    })
}

/// Commands that name one participant and nothing else.
fn about_one(wire: Wire) -> Result<Command, InvalidField> {
    let (make, participant): (fn(ParticipantId) -> Command, String) = match wire {
        Wire::Demote { participant } => {
            (|participant| Command::Demote { participant }, participant)
        }
        Wire::ApproveHand { participant } => (
            |participant| Command::ApproveHand { participant },
            participant,
        ),
        Wire::RejectHand { participant } => (
            |participant| Command::RejectHand { participant },
            participant,
        ),
        Wire::Invite { participant } => {
            (|participant| Command::Invite { participant }, participant)
        }
        Wire::CancelInvite { participant } => (
            |participant| Command::CancelInvite { participant },
            participant,
        ),
        Wire::RequestUnmute { participant } => (
            |participant| Command::RequestUnmute { participant },
            participant,
        ),
        Wire::Remove { participant } => {
            (|participant| Command::Remove { participant }, participant)
        }
        _ => {
            return Err(InvalidField {
                field: "type",
                why: "is not a command to the room".to_owned(),
            });
        }
    };
    whom(&participant).map(make)
}

fn whom(name: &str) -> Result<ParticipantId, InvalidField> {
    ParticipantId::new(name).map_err(|error| InvalidField {
        field: "participant",
        why: error.to_string(),
    })
}

fn spotlight(names: &[String]) -> Result<Vec<ParticipantId>, InvalidField> {
    if names.len() > limits::SPOTLIGHTS_MAX {
        return Err(InvalidField {
            field: "participants",
            why: format!("must be at most {}", limits::SPOTLIGHTS_MAX),
        });
    }
    names.iter().map(|name| whom(name)).collect()
}

fn data(to: Option<&str>, topic: String, payload: String) -> Result<Act, InvalidField> {
    /// As the directory has it.
    const TOPIC_BYTES_MAX: usize = 64;
    let too_long = |field, max: usize| InvalidField {
        field,
        why: format!("must be at most {max} bytes"),
    };
    if topic.len() > TOPIC_BYTES_MAX {
        return Err(too_long("topic", TOPIC_BYTES_MAX));
    }
    if payload.len() > limits::DATA_MESSAGE_BYTES_MAX {
        return Err(too_long("payload", limits::DATA_MESSAGE_BYTES_MAX));
    }
    Ok(Act::Data {
        to: to.map(whom).transpose()?,
        topic,
        payload,
    })
}

fn one_of(field: &'static str, words: &str) -> InvalidField {
    InvalidField {
        field,
        why: format!("must be {words}"),
    }
}

fn mute_kind(word: &str) -> Result<MuteKind, InvalidField> {
    match word {
        "audio" => Ok(MuteKind::Audio),
        "video" => Ok(MuteKind::Video),
        _ => Err(one_of("kind", "audio or video")),
    }
}

fn role_named(word: &str) -> Result<Role, InvalidField> {
    Role::parse(word).ok_or_else(|| one_of("role", "host, cohost, speaker or listener"))
}

fn stage_filter(word: &str) -> Result<StageFilter, InvalidField> {
    match word {
        "all" => Ok(StageFilter::All),
        "stage" => Ok(StageFilter::Stage),
        "audience" => Ok(StageFilter::Audience),
        _ => Err(one_of("filter", "audience, stage or all")),
    }
}

#[cfg(test)]
mod tests;
