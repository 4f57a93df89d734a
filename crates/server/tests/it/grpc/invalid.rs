//! Requests that cannot be right: the failing field is named and nothing changes.

use estrade_control::proto;
use estrade_types::Role;
use tonic::Code;

use crate::world::{World, assert_invalid, assert_refused};

/// Calls every method that names a room and a participant with these ids.
macro_rules! each_about_one {
    ($world:ident, $room:expr, $who:expr, $assert:expr) => {{
        let (room, who): (&str, &str) = ($room, $who);
        each_about_one!(@ $world, room, who, $assert;
            get_participant GetParticipantRequest {};
            promote_participant PromoteParticipantRequest { role: 0 };
            demote_participant DemoteParticipantRequest {};
            mute_participant MuteParticipantRequest { kind: 1, lock: false };
            unlock_participant UnlockParticipantRequest { kind: 1 };
            request_unmute RequestUnmuteRequest {};
            remove_participant RemoveParticipantRequest {};
            invite_to_stage InviteToStageRequest {};
            cancel_invite CancelInviteRequest {};
            approve_hand ApproveHandRequest {};
            reject_hand RejectHandRequest {};
        );
    }};
    (@ $world:ident, $room:ident, $who:ident, $assert:expr;
        $($call:ident $request:ident { $($field:ident: $value:expr),* };)+) => {$(
        let result = $world.rpc.$call(proto::$request {
            room_id: $room.into(),
            participant_id: $who.into(),
            $($field: $value,)*
        }).await.map(|_| tonic::Response::new(()));
        $assert(result);
    )+};
}

#[tokio::test]
async fn ids_that_cannot_be_are_named_by_every_call() {
    let mut world = World::start().await;
    each_about_one!(world, "", "a\nb", |result| assert_invalid(
        result,
        &["room_id", "participant_id"]
    ));
    let long = "x".repeat(129);
    each_about_one!(world, "hall", &long, |result| assert_invalid(
        result,
        &["participant_id"]
    ));
    world.stop().await;
}

#[tokio::test]
async fn ids_of_nothing_are_not_found_by_every_call_and_nothing_changes() {
    let mut world = World::start().await;
    each_about_one!(world, "nowhere", "ana", |result| assert_refused(
        result,
        Code::NotFound,
        "ROOM_NOT_FOUND"
    ));
    world.room("hall").await;
    let _ana = world.join("hall", "ana", Role::Host).await;
    let before = world.read("hall").await;
    each_about_one!(world, "hall", "zoe", |result| assert_refused(
        result,
        Code::NotFound,
        "PARTICIPANT_NOT_FOUND"
    ));
    assert_eq!(world.read("hall").await, before);
    world.stop().await;
}

/// Calls every method that names a room alone.
macro_rules! each_about_a_room {
    ($world:ident, $room:expr, $assert:expr) => {{
        let room_id: String = $room.into();
        let get = proto::GetRoomRequest {
            room_id: room_id.clone(),
        };
        $assert(
            $world
                .rpc
                .get_room(get)
                .await
                .map(|_| tonic::Response::new(())),
        );
        let end = proto::EndRoomRequest {
            room_id: room_id.clone(),
        };
        $assert(
            $world
                .rpc
                .end_room(end)
                .await
                .map(|_| tonic::Response::new(())),
        );
        let list = proto::ListParticipantsRequest {
            room_id: room_id.clone(),
            ..Default::default()
        };
        $assert(
            $world
                .rpc
                .list_participants(list)
                .await
                .map(|_| tonic::Response::new(())),
        );
        let hands = proto::ListHandsRequest {
            room_id: room_id.clone(),
            ..Default::default()
        };
        $assert(
            $world
                .rpc
                .list_hands(hands)
                .await
                .map(|_| tonic::Response::new(())),
        );
        let mute = proto::MuteAllRequest {
            room_id: room_id.clone(),
            ..Default::default()
        };
        $assert(
            $world
                .rpc
                .mute_all(mute)
                .await
                .map(|_| tonic::Response::new(())),
        );
        let light = proto::SpotlightRequest {
            room_id: room_id.clone(),
            ..Default::default()
        };
        $assert(
            $world
                .rpc
                .spotlight(light)
                .await
                .map(|_| tonic::Response::new(())),
        );
        let data = proto::SendDataRequest {
            room_id: room_id.clone(),
            topic: "chat".into(),
            ..Default::default()
        };
        $assert(
            $world
                .rpc
                .send_data(data)
                .await
                .map(|_| tonic::Response::new(())),
        );
        let watch = proto::WatchRequest {
            room_id,
            after_number: None,
        };
        $assert(
            $world
                .rpc
                .watch(watch)
                .await
                .map(|_| tonic::Response::new(())),
        );
    }};
}

