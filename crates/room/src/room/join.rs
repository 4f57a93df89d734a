//! Coming in, going out, and time: sessions, held seats, removal, the end.

use estrade_types::{CloseReason, LinkKind, ParticipantId, ParticipantKey, Role, SessionId};

use super::participant::{Mutes, Participant, Place};
use super::rights::Act;
use super::{Effect, Room, Turn};
use crate::{Actor, EventKind, JoinCommand, RoomError, RoomState, StageLeft};

impl Room {
    pub(super) fn join(&mut self, turn: &mut Turn<'_>, join: JoinCommand) -> Result<(), RoomError> {
        let id = join.admission.identity.clone();
        let may_join = match turn.actor {
            Actor::Participant(actor) => *actor == id,
            Actor::App | Actor::Server => true,
        };
        if !may_join {
            return Err(RoomError::NotAllowed {
                act: "bring somebody in",
            });
        }
        if self.standings.get(&id).revokes(join.admission.issued_at_s) {
            return Err(RoomError::TokenRevoked);
        }
        let role = self.admitted_role(&id, &join)?;
        self.check_seat(&id, role)?;
        match self.people.contains_key(&id) {
            true => self.come_back(turn, &id, join, role),
            false => self.come_in(turn, &id, join, role)?,
        }
        Ok(())
    }

    /// A session ended. With a connection that was lost, a seat on stage is kept for a while.
    pub(super) fn leave(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        reason: CloseReason,
    ) -> Result<(), RoomError> {
        let Some(id) = self.by_session.get(&session).cloned() else {
            return Ok(());
        };
        if matches!(turn.actor, Actor::Participant(actor) if *actor != id) {
            return Err(RoomError::NotAllowed {
                act: "end the session of another",
            });
        }
        let order = match self.people.get(&id).map(|person| person.place) {
            Some(Place::OnStage { order }) if is_lost(reason) => order,
            _ => {
                self.depart(turn, &id, reason);
                return Ok(());
            }
        };
        let until = turn.now.plus(self.settings.seat_grace);
        self.end_session(turn, &id, reason);
        if let Some(person) = self.people.get_mut(&id) {
            person.place = Place::Held {
                order,
                until,
                reason,
            };
        }
        self.held.insert((until, id.clone()));
        let lost = EventKind::ConnectionChanged {
            participant: id,
            is_connected: false,
        };
        self.publish(turn, lost);
        Ok(())
    }

    pub(super) fn remove(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
    ) -> Result<(), RoomError> {
        let role = self.person(target)?.role;
        self.check_right(turn, Act::Remove, Some(role))?;
        let removed_s = turn.unix_s();
        self.standings
            .change(target, |standing| standing.removed_s = Some(removed_s));
        self.depart(turn, target, CloseReason::Removed);
        Ok(())
    }

    pub(super) fn end(
        &mut self,
        turn: &mut Turn<'_>,
        reason: CloseReason,
    ) -> Result<(), RoomError> {
        self.check_right(turn, Act::End, None)?;
        self.state = RoomState::Ended;
        self.publish(turn, EventKind::RoomEnded { reason });
        turn.effects.push(Effect::CloseRoom { reason });
        Ok(())
    }

