//! One participant's claim to the floor, and how restless a room is: what the evidence detector
//! sums up.
//!
//! Times are milliseconds of media. The detector feeds a claim every packet of its participant.
//!
//! Invariant: all sums are bounded, and time without voice only ever lowers a claim.

use std::time::Duration;

use estrade_types::MonoTime;

use crate::voice::{Heard, ms};

/// A run grows to this while the holder talks, ms: an interruption is prepared. Higher is faster
/// after long overlaps, and lets a word across a breath take the floor.
const INTERRUPTING_MS_MAX: f32 = 600.0;

/// Longest run and utterance remembered, ms.
const RUN_MS_MAX: f32 = 2_000.0;

/// What time without voice takes from an utterance, for each millisecond: a pause between two
/// words ends none, one between two interjections does.
const UTTERANCE_FALL: f32 = 2.0;

/// Activity without a break that laughter, which comes in syllables, does not reach, ms.
const SUSTAINED_MS: u32 = 440;

/// Who lost the floor interrupts nobody for so long.
const REGAIN: Duration = Duration::from_secs(3);

/// Time constant of the share of talk, ms.
const SHARE_TAU_MS: f32 = 32_000.0;

/// The shortest utterance of somebody without the floor that is an interjection, ms; less is as
/// often a noise.
const INTERJECTION_MS_MIN: f32 = 250.0;

/// Time constant of the rate of interjections, s.
const RATE_TAU_S: f32 = 60.0;

/// The rate a room is taken to have at first, and at which nothing is added, per minute.
const RATE_USUAL: f32 = 2.0;

/// The highest rate that counts, per minute.
const RATE_MAX: f32 = 8.0;

/// What each interjection per minute adds to the threshold, ms.
const RATE_MS: f32 = 22.0;

/// What is going on while a contender's packet is weighed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    /// Whether the contender had voice lately.
    pub(crate) is_on: bool,
    /// Whether so many have that none of them counts.
    pub(crate) is_crowd: bool,
    /// Whether the holder has.
    pub(crate) holder_talks: bool,
}

/// What is known of one participant's claim to the floor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claim {
    /// Voice that counts towards the floor.
    run_ms: f32,
    /// Voice of the utterance that goes on, whoever else talks.
    utterance_ms: f32,
    /// The most that the utterance came to.
    longest_ms: f32,
    /// Whether the utterance is more than laughter.
    is_sustained: bool,
    /// Whether the utterance had the floor already and lost it.
    is_spent: bool,
    /// When it last lost the floor to somebody.
    lost_at: Option<MonoTime>,
    share: f32,
    share_at: MonoTime,
}

impl Claim {
    /// The claim of somebody who joins.
    pub(crate) fn new(now: MonoTime) -> Self {
        Self {
            share_at: now,
            ..Self::default()
        }
    }

    /// Voice that counts towards the floor, ms.
    pub(crate) const fn run_ms(&self) -> f32 {
        self.run_ms
    }

    /// Whether it talks, and not only laughs.
    pub(crate) const fn is_sustained(&self) -> bool {
        self.is_sustained
    }

    /// Voice that may take the floor from somebody who talks, ms. None for one who just lost
    /// it, or has not paused since: two who talk at once do not pass it to and fro.
    pub(crate) fn interrupting_ms(&self, now: MonoTime) -> f32 {
        if self.is_spent || self.lost_at.is_some_and(|at| now - at < REGAIN) {
            0.0
        } else {
            self.utterance_ms
        }
    }

    /// Share of time with voice, forgotten up to `now`.
    pub(crate) fn share(&self, now: MonoTime) -> f32 {
        self.share * (-(now - self.share_at).as_secs_f32() * 1e3 / SHARE_TAU_MS).exp()
    }

    /// Takes a packet into the share, and the time without packets before it out of the run.
    pub(crate) fn hear(&mut self, now: MonoTime, heard: Heard) {
        let share = self.share(now);
        let step = if heard.is_voiced {
            1.0 - (-ms(heard.span_ms) / SHARE_TAU_MS).exp()
        } else {
            0.0
        };
        self.share = (share + step).min(1.0);
        self.share_at = now;
        self.run_ms = (self.run_ms - ms(heard.gap_ms)).max(0.0);
        self.utterance_ms = (self.utterance_ms - ms(heard.gap_ms)).max(0.0);
    }

    /// Notes how long the participant has been active without a break.
    pub(crate) fn sustain(&mut self, is_on: bool, active_ms: u32) {
        self.is_sustained = is_on && (self.is_sustained || active_ms >= SUSTAINED_MS);
        self.is_spent &= is_on;
    }

    /// Lets a contender's packet of `span` ms count; whether an interjection ended with it.
    pub(crate) fn count(&mut self, span: f32, scene: Scene) -> bool {
        self.run_ms = if !scene.is_on {
            (self.run_ms - span).max(0.0)
        } else if scene.is_crowd {
            self.run_ms
        } else if scene.holder_talks {
            let prepared = (self.run_ms + span).min(INTERRUPTING_MS_MAX);
            self.run_ms.max(prepared)
        } else {
            (self.run_ms + span).min(RUN_MS_MAX)
        };
        if !scene.is_on {
            self.utterance_ms = (self.utterance_ms - UTTERANCE_FALL * span).max(0.0);
        } else if !scene.is_crowd {
            self.utterance_ms = (self.utterance_ms + span).min(RUN_MS_MAX);
        }
        self.longest_ms = self.longest_ms.max(self.utterance_ms);
        if self.utterance_ms > 0.0 {
            return false;
        }
        let was_interjection = self.longest_ms >= INTERJECTION_MS_MIN;
        self.longest_ms = 0.0;
        was_interjection
    }

    /// Begins anew, as one who got the floor or was muted.
    pub(crate) const fn begin_anew(&mut self) {
        self.run_ms = 0.0;
        self.utterance_ms = 0.0;
        self.longest_ms = 0.0;
    }

    /// Begins anew, as one whose floor somebody else got.
    pub(crate) const fn lose_floor(&mut self, now: MonoTime) {
        self.begin_anew();
        self.is_spent = true;
        self.lost_at = Some(now);
    }
}

/// How many interjections a room has lately.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unrest {
    per_min: f32,
    at: MonoTime,
}

impl Default for Unrest {
    fn default() -> Self {
        Self {
            per_min: RATE_USUAL,
            at: MonoTime::ZERO,
        }
    }
}

impl Unrest {
    /// Interjections per minute, forgotten up to `now`.
    fn per_min(&self, now: MonoTime) -> f32 {
        self.per_min * (-(now - self.at).as_secs_f32() / RATE_TAU_S).exp()
    }

    /// Counts an interjection.
    pub(crate) fn note(&mut self, now: MonoTime) {
        self.per_min = self.per_min(now) + 60.0 / RATE_TAU_S;
        self.at = now;
    }

    /// What it adds to the threshold, ms; negative in a room where nobody interjects.
    pub(crate) fn added_ms(&self, now: MonoTime) -> f32 {
        RATE_MS * (self.per_min(now).min(RATE_MAX) - RATE_USUAL)
    }
}
