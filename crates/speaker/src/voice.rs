//! Whether one microphone carries voice, from its levels: noise floor, active and voiced packets.
//!
//! The panel feeds it every packet of one participant and both detectors read it. Volume is
//! `127 - level`, so that louder is larger; times are milliseconds of media.
//!
//! Invariant: what a client claims is only ever compared with what the same client claimed before,
//! so a constant level, however loud, is never voice.

use std::time::Duration;

use estrade_types::{AudioLevel, MonoTime, RtpTimestamp};

use crate::clock::{MediaClock, Placement};

/// Share of the old value kept by the smoothed volume over [`SMOOTHING_MS`].
const SMOOTHING: f32 = 0.7;

/// Time to which [`SMOOTHING`] refers, ms.
const SMOOTHING_MS: f32 = 20.0;

/// A gap longer than this starts the smoothed volume anew, ms.
const SMOOTHING_GAP_MS: u32 = 200;

/// Length of one closed window of the noise floor, ms. The minimum over [`WINDOWS`] of them and
/// the open one is the floor: shorter forgets the floor within one sentence, longer lets a fan
/// that was switched on be voice for longer.
const WINDOW_MS: u32 = 1_500;

/// Closed windows of the noise floor.
const WINDOWS: usize = 4;

/// A voice stands this far over the floor, dB. Lower lets noise in, higher loses soft talkers.
const OVER_FLOOR_DB: f32 = 8.0;

/// The quietest voice, as volume: -53 dBov.
const VOLUME_MIN: f32 = 74.0;

/// Voice lies at most this far below the participant's own mean, dB.
const BELOW_MEAN_DB: f32 = 21.0;

/// Voice lies at most this far below the recent peak, dB: the ring of a key stroke does not.
const BELOW_PEAK_DB: f32 = 15.0;

/// The recent peak falls by so much in a millisecond, dB.
const PEAK_FALL_DB: f32 = 0.09;

/// Nothing is active before so much has been heard of a participant, ms.
const HEARD_MS_MIN: u32 = 200;

/// Activity without a break that makes a packet voiced, ms. This is what stops keyboards.
const VOICED_MS: u32 = 80;

/// Time constant of the own mean volume, ms of voice.
const MEAN_MS: f32 = 10_000.0;

/// Time constant of the loudness by which speakers are ordered, ms of voice.
const LOUDNESS_MS: f32 = 800.0;

/// Activity over which steadiness is judged, ms.
const STEADY_MS: u32 = 160;

/// Packets over which it is judged at least: fewer long ones say nothing.
const PACKETS_MIN: usize = 4;

/// Deviation of the volume below which a sound is steady, dB: hum and rustle, not speech.
const STEADY_DB: f32 = 3.0;

/// Volumes kept to judge steadiness: [`STEADY_MS`] of the shortest packets.
const VOLUMES: usize = 16;

/// Voice that makes a hint, ms, with what is not voice deducted.
const HINT_MS: u32 = 140;

/// What one packet told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heard {
    /// Media time it covers, ms: its own and that of one lost packet before it.
    pub(crate) span_ms: u32,
    /// Time without packets before it, ms.
    pub(crate) gap_ms: u32,
    /// Whether it ends at least [`VOICED_MS`] of activity without a break.
    pub(crate) is_voiced: bool,
    /// Whether the stream began anew.
    pub(crate) is_restart: bool,
}

/// The ear for one microphone.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    clock: MediaClock,
    level: AudioLevel,
    heard_ms: u32,
    smoothed: Option<f32>,
    closed: [f32; WINDOWS],
    open: f32,
    open_ms: u32,
    next_window: usize,
    peak: f32,
    mean: Option<f32>,
    loudness: f32,
    active_ms: u32,
    talk_ms: u32,
    volumes: [u8; VOLUMES],
    volumes_len: usize,
    next_volume: usize,
    ptime_ms: u32,
    last_voiced: Option<MonoTime>,
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            clock: MediaClock::default(),
            level: AudioLevel::SILENCE,
            heard_ms: 0,
            smoothed: None,
            closed: [f32::INFINITY; WINDOWS],
            open: f32::INFINITY,
            open_ms: 0,
            next_window: 0,
            peak: 0.0,
            mean: None,
            loudness: 0.0,
            active_ms: 0,
            talk_ms: 0,
            volumes: [0; VOLUMES],
            volumes_len: 0,
            next_volume: 0,
            ptime_ms: 20,
            last_voiced: None,
        }
    }
}

impl Voice {
    /// Takes one packet in; `None` when it is late.
    pub(crate) fn hear(
        &mut self,
        now: MonoTime,
        level: AudioLevel,
        timestamp: RtpTimestamp,
        ptime: Option<Duration>,
    ) -> Option<Heard> {
        let Placement::Next {
            ptime_ms,
            lost_ms,
            gap_ms,
            is_restart,
        } = self.clock.place(now, timestamp, ptime)
        else {
            return None;
        };
        self.ptime_ms = ptime_ms;
        if gap_ms > 0 {
            self.pass(gap_ms);
        }
        if lost_ms > 0 {
            self.take(self.level, lost_ms);
        }
        self.level = level;
        let is_active = self.take(level, ptime_ms);
        let is_voiced = is_active && self.active_ms >= VOICED_MS;
        if is_voiced {
            self.last_voiced = Some(now);
            self.learn(f32::from(level.volume()), ptime_ms);
        }
        Some(Heard {
            span_ms: ptime_ms + lost_ms,
            gap_ms,
            is_voiced,
            is_restart,
        })
    }

