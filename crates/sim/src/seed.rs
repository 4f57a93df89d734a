//! The seed of a run: where it comes from, and how it is told when the run fails.

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
