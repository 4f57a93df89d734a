//! Finding and making rooms; the app's calls.

use std::sync::Arc;
use std::time::Duration;

use estrade_room::{Actor, Applied, Command, ParticipantView, RoomSettings, RoomView};
use estrade_shard::{Certificate, ShardHandle};
use estrade_types::{
    Admission, CloseReason, LinkKind, ParticipantId, Role, RoomId, ShardCounters, ShardEvent,
    ShardIndex,
};

use crate::{Client, DataMessage, DirectoryError, EventStream};

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

/// Which participants to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageFilter {
    /// Everybody.
    All,
    /// Those on stage.
    Stage,
    /// Those in the audience.
    Audience,
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
    shared: Arc<DirectoryConfig>,
}

impl Directory {
    /// Starts the directory over these shards, whose events arrive on `events` (see
    /// [`crate::Directory::event_channel`]). Must be called inside a tokio runtime.
    pub fn start(
        config: DirectoryConfig,
        certificate: Arc<Certificate>,
        shards: Vec<ShardHandle>,
        events: tokio::sync::mpsc::Receiver<(ShardIndex, ShardEvent)>,
    ) -> Self {
        let _ = (certificate, shards, events);
        Self {
            shared: Arc::new(config),
        }
    }

    /// The queue between shards and directory, bounded by
    /// [`estrade_types::limits::EVENT_QUEUE_MAX`]; clone the sender into each shard's sink.
    #[expect(
        clippy::type_complexity,
        reason = "a channel pair reads best written out"
    )]
    pub fn event_channel() -> (
        tokio::sync::mpsc::Sender<(ShardIndex, ShardEvent)>,
        tokio::sync::mpsc::Receiver<(ShardIndex, ShardEvent)>,
    ) {
        tokio::sync::mpsc::channel(estrade_types::limits::EVENT_QUEUE_MAX)
    }

    /// The directory's settings.
    pub fn config(&self) -> &DirectoryConfig {
        &self.shared
    }

    /// Creates a room, open on its shard when this returns.
    ///
    /// # Errors
    ///
    /// When the id is taken, a setting is out of range, or the node is full.
    pub async fn create_room(&self, request: CreateRoom) -> Result<RoomView, DirectoryError> {
        let _ = request;
        Err(DirectoryError::Unavailable { why: "starting" })
    }

    /// Reads a room.
    ///
    /// # Errors
    ///
    /// When there is no such room.
    pub async fn room(&self, room: &RoomId) -> Result<RoomView, DirectoryError> {
        Err(DirectoryError::UnknownRoom(room.clone()))
    }

    /// Reads rooms in order of id, `page_size` (1 to 1000) at a time.
    ///
    /// # Errors
    ///
    /// When the page token is not ours.
    pub async fn list_rooms(
        &self,
        page_size: usize,
        page_token: Option<&str>,
    ) -> Result<RoomPage, DirectoryError> {
        let _ = (page_size, page_token);
        Ok(RoomPage {
            rooms: Vec::new(),
            next_page_token: None,
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
        let _ = reason;
        Err(DirectoryError::UnknownRoom(room.clone()))
    }

    /// Reads participants in order of identity.
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
        let _ = (filter, page_size, page_token);
        Err(DirectoryError::UnknownRoom(room.clone()))
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
        let _ = participant;
        Err(DirectoryError::UnknownRoom(room.clone()))
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
        let _ = (actor, command);
        Err(DirectoryError::UnknownRoom(room.clone()))
    }

    /// Sends a data message from the app to everybody in a room, or to one.
    ///
    /// # Errors
    ///
    /// When there is no such room or participant.
    pub async fn send_data(
        &self,
        room: &RoomId,
        to: Option<ParticipantId>,
        message: DataMessage,
    ) -> Result<(), DirectoryError> {
        let _ = (to, message);
        Err(DirectoryError::UnknownRoom(room.clone()))
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
        let _ = after;
        Err(DirectoryError::UnknownRoom(room.clone()))
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
        let _ = (link, Role::Host);
        Err(DirectoryError::UnknownRoom(admission.room))
    }

    /// The latest counters of every shard, for metrics.
    pub fn counters(&self) -> Vec<ShardCounters> {
        Vec::new()
    }

    /// Whether every shard runs: readiness.
    pub fn is_ready(&self) -> bool {
        true
    }

    /// Ends every room with [`CloseReason::ServerShutdown`], refuses new ones, and returns when all
    /// clients have been told or `grace` is over.
    pub async fn shut_down(&self, grace: Duration) {
        let _ = grace;
    }
}
