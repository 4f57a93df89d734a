//! Shards that are slow, full or gone, tasks that fail, callers that give up, shutdown.

use std::time::Duration;

use estrade_room::Command;
use estrade_types::{
    CloseReason, CommandRefused, LinkKind, Role, RoomKey, ShardCommand, ShardEvent,
};

use super::fake::*;
use crate::task::RoomCall;
use crate::{ClientNotice, DirectoryError};

#[tokio::test(start_paused = true)]
async fn a_call_returns_only_once_the_shard_has_applied_it() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    let _spk = join(&directory, "spk", Role::Speaker).await;
    shard.set(Mood::Silent);
    let mut call = std::pin::pin!(host.act(mute("spk")));
    let early = tokio::time::timeout(Duration::from_secs(3), &mut call).await;
    assert!(early.is_err(), "not yet acknowledged");
    // Others are served meanwhile.
    assert!(directory.room(&rid("r")).await.is_ok());
    shard.catch_up();
    assert!(call.await.is_ok());
    let unanswered = host.act(mute("host")).await;
    assert_eq!(unanswered, Err(DirectoryError::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_command_is_acknowledged_no_sooner_than_the_shard_applies_it() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    let _spk = join(&directory, "spk", Role::Speaker).await;
    let all = || Command::MuteAll {
        except: vec![Role::Host],
        lock: false,
    };
    shard.set(Mood::Silent);
    for command in [mute("spk"), mute("spk"), all()] {
        assert_eq!(host.act(command).await, Err(DirectoryError::TimedOut));
    }
    shard.take();
    // The shard lost what it was told: it is told again.
    shard.set(Mood::Answers);
    assert!(host.act(mute("spk")).await.is_ok());
    let told = shard.take();
    let is_muted = |command: &ShardCommand| {
        matches!(command, ShardCommand::SetParticipant { participant, permits, .. }
            if *participant == key(2) && !permits.microphone)
    };
    assert!(told.iter().any(is_muted), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn commands_that_a_full_shard_did_not_take_follow_in_order() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    let _spk = join(&directory, "spk", Role::Speaker).await;
    shard.take();
    shard.set(Mood::Full);
    let relief = async {
        pass(Duration::from_millis(500)).await;
        assert!(shard.take().is_empty());
        shard.set(Mood::Answers);
    };
    let calls = async { tokio::join!(host.act(mute("spk")), host.act(mute("host"))) };
    let ((first, second), ()) = tokio::join!(calls, relief);
    assert!(first.is_ok() && second.is_ok());
    let keys: Vec<_> = shard
        .take()
        .iter()
        .filter_map(|command| match command {
            ShardCommand::SetParticipant { participant, .. } => Some(*participant),
            _ => None,
        })
        .collect();
    assert_eq!(keys, [key(2), key(1)]);
}

#[tokio::test(start_paused = true)]
async fn commands_that_wait_are_not_starved_by_facts() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    shard.take();
    shard.set(Mood::Full);
    let facts = async {
        pass(Duration::from_millis(1)).await;
        shard.set(Mood::Answers);
        for _ in 0..100 {
            let (room, participant) = (RoomKey(1), key(1));
            shard.tell(ShardEvent::SpeakingWhileMuted { room, participant });
            pass(Duration::from_millis(1)).await;
        }
        shard.take().len()
    };
    let (muted, handed_over) = tokio::join!(host.act(mute("host")), facts);
    assert!(muted.is_ok());
    assert_eq!(handed_over, 1, "while facts were coming in");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_its_shard_has_lost_ends_at_the_next_command() {
    let (directory, shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    shard.set(Mood::Refuses(CommandRefused::UnknownRoom));
    let refused = host.act(mute("host")).await;
    assert_eq!(
        refused,
        Err(DirectoryError::Shard(CommandRefused::UnknownRoom))
    );
    let reason = until(&mut host, |notice| match notice {
        ClientNotice::Closed(reason) => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::InternalError);
    shard.set(Mood::Answers);
    let _anew = join(&directory, "host", Role::Host).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_join_leaves_nobody_behind() {
    let (directory, shard) = directory();
    let _host = join(&directory, "host", Role::Host).await;
    shard.set(Mood::Refuses(CommandRefused::Full));
    let spk = admission("r", "spk", Role::Speaker);
    let refused = directory.join(spk, LinkKind::WebSocket).await;
    assert_eq!(
        refused.unwrap_err(),
        DirectoryError::Shard(CommandRefused::Full)
    );
    shard.set(Mood::Answers);
    pass(Duration::from_secs(1)).await;
    assert!(directory.participant(&rid("r"), &pid("spk")).await.is_err());
    shard.set(Mood::Refuses(CommandRefused::Full));
    assert_eq!(
        directory.create_room(create("s")).await,
        Err(DirectoryError::Shard(CommandRefused::Full))
    );
    shard.set(Mood::Answers);
    pass(Duration::from_secs(1)).await;
    assert!(directory.create_room(create("s")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_joining_leaves_nobody_behind() {
    let (directory, shard) = directory();
    let _host = join(&directory, "host", Role::Host).await;
    shard.set(Mood::Silent);
    let lis = admission("r", "lis", Role::Listener);
    let join = directory.join(lis, LinkKind::WebSocket);
    let given_up = tokio::time::timeout(Duration::from_secs(1), join).await;
    assert!(given_up.is_err());
    shard.set(Mood::Answers);
    shard.catch_up();
    pass(Duration::from_secs(1)).await;
    assert!(directory.participant(&rid("r"), &pid("lis")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_room_task_that_fails_costs_its_room_only() {
    let (directory, shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    directory.create_room(create("other")).await.unwrap();
    shard.take();
    let room = directory.find(&rid("r")).unwrap();
    room.mailbox.send(RoomCall::Crash).await.unwrap();
    let notices = drain(&mut host).await;
    assert_eq!(
        notices.last(),
        Some(&ClientNotice::Closed(CloseReason::InternalError))
    );
    assert!(matches!(
        shard.take().as_slice(),
        [ShardCommand::CloseRoom {
            reason: CloseReason::InternalError,
            ..
        }]
    ));
    assert_eq!(
        directory.room(&rid("r")).await,
        Err(DirectoryError::UnknownRoom(rid("r")))
    );
    assert!(directory.room(&rid("other")).await.is_ok());
    assert!(directory.is_ready());
    let _again = join(&directory, "host", Role::Host).await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_stops_ends_its_rooms_and_readiness() {
    let (directory, shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    assert!(directory.is_ready());
    shard.tell(ShardEvent::Stopped { was_asked: false });
    let notices = drain(&mut host).await;
    assert_eq!(
        notices.last(),
        Some(&ClientNotice::Closed(CloseReason::InternalError))
    );
    assert!(!directory.is_ready());
    assert_eq!(
        directory.create_room(create("s")).await,
        Err(DirectoryError::Unavailable {
            why: "no media shard runs"
        })
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_tells_everybody_and_returns_when_they_have_heard() {
    let (directory, shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    let mut lis = join(&directory, "lis", Role::Listener).await;
    let readers = async {
        pass(Duration::from_secs(2)).await;
        let (host, lis) = (drain(&mut host).await, drain(&mut lis).await);
        let closed = ClientNotice::Closed(CloseReason::ServerShutdown);
        assert_eq!((host.last(), lis.last()), (Some(&closed), Some(&closed)));
    };
    let begun = tokio::time::Instant::now();
    tokio::join!(directory.shut_down(Duration::from_secs(60)), readers);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(matches!(
        shard.take().last(),
        Some(ShardCommand::CloseRoom { .. })
    ));
    assert!(!directory.is_ready());
    assert!(matches!(
        directory.create_room(create("s")).await,
        Err(DirectoryError::Unavailable { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_a_deaf_client_no_longer_than_its_grace() {
    let (directory, _shard) = directory();
    let _host = join(&directory, "host", Role::Host).await;
    let begun = tokio::time::Instant::now();
    directory.shut_down(Duration::from_secs(3)).await;
    assert_eq!(begun.elapsed().as_secs(), 3);
}
