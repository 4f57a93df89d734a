//! The rule shipped by Jitsi and mediasoup, in its exact integer form.
//!
//! Volfin and Cohen's scores, as both servers compute them, come down to comparisons of small
//! counts (`speaker.md` §3): every 300 ms the holder loses the floor if its newest level is under
//! 40 and none of its last five is 80 or more, to a contender that talks now, at the medium scale,
//! and at the long scale more than the holder. Silence between packets is filled by elapsed time,
//! as mediasoup does.
//!
//! It is the benchmark's yardstick, and a room may choose it.
//!
//! Departs from both servers in the first announcement only: theirs names whoever joined first,
//! silent or not; here the first holder must have talked.

use std::time::Duration;

use estrade_types::{AudioLevel, MonoTime, ParticipantKey, RtpTimestamp, SpeakingParticipant};

use crate::panel::Panel;
use crate::voice::Heard;
use crate::{Detector, DetectorCounters, Mute, SpeakerEvent};

/// Levels remembered: 1 s.
const HISTORY: usize = 50;

/// Levels in a block of the medium and long scales.
const BLOCK: usize = 5;

/// What one level stands for, ms.
const SLOT_MS: u32 = 20;

/// Time without packets, beyond what the last one lasts, that is silence.
const IDLE: Duration = Duration::from_millis(40);

/// Volume that counts as immediate activity: louder than -87 dBov.
const IMMEDIATE: u8 = 40;

/// Volume that counts at the medium and long scales: louder than -47 dBov.
const MEDIUM: u8 = 80;

/// What a level must exceed the floor by.
const OVER_FLOOR: u8 = 10;

/// Levels after which the floor is estimated anew: 15 s.
const FLOOR_LEVELS: u32 = 750;

/// How the reference rule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferenceSettings {
    /// Time between two decisions; kept within 40 ms to 5 s. Both servers ship 300 ms.
    pub tick: Duration,
}

impl Default for ReferenceSettings {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(300),
        }
    }
}

/// One participant's levels and floor.
#[derive(Clone, Debug)]
struct History {
    levels: [u8; HISTORY],
    next: usize,
    floor: u8,
    candidate: Option<u8>,
    floor_levels: u32,
    /// Up to when the levels are written, by arrival.
    written: Option<MonoTime>,
    /// What the latest packet lasts.
    span: Duration,
    owed_ms: u32,
}

impl Default for History {
    fn default() -> Self {
        Self {
            levels: [0; HISTORY],
            next: 0,
            floor: 0,
            candidate: None,
            floor_levels: 0,
            written: None,
            span: Duration::ZERO,
            owed_ms: 0,
        }
    }
}

impl History {
    /// Takes a packet in: its volume for as long as it lasts, and silence for the time before it
    /// that nothing was heard of.
    fn hear(&mut self, now: MonoTime, volume: u8, heard: Heard) {
        let span = Duration::from_millis(u64::from(heard.span_ms));
        let elapsed = self.written.map_or(span, |written| now - written);
        if let Some(idle) = elapsed.checked_sub(span).filter(|idle| *idle >= IDLE) {
            self.push(0, slots_in(idle));
        }
        // Packets shorter than a slot fill one together.
        self.owed_ms += heard.span_ms;
        let slots = self.owed_ms / SLOT_MS;
        self.owed_ms %= SLOT_MS;
        self.push(volume, usize::try_from(slots).unwrap_or(HISTORY));
        self.span = span;
        self.written = Some(now);
    }

    /// Writes silence up to `now` if packets have ceased.
    fn fill(&mut self, now: MonoTime) {
        let Some(written) = self.written.filter(|at| now - *at >= self.span + IDLE) else {
            return;
        };
        let slots = slots_in(now - written);
        self.push(0, slots);
        self.written = Some(now);
        self.span = Duration::ZERO;
    }

    fn push(&mut self, volume: u8, slots: usize) {
        for _ in 0..slots.min(HISTORY) {
            self.push_slot(volume);
        }
    }

    fn push_slot(&mut self, volume: u8) {
        self.track_floor(volume);
        if let Some(oldest) = self.levels.get_mut(self.next) {
            *oldest = volume;
        }
        self.next = (self.next + 1) % HISTORY;
    }

    /// The slow floor: falls at once, rises every 15 s to the geometric mean with the minimum.
    fn track_floor(&mut self, volume: u8) {
        if volume == 0 {
            return;
        }
        if self.floor == 0 || volume < self.floor {
            self.floor = volume;
            self.candidate = None;
            self.floor_levels = 0;
            return;
        }
        let candidate = self.candidate.map_or(volume, |least| least.min(volume));
        self.candidate = Some(candidate);
        self.floor_levels += 1;
        if self.floor_levels >= FLOOR_LEVELS {
            let product = u32::from(self.floor) * u32::from(candidate);
            self.floor = u8::try_from(product.isqrt()).unwrap_or(u8::MAX);
            self.candidate = None;
            self.floor_levels = 0;
        }
    }

