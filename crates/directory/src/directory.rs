//! Finding and making rooms; the app's calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use estrade_room::{Actor, Applied, Command, ParticipantView, RoomSettings, RoomView, StageFilter};
use estrade_shard::{Certificate, ShardHandle};
use estrade_types::{
    Admission, CloseReason, Fingerprint, LinkKind, ParticipantId, RoomId, SessionId, ShardCommand,
    ShardCounters, ShardEvent, ShardIndex,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::client::ClientParts;
use crate::clock::{Clock, random_name};
use crate::inbox::Fact;
use crate::page_token::{self, ListKind};
use crate::registry::{Presence, Registry, RoomHandle, close_on_shard};
use crate::shard_link::{ShardDoor, ShardLink, lock};
use crate::task::{ActCall, DataCall, JoinCall, PageCall, Reply, RoomCall, RoomTask};
use crate::{Client, DataMessage, DirectoryError, EventStream, notices};

/// Entries of one page.
const PAGE_SIZE_MAX: usize = 1_000;

/// How long a page of rooms waits for each of them. Reading a room waits for no shard.
const PAGE_PATIENCE: Duration = Duration::from_secs(1);

/// Whether a join makes the room it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CreateOnJoin {
    /// Rooms are made by `CreateRoom` alone.
    #[default]
    Never,
    /// By those who may go on stage.
    Stage,
    /// By anyone with a valid token.
    Anyone,
}

/// The directory's settings.
#[derive(Clone, Debug)]
pub struct DirectoryConfig {
    /// Whether a join makes the room it names.
    pub create_on_join: CreateOnJoin,
    /// Settings of rooms made by a join, and defaults of `CreateRoom`.
    pub room_defaults: RoomSettings,
    /// How long a call waits for a shard.
    pub command_timeout: Duration,
    /// Rooms on this node; more are refused.
    pub max_rooms: usize,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        Self {
            create_on_join: CreateOnJoin::default(),
            room_defaults: RoomSettings::default(),
            command_timeout: Duration::from_secs(5),
            max_rooms: 16_384,
        }
    }
}

/// A request to create a room.
#[derive(Clone, Debug)]
pub struct CreateRoom {
    /// Its id; `None` for one of our choice.
    pub id: Option<RoomId>,
    /// Its settings.
    pub settings: RoomSettings,
    /// A repeated request with the same key answers with the room of the first. Kept 24 h, bounded.
    pub idempotency_key: Option<String>,
}

/// A page of rooms.
#[derive(Clone, Debug)]
pub struct RoomPage {
    /// In order of id.
    pub rooms: Vec<RoomView>,
    /// For the next page; `None` at the end.
    pub next_page_token: Option<String>,
}

/// A page of participants.
#[derive(Clone, Debug)]
pub struct ParticipantPage {
    /// In order of identity.
    pub participants: Vec<ParticipantView>,
    /// For the next page; `None` at the end.
    pub next_page_token: Option<String>,
    /// How many there are on all pages.
    pub total: u32,
}

/// The directory of this node's rooms. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Directory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: DirectoryConfig,
    fingerprint: Fingerprint,
    shards: Vec<Arc<ShardLink>>,
    registry: Mutex<Registry>,
    next_session: AtomicU64,
    /// Room tasks and clients.
    presence: Arc<Presence>,
    clock: Clock,
}

impl Directory {
    /// Starts the directory over these shards, whose events arrive on `events` (see
    /// [`crate::Directory::event_channel`]). Must be called inside a tokio runtime.
    pub fn start(
        config: DirectoryConfig,
        certificate: Arc<Certificate>,
        shards: Vec<ShardHandle>,
        events: mpsc::Receiver<(ShardIndex, ShardEvent)>,
    ) -> Self {
        let doors = shards
            .into_iter()
            .map(|shard| -> Box<dyn ShardDoor> { Box::new(shard) });
        Self::over(config, certificate.fingerprint(), doors.collect(), events)
    }

