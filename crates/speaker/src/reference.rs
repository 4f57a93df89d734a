//! Skeleton.
use std::time::Duration;

use estrade_types::{AudioLevel, MonoTime, ParticipantKey, RtpTimestamp, SpeakingParticipant};

use crate::{Detector, DetectorCounters, Mute, SpeakerEvent};

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferenceSettings {
    /// Time between two decisions.
    pub tick: Duration,
}

impl Default for ReferenceSettings {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(300),
        }
    }
}

/// Detector.
#[derive(Clone, Debug)]
pub struct ReferenceDetector {
    settings: ReferenceSettings,
}

impl ReferenceDetector {
    /// A detector.
    pub fn new(_capacity: usize, settings: ReferenceSettings) -> Self {
        Self { settings }
    }
}

impl Detector for ReferenceDetector {
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
