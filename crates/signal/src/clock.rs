//! The one place that reads wall time in this crate: tokens expire by it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of Unix time.
#[expect(
    clippy::disallowed_methods,
    reason = "an edge reads the clock, once, here"
)]
pub(crate) fn unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
