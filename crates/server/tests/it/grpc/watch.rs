//! Watching a room: ordered, numbered, resumable.

use std::time::Duration;

use estrade_control::proto;
use estrade_control::proto::event::Kind;
use estrade_control::proto::watch_response::Item;
use estrade_types::Role;
use tonic::{Code, Request, Streaming};

use crate::world::World;

async fn watch(world: &mut World, after_number: Option<u64>) -> Streaming<proto::WatchResponse> {
    let request = proto::WatchRequest {
        room_id: "hall".into(),
        after_number,
    };
    world.rpc.watch(request).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<proto::WatchResponse>) -> Option<proto::Event> {
    match stream.message().await.unwrap()?.item {
        Some(Item::Event(event)) => Some(event),
        other => panic!("not an event: {other:?}"),
    }
}

#[tokio::test]
async fn events_are_numbered_without_gap_and_name_their_actor_until_the_room_ends() {
    let mut world = World::start().await;
    world.room("hall").await;
    let mut stream = watch(&mut world, Some(0)).await;
    let _ana = world.join("hall", "ana", Role::Host).await;
    let mute = proto::MuteParticipantRequest {
        room_id: "hall".into(),
        participant_id: "ana".into(),
        kind: proto::MuteKind::Audio.into(),
        lock: false,
    };
    world.rpc.mute_participant(mute).await.unwrap();
    let end = proto::EndRoomRequest {
        room_id: "hall".into(),
    };
    world.rpc.end_room(end).await.unwrap();

    let mut events = Vec::new();
    while let Some(event) = next(&mut stream).await {
        events.push(event);
    }
    let numbers: Vec<u64> = events.iter().map(|event| event.number).collect();
    let expected: Vec<u64> = (1..).take(events.len()).collect();
    assert_eq!(numbers, expected);
    assert!(matches!(events[0].kind, Some(Kind::RoomCreated(_))));
    let joined = events.iter().find_map(|event| match &event.kind {
        Some(Kind::ParticipantJoined(joined)) => joined.participant.as_ref(),
        _ => None,
    });
    assert_eq!(joined.unwrap().participant_id, "ana");
    let muted = events
        .iter()
        .find(|event| matches!(event.kind, Some(Kind::MuteChanged(_))))
        .unwrap();
    let actor = muted.actor.as_ref().unwrap();
    assert_eq!(actor.kind(), proto::actor::Kind::App);
    assert!(matches!(
        events.last().unwrap().kind,
        Some(Kind::RoomEnded(_))
    ));
    world.stop().await;
}

#[tokio::test]
async fn a_watch_resumes_after_a_number_and_misses_nothing() {
    let mut world = World::start().await;
    world.room("hall").await;
    let _ana = world.join("hall", "ana", Role::Host).await;
    let revision = world.read("hall").await.revision;
    let mut whole = watch(&mut world, Some(0)).await;
    let mut rest = watch(&mut world, Some(1)).await;
    let _ben = world.join("hall", "ben", Role::Listener).await;
    let latest = world.read("hall").await.revision;
    assert!(latest > revision);
    let mut all = Vec::new();
    for _ in 0..latest {
        all.push(next(&mut whole).await.unwrap());
    }
    for event in &all[1..] {
        assert_eq!(next(&mut rest).await.as_ref(), Some(event));
    }
    world.stop().await;
}

#[tokio::test]
async fn a_watch_from_now_on_starts_with_the_next_event() {
    let mut world = World::start().await;
    let created = world.room("hall").await.revision;
    let mut stream = watch(&mut world, None).await;
    let _ana = world.join("hall", "ana", Role::Host).await;
    assert_eq!(next(&mut stream).await.unwrap().number, created + 1);
    world.stop().await;
}

#[tokio::test]
async fn a_watch_ends_at_its_callers_deadline() {
    let mut world = World::start().await;
    world.room("hall").await;
    let mut request = Request::new(proto::WatchRequest {
        room_id: "hall".into(),
        after_number: None,
    });
    request.set_timeout(Duration::from_millis(200));
    let mut stream = world.rpc.watch(request).await.unwrap().into_inner();
    let status = stream.message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    world.stop().await;
}

#[tokio::test]
async fn a_stop_ends_the_rooms_and_with_them_the_watches() {
    let mut world = World::start().await;
    world.room("hall").await;
    let mut stream = watch(&mut world, None).await;
    let World { server, rpc } = world;
    server.stop(Duration::from_secs(5)).await;
    let ended = next(&mut stream).await.unwrap();
    let Some(Kind::RoomEnded(ended)) = ended.kind else {
        panic!("not the end: {ended:?}");
    };
    assert_eq!(ended.reason(), proto::CloseReason::ServerShutdown);
    assert_eq!(next(&mut stream).await, None);
    drop(rpc);
}