#[tokio::test]
async fn a_room_id_that_cannot_be_is_named_by_every_call() {
    let mut world = World::start().await;
    each_about_a_room!(world, "a/b", |result| assert_invalid(result, &["room_id"]));
    each_about_a_room!(world, "", |result| assert_invalid(result, &["room_id"]));
    let create = proto::CreateRoomRequest {
        room_id: "x".repeat(65),
        idempotency_key: "k".repeat(129),
        settings: Some(proto::RoomSettings {
            max_stage: Some(51),
            ..Default::default()
        }),
    };
    assert_invalid(
        world.rpc.create_room(create).await,
        &["room_id", "idempotency_key", "settings.max_stage"],
    );
    world.stop().await;
}

#[tokio::test]
async fn a_room_that_is_not_is_not_found_by_every_call() {
    let mut world = World::start().await;
    each_about_a_room!(world, "nowhere", |result| assert_refused(
        result,
        Code::NotFound,
        "ROOM_NOT_FOUND"
    ));
    world.stop().await;
}

#[tokio::test]
async fn values_out_of_range_are_named() {
    let mut world = World::start().await;
    world.room("hall").await;
    let rooms = proto::ListRoomsRequest {
        page_size: 1_001,
        page_token: String::new(),
    };
    assert_invalid(world.rpc.list_rooms(rooms).await, &["page_size"]);
    let participants = proto::ListParticipantsRequest {
        room_id: "hall".into(),
        filter: 9,
        page_size: 1_001,
        page_token: String::new(),
    };
    let participants = world.rpc.list_participants(participants).await;
    assert_invalid(participants, &["page_size", "filter"]);
    let hands = proto::ListHandsRequest {
        room_id: "hall".into(),
        page_size: 0,
        page_token: "forged".into(),
    };
    assert_invalid(world.rpc.list_hands(hands).await, &["page_token"]);
    let mute = proto::MuteParticipantRequest {
        room_id: "hall".into(),
        participant_id: "ana".into(),
        kind: 3,
        lock: false,
    };
    assert_invalid(world.rpc.mute_participant(mute).await, &["kind"]);
    let promote = proto::PromoteParticipantRequest {
        room_id: "hall".into(),
        participant_id: "ana".into(),
        role: proto::Role::Host.into(),
    };
    assert_invalid(world.rpc.promote_participant(promote).await, &["role"]);
    let data = proto::SendDataRequest {
        room_id: "hall".into(),
        participant_id: String::new(),
        topic: String::new(),
        payload: "x".repeat(16 * 1_024 + 1),
    };
    assert_invalid(world.rpc.send_data(data).await, &["topic", "payload"]);
    world.stop().await;
}

#[tokio::test]
async fn an_oversize_message_is_refused_and_the_connection_lives() {
    let mut world = World::start().await;
    let huge = proto::CreateRoomRequest {
        room_id: "x".repeat(1 << 20),
        ..Default::default()
    };
    let status = world.rpc.create_room(huge).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    world.room("hall").await;
    world.stop().await;
}
