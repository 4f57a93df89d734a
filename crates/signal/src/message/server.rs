//! What the server says.

use estrade_directory::{ClientNotice, ParticipantPage};
use serde::Serialize;

use super::event::EventJson;
use super::{InvalidMessage, ParticipantJson, PermitsJson, RoomJson};
use crate::error::ApiError;

/// Version of the protocol, in `welcome`.
pub(crate) const PROTOCOL: u32 = 1;

/// A message to a client.
#[derive(Clone, Debug, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum ServerMessage {
    Welcome {
        room: String,
        participant: String,
        session: String,
        role: &'static str,
        protocol: u32,
        state: Box<RoomJson>,
        permits: PermitsJson,
    },
    State {
        state: Box<RoomJson>,
    },
    Event(Box<EventJson>),
    Speaking {
        speaking: Vec<SpeakingJson>,
    },
    Slot {
        slot: String,
        participant: Option<String>,
        source: Option<&'static str>,
    },
    Permits(PermitsJson),
    Connected {
        connected: bool,
    },
    Audience {
        count: u32,
    },
    SpeakingWhileMuted,
    Data {
        from: Option<String>,
        topic: String,
        payload: String,
    },
    Answer {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        sdp: String,
    },
    IceRestarted {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        fragment: String,
    },
    Participants {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        participants: Vec<ParticipantJson>,
        next_page_token: Option<String>,
        total: u32,
    },
    Ok {
        id: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        revision: Option<u64>,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        code: &'static str,
        message: String,
        /// For a refusal that holds for a while only.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    },
    Closed {
        reason: &'static str,
    },
}

/// One who speaks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SpeakingJson {
    participant: String,
    volume: u8,
}

impl ServerMessage {
    /// A refusal of the request with this id.
    pub(crate) fn refusal(id: Option<u64>, error: ApiError) -> Self {
        Self::Error {
            id,
            retry_after_ms: error.retry_after_ms(),
            code: error.code,
            message: error.message,
        }
    }

    /// A page of participants.
    pub(crate) fn participants(id: Option<u64>, page: &ParticipantPage) -> Self {
        Self::Participants {
            id,
            participants: page.participants.iter().map(Into::into).collect(),
            next_page_token: page.next_page_token.clone(),
            total: page.total,
        }
    }

    /// The JSON text.
    pub(crate) fn to_json(&self) -> String {
        // Strings, numbers and lists cannot fail to be JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<InvalidMessage> for ServerMessage {
    fn from(invalid: InvalidMessage) -> Self {
        Self::Error {
            id: invalid.id,
            code: invalid.code,
            message: invalid.message,
            retry_after_ms: None,
        }
    }
}

impl ServerMessage {
    /// A notice of the directory; `None` for one newer than this protocol.
    pub(crate) fn notice(notice: ClientNotice) -> Option<Self> {
        Some(match notice {
            ClientNotice::Snapshot(view) => Self::State {
                state: Box::new(RoomJson::from(&*view)),
            },
            ClientNotice::Event(event) => Self::Event(Box::new(EventJson::from(&*event))),
            ClientNotice::AudienceCount(count) => Self::Audience { count },
            ClientNotice::Speaking(speaking) => Self::Speaking {
                speaking: speaking
                    .into_iter()
                    .map(|each| SpeakingJson {
                        participant: each.participant.to_string(),
                        volume: each.volume,
                    })
                    .collect(),
            },
            ClientNotice::Slot { slot, source } => Self::Slot {
                slot: slot.to_string(),
                participant: source.as_ref().map(|(who, _)| who.to_string()),
                source: source.map(|(_, source)| source.as_str()),
            },
            ClientNotice::Permits(permits) => Self::Permits(permits.into()),
            ClientNotice::Connected(connected) => Self::Connected { connected },
            ClientNotice::SpeakingWhileMuted => Self::SpeakingWhileMuted,
            ClientNotice::Data(message) => Self::Data {
                from: message.from.map(|from| from.to_string()),
                topic: message.topic,
                payload: message.payload,
            },
            ClientNotice::Closed(reason) => Self::Closed {
                reason: reason.as_str(),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
