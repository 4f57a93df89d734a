//! Runs a detector over rows of packets in virtual time.

use std::num::NonZeroU32;
use std::time::Duration;

use estrade_speaker::{AnyDetector, Detector as _, SpeakerEvent};
use estrade_types::limits::STAGE_MAX;
use estrade_types::{AudioLevel, MonoTime, ParticipantKey, RtpTimestamp, SpeakerRule};

use crate::dialogue::Row;
use crate::score::Change;

/// Who changed when, and how many participants were refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    /// Changes of the active speaker in order.
    pub(crate) changes: Vec<Change>,
    /// Participants beyond [`STAGE_MAX`].
    pub(crate) refused: u64,
}

/// Replays `rows`, each participant joining with its first packet.
pub(crate) fn replay(rows: &[Row], rule: SpeakerRule) -> Replay {
    let mut detector = AnyDetector::new(rule, STAGE_MAX);
    let mut joined = Vec::new();
    let mut changes = Vec::new();
    let mut now = MonoTime::ZERO;
    for row in rows {
        let arrival = MonoTime::from_millis(row.time_ms).max(now);
        while let Some(due) = detector.next_deadline().filter(|due| *due <= arrival) {
            now = now.max(due);
            detector.on_timeout(now);
            drain(&mut detector, &mut changes);
        }
        now = arrival;
        let Some(key) = key(row.participant) else {
            continue;
        };
        if joined.len() <= row.participant {
            joined.resize(row.participant + 1, false);
        }
        if let Some(joined) = joined.get_mut(row.participant)
            && !*joined
        {
            *joined = true;
            detector.add(now, key);
        }
        let voice = if row.voice { 0x80 } else { 0 };
        detector.on_level(
            now,
            key,
            AudioLevel::from_octet((row.level & 0x7f) | voice),
            RtpTimestamp(row.rtp_timestamp),
            row.ptime_ms.map(|ms| Duration::from_millis(u64::from(ms))),
        );
        drain(&mut detector, &mut changes);
    }
    Replay {
        changes,
        refused: detector.counters().refused,
    }
}

fn key(participant: usize) -> Option<ParticipantKey> {
    let number = u32::try_from(participant).ok()?.checked_add(1)?;
    NonZeroU32::new(number).map(ParticipantKey)
}

fn drain(detector: &mut AnyDetector, changes: &mut Vec<Change>) {
    while let Some(event) = detector.poll() {
        if let SpeakerEvent::Active { participant, at } = event {
            changes.push(Change {
                time_ms: at.as_millis(),
                active: participant.and_then(|key| usize::try_from(key.0.get() - 1).ok()),
            });
        }
    }
}
