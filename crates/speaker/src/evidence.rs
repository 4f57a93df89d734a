//! Estrade's detector: evidence in one sum, decided on every packet.
//!
//! Each contender gathers a *run*: voiced time while the holder is quiet, and a little while it
//! talks. The floor moves when the run and the holder's silence together pass a threshold, raised
//! by how much more the holder has been talking than the contender: a short word in a talker's own
//! pause needs more than an answer. `speaker.md` §8.
//!
//! Fed by the shard, per room. Times are milliseconds of media, except how long ago somebody's
//! last voiced packet *came*, which is by arrival. The constants were chosen on the tuning seeds of
//! `estrade-speaker-bench`; most are flat around their value, and [`EvidenceSettings::threshold`] alone
//! trades speed for calm.
//!
//! Invariant: only a voiced packet of a contender moves the floor, so nobody who is silent is ever
//! announced, and silence moves nothing.

use std::time::Duration;

use estrade_types::{AudioLevel, MonoTime, ParticipantKey, RtpTimestamp, SpeakingParticipant};

use crate::panel::Panel;
use crate::voice::{Heard, ms};
use crate::{Detector, DetectorCounters, Mute, SpeakerEvent};

/// A voiced packet of a contender lasts so long.
const CONTENDER_HOLD: Duration = Duration::from_millis(180);

/// A voiced packet of the holder lasts so long.
const HOLDER_HOLD: Duration = Duration::from_millis(145);

/// A run grows to this while the holder talks, ms: an interruption is prepared, not executed.
/// Higher is faster after long overlaps, and lets a word across a breath take the floor.
const INTERRUPTING_MS_MAX: f32 = 600.0;

/// The least run that takes a held floor, ms.
const RUN_MS_MIN: f32 = 180.0;

/// The least silence of the holder in which the floor moves, ms: less is a breath. It costs nothing
/// at the median, since silence and run grow together after an ordinary handover; with it an
/// interruption may be prepared further.
const SILENCE_MS_MIN: f32 = 250.0;

/// The least run that takes a free floor, ms.
const FIRST_RUN_MS: f32 = 200.0;

/// What a millisecond of the holder's silence counts for.
const SILENCE_WEIGHT: f32 = 0.6;

/// The holder's silence counts up to this, ms.
const SILENCE_MS_MAX: f32 = 1_400.0;

/// What the threshold rises by for each unit by which the holder's share of talk is greater, ms.
const SHARE_MS: f32 = 400.0;

/// Time constant of the share of talk, ms.
const SHARE_TAU_MS: f32 = 32_000.0;

/// Longest run remembered, ms.
const RUN_MS_MAX: f32 = 2_000.0;

/// So many at once are a crowd, if they are also more than a quarter of the candidates.
const CROWD: usize = 3;

/// How Estrade's detector runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// The one knob: evidence that moves the floor. Lower is faster and less calm; kept within
    /// 300 ms to 2 s.
    pub threshold: Duration,
}

impl EvidenceSettings {
    /// Few false switches.
    pub const CALM: Self = Self {
        threshold: Duration::from_millis(620),
    };
    /// Faster, with more false switches.
    pub const FAST: Self = Self {
        threshold: Duration::from_millis(550),
    };
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self::CALM
    }
}

/// What is known of one participant's claim to the floor.
#[derive(Clone, Copy, Debug, Default)]
struct Claim {
    run_ms: f32,
    share: f32,
    share_at: MonoTime,
}

impl Claim {
    /// Share of time with voice, forgotten up to `now`.
    fn share(&self, now: MonoTime) -> f32 {
        self.share * (-(now - self.share_at).as_secs_f32() * 1e3 / SHARE_TAU_MS).exp()
    }

    fn add_share(&mut self, now: MonoTime, heard: Heard) {
        let share = self.share(now);
        let step = if heard.is_voiced {
            1.0 - (-ms(heard.span_ms) / SHARE_TAU_MS).exp()
        } else {
            0.0
        };
        self.share = (share + step).min(1.0);
        self.share_at = now;
    }
}

/// Estrade's detector.
#[derive(Clone, Debug)]
pub struct EvidenceDetector {
    panel: Panel,
    claims: Vec<Claim>,
    threshold_ms: f32,
    crowd_at: Option<MonoTime>,
}

impl EvidenceDetector {
    /// A detector with room for `capacity` candidates, at most
    /// [`estrade_types::limits::STAGE_MAX`].
    pub fn new(capacity: usize, settings: EvidenceSettings) -> Self {
        let panel = Panel::new(capacity);
        let least = Duration::from_millis(300);
        let threshold = settings.threshold.clamp(least, Duration::from_secs(2));
        Self {
            claims: Vec::with_capacity(panel.capacity()),
            panel,
            threshold_ms: threshold.as_secs_f32() * 1e3,
            crowd_at: None,
        }
    }

