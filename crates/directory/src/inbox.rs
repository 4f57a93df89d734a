//! Facts on their way to one room's task: never lost, never blocking, bounded.
//!
//! Fed by the event pump and by clients that are dropped; read by the room's task. While the task
//! is behind, a newer fact takes the place of an older one about the same thing, so there are never
//! more than things: sessions, sources, slots.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use estrade_types::{
    CloseReason, ParticipantKey, ProgrammeReason, SessionId, SessionState, ShardEvent, SlotId,
    SourceKind, SpeakingParticipant,
};
use tokio::sync::Notify;

use crate::shard_link::lock;

/// A fact about a room.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    Session(SessionId, SessionState),
    Source(ParticipantKey, SourceKind, bool),
    ActiveSpeaker(Option<ParticipantKey>),
    Speaking(Vec<SpeakingParticipant>),
    Programme(Option<(ParticipantKey, SourceKind)>, ProgrammeReason),
    Slot(SessionId, SlotId, Option<(ParticipantKey, SourceKind)>),
    SpeakingWhileMuted(ParticipantKey),
    /// The client's handle was dropped, or it never came to have one.
    ClientGone(SessionId, CloseReason),
    /// The server shuts down.
    Shutdown,
    /// The room's shard stopped by itself, or lost the room to a panic.
    ShardLost,
}

/// What a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Session(SessionId),
    Source(ParticipantKey, SourceKind),
    ActiveSpeaker,
    Speaking,
    Programme,
    Slot(SessionId, SlotId),
    SpeakingWhileMuted(ParticipantKey),
    ClientGone(SessionId),
    Shutdown,
    ShardLost,
}

impl Fact {
    /// The fact in a shard's event that concerns one room.
    pub(crate) fn from_event(event: ShardEvent) -> Option<(estrade_types::RoomKey, Self)> {
        Some(match event {
            ShardEvent::Session {
                session,
                room,
                state,
            } => (room, Self::Session(session, state)),
            ShardEvent::SourceActive {
                room,
                participant,
                source,
                is_active,
            } => (room, Self::Source(participant, source, is_active)),
            ShardEvent::ActiveSpeaker {
                room, participant, ..
            } => (room, Self::ActiveSpeaker(participant)),
            ShardEvent::Speaking { room, speaking } => (room, Self::Speaking(speaking)),
            ShardEvent::Programme {
                room,
                source,
                reason,
                ..
            } => (room, Self::Programme(source, reason)),
            ShardEvent::Slot {
                session,
                room,
                slot,
                source,
            } => (room, Self::Slot(session, slot, source)),
            ShardEvent::SpeakingWhileMuted { room, participant } => {
                (room, Self::SpeakingWhileMuted(participant))
            }
            _ => return None,
        })
    }

    const fn about(&self) -> About {
        match self {
            Self::Session(session, _) => About::Session(*session),
            Self::Source(key, source, _) => About::Source(*key, *source),
            Self::ActiveSpeaker(_) => About::ActiveSpeaker,
            Self::Speaking(_) => About::Speaking,
            Self::Programme(..) => About::Programme,
            Self::Slot(session, slot, _) => About::Slot(*session, *slot),
            Self::SpeakingWhileMuted(key) => About::SpeakingWhileMuted(*key),
            Self::ClientGone(session, _) => About::ClientGone(*session),
            Self::Shutdown => About::Shutdown,
            Self::ShardLost => About::ShardLost,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    /// Each key of `latest` once, in order of first arrival.
    order: VecDeque<About>,
    latest: BTreeMap<About, Fact>,
}

impl Inbox {
    pub(crate) fn push(&self, fact: Fact) {
        let about = fact.about();
        let mut queue = lock(&self.queue);
        if queue.latest.insert(about, fact).is_none() {
            queue.order.push_back(about);
        }
        drop(queue);
        self.arrived.notify_one();
    }

    pub(crate) fn pop(&self) -> Option<Fact> {
        let mut queue = lock(&self.queue);
        let about = queue.order.pop_front()?;
        queue.latest.remove(&about)
    }

    /// Makes the reader look again.
    pub(crate) fn rouse(&self) {
        self.arrived.notify_one();
    }

    /// Returns once something may have arrived. Cancel-safe. One reader.
    pub(crate) async fn wait(&self) {
        self.arrived.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_fact_takes_the_place_of_an_older_one_about_the_same_thing() {
        let inbox = Inbox::default();
        let session = SessionId(7);
        let closed = SessionState::Closed(CloseReason::Left);
        inbox.push(Fact::Session(session, SessionState::Connected));
        inbox.push(Fact::ActiveSpeaker(None));
        inbox.push(Fact::Session(session, closed));
        assert_eq!(inbox.pop(), Some(Fact::Session(session, closed)));
        assert_eq!(inbox.pop(), Some(Fact::ActiveSpeaker(None)));
        assert_eq!(inbox.pop(), None);
    }
}
