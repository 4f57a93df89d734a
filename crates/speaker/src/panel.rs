//! The candidates of one room and what is told about them, shared by both detectors.
//!
//! A detector holds one panel, feeds it every level, and sets the active speaker; the panel keeps
//! membership, mutes, speaking flags, hints and the outputs.
//!
//! Invariant: the active speaker is an unmuted member or `None`; memory is that of construction.

use std::time::Duration;

use arrayvec::ArrayVec;
use estrade_types::limits::STAGE_MAX;
use estrade_types::{AudioLevel, MonoTime, ParticipantKey, RtpTimestamp, SpeakingParticipant};

use crate::voice::{Heard, Voice};
use crate::{DetectorCounters, Mute, SpeakerEvent};

/// Voice without a break that turns the speaking flag on, ms.
const FLAG_ON_MS: u32 = 100;

/// Time without voice that turns it off: shorter and it strobes between words.
const FLAG_OFF: Duration = Duration::from_millis(500);

/// Least time between two hints for one participant.
const HINT_INTERVAL: Duration = Duration::from_secs(1);

/// Least time between two reminders that one is muted.
const REMINDER_INTERVAL: Duration = Duration::from_secs(5);

/// A speaker moves up in the order when it is louder than the one before it by this, dB.
const ORDER_DB: f32 = 6.0;

/// One participant.
#[derive(Clone, Debug)]
struct Seat {
    key: ParticipantKey,
    mute: Mute,
    voice: Voice,
    is_speaking: bool,
    has_hint: bool,
    hinted: Option<MonoTime>,
    reminded: Option<MonoTime>,
    /// When an event of [`Self::has_hint`] arose; a hint, or a reminder if muted.
    hint_at: MonoTime,
}

/// The candidates and the outputs.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    seats: Vec<Seat>,
    capacity: usize,
    active: Option<ParticipantKey>,
    told_active: Option<ParticipantKey>,
    active_at: MonoTime,
    speaking: ArrayVec<SpeakingParticipant, STAGE_MAX>,
    speaking_changed: Option<MonoTime>,
    hints_pending: u32,
    counters: DetectorCounters,
}

