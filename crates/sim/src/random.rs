//! A small seeded generator: SplitMix64. Its statistics are plenty for links; nothing here is a
//! secret.

use std::time::Duration;

/// A stream of random numbers that its seed determines.
#[derive(Clone, Debug)]
pub struct SimRandom(u64);

impl SimRandom {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An independent stream for the part of the world named by `label`.
    #[must_use]
    pub fn derive(seed: u64, label: u64) -> Self {
        let mut mixer = Self(seed ^ label.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self(mixer.next_u64())
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        // The bias of the remainder is far below what any test looks at.
        match self.next_u64().checked_rem(end) {
            Some(value) => value,
            None => 0,
        }
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        // 53 bits, the precision of the fraction.
        let unit = (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        unit < probability
    }

    /// A time from zero to `span`.
    pub fn up_to(&mut self, span: Duration) -> Duration {
        let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(ns.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_sequence() {
        // The reference values of SplitMix64 for seed 1234567.
        let mut random = SimRandom::new(1_234_567);
        let values = [random.next_u64(), random.next_u64(), random.next_u64()];
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn chances_come_out_as_often_as_they_should() {
        let mut random = SimRandom::new(5);
        let hits = (0..10_000).filter(|_| random.chance(0.05)).count();
        assert!((400..600).contains(&hits), "{hits}");
        assert!(!random.chance(0.0));
        assert!(random.chance(1.0));
    }
}
