//! The state machine itself: its tables, its one door, and what can be read of it.
//!
//! A command is checked first and changes tables after: no path returns an error once something
//! has changed. All tables are ordered maps, so that the same commands give the same effects.

mod facts;
mod join;
mod mute;
mod participant;
#[cfg(test)]
mod properties;
mod rights;
mod stage;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use estrade_types::{
    CloseReason, MonoTime, ParticipantId, ParticipantKey, Permits, RoomId, SessionId, SourceKind,
    StageSeat,
};

use crate::{
    Actor, Command, Event, EventKind, HandView, ParticipantView, RoomError, RoomSettings,
    RoomState, RoomView, StageFilter,
};
use participant::Participant;
use standing::{Cooldown, Standings};

/// What the directory must do after a command was applied, in order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Tell the shard a participant's seat and permits; the command is acknowledged after the shard
    /// has.
    SetParticipant {
        /// Media name.
        key: ParticipantKey,
        /// Seat.
        seat: Option<StageSeat>,
        /// Permits.
        permits: Permits,
    },
    /// Tell the shard that a participant is gone.
    RemoveParticipant {
        /// Media name.
        key: ParticipantKey,
        /// Why.
        reason: CloseReason,
    },
    /// Close one session: its transport and its client link.
    CloseSession {
        /// Which.
        session: SessionId,
        /// Why.
        reason: CloseReason,
    },
    /// Tell the shard the spotlight.
    SetSpotlight {
        /// In order.
        keys: Vec<ParticipantKey>,
    },
    /// Record and publish an event.
    Publish(Event),
    /// The room is over: close it everywhere.
    CloseRoom {
        /// Why.
        reason: CloseReason,
    },
}

/// What a command that was applied left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Number of the latest event: the caller's change is in the room's state from here on.
    pub revision: u64,
}

/// One room.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    id: RoomId,
    settings: RoomSettings,
    state: RoomState,
    created_unix_ms: u64,
    /// Number of the latest event.
    revision: u64,
    people: BTreeMap<ParticipantId, Participant>,
    by_session: BTreeMap<SessionId, ParticipantId>,
    by_key: BTreeMap<ParticipantKey, ParticipantId>,
    /// Taken seats, held ones included, by seating order.
    stage: BTreeMap<u64, ParticipantId>,
    /// Raised hands by order of raising.
    hands: BTreeMap<u64, ParticipantId>,
    /// Open invitations by expiry.
    invites: BTreeSet<(MonoTime, ParticipantId)>,
    /// Held seats by the end of their grace.
    held: BTreeSet<(MonoTime, ParticipantId)>,
    standings: Standings,
    raises: Cooldown,
    host: Option<ParticipantId>,
    spotlight: Vec<ParticipantId>,
    active_speaker: Option<ParticipantId>,
    programme: Option<(ParticipantId, SourceKind)>,
    next_key: NonZeroU32,
    next_seat: u64,
    next_hand: u64,
    /// Since when nobody is in the room.
    empty_since: Option<MonoTime>,
}

/// One command's circumstances and output.
struct Turn<'a> {
    now: MonoTime,
    unix_ms: u64,
    actor: &'a Actor,
    effects: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    /// Wall time in seconds, as tokens count it.
    const fn unix_s(&self) -> u64 {
        self.unix_ms / 1_000
    }
}

impl Room {
    /// Creates a room, live at once; its first event is in `effects`.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(
        id: RoomId,
        settings: RoomSettings,
        now: MonoTime,
        unix_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<Self, RoomError> {
        settings.check()?;
        let mut room = Self {
            id,
            settings,
            state: RoomState::Live,
            created_unix_ms: unix_ms,
            revision: 0,
            people: BTreeMap::new(),
            by_session: BTreeMap::new(),
            by_key: BTreeMap::new(),
            stage: BTreeMap::new(),
            hands: BTreeMap::new(),
            invites: BTreeSet::new(),
            held: BTreeSet::new(),
            standings: Standings::default(),
            raises: Cooldown::default(),
            host: None,
            spotlight: Vec::new(),
            active_speaker: None,
            programme: None,
            next_key: NonZeroU32::MIN,
            next_seat: 1,
            next_hand: 1,
            empty_since: Some(now),
        };
        let actor = Actor::Server;
        let mut turn = Turn {
            now,
            unix_ms,
            actor: &actor,
            effects,
        };
        room.publish(&mut turn, EventKind::RoomCreated);
        Ok(room)
    }