impl Panel {
    /// An empty panel with room for `capacity`, at most [`STAGE_MAX`].
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.min(STAGE_MAX);
        Self {
            seats: Vec::with_capacity(capacity),
            capacity,
            active: None,
            told_active: None,
            active_at: MonoTime::ZERO,
            speaking: ArrayVec::new(),
            speaking_changed: None,
            hints_pending: 0,
            counters: DetectorCounters::default(),
        }
    }

    /// How many it has room for.
    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds a member at the end; its index, or `None` when it is there already or refused.
    pub(crate) fn add(&mut self, key: ParticipantKey) -> Result<Option<usize>, Full> {
        if self.position(key).is_some() {
            return Ok(None);
        }
        if self.seats.len() >= self.capacity {
            self.counters.refused = self.counters.refused.saturating_add(1);
            return Err(Full);
        }
        self.seats.push(Seat {
            key,
            mute: Mute::Unmuted,
            voice: Voice::default(),
            is_speaking: false,
            has_hint: false,
            hinted: None,
            reminded: None,
            hint_at: MonoTime::ZERO,
        });
        Ok(Some(self.seats.len().saturating_sub(1)))
    }

    /// Removes a member; those after it move down by one. Its former index.
    pub(crate) fn remove(&mut self, now: MonoTime, key: ParticipantKey) -> Option<usize> {
        let index = self.position(key)?;
        self.silence(now, index);
        self.seats.remove(index);
        Some(index)
    }

    /// Mutes or unmutes a member, whose claim to the floor is lost either way; its index if that changed
    /// anything.
    pub(crate) fn set_mute(
        &mut self,
        now: MonoTime,
        key: ParticipantKey,
        mute: Mute,
    ) -> Option<usize> {
        let index = self.position(key)?;
        if self.seats.get(index)?.mute == mute {
            return None;
        }
        self.silence(now, index);
        let seat = self.seats.get_mut(index)?;
        seat.mute = mute;
        seat.voice.forget();
        Some(index)
    }

    /// Takes a level in. The member's index and what was heard, if it is a candidate.
    pub(crate) fn hear(
        &mut self,
        now: MonoTime,
        key: ParticipantKey,
        level: AudioLevel,
        timestamp: RtpTimestamp,
        ptime: Option<Duration>,
    ) -> Option<(usize, Heard)> {
        let Some(index) = self.position(key) else {
            self.counters.unknown = self.counters.unknown.saturating_add(1);
            return None;
        };
        let seat = self.seats.get_mut(index)?;
        let Some(heard) = seat.voice.hear(now, level, timestamp, ptime) else {
            self.counters.late = self.counters.late.saturating_add(1);
            return None;
        };
        self.counters.levels = self.counters.levels.saturating_add(1);
        if heard.is_restart {
            self.counters.restarts = self.counters.restarts.saturating_add(1);
        }
        if seat.mute == Mute::Muted {
            self.remind(now, index);
            return None;
        }
        self.flag(now, index);
        self.hint(now, index);
        Some((index, heard))
    }

    /// The index of a member.
    pub(crate) fn position(&self, key: ParticipantKey) -> Option<usize> {
        self.seats.iter().position(|seat| seat.key == key)
    }

    /// Members' indices with their ears, muted ones left out.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = (usize, &Voice)> {
        self.seats
            .iter()
            .enumerate()
            .filter(|(_, seat)| seat.mute == Mute::Unmuted)
            .map(|(index, seat)| (index, &seat.voice))
    }

    /// One member's ear.
    pub(crate) fn voice(&self, index: usize) -> Option<&Voice> {
        self.seats.get(index).map(|seat| &seat.voice)
    }

    /// The index of the active speaker.
    pub(crate) fn active_index(&self) -> Option<usize> {
        self.active.and_then(|active| self.position(active))
    }

    /// The active speaker.
    pub(crate) const fn active(&self) -> Option<ParticipantKey> {
        self.active
    }

    /// Gives the floor to the member at `index`, which must be unmuted.
    pub(crate) fn give_floor(&mut self, now: MonoTime, index: usize) {
        let Some(seat) = self.seats.get(index) else {
            return;
        };
        debug_assert_eq!(
            seat.mute,
            Mute::Unmuted,
            "a muted one never holds the floor"
        );
        if self.active == Some(seat.key) {
            return;
        }
        self.active = Some(seat.key);
        self.active_at = now;
        self.counters.switches = self.counters.switches.saturating_add(1);
    }

    /// Ends speaking flags that are due.
    pub(crate) fn on_timeout(&mut self, now: MonoTime) {
        let mut ended = false;
        for seat in &mut self.seats {
            if seat.is_speaking && !seat.voice.is_on(now, FLAG_OFF) {
                seat.is_speaking = false;
                ended = true;
                let key = seat.key;
                self.speaking.retain(|speaker| speaker.participant != key);
            }
        }
        if ended {
            self.speaking_changed = Some(now);
        }
    }

    /// When the next speaking flag ends.
    pub(crate) fn next_deadline(&self) -> Option<MonoTime> {
        // One nanosecond on: at the deadline itself the flag is still within its time.
        let span = FLAG_OFF + Duration::from_nanos(1);
        let speaking = self.seats.iter().filter(|seat| seat.is_speaking);
        speaking
            .filter_map(|seat| seat.voice.last_voiced())
            .min()
            .map(|at| at.plus(span))
    }

    /// The next event.
    pub(crate) fn poll(&mut self) -> Option<SpeakerEvent> {
        if self.told_active != self.active {
            self.told_active = self.active;
            return Some(SpeakerEvent::Active {
                participant: self.active,
                at: self.active_at,
            });
        }
        if let Some(at) = self.speaking_changed.take() {
            return Some(SpeakerEvent::Speaking { at });
        }
        if self.hints_pending == 0 {
            return None;
        }
        let seat = self.seats.iter_mut().find(|seat| seat.has_hint)?;
        seat.has_hint = false;
        self.hints_pending = self.hints_pending.saturating_sub(1);
        let (participant, at) = (seat.key, seat.hint_at);
        Some(match seat.mute {
            Mute::Unmuted => SpeakerEvent::Hint { participant, at },
            Mute::Muted => SpeakerEvent::SpeakingWhileMuted { participant, at },
        })
    }

    /// Who talks now, loudest first.
    pub(crate) fn speaking(&self) -> &[SpeakingParticipant] {
        &self.speaking
    }

    /// The counters.
    pub(crate) const fn counters(&self) -> DetectorCounters {
        self.counters
    }

    /// Takes away all that a member is shown for: the floor, the flag, a hint not yet read.
    fn silence(&mut self, now: MonoTime, index: usize) {
        let Some(seat) = self.seats.get_mut(index) else {
            return;
        };
        if seat.has_hint {
            seat.has_hint = false;
            self.hints_pending = self.hints_pending.saturating_sub(1);
        }
        let key = seat.key;
        if seat.is_speaking {
            seat.is_speaking = false;
            self.speaking.retain(|speaker| speaker.participant != key);
            self.speaking_changed = Some(now);
        }
        if self.active == Some(key) {
            self.active = None;
            self.active_at = now;
        }
    }

    /// Keeps the speaking flag and the order of speakers.
    fn flag(&mut self, now: MonoTime, index: usize) {
        let Some(seat) = self.seats.get_mut(index) else {
            return;
        };
        if !seat.is_speaking {
            if seat.voice.active_ms() < FLAG_ON_MS {
                return;
            }
            seat.is_speaking = true;
            let speaker = SpeakingParticipant {
                participant: seat.key,
                level: seat.voice.level(),
            };
            // Never refused: the panel has no more seats than the list.
            if self.speaking.try_push(speaker).is_ok() {
                self.speaking_changed = Some(now);
            }
        }
        self.order(now, index);
    }

    /// Moves a speaker up past those it is clearly louder than.
    fn order(&mut self, now: MonoTime, index: usize) {
        let Some(seat) = self.seats.get(index) else {
            return;
        };
        let (key, level, loudness) = (seat.key, seat.voice.level(), seat.voice.loudness());
        let place = self
            .speaking
            .iter()
            .position(|speaker| speaker.participant == key);
        let Some(mut place) = place else {
            return;
        };
        if let Some(speaker) = self.speaking.get_mut(place) {
            speaker.level = level;
        }
        while let Some(above) = place.checked_sub(1) {
            let other = self.speaking.get(above).map(|other| other.participant);
            let other = other.and_then(|other| self.position(other));
            let other = other.and_then(|other| self.seats.get(other));
            if other.is_some_and(|other| loudness < other.voice.loudness() + ORDER_DB) {
                break;
            }
            self.speaking.swap(above, place);
            self.speaking_changed = Some(now);
            place = above;
        }
    }

    /// Notes a hint, at its limited rate.
    fn hint(&mut self, now: MonoTime, index: usize) {
        let active = self.active;
        let Some(seat) = self.seats.get_mut(index) else {
            return;
        };
        let is_due = seat.hinted.is_none_or(|at| now - at >= HINT_INTERVAL);
        if seat.voice.is_hinting() && is_due && active != Some(seat.key) {
            seat.hinted = Some(now);
            seat.hint_at = now;
            self.counters.hints = self.counters.hints.saturating_add(1);
            if !seat.has_hint {
                seat.has_hint = true;
                self.hints_pending = self.hints_pending.saturating_add(1);
            }
        }
    }

    /// Notes that a muted member talks, at its limited rate.
    fn remind(&mut self, now: MonoTime, index: usize) {
        let Some(seat) = self.seats.get_mut(index) else {
            return;
        };
        let is_due = seat.reminded.is_none_or(|at| now - at >= REMINDER_INTERVAL);
        if seat.voice.is_hinting() && is_due {
            seat.reminded = Some(now);
            seat.hint_at = now;
            if !seat.has_hint {
                seat.has_hint = true;
                self.hints_pending = self.hints_pending.saturating_add(1);
            }
        }
    }
}

/// The panel has no seat left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Full;
