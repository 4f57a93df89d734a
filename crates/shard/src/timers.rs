//! Deadlines of sessions and rooms: one heap, one live entry each, so that idle ones cost nothing.
//!
//! An owner schedules its earliest deadline. When the entry comes due the owner looks whether
//! anything is due really (its deadline may have moved later meanwhile) and schedules the next. A
//! deadline that moves later needs no work here; one that moves earlier adds an entry, and the
//! older one is ignored when it comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use estrade_types::MonoTime;

use crate::table::Slot;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerOwner {
    /// A session's transport.
    Session(Slot),
    /// A room: its router, detector, director and pending notices.
    Room(Slot),
}

/// What an owner remembers of its entry in the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scheduled(Option<MonoTime>);

/// All deadlines of one shard.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(MonoTime, TimerOwner)>>,
}

impl Timers {
    /// Makes sure that `owner` is called at `deadline` or before. `None` asks for nothing.
    pub(crate) fn schedule(
        &mut self,
        owner: TimerOwner,
        scheduled: &mut Scheduled,
        deadline: Option<MonoTime>,
    ) {
        let Some(deadline) = deadline else { return };
        let deadline = coarse(deadline);
        if scheduled.0.is_none_or(|at| deadline < at) {
            scheduled.0 = Some(deadline);
            self.heap.push(Reverse((deadline, owner)));
        }
    }

    /// The next owner whose entry is due at `now`. It must ask its owner's [`Scheduled::take_due`]
    /// before it believes it.
    pub(crate) fn pop_due(&mut self, now: MonoTime) -> Option<(MonoTime, TimerOwner)> {
        let Reverse((at, _)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// When the next entry is due.
    pub(crate) fn next_deadline(&self) -> Option<MonoTime> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}

impl Scheduled {
    /// Whether the entry made for `at` is the live one; it is used up then.
    pub(crate) fn take_due(&mut self, at: MonoTime) -> bool {
        let is_live = self.0 == Some(at);
        if is_live {
            self.0 = None;
        }
        is_live
    }
}

/// Timers run on a grid, so that many owners share a wake-up. Coarser saves wake-ups, finer brings
/// NACKs and feedback closer to their time; 5 ms is a quarter of an audio packet.
const GRID_NS: u64 = 5_000_000;

/// `deadline`, rounded up to the grid.
const fn coarse(deadline: MonoTime) -> MonoTime {
    MonoTime(deadline.0.div_ceil(GRID_NS).saturating_mul(GRID_NS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: TimerOwner = TimerOwner::Room(Slot {
        index: 1,
        generation: 0,
    });

    fn due(timers: &mut Timers, scheduled: &mut Scheduled, now_ms: u64) -> usize {
        let mut live = 0;
        while let Some((at, _)) = timers.pop_due(MonoTime::from_millis(now_ms)) {
            live += usize::from(scheduled.take_due(at));
        }
        live
    }

    #[test]
    fn an_earlier_deadline_replaces_a_later_one() {
        let (mut timers, mut scheduled) = (Timers::default(), Scheduled::default());
        let at = |ms| Some(MonoTime::from_millis(ms));
        timers.schedule(OWNER, &mut scheduled, at(100));
        timers.schedule(OWNER, &mut scheduled, at(40));
        timers.schedule(OWNER, &mut scheduled, at(200));
        assert_eq!(timers.next_deadline(), at(40));
        assert_eq!(due(&mut timers, &mut scheduled, 39), 0);
        assert_eq!(due(&mut timers, &mut scheduled, 40), 1);
        // The entry for 100 comes and is ignored; the one for 200 was never made.
        assert_eq!(due(&mut timers, &mut scheduled, 1_000), 0);
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn deadlines_lie_on_a_grid_and_never_early() {
        let (mut timers, mut scheduled) = (Timers::default(), Scheduled::default());
        timers.schedule(OWNER, &mut scheduled, Some(MonoTime(5_000_001)));
        assert_eq!(timers.next_deadline(), Some(MonoTime::from_millis(10)));
    }
}
