//! Who may call, and what needs no key.

use estrade_control::proto;
use estrade_control::proto::room_service_client::RoomServiceClient;
use estrade_server::{DEV_KEY, DEV_SECRET};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::world::{World, assert_refused, channel, config, probe, with_key};

#[tokio::test]
async fn a_call_without_a_key_is_refused() {
    let world = World::start().await;
    let mut rpc = RoomServiceClient::new(channel(&world.server).await);
    let listed = rpc.list_rooms(proto::ListRoomsRequest::default()).await;
    assert_refused(listed, Code::Unauthenticated, "MISSING_API_KEY");
    let watched = rpc.watch(proto::WatchRequest::default()).await;
    assert_refused(watched, Code::Unauthenticated, "MISSING_API_KEY");
    world.stop().await;
}

#[tokio::test]
async fn a_call_with_a_wrong_key_is_refused_and_changes_nothing() {
    let mut world = World::start().await;
    for key in [
        format!("{DEV_KEY}:{}", DEV_SECRET.to_uppercase()),
        format!("other:{DEV_SECRET}"),
        DEV_KEY.to_owned(),
    ] {
        let mut rpc = with_key(channel(&world.server).await, key);
        let created = rpc.create_room(proto::CreateRoomRequest::default()).await;
        assert_refused(created, Code::Unauthenticated, "INVALID_API_KEY");
    }
    let rooms = world
        .rpc
        .list_rooms(proto::ListRoomsRequest::default())
        .await;
    assert!(rooms.unwrap().into_inner().rooms.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_bearer_header_is_as_good() {
    let world = World::start().await;
    let mut rpc = RoomServiceClient::new(channel(&world.server).await);
    let mut request = Request::new(proto::ListRoomsRequest::default());
    let bearer = format!("Bearer {DEV_KEY}:{DEV_SECRET}").parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    assert!(rpc.list_rooms(request).await.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn health_needs_no_key() {
    let world = World::start().await;
    let mut health = HealthClient::new(channel(&world.server).await);
    let request = HealthCheckRequest {
        service: "estrade.v1.RoomService".into(),
    };
    let answer = health.check(request).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    world.stop().await;
}

#[tokio::test]
async fn reflection_tells_the_contract_unless_it_is_off() {
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let world = World::start().await;
    let mut reflection = ServerReflectionClient::new(channel(&world.server).await);
    let asked = tokio_stream::once(list.clone());
    let answers = reflection.server_reflection_info(asked).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(services)) = answer.message_response else {
        panic!("not a list: {answer:?}");
    };
    let names: Vec<_> = services
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for name in ["estrade.v1.RoomService", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|n| n == name), "no {name} in {names:?}");
    }
    world.stop().await;

    let mut config = config();
    config.grpc.reflection = false;
    let world = World::with(config).await;
    let mut reflection = ServerReflectionClient::new(channel(&world.server).await);
    let asked = tokio_stream::once(list);
    let refused = reflection.server_reflection_info(asked).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
    world.stop().await;
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code() {
    let mut world = World::start().await;
    world.room("hall").await;
    let unknown = proto::GetRoomRequest {
        room_id: "nowhere".into(),
    };
    assert!(world.rpc.get_room(unknown).await.is_err());
    let (code, page) = probe(&world.server, "/metrics").await;
    assert_eq!(code, 200);
    for line in [
        "estrade_control_calls_total{code=\"OK\",method=\"CreateRoom\"} 1",
        "estrade_control_calls_total{code=\"NOT_FOUND\",method=\"GetRoom\"} 1",
    ] {
        assert!(page.contains(line), "no {line:?} in:\n{page}");
    }
    world.stop().await;
}
