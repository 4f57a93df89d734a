//! Skeleton.
use std::time::Duration;

use estrade_types::{AudioLevel, MonoTime, ParticipantKey, RtpTimestamp, SpeakingParticipant};

use crate::{Detector, DetectorCounters, Mute, SpeakerEvent};

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// The one knob: how much evidence moves the floor.
    pub threshold: Duration,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self {
            threshold: Duration::from_millis(670),
        }
    }
}

/// Detector.
#[derive(Clone, Debug)]
pub struct EvidenceDetector {
    settings: EvidenceSettings,
}

impl EvidenceDetector {
    /// A detector.
    pub fn new(_capacity: usize, settings: EvidenceSettings) -> Self {
        Self { settings }
    }
}

impl Detector for EvidenceDetector {
    fn add(&mut self, _now: MonoTime, _participant: ParticipantKey) -> bool {
        true
    }
    fn remove(&mut self, _now: MonoTime, _participant: ParticipantKey) {}
    fn set_mute(&mut self, _now: MonoTime, _participant: ParticipantKey, _mute: Mute) {}
    fn on_level(
        &mut self,
        _now: MonoTime,
        _participant: ParticipantKey,
        _level: AudioLevel,
        _timestamp: RtpTimestamp,
        _ptime: Option<Duration>,
    ) {
        let _ = self.settings;
    }
    fn on_timeout(&mut self, _now: MonoTime) {}
    fn next_deadline(&self) -> Option<MonoTime> {
        None
    }
    fn poll(&mut self) -> Option<SpeakerEvent> {
        None
    }
    fn active(&self) -> Option<ParticipantKey> {
        None
    }
    fn speaking(&self) -> &[SpeakingParticipant] {
        &[]
    }
    fn counters(&self) -> DetectorCounters {
        DetectorCounters::default()
    }
}
