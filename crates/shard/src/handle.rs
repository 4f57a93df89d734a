//! The door between control and one shard's thread.
//!
//! Control holds a [`ShardHandle`] (cheap to clone, usable from any thread) and an [`EventSink`]
//! of its own. Commands wait in a bounded queue; a full queue refuses, it never blocks.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use estrade_net::{Poller, UdpSocket, Waker};
use estrade_transport::Certificate;
use estrade_types::limits::COMMAND_QUEUE_MAX;
use estrade_types::{CommandId, ShardCommand, ShardEvent, ShardIndex};

use crate::socket_sink::SocketSink;
use crate::turn::{Clock, Turns};
use crate::{Engine, EngineConfig, ShardConfig};

/// Takes the facts a shard tells, in their order. Runs on the shard's thread: it must not block.
pub trait EventSink: Send {
    /// Takes `event`, or gives it back when there is no room now. The shard keeps what it got back
    /// and offers it again on a later turn, before anything newer.
    ///
    /// # Errors
    ///
    /// The event itself, when the sink is full.
    fn offer(&mut self, event: ShardEvent) -> Result<(), ShardEvent>;
}

/// Why a command was not taken; it will have no effect and no acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError {
    /// [`COMMAND_QUEUE_MAX`] commands wait already. Later may be better.
    Full,
    /// The shard's thread has ended or was asked to.
    Stopped,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the shard's command queue is full",
            Self::Stopped => "the shard is stopped",
        })
    }
}

impl std::error::Error for SubmitError {}

/// A shard's thread, as control sees it. Dropping the last handle does not stop the shard.
#[derive(Clone, Debug)]
pub struct ShardHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    index: ShardIndex,
    candidates: Vec<SocketAddr>,
    commands: SyncSender<(CommandId, ShardCommand)>,
    waker: Waker,
    is_stopping: AtomicBool,
    ended: Mutex<bool>,
    ended_changed: Condvar,
}

impl ShardHandle {
    /// Queues a command; its acknowledgement is [`ShardEvent::Applied`] with the same id.
    ///
    /// # Errors
    ///
    /// When the queue is full or the shard stopped; the command then has no effect.
    pub fn submit(&self, id: CommandId, command: ShardCommand) -> Result<(), SubmitError> {
        if self.shared.is_stopping.load(Ordering::Acquire) {
            return Err(SubmitError::Stopped);
        }
        match self.shared.commands.try_send((id, command)) {
            Ok(()) => {
                self.shared.waker.wake();
                Ok(())
            }
            Err(TrySendError::Full(_)) => Err(SubmitError::Full),
            Err(TrySendError::Disconnected(_)) => Err(SubmitError::Stopped),
        }
    }

    /// Which shard this is.
    pub fn index(&self) -> ShardIndex {
        self.shared.index
    }

    /// The addresses at which endpoints reach this shard, for the answer. Never empty.
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.shared.candidates
    }

    /// Asks the thread to close every session and end. Returns at once; the last event is
    /// [`ShardEvent::Stopped`].
    pub fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        self.shared.waker.wake();
    }

    /// Waits until the thread has ended, `patience` at most. True when it has.
    pub fn join(&self, patience: Duration) -> bool {
        let ended = self
            .shared
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (ended, _) = self
            .shared
            .ended_changed
            .wait_timeout_while(ended, patience, |ended| !*ended)
            .unwrap_or_else(PoisonError::into_inner);
        *ended
    }
}

/// Binds the shard's socket and starts its thread.
///
/// # Errors
///
/// When the socket cannot be bound, the system has no random numbers, or the thread cannot be
/// started.
pub fn spawn(
    config: ShardConfig,
    certificate: Arc<Certificate>,
    events: Box<dyn EventSink>,
) -> io::Result<ShardHandle> {
    let socket = UdpSocket::bind(config.bind, config.socket_buffer_bytes)?;
    let candidates = candidates(&config, socket.local_addr())?;
    let poller = Poller::new(&socket)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let clock = Clock::new(config.epoch);
    let (commands, queue) = sync_channel(COMMAND_QUEUE_MAX);
    let shared = Arc::new(Shared {
        index: config.index,
        candidates,
        commands,
        waker: poller.waker(),
        is_stopping: AtomicBool::new(false),
        ended: Mutex::new(false),
        ended_changed: Condvar::new(),
    });
    let for_thread = Arc::clone(&shared);
    let engine = EngineConfig {
        index: config.index,
        certificate,
        seed,
        epoch: config.epoch,
        wall_clock: clock.wall_clock(),
    };
    std::thread::Builder::new()
        .name(format!("estrade-shard-{}", config.index.0))
        .spawn(move || {
            let turns = Turns {
                engine: Engine::new(engine),
                sink: SocketSink::new(socket),
                poller,
                clock,
                commands: queue,
                events,
                housekeeping_at: clock.now(),
                holds_back: false,
                turns: 0,
                busy: Duration::ZERO,
            };
            run(&for_thread, turns);
        })?;
    Ok(ShardHandle { shared })
}

/// The thread's body: whatever happens in it, control is told that it ended, once its port is free.
fn run(shared: &Shared, mut turns: Turns) {
    let is_stopping = || shared.is_stopping.load(Ordering::Acquire);
    let ended = catch_unwind(AssertUnwindSafe(|| turns.run(is_stopping)));
    shared.is_stopping.store(true, Ordering::Release);
    if ended.is_err() {
        // Not through the outbox: it may be half changed.
        let stopped = ShardEvent::Stopped { was_asked: false };
        drop(catch_unwind(AssertUnwindSafe(|| {
            turns.events.offer(stopped)
        })));
    }
    // The socket first: whoever waits for the end may bind its port.
    drop(turns);
    *shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
    shared.ended_changed.notify_all();
}

/// The addresses to be told to endpoints, with the port that was bound.
fn candidates(config: &ShardConfig, bound: SocketAddr) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = config.advertise.clone();
    if addresses.is_empty() && !bound.ip().is_unspecified() {
        addresses.push(bound.ip());
    }
    if addresses.is_empty() {
        addresses = estrade_net::local_addresses()?;
        addresses.retain(|address| bound.is_ipv6() || address.is_ipv4());
    }
    if addresses.is_empty() {
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    let port = bound.port();
    Ok(addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, port))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates_of(advertise: &[&str], bound: &str) -> Vec<String> {
        let config = ShardConfig {
            advertise: advertise.iter().map(|a| a.parse().unwrap()).collect(),
            ..ShardConfig::default()
        };
        let all = candidates(&config, bound.parse().unwrap()).unwrap();
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn candidates_are_what_is_advertised_with_the_port_that_was_bound() {
        let told = candidates_of(&["203.0.113.5", "2001:db8::5"], "0.0.0.0:4000");
        assert_eq!(told, ["203.0.113.5:4000", "[2001:db8::5]:4000"]);
    }

    #[test]
    fn without_advertised_addresses_the_bound_one_is_told() {
        assert_eq!(candidates_of(&[], "127.0.0.1:4000"), ["127.0.0.1:4000"]);
    }

    #[test]
    fn a_wildcard_tells_the_machine_s_own_addresses_or_loopback() {
        let told = candidates_of(&[], "0.0.0.0:4000");
        assert!(!told.is_empty());
        assert!(
            told.iter()
                .all(|a| a.ends_with(":4000") && !a.starts_with("0."))
        );
        assert!(
            told.iter().all(|a| !a.starts_with('[')),
            "an IPv4 socket takes no IPv6"
        );
    }
}
