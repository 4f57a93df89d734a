//! The rooms of this node: found by id for calls, by key for facts; and idempotency keys.
//!
//! Plain tables behind one lock that is held for lookups only. Fed by [`crate::Directory`] and by
//! the end of room tasks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use estrade_room::{RoomError, RoomSettings};
use estrade_types::{MonoTime, RoomId, RoomKey, ShardCommand};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::inbox::Inbox;
use crate::shard_link::ShardLink;
use crate::task::{Reply, RoomCall};
use crate::{CreateRoom, DirectoryError};

/// Calls waiting for one room; further callers wait for a place until their deadline.
pub(crate) const ROOM_MAILBOX_MAX: usize = 1_024;

/// How long an idempotency key is remembered.
const KEY_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Idempotency keys remembered; the oldest is forgotten first.
const KEYS_MAX: usize = 16_384;

/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 256;

/// A room's task, as others reach it.
#[derive(Debug)]
pub(crate) struct RoomHandle {
    pub(crate) id: RoomId,
    pub(crate) key: RoomKey,
    pub(crate) shard: Arc<ShardLink>,
    pub(crate) mailbox: mpsc::Sender<RoomCall>,
    pub(crate) inbox: Inbox,
    /// Audio slots of the room's media settings.
    pub(crate) audio_slots: u8,
    /// Sessions in the room, for placement.
    pub(crate) sessions: AtomicUsize,
    /// Set when the room has ended, before anybody is told: its id is free.
    pub(crate) is_over: AtomicBool,
}

