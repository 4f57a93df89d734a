//! Commands of control: checked whole, then applied whole.
//!
//! What is refused has changed nothing. What returned is in force: the thread reads the next
//! datagram only afterwards, and what was sealed before leaves within the turn.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use estrade_router::{AddSession, RouterConfig, RouterError};
use estrade_transport::{Transport, TransportConfig, UfragPlace, local_credentials};
use estrade_types::limits::{
    PARTICIPANTS_PER_ROOM_MAX, RX_SECTIONS_MAX, SPOTLIGHTS_MAX, TX_SECTIONS_MAX,
};
use estrade_types::{
    CNAME, CommandOutcome, CommandRefused, IceCredentials, MediaRoomSettings, MonoTime,
    OpenSession, ParticipantKey, Permits, RoomKey, SessionId, ShardCommand, SlotId, StageSeat,
};

use super::Engine;
use super::legs::Legs;
use super::room::Room;
use super::session::Session;
use crate::DatagramSink;
use crate::table::Slot;
use crate::timers::{Scheduled, TimerOwner};

type Outcome = Result<CommandOutcome, CommandRefused>;

impl Engine {
    /// Applies a command, or says why not.
    pub(super) fn run_command(
        &mut self,
        now: MonoTime,
        command: ShardCommand,
        sink: &mut impl DatagramSink,
    ) -> Outcome {
        if self.is_closing {
            return Err(CommandRefused::Closing);
        }
        match command {
            ShardCommand::SetRoom { room, settings } => self.set_room(now, room, settings, sink),
            ShardCommand::CloseRoom { room, reason } => {
                let slot = self.room_slot(room)?;
                self.close_room(now, slot, reason, sink);
                Ok(CommandOutcome::Done)
            }
            ShardCommand::SetParticipant {
                room,
                participant,
                seat,
                permits,
            } => self.set_participant(now, room, participant, seat, permits, sink),
            ShardCommand::RemoveParticipant {
                room,
                participant,
                reason,
            } => {
                let slot = self.room_slot(room)?;
                self.require_participants(slot, &[participant])?;
                self.remove_participant(now, slot, participant, reason, sink);
                Ok(CommandOutcome::Done)
            }
            ShardCommand::OpenSession(open) => self.open_session(now, &open),
            ShardCommand::RestartIce {
                session,
                remote_ice,
            } => self.restart_ice(session, &remote_ice),
            ShardCommand::CloseSession { session, reason } => {
                let slot = self.session_slot(session)?;
                self.close_session(now, slot, reason, sink);
                Ok(CommandOutcome::Done)
            }
            ShardCommand::SetVideoWanted { session, wanted } => {
                self.on_streams(now, session, sink, |room, streams, legs| {
                    room.router.set_video_wanted(now, streams, wanted, legs)
                })
            }
            ShardCommand::SetPin {
                session,
                participant,
            } => self.set_pin(now, session, participant, sink),
            ShardCommand::SetSpotlight { room, participants } => {
                self.set_spotlight(now, room, &participants, sink)
            }
            _ => Err(CommandRefused::Invalid),
        }
    }

    fn set_room(
        &mut self,
        now: MonoTime,
        key: RoomKey,
        settings: MediaRoomSettings,
        sink: &mut impl DatagramSink,
    ) -> Outcome {
        check_settings(&settings)?;
        if let Ok(slot) = self.room_slot(key) {
            if let Some(room) = self.rooms.get_mut(slot) {
                room.set_settings(now, settings);
            }
            self.settle_room(now, slot, sink);
            return Ok(CommandOutcome::Done);
        }
        let config = RouterConfig {
            audio_slots: settings.audio_slots,
            wall_clock: self.config.wall_clock,
            cname: CNAME.to_owned(),
        };
        let hash = self.random.hash_key();
        let made = self.rooms.insert_with(|_| {
            Ok::<_, CommandRefused>(Room::new(now, key, settings, config, hash))
        })?;
        let slot = made.ok_or(CommandRefused::Full)?;
        self.rooms_by_key.insert(key, slot);
        self.settle_room(now, slot, sink);
        Ok(CommandOutcome::Done)
    }