    /// As [`Self::start`], over any kind of shard.
    pub(crate) fn over(
        config: DirectoryConfig,
        fingerprint: Fingerprint,
        doors: Vec<Box<dyn ShardDoor>>,
        events: mpsc::Receiver<(ShardIndex, ShardEvent)>,
    ) -> Self {
        let shards = doors.into_iter().map(|door| Arc::new(ShardLink::new(door)));
        let inner = Arc::new(Inner {
            config,
            fingerprint,
            shards: shards.collect(),
            registry: Mutex::new(Registry::default()),
            next_session: AtomicU64::new(1),
            presence: Arc::default(),
            clock: Clock::start(),
        });
        tokio::spawn(pump(Arc::clone(&inner), events));
        Self { inner }
    }

    /// The queue between shards and directory, bounded by
    /// [`estrade_types::limits::EVENT_QUEUE_MAX`]; clone the sender into each shard's sink.
    #[expect(
        clippy::type_complexity,
        reason = "a channel pair reads best written out"
    )]
    pub fn event_channel() -> (
        mpsc::Sender<(ShardIndex, ShardEvent)>,
        mpsc::Receiver<(ShardIndex, ShardEvent)>,
    ) {
        mpsc::channel(estrade_types::limits::EVENT_QUEUE_MAX)
    }

    /// The directory's settings.
    pub fn config(&self) -> &DirectoryConfig {
        &self.inner.config
    }

    /// Creates a room, open on its shard when this returns.
    ///
    /// # Errors
    ///
    /// When the id is taken, a setting is out of range, the node is full, or the room that an equal
    /// request made has ended.
    pub async fn create_room(&self, request: CreateRoom) -> Result<RoomView, DirectoryError> {
        request.settings.check()?;
        let id = match &request.id {
            Some(id) => id.clone(),
            None => new_room_id()?,
        };
        let handle = match self.register(&request, &id)? {
            Registered::Known(handle) => handle,
            Registered::New(handle, calls) => {
                self.open_room(&handle, request.settings.clone(), calls)
                    .await
                    .inspect_err(|_| lock(&self.inner.registry).keys().forget(&request))?;
                handle
            }
        };
        self.call(&handle, RoomCall::View).await
    }

    /// Reads a room.
    ///
    /// # Errors
    ///
    /// When there is no such room.
    pub async fn room(&self, room: &RoomId) -> Result<RoomView, DirectoryError> {
        let handle = self.find(room)?;
        self.call(&handle, RoomCall::View).await
    }

    /// Reads rooms in order of id, `page_size` (1 to 1000) at a time, all of a page at once. A room
    /// that does not answer within a second, for one because its shard has not opened it yet, is
    /// left out; the pages go on behind it.
    ///
    /// # Errors
    ///
    /// When the page token is not ours.
    pub async fn list_rooms(
        &self,
        page_size: usize,
        page_token: Option<&str>,
    ) -> Result<RoomPage, DirectoryError> {
        let after = page_token
            .map(|token| page_token::decode(ListKind::Rooms, token))
            .transpose()?
            .map(|id| RoomId::new(&id).map_err(|_| DirectoryError::InvalidPageToken))
            .transpose()?;
        let count = page_size.clamp(1, PAGE_SIZE_MAX);
        let mut handles = lock(&self.inner.registry).page(after.as_ref(), count + 1);
        let has_more = handles.len() > count;
        handles.truncate(count);
        let last = handles.last().filter(|_| has_more);
        let next_page_token =
            last.map(|room| page_token::encode(ListKind::Rooms, room.id.as_str()));
        let mut asked: JoinSet<_> = handles.into_iter().map(view_of).collect();
        let mut rooms = Vec::with_capacity(asked.len());
        while let Some(view) = asked.join_next().await {
            rooms.extend(view.ok().flatten());
        }
        rooms.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(RoomPage {
            rooms,
            next_page_token,
        })
    }

    /// Ends a room: everybody out, told why.
    ///
    /// # Errors
    ///
    /// When there is no such room.
    pub async fn end_room(
        &self,
        room: &RoomId,
        reason: CloseReason,
    ) -> Result<Applied, DirectoryError> {
        self.act(room, Actor::App, Command::End { reason }).await
    }

    /// Reads participants in order of identity, `page_size` (1 to 1000) at a time.
    ///
    /// # Errors
    ///
    /// When there is no such room, or the page token is not ours.
    pub async fn participants(
        &self,
        room: &RoomId,
        filter: StageFilter,
        page_size: usize,
        page_token: Option<&str>,
    ) -> Result<ParticipantPage, DirectoryError> {
        let after = page_token
            .map(|token| page_token::decode(ListKind::Participants, token))
            .transpose()?
            .map(|id| ParticipantId::new(&id).map_err(|_| DirectoryError::InvalidPageToken))
            .transpose()?;
        let count = page_size.clamp(1, PAGE_SIZE_MAX);
        let handle = self.find(room)?;
        let page = self
            .call(&handle, |reply| {
                RoomCall::Page(PageCall {
                    filter,
                    after,
                    count,
                    reply,
                })
            })
            .await?;
        let last = page.participants.last().filter(|_| page.has_more);
        Ok(ParticipantPage {
            next_page_token: last
                .map(|view| page_token::encode(ListKind::Participants, view.id.as_str())),
            participants: page.participants,
            total: page.total,
        })
    }

    /// Reads one participant.
    ///
    /// # Errors
    ///
    /// When there is no such room or participant.
    pub async fn participant(
        &self,
        room: &RoomId,
        participant: &ParticipantId,
    ) -> Result<ParticipantView, DirectoryError> {
        let id = participant.clone();
        let handle = self.find(room)?;
        self.call(&handle, |reply| RoomCall::Participant(id, reply))
            .await
    }

    /// Acts in a room. Applied on the media shard when it returns.
    ///
    /// # Errors
    ///
    /// When the room or the shard refuses.
    pub async fn act(
        &self,
        room: &RoomId,
        actor: Actor,
        command: Command,
    ) -> Result<Applied, DirectoryError> {
        let handle = self.find(room)?;
        self.call(&handle, |reply| {
            RoomCall::Act(Box::new(ActCall {
                actor,
                session: None,
                command,
                reply,
            }))
        })
        .await
    }

    /// Sends a data message from the app to everybody in a room, or to one.
    ///
    /// # Errors
    ///
    /// When there is no such room or participant, or the message is too large.
    pub async fn send_data(
        &self,
        room: &RoomId,
        to: Option<ParticipantId>,
        message: DataMessage,
    ) -> Result<(), DirectoryError> {
        let handle = self.find(room)?;
        self.call(&handle, |reply| {
            RoomCall::Data(Box::new(DataCall {
                session: None,
                to,
                message,
                reply,
            }))
        })
        .await
    }

    /// Watches a room: events after number `after` (0 for all that are kept; `None` from now on).
    ///
    /// # Errors
    ///
    /// When there is no such room, or the events asked for are no longer kept.
    pub async fn watch(
        &self,
        room: &RoomId,
        after: Option<u64>,
    ) -> Result<EventStream, DirectoryError> {
        let handle = self.find(room)?;
        self.call(&handle, |reply| RoomCall::Watch(after, reply))
            .await
    }

    /// Lets a client in.
    ///
    /// # Errors
    ///
    /// When the room is unknown (and may not be made by this role), full, or refuses.
    pub async fn join(
        &self,
        admission: Admission,
        link: LinkKind,
    ) -> Result<Client, DirectoryError> {
        let handle = self.find_or_make(&admission).await?;
        let session = SessionId(self.inner.next_session.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = notices::channel();
        // Before the call: if this future is dropped, the room learns it from the client's end.
        let client = Client::new(ClientParts {
            room: Arc::clone(&handle),
            participant: admission.identity.clone(),
            session,
            link,
            fingerprint: self.inner.fingerprint,
            timeout: self.inner.config.command_timeout,
            notices: receiver,
            presence: Arc::clone(&self.inner.presence),
        })?;
        self.call(&handle, |reply| {
            RoomCall::Join(Box::new(JoinCall {
                admission,
                session,
                link,
                notices: sender,
                reply,
            }))
        })
        .await?;
        Ok(client)
    }

    /// The latest counters of every shard, for metrics.
    pub fn counters(&self) -> Vec<ShardCounters> {
        let shards = self.inner.shards.iter();
        shards.map(|shard| shard.counters()).collect()
    }

    /// Whether every shard runs, and the server is not shutting down: readiness.
    pub fn is_ready(&self) -> bool {
        let mut shards = self.inner.shards.iter();
        shards.all(|shard| shard.is_running()) && !lock(&self.inner.registry).is_closing
    }

    /// Ends every room with [`CloseReason::ServerShutdown`], refuses new ones, and returns when all
    /// clients have been told or `grace` is over.
    pub async fn shut_down(&self, grace: Duration) {
        let rooms = {
            let mut registry = lock(&self.inner.registry);
            registry.is_closing = true;
            registry.page(None, usize::MAX)
        };
        for room in rooms {
            room.inbox.push(Fact::Shutdown);
        }
        drop(tokio::time::timeout(grace, self.inner.presence.empty()).await);
    }

    fn find(&self, room: &RoomId) -> Result<Arc<RoomHandle>, DirectoryError> {
        let found = lock(&self.inner.registry).find(room);
        found.ok_or_else(|| DirectoryError::UnknownRoom(room.clone()))
    }

    /// The room of a token; made now if its role may make rooms by joining.
    async fn find_or_make(&self, admission: &Admission) -> Result<Arc<RoomHandle>, DirectoryError> {
        let found = self.find(&admission.room);
        let may_make = match self.inner.config.create_on_join {
            CreateOnJoin::Never => false,
            CreateOnJoin::Stage => admission.role.is_on_stage(),
            CreateOnJoin::Anyone => true,
        };
        if found.is_ok() || !may_make {
            return found;
        }
        let request = CreateRoom {
            id: Some(admission.room.clone()),
            settings: self.inner.config.room_defaults.clone(),
            idempotency_key: None,
        };
        match self.create_room(request).await {
            // Somebody else made it at the same moment: as good.
            Ok(_) | Err(DirectoryError::RoomExists(_)) => self.find(&admission.room),
            Err(error) => Err(error),
        }
    }

    /// Takes the id of a room to be, or finds the one that an equal request made before.
    fn register(&self, request: &CreateRoom, id: &RoomId) -> Result<Registered, DirectoryError> {
        let now = self.inner.clock.now();
        let mut registry = lock(&self.inner.registry);
        if registry.is_closing {
            return Err(DirectoryError::Unavailable {
                why: "the server is shutting down",
            });
        }
        if let Some(known) = registry.keys().recall(now, request)? {
            let (id, key) = known;
            // Another room may have taken the id since: that one was not made for this key.
            let room = registry.find_key(key).filter(|room| !room.is_over());
            return room
                .map(Registered::Known)
                .ok_or(DirectoryError::UnknownRoom(id));
        }
        if registry.len() >= self.inner.config.max_rooms {
            return Err(DirectoryError::Unavailable {
                why: "this server holds as many rooms as it may",
            });
        }
        let shard = registry.place(&self.inner.shards);
        let shard = shard.ok_or(DirectoryError::Unavailable {
            why: "no media shard runs",
        })?;
        let (handle, calls) = registry.insert(id, &request.settings, shard)?;
        registry.keys().note(now, request, &handle);
        Ok(Registered::New(handle, calls))
    }

    /// Starts a room's task and waits until the room is open on its shard.
    async fn open_room(
        &self,
        handle: &Arc<RoomHandle>,
        settings: RoomSettings,
        calls: mpsc::Receiver<RoomCall>,
    ) -> Result<(), DirectoryError> {
        let clock = self.inner.clock;
        let timeout = self.inner.config.command_timeout;
        let made = RoomTask::new(Arc::clone(handle), settings, clock, timeout, calls);
        let task = made.inspect_err(|_| lock(&self.inner.registry).remove(handle))?;
        let (opened, is_open) = oneshot::channel();
        self.inner.presence.enter();
        let running = tokio::spawn(task.run(opened));
        tokio::spawn(attend(Arc::clone(&self.inner), Arc::clone(handle), running));
        is_open
            .await
            .unwrap_or_else(|_| Err(DirectoryError::UnknownRoom(handle.id.clone())))
    }

    async fn call<T>(
        &self,
        handle: &RoomHandle,
        make: impl FnOnce(Reply<T>) -> RoomCall,
    ) -> Result<T, DirectoryError> {
        handle.call(self.inner.config.command_timeout, make).await
    }
}