    /// Weighs one packet of the candidate at `index`.
    fn weigh(&mut self, now: MonoTime, index: usize, heard: Heard) {
        if let Some(claim) = self.claims.get_mut(index) {
            claim.add_share(now, heard);
            claim.run_ms = (claim.run_ms - ms(heard.gap_ms)).max(0.0);
        }
        let holder = self.panel.active_index();
        if holder == Some(index) {
            return;
        }
        let is_on = self
            .panel
            .voice(index)
            .is_some_and(|voice| voice.is_on(now, CONTENDER_HOLD));
        let span = ms(heard.span_ms);
        let is_crowd = is_on && self.is_crowd(now);
        if is_crowd {
            self.crowd_at = Some(now);
        }
        let holder_voiced = holder
            .and_then(|holder| self.panel.voice(holder))
            .and_then(crate::voice::Voice::last_voiced);
        let holder_talks = holder_voiced.is_some_and(|at| now - at <= HOLDER_HOLD);
        let Some(claim) = self.claims.get_mut(index) else {
            return;
        };
        claim.run_ms = if !is_on || is_crowd {
            (claim.run_ms - span).max(0.0)
        } else if holder_talks {
            let prepared = (claim.run_ms + span).min(INTERRUPTING_MS_MAX);
            claim.run_ms.max(prepared)
        } else {
            (claim.run_ms + span).min(RUN_MS_MAX)
        };
        if !heard.is_voiced || holder_talks || is_crowd {
            return;
        }
        let quiet_since = holder_voiced.max(self.crowd_at);
        if self.is_enough(now, index, holder, quiet_since) {
            self.take_floor(now, index);
        }
    }

    /// Whether the contender's evidence moves the floor.
    fn is_enough(
        &self,
        now: MonoTime,
        index: usize,
        holder: Option<usize>,
        quiet_since: Option<MonoTime>,
    ) -> bool {
        let Some(claim) = self.claims.get(index) else {
            return false;
        };
        if self
            .panel
            .voice(index)
            .is_none_or(|voice| voice.is_steady())
        {
            return false;
        }
        let Some(held) = holder.and_then(|holder| self.claims.get(holder)) else {
            return claim.run_ms >= FIRST_RUN_MS;
        };
        let silence_ms = quiet_since.map_or(SILENCE_MS_MAX, |since| {
            ((now - since).as_secs_f32() * 1e3).min(SILENCE_MS_MAX)
        });
        let more = held.share(now) - claim.share(now);
        claim.run_ms >= RUN_MS_MIN
            && silence_ms >= SILENCE_MS_MIN
            && claim.run_ms + SILENCE_WEIGHT * silence_ms >= self.threshold_ms + SHARE_MS * more
    }

    /// Whether so many talk at once that nobody holds the floor: laughter, applause.
    fn is_crowd(&self, now: MonoTime) -> bool {
        let (mut on, mut all) = (0_usize, 0_usize);
        for (_, voice) in self.panel.candidates() {
            all += 1;
            on += usize::from(voice.is_on(now, CONTENDER_HOLD));
        }
        on >= CROWD && 4 * on > all
    }

    fn take_floor(&mut self, now: MonoTime, index: usize) {
        if let Some(held) = self.panel.active_index()
            && let Some(claim) = self.claims.get_mut(held)
        {
            claim.run_ms = 0.0;
        }
        if let Some(claim) = self.claims.get_mut(index) {
            claim.run_ms = 0.0;
        }
        self.panel.give_floor(now, index);
    }

    /// Gives a floor that was just left to whoever talks now and has the most evidence.
    fn succeed(&mut self, now: MonoTime) {
        let mut best: Option<(usize, f32)> = None;
        for (index, voice) in self.panel.candidates() {
            let run = self.claims.get(index).map_or(0.0, |claim| claim.run_ms);
            let talks = voice.is_on(now, CONTENDER_HOLD) && !voice.is_steady();
            if talks && run >= FIRST_RUN_MS && best.is_none_or(|(_, most)| run > most) {
                best = Some((index, run));
            }
        }
        if let Some((index, _)) = best {
            self.take_floor(now, index);
        }
    }
}

impl Detector for EvidenceDetector {
    fn add(&mut self, now: MonoTime, participant: ParticipantKey) -> bool {
        match self.panel.add(participant) {
            Ok(Some(_)) => {
                self.claims.push(Claim {
                    share_at: now,
                    ..Claim::default()
                });
                true
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    fn remove(&mut self, now: MonoTime, participant: ParticipantKey) {
        let held = self.panel.active() == Some(participant);
        if let Some(index) = self.panel.remove(now, participant) {
            self.claims.remove(index);
        }
        if held {
            self.succeed(now);
        }
    }

    fn set_mute(&mut self, now: MonoTime, participant: ParticipantKey, mute: Mute) {
        let held = self.panel.active() == Some(participant);
        if let Some(index) = self.panel.set_mute(now, participant, mute)
            && let Some(claim) = self.claims.get_mut(index)
        {
            claim.run_ms = 0.0;
        }
        if held && mute == Mute::Muted {
            self.succeed(now);
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
        let heard = self.panel.hear(now, participant, level, timestamp, ptime);
        if let Some((index, heard)) = heard {
            self.weigh(now, index, heard);
        }
        self.panel.on_timeout(now);
    }

    fn on_timeout(&mut self, now: MonoTime) {
        self.panel.on_timeout(now);
    }

    fn next_deadline(&self) -> Option<MonoTime> {
        self.panel.next_deadline()
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
