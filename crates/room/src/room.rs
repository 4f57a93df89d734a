//! The state machine itself.

use estrade_types::{
    CloseReason, MonoTime, ParticipantId, ParticipantKey, Permits, RoomId, SessionId, StageSeat,
};

use crate::{Actor, Command, Event, ParticipantView, RoomError, RoomSettings, RoomView};

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
#[derive(Debug)]
pub struct Room {
    id: RoomId,
    settings: RoomSettings,
}

impl Room {
    /// Creates a room, live at once.
    pub fn new(id: RoomId, settings: RoomSettings, unix_ms: u64) -> Self {
        let _ = unix_ms;
        Self { id, settings }
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
        let _ = (now, unix_ms, actor, command, effects);
        Err(RoomError::Ended)
    }

    /// When [`Command::Tick`] has something to do next.
    pub fn next_deadline(&self) -> Option<MonoTime> {
        None
    }

    /// The room as it stands.
    pub fn view(&self) -> RoomView {
        RoomView {
            id: self.id.clone(),
            state: crate::RoomState::Live,
            settings: self.settings.clone(),
            created_unix_ms: 0,
            revision: 0,
            stage: Vec::new(),
            audience_count: 0,
            hands: Vec::new(),
            active_speaker: None,
            programme: None,
            spotlight: Vec::new(),
        }
    }

    /// One participant.
    pub fn participant(&self, id: &ParticipantId) -> Option<ParticipantView> {
        let _ = id;
        None
    }
}
