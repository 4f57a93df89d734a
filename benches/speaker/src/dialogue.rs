//! Composes a labelled dialogue: who talks when, over what noise, and what packets come of it.
//!
//! Sound is modeled as power per 10 ms and participant, full scale 1: speech from the traces, a
//! noisy microphone, and whatever a scenario adds. Packets carry the mean power of their time as an
//! RFC 6464 level.
//!
//! Invariant: the same scenario and seed give the same rows and turns.

use crate::rng::Rng;
use crate::scenario::{Lie, Scenario};
use crate::traces::{Voice, level};

/// Frames of the model per second.
const FRAMES_PER_S: f64 = 100.0;

/// Different powers a microphone's noise takes.
const FLICKER: usize = 1_024;

/// One audio packet as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Arrival, ms.
    pub(crate) time_ms: u64,
    /// Who, dense from 0.
    pub(crate) participant: usize,
    /// 0 loudest to 127 silence.
    pub(crate) level: u8,
    /// The voice bit.
    pub(crate) voice: bool,
    /// At 48 kHz.
    pub(crate) rtp_timestamp: u32,
    /// Duration, ms, if known.
    pub(crate) ptime_ms: Option<u32>,
}

/// Somebody's turn: who ought to have the floor, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Whose.
    pub(crate) participant: usize,
    /// First sound.
    pub(crate) start_ms: u64,
    /// After the last sound.
    pub(crate) end_ms: u64,
}

/// A labelled dialogue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialogue {
    /// Packets in order of arrival.
    pub(crate) rows: Vec<Row>,
    /// Turns in order of their start.
    pub(crate) turns: Vec<Turn>,
    /// What it lasts, ms.
    pub(crate) length_ms: u64,
}

/// The sound of one microphone.
struct Track {
    voice: usize,
    gain: f64,
    noise: f64,
    speech: Vec<f64>,
    other: Vec<f64>,
}

struct Composer<'a> {
    rng: Rng,
    scenario: &'a Scenario,
    voices: &'a [Voice],
    tracks: Vec<Track>,
    frames: usize,
    turns: Vec<Turn>,
    /// Frames between sentences of a turn, with whose turn it is.
    pauses: Vec<(usize, usize)>,
}

/// Composes `seconds` of `scenario`.
pub(crate) fn compose(scenario: &Scenario, voices: &[Voice], seed: u64, seconds: f64) -> Dialogue {
    let frames = frames(seconds);
    let mut rng = Rng::seeded(seed);
    let first_voice = rng.below(voices.len());
    let tracks = (0..scenario.participants)
        .map(|n| {
            let spread = rng.between(-scenario.spread_db, scenario.spread_db);
            let noise = rng.between(-70.0, -60.0);
            Track {
                voice: (first_voice + n) % voices.len().max(1),
                gain: power(spread + rng.normal(0.0, 1.5)),
                noise: match scenario.noisy_dbov {
                    Some(noisy) if n == 0 => noisy,
                    _ => noise,
                },
                speech: vec![0.0; frames],
                other: vec![0.0; frames],
            }
        })
        .collect();
    let mut composer = Composer {
        rng,
        scenario,
        voices,
        tracks,
        frames,
        turns: Vec::new(),
        pauses: Vec::new(),
    };
    composer.talk();
    composer.interject();
    composer.make_noises();
    composer.laugh();
    composer.packetize()
}

