//! The shard's sans-IO core: datagrams, commands and time in; datagrams, events and a deadline out.
//!
//! Fed by the thread ([`crate::spawn`]) or by a simulator; both drive it in turns:
//!
//! 1. [`Engine::apply`] for each command that waits,
//! 2. [`Engine::on_datagram`] for each datagram that arrived,
//! 3. [`Engine::on_timeout`] once, always,
//! 4. [`Engine::poll_event`] until `None`, and sleep until [`Engine::next_deadline`].
//!
//! It joins the transports (one per session) with the router, the detector and the director (one
//! each per room); none of these knows of another. A datagram is sorted by its first bytes
//! (RFC 7983, RFC 5761), its session found by address, or for STUN by the ufrag, which names shard
//! and slot. Nothing unauthenticated changes anything but a drop counter.
//!
//! *Invariants*: a command that is refused has changed nothing; its acknowledgement is queued after
//! everything it did; every table is bounded by [`estrade_types::limits`]; nothing is allocated per
//! media packet once the streams run.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use estrade_rtp::DatagramKind;
use estrade_transport::Certificate;
use estrade_types::limits::{
    DATAGRAM_BYTES_MAX, ROOMS_PER_SHARD_MAX, SESSIONS_PER_SHARD_MAX, TIMERS_PER_TURN_MAX,
};
use estrade_types::{
    CommandId, DropReason, MonoTime, RoomKey, SessionId, ShardCommand, ShardCounters, ShardEvent,
    ShardIndex, WallClock,
};

use crate::DatagramSink;
use crate::outbox::Outbox;
use crate::random::{KeyedHash, Random};
use crate::table::{Slot, Table};
use crate::timers::{TimerOwner, Timers};

mod close;
mod command;
mod counters;
mod handshake;
mod legs;
mod media;
mod room;
mod session;

use counters::Tally;
use handshake::DtlsQueue;
use room::Room;
use session::Session;

/// What an engine is told at its start.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Which shard it serves: part of every ufrag.
    pub index: ShardIndex,
    /// The server's certificate.
    pub certificate: Arc<Certificate>,
    /// Where all secrets come from: from the system's random source, or fixed in a simulation.
    pub seed: [u8; 32],
    /// The instant of [`MonoTime::ZERO`].
    pub epoch: Instant,
    /// Both clocks at one instant.
    pub wall_clock: WallClock,
}

/// One shard's sessions and rooms.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    sessions: Table<Session>,
    sessions_by_id: HashMap<SessionId, Slot, KeyedHash>,
    /// Validated addresses only; at most eight per session, as the transport bounds them.
    sessions_by_addr: HashMap<SocketAddr, Slot, KeyedHash>,
    rooms: Table<Room>,
    rooms_by_key: HashMap<RoomKey, Slot, KeyedHash>,
    timers: Timers,
    outbox: Outbox,
    dtls: DtlsQueue,
    random: Random,
    tally: Tally,
    is_closing: bool,
    /// Whose work is in progress, for [`Engine::on_panic`].
    current: Current,
}

/// What a panic would have to be blamed on.
#[derive(Clone, Copy, Debug, Default)]
struct Current {
    session: Option<Slot>,
    room: Option<Slot>,
}

impl Engine {
    /// An engine without sessions.
    pub fn new(config: EngineConfig) -> Self {
        let mut random = Random::new(config.seed);
        Self {
            sessions: Table::new(SESSIONS_PER_SHARD_MAX),
            sessions_by_id: HashMap::with_hasher(random.hash_key()),
            sessions_by_addr: HashMap::with_hasher(random.hash_key()),
            rooms: Table::new(ROOMS_PER_SHARD_MAX),
            rooms_by_key: HashMap::with_hasher(random.hash_key()),
            timers: Timers::default(),
            outbox: Outbox::default(),
            dtls: DtlsQueue::default(),
            random,
            tally: Tally::default(),
            is_closing: false,
            current: Current::default(),
            config,
        }
    }

