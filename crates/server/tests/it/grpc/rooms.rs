//! Rooms: created, read, listed, ended.

use std::time::Duration;

use estrade_control::proto;
use estrade_types::Role;
use tonic::{Code, Request};

use crate::world::{World, assert_invalid, assert_refused};

fn create(room_id: &str, key: &str) -> proto::CreateRoomRequest {
    proto::CreateRoomRequest {
        room_id: room_id.into(),
        idempotency_key: key.into(),
        settings: None,
    }
}

#[tokio::test]
async fn a_room_has_the_settings_it_was_given_and_defaults_for_the_rest() {
    let mut world = World::start().await;
    let request = proto::CreateRoomRequest {
        room_id: "hall".into(),
        settings: Some(proto::RoomSettings {
            attributes: [("title".to_owned(), "Town hall".to_owned())].into(),
            max_stage: Some(4),
            hand_policy: proto::HandPolicy::Off.into(),
            min_dwell: Some(prost_span(3)),
            ..Default::default()
        }),
        ..Default::default()
    };
    let room = world.rpc.create_room(request).await.unwrap().into_inner();
    assert_eq!(room.room_id, "hall");
    assert_eq!(room.state(), proto::room::State::Live);
    let settings = room.settings.clone().unwrap();
    assert_eq!(settings.max_stage, Some(4));
    assert_eq!(settings.hand_policy(), proto::HandPolicy::Off);
    assert_eq!(settings.attributes["title"], "Town hall");
    assert_eq!(settings.min_dwell, Some(prost_span(3)));
    assert_eq!(settings.audio_slots, Some(3));
    assert_eq!(settings.seat_grace, Some(prost_span(30)));
    assert_eq!(world.read("hall").await, room);
    world.stop().await;
}

fn prost_span(seconds: u64) -> prost_types::Duration {
    Duration::from_secs(seconds).try_into().unwrap()
}

#[tokio::test]
async fn a_repeated_creation_answers_with_the_first_room_only_by_its_key() {
    let mut world = World::start().await;
    let first = world.rpc.create_room(create("", "order-1")).await.unwrap();
    let again = world.rpc.create_room(create("", "order-1")).await.unwrap();
    let first = first.into_inner();
    assert_eq!(again.into_inner().room_id, first.room_id);
    let other = world.rpc.create_room(create("", "order-2")).await.unwrap();
    assert_ne!(other.into_inner().room_id, first.room_id);
    let taken = world.rpc.create_room(create(&first.room_id, "")).await;
    assert_refused(taken, Code::AlreadyExists, "ROOM_EXISTS");
    world.stop().await;
}

#[tokio::test]
async fn rooms_are_listed_in_pages_that_leave_none_out() {
    let mut world = World::start().await;
    let mut made: Vec<String> = (0..5).map(|n| format!("room-{n}")).collect();
    for room in &made {
        world.room(room).await;
    }
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListRoomsRequest {
            page_size: 2,
            page_token,
        };
        let page = world.rpc.list_rooms(request).await.unwrap().into_inner();
        assert!(page.rooms.len() <= 2);
        listed.extend(page.rooms.into_iter().map(|room| room.room_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    made.sort();
    assert_eq!(listed, made);
    let forged = proto::ListRoomsRequest {
        page_size: 2,
        page_token: "forged!".into(),
    };
    assert_invalid(world.rpc.list_rooms(forged).await, &["page_token"]);
    world.stop().await;
}

#[tokio::test]
async fn an_ended_room_is_gone_and_its_id_is_free_again() {
    let mut world = World::start().await;
    world.room("hall").await;
    let end = proto::EndRoomRequest {
        room_id: "hall".into(),
    };
    let ended = world.rpc.end_room(end.clone()).await.unwrap().into_inner();
    assert!(ended.revision > 0);
    let again = world.rpc.end_room(end).await;
    assert_refused(again, Code::NotFound, "ROOM_NOT_FOUND");
    world.room("hall").await;
    world.stop().await;
}

#[tokio::test]
async fn participants_are_listed_by_place_and_read_one_by_one() {
    let mut world = World::start().await;
    world.room("hall").await;
    let _ana = world.join("hall", "ana", Role::Host).await;
    let _ben = world.join("hall", "ben", Role::Listener).await;
    let _cam = world.join("hall", "cam", Role::Listener).await;
    let mut list = async |filter, page_size, page_token: &str| {
        let request = proto::ListParticipantsRequest {
            room_id: "hall".into(),
            filter,
            page_size,
            page_token: page_token.into(),
        };
        let page = world
            .rpc
            .list_participants(request)
            .await
            .unwrap()
            .into_inner();
        let ids = page.participants.into_iter().map(|p| p.participant_id);
        (
            ids.collect::<Vec<_>>(),
            page.next_page_token,
            page.total_size,
        )
    };
    assert_eq!(list(1, 0, "").await, (vec!["ana".into()], String::new(), 1));
    let (first, token, total) = list(2, 1, "").await;
    assert_eq!((first, total), (vec!["ben".to_owned()], 2));
    let (second, token, _) = list(2, 1, &token).await;
    assert_eq!((second, token), (vec!["cam".to_owned()], String::new()));
    assert_eq!(list(0, 0, "").await.2, 3);

    let ana = world.participant("hall", "ana").await;
    assert_eq!(ana.name, "ANA");
    assert_eq!(ana.role(), proto::Role::Host);
    assert_eq!(ana.stage_state(), proto::participant::StageState::OnStage);
    assert_eq!(ana.link(), proto::participant::Link::WebSocket);
    let nobody = proto::GetParticipantRequest {
        room_id: "hall".into(),
        participant_id: "zoe".into(),
    };
    let nobody = world.rpc.get_participant(nobody).await;
    assert_refused(nobody, Code::NotFound, "PARTICIPANT_NOT_FOUND");
    world.stop().await;
}

#[tokio::test]
async fn a_deadline_that_is_over_is_honored() {
    let mut world = World::start().await;
    let mut request = Request::new(create("hall", ""));
    // A microsecond: over before the room's task can answer.
    let timeout = "1u".parse().unwrap();
    request.metadata_mut().insert("grpc-timeout", timeout);
    let code = world.rpc.create_room(request).await.unwrap_err().code();
    // Ours, or that of the caller's own library: whichever timer was first.
    assert!(
        matches!(code, Code::DeadlineExceeded | Code::Cancelled),
        "{code:?}"
    );
    world.stop().await;
}