    /// The volume `back` levels ago, 0 when it is not clearly over the floor.
    fn volume(&self, back: usize) -> u8 {
        let index = (self.next + 2 * HISTORY - 1 - back) % HISTORY;
        let volume = self.levels.get(index).copied().unwrap_or(0);
        if volume < self.floor.saturating_add(OVER_FLOOR) {
            0
        } else {
            volume
        }
    }

    fn scores(&self) -> Scores {
        let loud = |back: usize| self.volume(back) >= MEDIUM;
        Scores {
            immediate: self.volume(0),
            medium: (0..BLOCK).filter(|back| loud(*back)).count(),
            long: (0..HISTORY / BLOCK)
                .filter(|block| (0..BLOCK).all(|level| loud(block * BLOCK + level)))
                .count(),
        }
    }
}

/// Levels that stand for a span of silence.
fn slots_in(span: Duration) -> usize {
    usize::try_from(span.as_millis() / u128::from(SLOT_MS)).unwrap_or(HISTORY)
}

/// Activity at the three scales.
#[derive(Clone, Copy, Debug, Default)]
struct Scores {
    immediate: u8,
    medium: usize,
    long: usize,
}

/// The reference rule.
#[derive(Clone, Debug)]
pub struct ReferenceDetector {
    panel: Panel,
    histories: Vec<History>,
    tick: Duration,
    next_tick: Option<MonoTime>,
}

impl ReferenceDetector {
    /// A detector with room for `capacity` candidates, at most
    /// [`estrade_types::limits::STAGE_MAX`].
    pub fn new(capacity: usize, settings: ReferenceSettings) -> Self {
        let panel = Panel::new(capacity);
        Self {
            histories: Vec::with_capacity(panel.capacity()),
            panel,
            tick: settings.tick.clamp(IDLE, Duration::from_secs(5)),
            next_tick: None,
        }
    }

    /// Writes silence where packets have ceased, then decides.
    fn decide(&mut self, now: MonoTime) {
        for history in &mut self.histories {
            history.fill(now);
        }
        let holder = self.panel.active_index();
        let held = holder
            .and_then(|index| self.histories.get(index))
            .map(History::scores)
            .unwrap_or_default();
        if held.immediate >= IMMEDIATE || held.medium > 0 {
            return;
        }
        let mut best: Option<(usize, usize)> = None;
        for (index, _) in self.panel.candidates() {
            let Some(history) = self.histories.get(index) else {
                continue;
            };
            let scores = history.scores();
            let beats = Some(index) != holder
                && scores.immediate >= IMMEDIATE
                && scores.medium >= 1
                && scores.long > held.long;
            if beats && best.is_none_or(|(_, medium)| scores.medium > medium) {
                best = Some((index, scores.medium));
            }
        }
        if let Some((index, _)) = best {
            self.panel.give_floor(now, index);
        }
    }
}

impl Detector for ReferenceDetector {
    fn add(&mut self, now: MonoTime, participant: ParticipantKey) -> bool {
        match self.panel.add(participant) {
            Ok(Some(_)) => {
                self.histories.push(History::default());
                self.next_tick.get_or_insert(now.plus(self.tick));
                true
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    fn remove(&mut self, now: MonoTime, participant: ParticipantKey) {
        let held = self.panel.active() == Some(participant);
        if let Some(index) = self.panel.remove(now, participant) {
            self.histories.remove(index);
        }
        if self.histories.is_empty() {
            self.next_tick = None;
        }
        if held {
            self.decide(now);
        }
    }

    fn set_mute(&mut self, now: MonoTime, participant: ParticipantKey, mute: Mute) {
        let held = self.panel.active() == Some(participant);
        if let Some(index) = self.panel.set_mute(now, participant, mute)
            && let Some(history) = self.histories.get_mut(index)
        {
            // The floor stays: the room sounds as before.
            history.levels = [0; HISTORY];
        }
        if held && mute == Mute::Muted {
            self.decide(now);
        }
    }

    fn on_level(
        &mut self,
        now: MonoTime,
        participant: ParticipantKey,
        level: AudioLevel,
        timestamp: RtpTimestamp,
        ptime: Option<Duration>,
    ) {
        self.on_timeout(now);
        let heard = self.panel.hear(now, participant, level, timestamp, ptime);
        if let Some((index, heard)) = heard
            && let Some(history) = self.histories.get_mut(index)
        {
            history.hear(now, level.volume(), heard);
        }
    }

    fn on_timeout(&mut self, now: MonoTime) {
        if let Some(due) = self.next_tick
            && due <= now
        {
            self.decide(now);
            // From now on, as a timer that fired late would: ticks that were missed are lost.
            let next = due.plus(self.tick);
            self.next_tick = Some(if next > now {
                next
            } else {
                now.plus(self.tick)
            });
        }
        self.panel.on_timeout(now);
    }

    fn next_deadline(&self) -> Option<MonoTime> {
        [self.next_tick, self.panel.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn poll(&mut self) -> Option<SpeakerEvent> {
        self.panel.poll()
    }

    fn active(&self) -> Option<ParticipantKey> {
        self.panel.active()
    }

    fn speaking(&self) -> &[SpeakingParticipant] {
        self.panel.speaking()
    }

    fn counters(&self) -> DetectorCounters {
        self.panel.counters()
    }
}
