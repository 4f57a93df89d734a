//! Media time of one audio stream, from RTP timestamps.
//!
//! The panel asks it to place every packet; it answers how long the packet lasts and what lies
//! between it and its predecessor. Durations are milliseconds. It knows nothing of levels.
//!
//! Invariant: a placement never covers more than [`GAP_MS_MAX`], whatever the timestamps say.

use std::time::Duration;

use estrade_types::{MonoTime, RtpTimestamp};

/// Ticks of an audio timestamp per millisecond. RFC 7587 §4.1.
const TICKS_PER_MS: i32 = 48;

/// What a packet lasts until something better is known, ms.
const PTIME_MS_DEFAULT: u32 = 20;

/// Shortest and longest packets of Opus that are believed, ms. RFC 7587 §4.2.
const PTIME_MS: std::ops::RangeInclusive<u32> = 10..=120;

/// Longest gap told, ms; what is older no rule remembers.
const GAP_MS_MAX: u32 = 60_000;

/// A timestamp this far from what the arrival says is a new stream, ms. Jitter and a stalled
/// network stay far below; a random offset is above it in all but 1 of 20 000 cases.
const JUMP_MS: i64 = 2_000;

/// So many packets in a row that look late, each after the other, are a new stream.
const LATE_RUN: u8 = 5;

/// Where a packet stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// After a newer one, or the same again.
    Late,
    /// In order.
    Next {
        /// What the packet lasts, ms.
        ptime_ms: u32,
        /// Time of one lost packet before it, ms; else 0.
        lost_ms: u32,
        /// Time without packets before it (discontinuous transmission, long loss), ms.
        gap_ms: u32,
        /// Whether the stream began anew, which makes what came before unreliable.
        is_restart: bool,
    },
}

/// One stream's place in time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MediaClock {
    last: Option<Last>,
    learned_ms: Option<u32>,
    repeated_ms: u32,
    late_run: u8,
    late_timestamp: u32,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    timestamp: u32,
    arrival: MonoTime,
}

impl MediaClock {
    /// Places the next packet to arrive.
    pub(crate) fn place(
        &mut self,
        now: MonoTime,
        timestamp: RtpTimestamp,
        ptime: Option<Duration>,
    ) -> Placement {
        let told = ptime.and_then(|ptime| {
            u32::try_from(ptime.as_millis())
                .ok()
                .filter(|ms| PTIME_MS.contains(ms))
        });
        let Some(last) = self.last else {
            let ptime_ms = told.unwrap_or(PTIME_MS_DEFAULT);
            return self.accept(
                now,
                timestamp,
                Placement::Next {
                    ptime_ms,
                    lost_ms: 0,
                    gap_ms: 0,
                    is_restart: false,
                },
            );
        };
        let ahead = timestamp.0.wrapping_sub(last.timestamp).cast_signed();
        let ahead_ms = ahead / TICKS_PER_MS;
        let elapsed_ms = i64::try_from((now - last.arrival).as_millis()).unwrap_or(i64::MAX);
        if (i64::from(ahead_ms) - elapsed_ms).abs() > JUMP_MS || self.is_late_run(ahead, timestamp)
        {
            let ptime_ms = told.or(self.learned_ms).unwrap_or(PTIME_MS_DEFAULT);
            let gap_ms = u32::try_from(elapsed_ms)
                .unwrap_or(u32::MAX)
                .min(GAP_MS_MAX);
            return self.accept(
                now,
                timestamp,
                Placement::Next {
                    ptime_ms,
                    lost_ms: 0,
                    gap_ms: gap_ms.saturating_sub(ptime_ms),
                    is_restart: true,
                },
            );
        }
        let Some(ahead_ms) = u32::try_from(ahead_ms).ok().filter(|ms| *ms > 0) else {
            return Placement::Late;
        };
        if told.is_none() && PTIME_MS.contains(&ahead_ms) {
            // The shortest distance is the packet's duration; a longer one may be a loss, unless
            // it comes twice in a row.
            let is_shorter = self.learned_ms.is_none_or(|learned| ahead_ms <= learned);
            if is_shorter || self.repeated_ms == ahead_ms {
                self.learned_ms = Some(ahead_ms);
            }
            self.repeated_ms = ahead_ms;
        }
        let ptime_ms = told.or(self.learned_ms).unwrap_or(PTIME_MS_DEFAULT);
        let missing = ahead_ms.saturating_sub(ptime_ms).min(GAP_MS_MAX);
        // One packet is missing: it is taken to be like its predecessor. More: silence.
        let (lost_ms, gap_ms) = if missing <= ptime_ms {
            (missing, 0)
        } else {
            (0, missing)
        };
        self.accept(
            now,
            timestamp,
            Placement::Next {
                ptime_ms,
                lost_ms,
                gap_ms,
                is_restart: false,
            },
        )
    }

    /// Remembers a packet that was placed.
    fn accept(&mut self, now: MonoTime, timestamp: RtpTimestamp, place: Placement) -> Placement {
        self.last = Some(Last {
            timestamp: timestamp.0,
            arrival: now,
        });
        self.late_run = 0;
        place
    }

    /// Whether this packet looks late, and so did the few before it, in order: a new stream whose
    /// offset happens to lie just below.
    fn is_late_run(&mut self, ahead: i32, timestamp: RtpTimestamp) -> bool {
        if ahead > 0 {
            return false;
        }
        let grows = timestamp.0.wrapping_sub(self.late_timestamp).cast_signed() > 0;
        self.late_run = if self.late_run == 0 || !grows {
            1
        } else {
            self.late_run.saturating_add(1)
        };
        self.late_timestamp = timestamp.0;
        self.late_run >= LATE_RUN
    }
}
