//! The clock, and the statistic.

use std::time::Instant;

/// Packets in a timed round: few enough for the first-level caches to be what they are at work.
pub(crate) const ROUND_PKTS: usize = 64;
const ROUNDS: usize = 4_000;
const WARM_UP_ROUNDS: usize = 400;

/// Median nanoseconds for one of the `ops` that `timed` does, over rounds each made by `prepare`.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures with the real clock"
)]
pub(crate) fn median_ns<T>(
    ops: usize,
    mut prepare: impl FnMut() -> T,
    mut timed: impl FnMut(&mut T),
) -> f64 {
    let mut samples = Vec::with_capacity(ROUNDS);
    for round in 0..WARM_UP_ROUNDS + ROUNDS {
        let mut input = prepare();
        let start = Instant::now();
        timed(&mut input);
        let elapsed = start.elapsed();
        std::hint::black_box(&input);
        if round >= WARM_UP_ROUNDS {
            samples.push(elapsed.as_secs_f64());
        }
    }
    samples.sort_by(f64::total_cmp);
    let median = samples.get(ROUNDS / 2).copied().unwrap_or_default();
    let ops = u32::try_from(ops).map_or(f64::INFINITY, f64::from);
    median * 1e9 / ops
}
