//! What holds for any sequence of inputs.

use std::time::Duration;

use estrade_speaker::{AnyDetector, Detector as _, Mute, SpeakerEvent};
use estrade_types::{AudioLevel, MonoTime, RtpTimestamp, SpeakerRule};
use proptest::prelude::*;

use crate::room::{BOTH, key};

#[derive(Clone, Debug)]
enum Input {
    Add(u32),
    Remove(u32),
    Mute(u32, bool),
    Level(u32, u8, u32, Option<u64>),
    Talk(u32, u8),
    Pass(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let who = || 1_u32..6;
    prop_oneof![
        1 => who().prop_map(Input::Add),
        1 => who().prop_map(Input::Remove),
        1 => (who(), any::<bool>()).prop_map(|(n, muted)| Input::Mute(n, muted)),
        2 => (who(), any::<u8>(), any::<u32>(), proptest::option::of(0_u64..500))
            .prop_map(|(n, level, at, ptime)| Input::Level(n, level, at, ptime)),
        8 => (who(), 0_u8..40).prop_map(|(n, count)| Input::Talk(n, count)),
        3 => prop_oneof![0_u64..2_000, 0_u64..100_000_000].prop_map(Input::Pass),
    ]
}

struct Run {
    detector: AnyDetector,
    now: MonoTime,
    members: [Option<Mute>; 8],
    events: Vec<SpeakerEvent>,
}

impl Run {
    fn of(rule: SpeakerRule) -> Self {
        Self {
            detector: AnyDetector::new(rule, 4),
            now: MonoTime::from_millis(5),
            members: [None; 8],
            events: Vec::new(),
        }
    }

    fn apply(&mut self, input: &Input) {
        match *input {
            Input::Add(n) => {
                let is_new = self.members[n as usize].is_none();
                if self.detector.add(self.now, key(n)) && is_new {
                    self.members[n as usize] = Some(Mute::Unmuted);
                }
            }
            Input::Remove(n) => {
                self.detector.remove(self.now, key(n));
                self.members[n as usize] = None;
            }
            Input::Mute(n, is_muted) => {
                let mute = if is_muted { Mute::Muted } else { Mute::Unmuted };
                self.detector.set_mute(self.now, key(n), mute);
                if let Some(member) = &mut self.members[n as usize] {
                    *member = mute;
                }
            }
            Input::Level(n, octet, at, ptime) => self.level(n, octet, at, ptime),
            Input::Talk(n, count) => {
                for packet in 0..count {
                    self.pass(20);
                    let octet = if packet % 4 == 3 { 35 } else { 22 };
                    let ticks = (self.now.as_millis() * 48) as u32;
                    self.level(n, octet, ticks, Some(20));
                }
            }
            Input::Pass(ms) => self.pass(ms),
        }
        self.check();
    }

    fn level(&mut self, n: u32, octet: u8, at: u32, ptime: Option<u64>) {
        let level = AudioLevel::from_octet(octet);
        let ptime = ptime.map(Duration::from_millis);
        self.detector
            .on_level(self.now, key(n), level, RtpTimestamp(at), ptime);
        self.check();
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now.plus(Duration::from_millis(ms));
        // A tick that fires late is served once, as by a shard that was held up.
        if let Some(due) = self.detector.next_deadline().filter(|due| *due <= until) {
            self.detector.on_timeout(due);
            assert!(self.detector.next_deadline().is_none_or(|next| next > due));
        }
        self.now = until;
        self.detector.on_timeout(self.now);
        self.check();
    }

    fn check(&mut self) {
        let is_candidate = |n: u32| self.members[n as usize] == Some(Mute::Unmuted);
        if let Some(active) = self.detector.active() {
            assert!(
                is_candidate(active.0.get()),
                "the active speaker is a candidate"
            );
        }
        for speaker in self.detector.speaking() {
            assert!(is_candidate(speaker.participant.0.get()));
        }
        while let Some(event) = self.detector.poll() {
            if let SpeakerEvent::Active { participant, .. } = event {
                assert_eq!(participant, self.detector.active());
            }
            self.events.push(event);
        }
    }
}

proptest! {
    #[test]
    fn the_active_speaker_is_a_candidate_or_nobody_and_runs_replay(
        inputs in proptest::collection::vec(input(), 0..60),
    ) {
        for rule in BOTH {
            let (mut first, mut again) = (Run::of(rule), Run::of(rule));
            for input in &inputs {
                first.apply(input);
                again.apply(input);
            }
            prop_assert_eq!(first.events, again.events);
        }
    }
}
