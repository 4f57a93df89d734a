//! Who is heard: which microphones hold the room's audio slots.
//!
//! Fed by the room with the level of every permitted microphone packet; read by it for the legs of
//! audio slots. A holder keeps its slot while it talks; a newcomer is let in with its first voiced
//! packets, into a slot whose holder is quiet. This never waits for the picture: crosstalk is heard
//! though it is not seen. The active speaker is always let in.
//!
//! *Invariant*: a microphone holds at most one slot.

use std::time::Duration;

use estrade_types::{AudioLevel, MonoTime};

/// The most slots a room may have.
pub(crate) const SLOTS_MAX: usize = 5;

/// This loud is voice, as for the speaker detector (`speaker.md` §8): -53 dBov.
const VOICE_VOLUME: u8 = 74;

/// With the client's own word for voice, less will do: -70 dBov.
const VOICE_VOLUME_WITH_BIT: u8 = 57;

/// After its last voiced packet a holder is left in peace for this long: a breath, not a turn.
const HANGOVER: Duration = Duration::from_millis(800);

/// A holder without any packet for this long has left its slot: longer than DTX is silent.
const GONE: Duration = Duration::from_secs(2);

/// When everybody talks, a newcomer must be this much louder than the quietest holder, in dB,
const LOUDER_DB: u32 = 9;

/// and for this long; so that a few noisy microphones cannot hold all slots for ever.
const LOUDER_FOR: Duration = Duration::from_millis(300);

/// How loud a microphone is and was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loudness {
    /// Smoothed volume of its voice, times 256.
    smoothed: u32,
    last_voiced_at: Option<MonoTime>,
    voiced_since: Option<MonoTime>,
    last_packet_at: Option<MonoTime>,
}

impl Loudness {
    /// Feeds the level of one packet; true if it is voiced.
    pub(crate) fn on_level(&mut self, now: MonoTime, level: AudioLevel) -> bool {
        self.last_packet_at = Some(now);
        let least = if level.has_voice() {
            VOICE_VOLUME_WITH_BIT
        } else {
            VOICE_VOLUME
        };
        let is_voiced = level.volume() >= least;
        if is_voiced {
            // Of voice only: a pause makes nobody a quieter speaker.
            let volume = u32::from(level.volume()) << 8;
            self.smoothed = match self.last_voiced_at {
                None => volume,
                Some(_) if volume > self.smoothed => {
                    self.smoothed + (volume - self.smoothed) * 2 / 5
                }
                Some(_) => self.smoothed - (self.smoothed - volume) / 10,
            };
            if !self.is_talking(now) {
                self.voiced_since = Some(now);
            }
            self.last_voiced_at = Some(now);
        }
        is_voiced
    }

    fn is_talking(&self, now: MonoTime) -> bool {
        self.last_voiced_at
            .is_some_and(|at| now.since(at) < HANGOVER)
    }

    fn is_gone(&self, now: MonoTime) -> bool {
        self.last_packet_at.is_none_or(|at| now.since(at) >= GONE)
    }

    fn talking_for(&self, now: MonoTime) -> Duration {
        self.voiced_since
            .filter(|_| self.is_talking(now))
            .map_or(Duration::ZERO, |since| now.since(since))
    }
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    source: u32,
    loudness: Loudness,
}

/// The slots of a room.
#[derive(Debug)]
pub(crate) struct AudioSlots {
    slots: [Option<Holder>; SLOTS_MAX],
    len: usize,
    active: Option<u32>,
}

impl AudioSlots {
    pub(crate) fn new(len: u8) -> Self {
        let mut slots = Self {
            slots: [None; SLOTS_MAX],
            len: 1,
            active: None,
        };
        slots.set_len(len);
        slots
    }

    /// Changes the number of slots, 1 to [`SLOTS_MAX`]; the last ones are emptied.
    pub(crate) fn set_len(&mut self, len: u8) {
        self.len = usize::from(len).clamp(1, SLOTS_MAX);
        for slot in self.slots.iter_mut().skip(self.len) {
            *slot = None;
        }
    }

    /// Feeds a packet of the microphone `source`. True if a slot changed hands.
    pub(crate) fn on_packet(
        &mut self,
        now: MonoTime,
        source: u32,
        loudness: &Loudness,
        is_voiced: bool,
    ) -> bool {
        let len = self.len;
        if let Some(holder) = self.holder_mut(source) {
            holder.loudness = *loudness;
            return false;
        }
        let slots = self.slots.iter_mut().take(len);
        let newcomer = Holder {
            source,
            loudness: *loudness,
        };
        if let Some(free) = slots.into_iter().find(|slot| slot.is_none()) {
            // While there are slots for all, everybody simply keeps one.
            *free = Some(newcomer);
            return true;
        }
        let slot = if is_voiced {
            // The floor may be held through a pause in which others took the slot.
            let is_active = self.active == Some(source);
            self.idle(now)
                .or_else(|| is_active.then(|| self.quietest()).flatten())
                .or_else(|| self.quieter(now, loudness))
        } else {
            None
        };
        self.give(slot, newcomer)
    }

