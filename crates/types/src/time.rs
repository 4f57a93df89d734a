//! Time as an argument: monotonic nanoseconds, and NTP wall time tied to them.

use std::ops::Sub;
use std::time::Duration;

/// Nanoseconds of monotonic time since an origin the owner of the clock chose (process start).
///
/// Constructible on purpose: tests start at a number. Subtraction saturates at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(pub u64);

impl MonoTime {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// From whole milliseconds since the origin.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// Whole milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// `self` moved later by `span`, saturating.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Sub for MonoTime {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// A 64-bit NTP timestamp: seconds since 1900 in the high half, fraction in the low.
/// RFC 3550 §4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Seconds from 1900 to 1970.
    const UNIX_OFFSET_S: u64 = 2_208_988_800;

    /// From time since the Unix epoch.
    pub fn from_unix(since_epoch: Duration) -> Self {
        let seconds = (since_epoch.as_secs() + Self::UNIX_OFFSET_S) & 0xffff_ffff;
        let fraction = (u64::from(since_epoch.subsec_nanos()) << 32) / 1_000_000_000;
        Self((seconds << 32) | fraction)
    }

    /// `self` moved later by `span`, wrapping at the NTP era.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let fraction = (u64::from(span.subsec_nanos()) << 32) / 1_000_000_000;
        Self(
            self.0
                .wrapping_add((span.as_secs() << 32).wrapping_add(fraction)),
        )
    }

    /// The middle 32 bits, as carried in report blocks. RFC 3550 §4.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the middle 32 bits are what is asked for"
    )]
    pub const fn short(self) -> NtpShort {
        NtpShort((self.0 >> 16) as u32)
    }
}

/// The middle 32 bits of an NTP timestamp, in units of 1/65536 s. RFC 3550 §4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NtpShort(pub u32);

/// One reading of both clocks, so that wall time can be derived from monotonic time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    /// The monotonic reading.
    pub mono: MonoTime,
    /// The wall time at that reading.
    pub ntp: NtpTime,
}

impl WallClock {
    /// Wall time at `at`, which is at or after the reading.
    pub fn at(&self, at: MonoTime) -> NtpTime {
        self.ntp.plus(at.since(self.mono))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtraction_saturates() {
        assert_eq!(MonoTime(5) - MonoTime(9), Duration::ZERO);
        assert_eq!(
            MonoTime::from_millis(9) - MonoTime::from_millis(5),
            Duration::from_millis(4)
        );
    }

    #[test]
    fn short_ntp_is_the_middle_of_the_long_form() {
        let ntp = NtpTime::from_unix(Duration::new(1, 500_000_000));
        assert_eq!(ntp.0 & 0xffff_ffff, 0x8000_0000);
        assert_eq!(ntp.short().0 & 0xffff, 0x8000);
    }
}
