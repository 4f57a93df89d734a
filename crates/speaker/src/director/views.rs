//! Who stands in for whom: the fallback order, and what one viewer sees. `product.md` §3.1.
//!
//! Read by the rules, and by the router for viewers who pin somebody or are on the programme
//! themselves.
//!
//! Invariant: nobody is given a picture of its own.

use arrayvec::ArrayVec;
use estrade_types::limits::STAGE_MAX;
use estrade_types::{ParticipantKey, SourceKind};

use super::{Director, Picture};

/// How many recent speakers come before the host when the picture falls back.
const FALLBACK_RECENT: usize = 5;

impl Director {
    /// Participants with a live camera in the order in which they stand in: the active speaker,
    /// the five most recent speakers, the host, co-hosts, and the rest, longest on stage first.
    pub fn fallbacks(&self) -> impl Iterator<Item = ParticipantKey> + use<> {
        let recent = self.recent.iter().copied().take(FALLBACK_RECENT);
        let seated = self.members.iter().map(|member| member.key);
        let mut order: ArrayVec<ParticipantKey, STAGE_MAX> = ArrayVec::new();
        for key in self.active.into_iter().chain(recent).chain(seated) {
            if self.has_camera(key) && !order.contains(&key) && !order.is_full() {
                order.push(key);
            }
        }
        order.into_iter()
    }

    /// The main picture of one viewer: its own pin, else what is on the room's main slot, and
    /// where that is the viewer itself the programme before it, else the host, else any other.
    /// A pin is overruled by a spotlight when [`super::DirectorSettings::force_programme`] is set.
    pub fn main_for(&self, viewer: ParticipantKey, pin: Option<ParticipantKey>) -> Option<Picture> {
        let is_lit = self.owner.is_some_and(|key| self.spotlights.contains(&key));
        let is_forced = self.settings.force_programme && is_lit;
        let pinned = pin.filter(|pin| *pin != viewer && !is_forced);
        if let Some(picture) = pinned.and_then(|pin| self.picture_of(pin)) {
            return Some(picture);
        }
        self.without_self(viewer, self.on.0?, None)
    }

    /// The second picture of one viewer, in use during a screen share only.
    pub fn second_for(&self, viewer: ParticipantKey) -> Option<Picture> {
        self.without_self(viewer, self.on.1?, self.main_for(viewer, None))
    }

    /// `picture`, or a stand-in other than `taken` when it is the viewer's own.
    fn without_self(
        &self,
        viewer: ParticipantKey,
        picture: Picture,
        taken: Option<Picture>,
    ) -> Option<Picture> {
        if picture.0 != viewer {
            return Some(picture);
        }
        let owner = self.owner.into_iter();
        let shown = self.shown.iter().copied();
        let host = self.host_with_camera();
        owner
            .chain(shown)
            .chain(host)
            .chain(self.members.iter().map(|member| member.key))
            .find(|key| {
                let is_taken = taken == Some((*key, SourceKind::Camera));
                *key != viewer && self.has_camera(*key) && !is_taken
            })
            .map(|key| (key, SourceKind::Camera))
    }

    /// Whom the programme falls back to.
    pub(super) fn first_fallback(&self) -> Option<ParticipantKey> {
        self.fallbacks().next()
    }

    /// A participant's camera, else its screen, if live.
    fn picture_of(&self, key: ParticipantKey) -> Option<Picture> {
        let member = self.member(key)?;
        if member.camera.is_live() {
            Some((key, SourceKind::Camera))
        } else if member.screen.is_live() {
            Some((key, SourceKind::Screen))
        } else {
            None
        }
    }
}
