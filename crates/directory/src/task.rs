//! One room's task: the only owner of its [`Room`].
//!
//! Calls arrive by a bounded mailbox, facts by the [`crate::inbox::Inbox`], time by the earliest
//! deadline. Each goes through [`Room::apply`]; the effects are performed in their order at once
//! (shard commands handed over, notices and events queued), and a call is answered when the shard
//! has acknowledged what the call caused. The task itself never waits for a shard, a client or a
//! watcher.

mod calls;
mod clients;
mod effects;
mod facts;
mod session;

use std::sync::Arc;
use std::time::Duration;

use estrade_room::{
    Actor, Applied, Command, Effect, ParticipantView, Room, RoomSettings, RoomView, StageFilter,
};
use estrade_types::{
    Admission, CommandRefused, IceCredentials, LinkKind, Mid, MonoTime, OpenSession, ParticipantId,
    SessionId, ShardCommand,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::inbox::Fact;
use crate::notices::NoticeSender;
use crate::registry::RoomHandle;
use crate::shard_link::{Acks, Outbox};
use crate::watch::{EventStream, Events};
use crate::{DataMessage, DirectoryError, SpeakingNotice};
use clients::Clients;

/// Facts taken before calls get their turn again.
const FACTS_PER_TURN: usize = 256;

/// Shortest time between two audience counts.
const AUDIENCE_INTERVAL: Duration = Duration::from_secs(1);

/// Shortest time between two speaking notices.
const SPEAKING_INTERVAL: Duration = Duration::from_millis(100);

/// How often clients that fell behind are looked at.
const RECOVERY_INTERVAL: Duration = Duration::from_millis(250);

/// Where a call's answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, DirectoryError>>;

/// A call on a room.
#[derive(Debug)]
pub(crate) enum RoomCall {
    View(Reply<RoomView>),
    Participant(ParticipantId, Reply<ParticipantView>),
    Page(PageCall),
    Watch(Option<u64>, Reply<EventStream>),
    Act(Box<ActCall>),
    Join(Box<JoinCall>),
    Leave(SessionId, Reply<()>),
    Open(Box<OpenCall>),
    Restart(RestartCall),
    WantVideo(SessionId, bool, Reply<()>),
    Pin(SessionId, Option<ParticipantId>, Reply<()>),
    Data(Box<DataCall>),
    /// Makes the task panic, to see what it costs.
    #[cfg(test)]
    Crash,
}

#[derive(Debug)]
pub(crate) struct PageCall {
    pub(crate) filter: StageFilter,
    pub(crate) after: Option<ParticipantId>,
    pub(crate) count: usize,
    pub(crate) reply: Reply<Page>,
}

/// Participants of a page, whether there are more, and how many on all pages.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) participants: Vec<ParticipantView>,
    pub(crate) has_more: bool,
    pub(crate) total: u32,
}

#[derive(Debug)]
pub(crate) struct ActCall {
    pub(crate) actor: Actor,
    /// The actor's session, which must be its present one.
    pub(crate) session: Option<SessionId>,
    pub(crate) command: Command,
    pub(crate) reply: Reply<Applied>,
}

#[derive(Debug)]
pub(crate) struct JoinCall {
    pub(crate) admission: Admission,
    pub(crate) session: SessionId,
    pub(crate) link: LinkKind,
    pub(crate) notices: NoticeSender,
    pub(crate) reply: Reply<()>,
}

/// Opens a session on the shard; room and participant are filled in by the task.
#[derive(Debug)]
pub(crate) struct OpenCall {
    pub(crate) open: OpenSession,
    pub(crate) mid: Option<Mid>,
    pub(crate) reply: Reply<IceCredentials>,
}

#[derive(Debug)]
pub(crate) struct RestartCall {
    pub(crate) session: SessionId,
    pub(crate) remote_ice: IceCredentials,
    pub(crate) reply: Reply<Option<Restarted>>,
}

/// What the fragment of an ICE restart says.
#[derive(Debug)]
pub(crate) struct Restarted {
    pub(crate) local_ice: IceCredentials,
    pub(crate) mid: Option<Mid>,
}

#[derive(Debug)]
pub(crate) struct DataCall {
    /// `None` from the app.
    pub(crate) session: Option<SessionId>,
    pub(crate) to: Option<ParticipantId>,
    pub(crate) message: DataMessage,
    pub(crate) reply: Reply<()>,
}

/// The state of one room's task.
#[derive(Debug)]
pub(crate) struct RoomTask {
    room: Room,
    handle: Arc<RoomHandle>,
    clock: Clock,
    command_timeout: Duration,
    mailbox: mpsc::Receiver<RoomCall>,
    outbox: Outbox,
    clients: Clients,
    events: Events,
    audience: Audience,
    speaking: Speaking,
    /// When to look again at clients that fell behind.
    recovery: Option<MonoTime>,
}

/// The audience count as last told.
#[derive(Debug, Default)]
struct Audience {
    told: u32,
    told_at: Option<MonoTime>,
}

/// Who speaks, on its way to clients.
#[derive(Debug, Default)]
struct Speaking {
    untold: Option<Arc<Vec<SpeakingNotice>>>,
    told_at: Option<MonoTime>,
}

