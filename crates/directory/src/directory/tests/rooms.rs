//! Rooms, calls on them, and what clients are told.

use std::time::Duration;

use estrade_room::{Actor, Command, EventKind, RoomError, RoomSettings, StageState};
use estrade_types::{CloseReason, LinkKind, Permits, Role, SessionId, ShardCommand};

use super::fake::*;
use crate::{
    ClientNotice, CreateOnJoin, CreateRoom, DataMessage, DirectoryConfig, DirectoryError,
    StageFilter, WatchItem,
};

#[tokio::test(start_paused = true)]
async fn a_room_is_open_on_its_shard_when_creating_it_returns() {
    let (directory, shard) = directory();
    let view = directory.create_room(create("r")).await.unwrap();
    assert_eq!((view.id, view.revision), (rid("r"), 1));
    assert!(matches!(
        shard.take().as_slice(),
        [ShardCommand::SetRoom { .. }]
    ));
    assert_eq!(
        directory.create_room(create("r")).await,
        Err(DirectoryError::RoomExists(rid("r")))
    );
    let wrong = CreateRoom {
        settings: RoomSettings {
            max_stage: 0,
            ..RoomSettings::default()
        },
        ..create("s")
    };
    assert!(matches!(
        directory.create_room(wrong).await,
        Err(DirectoryError::Room(RoomError::InvalidField {
            field: "max_stage",
            ..
        }))
    ));
    assert_eq!(
        directory.room(&rid("s")).await,
        Err(DirectoryError::UnknownRoom(rid("s")))
    );
}

