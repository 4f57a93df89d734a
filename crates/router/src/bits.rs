//! Low bits of wide numbers, where wrapping is what the wire format means.

/// The low 32 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are what is asked for"
)]
pub(crate) const fn low32(value: u64) -> u32 {
    value as u32
}

/// The low 16 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are what is asked for"
)]
pub(crate) const fn low16(value: u64) -> u16 {
    value as u16
}

/// An index that fits `u32` because every table here is bounded far below.
pub(crate) fn index32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// `u32` as an index; `usize` is at least as wide on every platform we build for.
pub(crate) const fn at(index: u32) -> usize {
    index as usize
}

/// Ticks of a clock of `rate` hertz in `ns` nanoseconds, modulo 2^32 as RTP timestamps are.
pub(crate) fn ticks(ns: u64, rate: estrade_types::ClockRate) -> u32 {
    const SECOND_NS: u64 = 1_000_000_000;
    let rate = u64::from(rate.as_hz());
    let whole = (ns / SECOND_NS).wrapping_mul(rate);
    low32(whole.wrapping_add((ns % SECOND_NS).saturating_mul(rate) / SECOND_NS))
}

/// Ticks of a clock of `rate` hertz in `span`, modulo 2^32.
pub(crate) fn ticks_of(span: std::time::Duration, rate: estrade_types::ClockRate) -> u32 {
    ticks(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX), rate)
}

/// A small deterministic stream of random bits (SplitMix64), seeded by the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bits(pub(crate) u64);

impl Bits {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
