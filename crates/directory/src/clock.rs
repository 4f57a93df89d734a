//! The directory's clocks and its entropy: the one place where they are read.

use std::time::{Duration, UNIX_EPOCH};

use estrade_types::MonoTime;
use tokio::time::Instant;

use crate::DirectoryError;

/// Monotonic time since the directory was started, and wall time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts at zero. The runtime's clock, so that tests can hold it.
    pub(crate) fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    pub(crate) fn now(self) -> MonoTime {
        MonoTime::ZERO.plus(self.origin.elapsed())
    }

    /// The moment at which [`Self::now`] reads `at`.
    pub(crate) fn instant(self, at: MonoTime) -> Instant {
        self.origin + at.since(MonoTime::ZERO)
    }

    /// Milliseconds of Unix time.
    #[expect(
        clippy::disallowed_methods,
        reason = "wall time enters the room here, as an argument"
    )]
    pub(crate) fn unix_ms() -> u64 {
        let since = std::time::SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], DirectoryError> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(DirectoryError::Unavailable {
            why: "the system gives no random numbers",
        }),
    }
}

/// 128 random bits as 26 letters and digits. RFC 4648 §6, in lower case and without padding.
pub(crate) fn random_name() -> Result<String, DirectoryError> {
    const ALPHABET: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r',
        's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7',
    ];
    let mut bits = u128::from_be_bytes(random::<16>()?);
    let mut name = String::with_capacity(26);
    for _ in 0..26 {
        let digit = usize::try_from(bits & 31).unwrap_or_default();
        name.extend(ALPHABET.get(digit));
        bits >>= 5;
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_26_characters_and_differ() {
        let (one, two) = (random_name().unwrap(), random_name().unwrap());
        assert_eq!(one.len(), 26);
        assert_ne!(one, two);
        assert!(one.chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
