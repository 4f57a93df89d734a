//! The seam with a real shard on loopback: every command is acknowledged, in time and without
//! refusal, and the end of the shard is heard.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use estrade_room::{Actor, Command};
use estrade_shard::{Certificate, EventSink, ShardConfig, ShardHandle};
use estrade_types::{CloseReason, LinkKind, Role, ShardEvent, ShardIndex};
use tokio::sync::mpsc;

use super::fake::{admission, create, join, mute, pid, rid, until};
use super::media::{INTERACTIVE, offer};
use crate::{ClientNotice, Directory, DirectoryConfig};

struct Sink(mpsc::Sender<(ShardIndex, ShardEvent)>);

impl EventSink for Sink {
    fn offer(&mut self, event: ShardEvent) -> Result<(), ShardEvent> {
        self.0
            .try_send((ShardIndex(0), event))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full((_, event))
                | mpsc::error::TrySendError::Closed((_, event)) => event,
            })
    }
}

fn directory() -> (Directory, ShardHandle) {
    let certificate = Arc::new(Certificate::generate().unwrap());
    let (sender, events) = Directory::event_channel();
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = ShardConfig::new(ShardIndex(0), bind);
    let sink = Box::new(Sink(sender));
    let shard = estrade_shard::spawn(config, Arc::clone(&certificate), sink).unwrap();
    let config = DirectoryConfig::default();
    let shards = vec![shard.clone()];
    (Directory::start(config, certificate, shards, events), shard)
}

#[tokio::test]
async fn a_room_lives_and_ends_on_a_real_shard() {
    let (directory, shard) = directory();
    directory.create_room(create("r")).await.unwrap();
    let mut host = join(&directory, "host", Role::Host).await;
    let lis = join(&directory, "lis", Role::Listener).await;
    for client in [&host, &lis] {
        let answer = client.negotiate(&offer(&INTERACTIVE)).await.unwrap();
        assert!(answer.contains("a=ice-lite"), "{answer}");
        assert!(answer.contains("127.0.0.1"), "{answer}");
    }
    lis.act(Command::RaiseHand).await.unwrap();
    let participant = pid("lis");
    let approve = Command::ApproveHand { participant };
    host.act(approve).await.unwrap();
    host.act(mute("lis")).await.unwrap();
    let participants = vec![pid("host"), pid("lis")];
    let spotlight = Command::Spotlight { participants };
    host.act(spotlight).await.unwrap();
    host.pin(Some(pid("lis"))).await.unwrap();
    lis.want_video(false).await.unwrap();
    let fragment = "a=ice-ufrag:next\r\na=ice-pwd:clientpasswordclientpassw\r\n";
    assert!(lis.ice_fragment(fragment).await.unwrap().is_some());
    let demote = Command::Demote {
        participant: pid("lis"),
    };
    directory.act(&rid("r"), Actor::App, demote).await.unwrap();
    lis.leave().await;
    let again = admission("r", "host", Role::Host);
    let mut replacing = directory.join(again, LinkKind::WebSocket).await.unwrap();
    let closed = |notice: &ClientNotice| match notice {
        ClientNotice::Closed(reason) => Some(*reason),
        _ => None,
    };
    assert_eq!(until(&mut host, closed).await, CloseReason::Replaced);
    directory
        .end_room(&rid("r"), CloseReason::RoomEnded)
        .await
        .unwrap();
    assert_eq!(until(&mut replacing, closed).await, CloseReason::RoomEnded);
    shard.stop();
    assert!(shard.join(Duration::from_secs(10)));
}

#[tokio::test]
async fn the_end_of_a_real_shard_ends_its_rooms() {
    let (directory, shard) = directory();
    directory.create_room(create("r")).await.unwrap();
    let mut host = join(&directory, "host", Role::Host).await;
    shard.stop();
    let reason = until(&mut host, |notice| match notice {
        ClientNotice::Closed(reason) => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::InternalError);
    assert!(!directory.is_ready());
}
