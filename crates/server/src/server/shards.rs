//! The media shards and the directory over them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use estrade_directory::{Directory, DirectoryConfig};
use estrade_shard::{Certificate, EventSink, ShardConfig, ShardHandle};
use estrade_types::{ShardEvent, ShardIndex};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::{Listener, StartError};
use crate::MediaConfig;

/// One shard's end of the directory's queue.
struct ToDirectory {
    shard: ShardIndex,
    queue: mpsc::Sender<(ShardIndex, ShardEvent)>,
}

impl EventSink for ToDirectory {
    fn offer(&mut self, event: ShardEvent) -> Result<(), ShardEvent> {
        match self.queue.try_send((self.shard, event)) {
            // A directory that is gone wants no events: the server is stopping.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            Err(TrySendError::Full((_, event))) => Err(event),
        }
    }
}

/// Starts every shard, then the directory. When one cannot start, those before it are stopped.
pub(super) fn start(
    media: &MediaConfig,
    directory: DirectoryConfig,
) -> Result<(Directory, Vec<ShardHandle>), StartError> {
    let certificate = Certificate::generate()
        .map(Arc::new)
        .map_err(|error| StartError::Shard(io::Error::other(error)))?;
    let (queue, events) = Directory::event_channel();
    #[expect(
        clippy::disallowed_methods,
        reason = "the one origin of monotonic time, given to every shard"
    )]
    let epoch = Instant::now();
    let mut shards: Vec<ShardHandle> = Vec::new();
    for index in 0..media.shard_count() {
        let port = match media.port_base {
            0 => 0,
            base => base.saturating_add(index), // The config's check keeps this below 65536.
        };
        let config = ShardConfig {
            advertise: media.advertise_ips.clone(),
            socket_buffer_bytes: media.socket_buffer_bytes,
            epoch,
            ..ShardConfig::new(ShardIndex(index), SocketAddr::new(media.bind, port))
        };
        let sink = ToDirectory {
            shard: ShardIndex(index),
            queue: queue.clone(),
        };
        match estrade_shard::spawn(config, Arc::clone(&certificate), Box::new(sink)) {
            Ok(shard) => shards.push(shard),
            Err(source) => {
                for shard in &shards {
                    shard.stop();
                }
                return Err(StartError::Bind {
                    listener: Listener::Media,
                    addr: SocketAddr::new(media.bind, port),
                    source,
                });
            }
        }
    }
    let directory = Directory::start(directory, certificate, shards.clone(), events);
    Ok((directory, shards))
}
