//! Estrade's detector: evidence in one sum, decided on every packet.
//!
//! Each contender gathers a *run*: voiced time while the holder is quiet, and a little while it
//! talks. The floor moves when the run and the holder's silence together pass a threshold, raised
//! by how much more the holder has been talking than the contender (a short word in a talker's own
//! pause needs more than an answer) and by how often people interject in this room. `speaker.md`
//! §8. Beyond that page, whoever goes on talking over the holder for longer than an interjection
//! lasts takes the floor from it.
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

use crate::claim::{Claim, Scene, Unrest};
use crate::panel::Panel;
use crate::voice::{Heard, ms};
use crate::{Detector, DetectorCounters, Mute, SpeakerEvent};

/// A voiced packet of a contender lasts so long.
const CONTENDER_HOLD: Duration = Duration::from_millis(180);

/// A voiced packet of the holder lasts so long.
const HOLDER_HOLD: Duration = Duration::from_millis(145);

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
const SHARE_MS: f32 = 500.0;

/// Voice of a contender, while the holder talks, that takes the floor, ms: interjections are
/// shorter. Raised by the shares of talk like the threshold.
const INTERRUPTION_MS: f32 = 800.0;

/// What is added to that in a crowd, ms.
const INTERRUPTION_CROWD_MS: f32 = 300.0;

/// After a crowd nobody is interrupted for so long: laughter ebbs.
const AFTER_CROWD: Duration = Duration::from_secs(1);

/// Nobody who got the floor so lately is interrupted: two who talk at once do not flap.
const TENURE: Duration = Duration::from_millis(1_200);

/// Who interrupts may be this much quieter than the holder, dB: a second microphone in the holder's
/// own room is quieter still.
const QUIETER_DB: f32 = 10.0;

/// So many at once are a crowd, if they are also more than a quarter of the candidates.
const CROWD: usize = 3;

/// How Estrade's detector runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// The one knob: evidence that moves the floor, in a room with two interjections a minute.
    /// Lower is faster and less calm; kept within 300 ms to 2 s.
    pub threshold: Duration,
}

impl EvidenceSettings {
    /// Few false switches.
    pub const CALM: Self = Self {
        threshold: Duration::from_millis(565),
    };
    /// Faster, with more false switches.
    pub const FAST: Self = Self {
        threshold: Duration::from_millis(510),
    };
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self::CALM
    }
}

/// Estrade's detector.
#[derive(Clone, Debug)]
pub struct EvidenceDetector {
    panel: Panel,
    claims: Vec<Claim>,
    threshold_ms: f32,
    crowd_at: Option<MonoTime>,
    floor_at: Option<MonoTime>,
    unrest: Unrest,
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
            floor_at: None,
            unrest: Unrest::default(),
        }
    }

    /// Weighs one packet of the candidate at `index`.
    fn weigh(&mut self, now: MonoTime, index: usize, heard: Heard) {
        let holder = self.panel.active_index();
        let Some(voice) = self.panel.voice(index) else {
            return;
        };
        let is_on = voice.is_on(now, CONTENDER_HOLD);
        let active_ms = voice.active_ms();
        let is_crowded = holder != Some(index) && is_on && self.is_crowd(now);
        let Some(claim) = self.claims.get_mut(index) else {
            return;
        };
        claim.hear(now, heard);
        claim.sustain(is_on, active_ms);
        if holder == Some(index) {
            return;
        }
        let is_sustained = claim.is_sustained();
        let is_crowd = is_crowded && !is_sustained;
        if is_crowd {
            self.crowd_at = Some(now);
        }
        let holder_voiced = holder
            .and_then(|holder| self.panel.voice(holder))
            .and_then(crate::voice::Voice::last_voiced);
        let scene = Scene {
            is_on,
            is_crowd,
            holder_talks: holder_voiced.is_some_and(|at| now - at <= HOLDER_HOLD),
        };
        if claim.count(ms(heard.span_ms), scene) {
            self.unrest.note(now);
        }
        if !heard.is_voiced || is_crowd {
            return;
        }
        let takes = if scene.holder_talks {
            self.may_interrupt(now, index, holder, is_crowded)
        } else {
            let quiet_since = if is_sustained {
                holder_voiced
            } else {
                holder_voiced.max(self.crowd_at)
            };
            self.is_enough(now, index, holder, quiet_since)
        };
        if takes {
            self.take_floor(now, index);
        }
    }

    /// Whether the contender has talked over the holder for so long that it is its turn.
    fn may_interrupt(
        &self,
        now: MonoTime,
        index: usize,
        holder: Option<usize>,
        is_crowded: bool,
    ) -> bool {
        let (Some(claim), Some(voice)) = (self.claims.get(index), self.panel.voice(index)) else {
            return false;
        };
        let Some((held, holding)) =
            holder.and_then(|holder| Some((self.claims.get(holder)?, self.panel.voice(holder)?)))
        else {
            return false;
        };
        let extra = if is_crowded {
            INTERRUPTION_CROWD_MS
        } else {
            0.0
        };
        let more = held.share(now) - claim.share(now);
        let is_after_crowd = self.crowd_at.is_some_and(|at| now - at <= AFTER_CROWD);
        claim.interrupting_ms(now) >= INTERRUPTION_MS + extra + SHARE_MS * more
            && (claim.is_sustained() || !is_after_crowd)
            && self.floor_at.is_none_or(|at| now - at >= TENURE)
            && voice.loudness() + QUIETER_DB >= holding.loudness()
            && !voice.is_steady()
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
            return claim.run_ms() >= FIRST_RUN_MS;
        };
        let silence_ms = quiet_since.map_or(SILENCE_MS_MAX, |since| {
            ((now - since).as_secs_f32() * 1e3).min(SILENCE_MS_MAX)
        });
        let more = held.share(now) - claim.share(now);
        claim.run_ms() >= RUN_MS_MIN
            && silence_ms >= SILENCE_MS_MIN
            && claim.run_ms() + SILENCE_WEIGHT * silence_ms
                >= self.threshold_ms + self.unrest.added_ms(now) + SHARE_MS * more
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
            claim.lose_floor(now);
        }
        if let Some(claim) = self.claims.get_mut(index) {
            claim.begin_anew();
        }
        self.floor_at = Some(now);
        self.panel.give_floor(now, index);
    }

    /// Gives a floor that was just left to whoever talks now and has the most evidence.
    fn succeed(&mut self, now: MonoTime) {
        let mut best: Option<(usize, f32)> = None;
        for (index, voice) in self.panel.candidates() {
            let run = self.claims.get(index).map_or(0.0, |claim| claim.run_ms());
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
                self.claims.push(Claim::new(now));
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
            claim.begin_anew();
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
