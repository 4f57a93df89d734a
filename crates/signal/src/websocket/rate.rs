//! How many messages one client may send: a token bucket, refused messages counted in it too.

use std::time::Duration;

/// A bucket of messages.
#[derive(Debug)]
pub(super) struct MessageRate {
    per_s: f64,
    burst: f64,
    level: f64,
    last: Duration,
}

/// What to do with one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Read it.
    Take,
    /// Refuse it, and say so.
    Refuse,
    /// Refuse it and close: the client does not heed refusals.
    Close,
}

impl MessageRate {
    /// A full bucket.
    pub(super) fn new(per_s: u32, burst: u32) -> Self {
        Self {
            per_s: f64::from(per_s),
            burst: f64::from(burst),
            level: f64::from(burst),
            last: Duration::ZERO,
        }
    }

    /// Counts a message that arrived at `now`, time since the connection began.
    pub(super) fn on_message(&mut self, now: Duration) -> Verdict {
        let elapsed = now.saturating_sub(self.last).as_secs_f64();
        self.last = now;
        self.level = elapsed.mul_add(self.per_s, self.level).min(self.burst) - 1.0;
        if self.level >= 0.0 {
            Verdict::Take
        } else if self.level >= -self.burst {
            Verdict::Refuse
        } else {
            Verdict::Close
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_and_a_flood_closes() {
        let mut rate = MessageRate::new(50, 100);
        let at = Duration::from_millis;
        assert!((0..100).all(|_| rate.on_message(at(0)) == Verdict::Take));
        assert_eq!(rate.on_message(at(0)), Verdict::Refuse);
        assert_eq!(rate.on_message(at(40)), Verdict::Take);
        assert!((0..100).all(|_| rate.on_message(at(40)) == Verdict::Refuse));
        assert_eq!(rate.on_message(at(40)), Verdict::Close);
    }

    #[test]
    fn silence_refills_no_more_than_a_burst() {
        let mut rate = MessageRate::new(50, 2);
        let late = Duration::from_secs(1_000);
        assert_eq!(rate.on_message(late), Verdict::Take);
        assert_eq!(rate.on_message(late), Verdict::Take);
        assert_eq!(rate.on_message(late), Verdict::Refuse);
    }
}
