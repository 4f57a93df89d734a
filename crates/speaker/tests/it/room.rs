//! A room of scripted microphones in virtual time, around one detector.

use std::num::NonZeroU32;
use std::time::Duration;

use estrade_speaker::{AnyDetector, Detector as _, Mute, SpeakerEvent};
use estrade_types::limits::STAGE_MAX;
use estrade_types::{AudioLevel, MonoTime, ParticipantKey, RtpTimestamp, SpeakerRule};

pub(crate) const BOTH: [SpeakerRule; 2] = [SpeakerRule::Reference, SpeakerRule::Evidence];

pub(crate) fn key(n: u32) -> ParticipantKey {
    ParticipantKey(NonZeroU32::new(n).expect("tests count from 1"))
}

/// What a microphone hears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sound {
    /// Room noise about this many dB below full scale.
    Noise(u8),
    /// Syllables of about 200 ms with stresses, peaks at 22 dB below full scale, and breaths.
    Speech,
    /// The same without breaths.
    Breathless,
    /// Speech from across the room: 18 dB quieter.
    Leakage,
    /// The same level in every packet.
    Constant(u8),
    /// Key strokes: one loud packet of 20 ms, six times a second.
    Keys,
    /// Nothing is sent at all.
    Off,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Microphone {
    pub(crate) key: ParticipantKey,
    pub(crate) sound: Sound,
    pub(crate) ptime_ms: u64,
    pub(crate) tells_ptime: bool,
    pub(crate) ssrc_offset: u32,
    pub(crate) lose_every: u64,
}

pub(crate) struct Room {
    pub(crate) detector: AnyDetector,
    pub(crate) microphones: Vec<Microphone>,
    pub(crate) now_ms: u64,
    pub(crate) events: Vec<SpeakerEvent>,
    pub(crate) voice_bit: u8,
}

impl Room {
    /// Participants 1 to `members` in a quiet room, heard for 2 s.
    pub(crate) fn of(rule: SpeakerRule, members: u32) -> Self {
        let mut room = Self::empty(rule);
        for n in 1..=members {
            room.join(n, Sound::Noise(65));
        }
        room.run(2_000);
        room
    }

    pub(crate) fn empty(rule: SpeakerRule) -> Self {
        Self {
            detector: AnyDetector::new(rule, STAGE_MAX),
            microphones: Vec::new(),
            now_ms: 1_000,
            events: Vec::new(),
            voice_bit: 0,
        }
    }

    pub(crate) fn join(&mut self, n: u32, sound: Sound) {
        assert!(self.detector.add(self.now(), key(n)));
        self.microphones.push(Microphone {
            key: key(n),
            sound,
            ptime_ms: 20,
            tells_ptime: true,
            ssrc_offset: n.wrapping_mul(0x4000_0001),
            lose_every: 0,
        });
    }

    pub(crate) fn now(&self) -> MonoTime {
        MonoTime::from_millis(self.now_ms)
    }

    pub(crate) fn microphone(&mut self, n: u32) -> &mut Microphone {
        let found = self.microphones.iter_mut().find(|m| m.key == key(n));
        found.expect("it has joined")
    }

    pub(crate) fn hears(&mut self, n: u32, sound: Sound) {
        self.microphone(n).sound = sound;
    }

    pub(crate) fn mute(&mut self, n: u32, mute: Mute) {
        self.detector.set_mute(self.now(), key(n), mute);
        self.drain();
    }

    pub(crate) fn remove(&mut self, n: u32) {
        self.detector.remove(self.now(), key(n));
        self.microphones.retain(|m| m.key != key(n));
        self.drain();
    }

    /// Lets so much time pass, packet by packet.
    pub(crate) fn run(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while self.now_ms < until {
            self.now_ms += 10;
            let now = self.now();
            while let Some(due) = self.detector.next_deadline().filter(|due| *due <= now) {
                self.detector.on_timeout(due);
                assert_ne!(self.detector.next_deadline(), Some(due), "served");
                self.drain();
            }
            for index in 0..self.microphones.len() {
                let microphone = self.microphones[index];
                if self.now_ms.is_multiple_of(microphone.ptime_ms) {
                    self.send(microphone);
                }
            }
        }
    }

    fn send(&mut self, microphone: Microphone) {
        let number = self.now_ms / microphone.ptime_ms;
        let is_lost = microphone.lose_every > 0 && number.is_multiple_of(microphone.lose_every);
        let Some(level) = level_at(microphone.sound, self.now_ms, microphone.ptime_ms) else {
            return;
        };
        if is_lost {
            return;
        }
        let ticks = u32::try_from(self.now_ms * 48 % (1 << 32)).expect("reduced");
        let ptime = Duration::from_millis(microphone.ptime_ms);
        self.detector.on_level(
            self.now(),
            microphone.key,
            AudioLevel::from_octet(level | self.voice_bit),
            RtpTimestamp(ticks.wrapping_add(microphone.ssrc_offset)),
            microphone.tells_ptime.then_some(ptime),
        );
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        while let Some(event) = self.detector.poll() {
            self.events.push(event);
        }
    }

    /// Everybody who was announced, in order.
    pub(crate) fn announced(&self) -> Vec<Option<u32>> {
        let active = self.events.iter().filter_map(|event| match event {
            SpeakerEvent::Active { participant, .. } => Some(participant.map(|p| p.0.get())),
            _ => None,
        });
        active.collect()
    }

    pub(crate) fn active(&self) -> Option<u32> {
        self.detector.active().map(|active| active.0.get())
    }

    /// Runs until `n` is active; how long that took, ms.
    pub(crate) fn wait_for(&mut self, n: u32, ms_max: u64) -> Option<u64> {
        let from = self.now_ms;
        while self.now_ms < from + ms_max {
            self.run(10);
            if self.active() == Some(n) {
                return Some(self.now_ms - from);
            }
        }
        None
    }

    pub(crate) fn speaking(&self) -> Vec<u32> {
        let speaking = self.detector.speaking().iter();
        speaking
            .map(|speaker| speaker.participant.0.get())
            .collect()
    }
}

/// The level of a packet that ends at `now_ms`.
fn level_at(sound: Sound, now_ms: u64, ptime_ms: u64) -> Option<u8> {
    let slot = now_ms / 20;
    // Any fixed scatter will do.
    let scatter = u8::try_from(slot.wrapping_mul(2_654_435_761) >> 7 & 3).expect("two bits");
    match sound {
        Sound::Noise(level) => Some(level + scatter),
        Sound::Constant(level) => Some(level),
        Sound::Off => None,
        Sound::Speech | Sound::Breathless => {
            // A breath every 1.8 s.
            if sound == Sound::Speech && now_ms % 1_800 < 200 {
                return Some(62 + scatter);
            }
            let syllable = [30, 24, 22, 23, 25, 28, 22, 24, 27, 33];
            let stress = [0, 8, 3, 6, 1, 7, 4];
            let index = usize::try_from(slot % 10).expect("below 10");
            let word = usize::try_from(now_ms / 100 % 7).expect("below 7");
            Some(syllable[index] + stress[word] / 2 * 2)
        }
        Sound::Leakage => {
            let direct = level_at(Sound::Speech, now_ms, ptime_ms)?;
            Some((direct + 18).min(64 + scatter))
        }
        Sound::Keys => {
            let is_stroke = (now_ms / ptime_ms).is_multiple_of(8);
            Some(if is_stroke { 25 } else { 65 + scatter })
        }
    }
}
