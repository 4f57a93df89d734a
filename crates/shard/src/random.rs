//! Where a shard's secrets come from: one seed at its start, stretched by AES-256 in counter mode.
//!
//! Gives ICE credentials and the key of every hash table that peers can address. Deterministic, so
//! a simulated shard can be replayed from its seed.

use std::hash::{BuildHasher, DefaultHasher, Hasher};

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};

/// A stream of unpredictable bytes.
pub(crate) struct Random {
    stream: Ctr128BE<Aes256>,
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Random").finish_non_exhaustive()
    }
}

impl Random {
    /// Starts from a seed that nobody else knows.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            stream: Ctr128BE::new(&seed.into(), &[0; 16].into()),
        }
    }

    /// The next `N` bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.apply_keystream(&mut bytes);
        bytes
    }

    /// The key of one hash table.
    pub(crate) fn hash_key(&mut self) -> KeyedHash {
        KeyedHash {
            key: [
                u64::from_ne_bytes(self.bytes()),
                u64::from_ne_bytes(self.bytes()),
            ],
        }
    }
}

/// SipHash that starts by absorbing a secret: peers choose addresses and SSRCs, and must not be
/// able to choose collisions.
#[derive(Clone)]
pub(crate) struct KeyedHash {
    key: [u64; 2],
}

impl BuildHasher for KeyedHash {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        let [low, high] = self.key;
        hasher.write_u64(low);
        hasher.write_u64(high);
        hasher
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        let (mut a, mut b, mut c) = (
            Random::new([1; 32]),
            Random::new([1; 32]),
            Random::new([2; 32]),
        );
        let first: [u8; 23] = a.bytes();
        assert_eq!(first, b.bytes());
        assert_ne!(first, c.bytes());
        assert_ne!(first, a.bytes());
    }

    #[test]
    fn tables_of_other_keys_hash_otherwise() {
        let mut random = Random::new([1; 32]);
        let (a, b) = (random.hash_key(), random.hash_key());
        assert_eq!(a.hash_one(7_u32), a.hash_one(7_u32));
        assert_ne!(a.hash_one(7_u32), b.hash_one(7_u32));
    }
}
