//! Quantities with their unit in the type.

use std::time::Duration;

/// Bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bitrate(u64);

impl Bitrate {
    /// From bits per second.
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// From kilobits (1000 bits) per second.
    pub const fn from_kbps(kbps: u64) -> Self {
        Self(kbps.saturating_mul(1_000))
    }

    /// Bits per second.
    pub const fn as_bps(self) -> u64 {
        self.0
    }

    /// What this rate lets through in `window`, rounded down.
    pub fn over(self, window: Duration) -> DataSize {
        let bits = u128::from(self.0) * window.as_micros() / 1_000_000;
        DataSize(u64::try_from(bits / 8).unwrap_or(u64::MAX))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataSize(u64);

impl DataSize {
    /// From bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_over_a_window_is_bytes() {
        assert_eq!(
            Bitrate::from_kbps(8)
                .over(Duration::from_millis(500))
                .as_bytes(),
            500
        );
    }
}