    /// The active speaker is `source`: it is let in if it is not. True if a slot changed hands.
    pub(crate) fn set_active(
        &mut self,
        now: MonoTime,
        source: Option<u32>,
        loudness: &Loudness,
    ) -> bool {
        self.active = source;
        let Some(source) = source.filter(|source| self.holder_mut(*source).is_none()) else {
            return false;
        };
        let free = self.slots.iter().take(self.len).position(Option::is_none);
        let slot = free.or_else(|| self.idle(now)).or_else(|| self.quietest());
        let newcomer = Holder {
            source,
            loudness: *loudness,
        };
        self.give(slot, newcomer)
    }

    /// A microphone was muted or left. True if it held a slot.
    pub(crate) fn remove(&mut self, source: u32) -> bool {
        if self.active == Some(source) {
            self.active = None;
        }
        let held = self
            .slots
            .iter_mut()
            .find(|slot| slot.is_some_and(|holder| holder.source == source));
        held.and_then(Option::take).is_some()
    }

    /// Frees the slots of microphones that send nothing any more. True if there was one.
    pub(crate) fn expire(&mut self, now: MonoTime) -> bool {
        let mut is_changed = false;
        for slot in &mut self.slots {
            if slot.is_some_and(|holder| holder.loudness.is_gone(now)) {
                *slot = None;
                is_changed = true;
            }
        }
        is_changed
    }

    /// Who holds a slot; `None` beyond the room's number.
    pub(crate) fn holder(&self, slot: usize) -> Option<u32> {
        let holder = self.slots.get(slot)?.as_ref()?;
        Some(holder.source)
    }

    /// The room's number of slots.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The two of the slots from `first` on that a receiver with one slot for all of these should hear,
    /// best first: the active speaker while it talks, else the loudest; `incumbent` is kept while it
    /// talks and the active speaker does not.
    pub(crate) fn ranked(
        &self,
        now: MonoTime,
        first: usize,
        incumbent: Option<u32>,
    ) -> [Option<u32>; 2] {
        let key = |holder: &Holder| {
            let is_talking = holder.loudness.is_talking(now);
            let is_active = is_talking && self.active == Some(holder.source);
            let is_incumbent = is_talking && incumbent == Some(holder.source);
            let rank = (
                is_active,
                is_talking,
                is_incumbent,
                holder.loudness.smoothed,
            );
            (rank, std::cmp::Reverse(holder.source))
        };
        let holders = || self.slots.iter().skip(first).flatten();
        let best = holders().max_by_key(|holder| key(holder));
        let second = holders()
            .filter(|holder| best.is_none_or(|best| best.source != holder.source))
            .max_by_key(|holder| key(holder));
        [best, second].map(|holder| holder.map(|holder| holder.source))
    }

    fn holder_mut(&mut self, source: u32) -> Option<&mut Holder> {
        self.slots
            .iter_mut()
            .flatten()
            .find(|holder| holder.source == source)
    }

    fn give(&mut self, slot: Option<usize>, newcomer: Holder) -> bool {
        match slot.and_then(|slot| self.slots.get_mut(slot)) {
            Some(slot) => {
                *slot = Some(newcomer);
                true
            }
            None => false,
        }
    }

    fn held(&self) -> impl Iterator<Item = (usize, &Holder)> {
        self.slots
            .iter()
            .enumerate()
            .take(self.len)
            .filter_map(|(index, slot)| Some((index, slot.as_ref()?)))
    }

    /// The slot whose holder has been quiet longest. The active speaker's only if there is no other.
    fn idle(&self, now: MonoTime) -> Option<usize> {
        self.held()
            .filter(|(_, holder)| !holder.loudness.is_talking(now))
            .min_by_key(|(_, holder)| {
                (
                    self.active == Some(holder.source),
                    holder.loudness.last_voiced_at,
                )
            })
            .map(|(index, _)| index)
    }

    fn quietest(&self) -> Option<usize> {
        self.held()
            .filter(|(_, holder)| self.active != Some(holder.source))
            .min_by_key(|(_, holder)| holder.loudness.smoothed)
            .map(|(index, _)| index)
    }

    /// The quietest holder's slot, if the newcomer is much louder and not merely for a moment.
    fn quieter(&self, now: MonoTime, newcomer: &Loudness) -> Option<usize> {
        if newcomer.talking_for(now) < LOUDER_FOR {
            return None;
        }
        self.quietest().filter(|index| {
            self.slots
                .get(*index)
                .copied()
                .flatten()
                .is_some_and(|holder| {
                    newcomer.smoothed >= holder.loudness.smoothed + (LOUDER_DB << 8)
                        && holder.loudness.talking_for(now) >= LOUDER_FOR
                })
        })
    }
}

#[cfg(test)]
mod tests;
