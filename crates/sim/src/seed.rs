//! The seed of a run: where it comes from, how it is told, and the one instant that is borrowed
//! from the real clock.

use std::time::Instant;

/// The variable that replays a run.
const VARIABLE: &str = "ESTRADE_SIM_SEED";

/// The seed of a test: what `ESTRADE_SIM_SEED` says, or `fixed`, so that ordinary runs are the
/// same every time.
///
/// # Panics
///
/// When the variable is set to something that is not a number: a replay of another seed than the
/// one meant would mislead.
#[expect(clippy::expect_used, reason = "stops the test before it misleads")]
pub fn seed(fixed: u64) -> u64 {
    match std::env::var(VARIABLE) {
        Ok(text) => text.trim().parse().expect("ESTRADE_SIM_SEED is a number"),
        Err(_) => fixed,
    }
}

/// An origin for endpoints that tell time in [`Instant`]s: only distances from it ever count.
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant can be had no other way; everything after it is virtual"
)]
pub fn epoch() -> Instant {
    Instant::now()
}

/// Prints its seed when it is dropped by a failing test.
#[derive(Debug)]
pub struct SeedNote(pub u64);

impl Drop for SeedNote {
    #[expect(clippy::print_stderr, reason = "told to whoever reads the failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with {VARIABLE}={}", self.0);
        }
    }
}
