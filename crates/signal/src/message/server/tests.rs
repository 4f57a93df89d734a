use estrade_directory::{DataMessage, SpeakingNotice};
use estrade_room::{
    Actor, Event, EventKind, MuteKind, ParticipantView, RoomSettings, RoomState, RoomView,
    StageState,
};
use estrade_types::{
    CloseReason, LinkKind, MonoTime, ParticipantId, Permits, Role, RoomId, SlotId, SourceKind,
};
use serde_json::{Value, json};

use super::*;

fn ada() -> ParticipantId {
    ParticipantId::new("ada").unwrap()
}

fn participant() -> ParticipantView {
    ParticipantView {
        id: ada(),
        name: "Ada".to_owned(),
        attributes: std::collections::BTreeMap::default(),
        role: Role::Host,
        stage: StageState::OnStage,
        link: LinkKind::WebSocket,
        is_connected: true,
        audio_self_muted: true,
        audio_server_muted: false,
        audio_locked: false,
        video_self_muted: false,
        video_server_muted: false,
        video_locked: false,
        permits: Permits::ALL,
        active_sources: vec![SourceKind::Camera],
        joined_unix_ms: 7,
    }
}

fn participant_json() -> Value {
    json!({
        "id": "ada", "name": "Ada", "attributes": {}, "role": "host", "stage": "onStage",
        "link": "webSocket", "connected": true,
        "audio": {"selfMuted": true, "serverMuted": false, "locked": false},
        "video": {"selfMuted": false, "serverMuted": false, "locked": false},
        "permits": {"microphone": true, "camera": true, "screen": true},
        "sources": ["camera"], "joinedAt": 7
    })
}

fn told(notice: ClientNotice) -> Value {
    let message = ServerMessage::notice(notice).unwrap();
    serde_json::from_str(&message.to_json()).unwrap()
}

fn event(kind: EventKind) -> Value {
    told(ClientNotice::Event(Box::new(Event {
        number: 3,
        at: MonoTime::ZERO,
        unix_ms: 99,
        actor: Actor::Participant(ada()),
        kind,
    })))
}

#[test]
fn a_snapshot_has_the_whole_room() {
    let view = RoomView {
        id: RoomId::new("hall").unwrap(),
        state: RoomState::Live,
        settings: RoomSettings::default(),
        created_unix_ms: 5,
        revision: 2,
        stage: vec![participant()],
        audience_count: 4,
        hands: Vec::new(),
        active_speaker: Some(ada()),
        programme: Some((ada(), SourceKind::Camera)),
        spotlight: vec![ada()],
    };
    assert_eq!(
        told(ClientNotice::Snapshot(Box::new(view))),
        json!({"type": "state", "state": {
            "id": "hall", "state": "live", "revision": 2, "createdAt": 5, "audienceCount": 4,
            "stage": [participant_json()], "hands": [], "activeSpeaker": "ada",
            "programme": {"participant": "ada", "source": "camera"}, "spotlight": ["ada"],
            "settings": {"maxStage": 13, "handPolicy": "anyone", "clientModeration": true, "data": true},
            "attributes": {}
        }})
    );
}

#[test]
fn events_carry_their_number_time_actor_and_kind() {
    assert_eq!(
        event(EventKind::HandRaised {
            participant: ada(),
            order: 1
        }),
        json!({"type": "event", "number": 3, "at": 99,
            "actor": {"kind": "participant", "participant": "ada"},
            "event": {"kind": "handRaised", "participant": "ada", "order": 1}})
    );
    assert_eq!(
        event(EventKind::ParticipantJoined {
            participant: participant()
        })["event"],
        json!({"kind": "participantJoined", "participant": participant_json()})
    );
    assert_eq!(
        event(EventKind::MuteChanged {
            participant: ada(),
            kind: MuteKind::Audio,
            self_muted: false,
            server_muted: true,
            locked: true
        })["event"],
        json!({"kind": "muteChanged", "participant": "ada", "muteKind": "audio",
            "selfMuted": false, "serverMuted": true, "locked": true})
    );
    assert_eq!(
        event(EventKind::RoomEnded {
            reason: CloseReason::RoomEnded
        })["event"],
        json!({"kind": "roomEnded", "reason": "room_ended"})
    );
}

#[test]
fn notices_have_the_shapes_of_the_protocol() {
    let table = [
        (
            ClientNotice::Speaking(vec![SpeakingNotice {
                participant: ada(),
                volume: 87,
            }]),
            json!({"type": "speaking", "speaking": [{"participant": "ada", "volume": 87}]}),
        ),
        (
            ClientNotice::Slot {
                slot: SlotId::Main,
                source: Some((ada(), SourceKind::Screen)),
            },
            json!({"type": "slot", "slot": "main", "participant": "ada", "source": "screen"}),
        ),
        (
            ClientNotice::Slot {
                slot: SlotId::Audio(2),
                source: None,
            },
            json!({"type": "slot", "slot": "audio-2", "participant": null, "source": null}),
        ),
        (
            ClientNotice::Permits(Permits::NONE),
            json!({"type": "permits", "microphone": false, "camera": false, "screen": false}),
        ),
        (
            ClientNotice::Connected(true),
            json!({"type": "connected", "connected": true}),
        ),
        (
            ClientNotice::AudienceCount(12),
            json!({"type": "audience", "count": 12}),
        ),
        (
            ClientNotice::SpeakingWhileMuted,
            json!({"type": "speakingWhileMuted"}),
        ),
        (
            ClientNotice::Data(DataMessage {
                from: None,
                topic: "chat".to_owned(),
                payload: "hi".to_owned(),
            }),
            json!({"type": "data", "from": null, "topic": "chat", "payload": "hi"}),
        ),
        (
            ClientNotice::Closed(CloseReason::Removed),
            json!({"type": "closed", "reason": "removed"}),
        ),
    ];
    for (notice, expected) in table {
        assert_eq!(told(notice), expected);
    }
}

#[test]
fn answers_echo_the_id() {
    let json =
        |message: ServerMessage| -> Value { serde_json::from_str(&message.to_json()).unwrap() };
    let answer = ServerMessage::Answer {
        id: Some(1),
        sdp: "v=0".to_owned(),
    };
    assert_eq!(
        json(answer),
        json!({"type": "answer", "id": 1, "sdp": "v=0"})
    );
    let ok = ServerMessage::Ok {
        id: 2,
        revision: Some(9),
    };
    assert_eq!(json(ok), json!({"type": "ok", "id": 2, "revision": 9}));
    let error = ServerMessage::refusal(None, ApiError::unknown_session());
    let error = json(error);
    assert_eq!(error["code"], "unknown_session");
    assert_eq!(error.get("retryAfterMs"), None);
    let retry_after = std::time::Duration::from_secs(5);
    let error = ApiError::from(estrade_room::RoomError::TooSoon { retry_after });
    let error = json(ServerMessage::refusal(Some(3), error));
    assert_eq!(error["code"], "too_soon");
    assert_eq!(error["retryAfterMs"], 5_000);
}
