//! One throttle per source layer for everybody who wants its keyframe: cuts, joins, receivers' PLI
//! and FIR. RFC 4585 §6.3.1, RFC 5104 §4.3.1.
//!
//! However many ask, the publisher hears at most one request per [`INTERVAL_MIN`]; the first at
//! once, the others merged into the next. PLI is enough for every encoder we negotiate with, so FIR is
//! never sent.

use std::time::Duration;

use estrade_types::MonoTime;

/// Between two requests for one layer. Shorter lets a crowd turn a stream into keyframes only.
pub(crate) const INTERVAL_MIN: Duration = Duration::from_millis(500);

/// A request made after a keyframe began to arrive is answered by it for this long.
const FRESH: Duration = Duration::from_millis(100);

/// The requests for keyframes of one layer.
#[derive(Debug, Default)]
pub(crate) struct KeyframeThrottle {
    is_wanted: bool,
    last_sent: Option<MonoTime>,
}

impl KeyframeThrottle {
    /// Somebody wants a keyframe.
    pub(crate) fn request(&mut self, now: MonoTime, last_keyframe: Option<MonoTime>) {
        let is_fresh = last_keyframe.is_some_and(|at| now.since(at) < FRESH);
        self.is_wanted |= !is_fresh;
    }

    /// A keyframe began to arrive: whoever asked is served.
    pub(crate) fn on_keyframe(&mut self) {
        self.is_wanted = false;
    }

    /// Whether a request may leave now; if so it counts as sent.
    pub(crate) fn take_due(&mut self, now: MonoTime) -> bool {
        let is_due = self.next_deadline().is_some_and(|at| at <= now);
        if is_due {
            self.is_wanted = false;
            self.last_sent = Some(now);
        }
        is_due
    }

    /// When the next request may leave; in the past if at once.
    pub(crate) fn next_deadline(&self) -> Option<MonoTime> {
        self.is_wanted.then(|| {
            self.last_sent
                .map_or(MonoTime::ZERO, |at| at.plus(INTERVAL_MIN))
        })
    }

    /// When the last request left.
    pub(crate) const fn last_sent(&self) -> Option<MonoTime> {
        self.last_sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_requests_a_second_become_two() {
        let mut throttle = KeyframeThrottle::default();
        let sent = (0..1_000)
            .filter(|ms| {
                let now = MonoTime::from_millis(*ms);
                throttle.request(now, None);
                throttle.take_due(now)
            })
            .collect::<Vec<u64>>();
        assert_eq!(sent, [0, 500]);
    }

    #[test]
    fn a_keyframe_serves_those_who_asked() {
        let mut throttle = KeyframeThrottle::default();
        throttle.request(MonoTime::ZERO, None);
        assert!(throttle.take_due(MonoTime::ZERO));
        throttle.request(MonoTime::from_millis(10), None);
        throttle.on_keyframe();
        assert!(!throttle.take_due(MonoTime::from_millis(900)));
        throttle.request(MonoTime::from_millis(910), Some(MonoTime::from_millis(850)));
        assert!(!throttle.take_due(MonoTime::from_millis(1_900)));
    }
}