/// A room's view, unless it has ended meanwhile or does not answer.
async fn view_of(handle: Arc<RoomHandle>) -> Option<RoomView> {
    let asked = handle.call(PAGE_PATIENCE, RoomCall::View);
    match tokio::time::timeout(PAGE_PATIENCE, asked).await {
        Ok(Ok(view)) => Some(view),
        Ok(Err(DirectoryError::UnknownRoom(_))) => None,
        Ok(Err(_)) | Err(_) => {
            tracing::debug!(room = %handle.id, "left out of a page: it does not answer");
            None
        }
    }
}

/// What came of a request to create a room.
enum Registered {
    /// An equal request made this room before.
    Known(Arc<RoomHandle>),
    /// The id is taken for this request.
    New(Arc<RoomHandle>, mpsc::Receiver<RoomCall>),
}

fn new_room_id() -> Result<RoomId, DirectoryError> {
    RoomId::new(&random_name()?).map_err(|_| DirectoryError::Unavailable {
        why: "no room id could be made",
    })
}

/// Waits for the end of a room's task, and cleans up after one that failed: it costs its own room
/// and no other.
async fn attend(
    inner: Arc<Inner>,
    handle: Arc<RoomHandle>,
    running: tokio::task::JoinHandle<Result<(), DirectoryError>>,
) {
    let end = running.await;
    handle.is_over.store(true, Ordering::Release);
    lock(&inner.registry).remove(&handle);
    if !matches!(end, Ok(Ok(()))) {
        tracing::error!(room = %handle.id, ?end, "a room failed and is closed");
        let room = handle.key;
        let reason = CloseReason::InternalError;
        close_on_shard(&handle, ShardCommand::CloseRoom { room, reason }).await;
    }
    inner.presence.leave();
}

/// Carries events from shards to whom they concern. Never waits: a room that is behind has an
/// inbox in which newer facts replace older ones.
async fn pump(inner: Arc<Inner>, mut events: mpsc::Receiver<(ShardIndex, ShardEvent)>) {
    while let Some((index, event)) = events.recv().await {
        let Some(shard) = inner.shards.iter().find(|shard| shard.index() == index) else {
            continue;
        };
        match event {
            ShardEvent::Applied { id, outcome } => shard.acknowledge(id, outcome),
            ShardEvent::Counters(counters) => shard.set_counters(*counters),
            ShardEvent::Stopped { was_asked } => {
                if !was_asked {
                    tracing::error!(shard = index.0, "a media shard has stopped by itself");
                }
                shard.stopped();
                for room in lock(&inner.registry).on_shard(shard) {
                    room.inbox.push(Fact::ShardLost);
                }
            }
            event => {
                if let Some((key, fact)) = Fact::from_event(event)
                    && let Some(room) = lock(&inner.registry).find_key(key)
                {
                    room.inbox.push(fact);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
