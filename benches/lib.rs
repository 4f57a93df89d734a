//! Benches: kernels, instruction counts, load.