impl Composer<'_> {
    /// Who may take turns: not the one who only coughs or sends a constant.
    fn talkers(&self) -> usize {
        let silent = usize::from(self.scenario.has_mute_member());
        self.tracks.len().saturating_sub(silent).max(1)
    }

    fn talk(&mut self) {
        let talkers = self.talkers();
        let mut at = frames(self.rng.between(0.5, 2.0));
        let mut speaker = self.rng.below(talkers);
        while at + frames(3.0) < self.frames {
            let wanted = frames(self.turn_seconds());
            let end = self.say_turn(speaker, at, wanted);
            self.turns.push(Turn {
                participant: speaker,
                start_ms: millis(at),
                end_ms: millis(end),
            });
            let gap = self.gap_seconds();
            let next = if gap < 0.0 {
                end.saturating_sub(frames(-gap)).max(at + frames(0.5))
            } else {
                end + frames(gap)
            };
            at = next;
            if talkers > 1 {
                speaker = (speaker + 1 + self.rng.below(talkers - 1)) % talkers;
            }
            if self.scenario.monologue {
                // The speaker of the evening, interrupted by a question now and then.
                speaker = if speaker == 1 || self.rng.chance(0.6) {
                    1
                } else {
                    speaker
                };
                if self
                    .turns
                    .last()
                    .is_some_and(|turn| turn.participant == speaker)
                {
                    speaker = if speaker == 1 { 2 } else { 1 };
                }
            }
        }
    }

    fn turn_seconds(&mut self) -> f64 {
        if self.scenario.monologue && self.turns.len().is_multiple_of(2) {
            return self.rng.between(30.0, 90.0);
        }
        if self.rng.chance(0.15) {
            return self.rng.between(0.9, 2.0);
        }
        (1.8 + self.rng.exponential(4.5)).min(25.0)
    }

    fn gap_seconds(&mut self) -> f64 {
        if self.scenario.long_silence && self.rng.chance(0.6) {
            return self.rng.between(6.0, 40.0);
        }
        if self.rng.chance(self.scenario.overlap) {
            return -self.rng.between(0.3, 1.8);
        }
        self.rng.normal(0.0, 0.25).max(-0.8)
    }

    /// Says sentences for about `wanted` frames; the frame after the last sound.
    fn say_turn(&mut self, who: usize, from: usize, wanted: usize) -> usize {
        let mut at = from;
        let mut end = from;
        loop {
            let left = (from + wanted).saturating_sub(at);
            if left < 30 || at >= self.frames {
                return end.max(from + 1);
            }
            let voices = self.voices;
            let voice = self
                .tracks
                .get(who)
                .and_then(|track| voices.get(track.voice));
            let Some(piece) = voice.and_then(|voice| self.rng.pick(&voice.sentences)) else {
                return end;
            };
            let piece = piece.get(..left.min(piece.len())).unwrap_or_default();
            end = self.say(who, at, piece, 1.0);
            let pause = frames(self.rng.normal(0.4, 0.22).clamp(0.08, 1.1));
            self.pauses.push((end, who));
            at = end + pause;
        }
    }

    /// Adds a piece of speech; the frame after its last audible one.
    fn say(&mut self, who: usize, from: usize, piece: &[u8], factor: f64) -> usize {
        let Some(track) = self.tracks.get_mut(who) else {
            return from;
        };
        let mut end = from;
        for (offset, level) in piece.iter().enumerate() {
            if let Some(frame) = track.speech.get_mut(from + offset) {
                *frame += power(-f64::from(*level)) * track.gain * factor;
                if *level < 52 {
                    end = from + offset + 1;
                }
            }
        }
        end
    }

    /// Short words of listeners: half of them in the talker's own pauses.
    fn interject(&mut self) {
        let count = self.events(self.scenario.interjections_per_min);
        for _ in 0..count {
            let (at, talker) = if self.rng.chance(0.5) {
                let Some((pause, talker)) = self.rng.pick(&self.pauses).copied() else {
                    continue;
                };
                (pause + self.rng.below(15), talker)
            } else {
                let at = self.rng.below(self.frames);
                let holds = |turn: &&Turn| turn.start_ms <= millis(at) && millis(at) < turn.end_ms;
                let Some(turn) = self.turns.iter().find(holds) else {
                    continue;
                };
                (at, turn.participant)
            };
            let talkers = self.talkers();
            if talkers < 2 {
                continue;
            }
            let who = (talker + 1 + self.rng.below(talkers - 1)) % talkers;
            if self.is_in_turn(who, millis(at)) {
                continue;
            }
            let voices = self.voices;
            let voice = self
                .tracks
                .get(who)
                .and_then(|track| voices.get(track.voice));
            if let Some(word) = voice.and_then(|voice| self.rng.pick(&voice.words)) {
                self.say(who, at, word, 1.0);
            }
        }
    }

    fn is_in_turn(&self, who: usize, at_ms: u64) -> bool {
        self.turns.iter().any(|turn| {
            turn.participant == who && turn.start_ms < at_ms + 1_200 && at_ms < turn.end_ms + 200
        })
    }

    /// How many of something happen in the whole dialogue.
    fn events(&mut self, per_min: f64) -> usize {
        let mean = per_min * seconds(self.frames) / 60.0;
        let mut count = 0;
        let mut at = self.rng.exponential(1.0);
        while at < mean {
            count += 1;
            at += self.rng.exponential(1.0);
        }
        count
    }

    fn make_noises(&mut self) {
        let everyone = self.tracks.len();
        for _ in 0..self.events(self.scenario.bursts_per_min) {
            let (who, at) = (self.rng.below(everyone), self.rng.below(self.frames));
            let length = frames(self.rng.between(0.02, 0.4));
            let loudness = self.rng.normal(-20.0, 3.0);
            self.sound(who, at, length, loudness, 2.0);
        }
        for _ in 0..self.events(self.scenario.hums_per_min) {
            let (who, at) = (self.rng.below(everyone), self.rng.below(self.frames));
            let length = frames(self.rng.between(1.0, 5.0));
            let loudness = self.rng.between(-45.0, -30.0);
            self.sound(who, at, length, loudness, 1.5);
        }
        if self.scenario.keyboard {
            self.type_on_keyboard(0);
            self.type_on_keyboard(1);
        }
        if self.scenario.coughs {
            self.cough(everyone.saturating_sub(1));
        }
    }

    /// Adds noise of a steady loudness with some deviation, dB.
    fn sound(&mut self, who: usize, from: usize, length: usize, loudness: f64, deviation: f64) {
        for at in from..from + length {
            let now = power(self.rng.normal(loudness, deviation));
            if let Some(frame) = self.tracks.get_mut(who).and_then(|t| t.other.get_mut(at)) {
                *frame += now;
            }
        }
    }

    /// Bouts of key strokes, with whom the room's echo rings for a while after each.
    fn type_on_keyboard(&mut self, who: usize) {
        let mut at = self.rng.below(frames(5.0));
        while at < self.frames {
            let bout = at + frames(self.rng.between(3.0, 15.0));
            while at < bout {
                let loudness = self.rng.normal(-30.0, 4.0);
                let ring = 1 + self.rng.below(5);
                for offset in 0..=ring {
                    let fall = 5.0 * f64::from(u32::try_from(offset).unwrap_or(0));
                    self.sound(who, at + offset, 1, loudness - fall, 1.5);
                }
                at += frames(self.rng.between(0.05, 0.26));
            }
            at += frames(self.rng.between(1.0, 12.0));
        }
    }

    /// Fits of one to four coughs.
    fn cough(&mut self, who: usize) {
        let mut at = frames(self.rng.exponential(6.0));
        while at < self.frames {
            for _ in 0..=self.rng.below(4) {
                let length = frames(self.rng.between(0.12, 0.32));
                let loudness = self.rng.normal(-22.0, 3.0);
                for offset in 0..length {
                    let part = seconds(offset) / seconds(length);
                    self.sound(who, at + offset, 1, loudness - 14.0 * part, 2.5);
                }
                at += length + frames(self.rng.between(0.1, 0.4));
            }
            at += frames(2.0 + self.rng.exponential(10.0));
        }
    }

    /// Everybody laughs at once, in syllables of about 0.2 s.
    fn laugh(&mut self) {
        for _ in 0..self.events(self.scenario.laughs_per_min) {
            let at = self.rng.below(self.frames);
            for who in 0..self.tracks.len() {
                if !self.rng.chance(0.85) {
                    continue;
                }
                let mut now = at + frames(self.rng.between(0.0, 0.5));
                let end = now + frames(self.rng.between(1.0, 3.5));
                let loudness = self.rng.normal(-25.0, 3.0);
                while now < end {
                    let length = frames(self.rng.between(0.08, 0.16));
                    self.sound(who, now, length, loudness, 3.0);
                    now += length + frames(self.rng.between(0.04, 0.12));
                }
            }
        }
    }

    /// Makes packets of the sound and sends them through the network.
    fn packetize(mut self) -> Dialogue {
        let tracks = std::mem::take(&mut self.tracks);
        let mut rows = Vec::new();
        for (participant, track) in tracks.iter().enumerate() {
            self.packets_of(participant, track, &mut rows);
        }
        rows.sort_by_key(|row| (row.time_ms, row.participant, row.rtp_timestamp));
        self.turns.sort_by_key(|turn| turn.start_ms);
        Dialogue {
            rows,
            turns: self.turns,
            length_ms: millis(self.frames),
        }
    }

    fn packets_of(&mut self, participant: usize, track: &Track, rows: &mut Vec<Row>) {
        let ptime = usize::try_from(self.scenario.ptime_ms / 10).unwrap_or(2);
        let offset = u32::try_from(self.rng.bits() >> 32).unwrap_or(0);
        let always_voice = self.rng.chance(0.5);
        let lie = self
            .scenario
            .lie
            .filter(|lie| lie.is_of(participant, self.scenario.participants));
        let flicker: Vec<f64> = (0..FLICKER)
            .map(|_| power(self.rng.normal(track.noise, 1.5)))
            .collect();
        let audible = 4.0 * power(track.noise);
        let (mut quiet, mut skipped) = (0, 0);
        let mut from = self.rng.below(ptime);
        while from + ptime <= self.frames {
            // One draw per packet: its level is what flickers, whatever its length.
            let noise = self.rng.pick(&flicker).copied().unwrap_or(0.0);
            let mut sum = 0.0;
            let mut is_speech = false;
            for at in from..from + ptime {
                let speech = track.speech.get(at).copied().unwrap_or(0.0);
                let other = track.other.get(at).copied().unwrap_or(0.0);
                is_speech |= speech + other > audible;
                sum += noise + speech + other;
            }
            let packet_ms = self.scenario.ptime_ms;
            quiet = if is_speech { 0 } else { quiet + packet_ms };
            skipped += packet_ms;
            let at = from;
            from += ptime;
            let count = f64::from(u32::try_from(ptime).unwrap_or(1));
            let arrival = millis(from) + self.network_delay_ms();
            if self.scenario.dtx && quiet > 200 && skipped < 400 {
                continue;
            }
            skipped = 0;
            if self.rng.chance(self.scenario.loss) {
                continue;
            }
            let honest = level(sum / count);
            let ticks = u32::try_from(at).unwrap_or(0).wrapping_mul(480);
            rows.push(Row {
                time_ms: arrival,
                participant,
                level: match lie {
                    Some(Lie::Constant) => 0,
                    Some(Lie::Louder) => honest.saturating_sub(30),
                    None => honest,
                },
                voice: always_voice || is_speech,
                rtp_timestamp: offset.wrapping_add(ticks),
                ptime_ms: Some(packet_ms),
            });
        }
    }

    fn network_delay_ms(&mut self) -> u64 {
        let late = if self.rng.chance(self.scenario.loss / 2.0) {
            30.0
        } else {
            0.0
        };
        let delay = self.rng.exponential(2.0).min(15.0) + late;
        frames_to_u64(delay)
    }
}

/// Power of a level in dB.
fn power(db: f64) -> f64 {
    10_f64.powf(db / 10.0)
}

/// Frames in so many seconds.
fn frames(seconds: f64) -> usize {
    usize::try_from(frames_to_u64(seconds * FRAMES_PER_S)).unwrap_or(0)
}

/// Seconds of so many frames.
fn seconds(frames: usize) -> f64 {
    f64::from(u32::try_from(frames).unwrap_or(u32::MAX)) / FRAMES_PER_S
}

/// Milliseconds of so many frames.
fn millis(frames: usize) -> u64 {
    u64::try_from(frames).unwrap_or(0) * 10
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made non-negative, and dialogues are hours at most"
)]
fn frames_to_u64(number: f64) -> u64 {
    number.max(0.0).round() as u64
}
