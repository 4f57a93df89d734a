//! The door between control and one shard's thread.
//!
//! Control holds a [`ShardHandle`] (cheap to clone, usable from any thread) and an [`EventSink`]
//! of its own. Commands wait in a bounded queue; a full queue refuses, it never blocks.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use estrade_transport::Certificate;
use estrade_types::limits::COMMAND_QUEUE_MAX;
use estrade_types::{CommandId, ShardCommand, ShardEvent, ShardIndex};

use crate::ShardConfig;

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
            Ok(()) => Ok(()),
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
/// When the socket cannot be bound or the thread cannot be started.
pub fn spawn(
    config: ShardConfig,
    certificate: Arc<Certificate>,
    events: Box<dyn EventSink>,
) -> io::Result<ShardHandle> {
    let (commands, queue) = sync_channel(COMMAND_QUEUE_MAX);
    let shared = Arc::new(Shared {
        index: config.index,
        candidates: vec![config.bind],
        commands,
        is_stopping: AtomicBool::new(false),
        ended: Mutex::new(false),
        ended_changed: Condvar::new(),
    });
    let for_thread = Arc::clone(&shared);
    std::thread::Builder::new()
        .name(format!("estrade-shard-{}", config.index.0))
        .spawn(move || run(&for_thread, &queue, &certificate, events))?;
    Ok(ShardHandle { shared })
}

fn run(
    shared: &Shared,
    queue: &Receiver<(CommandId, ShardCommand)>,
    _certificate: &Certificate,
    mut events: Box<dyn EventSink>,
) {
    while !shared.is_stopping.load(Ordering::Acquire) {
        if let Ok((_, _)) = queue.recv_timeout(Duration::from_millis(100)) {}
    }
    drop(events.offer(ShardEvent::Stopped { was_asked: true }));
    *shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
    shared.ended_changed.notify_all();
}
