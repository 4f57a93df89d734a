//! Facts on their way to control, in their order, bounded.
//!
//! The engine pushes; once a turn the thread offers them to the [`EventSink`]. When control is
//! slow, bindings, levels, hints and counters are dropped first (half full), then the other facts
//! of a room (full); acknowledgements and session states are never dropped. Their number is bounded
//! by the sessions and by the thread, which stops taking commands while the outbox is full.

use std::collections::VecDeque;

use estrade_types::ShardEvent;
use estrade_types::limits::EVENT_QUEUE_MAX;

use crate::EventSink;

/// The queue of one shard.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<ShardEvent>,
    dropped: u64,
}

/// How dear an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// A newer one will come, or nothing depends on it.
    Lossy,
    /// Control's picture of the room is wrong without it, until the next.
    Room,
    /// A call or a session hangs without it.
    Vital,
}

impl Outbox {
    /// Queues `event`, or drops it by the rule above.
    pub(crate) fn push(&mut self, event: ShardEvent) {
        let worth = worth(&event);
        let limit = match worth {
            Worth::Lossy => EVENT_QUEUE_MAX / 2,
            Worth::Room => EVENT_QUEUE_MAX,
            Worth::Vital => usize::MAX,
        };
        if self.queue.len() >= limit {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.queue.push_back(event);
    }

    /// Offers what waits, until the sink has no more room.
    pub(crate) fn deliver(&mut self, sink: &mut dyn EventSink) {
        while let Some(event) = self.queue.pop_front() {
            if let Err(event) = sink.offer(event) {
                self.queue.push_front(event);
                return;
            }
        }
    }

    /// The next event, for a caller without a sink.
    pub(crate) fn pop(&mut self) -> Option<ShardEvent> {
        self.queue.pop_front()
    }

    /// Whether no command should be taken until control has read some events.
    pub(crate) fn holds_back(&self) -> bool {
        self.queue.len() >= EVENT_QUEUE_MAX
    }

    /// Whether anything waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Events dropped so far.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

const fn worth(event: &ShardEvent) -> Worth {
    match event {
        ShardEvent::Applied { .. } | ShardEvent::Session { .. } | ShardEvent::Stopped { .. } => {
            Worth::Vital
        }
        ShardEvent::SourceActive { .. }
        | ShardEvent::ActiveSpeaker { .. }
        | ShardEvent::Programme { .. } => Worth::Room,
        _ => Worth::Lossy,
    }
}

#[cfg(test)]
mod tests {
    use estrade_types::{CommandId, CommandOutcome, MonoTime, RoomKey};

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

    fn speaking() -> ShardEvent {
        ShardEvent::Speaking {
            room: RoomKey(1),
            speaking: Vec::new(),
        }
    }

    fn active() -> ShardEvent {
        ShardEvent::ActiveSpeaker {
            room: RoomKey(1),
            participant: None,
            at: MonoTime::ZERO,
        }
    }

    #[test]
    fn a_slow_control_loses_levels_first_and_acknowledgements_never() {
        let mut outbox = Outbox::default();
        for _ in 0..EVENT_QUEUE_MAX {
            outbox.push(speaking());
        }
        assert_eq!(outbox.dropped(), (EVENT_QUEUE_MAX / 2) as u64);
        for _ in 0..EVENT_QUEUE_MAX {
            outbox.push(active());
        }
        assert_eq!(outbox.dropped(), EVENT_QUEUE_MAX as u64);
        assert!(outbox.holds_back());
        outbox.push(applied(1));
        assert_eq!(outbox.dropped(), EVENT_QUEUE_MAX as u64);
        assert_eq!(outbox.queue.back(), Some(&applied(1)));
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
