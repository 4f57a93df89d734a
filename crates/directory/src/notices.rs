//! The queue of notices between a room's task and one client.
//!
//! Bounded by [`NOTICE_QUEUE_MAX`]. A client that does not keep up loses what does not fit, and once
//! it has caught up is given the state anew. The last notice cannot be lost: it does not pass
//! through the queue.

use std::sync::{Arc, OnceLock};

use estrade_room::{Event, RoomView};
use estrade_types::limits::NOTICE_QUEUE_MAX;
use estrade_types::{CloseReason, ParticipantId, Permits, SlotId, SourceKind};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::client::{ClientNotice, DataMessage, SpeakingNotice};

/// A notice as queued: what goes to many clients is shared, and copied by its reader.
#[derive(Clone, Debug)]
pub(crate) enum Queued {
    Snapshot(Arc<RoomView>),
    Event(Arc<Event>),
    AudienceCount(u32),
    Speaking(Arc<Vec<SpeakingNotice>>),
    Slot(SlotId, Option<(ParticipantId, SourceKind)>),
    Permits(Permits),
    Connected(bool),
    SpeakingWhileMuted,
    Data(Arc<DataMessage>),
}

impl From<Queued> for ClientNotice {
    fn from(queued: Queued) -> Self {
        match queued {
            Queued::Snapshot(view) => Self::Snapshot(Box::new(Arc::unwrap_or_clone(view))),
            Queued::Event(event) => Self::Event(Box::new(Arc::unwrap_or_clone(event))),
            Queued::AudienceCount(count) => Self::AudienceCount(count),
            Queued::Speaking(speaking) => Self::Speaking(Arc::unwrap_or_clone(speaking)),
            Queued::Slot(slot, source) => Self::Slot { slot, source },
            Queued::Permits(permits) => Self::Permits(permits),
            Queued::Connected(is_connected) => Self::Connected(is_connected),
            Queued::SpeakingWhileMuted => Self::SpeakingWhileMuted,
            Queued::Data(message) => Self::Data(Arc::unwrap_or_clone(message)),
        }
    }
}

/// Whether everything told so far will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Complete,
    /// Something did not fit: the client needs the state anew.
    Lagging,
}

/// The room's end. Dropping it without [`Self::close`] tells the client of an internal error.
#[derive(Debug)]
pub(crate) struct NoticeSender {
    queue: mpsc::Sender<Queued>,
    fate: Arc<OnceLock<CloseReason>>,
    delivery: Delivery,
}

/// The client's end.
#[derive(Debug)]
pub(crate) struct NoticeReceiver {
    queue: mpsc::Receiver<Queued>,
    fate: Arc<OnceLock<CloseReason>>,
    has_ended: bool,
}

pub(crate) fn channel() -> (NoticeSender, NoticeReceiver) {
    let (sender, receiver) = mpsc::channel(NOTICE_QUEUE_MAX);
    let fate = Arc::new(OnceLock::new());
    (
        NoticeSender {
            queue: sender,
            fate: Arc::clone(&fate),
            delivery: Delivery::Complete,
        },
        NoticeReceiver {
            queue: receiver,
            fate,
            has_ended: false,
        },
    )
}

impl NoticeSender {
    /// Queues a notice, unless the client has fallen behind already.
    pub(crate) fn push(&mut self, notice: Queued) -> Delivery {
        if self.delivery == Delivery::Complete
            && let Err(TrySendError::Full(_)) = self.queue.try_send(notice)
        {
            self.delivery = Delivery::Lagging;
        }
        self.delivery
    }

    /// Whether a client that fell behind has read enough to be given the state anew.
    pub(crate) fn recover(&mut self) -> bool {
        let has_caught_up = self.delivery == Delivery::Lagging
            && (self.queue.is_closed() || self.queue.capacity() >= NOTICE_QUEUE_MAX / 2);
        if has_caught_up {
            self.delivery = Delivery::Complete;
        }
        has_caught_up
    }

    /// Whether something was not told.
    pub(crate) fn is_lagging(&self) -> bool {
        self.delivery == Delivery::Lagging
    }

    /// Whether the client's end is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Ends the queue; what is in it is still read, then the reason.
    pub(crate) fn close(self, reason: CloseReason) {
        self.fate.get_or_init(|| reason);
    }
}

impl NoticeReceiver {
    pub(crate) async fn next(&mut self) -> Option<ClientNotice> {
        if self.has_ended {
            return None;
        }
        if let Some(notice) = self.queue.recv().await {
            return Some(notice.into());
        }
        self.has_ended = true;
        let reason = self.fate.get().copied();
        Some(ClientNotice::Closed(
            reason.unwrap_or(CloseReason::InternalError),
        ))
    }

    /// Whether the last notice has been read.
    pub(crate) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Refuses further notices.
    pub(crate) fn close(&mut self) {
        self.queue.close();
    }
}
