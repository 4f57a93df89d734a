//! The shard's thread: sleep, then one turn of commands, datagrams, timers, sending and telling.
//!
//! The clock is read once per batch. A panic in a turn's work is caught where it happened; it costs
//! the session (or room) it happened in, and the turn goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant, SystemTime};

use estrade_net::{Poller, Readiness, RecvBatch};
use estrade_types::limits::COMMANDS_PER_TURN_MAX;
use estrade_types::{
    CloseReason, CommandId, CommandRefused, DropReason, MonoTime, NtpTime, ShardCommand,
    ShardEvent, WallClock,
};

use crate::socket_sink::SocketSink;
use crate::{Engine, EventSink};

/// How often counters are copied out and the wall clock is read.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(1);

/// How long the thread sleeps while control does not read its events.
const RETRY_EVENTS: Duration = Duration::from_millis(10);

/// How often the last events are offered, [`RETRY_EVENTS`] apart: 2 s.
const LAST_RETRIES_MAX: u32 = 200;

/// How many batches are read before timers and commands get their turn.
const BATCHES_PER_TURN_MAX: usize = 4;

/// Errors of the poller in a row after which the thread gives up: it cannot sleep any more.
const POLL_ERRORS_MAX: u32 = 100;

/// The clock of one shard: monotonic time since the server's origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: Instant,
}

impl Clock {
    /// A clock that shows zero at `epoch`.
    pub(crate) const fn new(epoch: Instant) -> Self {
        Self { epoch }
    }

    /// The time now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of a shard that reads the clock"
    )]
    pub(crate) fn now(self) -> MonoTime {
        let since = Instant::now().saturating_duration_since(self.epoch);
        MonoTime::ZERO.plus(since)
    }

    /// Both clocks now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of a shard that reads the clock"
    )]
    pub(crate) fn wall_clock(self) -> WallClock {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        WallClock {
            mono: self.now(),
            ntp: NtpTime::from_unix(since_1970.unwrap_or_default()),
        }
    }
}

/// Everything the thread owns.
pub(crate) struct Turns {
    pub(crate) engine: Engine,
    pub(crate) sink: SocketSink,
    pub(crate) poller: Poller,
    pub(crate) clock: Clock,
    pub(crate) commands: Receiver<(CommandId, ShardCommand)>,
    pub(crate) events: Box<dyn EventSink>,
    pub(crate) housekeeping_at: MonoTime,
    /// Commands wait until control has read some events.
    pub(crate) holds_back: bool,
    pub(crate) turns: u64,
    pub(crate) busy: Duration,
}

impl Turns {
    /// Runs until `is_stopping` says so, then closes every session and tells the rest, that it
    /// stopped last.
    pub(crate) fn run(&mut self, is_stopping: impl Fn() -> bool) {
        let mut batch = RecvBatch::new();
        let mut poll_errors = 0;
        // Commands may have been queued before the waker was watched.
        let mut has_more = true;
        while !is_stopping() {
            let patience = self.patience(has_more);
            match self.poller.wait(patience, self.sink.is_blocked()) {
                Ok(ready) => {
                    poll_errors = 0;
                    has_more = self.turn(ready, &mut batch);
                }
                Err(_) if poll_errors < POLL_ERRORS_MAX => poll_errors += 1,
                Err(_) => break,
            }
        }
        let now = self.clock.now();
        self.guarded(now, |turns| {
            turns
                .engine
                .close(now, CloseReason::ServerShutdown, &mut turns.sink);
        });
        self.refuse_commands(now);
        self.sink.retry();
        let was_asked = is_stopping();
        let stopped = ShardEvent::Stopped { was_asked };
        self.engine.outbox_mut().push(stopped);
        self.deliver_last();
    }

    /// One turn. True when work is left that needs no waiting.
    fn turn(&mut self, ready: Readiness, batch: &mut RecvBatch) -> bool {
        let started = self.clock.now();
        if ready.is_writable {
            self.sink.retry();
        }
        let has_commands = self.run_commands(started);
        let has_datagrams = ready.is_readable && self.receive(batch);
        let now = self.clock.now();
        self.guarded(now, |turns| turns.engine.on_timeout(now, &mut turns.sink));
        self.sink.flush();
        if now >= self.housekeeping_at {
            self.keep_house(now);
        }
        self.deliver();
        self.turns += 1;
        self.busy += self.clock.now() - started;
        has_commands || has_datagrams
    }