    /// Lets what is due at `turn.now` happen, in order of kind, then of time.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) {
        while let Some((until, id)) = self.invites.first().cloned()
            && until <= turn.now
        {
            self.close_invite(turn, &id, false);
        }
        while let Some((until, id)) = self.held.first().cloned()
            && until <= turn.now
        {
            let reason = match self.people.get(&id).map(|person| person.place) {
                Some(Place::Held { reason, .. }) => reason,
                _ => CloseReason::ConsentExpired,
            };
            self.depart(turn, &id, reason);
        }
        if let Some(since) = self.empty_since
            && since.plus(self.settings.empty_timeout) <= turn.now
        {
            let reason = CloseReason::RoomEnded;
            self.state = RoomState::Ended;
            self.publish(turn, EventKind::RoomEnded { reason });
            turn.effects.push(Effect::CloseRoom { reason });
        }
    }

    /// The role with which somebody comes in. Its token's, but: a player has no seat; what
    /// moderation decided after the token was issued stands; and who is in the room already keeps
    /// the role it has there, unless the token gives more.
    fn admitted_role(&self, id: &ParticipantId, join: &JoinCommand) -> Result<Role, RoomError> {
        if join.link == LinkKind::Whep {
            return Ok(Role::Listener);
        }
        let standing = self.standings.get(id);
        let claimed = standing.limited(join.admission.role, join.admission.issued_at_s);
        // Roles are ordered with the most powerful first.
        let role = self.people.get(id).map_or(claimed, |p| p.role.min(claimed));
        if join.link == LinkKind::Whip && !role.is_on_stage() {
            return Err(RoomError::NotAllowed { act: "publish" });
        }
        Ok(role)
    }

    fn check_seat(&self, id: &ParticipantId, role: Role) -> Result<(), RoomError> {
        let present = self.people.get(id);
        if present.is_none() && self.participant_count() >= self.settings.max_participants {
            return Err(RoomError::Full {
                max: self.settings.max_participants,
            });
        }
        if role == Role::Host && self.host.as_ref().is_some_and(|host| host != id) {
            return Err(RoomError::HostPresent);
        }
        if role.is_on_stage() && !present.is_some_and(Participant::is_on_stage) {
            self.check_stage_has_room()?;
        }
        Ok(())
    }

    fn come_in(
        &mut self,
        turn: &mut Turn<'_>,
        id: &ParticipantId,
        join: JoinCommand,
        role: Role,
    ) -> Result<(), RoomError> {
        let key = ParticipantKey(self.next_key);
        // Keys are never reused; a room that has seen four billion joins takes no more.
        self.next_key = self.next_key.checked_add(1).ok_or(RoomError::Full {
            max: self.settings.max_participants,
        })?;
        let standing = self.standings.get(id);
        let locked = |is_locked| Mutes {
            self_muted: false,
            server_muted: is_locked,
            locked: is_locked,
        };
        let place = if role.is_on_stage() {
            self.take_seat(id)
        } else {
            Place::Audience
        };
        if role == Role::Host {
            self.host = Some(id.clone());
        }
        let person = Participant {
            key,
            name: join.admission.name,
            attributes: join.admission.attributes,
            role,
            place,
            session: Some(join.session),
            link: join.link,
            is_connected: false,
            audio: locked(standing.is_audio_locked),
            video: locked(standing.is_video_locked),
            sources: std::collections::BTreeSet::new(),
            joined_unix_ms: turn.unix_ms,
            asked_to_unmute: None,
            told: None,
        };
        self.people.insert(id.clone(), person);
        self.by_key.insert(key, id.clone());
        self.by_session.insert(join.session, id.clone());
        self.empty_since = None;
        self.sync(turn, id);
        self.tell_joined(turn, id);
        Ok(())
    }

    /// The same identity again: its new session takes over place, mutes and spotlight.
    fn come_back(
        &mut self,
        turn: &mut Turn<'_>,
        id: &ParticipantId,
        join: JoinCommand,
        role: Role,
    ) {
        self.end_session(turn, id, CloseReason::Replaced);
        self.by_session.insert(join.session, id.clone());
        let Some(person) = self.people.get_mut(id) else {
            return;
        };
        person.name = join.admission.name;
        person.attributes = join.admission.attributes;
        person.link = join.link;
        person.session = Some(join.session);
        if let Place::Held { order, until, .. } = person.place {
            person.place = Place::OnStage { order };
            self.held.remove(&(until, id.clone()));
        }
        let (was, is_seated) = (person.role, person.is_on_stage());
        if is_seated && !role.is_on_stage() {
            self.give_up_seat(turn, id, StageLeft::SteppedDown);
        } else if !is_seated && role.is_on_stage() {
            self.seat(turn, id, role);
        } else if role != was {
            self.set_role(turn, id, role);
        }
        self.sync(turn, id);
        self.tell_joined(turn, id);
    }

    /// Closes the present session of `id`, if any, and what flowed over it.
    fn end_session(&mut self, turn: &mut Turn<'_>, id: &ParticipantId, reason: CloseReason) {
        let Some(person) = self.people.get_mut(id) else {
            return;
        };
        person.is_connected = false;
        let sources = std::mem::take(&mut person.sources);
        if let Some(session) = person.session.take() {
            self.by_session.remove(&session);
            turn.effects.push(Effect::CloseSession { session, reason });
        }
        for source in sources {
            let ceased = EventKind::SourceChanged {
                participant: id.clone(),
                source,
                is_active: false,
            };
            self.publish(turn, ceased);
        }
    }

    /// Takes somebody out of every table.
    pub(super) fn depart(&mut self, turn: &mut Turn<'_>, id: &ParticipantId, reason: CloseReason) {
        self.end_session(turn, id, reason);
        self.leave_place(turn, id, StageLeft::Gone);
        let Some(person) = self.people.remove(id) else {
            return;
        };
        self.by_key.remove(&person.key);
        if self.active_speaker.as_ref() == Some(id) {
            self.active_speaker = None;
        }
        if self
            .programme
            .as_ref()
            .is_some_and(|(owner, _)| owner == id)
        {
            self.programme = None;
        }
        if self.people.is_empty() {
            self.empty_since = Some(turn.now);
        }
        turn.effects.push(Effect::RemoveParticipant {
            key: person.key,
            reason,
        });
        let left = EventKind::ParticipantLeft {
            participant: id.clone(),
            reason,
        };
        self.publish(turn, left);
    }

    fn tell_joined(&mut self, turn: &mut Turn<'_>, id: &ParticipantId) {
        if let Some(participant) = self.participant(id) {
            self.publish(turn, EventKind::ParticipantJoined { participant });
        }
    }
}

/// Whether a session that ended so may come back to its seat.
const fn is_lost(reason: CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::ConsentExpired | CloseReason::ClosedByEndpoint | CloseReason::InternalError
    )
}
