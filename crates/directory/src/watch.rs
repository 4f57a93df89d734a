//! Ordered, numbered events of a room for a watcher, resumable from a number.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use estrade_room::Event;
use estrade_types::limits::{EVENTS_KEPT_PER_ROOM, NOTICE_QUEUE_MAX};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::DirectoryError;

/// Watchers of one room; the next is refused as unavailable.
const WATCHERS_MAX: usize = 256;

/// What a watcher receives.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchItem {
    /// The next event; numbers have no gap.
    Event(Box<Event>),
    /// The watcher fell too far behind and was cut off: read the state, then watch from this number.
    Resync {
        /// Number of the latest event.
        revision: u64,
    },
}

/// A stream of events. Never blocks the room: a slow reader is cut off with [`WatchItem::Resync`].
#[derive(Debug)]
pub struct EventStream {
    /// Events from before the watch began.
    kept: VecDeque<Arc<Event>>,
    live: mpsc::Receiver<Arc<Event>>,
    /// Set when the watcher was cut off: number of the event that did not fit.
    cut_off: Arc<OnceLock<u64>>,
    has_ended: bool,
}

impl EventStream {
    /// The next item; `None` once the room has ended or after a resync. Cancel-safe.
    pub async fn next(&mut self) -> Option<WatchItem> {
        if self.has_ended {
            return None;
        }
        let event = match self.kept.pop_front() {
            Some(event) => Some(event),
            None => self.live.recv().await,
        };
        if let Some(event) = event {
            return Some(WatchItem::Event(Box::new(Arc::unwrap_or_clone(event))));
        }
        self.has_ended = true;
        let revision = *self.cut_off.get()?;
        Some(WatchItem::Resync { revision })
    }
}

/// The kept events of a room, and its watchers. Owned by the room's task.
#[derive(Debug, Default)]
pub(crate) struct Events {
    kept: VecDeque<Arc<Event>>,
    watchers: Vec<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    live: mpsc::Sender<Arc<Event>>,
    cut_off: Arc<OnceLock<u64>>,
}

impl Events {
    /// Keeps an event and hands it to every watcher; one whose queue is full is cut off.
    pub(crate) fn publish(&mut self, event: &Arc<Event>) {
        if self.kept.len() >= EVENTS_KEPT_PER_ROOM {
            self.kept.pop_front();
        }
        self.kept.push_back(Arc::clone(event));
        self.watchers
            .retain(|watcher| match watcher.live.try_send(Arc::clone(event)) {
                Ok(()) => true,
                Err(TrySendError::Full(event)) => {
                    watcher.cut_off.get_or_init(|| event.number);
                    false
                }
                Err(TrySendError::Closed(_)) => false,
            });
    }

    /// Ends every watch: what is queued is still read.
    pub(crate) fn end(&mut self) {
        self.watchers.clear();
    }

    /// Begins a watch: after number `after`, or from now on.
    pub(crate) fn watch(&mut self, after: Option<u64>) -> Result<EventStream, DirectoryError> {
        let oldest = self.kept.front().map_or(1, |event| event.number);
        let latest = self.kept.back().map_or(0, |event| event.number);
        let after = after.unwrap_or(latest);
        if after.saturating_add(1) < oldest || after > latest {
            return Err(DirectoryError::EventsGone { oldest });
        }
        self.watchers.retain(|watcher| !watcher.live.is_closed());
        if self.watchers.len() >= WATCHERS_MAX {
            return Err(DirectoryError::Unavailable {
                why: "the room has too many watchers",
            });
        }
        let (sender, live) = mpsc::channel(NOTICE_QUEUE_MAX);
        let cut_off = Arc::new(OnceLock::new());
        self.watchers.push(Watcher {
            live: sender,
            cut_off: Arc::clone(&cut_off),
        });
        let kept = self.kept.iter().filter(|event| event.number > after);
        Ok(EventStream {
            kept: kept.map(Arc::clone).collect(),
            live,
            cut_off,
            has_ended: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use estrade_room::{Actor, EventKind};
    use estrade_types::MonoTime;

    use super::*;

    fn event(number: u64) -> Arc<Event> {
        Arc::new(Event {
            number,
            at: MonoTime::ZERO,
            unix_ms: 0,
            actor: Actor::Server,
            kind: EventKind::RoomCreated,
        })
    }

    fn published(count: u64) -> Events {
        let mut events = Events::default();
        for number in 1..=count {
            events.publish(&event(number));
        }
        events
    }

    async fn numbers(stream: &mut EventStream, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < count
            && let Some(WatchItem::Event(event)) = stream.next().await
        {
            numbers.push(event.number);
        }
        numbers
    }

    #[tokio::test]
    async fn a_watch_resumes_after_a_number_and_goes_on_without_gap() {
        let mut events = published(5);
        let mut resumed = events.watch(Some(3)).unwrap();
        let mut live = events.watch(None).unwrap();
        events.publish(&event(6));
        assert_eq!(numbers(&mut resumed, 3).await, [4, 5, 6]);
        assert_eq!(numbers(&mut live, 1).await, [6]);
        drop(events);
        assert_eq!(resumed.next().await, None);
    }

    #[tokio::test]
    async fn events_no_longer_kept_or_never_published_cannot_be_asked_for() {
        let kept = u64::try_from(EVENTS_KEPT_PER_ROOM).unwrap();
        let mut events = published(kept + 10);
        let gone = DirectoryError::EventsGone { oldest: 11 };
        assert_eq!(events.watch(Some(0)).unwrap_err(), gone);
        assert_eq!(events.watch(Some(9)).unwrap_err(), gone);
        assert!(events.watch(Some(10)).is_ok());
        assert!(events.watch(Some(kept + 10)).is_ok());
        assert_eq!(events.watch(Some(kept + 11)).unwrap_err(), gone);
    }

    #[tokio::test]
    async fn a_slow_watcher_is_cut_off_and_told_where_to_begin_anew() {
        let mut events = published(1);
        let mut slow = events.watch(Some(0)).unwrap();
        let queue = u64::try_from(NOTICE_QUEUE_MAX).unwrap();
        for number in 2..=queue + 5 {
            events.publish(&event(number));
        }
        assert_eq!(
            numbers(&mut slow, NOTICE_QUEUE_MAX + 1).await.last(),
            Some(&(queue + 1))
        );
        let revision = queue + 2;
        assert_eq!(slow.next().await, Some(WatchItem::Resync { revision }));
        assert_eq!(slow.next().await, None);
    }
}
