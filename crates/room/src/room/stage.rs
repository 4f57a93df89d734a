//! Hands, invitations, promotion, demotion, the spotlight. `product.md` §4.2.
//!
//! A raised hand is consent, an invitation needs acceptance: only the app puts somebody on stage
//! who did neither, and then without sound and picture until the person opens them.

use estrade_types::{ParticipantId, Role, limits};

use super::participant::Place;
use super::rights::Act;
use super::{Effect, Room, Turn};
use crate::{Actor, EventKind, HandClosed, HandPolicy, MuteKind, RoomError, StageLeft};

const NEEDS_HAND: RoomError = RoomError::WrongState {
    needs: "in the audience with a raised hand",
};
const NEEDS_INVITATION: RoomError = RoomError::WrongState {
    needs: "in the audience with an open invitation",
};

impl Room {
    pub(super) fn raise_hand(&mut self, turn: &mut Turn<'_>) -> Result<(), RoomError> {
        let id = Self::acting_participant(turn, "raise a hand")?;
        match self.person(&id)?.place {
            Place::Audience => {}
            Place::Requested { .. } => return Ok(()),
            _ => {
                return Err(RoomError::WrongState {
                    needs: "in the audience without an invitation",
                });
            }
        }
        if self.settings.hand_policy == HandPolicy::Off {
            return Err(RoomError::HandsOff);
        }
        if self.hands.len() >= limits::HANDS_MAX {
            return Err(RoomError::HandsFull);
        }
        let interval = self.settings.hand_interval;
        if let Some(retry_after) = self.raises.wait(turn.now, &id, interval) {
            return Err(RoomError::TooSoon { retry_after });
        }
        self.raises.note(turn.now, &id, interval);
        let order = self.next_hand;
        self.next_hand += 1;
        self.hands.insert(order, id.clone());
        if let Some(person) = self.people.get_mut(&id) {
            person.place = Place::Requested { order };
        }
        let raised = EventKind::HandRaised {
            participant: id,
            order,
        };
        self.publish(turn, raised);
        Ok(())
    }

    pub(super) fn lower_hand(&mut self, turn: &mut Turn<'_>) -> Result<(), RoomError> {
        let id = Self::acting_participant(turn, "lower a hand")?;
        self.check_requested(&id)?;
        self.close_hand(turn, &id, HandClosed::Lowered);
        Ok(())
    }

    /// Two moderators may approve the same hand: the second gets the same answer.
    pub(super) fn approve_hand(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
    ) -> Result<(), RoomError> {
        self.check_right(turn, Act::Admit, None)?;
        if self.person(target)?.is_on_stage() {
            return Ok(());
        }
        self.check_requested(target)?;
        self.check_stage_has_room()?;
        self.close_hand(turn, target, HandClosed::Approved);
        self.seat(turn, target, Role::Speaker);
        Ok(())
    }

    pub(super) fn reject_hand(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
    ) -> Result<(), RoomError> {
        self.check_right(turn, Act::Admit, None)?;
        self.check_requested(target)?;
        self.close_hand(turn, target, HandClosed::Rejected);
        Ok(())
    }

    pub(super) fn invite(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
    ) -> Result<(), RoomError> {
        self.check_right(turn, Act::Admit, None)?;
        let person = self.person(target)?;
        match person.place {
            Place::Audience if person.link == estrade_types::LinkKind::WebSocket => {}
            Place::Invited { .. } => return Ok(()),
            _ => {
                return Err(RoomError::WrongState {
                    needs: "in the audience, interactive and without a raised hand",
                });
            }
        }
        let until = turn.now.plus(self.settings.invite_ttl);
        self.invites.insert((until, target.clone()));
        if let Some(person) = self.people.get_mut(target) {
            person.place = Place::Invited { until };
        }
        let invited = EventKind::StageInvited {
            participant: target.clone(),
        };
        self.publish(turn, invited);
        Ok(())
    }

    pub(super) fn cancel_invite(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
    ) -> Result<(), RoomError> {
        self.check_right(turn, Act::Admit, None)?;
        self.check_invited(turn, target)?;
        self.close_invite(turn, target, false);
        Ok(())
    }

    pub(super) fn accept_invite(&mut self, turn: &mut Turn<'_>) -> Result<(), RoomError> {
        let id = Self::acting_participant(turn, "accept an invitation")?;
        self.check_invited(turn, &id)?;
        self.check_stage_has_room()?;
        self.close_invite(turn, &id, true);
        self.seat(turn, &id, Role::Speaker);
        Ok(())
    }

    pub(super) fn decline_invite(&mut self, turn: &mut Turn<'_>) -> Result<(), RoomError> {
        let id = Self::acting_participant(turn, "decline an invitation")?;
        self.check_invited(turn, &id)?;
        self.close_invite(turn, &id, false);
        Ok(())
    }

