//! The reference rule against its literal form: the log-likelihood scores of Volfin and Cohen as
//! Jitsi and mediasoup compute them, with their constants. `speaker.md` §3.

use std::time::Duration;

use estrade_speaker::{Detector as _, ReferenceDetector, ReferenceSettings, SpeakerEvent};
use estrade_types::{AudioLevel, MonoTime, RtpTimestamp};
use proptest::prelude::*;

use crate::room::key;

const LEAST: f64 = 1e-10;
const TICK: usize = 15;

/// `ln C(n, v) + v ln p + (n - v) ln (1 - p) - ln lambda + lambda v` at p = 0.5, clamped.
fn score(v: usize, n: usize, lambda: f64) -> f64 {
    let choose: f64 = (0..v)
        .map(|k| ((n - k) as f64).ln() - ((k + 1) as f64).ln())
        .sum();
    let score = choose + n as f64 * 0.5_f64.ln() - lambda.ln() + lambda * v as f64;
    score.max(LEAST)
}

#[derive(Clone)]
struct Speaker {
    levels: Vec<u8>,
    floor: u8,
    candidate: u8,
    count: u32,
}

impl Speaker {
    fn new() -> Self {
        Self {
            levels: vec![0; 50],
            floor: 0,
            candidate: 0,
            count: 0,
        }
    }

    fn push(&mut self, volume: u8) {
        if volume > 0 {
            if self.floor == 0 || volume < self.floor {
                self.floor = volume;
                self.candidate = 0;
                self.count = 0;
            } else {
                let is_less = self.candidate == 0 || volume < self.candidate;
                self.candidate = if is_less { volume } else { self.candidate };
                self.count += 1;
                if self.count >= 750 {
                    let mean = f64::from(self.floor) * f64::from(self.candidate);
                    self.floor = mean.sqrt() as u8;
                    self.candidate = 0;
                    self.count = 0;
                }
            }
        }
        self.levels.insert(0, volume);
        self.levels.truncate(50);
    }

    fn scores(&self) -> [f64; 3] {
        // Sub-bands that the level fills: 13 of 10 dB each.
        let immediates: Vec<usize> = self
            .levels
            .iter()
            .map(|level| {
                let is_quiet = *level < self.floor.saturating_add(10);
                if is_quiet {
                    0
                } else {
                    usize::from(*level) / 10
                }
            })
            .collect();
        let mediums: Vec<usize> = immediates
            .chunks(5)
            .map(|chunk| chunk.iter().filter(|v| **v > 7).count())
            .collect();
        let long = mediums.iter().filter(|v| **v > 4).count();
        [
            score(immediates[0], 13, 0.78),
            score(mediums[0], 5, 24.0),
            score(long, 10, 47.0),
        ]
    }
}

/// Whom the literal form switches to at each tick, starting from nobody.
fn literal(volumes: &[Vec<u8>]) -> Vec<(usize, usize)> {
    let mut speakers = vec![Speaker::new(); volumes.len()];
    let mut dominant: Option<usize> = None;
    let mut switches = Vec::new();
    for packet in 0..volumes[0].len() {
        for (speaker, volumes) in speakers.iter_mut().zip(volumes) {
            speaker.push(volumes[packet]);
        }
        if (packet + 1) % TICK != 0 {
            continue;
        }
        let held = dominant.map_or([LEAST; 3], |index| speakers[index].scores());
        let mut best: Option<(usize, f64)> = None;
        for (index, speaker) in speakers.iter().enumerate() {
            if Some(index) == dominant {
                continue;
            }
            let [immediate, medium, long] = speaker.scores();
            let relative = [
                (immediate / held[0]).ln(),
                (medium / held[1]).ln(),
                (long / held[2]).ln(),
            ];
            let beats = relative[0] > 3.0 && relative[1] > 2.0 && relative[2] > 0.0;
            if beats && best.is_none_or(|(_, most)| relative[1] > most) {
                best = Some((index, relative[1]));
            }
        }
        if let Some((index, _)) = best {
            dominant = Some(index);
            switches.push((packet, index));
        }
    }
    switches
}

/// The same from the detector.
fn ours(volumes: &[Vec<u8>]) -> Vec<(usize, usize)> {
    let mut detector = ReferenceDetector::new(volumes.len(), ReferenceSettings::default());
    for index in 0..volumes.len() {
        detector.add(MonoTime::ZERO, key(index as u32 + 1));
    }
    let mut switches = Vec::new();
    for packet in 0..volumes[0].len() {
        let at = 20 * (packet as u64 + 1);
        for (index, volumes) in volumes.iter().enumerate() {
            // Just before the tick that falls on this packet.
            detector.on_level(
                MonoTime(MonoTime::from_millis(at).0 - 1),
                key(index as u32 + 1),
                AudioLevel::from_octet(127 - volumes[packet]),
                RtpTimestamp(at as u32 * 48),
                Some(Duration::from_millis(20)),
            );
        }
        detector.on_timeout(MonoTime::from_millis(at));
        while let Some(event) = detector.poll() {
            if let SpeakerEvent::Active { participant, .. } = event {
                let who = participant.expect("nobody leaves").0.get() as usize - 1;
                switches.push((packet, who));
            }
        }
    }
    switches
}

/// Talkspurts and pauses of random lengths and levels.
fn volumes() -> impl Strategy<Value = Vec<u8>> {
    let spurt = (1_usize..60, 20_u8..122, 1_u8..8);
    proptest::collection::vec(spurt, 40..60).prop_map(|spurts| {
        let mut volumes: Vec<u8> = spurts
            .into_iter()
            .flat_map(|(length, level, scatter)| {
                (0..length).map(move |n| level - (n * 7 % usize::from(scatter)) as u8)
            })
            .collect();
        volumes.resize(1_500, 50);
        volumes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_integer_form_switches_exactly_as_the_literal_one(
        volumes in proptest::collection::vec(volumes(), 1..5),
    ) {
        prop_assert_eq!(ours(&volumes), literal(&volumes));
    }
}