    /// Takes one datagram, which is opened in place.
    pub fn on_datagram(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
        sink: &mut impl DatagramSink,
    ) {
        self.tally.on_rx(datagram.len());
        if datagram.len() > DATAGRAM_BYTES_MAX {
            return self.tally.drop(DropReason::Malformed);
        }
        let taken = match DatagramKind::of(datagram) {
            Some(DatagramKind::Rtp) => self.on_rtp(now, from, datagram, sink),
            Some(DatagramKind::Rtcp) => self.on_rtcp(now, from, datagram, sink),
            Some(DatagramKind::Stun) => self.on_stun(now, from, datagram, sink),
            Some(DatagramKind::Dtls) => self.on_dtls(now, from, datagram, sink),
            None => Err(DropReason::Malformed),
        };
        self.current = Current::default();
        if let Err(reason) = taken {
            self.tally.drop(reason);
        }
    }

    /// Applies one command; its acknowledgement comes as [`ShardEvent::Applied`], after every other
    /// event it caused.
    pub fn apply(
        &mut self,
        now: MonoTime,
        id: CommandId,
        command: ShardCommand,
        sink: &mut impl DatagramSink,
    ) {
        let outcome = self.run_command(now, command, sink);
        self.current = Current::default();
        self.outbox.push(ShardEvent::Applied { id, outcome });
    }

    /// Does what is due, and the handshake work that earlier turns had no time for. Once a turn.
    pub fn on_timeout(&mut self, now: MonoTime, sink: &mut impl DatagramSink) {
        self.run_deferred_dtls(now, sink);
        for _ in 0..TIMERS_PER_TURN_MAX {
            let Some((at, owner)) = self.timers.pop_due(now) else {
                break;
            };
            match owner {
                TimerOwner::Session(slot) => self.on_session_timeout(now, at, slot, sink),
                TimerOwner::Room(slot) => self.on_room_timeout(now, at, slot, sink),
            }
            self.current = Current::default();
        }
    }

    /// When [`Self::on_timeout`] must be called at the latest; `None` when only input can change
    /// anything.
    pub fn next_deadline(&self) -> Option<MonoTime> {
        if self.dtls.has_deferred() {
            return Some(MonoTime::ZERO);
        }
        self.timers.next_deadline()
    }

    /// The next fact for control.
    pub fn poll_event(&mut self) -> Option<ShardEvent> {
        self.outbox.pop()
    }

    /// Takes a fresh reading of both clocks, for the NTP timestamps of sender reports. About once a
    /// second keeps up with a wall clock that is being slewed.
    pub fn set_wall_clock(&mut self, wall_clock: WallClock) {
        self.config.wall_clock = wall_clock;
        let rooms: &mut Table<Room> = &mut self.rooms;
        for room in rooms.iter_mut() {
            room.router.set_wall_clock(wall_clock);
        }
    }

    /// Everything counted so far.
    pub fn counters(&self) -> ShardCounters {
        let mut counters = self.tally.snapshot(self.rooms.iter());
        counters.shard = Some(self.config.index);
        counters.rooms = self.rooms.len() as u64;
        counters.sessions = self.sessions.len() as u64;
        counters.events_dropped = self.outbox.dropped();
        counters
    }

    /// Counts packets that were dropped between the engine and the wire.
    pub fn count_drops(&mut self, reason: DropReason, packets: u64) {
        self.tally.drops.add(reason, packets);
    }

    pub(crate) const fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Schedules the room's next call.
    fn schedule_room(&mut self, slot: Slot) {
        if let Some(room) = self.rooms.get_mut(slot) {
            let deadline = room.next_deadline();
            let owner = TimerOwner::Room(slot);
            self.timers.schedule(owner, &mut room.scheduled, deadline);
        }
    }

    fn on_session_timeout(
        &mut self,
        now: MonoTime,
        at: MonoTime,
        slot: Slot,
        sink: &mut impl DatagramSink,
    ) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return; // Closed meanwhile.
        };
        if !session.scheduled.take_due(at) {
            return;
        }
        self.current.session = Some(slot);
        if session
            .transport
            .next_deadline()
            .is_some_and(|due| due <= now)
        {
            session.transport.on_timeout(now);
        }
        self.drain_transport(now, slot, sink);
    }

    fn on_room_timeout(
        &mut self,
        now: MonoTime,
        at: MonoTime,
        slot: Slot,
        sink: &mut impl DatagramSink,
    ) {
        let Some(room) = self.rooms.get_mut(slot) else {
            return;
        };
        if !room.scheduled.take_due(at) {
            return;
        }
        self.current.room = Some(slot);
        let mut legs = legs::Legs::new(&mut self.sessions, sink, &mut self.tally);
        room.on_timeout(now, &mut legs, &mut self.outbox);
        self.schedule_room(slot);
    }
}
