//! Which legs hear which microphone, and which show which picture.
//!
//! Fed by [`crate::audio_slots`] and [`super::pictures`]; moves legs by [`super::cuts`]. Sound changes
//! hands with the next packet, a picture only at a keyframe.

use arrayvec::ArrayVec;
use estrade_types::{MonoTime, ParticipantKey, SlotId, SourceKind, limits};

use super::RoomRouter;
use crate::Egress;
use crate::audio_slots::{Loudness, SLOTS_MAX};
use crate::leg::LayerKey;

/// The wants of a session's video legs: leg and source.
type Wants = ArrayVec<(u32, Option<u32>), { limits::TX_SECTIONS_MAX }>;

/// For each slot, whom of the holders of it and the slots after it to hear in one, best first.
pub(super) type Ranked = [[Option<u32>; 2]; SLOTS_MAX];

impl RoomRouter {
    /// Puts every audio leg on the microphone it is to hear.
    pub(super) fn settle_audio(&mut self, now: MonoTime) {
        self.ranked = self.rank(now);
        for index in 0..self.legs.end() {
            self.tune(index);
        }
    }

    /// Puts one leg, if it is an audio leg, on the microphone it is to hear.
    pub(super) fn tune(&mut self, index: u32) {
        let Some(leg) = self.legs.get(index) else {
            return;
        };
        let SlotId::Audio(slot) = leg.slot else {
            return;
        };
        let is_own = |source: u32| {
            self.sources
                .get(source)
                .is_none_or(|source| source.participant == leg.participant)
        };
        let source = if !leg.is_open {
            None
        } else if leg.is_last && self.audio.len() > usize::from(slot) + 1 {
            let ranked = self.ranked.get(usize::from(slot));
            let mut ranked = ranked.into_iter().flatten().copied().flatten();
            ranked.find(|source| !is_own(*source))
        } else {
            let holder = self.audio.holder(usize::from(slot));
            holder.filter(|source| !is_own(*source))
        };
        let target = source.map(|source| self.layer_key(source, 0));
        if leg.current != target {
            self.detach(index);
            if let Some(key) = target {
                self.attach(index, key);
            }
        }
    }

    /// Whether receivers with fewer slots than the room should hear somebody else by now.
    pub(super) fn is_ranking_stale(&self, now: MonoTime) -> bool {
        self.rank(now) != self.ranked
    }

    fn rank(&self, now: MonoTime) -> Ranked {
        let mut ranked = self.ranked;
        for (first, two) in ranked.iter_mut().enumerate().take(self.audio.len()) {
            *two = self
                .audio
                .ranked(now, first, two.first().copied().flatten());
        }
        ranked
    }

    /// Lets the active speaker into a slot.
    pub(super) fn let_active_in(&mut self, now: MonoTime) {
        let source = self
            .active_speaker
            .and_then(|who| self.published(who, SourceKind::Microphone));
        let loudness = source
            .and_then(|source| self.sources.get(source))
            .map_or_else(Loudness::default, |source| source.loudness);
        self.is_audio_dirty |= self.audio.set_active(now, source, &loudness);
        if self.is_audio_dirty || self.is_ranking_stale(now) {
            self.is_audio_dirty = false;
            self.settle_audio(now);
        }
    }

    /// Points every video leg at the source it is to show.
    pub(super) fn settle_pictures(&mut self, now: MonoTime, egress: &mut impl Egress) {
        for index in 0..self.sessions.end() {
            self.aim_session(now, index, egress);
        }
    }

    /// Points one session's video legs at the sources they are to show.
    pub(super) fn aim_session(&mut self, now: MonoTime, index: u32, egress: &mut impl Egress) {
        let has_video = self
            .sessions
            .get(index)
            .is_some_and(|session| session.has_video);
        if !has_video {
            return;
        }
        for (leg, want) in self.wants(index) {
            self.aim(now, leg, want, egress);
        }
    }