#[tokio::test(start_paused = true)]
async fn a_repeated_key_gives_the_room_of_the_first_request() {
    let (directory, shard) = directory();
    let request = |settings| CreateRoom {
        id: None,
        settings,
        idempotency_key: Some("k".to_owned()),
    };
    let settings = RoomSettings::default;
    let first = directory.create_room(request(settings())).await.unwrap();
    let second = directory.create_room(request(settings())).await.unwrap();
    assert_eq!(first.id, second.id);
    let other = RoomSettings {
        max_stage: 2,
        ..settings()
    };
    assert_eq!(
        directory.create_room(request(other)).await,
        Err(DirectoryError::RoomExists(first.id))
    );
    assert_eq!(shard.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_does_not_stand_for_a_later_room_of_the_same_id() {
    let (directory, _shard) = directory();
    let keyed = || CreateRoom {
        idempotency_key: Some("k".to_owned()),
        ..create("r")
    };
    directory.create_room(keyed()).await.unwrap();
    let ended = directory.end_room(&rid("r"), CloseReason::RoomEnded).await;
    assert!(ended.is_ok());
    let unknown = Err(DirectoryError::UnknownRoom(rid("r")));
    assert_eq!(directory.create_room(keyed()).await, unknown);
    directory.create_room(create("r")).await.unwrap();
    assert_eq!(directory.create_room(keyed()).await, unknown);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_does_not_answer_is_left_out_of_the_page() {
    let (directory, shard) = directory();
    for id in ["a", "c", "d"] {
        directory.create_room(create(id)).await.unwrap();
    }
    shard.set(Mood::Silent);
    let opening = directory.create_room(create("b"));
    let listing = async {
        pass(Duration::from_millis(1)).await;
        let first = directory.list_rooms(2, None).await.unwrap();
        let token = first.next_page_token.as_deref();
        let second = directory.list_rooms(2, token).await.unwrap();
        assert_eq!(second.next_page_token, None);
        let first: Vec<_> = first.rooms.into_iter().map(|room| room.id).collect();
        let second: Vec<_> = second.rooms.into_iter().map(|room| room.id).collect();
        (first, second)
    };
    let (opened, (first, second)) = tokio::join!(opening, listing);
    assert_eq!(opened, Err(DirectoryError::TimedOut));
    assert_eq!((first, second), (vec![rid("a")], vec![rid("c"), rid("d")]));
}

#[tokio::test(start_paused = true)]
async fn rooms_go_to_the_shard_with_the_fewest_sessions() {
    let config = DirectoryConfig {
        create_on_join: CreateOnJoin::Anyone,
        ..DirectoryConfig::default()
    };
    let (directory, shards) = directory_over(2, config);
    let _one = join(&directory, "a", Role::Listener).await;
    let _two = join(&directory, "b", Role::Listener).await;
    directory.create_room(create("second")).await.unwrap();
    directory.create_room(create("third")).await.unwrap();
    let rooms = |n: usize| {
        let commands = shards[n].take();
        let opened = commands
            .iter()
            .filter(|command| matches!(command, ShardCommand::SetRoom { .. }));
        opened.count()
    };
    assert_eq!((rooms(0), rooms(1)), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn joining_makes_rooms_only_where_and_for_whom_it_may() {
    let (directory, _shard) = directory();
    let listener = admission("r", "lis", Role::Listener);
    let joined = directory.join(listener, LinkKind::WebSocket).await;
    assert_eq!(joined.unwrap_err(), DirectoryError::UnknownRoom(rid("r")));
    let _host = join(&directory, "host", Role::Host).await;
    let _lis = join(&directory, "lis", Role::Listener).await;
    assert_eq!(directory.room(&rid("r")).await.unwrap().audience_count, 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_first_gets_the_state_and_its_permits_then_what_changes() {
    let (directory, shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    assert!(matches!(
        shard.take().as_slice(),
        [
            ShardCommand::SetRoom { .. },
            ShardCommand::SetParticipant {
                permits: Permits::ALL,
                ..
            }
        ]
    ));
    let ClientNotice::Snapshot(view) = notice(&mut host).await else {
        panic!("the state comes first");
    };
    assert_eq!(view.stage[0].id, pid("host"));
    assert_eq!(notice(&mut host).await, ClientNotice::Permits(Permits::ALL));
    let mut spk = join(&directory, "spk", Role::Speaker).await;
    let joined = notice(&mut host).await;
    assert!(matches!(
        event(&joined),
        Some(EventKind::ParticipantJoined { .. })
    ));
    let applied = host.act(mute("spk")).await.unwrap();
    assert!(matches!(
        shard.take().last(),
        Some(ShardCommand::SetParticipant { permits, .. }) if !permits.microphone
    ));
    let permits = until(&mut spk, |notice| match notice {
        ClientNotice::Permits(permits) if *permits != Permits::ALL => Some(*permits),
        _ => None,
    })
    .await;
    assert!(!permits.microphone && permits.camera);
    let number = until(&mut host, |notice| match notice {
        ClientNotice::Event(event) if matches!(event.kind, EventKind::MuteChanged { .. }) => {
            Some(event.number)
        }
        _ => None,
    })
    .await;
    assert_eq!(number, applied.revision);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_out_of_the_audience_is_introduced_by_the_event() {
    let (directory, _shard) = directory();
    let lis = {
        let _host = join(&directory, "host", Role::Host).await;
        let lis = join(&directory, "lis", Role::Listener).await;
        lis.act(Command::RaiseHand).await.unwrap();
        lis
    };
    let mut co = join(&directory, "co", Role::Cohost).await;
    let approve = Command::ApproveHand {
        participant: lis.participant().clone(),
    };
    co.act(approve).await.unwrap();
    let view = until(&mut co, |notice| match event(notice) {
        Some(EventKind::StageJoined { view, .. }) => Some(view.clone()),
        _ => None,
    })
    .await;
    let seated = directory.participant(&rid("r"), &pid("lis")).await.unwrap();
    assert_eq!(*view, seated);
    assert_eq!(view.stage, StageState::OnStage);
}

#[tokio::test(start_paused = true)]
async fn what_only_the_server_does_has_no_door_for_others() {
    let (directory, _shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    let leave = Command::Leave {
        session: SessionId(1),
        reason: CloseReason::Left,
    };
    for command in [Command::Tick, leave, Command::ActiveSpeaker { key: None }] {
        let by_client = host.act(command.clone()).await;
        let by_app = directory.act(&rid("r"), Actor::App, command).await;
        for result in [by_client, by_app] {
            assert!(matches!(
                result,
                Err(DirectoryError::Room(RoomError::NotAllowed { .. }))
            ));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_client_keeps_its_seat_for_a_while_and_a_leaving_one_does_not() {
    let (directory, _shard) = directory();
    let _host = join(&directory, "host", Role::Host).await;
    let spk = join(&directory, "spk", Role::Speaker).await;
    let lis = join(&directory, "lis", Role::Listener).await;
    drop((spk, lis));
    pass(Duration::from_secs(1)).await;
    let names = |directory: crate::Directory| async move {
        let page = directory
            .participants(&rid("r"), StageFilter::All, 10, None)
            .await;
        let views = page.unwrap().participants;
        let names: Vec<String> = views.iter().map(|v| v.id.to_string()).collect();
        names.join(" ")
    };
    assert_eq!(names(directory.clone()).await, "host spk");
    pass(Duration::from_secs(30)).await;
    assert_eq!(names(directory.clone()).await, "host");
    let spk = join(&directory, "spk", Role::Speaker).await;
    spk.leave().await;
    assert_eq!(names(directory).await, "host");
}

#[tokio::test(start_paused = true)]
async fn the_same_identity_again_closes_the_older_client() {
    let (directory, _shard) = directory();
    let mut old = join(&directory, "host", Role::Host).await;
    let new = join(&directory, "host", Role::Host).await;
    let reason = until(&mut old, |notice| match notice {
        ClientNotice::Closed(reason) => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::Replaced);
    assert_eq!(old.next_notice().await, None);
    let raise = old.act(Command::RaiseHand).await;
    assert_eq!(raise, Err(DirectoryError::UnknownSession));
    drop(old);
    pass(Duration::from_secs(40)).await;
    assert!(new.act(mute("host")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn ending_a_room_tells_everybody_and_frees_its_id() {
    let (directory, shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    let mut watch = directory.watch(&rid("r"), Some(0)).await.unwrap();
    let ended = directory.end_room(&rid("r"), CloseReason::RoomEnded).await;
    assert!(ended.is_ok());
    assert!(matches!(
        shard.take().last(),
        Some(ShardCommand::CloseRoom { .. })
    ));
    let view = directory.create_room(create("r")).await.unwrap();
    assert_eq!(view.stage, []);
    let notices = drain(&mut host).await;
    assert!(matches!(
        notices.as_slice(),
        [
            ..,
            ClientNotice::Event(_),
            ClientNotice::Closed(CloseReason::RoomEnded)
        ]
    ));
    let mut numbers = Vec::new();
    while let Some(WatchItem::Event(event)) = watch.next().await {
        numbers.push(event.number);
    }
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn pages_are_walked_by_their_tokens() {
    let (directory, _shard) = directory();
    for name in ["b", "a", "c"] {
        directory.create_room(create(name)).await.unwrap();
    }
    let page = directory.list_rooms(2, None).await.unwrap();
    let ids: Vec<_> = page.rooms.iter().map(|room| room.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    let token = page.next_page_token.unwrap();
    let page = directory.list_rooms(2, Some(&token)).await.unwrap();
    assert_eq!(page.rooms[0].id, rid("c"));
    assert_eq!(page.next_page_token, None);
    assert_eq!(
        directory.list_rooms(2, Some("nonsense")).await.unwrap_err(),
        DirectoryError::InvalidPageToken
    );
    assert_eq!(
        directory
            .participants(&rid("a"), StageFilter::All, 2, Some(&token))
            .await
            .unwrap_err(),
        DirectoryError::InvalidPageToken
    );
}

#[tokio::test(start_paused = true)]
async fn listeners_are_counted_at_most_once_a_second_and_not_named_in_a_crowd() {
    let (directory, _shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    let mut crowd = Vec::new();
    for n in 0..300 {
        crowd.push(join(&directory, &format!("lis-{n}"), Role::Listener).await);
    }
    let notices = drain(&mut host).await;
    let joins = notices
        .iter()
        .filter(|notice| matches!(event(notice), Some(EventKind::ParticipantJoined { .. })));
    assert_eq!(joins.count(), 199);
    let counts: Vec<u32> = notices
        .iter()
        .filter_map(|notice| match notice {
            ClientNotice::AudienceCount(count) => Some(*count),
            _ => None,
        })
        .collect();
    assert!(counts.len() <= 3, "{counts:?}");
    assert_eq!(counts.last(), Some(&300));
    let spk = join(&directory, "spk", Role::Speaker).await;
    spk.leave().await;
    let notices = drain(&mut host).await;
    let named: Vec<_> = notices.iter().filter_map(event).collect();
    assert_eq!(named.len(), 3, "joined, left the stage, left: {named:?}");
}

#[tokio::test(start_paused = true)]
async fn data_goes_to_the_others_or_to_one_within_limits() {
    let (directory, _shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    let mut lis = join(&directory, "lis", Role::Listener).await;
    let mut other = join(&directory, "other", Role::Listener).await;
    let chat = |text: &str| ("chat".to_owned(), text.to_owned());
    let (topic, payload) = chat("hello");
    lis.send_data(None, topic, payload).await.unwrap();
    let (topic, payload) = chat("psst");
    let to = Some(pid("host"));
    lis.send_data(to, topic, payload).await.unwrap();
    let from_app = DataMessage {
        from: None,
        topic: "app".to_owned(),
        payload: "all".to_owned(),
    };
    directory
        .send_data(&rid("r"), None, from_app)
        .await
        .unwrap();
    let heard = |notices: Vec<ClientNotice>| {
        let payloads: Vec<String> = notices
            .into_iter()
            .filter_map(|notice| match notice {
                ClientNotice::Data(message) => Some(message.payload),
                _ => None,
            })
            .collect();
        payloads.join(" ")
    };
    assert_eq!(heard(drain(&mut host).await), "hello psst all");
    assert_eq!(heard(drain(&mut other).await), "hello all");
    assert_eq!(heard(drain(&mut lis).await), "all");
    let large = || ("t".to_owned(), "x".repeat(16 * 1_024));
    for _ in 0..3 {
        let (topic, payload) = large();
        lis.send_data(None, topic, payload).await.unwrap();
    }
    let (topic, payload) = large();
    assert!(matches!(
        lis.send_data(None, topic, payload).await,
        Err(DirectoryError::Room(RoomError::TooSoon { .. }))
    ));
    let (topic, payload) = ("t".to_owned(), "x".repeat(16 * 1_024 + 1));
    assert!(matches!(
        host.send_data(None, topic, payload).await,
        Err(DirectoryError::Room(RoomError::InvalidField {
            field: "payload",
            ..
        }))
    ));
    let nobody = Some(pid("nobody"));
    assert_eq!(
        host.send_data(nobody, String::new(), String::new()).await,
        Err(DirectoryError::Room(RoomError::UnknownParticipant))
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_falls_behind_is_given_the_state_anew() {
    let (directory, _shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    let spk = join(&directory, "spk", Role::Speaker).await;
    for n in 0..2_000 {
        let kind = estrade_room::MuteKind::Audio;
        let muted = n % 2 == 0;
        spk.act(Command::SelfMute { kind, muted }).await.unwrap();
    }
    let revision = directory.room(&rid("r")).await.unwrap().revision;
    let notices = drain(&mut host).await;
    assert!(notices.len() < 1_100, "{}", notices.len());
    let last_state = notices.iter().rev().find_map(|notice| match notice {
        ClientNotice::Snapshot(view) => Some(view.revision),
        _ => None,
    });
    assert_eq!(last_state, Some(revision));
    spk.act(mute("spk")).await.unwrap_err();
    host.act(mute("spk")).await.unwrap();
    assert!(matches!(
        event(&notice(&mut host).await),
        Some(EventKind::MuteChanged { .. })
    ));
}