    pub(super) fn promote(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
        role: Role,
    ) -> Result<(), RoomError> {
        if !matches!(role, Role::Cohost | Role::Speaker) {
            return Err(RoomError::InvalidField {
                field: "role",
                allowed: "cohost or speaker",
            });
        }
        let person = self.person(target)?;
        self.check_right(turn, Act::Admit, None)?;
        if role == Role::Cohost || person.role == Role::Cohost {
            self.check_right(turn, Act::AppointCohost, None)?;
        }
        if person.role == Role::Host {
            return Err(RoomError::WrongState {
                needs: "somebody other than the host",
            });
        }
        if person.is_on_stage() {
            if person.role < role {
                self.remember_lowered(turn, target, role);
            }
            if self.person(target)?.role != role {
                self.set_role(turn, target, role);
            }
            return Ok(());
        }
        let has_consented = matches!(person.place, Place::Requested { .. });
        if !has_consented && matches!(turn.actor, Actor::Participant(_)) {
            return Err(RoomError::WrongState {
                needs: "in the audience with a raised hand, or else be invited",
            });
        }
        if person.link == estrade_types::LinkKind::Whep {
            return Err(RoomError::WrongState {
                needs: "connected so that it can publish",
            });
        }
        self.check_stage_has_room()?;
        if has_consented {
            self.close_hand(turn, target, HandClosed::Approved);
            self.seat(turn, target, role);
        } else {
            self.seat_silently(turn, target, role);
        }
        Ok(())
    }

    /// Seats somebody who did not ask for it: muted, so that only its own tap opens anything.
    fn seat_silently(&mut self, turn: &mut Turn<'_>, target: &ParticipantId, role: Role) {
        const KINDS: [MuteKind; 2] = [MuteKind::Audio, MuteKind::Video];
        if let Some(person) = self.people.get_mut(target) {
            // Before the seat, so that there is no moment in which it is open.
            for kind in KINDS {
                person.mutes_mut(kind).server_muted = true;
            }
        }
        self.seat(turn, target, role);
        for kind in KINDS {
            self.tell_mutes(turn, target, kind);
        }
    }

    /// Takes somebody off the stage; the actor itself steps down.
    pub(super) fn demote(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ParticipantId,
    ) -> Result<(), RoomError> {
        let person = self.person(target)?;
        let is_own = matches!(turn.actor, Actor::Participant(actor) if actor == target);
        if !is_own {
            self.check_right(turn, Act::Demote, Some(person.role))?;
        }
        match person.place {
            Place::OnStage { .. } => {}
            Place::Held { .. } if !is_own => {}
            _ => return Err(RoomError::WrongState { needs: "on stage" }),
        }
        if let Place::Held { reason, .. } = person.place {
            // There is no session to keep in the audience.
            self.remember_lowered(turn, target, Role::Listener);
            self.depart(turn, target, reason);
            return Ok(());
        }
        if is_own {
            self.give_up_seat(turn, target, StageLeft::SteppedDown);
        } else {
            self.remember_lowered(turn, target, Role::Listener);
            self.give_up_seat(turn, target, StageLeft::Demoted);
        }
        Ok(())
    }

    pub(super) fn set_spotlight(
        &mut self,
        turn: &mut Turn<'_>,
        participants: Vec<ParticipantId>,
    ) -> Result<(), RoomError> {
        self.check_right(turn, Act::Spotlight, None)?;
        let is_repeated = |(at, id): (usize, &ParticipantId)| {
            participants.iter().take(at).any(|other| other == id)
        };
        if participants.len() > limits::SPOTLIGHTS_MAX
            || participants.iter().enumerate().any(is_repeated)
        {
            return Err(RoomError::InvalidField {
                field: "participants",
                allowed: "at most 9, each once",
            });
        }
        for id in &participants {
            if !self.person(id)?.is_on_stage() {
                return Err(RoomError::WrongState { needs: "on stage" });
            }
        }
        if participants != self.spotlight {
            self.spotlight = participants;
            self.tell_spotlight(turn);
        }
        Ok(())
    }

    pub(super) fn check_stage_has_room(&self) -> Result<(), RoomError> {
        if self.stage.len() < usize::from(self.settings.max_stage) {
            return Ok(());
        }
        Err(RoomError::StageFull {
            max: self.settings.max_stage,
        })
    }

    /// Takes the next seat for somebody who comes in; the caller has checked that there is one.
    pub(super) fn take_seat(&mut self, id: &ParticipantId) -> Place {
        let order = self.next_seat;
        self.next_seat += 1;
        self.stage.insert(order, id.clone());
        Place::OnStage { order }
    }

