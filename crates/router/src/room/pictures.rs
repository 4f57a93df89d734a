//! Whose picture belongs on which slot. `product.md` §3.1.
//!
//! Fed with the director's decision and the caller's lists; read by the room, which resolves them per
//! session: nobody gets their own picture, a pin goes before the programme, thumbnails are stable.

use arrayvec::ArrayVec;
use estrade_types::{ParticipantKey, SourceKind};

use crate::leg::Shown;

/// Previous programmes remembered.
const HISTORY_MAX: usize = 5;

/// Participants in the fallback order.
const FALLBACK_MAX: usize = 16;

/// Recent speakers for thumbnails.
const RECENT_MAX: usize = 32;

/// What the room shows.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    pub(crate) main: Shown,
    pub(crate) second: Shown,
    history: ArrayVec<(ParticipantKey, SourceKind), HISTORY_MAX>,
    fallback: ArrayVec<ParticipantKey, FALLBACK_MAX>,
    recent: ArrayVec<ParticipantKey, RECENT_MAX>,
}

impl Pictures {
    /// Moves the programme. True if something changed.
    pub(crate) fn set_programme(&mut self, main: Shown, second: Shown) -> bool {
        if (self.main, self.second) == (main, second) {
            return false;
        }
        if main != self.main {
            if let Some(before) = self.main {
                self.history.retain(|shown| *shown != before);
                if self.history.is_full() {
                    self.history.pop();
                }
                self.history.insert(0, before);
            }
            self.main = main;
        }
        self.second = second;
        true
    }

    /// Replaces the fallback order. True if it changed.
    pub(crate) fn set_fallback(&mut self, order: &[ParticipantKey]) -> bool {
        replace(&mut self.fallback, order)
    }

    /// Replaces the list of recent speakers. True if it changed.
    pub(crate) fn set_recent(&mut self, recent: &[ParticipantKey]) -> bool {
        replace(&mut self.recent, recent)
    }

    /// Forgets a participant.
    pub(crate) fn forget(&mut self, who: ParticipantKey) {
        self.history.retain(|(participant, _)| *participant != who);
        self.fallback.retain(|participant| *participant != who);
        self.recent.retain(|participant| *participant != who);
    }

    /// What `who` may see instead of themselves, best first.
    pub(crate) fn instead_of(
        &self,
        who: ParticipantKey,
    ) -> impl Iterator<Item = (ParticipantKey, SourceKind)> {
        let fallback = self
            .fallback
            .iter()
            .map(|participant| (*participant, SourceKind::Camera));
        self.history
            .iter()
            .copied()
            .chain(fallback)
            .filter(move |(participant, _)| *participant != who)
    }

    /// Recent speakers, most recent first.
    pub(crate) fn recent(&self) -> &[ParticipantKey] {
        &self.recent
    }
}

fn replace<const N: usize>(
    list: &mut ArrayVec<ParticipantKey, N>,
    with: &[ParticipantKey],
) -> bool {
    let with = with.get(..with.len().min(N)).unwrap_or_default();
    if list.as_slice() == with {
        return false;
    }
    list.clear();
    list.extend(with.iter().copied());
    true
}
