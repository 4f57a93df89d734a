//! Scores a list of changes against labelled turns.
//!
//! - *Latency*: from the onset of a turn to its holder being active, for turns whose holder was not
//!   active already.
//! - *False switch*: a change to somebody who has no turn then (nor had one in the last 200 ms).
//! - *Missed turn*: one of 1.5 s or more whose holder was never active in it.
//! - *Accuracy*: share of the time with a turn in which the active speaker has one.

use serde::Serialize;

use crate::dialogue::Turn;

/// A turn that ended so lately still excuses a switch to its holder, ms.
const GRACE_MS: u64 = 200;

/// A turn this short may be missed, ms.
const MISSED_MS: u64 = 1_500;

/// Step of the accuracy's clock, ms.
const STEP_MS: u64 = 10;

/// A change of the active speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// When, ms.
    pub(crate) time_ms: u64,
    /// Who, dense from 0.
    pub(crate) active: Option<usize>,
}

/// What is counted in one dialogue, or the sum of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    latencies_ms: Vec<u64>,
    false_switches: u64,
    missed: u64,
    turns: u64,
    right_ms: u64,
    speech_ms: u64,
    length_ms: u64,
}

/// The metrics of a tally.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Metrics {
    /// Latency, ms: half of the turns were faster.
    pub(crate) p50_ms: f64,
    /// Nine in ten were.
    pub(crate) p90_ms: f64,
    /// Nineteen in twenty were.
    pub(crate) p95_ms: f64,
    /// Switches to somebody without a turn, per minute.
    pub(crate) false_per_min: f64,
    /// Turns of 1.5 s or more that were never shown.
    pub(crate) missed: f64,
    /// Turns that called for a switch.
    pub(crate) turns: f64,
    /// Share of turn time with the right one active.
    pub(crate) accuracy: f64,
}

/// Scores one dialogue.
pub(crate) fn score(changes: &[Change], turns: &[Turn], length_ms: u64) -> Tally {
    let mut tally = Tally {
        length_ms,
        ..Tally::default()
    };
    for turn in turns {
        if active_at(changes, turn.start_ms) == Some(turn.participant) {
            continue;
        }
        tally.turns += 1;
        let from = changes.partition_point(|change| change.time_ms <= turn.start_ms);
        let found = changes
            .iter()
            .skip(from)
            .take_while(|change| change.time_ms <= turn.end_ms)
            .find(|change| change.active == Some(turn.participant));
        match found {
            Some(change) => tally.latencies_ms.push(change.time_ms - turn.start_ms),
            None => tally.missed += u64::from(turn.end_ms - turn.start_ms >= MISSED_MS),
        }
    }
    for change in changes {
        let Some(active) = change.active else {
            continue;
        };
        let is_right = turns.iter().any(|turn| {
            turn.participant == active
                && turn.start_ms <= change.time_ms
                && change.time_ms <= turn.end_ms + GRACE_MS
        });
        tally.false_switches += u64::from(!is_right);
    }
    tally.add_accuracy(changes, turns);
    tally
}

fn active_at(changes: &[Change], time_ms: u64) -> Option<usize> {
    let after = changes.partition_point(|change| change.time_ms <= time_ms);
    changes.get(after.checked_sub(1)?)?.active
}

impl Tally {
    /// Adds another dialogue of the same kind.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.latencies_ms.append(&mut other.latencies_ms);
        self.false_switches += other.false_switches;
        self.missed += other.missed;
        self.turns += other.turns;
        self.right_ms += other.right_ms;
        self.speech_ms += other.speech_ms;
        self.length_ms += other.length_ms;
    }

    /// The metrics so far.
    pub(crate) fn metrics(&self) -> Metrics {
        let mut latencies = self.latencies_ms.clone();
        latencies.sort_unstable();
        let quantile = |percent: usize| {
            let last = latencies.len().saturating_sub(1);
            number(latencies.get(last * percent / 100).copied().unwrap_or(0))
        };
        Metrics {
            p50_ms: quantile(50),
            p90_ms: quantile(90),
            p95_ms: quantile(95),
            false_per_min: number(self.false_switches)
                / (number(self.length_ms) / 60_000.0).max(1e-9),
            missed: number(self.missed),
            turns: number(self.turns),
            accuracy: number(self.right_ms) / number(self.speech_ms).max(1.0),
        }
    }

    fn add_accuracy(&mut self, changes: &[Change], turns: &[Turn]) {
        let mut time_ms = 0;
        let (mut first, mut change, mut active) = (0, 0, None);
        while time_ms < self.length_ms {
            while let Some(next) = changes.get(change).filter(|c| c.time_ms <= time_ms) {
                active = next.active;
                change += 1;
            }
            while turns
                .get(first)
                .is_some_and(|turn| turn.end_ms + 60_000 < time_ms)
            {
                first += 1;
            }
            let mut holders = turns
                .iter()
                .skip(first)
                .take_while(|turn| turn.start_ms <= time_ms)
                .filter(|turn| time_ms < turn.end_ms)
                .peekable();
            if holders.peek().is_some() {
                self.speech_ms += STEP_MS;
                if holders.any(|turn| Some(turn.participant) == active) {
                    self.right_ms += STEP_MS;
                }
            }
            time_ms += STEP_MS;
        }
    }
}

impl Metrics {
    /// The mean of several, each counting the same; missed turns and turns are summed.
    pub(crate) fn mean(of: &[Self]) -> Self {
        let count = number(u64::try_from(of.len()).unwrap_or(1).max(1));
        let mean = |value: fn(&Self) -> f64| of.iter().map(value).sum::<f64>() / count;
        Self {
            p50_ms: mean(|m| m.p50_ms),
            p90_ms: mean(|m| m.p90_ms),
            p95_ms: mean(|m| m.p95_ms),
            false_per_min: mean(|m| m.false_per_min),
            missed: of.iter().map(|m| m.missed).sum(),
            turns: of.iter().map(|m| m.turns).sum(),
            accuracy: mean(|m| m.accuracy),
        }
    }
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn turn(participant: usize, start_ms: u64, end_ms: u64) -> Turn {
        Turn {
            participant,
            start_ms,
            end_ms,
        }
    }

    const fn change(time_ms: u64, active: usize) -> Change {
        Change {
            time_ms,
            active: Some(active),
        }
    }

    #[test]
    fn latency_counts_from_the_onset_and_holders_already_active_do_not_count() {
        let turns = [
            turn(0, 1_000, 3_000),
            turn(1, 3_000, 6_000),
            turn(1, 6_500, 8_000),
        ];
        let tally = score(&[change(1_400, 0), change(3_600, 1)], &turns, 10_000);
        assert_eq!(tally.latencies_ms, [400, 600]);
        assert_eq!((tally.missed, tally.false_switches, tally.turns), (0, 0, 2));
        assert_eq!(
            (tally.right_ms, tally.speech_ms),
            (1_600 + 2_400 + 1_500, 6_500)
        );
    }

    #[test]
    fn a_switch_to_somebody_without_a_turn_is_false_and_a_long_turn_not_shown_is_missed() {
        let turns = [
            turn(0, 1_000, 3_000),
            turn(1, 3_000, 4_400),
            turn(2, 4_400, 6_000),
        ];
        let tally = score(&[change(1_400, 0), change(2_000, 3)], &turns, 60_000);
        assert_eq!((tally.false_switches, tally.missed), (1, 1));
        assert!((tally.metrics().false_per_min - 1.0).abs() < 1e-9);
    }
}