    fn set_participant(
        &mut self,
        now: MonoTime,
        key: RoomKey,
        who: ParticipantKey,
        seat: Option<StageSeat>,
        permits: Permits,
        sink: &mut impl DatagramSink,
    ) -> Outcome {
        let slot = self.room_slot(key)?;
        let room = self
            .rooms
            .get_mut(slot)
            .ok_or(CommandRefused::UnknownRoom)?;
        let is_new = !room.participants.contains_key(&who);
        let has_no_place = is_new && room.participants.len() >= PARTICIPANTS_PER_ROOM_MAX;
        if has_no_place || (seat.is_some() && room.stage_is_full_for(who)) {
            return Err(CommandRefused::Full);
        }
        self.current.room = Some(slot);
        room.set_participant(now, who, seat, permits);
        self.settle_room(now, slot, sink);
        Ok(CommandOutcome::Done)
    }

    fn open_session(&mut self, now: MonoTime, open: &OpenSession) -> Outcome {
        let room_slot = self.room_slot(open.room)?;
        self.require_participants(room_slot, &[open.participant])?;
        if open.rx.len() > RX_SECTIONS_MAX || open.tx.len() > TX_SECTIONS_MAX {
            return Err(CommandRefused::Full);
        }
        let Entry::Vacant(by_id) = self.sessions_by_id.entry(open.session) else {
            return Err(CommandRefused::Invalid);
        };
        let random = self.random.bytes();
        let shard = self.config.index;
        let mut local_ice = None;
        let made = self.sessions.insert_with(|slot| {
            let local = local_credentials(place_of(shard, slot), random);
            local_ice = Some(local.clone());
            let config = TransportConfig {
                local_ice: local,
                remote_ice: open.remote_ice.clone(),
                fingerprints: open.fingerprints.clone(),
                certificate: Arc::clone(&self.config.certificate),
                epoch: self.config.epoch,
            };
            let transport = Transport::new(config, now);
            Ok::<_, CommandRefused>(Session {
                id: open.session,
                room: room_slot,
                participant: open.participant,
                transport: transport.map_err(|_| CommandRefused::Invalid)?,
                streams: None,
                is_connected: false,
                scheduled: Scheduled::default(),
                addrs: Vec::new(),
            })
        })?;
        let (Some(slot), Some(local_ice)) = (made, local_ice) else {
            return Err(CommandRefused::Full);
        };
        self.current.session = Some(slot);
        let room = self.rooms.get_mut(room_slot);
        let room = room.ok_or(CommandRefused::UnknownRoom)?;
        let added = room.router.add_session(
            now,
            AddSession {
                session: open.session,
                slot: slot.index,
                participant: open.participant,
                rx: &open.rx,
                tx: &open.tx,
                seed: u64::from_ne_bytes(self.random.bytes()),
                tells_slots: wants_slots(open),
            },
        );
        let streams = match added {
            Ok(streams) => streams,
            Err(error) => {
                self.sessions.remove(slot);
                return Err(refused(error));
            }
        };
        by_id.insert(slot);
        if let Some(participant) = room.participants.get_mut(&open.participant) {
            participant.sessions.push(slot);
        }
        if let Some(session) = self.sessions.get_mut(slot) {
            session.streams = Some(streams);
            let deadline = session.transport.next_deadline();
            let owner = TimerOwner::Session(slot);
            self.timers
                .schedule(owner, &mut session.scheduled, deadline);
        }
        Ok(CommandOutcome::SessionOpened { local_ice })
    }

    fn restart_ice(&mut self, session: SessionId, remote: &IceCredentials) -> Outcome {
        let slot = self.session_slot(session)?;
        let local = local_credentials(place_of(self.config.index, slot), self.random.bytes());
        let session = self.sessions.get_mut(slot);
        let session = session.ok_or(CommandRefused::UnknownSession)?;
        session.transport.restart_ice(remote, &local);
        Ok(CommandOutcome::SessionOpened { local_ice: local })
    }

    fn set_pin(
        &mut self,
        now: MonoTime,
        session: SessionId,
        whom: Option<ParticipantKey>,
        sink: &mut impl DatagramSink,
    ) -> Outcome {
        let slot = self.session_slot(session)?;
        let room = self.sessions.get(slot).map(|session| session.room);
        let room = room.ok_or(CommandRefused::UnknownSession)?;
        self.require_participants(room, whom.as_slice())?;
        self.on_streams(now, session, sink, |room, streams, legs| {
            room.router.set_pin(now, streams, whom, legs)
        })
    }

