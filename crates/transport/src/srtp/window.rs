//! Which indices of a stream were used: on the receiving side against replay (RFC 3711 §3.3.2), on
//! the sending side against sealing an index twice.

/// The last `64 * WORDS` indices up to the highest, one bit each.
///
/// What is older counts as used: too late on the receiving side, too risky on the sending side.
#[derive(Clone, Debug)]
pub(super) struct IndexWindow<const WORDS: usize> {
    highest: Option<u64>,
    bits: [u64; WORDS],
}

impl<const WORDS: usize> IndexWindow<WORDS> {
    const WIDTH: u64 = 64 * WORDS as u64;

    pub(super) const fn new() -> Self {
        Self {
            highest: None,
            bits: [0; WORDS],
        }
    }

    /// Marks `index`; does nothing to one that is older than the window.
    pub(super) fn mark(&mut self, index: u64) {
        let highest = *self.highest.get_or_insert(index);
        if index > highest {
            self.advance(highest, index);
        } else if highest - index >= Self::WIDTH {
            return;
        }
        let (word, bit) = Self::place(index);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether `index` was not marked and is not older than the window.
    pub(super) fn is_fresh(&self, index: u64) -> bool {
        let Some(highest) = self.highest else {
            return true;
        };
        if index > highest {
            return true;
        }
        let (word, bit) = Self::place(index);
        highest - index < Self::WIDTH && self.bits.get(word).is_some_and(|word| word & bit == 0)
    }

    /// The highest index marked.
    pub(super) const fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Forgets the places that the indices after `from`, up to `to`, take over.
    fn advance(&mut self, from: u64, to: u64) {
        if to - from >= Self::WIDTH {
            self.bits = [0; WORDS];
        } else {
            for index in from + 1..=to {
                let (word, bit) = Self::place(index);
                if let Some(word) = self.bits.get_mut(word) {
                    *word &= !bit;
                }
            }
        }
        self.highest = Some(to);
    }

    /// The word and the bit that stand for `index`.
    fn place(index: u64) -> (usize, u64) {
        let place = index % Self::WIDTH;
        (
            usize::try_from(place / 64).unwrap_or(WORDS),
            1 << (place % 64),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The same by keeping everything.
    #[derive(Default)]
    struct Oracle(BTreeSet<u64>);

    impl Oracle {
        fn is_fresh(&self, index: u64) -> bool {
            self.0.last().is_none_or(|&highest| {
                index > highest || (highest - index < 128 && !self.0.contains(&index))
            })
        }
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_one_that_forgets_nothing(
            start in 0_u64..1 << 40,
            steps in prop::collection::vec(-300_i64..300, 1..400),
        ) {
            let mut window = IndexWindow::<2>::new();
            let mut oracle = Oracle::default();
            let mut at = start + 100_000;
            for step in steps {
                at = at.saturating_add_signed(step);
                prop_assert_eq!(window.is_fresh(at), oracle.is_fresh(at));
                if oracle.is_fresh(at) {
                    window.mark(at);
                    oracle.0.insert(at);
                }
                prop_assert_eq!(window.highest(), oracle.0.last().copied());
            }
        }
    }

    #[test]
    fn an_index_is_fresh_once() {
        let mut window = IndexWindow::<1>::new();
        assert!(window.is_fresh(0));
        window.mark(0);
        assert!(!window.is_fresh(0));
        window.mark(63);
        assert!(!window.is_fresh(0), "marked before");
        assert!(window.is_fresh(1), "within the window");
        window.mark(64);
        assert!(!window.is_fresh(0), "older than the window");
    }
}