impl RoomTask {
    /// Makes a room and its task, which [`Self::run`] must be called on.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub(crate) fn new(
        handle: Arc<RoomHandle>,
        settings: RoomSettings,
        clock: Clock,
        command_timeout: Duration,
        mailbox: mpsc::Receiver<RoomCall>,
    ) -> Result<Self, DirectoryError> {
        let mut effects = Vec::new();
        let now = clock.now();
        let unix_ms = Clock::unix_ms();
        let room = Room::new(handle.id.clone(), settings, now, unix_ms, &mut effects)?;
        let mut task = Self {
            room,
            outbox: Outbox::new(Arc::clone(&handle.shard)),
            handle,
            clock,
            command_timeout,
            mailbox,
            clients: Clients::default(),
            events: Events::default(),
            audience: Audience::default(),
            speaking: Speaking::default(),
            recovery: None,
        };
        drop(task.perform(effects));
        Ok(task)
    }

    /// Opens the room on its shard, says so, and serves it until it ends.
    ///
    /// # Errors
    ///
    /// When the shard did not open the room.
    pub(crate) async fn run(
        mut self,
        opened: oneshot::Sender<Result<(), DirectoryError>>,
    ) -> Result<(), DirectoryError> {
        let result = self.open_on_shard().await;
        drop(opened.send(result.clone()));
        result?;
        while !self.room.is_ended() {
            let handle = Arc::clone(&self.handle);
            let deadline = self.next_deadline().map(|at| self.clock.instant(at));
            tokio::select! {
                Some(call) = self.mailbox.recv() => self.on_call(call),
                () = handle.inbox.wait() => self.on_facts(),
                () = sleep_until(deadline) => self.on_time(),
            }
            // At every turn: what comes in quicker than the retry is due would put it off for ever.
            self.outbox.flush();
            if !self.handle.shard.is_running() {
                // Its last word may have been lost with it.
                self.on_fact(Fact::ShardLost);
            }
        }
        // Further callers find no such room: their replies are dropped with the mailbox.
        self.mailbox.close();
        let until = self.clock.now().plus(self.command_timeout);
        while !self.outbox.is_empty() && self.clock.now() < until {
            tokio::time::sleep(Outbox::RETRY).await;
            self.outbox.flush();
        }
        Ok(())
    }

    async fn open_on_shard(&mut self) -> Result<(), DirectoryError> {
        let mut acks = Acks::default();
        acks.add(self.outbox.push(ShardCommand::SetRoom {
            room: self.handle.key,
            settings: self.room.settings().media,
        }));
        let mut wait = std::pin::pin!(acks.wait(self.call_deadline()));
        loop {
            tokio::select! {
                result = &mut wait => return result.map(|_| ()),
                () = tokio::time::sleep(Outbox::RETRY), if !self.outbox.is_empty() => {
                    self.outbox.flush();
                }
            }
        }
    }

    /// When the shard must have answered what is asked now.
    fn call_deadline(&self) -> Instant {
        self.clock
            .instant(self.clock.now().plus(self.command_timeout))
    }

    fn next_deadline(&self) -> Option<MonoTime> {
        let now = self.clock.now();
        let retry = (!self.outbox.is_empty()).then(|| now.plus(Outbox::RETRY));
        let audience = self.audience_due();
        let speaking = self.speaking_due();
        let room = self.room.next_deadline();
        [room, retry, audience, speaking, self.recovery]
            .into_iter()
            .flatten()
            .min()
    }

    fn on_facts(&mut self) {
        for _ in 0..FACTS_PER_TURN {
            let Some(fact) = self.handle.inbox.pop() else {
                return;
            };
            self.on_fact(fact);
            if self.room.is_ended() {
                return;
            }
        }
        // There may be more: come back after the calls.
        self.handle.inbox.rouse();
    }

    fn on_time(&mut self) {
        let now = self.clock.now();
        self.outbox.flush();
        if self.room.next_deadline().is_some_and(|at| at <= now) {
            drop(self.apply(&Actor::Server, Command::Tick));
        }
        if self.audience_due().is_some_and(|at| at <= now) {
            self.tell_audience(now);
        }
        if self.speaking_due().is_some_and(|at| at <= now) {
            self.tell_speaking(now);
        }
        if self.recovery.is_some_and(|at| at <= now) {
            self.recover_clients(now);
        }
    }

    /// Applies a command and performs its effects.
    fn apply(
        &mut self,
        actor: &Actor,
        command: Command,
    ) -> Result<(Applied, Acks), DirectoryError> {
        if self.outbox.is_full() && !matches!(actor, Actor::Server) {
            return Err(DirectoryError::Unavailable {
                why: "the media shard is behind",
            });
        }
        let mut effects: Vec<Effect> = Vec::new();
        let now = self.clock.now();
        let applied = self
            .room
            .apply(now, Clock::unix_ms(), actor, command, &mut effects)?;
        Ok((applied, self.perform(effects)))
    }

    /// Answers a call once the shard has acknowledged everything it caused.
    fn answer<T: Send + 'static>(&self, acks: Acks, reply: Reply<T>, value: T) {
        if acks.is_empty() {
            drop(reply.send(Ok(value)));
            return;
        }
        let settled = self.settled(acks);
        tokio::spawn(async move {
            let result = settled.await;
            drop(reply.send(result.map(|_| value)));
        });
    }

    /// What the shard says to all of these. One that no longer knows the room has lost it, to a
    /// panic in its work: nobody could come in or be heard here again.
    fn settled(
        &self,
        acks: Acks,
    ) -> impl Future<Output = Result<Option<IceCredentials>, DirectoryError>> + Send + use<> {
        let until = self.call_deadline();
        let handle = Arc::clone(&self.handle);
        async move {
            let result = acks.wait(until).await;
            if result == Err(DirectoryError::Shard(CommandRefused::UnknownRoom)) {
                handle.inbox.push(Fact::ShardLost);
            }
            result
        }
    }
}

/// Sleeps until `deadline`; for ever without one.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
