//! Mutes and locks. `product.md` §4.3: the server never opens a microphone or a camera.

use std::time::Duration;

use estrade_types::{ParticipantId, Role};

use super::rights::Act;
use super::{Room, Turn};
use crate::{Actor, EventKind, MuteKind, RoomError};

/// Shortest time between two requests to unmute one participant.
const UNMUTE_REQUEST_INTERVAL: Duration = Duration::from_secs(10);

impl Room {
    pub(super) fn mute(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
        kind: MuteKind,
        lock: bool,
    ) -> Result<(), RoomError> {
        self.check_mute(turn, target)?;
        self.mute_one(turn, target, kind, lock);
        Ok(())
    }

    pub(super) fn unlock(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
        kind: MuteKind,
    ) -> Result<(), RoomError> {
        let role = self.person(target)?.role;
        self.check_right(turn, Act::Mute, Some(role))?;
        self.remember_lock(target, kind, false);
        if let Some(person) = self.people.get_mut(target)
            && person.mutes(kind).locked
        {
            person.mutes_mut(kind).locked = false;
            self.tell_mutes(turn, target, kind);
        }
        Ok(())
    }

    /// Mutes the microphones of everybody on stage, but not of the actor, of excepted roles, and
    /// of those whom the actor may not mute.
    pub(super) fn mute_all(
        &mut self,
        turn: &mut Turn<'_>,
        except: &[Role],
        lock: bool,
    ) -> Result<(), RoomError> {
        self.check_right(turn, Act::Mute, None)?;
        let targets: Vec<ParticipantId> = self
            .stage
            .values()
            .filter(|id| !matches!(turn.actor, Actor::Participant(actor) if actor == *id))
            .filter(|id| {
                self.people.get(*id).is_some_and(|person| {
                    !except.contains(&person.role)
                        && self.check_right(turn, Act::Mute, Some(person.role)).is_ok()
                })
            })
            .cloned()
            .collect();
        for target in targets {
            self.mute_one(turn, &target, MuteKind::Audio, lock);
        }
        Ok(())
    }

    /// The owner's own tap: it also undoes a moderator's mute, unless locked.
    pub(super) fn self_mute(
        &mut self,
        turn: &mut Turn<'_>,
        kind: MuteKind,
        muted: bool,
    ) -> Result<(), RoomError> {
        let id = Self::acting_participant(turn, "mute itself")?;
        let person = self.person(&id)?;
        if !person.is_on_stage() {
            return Err(RoomError::WrongState { needs: "on stage" });
        }
        let before = person.mutes(kind);
        if !muted && before.locked {
            return Err(RoomError::Locked);
        }
        let mut after = before;
        after.self_muted = muted;
        after.server_muted &= muted;
        if after != before
            && let Some(person) = self.people.get_mut(&id)
        {
            *person.mutes_mut(kind) = after;
            self.sync(turn, &id);
            self.tell_mutes(turn, &id, kind);
        }
        Ok(())
    }

    pub(super) fn request_unmute(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
    ) -> Result<(), RoomError> {
        self.check_mute(turn, target)?;
        let person = self.person(target)?;
        if !person.audio.is_muted() && !person.video.is_muted() {
            return Err(RoomError::WrongState { needs: "muted" });
        }
        if let Some(asked) = person.asked_to_unmute
            && turn.now < asked.plus(UNMUTE_REQUEST_INTERVAL)
        {
            return Err(RoomError::TooSoon {
                retry_after: asked.plus(UNMUTE_REQUEST_INTERVAL).since(turn.now),
            });
        }
        if let Some(person) = self.people.get_mut(target) {
            person.asked_to_unmute = Some(turn.now);
        }
        let requested = EventKind::UnmuteRequested {
            participant: target.clone(),
        };
        self.publish(turn, requested);
        Ok(())
    }

    /// Mutes from the server's side; no event when nothing changes.
    pub(super) fn mute_one(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
        kind: MuteKind,
        lock: bool,
    ) {
        let Some(person) = self.people.get_mut(target) else {
            return;
        };
        let mutes = person.mutes_mut(kind);
        let before = *mutes;
        mutes.server_muted = true;
        mutes.locked |= lock;
        if *mutes == before {
            return;
        }
        if lock {
            self.remember_lock(target, kind, true);
        }
        self.sync(turn, target);
        self.tell_mutes(turn, target, kind);
    }

    pub(super) fn tell_mutes(&mut self, turn: &mut Turn<'_>, id: &ParticipantId, kind: MuteKind) {
        let Some(mutes) = self.people.get(id).map(|person| person.mutes(kind)) else {
            return;
        };
        let changed = EventKind::MuteChanged {
            participant: id.clone(),
            kind,
            self_muted: mutes.self_muted,
            server_muted: mutes.server_muted,
            locked: mutes.locked,
        };
        self.publish(turn, changed);
    }

    fn check_mute(&self, turn: &Turn<'_>, target: &ParticipantId) -> Result<(), RoomError> {
        let person = self.person(target)?;
        self.check_right(turn, Act::Mute, Some(person.role))?;
        if person.is_on_stage() {
            Ok(())
        } else {
            Err(RoomError::WrongState { needs: "on stage" })
        }
    }

    /// A lock outlives its target's session: leaving and coming in again does not lift it.
    fn remember_lock(&mut self, target: &ParticipantId, kind: MuteKind, is_locked: bool) {
        self.standings.change(target, |standing| match kind {
            MuteKind::Audio => standing.is_audio_locked = is_locked,
            MuteKind::Video => standing.is_video_locked = is_locked,
        });
    }
}
