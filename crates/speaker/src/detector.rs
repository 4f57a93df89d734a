//! What every detector takes and gives, and the choice between them.
//!
//! The shard feeds one detector per room with every accepted audio packet of the stage and drains
//! [`Detector::poll`] after each input. Times are [`MonoTime`]; levels are RFC 6464 §3.
//!
//! Invariant: outputs are states, not a queue, so a reader that polls late misses intermediate
//! values but is never told anything out of date.

use std::time::Duration;

use estrade_types::{
    AudioLevel, MonoTime, ParticipantKey, RtpTimestamp, SpeakerRule, SpeakingParticipant,
};

use crate::{EvidenceDetector, EvidenceSettings, ReferenceDetector, ReferenceSettings};

/// Whether a participant's microphone counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mute {
    /// It is a candidate.
    Unmuted,
    /// It is not, whatever its history; its levels only serve
    /// [`SpeakerEvent::SpeakingWhileMuted`].
    Muted,
}

/// What a detector noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpeakerEvent {
    /// The active speaker changed.
    Active {
        /// Who holds the floor now; `None` when the holder left or was muted and nobody talks.
        participant: Option<ParticipantKey>,
        /// When it was decided.
        at: MonoTime,
    },
    /// [`Detector::speaking`] has changed: its members or their order.
    Speaking {
        /// When.
        at: MonoTime,
    },
    /// This participant has had voice for about 150 ms and may be next: warm its picture up. Never
    /// shown. At most one per participant per second.
    Hint {
        /// Who.
        participant: ParticipantKey,
        /// When.
        at: MonoTime,
    },
    /// A muted participant talks all the same: a hint for its own client only. At most one per
    /// participant in 5 s.
    SpeakingWhileMuted {
        /// Who.
        participant: ParticipantKey,
        /// When.
        at: MonoTime,
    },
}

/// What a detector counts. Cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DetectorCounters {
    /// Levels taken in.
    pub levels: u64,
    /// Levels of packets that came after a newer one, or twice: dropped.
    pub late: u64,
    /// Levels of participants that were never added: dropped.
    pub unknown: u64,
    /// Participants refused because the panel is full.
    pub refused: u64,
    /// Streams that began anew: another SSRC, or a jump of the RTP timestamp.
    pub restarts: u64,
    /// Changes of the active speaker, to somebody.
    pub switches: u64,
    /// Hints given.
    pub hints: u64,
}

/// Picks the active speaker of one room from audio levels alone.
pub trait Detector {
    /// Makes `participant` a candidate. Adding it again changes nothing. `false`, counted, when
    /// the panel is full: the participant will not be detected.
    fn add(&mut self, now: MonoTime, participant: ParticipantKey) -> bool;

    /// Forgets `participant` and its history at once. If it held the floor, the floor passes to
    /// whoever talks now, or to nobody.
    fn remove(&mut self, now: MonoTime, participant: ParticipantKey);

    /// Takes `participant` out of the candidates or back among them, at once. Coming back it
    /// starts without history.
    fn set_mute(&mut self, now: MonoTime, participant: ParticipantKey, mute: Mute);

    /// Feeds the level of one audio packet. `timestamp` is its RTP timestamp at 48 kHz
    /// (RFC 7587 §4.1); `ptime` its duration when known, else it is learned from timestamps.
    fn on_level(
        &mut self,
        now: MonoTime,
        participant: ParticipantKey,
        level: AudioLevel,
        timestamp: RtpTimestamp,
        ptime: Option<Duration>,
    );

    /// Does what is due at `now`: ticks, speaking flags that end.
    fn on_timeout(&mut self, now: MonoTime);

    /// When [`Self::on_timeout`] is wanted next; `None` when only an input can change anything.
    fn next_deadline(&self) -> Option<MonoTime>;

    /// The next event, until `None`.
    fn poll(&mut self) -> Option<SpeakerEvent>;

    /// Who holds the floor.
    fn active(&self) -> Option<ParticipantKey>;

    /// Who talks now, loudest first. The flag comes on after about 100 ms of voice and goes off
    /// after 500 ms without.
    fn speaking(&self) -> &[SpeakingParticipant];

    /// Its counters.
    fn counters(&self) -> DetectorCounters;
}

/// Either detector, as a room's settings choose.
#[derive(Clone, Debug)]
pub enum AnyDetector {
    /// [`SpeakerRule::Reference`].
    Reference(ReferenceDetector),
    /// [`SpeakerRule::Evidence`].
    Evidence(EvidenceDetector),
}

impl AnyDetector {
    /// A detector with room for `capacity` candidates, at most
    /// [`estrade_types::limits::STAGE_MAX`], at its default settings.
    pub fn new(rule: SpeakerRule, capacity: usize) -> Self {
        match rule {
            SpeakerRule::Reference => Self::Reference(ReferenceDetector::new(
                capacity,
                ReferenceSettings::default(),
            )),
            SpeakerRule::Evidence => {
                Self::Evidence(EvidenceDetector::new(capacity, EvidenceSettings::default()))
            }
        }
    }
}

macro_rules! either {
    ($self:expr, $detector:ident => $call:expr) => {
        match $self {
            Self::Reference($detector) => $call,
            Self::Evidence($detector) => $call,
        }
    };
}

impl Detector for AnyDetector {
    fn add(&mut self, now: MonoTime, participant: ParticipantKey) -> bool {
        either!(self, detector => detector.add(now, participant))
    }

    fn remove(&mut self, now: MonoTime, participant: ParticipantKey) {
        either!(self, detector => detector.remove(now, participant));
    }

    fn set_mute(&mut self, now: MonoTime, participant: ParticipantKey, mute: Mute) {
        either!(self, detector => detector.set_mute(now, participant, mute));
    }

    fn on_level(
        &mut self,
        now: MonoTime,
        participant: ParticipantKey,
        level: AudioLevel,
        timestamp: RtpTimestamp,
        ptime: Option<Duration>,
    ) {
        either!(self, detector => detector.on_level(now, participant, level, timestamp, ptime));
    }

    fn on_timeout(&mut self, now: MonoTime) {
        either!(self, detector => detector.on_timeout(now));
    }

    fn next_deadline(&self) -> Option<MonoTime> {
        either!(self, detector => detector.next_deadline())
    }

    fn poll(&mut self) -> Option<SpeakerEvent> {
        either!(self, detector => detector.poll())
    }

    fn active(&self) -> Option<ParticipantKey> {
        either!(self, detector => detector.active())
    }

    fn speaking(&self) -> &[SpeakingParticipant] {
        either!(self, detector => detector.speaking())
    }

    fn counters(&self) -> DetectorCounters {
        either!(self, detector => detector.counters())
    }
}