impl RoomHandle {
    /// Puts a call to the room's task and waits for its answer.
    ///
    /// # Errors
    ///
    /// When the room refuses, has ended, or does not answer in time.
    pub(crate) async fn call<T>(
        &self,
        timeout: Duration,
        make: impl FnOnce(Reply<T>) -> RoomCall,
    ) -> Result<T, DirectoryError> {
        let gone = || DirectoryError::UnknownRoom(self.id.clone());
        let (reply, answer) = oneshot::channel();
        match tokio::time::timeout(timeout, self.mailbox.reserve()).await {
            Ok(Ok(place)) => place.send(make(reply)),
            Ok(Err(_)) => return Err(gone()),
            Err(_) => {
                return Err(DirectoryError::Unavailable {
                    why: "the room has too many calls waiting",
                });
            }
        }
        // The task's own deadline comes first, and says more.
        match tokio::time::timeout(timeout.saturating_mul(2), answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(DirectoryError::TimedOut),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Registry {
    by_id: BTreeMap<RoomId, Arc<RoomHandle>>,
    by_key: BTreeMap<RoomKey, Arc<RoomHandle>>,
    next_key: u64,
    keys: IdempotencyKeys,
    pub(crate) is_closing: bool,
}

impl Registry {
    pub(crate) fn find(&self, id: &RoomId) -> Option<Arc<RoomHandle>> {
        let room = self.by_id.get(id).filter(|room| !room.is_over());
        room.map(Arc::clone)
    }

    pub(crate) fn find_key(&self, key: RoomKey) -> Option<Arc<RoomHandle>> {
        self.by_key.get(&key).map(Arc::clone)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Rooms in order of id, those after `after`, at most `count`.
    pub(crate) fn page(&self, after: Option<&RoomId>, count: usize) -> Vec<Arc<RoomHandle>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let rooms = self.by_id.range::<RoomId, _>((from, Unbounded));
        rooms
            .filter(|(_, room)| !room.is_over())
            .take(count)
            .map(|(_, room)| Arc::clone(room))
            .collect()
    }

    /// The rooms on one shard.
    pub(crate) fn on_shard(&self, shard: &Arc<ShardLink>) -> Vec<Arc<RoomHandle>> {
        let rooms = self.by_key.values();
        rooms
            .filter(|room| Arc::ptr_eq(&room.shard, shard))
            .map(Arc::clone)
            .collect()
    }

    /// The running shard with the fewest sessions, then the fewest rooms, then the lowest index.
    pub(crate) fn place(&self, shards: &[Arc<ShardLink>]) -> Option<Arc<ShardLink>> {
        let load = |shard: &Arc<ShardLink>| {
            let rooms = self.on_shard(shard);
            let sessions: usize = rooms
                .iter()
                .map(|room| room.sessions.load(Ordering::Relaxed))
                .sum();
            (sessions, rooms.len(), shard.index())
        };
        let running = shards.iter().filter(|shard| shard.is_running());
        running.min_by_key(|shard| load(shard)).map(Arc::clone)
    }

    /// Registers a room that is about to be opened; its mailbox is given out with it.
    pub(crate) fn insert(
        &mut self,
        id: &RoomId,
        settings: &RoomSettings,
        shard: Arc<ShardLink>,
    ) -> Result<(Arc<RoomHandle>, mpsc::Receiver<RoomCall>), DirectoryError> {
        if self.find(id).is_some() {
            return Err(DirectoryError::RoomExists(id.clone()));
        }
        self.next_key += 1;
        let key = RoomKey(self.next_key);
        let (mailbox, calls) = mpsc::channel(ROOM_MAILBOX_MAX);
        let handle = Arc::new(RoomHandle {
            id: id.clone(),
            key,
            shard,
            mailbox,
            inbox: Inbox::default(),
            audio_slots: settings.media.audio_slots,
            sessions: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        self.by_id.insert(id.clone(), Arc::clone(&handle));
        self.by_key.insert(key, Arc::clone(&handle));
        Ok((handle, calls))
    }

    /// Forgets a room; another of the same id may have been opened since.
    pub(crate) fn remove(&mut self, handle: &RoomHandle) {
        self.by_key.remove(&handle.key);
        if self
            .by_id
            .get(&handle.id)
            .is_some_and(|room| room.key == handle.key)
        {
            self.by_id.remove(&handle.id);
        }
    }

    pub(crate) const fn keys(&mut self) -> &mut IdempotencyKeys {
        &mut self.keys
    }
}

/// What was asked for with which key. A key is kept 24 h, the latest [`KEYS_MAX`] of them.
#[derive(Debug, Default)]
pub(crate) struct IdempotencyKeys {
    by_key: BTreeMap<String, Remembered>,
    order: VecDeque<(MonoTime, String)>,
}

#[derive(Debug)]
struct Remembered {
    at: MonoTime,
    /// The room made for it, and which one of that id: a later one is another.
    room: RoomId,
    key: RoomKey,
    asked_id: Option<RoomId>,
    settings: RoomSettings,
}

impl IdempotencyKeys {
    /// The room that an earlier, equal request with the same key made.
    ///
    /// # Errors
    ///
    /// When the key is too long, or stands for another request.
    pub(crate) fn recall(
        &mut self,
        now: MonoTime,
        request: &CreateRoom,
    ) -> Result<Option<(RoomId, RoomKey)>, DirectoryError> {
        let Some(key) = &request.idempotency_key else {
            return Ok(None);
        };
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(DirectoryError::Room(RoomError::InvalidField {
                field: "idempotency_key",
                allowed: "1 to 256 bytes",
            }));
        }
        self.expire(now);
        let Some(known) = self.by_key.get(key) else {
            return Ok(None);
        };
        if known.asked_id == request.id && known.settings == request.settings {
            Ok(Some((known.room.clone(), known.key)))
        } else {
            Err(DirectoryError::RoomExists(known.room.clone()))
        }
    }

    /// Remembers what is made for a request.
    pub(crate) fn note(&mut self, now: MonoTime, request: &CreateRoom, made: &RoomHandle) {
        let Some(key) = &request.idempotency_key else {
            return;
        };
        let remembered = Remembered {
            at: now,
            room: made.id.clone(),
            key: made.key,
            asked_id: request.id.clone(),
            settings: request.settings.clone(),
        };
        self.by_key.insert(key.clone(), remembered);
        self.order.push_back((now, key.clone()));
        if self.order.len() > KEYS_MAX {
            self.forget_oldest();
        }
    }

    /// Forgets a key whose request came to nothing.
    pub(crate) fn forget(&mut self, request: &CreateRoom) {
        if let Some(key) = &request.idempotency_key {
            self.by_key.remove(key);
            self.order.retain(|(_, other)| other != key);
        }
    }

    fn expire(&mut self, now: MonoTime) {
        while let Some((at, _)) = self.order.front()
            && at.plus(KEY_TTL) <= now
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((at, key)) = self.order.pop_front()
            && self.by_key.get(&key).is_some_and(|known| known.at == at)
        {
            self.by_key.remove(&key);
        }
    }
}

/// How many rooms are served and how many clients have not yet read their last notice: shutdown
/// waits for both.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    count: AtomicUsize,
    has_left: Notify,
}

impl Presence {
    pub(crate) fn enter(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn leave(&self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.has_left.notify_waiters();
    }

    /// Returns once nobody is left.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.has_left.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }
}

/// Closes a room on a shard on behalf of a task that can no longer do so itself.
pub(crate) async fn close_on_shard(handle: &RoomHandle, command: ShardCommand) {
    use crate::shard_link::Outbox;
    let mut outbox = Outbox::new(Arc::clone(&handle.shard));
    drop(outbox.push(command));
    // A queue that stays full for this long belongs to a shard in worse trouble than one room.
    for _ in 0..1_000 {
        if outbox.is_empty() {
            return;
        }
        tokio::time::sleep(Outbox::RETRY).await;
        outbox.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use estrade_shard::SubmitError;
    use estrade_types::{CommandId, ShardIndex};

    use super::*;
    use crate::shard_link::ShardDoor;

    fn made() -> (RoomHandle, (RoomId, RoomKey)) {
        let (mailbox, _) = mpsc::channel(1);
        let id = RoomId::new("r").unwrap();
        let key = RoomKey(7);
        let handle = RoomHandle {
            id: id.clone(),
            key,
            shard: Arc::new(ShardLink::new(Box::new(NoShard))),
            mailbox,
            inbox: Inbox::default(),
            audio_slots: 3,
            sessions: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        };
        (handle, (id, key))
    }

    #[derive(Debug)]
    struct NoShard;

    impl ShardDoor for NoShard {
        fn submit(&self, _: CommandId, _: ShardCommand) -> Result<(), SubmitError> {
            Err(SubmitError::Full)
        }

        fn index(&self) -> ShardIndex {
            ShardIndex(0)
        }

        fn candidates(&self) -> &[SocketAddr] {
            &[]
        }
    }

    fn request(key: &str, id: Option<&str>) -> CreateRoom {
        CreateRoom {
            id: id.map(|id| RoomId::new(id).unwrap()),
            settings: RoomSettings::default(),
            idempotency_key: Some(key.to_owned()),
        }
    }

    #[test]
    fn a_key_is_remembered_for_a_day_and_for_one_request() {
        let mut keys = IdempotencyKeys::default();
        let (room, known) = made();
        let now = MonoTime::from_millis(5);
        assert_eq!(keys.recall(now, &request("k", None)), Ok(None));
        keys.note(now, &request("k", None), &room);
        assert_eq!(
            keys.recall(now, &request("k", None)),
            Ok(Some(known.clone()))
        );
        assert_eq!(
            keys.recall(now, &request("k", Some("other"))),
            Err(DirectoryError::RoomExists(known.0))
        );
        assert_eq!(
            keys.recall(now.plus(KEY_TTL), &request("k", None)),
            Ok(None)
        );
    }

    #[test]
    fn the_oldest_key_is_forgotten_at_the_limit() {
        let mut keys = IdempotencyKeys::default();
        let (room, known) = made();
        for n in 0..=KEYS_MAX {
            keys.note(MonoTime::ZERO, &request(&n.to_string(), None), &room);
        }
        let now = MonoTime::ZERO;
        assert_eq!(keys.recall(now, &request("0", None)), Ok(None));
        assert_eq!(keys.recall(now, &request("1", None)), Ok(Some(known)));
        assert_eq!(keys.by_key.len(), KEYS_MAX);
    }

    #[test]
    fn a_long_key_is_refused_by_name() {
        let mut keys = IdempotencyKeys::default();
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        assert!(matches!(
            keys.recall(MonoTime::ZERO, &request(&long, None)),
            Err(DirectoryError::Room(RoomError::InvalidField {
                field: "idempotency_key",
                ..
            }))
        ));
    }
}
