//! One shard as the directory sees it: commands out, acknowledgements matched to who waits.
//!
//! Fed by room tasks ([`Outbox`]) and by the event pump ([`ShardLink::acknowledge`]). A command that
//! the shard's full queue did not take waits in its room's outbox, in order, and is tried again.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use estrade_shard::{ShardHandle, SubmitError};
use estrade_types::{
    CommandId, CommandOutcome, CommandRefused, IceCredentials, ShardCommand, ShardCounters,
    ShardIndex,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::DirectoryError;

/// What a shard answered to a command.
pub(crate) type Outcome = Result<CommandOutcome, CommandRefused>;

/// A shard's door: the real one, or a test's.
pub(crate) trait ShardDoor: Send + Sync + fmt::Debug {
    fn submit(&self, id: CommandId, command: ShardCommand) -> Result<(), SubmitError>;
    fn index(&self) -> ShardIndex;
    fn candidates(&self) -> &[SocketAddr];
}

impl ShardDoor for ShardHandle {
    fn submit(&self, id: CommandId, command: ShardCommand) -> Result<(), SubmitError> {
        Self::submit(self, id, command)
    }

    fn index(&self) -> ShardIndex {
        Self::index(self)
    }

    fn candidates(&self) -> &[SocketAddr] {
        Self::candidates(self)
    }
}

#[derive(Debug)]
pub(crate) struct ShardLink {
    door: Box<dyn ShardDoor>,
    next_command: AtomicU64,
    /// Who waits for which acknowledgement. Bounded by what the shard's queue takes.
    waiting: Mutex<BTreeMap<CommandId, oneshot::Sender<Outcome>>>,
    is_running: AtomicBool,
    counters: Mutex<ShardCounters>,
}

impl ShardLink {
    pub(crate) fn new(door: Box<dyn ShardDoor>) -> Self {
        let counters = ShardCounters {
            shard: Some(door.index()),
            ..ShardCounters::default()
        };
        Self {
            door,
            next_command: AtomicU64::new(1),
            waiting: Mutex::new(BTreeMap::new()),
            is_running: AtomicBool::new(true),
            counters: Mutex::new(counters),
        }
    }

    pub(crate) fn index(&self) -> ShardIndex {
        self.door.index()
    }

    pub(crate) fn candidates(&self) -> &[SocketAddr] {
        self.door.candidates()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Acquire)
    }

    pub(crate) fn counters(&self) -> ShardCounters {
        lock(&self.counters).clone()
    }

    pub(crate) fn set_counters(&self, counters: ShardCounters) {
        *lock(&self.counters) = counters;
    }

    /// Hands a command over; on refusal gives the waiter back.
    fn submit(
        &self,
        command: &ShardCommand,
        waiter: oneshot::Sender<Outcome>,
    ) -> Result<(), (SubmitError, oneshot::Sender<Outcome>)> {
        let id = CommandId(self.next_command.fetch_add(1, Ordering::Relaxed));
        // Noted first: the acknowledgement may be quicker than we are.
        lock(&self.waiting).insert(id, waiter);
        match self.door.submit(id, command.clone()) {
            Ok(()) => Ok(()),
            Err(error) => match lock(&self.waiting).remove(&id) {
                Some(waiter) => Err((error, waiter)),
                None => Ok(()),
            },
        }
    }

    /// The shard applied or refused a command.
    pub(crate) fn acknowledge(&self, id: CommandId, outcome: Outcome) {
        let Some(waiter) = lock(&self.waiting).remove(&id) else {
            return;
        };
        if let Err(Err(refused)) = waiter.send(outcome) {
            tracing::debug!(
                shard = self.index().0,
                ?refused,
                "command refused, nobody waits"
            );
        }
    }

    /// The shard's thread ended: nobody waits for it any more.
    pub(crate) fn stopped(&self) {
        self.is_running.store(false, Ordering::Release);
        lock(&self.waiting).clear();
    }
}

/// Commands of one room on their way to its shard, in order.
#[derive(Debug)]
pub(crate) struct Outbox {
    shard: Arc<ShardLink>,
    queue: VecDeque<(ShardCommand, oneshot::Sender<Outcome>)>,
}

impl Outbox {
    /// Commands that wait here before the room refuses calls that would add more.
    const LEN_MAX: usize = 1_024;

    /// When to try again after the shard's queue was full.
    pub(crate) const RETRY: Duration = Duration::from_millis(5);

    pub(crate) const fn new(shard: Arc<ShardLink>) -> Self {
        Self {
            shard,
            queue: VecDeque::new(),
        }
    }

    /// Queues a command and hands over what the shard takes now.
    pub(crate) fn push(&mut self, command: ShardCommand) -> oneshot::Receiver<Outcome> {
        let (waiter, ack) = oneshot::channel();
        self.queue.push_back((command, waiter));
        self.flush();
        ack
    }

    /// Hands over what the shard takes now.
    pub(crate) fn flush(&mut self) {
        while let Some((command, waiter)) = self.queue.pop_front() {
            match self.shard.submit(&command, waiter) {
                Ok(()) => {}
                Err((SubmitError::Full, waiter)) => {
                    self.queue.push_front((command, waiter));
                    return;
                }
                Err(_) => {
                    self.shard.stopped();
                    self.queue.clear();
                }
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() >= Self::LEN_MAX
    }
}

/// Acknowledgements that a call waits for.
#[derive(Debug, Default)]
pub(crate) struct Acks(Vec<Ack>);

#[derive(Debug)]
struct Ack {
    receiver: oneshot::Receiver<Outcome>,
    /// For commands that close something: that it is gone already is as good.
    may_be_refused: bool,
}

impl Acks {
    pub(crate) fn add(&mut self, receiver: oneshot::Receiver<Outcome>) {
        self.0.push(Ack {
            receiver,
            may_be_refused: false,
        });
    }

    pub(crate) fn add_closing(&mut self, receiver: oneshot::Receiver<Outcome>) {
        self.0.push(Ack {
            receiver,
            may_be_refused: true,
        });
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for all; gives the credentials of a session that was opened or restarted.
    ///
    /// # Errors
    ///
    /// When the shard refuses one, stops, or does not answer in time.
    pub(crate) async fn wait(
        self,
        until: Instant,
    ) -> Result<Option<IceCredentials>, DirectoryError> {
        let mut opened = None;
        for ack in self.0 {
            match tokio::time::timeout_at(until, ack.receiver).await {
                Ok(Ok(Ok(CommandOutcome::SessionOpened { local_ice }))) => opened = Some(local_ice),
                Ok(Ok(Ok(_))) => {}
                Ok(Ok(Err(_))) if ack.may_be_refused => {}
                Ok(Ok(Err(refused))) => return Err(DirectoryError::Shard(refused)),
                Ok(Err(_)) => {
                    return Err(DirectoryError::Unavailable {
                        why: "the media shard has stopped",
                    });
                }
                Err(_) => return Err(DirectoryError::TimedOut),
            }
        }
        Ok(opened)
    }
}

/// A lock whose holder panicked guards plain tables that are right between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
