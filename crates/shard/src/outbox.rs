//! Facts on their way to control, in their order, bounded.
//!
//! The engine pushes; once a turn the thread offers them to the [`EventSink`]. When control is
//! slow, levels, hints and counters are dropped (half full): newer ones will come. What a room or
//! a slot shows is never lost, only delayed: while there is no room for it, the latest state of each
//! thing waits beside the queue, and follows once the queue is empty. Acknowledgements and session
//! states always find room. Their number is bounded by the sessions and by the thread, which stops
//! taking commands while the outbox is full; that of the states by what existed then.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use estrade_types::limits::EVENT_QUEUE_MAX;
use estrade_types::{
    ParticipantKey, RoomKey, SessionId, SessionState, ShardEvent, SlotId, SourceKind,
};

use crate::EventSink;

/// The queue of one shard.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<ShardEvent>,
    /// The latest state of what found no room in the queue.
    delayed: BTreeMap<Subject, ShardEvent>,
    dropped: u64,
}

/// How dear an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    /// A newer one will come, or nothing depends on it.
    Lossy,
    /// Control's picture of this is wrong without it, until the next, which may never come.
    State(Subject),
    /// A call or a session hangs without it.
    Vital,
}

/// What a state is of: a newer one of the same replaces an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Source(RoomKey, ParticipantKey, SourceKind),
    ActiveSpeaker(RoomKey),
    Speaking(RoomKey),
    Programme(RoomKey),
    Slot(SessionId, SlotId),
}

impl Outbox {
    /// Queues `event`, or delays or drops it by the rule above.
    pub(crate) fn push(&mut self, event: ShardEvent) {
        match worth(&event) {
            Worth::Vital => {
                self.forget_closed(&event);
                self.queue.push_back(event);
            }
            Worth::State(subject) => {
                let is_full = self.queue.len() >= EVENT_QUEUE_MAX / 2;
                if is_full || self.delayed.contains_key(&subject) {
                    self.delayed.insert(subject, event);
                } else {
                    self.queue.push_back(event);
                }
            }
            Worth::Lossy if self.queue.len() >= EVENT_QUEUE_MAX / 2 => {
                self.dropped = self.dropped.saturating_add(1);
            }
            Worth::Lossy => self.queue.push_back(event),
        }
    }

    /// Offers what waits, until the sink has no more room.
    pub(crate) fn deliver(&mut self, sink: &mut dyn EventSink) {
        while let Some(event) = self.pop() {
            if let Err(event) = sink.offer(event) {
                self.queue.push_front(event);
                return;
            }
        }
    }

    /// The next event, for a caller without a sink.
    pub(crate) fn pop(&mut self) -> Option<ShardEvent> {
        let delayed = &mut self.delayed;
        let queued = self.queue.pop_front();
        queued.or_else(|| delayed.pop_first().map(|(_, event)| event))
    }

    /// Whether no command should be taken until control has read some events.
    pub(crate) fn holds_back(&self) -> bool {
        self.queue.len() >= EVENT_QUEUE_MAX
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.delayed.is_empty()
    }

    /// Events dropped so far.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets what waits to be told of something that is over by `event`.
    fn forget_closed(&mut self, event: &ShardEvent) {
        match event {
            ShardEvent::Session {
                session,
                state: SessionState::Closed(_),
                ..
            } => self
                .delayed
                .retain(|subject, _| !matches!(subject, Subject::Slot(of, _) if of == session)),
            ShardEvent::Stopped { .. } => self.delayed.clear(),
            _ => {}
        }
    }
}