    /// Applies one command: everything it names changes and is told in `effects`, or nothing does.
    ///
    /// # Errors
    ///
    /// Says why nothing was changed.
    pub fn apply(
        &mut self,
        now: MonoTime,
        unix_ms: u64,
        actor: &Actor,
        command: Command,
        effects: &mut Vec<Effect>,
    ) -> Result<Applied, RoomError> {
        if self.state == RoomState::Ended {
            return Err(RoomError::Ended);
        }
        if let Actor::Participant(id) = actor
            && !matches!(command, Command::Join(_))
            && !self.people.contains_key(id)
        {
            return Err(RoomError::UnknownParticipant);
        }
        let turn = &mut Turn {
            now,
            unix_ms,
            actor,
            effects,
        };
        match command {
            Command::Join(join) => self.join(turn, join),
            Command::Leave { session, reason } => self.leave(turn, session, reason),
            Command::Promote { participant, role } => self.promote(turn, &participant, role),
            Command::Demote { participant } => self.demote(turn, &participant),
            Command::Mute {
                participant,
                kind,
                lock,
            } => self.mute(turn, &participant, kind, lock),
            Command::Unlock { participant, kind } => self.unlock(turn, &participant, kind),
            Command::MuteAll { except, lock } => self.mute_all(turn, &except, lock),
            Command::SelfMute { kind, muted } => self.self_mute(turn, kind, muted),
            Command::RequestUnmute { participant } => self.request_unmute(turn, &participant),
            Command::Remove { participant } => self.remove(turn, &participant),
            Command::RaiseHand => self.raise_hand(turn),
            Command::LowerHand => self.lower_hand(turn),
            Command::ApproveHand { participant } => self.approve_hand(turn, &participant),
            Command::RejectHand { participant } => self.reject_hand(turn, &participant),
            Command::Invite { participant } => self.invite(turn, &participant),
            Command::CancelInvite { participant } => self.cancel_invite(turn, &participant),
            Command::AcceptInvite => self.accept_invite(turn),
            Command::DeclineInvite => self.decline_invite(turn),
            Command::Spotlight { participants } => self.set_spotlight(turn, participants),
            Command::End { reason } => self.end(turn, reason),
            Command::Tick => {
                self.tick(turn);
                Ok(())
            }
            fact @ (Command::Connected { .. }
            | Command::SourceActive { .. }
            | Command::ActiveSpeaker { .. }
            | Command::Programme { .. }) => self.fact(turn, fact),
        }?;
        Ok(Applied {
            revision: self.revision,
        })
    }

    /// When [`Command::Tick`] has something to do next.
    pub fn next_deadline(&self) -> Option<MonoTime> {
        if self.state == RoomState::Ended {
            return None;
        }
        let empty = self
            .empty_since
            .map(|since| since.plus(self.settings.empty_timeout));
        let invite = self.invites.first().map(|(at, _)| *at);
        let held = self.held.first().map(|(at, _)| *at);
        [empty, invite, held].into_iter().flatten().min()
    }

    /// The room as it stands. Costs what stage and hands cost, not what the audience does.
    pub fn view(&self) -> RoomView {
        RoomView {
            id: self.id.clone(),
            state: self.state,
            settings: self.settings.clone(),
            created_unix_ms: self.created_unix_ms,
            revision: self.revision,
            stage: self
                .stage
                .values()
                .filter_map(|id| self.participant(id))
                .collect(),
            audience_count: self.audience_count(),
            hands: self
                .hands
                .iter()
                .map(|(order, id)| HandView {
                    participant: id.clone(),
                    order: *order,
                })
                .collect(),
            active_speaker: self.active_speaker.clone(),
            programme: self.programme.clone(),
            spotlight: self.spotlight.clone(),
        }
    }

