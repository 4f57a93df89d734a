//! Ordered, numbered events of a room for a watcher, resumable from a number.

use estrade_room::Event;

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
    receiver: tokio::sync::mpsc::Receiver<WatchItem>,
}

impl EventStream {
    /// The next item; `None` once the room has ended or after a resync.
    pub async fn next(&mut self) -> Option<WatchItem> {
        self.receiver.recv().await
    }
}