    /// What a session's video legs should show.
    fn wants(&self, index: u32) -> Wants {
        let mut wants = Wants::new();
        let Some(session) = self.sessions.get(index) else {
            return wants;
        };
        let who = session.participant;
        let is_receiving = session.is_connected && session.is_video_wanted;
        let main = is_receiving
            .then(|| self.main_for(who, session.pin))
            .flatten();
        let second = is_receiving.then(|| self.second_for(who, main)).flatten();
        let mut thumbnails: ArrayVec<u32, { limits::TX_SECTIONS_MAX }> = ArrayVec::new();
        for leg in &session.legs {
            match self.legs.get(*leg).map(|leg| leg.slot) {
                Some(SlotId::Main) => wants.push((*leg, main)),
                Some(SlotId::Second) => wants.push((*leg, second)),
                Some(SlotId::Thumbnail(_)) => thumbnails.push(*leg),
                Some(SlotId::Audio(_)) | None => {}
            }
        }
        if !thumbnails.is_empty() {
            let shown = is_receiving.then_some([main, second]);
            self.thumbnails_for(who, shown, &thumbnails, &mut wants);
        }
        wants
    }

    /// The main picture for `who`: pin, programme, or for the programme's owner somebody else.
    fn main_for(&self, who: ParticipantKey, pin: Option<ParticipantKey>) -> Option<u32> {
        let pinned = pin
            .filter(|pinned| *pinned != who)
            .and_then(|pinned| self.live(pinned, SourceKind::Camera));
        if pinned.is_some() {
            return pinned;
        }
        let (owner, kind) = self.pictures.main?;
        if owner != who {
            return self.published(owner, kind);
        }
        let find = |find: fn(&Self, ParticipantKey, SourceKind) -> Option<u32>| {
            let mut others = self.pictures.instead_of(who);
            others.find_map(|(other, kind)| find(self, other, kind))
        };
        find(Self::live).or_else(|| find(Self::active))
    }

    /// The second picture for `who`, which is not the main one again.
    fn second_for(&self, who: ParticipantKey, main: Option<u32>) -> Option<u32> {
        let (owner, kind) = self.pictures.second?;
        let source = (owner != who)
            .then(|| self.published(owner, kind))
            .flatten();
        source.filter(|source| Some(*source) != main)
    }

    /// Deals recent speakers out to thumbnails: whoever has one keeps it while among the recent.
    fn thumbnails_for(
        &self,
        who: ParticipantKey,
        shown: Option<[Option<u32>; 2]>,
        legs: &[u32],
        wants: &mut Wants,
    ) {
        let mut eligible: ArrayVec<u32, { limits::TX_SECTIONS_MAX }> = ArrayVec::new();
        if let Some(shown) = shown {
            let recent = self
                .pictures
                .recent()
                .iter()
                .filter(|recent| **recent != who);
            let active = recent.filter_map(|recent| self.active(*recent, SourceKind::Camera));
            eligible.extend(
                active
                    .filter(|source| !shown.contains(&Some(*source)))
                    .take(legs.len()),
            );
        }
        let kept = |leg: u32| {
            let want = self.legs.get(leg).and_then(|leg| leg.want);
            want.filter(|want| eligible.contains(want))
        };
        let mut fresh = eligible
            .iter()
            .copied()
            .filter(|source| !legs.iter().any(|leg| kept(*leg) == Some(*source)));
        for leg in legs {
            wants.push((*leg, kept(*leg).or_else(|| fresh.next())));
        }
    }

    /// A participant's source, if it has live video.
    fn live(&self, who: ParticipantKey, kind: SourceKind) -> Option<u32> {
        let source = self.published(who, kind)?;
        let is_live = self
            .sources
            .get(source)
            .is_some_and(|source| !source.live_layers().is_empty());
        is_live.then_some(source)
    }

    /// A participant's source, if it delivers, be it haltingly: what is shown already is not taken
    /// away for that.
    fn active(&self, who: ParticipantKey, kind: SourceKind) -> Option<u32> {
        let source = self.published(who, kind)?;
        let is_active = self.sources.get(source).is_some_and(|s| s.is_active);
        is_active.then_some(source)
    }

    /// The layers of a source that exist.
    pub(super) fn keys_of(&self, source: u32) -> ArrayVec<LayerKey, { limits::ENCODINGS_MAX }> {
        let mut keys = ArrayVec::new();
        if let Some(found) = self.sources.get(source) {
            keys.extend(
                found
                    .layers()
                    .map(|(layer, _)| self.layer_key(source, layer)),
            );
        }
        keys
    }
}