    /// One participant.
    pub fn participant(&self, id: &ParticipantId) -> Option<ParticipantView> {
        self.people.get(id).map(|person| person.view(id))
    }

    /// Participants in order of identity, those after `after`, at most `count`; and whether there
    /// are more.
    pub fn page(
        &self,
        filter: StageFilter,
        after: Option<&ParticipantId>,
        count: usize,
    ) -> (Vec<ParticipantView>, bool) {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let takes = |person: &Participant| match filter {
            StageFilter::All => true,
            StageFilter::Stage => person.is_on_stage(),
            StageFilter::Audience => !person.is_on_stage(),
        };
        let mut views = Vec::new();
        let mut rest = Vec::new();
        if filter == StageFilter::Stage {
            let mut stage: Vec<&ParticipantId> = self.stage.values().collect();
            stage.sort();
            rest.extend(stage.into_iter().filter(|id| after.is_none_or(|a| *id > a)));
        } else {
            let people = self.people.range::<ParticipantId, _>((from, Unbounded));
            let more = people.filter(|(_, person)| takes(person)).map(|(id, _)| id);
            rest.extend(more.take(count.saturating_add(1)));
        }
        views.extend(
            rest.iter()
                .take(count)
                .filter_map(|id| self.participant(id)),
        );
        (views, rest.len() > count)
    }

    /// The id.
    pub const fn id(&self) -> &RoomId {
        &self.id
    }

    /// The settings.
    pub const fn settings(&self) -> &RoomSettings {
        &self.settings
    }

    /// Number of the latest event.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether the room is over.
    pub fn is_ended(&self) -> bool {
        self.state == RoomState::Ended
    }

    /// How many are in the room, held seats included.
    pub fn participant_count(&self) -> u32 {
        u32::try_from(self.people.len()).unwrap_or(u32::MAX)
    }

    /// How many are on stage, held seats included.
    pub fn stage_count(&self) -> u32 {
        u32::try_from(self.stage.len()).unwrap_or(u32::MAX)
    }

    /// How many are in the audience.
    pub fn audience_count(&self) -> u32 {
        self.participant_count().saturating_sub(self.stage_count())
    }

    /// The media plane's name for a participant.
    pub fn key_of(&self, id: &ParticipantId) -> Option<ParticipantKey> {
        self.people.get(id).map(|person| person.key)
    }

    /// Who the media plane means by a name.
    pub fn id_of(&self, key: ParticipantKey) -> Option<&ParticipantId> {
        self.by_key.get(&key)
    }

    /// The present session of a participant; `None` while its seat is held.
    pub fn session_of(&self, id: &ParticipantId) -> Option<SessionId> {
        self.people.get(id).and_then(|person| person.session)
    }

    /// Numbers an event and tells it.
    fn publish(&mut self, turn: &mut Turn<'_>, kind: EventKind) {
        self.revision += 1;
        turn.effects.push(Effect::Publish(Event {
            number: self.revision,
            at: turn.now,
            unix_ms: turn.unix_ms,
            actor: turn.actor.clone(),
            kind,
        }));
    }

    /// Tells the shard a participant's seat and permits, if they are not what it was told last.
    /// The one place where permits are worked out into an effect.
    fn sync(&mut self, turn: &mut Turn<'_>, id: &ParticipantId) {
        let Some(person) = self.people.get_mut(id) else {
            return;
        };
        let (seat, permits) = (person.seat(), person.permits());
        if person.told == Some((seat, permits)) {
            return;
        }
        person.told = Some((seat, permits));
        turn.effects.push(Effect::SetParticipant {
            key: person.key,
            seat,
            permits,
        });
    }

    /// Tells the shard again what it was told last about a participant: a command that is repeated
    /// changes nothing here, and yet its first telling may not have been applied there.
    pub fn retell(&self, id: &ParticipantId) -> Option<Effect> {
        let person = self.people.get(id)?;
        let (seat, permits) = person.told?;
        Some(Effect::SetParticipant {
            key: person.key,
            seat,
            permits,
        })
    }

    fn person(&self, id: &ParticipantId) -> Result<&Participant, RoomError> {
        self.people.get(id).ok_or(RoomError::UnknownParticipant)
    }
}