    fn set_spotlight(
        &mut self,
        now: MonoTime,
        key: RoomKey,
        whom: &[ParticipantKey],
        sink: &mut impl DatagramSink,
    ) -> Outcome {
        let slot = self.room_slot(key)?;
        if whom.len() > SPOTLIGHTS_MAX {
            return Err(CommandRefused::Full);
        }
        self.require_participants(slot, whom)?;
        let room = self
            .rooms
            .get_mut(slot)
            .ok_or(CommandRefused::UnknownRoom)?;
        if !room.set_spotlight(now, whom) {
            return Err(CommandRefused::Full);
        }
        self.settle_room(now, slot, sink);
        Ok(CommandOutcome::Done)
    }

    /// Runs `act` on a session's streams and then the room's wires.
    fn on_streams<S: DatagramSink>(
        &mut self,
        now: MonoTime,
        session: SessionId,
        sink: &mut S,
        act: impl FnOnce(
            &mut Room,
            estrade_router::RouterSession,
            &mut Legs<'_, S>,
        ) -> Result<(), RouterError>,
    ) -> Outcome {
        let slot = self.session_slot(session)?;
        let session = self
            .sessions
            .get(slot)
            .ok_or(CommandRefused::UnknownSession)?;
        let (room_slot, streams) = (session.room, session.streams);
        let room = self.rooms.get_mut(room_slot);
        let (Some(room), Some(streams)) = (room, streams) else {
            return Err(CommandRefused::UnknownSession);
        };
        self.current.session = Some(slot);
        let mut legs = Legs::new(&mut self.sessions, sink, &mut self.tally);
        act(room, streams, &mut legs).map_err(refused)?;
        self.settle_room(now, room_slot, sink);
        Ok(CommandOutcome::Done)
    }

    /// Runs a room's wires and schedules its next call.
    pub(super) fn settle_room(&mut self, now: MonoTime, slot: Slot, sink: &mut impl DatagramSink) {
        if let Some(room) = self.rooms.get_mut(slot) {
            let mut legs = Legs::new(&mut self.sessions, sink, &mut self.tally);
            room.settle(now, &mut legs, &mut self.outbox);
        }
        self.schedule_room(slot);
    }

    fn room_slot(&self, key: RoomKey) -> Result<Slot, CommandRefused> {
        let slot = self.rooms_by_key.get(&key).copied();
        slot.ok_or(CommandRefused::UnknownRoom)
    }

    fn session_slot(&self, id: SessionId) -> Result<Slot, CommandRefused> {
        let slot = self.sessions_by_id.get(&id).copied();
        slot.ok_or(CommandRefused::UnknownSession)
    }

    fn require_participants(
        &self,
        room: Slot,
        whom: &[ParticipantKey],
    ) -> Result<(), CommandRefused> {
        let room = self.rooms.get(room).ok_or(CommandRefused::UnknownRoom)?;
        if whom.iter().all(|who| room.participants.contains_key(who)) {
            Ok(())
        } else {
            Err(CommandRefused::UnknownParticipant)
        }
    }
}

const fn place_of(shard: estrade_types::ShardIndex, slot: Slot) -> UfragPlace {
    UfragPlace {
        shard,
        slot: slot.index,
        generation: slot.generation,
    }
}

/// Whether somebody is there to be told what a slot carries: a plain player has one slot of each
/// kind and no door for messages.
fn wants_slots(open: &OpenSession) -> bool {
    let is_plain = |slot| matches!(slot, SlotId::Audio(0) | SlotId::Main);
    !open.rx.is_empty() || !open.tx.iter().all(|tx| is_plain(tx.slot))
}

fn check_settings(settings: &MediaRoomSettings) -> Result<(), CommandRefused> {
    let dwell_is_right =
        (Duration::from_secs(1)..=Duration::from_secs(5)).contains(&settings.min_dwell);
    if (1..=5).contains(&settings.audio_slots) && dwell_is_right {
        Ok(())
    } else {
        Err(CommandRefused::Invalid)
    }
}

const fn refused(error: RouterError) -> CommandRefused {
    match error {
        RouterError::UnknownParticipant => CommandRefused::UnknownParticipant,
        RouterError::UnknownSession => CommandRefused::UnknownSession,
        RouterError::Full => CommandRefused::Full,
        _ => CommandRefused::Invalid,
    }
}