    /// Seats somebody of the audience. The caller has checked that there is room; an open hand
    /// or invitation is closed here at the latest.
    pub(super) fn seat(&mut self, turn: &mut Turn<'_>, id: &ParticipantId, role: Role) {
        self.leave_place(turn, id, StageLeft::Gone);
        let place = self.take_seat(id);
        if let Some(person) = self.people.get_mut(id) {
            person.place = place;
        }
        self.standings
            .change(id, |standing| standing.lowered = None);
        self.set_role(turn, id, role);
        if let Some(view) = self.participant(id).map(Box::new) {
            let joined = EventKind::StageJoined {
                participant: id.clone(),
                role,
                view,
            };
            self.publish(turn, joined);
        }
    }

    pub(super) fn set_role(&mut self, turn: &mut Turn<'_>, id: &ParticipantId, role: Role) {
        if let Some(person) = self.people.get_mut(id) {
            person.role = role;
        }
        if role == Role::Host {
            self.host = Some(id.clone());
        } else if self.host.as_ref() == Some(id) {
            self.host = None;
        }
        self.sync(turn, id);
        let changed = EventKind::RoleChanged {
            participant: id.clone(),
            role,
        };
        self.publish(turn, changed);
    }

    /// Moves somebody from the stage to the audience.
    pub(super) fn give_up_seat(&mut self, turn: &mut Turn<'_>, id: &ParticipantId, how: StageLeft) {
        self.leave_place(turn, id, how);
        self.set_role(turn, id, Role::Listener);
    }

    /// Takes somebody from its place to the plain audience, whatever the place was. After it the
    /// caller sets the role or takes the person out.
    pub(super) fn leave_place(&mut self, turn: &mut Turn<'_>, id: &ParticipantId, how: StageLeft) {
        let Some(person) = self.people.get_mut(id) else {
            return;
        };
        match person.place {
            Place::Audience => {}
            Place::Requested { .. } => self.close_hand(turn, id, HandClosed::Lowered),
            Place::Invited { .. } => self.close_invite(turn, id, false),
            Place::OnStage { order } | Place::Held { order, .. } => {
                if let Place::Held { until, .. } = person.place {
                    self.held.remove(&(until, id.clone()));
                }
                person.place = Place::Audience;
                self.stage.remove(&order);
                if self.host.as_ref() == Some(id) {
                    self.host = None;
                }
                if self.spotlight.contains(id) {
                    self.spotlight.retain(|other| other != id);
                    self.tell_spotlight(turn);
                }
                // Before anybody is told, so that the media plane is never behind the word.
                self.sync(turn, id);
                let left = EventKind::StageLeft {
                    participant: id.clone(),
                    how,
                };
                self.publish(turn, left);
            }
        }
    }

    /// Closes an open invitation; nothing without one.
    pub(super) fn close_invite(&mut self, turn: &mut Turn<'_>, id: &ParticipantId, accepted: bool) {
        let Some(person) = self.people.get_mut(id) else {
            return;
        };
        let Place::Invited { until } = person.place else {
            return;
        };
        person.place = Place::Audience;
        self.invites.remove(&(until, id.clone()));
        let closed = EventKind::InviteClosed {
            participant: id.clone(),
            accepted,
        };
        self.publish(turn, closed);
    }

    fn close_hand(&mut self, turn: &mut Turn<'_>, id: &ParticipantId, how: HandClosed) {
        let Some(person) = self.people.get_mut(id) else {
            return;
        };
        let Place::Requested { order } = person.place else {
            return;
        };
        person.place = Place::Audience;
        self.hands.remove(&order);
        let lowered = EventKind::HandLowered {
            participant: id.clone(),
            how,
        };
        self.publish(turn, lowered);
    }

    fn check_requested(&self, id: &ParticipantId) -> Result<(), RoomError> {
        match self.person(id)?.place {
            Place::Requested { .. } => Ok(()),
            _ => Err(NEEDS_HAND),
        }
    }

    /// An invitation that is due is over, even before the timer has said so.
    fn check_invited(&self, turn: &Turn<'_>, id: &ParticipantId) -> Result<(), RoomError> {
        match self.person(id)?.place {
            Place::Invited { until } if turn.now < until => Ok(()),
            _ => Err(NEEDS_INVITATION),
        }
    }

    /// A token that was issued before does not undo it.
    fn remember_lowered(&mut self, turn: &Turn<'_>, id: &ParticipantId, role: Role) {
        let lowered = Some((turn.unix_s(), role));
        self.standings
            .change(id, |standing| standing.lowered = lowered);
    }

    fn tell_spotlight(&mut self, turn: &mut Turn<'_>) {
        let keys = self
            .spotlight
            .iter()
            .filter_map(|id| self.key_of(id))
            .collect();
        turn.effects.push(Effect::SetSpotlight { keys });
        let changed = EventKind::SpotlightChanged {
            participants: self.spotlight.clone(),
        };
        self.publish(turn, changed);
    }
}