    /// Forgets that there was voice, but not how the room sounds.
    pub(crate) fn forget(&mut self) {
        self.active_ms = 0;
        self.talk_ms = 0;
        self.last_voiced = None;
    }

    /// Latest level.
    pub(crate) const fn level(&self) -> AudioLevel {
        self.level
    }

    /// When the last voiced packet came.
    pub(crate) const fn last_voiced(&self) -> Option<MonoTime> {
        self.last_voiced
    }

    /// Whether a voiced packet came within `span` before `now`.
    pub(crate) fn is_on(&self, now: MonoTime, span: Duration) -> bool {
        self.last_voiced.is_some_and(|at| now - at <= span)
    }

    /// Activity without a break up to the latest packet, ms.
    pub(crate) const fn active_ms(&self) -> u32 {
        self.active_ms
    }

    /// Whether there has been voice for long enough to warm a picture up.
    pub(crate) const fn is_hinting(&self) -> bool {
        self.talk_ms >= HINT_MS
    }

    /// Mean volume of its recent voice.
    pub(crate) const fn loudness(&self) -> f32 {
        self.loudness
    }

    /// Whether the last activity had hardly any movement in it.
    pub(crate) fn is_steady(&self) -> bool {
        let wanted = usize::try_from(STEADY_MS.div_ceil(self.ptime_ms.max(1)))
            .unwrap_or(VOLUMES)
            .clamp(PACKETS_MIN, VOLUMES);
        let len = wanted.min(self.volumes_len);
        let newest = (1..=len).filter_map(|back| {
            let index = (self.next_volume + VOLUMES - back) % VOLUMES;
            self.volumes.get(index).copied().map(f32::from)
        });
        let (count, sum, squares) = newest.fold((0.0_f32, 0.0, 0.0), |(n, sum, squares), u| {
            (n + 1.0, sum + u, u.mul_add(u, squares))
        });
        if count < 2.0 {
            return true;
        }
        let mean = sum / count;
        let variance = (squares / count - mean * mean).max(0.0);
        variance < STEADY_DB * STEADY_DB
    }

    /// The noise floor as volume.
    fn floor(&self) -> f32 {
        self.closed.iter().copied().fold(self.open, f32::min)
    }

    /// Lets time pass without packets.
    fn pass(&mut self, gap_ms: u32) {
        self.active_ms = 0;
        self.talk_ms = self.talk_ms.saturating_sub(gap_ms);
        self.peak -= PEAK_FALL_DB * ms(gap_ms);
        if gap_ms > SMOOTHING_GAP_MS {
            self.smoothed = None;
        }
    }

    /// Takes `span_ms` of sound at one level; whether it is active.
    fn take(&mut self, level: AudioLevel, span_ms: u32) -> bool {
        let volume = f32::from(level.volume());
        self.track_floor(volume, span_ms);
        self.peak = (self.peak - PEAK_FALL_DB * ms(span_ms)).max(volume);
        let own = self.mean.map_or(0.0, |mean| mean - BELOW_MEAN_DB);
        let is_active = self.heard_ms >= HEARD_MS_MIN
            && volume >= VOLUME_MIN
            && volume >= self.floor() + OVER_FLOOR_DB
            && volume >= own
            && volume >= self.peak - BELOW_PEAK_DB;
        self.heard_ms = self.heard_ms.saturating_add(span_ms);
        if is_active {
            self.active_ms = self.active_ms.saturating_add(span_ms);
            self.talk_ms = self.talk_ms.saturating_add(span_ms).min(2 * HINT_MS);
            if let Some(free) = self.volumes.get_mut(self.next_volume) {
                *free = level.volume();
            }
            self.next_volume = (self.next_volume + 1) % VOLUMES;
            self.volumes_len = (self.volumes_len + 1).min(VOLUMES);
        } else {
            self.active_ms = 0;
            self.talk_ms = self.talk_ms.saturating_sub(span_ms);
        }
        is_active
    }

    /// Follows the noise floor: the minimum of the smoothed volume, which single quiet frames do
    /// not reach.
    fn track_floor(&mut self, volume: f32, span_ms: u32) {
        let smoothed = match self.smoothed {
            Some(old) => {
                let kept = SMOOTHING.powf(ms(span_ms) / SMOOTHING_MS);
                kept * old + (1.0 - kept) * volume
            }
            None => volume,
        };
        self.smoothed = Some(smoothed);
        self.open = self.open.min(smoothed);
        self.open_ms = self.open_ms.saturating_add(span_ms);
        if self.open_ms >= WINDOW_MS {
            if let Some(oldest) = self.closed.get_mut(self.next_window) {
                *oldest = self.open;
            }
            self.next_window = (self.next_window + 1) % WINDOWS;
            self.open = smoothed;
            self.open_ms = 0;
        }
    }

    /// Learns how loud this participant talks.
    fn learn(&mut self, volume: f32, span_ms: u32) {
        let mean = self.mean.unwrap_or(volume);
        self.mean = Some(mean + (volume - mean) * (ms(span_ms) / MEAN_MS));
        let step = (ms(span_ms) / LOUDNESS_MS).min(1.0);
        self.loudness += (volume - self.loudness) * step;
    }
}

/// Whole milliseconds as a number to calculate with. Exact: spans are under a minute or so.
pub(crate) fn ms(span_ms: u32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "spans are far below 2^24 ms")]
    let span = span_ms as f32;
    span
}
