//! What outlives a session: moderation's word about an identity, and cool-downs.
//!
//! Without it, a removed, demoted or locked participant would only have to come in again with the
//! token it still has.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use estrade_types::{MonoTime, ParticipantId, Role};

/// Identities whose standing is remembered. At the limit the oldest is forgotten: whoever can make
/// that many removals necessary has as many valid tokens, and the app's revocation must help.
const STANDINGS_MAX: usize = 16_384;

/// Moderation's word about one identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// When it was removed, seconds of Unix time: tokens issued until then are refused.
    pub(super) removed_s: Option<u64>,
    /// When its role was lowered, seconds of Unix time, and to which: tokens issued until then give
    /// no more.
    pub(super) lowered: Option<(u64, Role)>,
    pub(super) is_audio_locked: bool,
    pub(super) is_video_locked: bool,
}

impl Standing {
    /// Whether a token of that issue time is refused. One that does not tell is taken for old.
    pub(super) fn revokes(self, issued_at_s: Option<u64>) -> bool {
        is_outdated(self.removed_s, issued_at_s)
    }

    /// What the role in a token of that issue time is worth. Roles are ordered with the most
    /// powerful first.
    pub(super) fn limited(self, claimed: Role, issued_at_s: Option<u64>) -> Role {
        match self.lowered {
            Some((at, role)) if is_outdated(Some(at), issued_at_s) => claimed.max(role),
            _ => claimed,
        }
    }
}

fn is_outdated(act_s: Option<u64>, issued_at_s: Option<u64>) -> bool {
    act_s.is_some_and(|act| issued_at_s.is_none_or(|issued| issued <= act))
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Standings {
    by_id: BTreeMap<ParticipantId, Standing>,
    /// In order of first mention; each identity in `by_id` once.
    order: VecDeque<ParticipantId>,
}

impl Standings {
    pub(super) fn get(&self, id: &ParticipantId) -> Standing {
        self.by_id.get(id).copied().unwrap_or_default()
    }

    pub(super) fn change(&mut self, id: &ParticipantId, change: impl FnOnce(&mut Standing)) {
        let mut standing = self.get(id);
        change(&mut standing);
        if self.by_id.insert(id.clone(), standing).is_some() {
            return;
        }
        if standing == Standing::default() {
            self.by_id.remove(id);
            return;
        }
        self.order.push_back(id.clone());
        if self.order.len() > STANDINGS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }
}

/// When identities did something last, remembered as long as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cooldown {
    latest: BTreeMap<ParticipantId, MonoTime>,
    order: VecDeque<(MonoTime, ParticipantId)>,
}

impl Cooldown {
    /// How long `id` still has to wait at `now`; `None` when it need not.
    pub(super) fn wait(
        &self,
        now: MonoTime,
        id: &ParticipantId,
        interval: Duration,
    ) -> Option<Duration> {
        let until = self.latest.get(id)?.plus(interval);
        (now < until).then(|| until.since(now))
    }

    /// Notes that `id` did it at `now`, and forgets those who need wait no longer.
    pub(super) fn note(&mut self, now: MonoTime, id: &ParticipantId, interval: Duration) {
        while let Some((at, _)) = self.order.front()
            && at.plus(interval) <= now
        {
            if let Some((at, old)) = self.order.pop_front()
                && self.latest.get(&old) == Some(&at)
            {
                self.latest.remove(&old);
            }
        }
        self.latest.insert(id.clone(), now);
        self.order.push_back((now, id.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_standing_is_forgotten_at_the_limit() {
        let mut standings = Standings::default();
        let id = |n: usize| ParticipantId::new(&format!("p{n}")).unwrap();
        for n in 0..=STANDINGS_MAX {
            standings.change(&id(n), |standing| standing.removed_s = Some(5));
        }
        assert!(!standings.get(&id(0)).revokes(Some(1)));
        assert!(standings.get(&id(1)).revokes(Some(5)));
        assert!(!standings.get(&id(1)).revokes(Some(6)));
        assert!(standings.get(&id(1)).revokes(None));
        assert_eq!(standings.by_id.len(), STANDINGS_MAX);
    }

    #[test]
    fn a_cooldown_forgets_what_no_longer_matters() {
        let mut cooldown = Cooldown::default();
        let id = ParticipantId::new("p").unwrap();
        let five = Duration::from_secs(5);
        cooldown.note(MonoTime::from_millis(0), &id, five);
        assert_eq!(
            cooldown.wait(MonoTime::from_millis(2_000), &id, five),
            Some(Duration::from_secs(3))
        );
        assert_eq!(cooldown.wait(MonoTime::from_millis(5_000), &id, five), None);
        let other = ParticipantId::new("q").unwrap();
        cooldown.note(MonoTime::from_millis(5_000), &other, five);
        assert_eq!(cooldown.latest.len(), 1);
    }
}