const fn worth(event: &ShardEvent) -> Worth {
    match event {
        ShardEvent::Applied { .. } | ShardEvent::Session { .. } | ShardEvent::Stopped { .. } => {
            Worth::Vital
        }
        ShardEvent::SourceActive {
            room,
            participant,
            source,
            ..
        } => Worth::State(Subject::Source(*room, *participant, *source)),
        ShardEvent::ActiveSpeaker { room, .. } => Worth::State(Subject::ActiveSpeaker(*room)),
        ShardEvent::Speaking { room, .. } => Worth::State(Subject::Speaking(*room)),
        ShardEvent::Programme { room, .. } => Worth::State(Subject::Programme(*room)),
        ShardEvent::Slot { session, slot, .. } => Worth::State(Subject::Slot(*session, *slot)),
        _ => Worth::Lossy,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use estrade_types::{CloseReason, CommandId, CommandOutcome};

    use super::*;

    struct Narrow {
        taken: Vec<ShardEvent>,
        room: usize,
    }

    impl EventSink for Narrow {
        fn offer(&mut self, event: ShardEvent) -> Result<(), ShardEvent> {
            if self.taken.len() == self.room {
                return Err(event);
            }
            self.taken.push(event);
            Ok(())
        }
    }

    fn applied(n: u64) -> ShardEvent {
        ShardEvent::Applied {
            id: CommandId(n),
            outcome: Ok(CommandOutcome::Done),
        }
    }

    fn hint() -> ShardEvent {
        ShardEvent::SpeakingWhileMuted {
            room: RoomKey(1),
            participant: ParticipantKey(NonZeroU32::MIN),
        }
    }

    fn slot(session: u64, is_filled: bool) -> ShardEvent {
        ShardEvent::Slot {
            session: SessionId(session),
            room: RoomKey(1),
            slot: SlotId::Main,
            source: is_filled.then_some((ParticipantKey(NonZeroU32::MIN), SourceKind::Camera)),
        }
    }

    fn source(is_active: bool) -> ShardEvent {
        ShardEvent::SourceActive {
            room: RoomKey(1),
            participant: ParticipantKey(NonZeroU32::MIN),
            source: SourceKind::Camera,
            is_active,
        }
    }

    #[test]
    fn a_slow_control_loses_hints_and_never_acknowledgements() {
        let mut outbox = Outbox::default();
        for _ in 0..EVENT_QUEUE_MAX {
            outbox.push(hint());
        }
        assert_eq!(outbox.dropped(), (EVENT_QUEUE_MAX / 2) as u64);
        for n in 0..EVENT_QUEUE_MAX as u64 {
            outbox.push(applied(n));
        }
        assert!(outbox.holds_back());
        assert_eq!(outbox.dropped(), (EVENT_QUEUE_MAX / 2) as u64);
        let last = applied(EVENT_QUEUE_MAX as u64 - 1);
        assert_eq!(outbox.queue.back(), Some(&last));
    }

    #[test]
    fn a_slow_control_hears_the_latest_state_of_everything_in_the_end() {
        let mut outbox = Outbox::default();
        for n in 0..EVENT_QUEUE_MAX as u64 {
            outbox.push(applied(n));
        }
        for n in 0..1_000 {
            outbox.push(slot(1, n % 2 == 0));
            outbox.push(slot(2, n % 2 == 0 || n > 900));
            outbox.push(source(n % 2 == 1));
        }
        assert_eq!(outbox.delayed.len(), 3);
        let mut sink = Narrow {
            taken: Vec::new(),
            room: EVENT_QUEUE_MAX + 1,
        };
        outbox.deliver(&mut sink);
        assert!(!outbox.is_empty());
        // What is newer does not overtake what waits, and nothing is told twice.
        outbox.push(slot(2, false));
        sink.room = usize::MAX;
        outbox.deliver(&mut sink);
        let told = &sink.taken[EVENT_QUEUE_MAX..];
        assert_eq!(told, [source(true), slot(1, false), slot(2, false)]);
        assert_eq!(outbox.dropped(), 0);
        assert!(outbox.is_empty());
    }

    #[test]
    fn nothing_is_told_of_a_slot_after_its_session_s_end() {
        let mut outbox = Outbox::default();
        for n in 0..EVENT_QUEUE_MAX as u64 {
            outbox.push(applied(n));
        }
        outbox.push(slot(1, true));
        outbox.push(slot(2, true));
        outbox.push(ShardEvent::Session {
            session: SessionId(1),
            room: RoomKey(1),
            state: SessionState::Closed(CloseReason::Left),
        });
        let told: Vec<_> = std::iter::from_fn(|| outbox.pop()).collect();
        assert!(!told.contains(&slot(1, true)));
        assert_eq!(told.last(), Some(&slot(2, true)));
    }

    #[test]
    fn what_the_sink_gives_back_is_offered_again_in_order() {
        let mut outbox = Outbox::default();
        (0..4).for_each(|n| outbox.push(applied(n)));
        let mut sink = Narrow {
            taken: Vec::new(),
            room: 3,
        };
        outbox.deliver(&mut sink);
        assert_eq!(sink.taken, [applied(0), applied(1), applied(2)]);
        sink.room = 9;
        outbox.deliver(&mut sink);
        assert_eq!(sink.taken.last(), Some(&applied(3)));
        assert!(outbox.is_empty());
    }
}