    /// How long to sleep.
    fn patience(&mut self, has_more: bool) -> Option<Duration> {
        if has_more {
            return Some(Duration::ZERO);
        }
        let now = self.clock.now();
        let mut until = self.housekeeping_at;
        if let Some(deadline) = self.engine.next_deadline() {
            until = until.min(deadline);
        }
        if self.holds_back || !self.engine.outbox_mut().is_empty() {
            until = until.min(now.plus(RETRY_EVENTS));
        }
        Some(until - now)
    }

    /// Applies commands that wait, as many as a turn may. True when more may wait.
    fn run_commands(&mut self, now: MonoTime) -> bool {
        for _ in 0..COMMANDS_PER_TURN_MAX {
            self.holds_back = self.engine.outbox_mut().holds_back();
            if self.holds_back {
                return false;
            }
            match self.commands.try_recv() {
                Ok((id, command)) => self.run_command(now, id, command),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    /// Applies a command. One that panics is acknowledged too, so that no call hangs on it; what it
    /// worked on is closed and told by then.
    fn run_command(&mut self, now: MonoTime, id: CommandId, command: ShardCommand) {
        let is_done = self.guarded(now, |turns| {
            turns.engine.apply(now, id, command, &mut turns.sink);
        });
        if !is_done {
            let outcome = Err(CommandRefused::Invalid);
            let event = ShardEvent::Applied { id, outcome };
            self.engine.outbox_mut().push(event);
        }
    }

    /// Reads what waits in the socket, up to a few batches. True when more may wait.
    fn receive(&mut self, batch: &mut RecvBatch) -> bool {
        for _ in 0..BATCHES_PER_TURN_MAX {
            // An error is about one datagram that could not be read: the next call reads on.
            let datagrams = self.sink.socket().receive(batch);
            if !datagrams.is_ok_and(|datagrams| datagrams > 0) {
                return false;
            }
            let now = self.clock.now();
            for (from, datagram) in batch.datagrams_mut() {
                self.guarded(now, |turns| {
                    turns
                        .engine
                        .on_datagram(now, from, datagram, &mut turns.sink);
                });
            }
        }
        true
    }

    /// Runs `work`; a panic in it costs what it worked on, not the shard. False after a panic.
    fn guarded(&mut self, now: MonoTime, work: impl FnOnce(&mut Self)) -> bool {
        let is_done = catch_unwind(AssertUnwindSafe(|| work(self))).is_ok();
        if !is_done {
            self.engine.on_panic(now, &mut self.sink);
        }
        is_done
    }

    fn keep_house(&mut self, now: MonoTime) {
        self.housekeeping_at = now.plus(HOUSEKEEPING_EVERY);
        self.engine.set_wall_clock(self.clock.wall_clock());
        let sent = self.sink.sent();
        let mut counters = self.engine.counters();
        // What the kernel took, rather than what it was given.
        counters.tx_datagrams = sent.datagrams;
        counters.tx_bytes = sent.bytes;
        counters.drops.add(DropReason::EgressFull, sent.overflowed);
        counters.drops.add(DropReason::EgressFailed, sent.failed);
        counters.turns = self.turns;
        counters.busy_us = u64::try_from(self.busy.as_micros()).unwrap_or(u64::MAX);
        let event = ShardEvent::Counters(Box::new(counters));
        self.engine.outbox_mut().push(event);
    }

    fn deliver(&mut self) {
        let events = self.events.as_mut();
        let outbox = self.engine.outbox_mut();
        // A sink that panics loses the event it was given; the media goes on.
        drop(catch_unwind(AssertUnwindSafe(|| outbox.deliver(events))));
    }

    /// Gives control some time to read the last events.
    fn deliver_last(&mut self) {
        for _ in 0..LAST_RETRIES_MAX {
            self.deliver();
            if self.engine.outbox_mut().is_empty() {
                return;
            }
            // Nothing can be done about an error here but to try again.
            let _slept = self.poller.wait(Some(RETRY_EVENTS), false);
        }
    }

    /// Commands that came too late are refused, so that no call waits for ever.
    fn refuse_commands(&mut self, now: MonoTime) {
        while let Ok((id, command)) = self.commands.try_recv() {
            self.run_command(now, id, command);
        }
    }
}
