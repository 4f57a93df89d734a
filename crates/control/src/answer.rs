//! Rooms and participants as the contract shows them.

use estrade_room::{HandView, ParticipantView, RoomState, RoomView, StageState};
use estrade_types::{LinkKind, ParticipantId, Permits, Role, SourceKind};

use crate::{proto, settings};

impl From<RoomView> for proto::Room {
    fn from(room: RoomView) -> Self {
        Self {
            room_id: room.id.to_string(),
            state: match room.state {
                RoomState::Live => proto::room::State::Live,
                RoomState::Ended => proto::room::State::Ended,
            }
            .into(),
            settings: Some(settings::write(room.settings)),
            create_time: Some(timestamp(room.created_unix_ms)),
            revision: room.revision,
            stage: room.stage.into_iter().map(Into::into).collect(),
            audience_count: room.audience_count,
            hand_count: u32::try_from(room.hands.len()).unwrap_or(u32::MAX),
            active_speaker_id: optional_id(room.active_speaker),
            programme: room.programme.map(programme),
            spotlight_ids: ids(room.spotlight),
        }
    }
}

impl From<ParticipantView> for proto::Participant {
    fn from(view: ParticipantView) -> Self {
        Self {
            participant_id: view.id.to_string(),
            name: view.name,
            attributes: view.attributes.into_iter().collect(),
            role: role(view.role).into(),
            stage_state: match view.stage {
                StageState::Audience => proto::participant::StageState::Audience,
                StageState::Requested => proto::participant::StageState::Requested,
                StageState::Invited => proto::participant::StageState::Invited,
                StageState::OnStage => proto::participant::StageState::OnStage,
                StageState::Held => proto::participant::StageState::Held,
            }
            .into(),
            link: match view.link {
                LinkKind::WebSocket => proto::participant::Link::WebSocket,
                LinkKind::Whip => proto::participant::Link::Whip,
                LinkKind::Whep => proto::participant::Link::Whep,
            }
            .into(),
            connected: view.is_connected,
            audio: Some(proto::Mute {
                self_muted: view.audio_self_muted,
                server_muted: view.audio_server_muted,
                locked: view.audio_locked,
            }),
            video: Some(proto::Mute {
                self_muted: view.video_self_muted,
                server_muted: view.video_server_muted,
                locked: view.video_locked,
            }),
            permitted_sources: permitted(view.permits),
            active_sources: view
                .active_sources
                .into_iter()
                .map(|kind| source(kind).into())
                .collect(),
            join_time: Some(timestamp(view.joined_unix_ms)),
        }
    }
}

impl From<HandView> for proto::Hand {
    fn from(hand: HandView) -> Self {
        Self {
            participant_id: hand.participant.to_string(),
            order: hand.order,
        }
    }
}

fn permitted(permits: Permits) -> Vec<i32> {
    [
        (permits.microphone, proto::Source::Microphone),
        (permits.camera, proto::Source::Camera),
        (permits.screen, proto::Source::Screen),
    ]
    .into_iter()
    .filter(|(is_permitted, _)| *is_permitted)
    .map(|(_, source)| source.into())
    .collect()
}

pub(crate) const fn role(role: Role) -> proto::Role {
    match role {
        Role::Host => proto::Role::Host,
        Role::Cohost => proto::Role::Cohost,
        Role::Speaker => proto::Role::Speaker,
        Role::Listener => proto::Role::Listener,
    }
}

pub(crate) const fn source(source: SourceKind) -> proto::Source {
    match source {
        SourceKind::Microphone => proto::Source::Microphone,
        SourceKind::Camera => proto::Source::Camera,
        SourceKind::Screen => proto::Source::Screen,
    }
}

pub(crate) fn programme((participant, kind): (ParticipantId, SourceKind)) -> proto::Programme {
    proto::Programme {
        participant_id: participant.to_string(),
        source: source(kind).into(),
    }
}

pub(crate) fn optional_id(id: Option<ParticipantId>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

pub(crate) fn ids(ids: Vec<ParticipantId>) -> Vec<String> {
    ids.into_iter().map(|id| id.to_string()).collect()
}

pub(crate) fn timestamp(unix_ms: u64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(unix_ms % 1_000 * 1_000_000).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_become_seconds_and_nanoseconds() {
        let time = timestamp(1_700_000_000_123);
        assert_eq!((time.seconds, time.nanos), (1_700_000_000, 123_000_000));
    }

    #[test]
    fn permits_are_listed_as_sources() {
        assert_eq!(permitted(Permits::NONE), Vec::<i32>::new());
        assert_eq!(permitted(Permits::ALL), [1, 2, 3]);
    }
}
