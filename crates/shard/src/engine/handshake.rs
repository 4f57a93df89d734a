//! ICE and DTLS of sessions: what reaches a transport before media does. RFC 8445, RFC 6347.
//!
//! Handshakes cost a thousand times what a media packet costs, so a turn does a bounded number of
//! them; the rest waits for the next turns, in a bounded queue.

use std::collections::VecDeque;
use std::net::SocketAddr;

use estrade_transport::{TransportEvent, UfragPlace, decode_ufrag, stun};
use estrade_types::{DropReason, MonoTime, SessionState, ShardEvent};

use super::{Engine, legs};
use crate::table::Slot;
use crate::timers::TimerOwner;
use crate::{DatagramClass, DatagramSink};

/// DTLS datagrams worked on in one turn: up to 4 ms of it. More would delay audio in a join storm,
/// fewer would make the storm last longer.
const DTLS_PER_TURN_MAX: u32 = 16;

/// DTLS datagrams that may wait; beyond, they are dropped and the endpoint sends them again.
const DTLS_DEFERRED_MAX: usize = 1_024;

/// Handshake work of this turn and what waits for the next.
#[derive(Debug, Default)]
pub(super) struct DtlsQueue {
    done_in_turn: u32,
    deferred: VecDeque<(Slot, SocketAddr, Vec<u8>)>,
}

impl DtlsQueue {
    /// Whether work waits for the next turn.
    pub(super) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }
}

impl Engine {
    /// A STUN datagram: its session is found by the ufrag we gave out, wherever it comes from.
    pub(super) fn on_stun(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &[u8],
        sink: &mut impl DatagramSink,
    ) -> Result<(), DropReason> {
        let ufrag = stun::server_ufrag(datagram).ok_or(DropReason::StunInvalid)?;
        let place = decode_ufrag(ufrag).ok_or(DropReason::StunUnknownUfrag)?;
        let slot = self.slot_of(place).ok_or(DropReason::StunUnknownUfrag)?;
        let session = self.sessions.get_mut(slot);
        let session = session.ok_or(DropReason::StunUnknownUfrag)?;
        self.current.session = Some(slot);
        let reply = session.transport.on_stun(now, from, datagram)?;
        if let Some(given_up) = reply.replaced {
            session.addrs.retain(|addr| *addr != given_up);
            if self.sessions_by_addr.get(&given_up) == Some(&slot) {
                self.sessions_by_addr.remove(&given_up);
            }
        }
        if reply.is_new {
            session.addrs.push(from);
        }
        if !self.is_held_by_other(from, slot) {
            self.sessions_by_addr.insert(from, slot);
        }
        self.drain_transport(now, slot, sink);
        Ok(())
    }

    /// A DTLS datagram; worked on now or in a later turn.
    pub(super) fn on_dtls(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &[u8],
        sink: &mut impl DatagramSink,
    ) -> Result<(), DropReason> {
        let slot = self.sessions_by_addr.get(&from);
        let slot = *slot.ok_or(DropReason::UnknownSource)?;
        if self.dtls.done_in_turn < DTLS_PER_TURN_MAX && !self.dtls.has_deferred() {
            return self.feed_dtls(now, slot, from, datagram, sink);
        }
        if self.dtls.deferred.len() >= DTLS_DEFERRED_MAX {
            return Err(DropReason::DtlsOverflow);
        }
        self.dtls
            .deferred
            .push_back((slot, from, datagram.to_vec()));
        Ok(())
    }

    /// Starts a new turn's budget and spends it on what waits.
    pub(super) fn run_deferred_dtls(&mut self, now: MonoTime, sink: &mut impl DatagramSink) {
        self.dtls.done_in_turn = 0;
        while self.dtls.done_in_turn < DTLS_PER_TURN_MAX {
            let Some((slot, from, datagram)) = self.dtls.deferred.pop_front() else {
                return;
            };
            if let Err(reason) = self.feed_dtls(now, slot, from, &datagram, sink) {
                self.tally.drop(reason);
            }
        }
    }

    fn feed_dtls(
        &mut self,
        now: MonoTime,
        slot: Slot,
        from: SocketAddr,
        datagram: &[u8],
        sink: &mut impl DatagramSink,
    ) -> Result<(), DropReason> {
        let session = self.sessions.get_mut(slot);
        let session = session.ok_or(DropReason::UnknownSource)?;
        self.current.session = Some(slot);
        self.dtls.done_in_turn += 1;
        let fed = session.transport.on_dtls(now, from, datagram);
        // Records before the one that was refused may have been answered.
        self.drain_transport(now, slot, sink);
        fed
    }

    /// Sends what a transport has to send, acts on what it has to tell, schedules its next call.
    pub(super) fn drain_transport(
        &mut self,
        now: MonoTime,
        slot: Slot,
        sink: &mut impl DatagramSink,
    ) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        while let Some((to, len)) = session.transport.poll_transmit(sink.slot()) {
            sink.commit(to, len, DatagramClass::Control);
            self.tally.on_tx(len);
        }
        let mut closed = None;
        let mut has_connected = false;
        while let Some(event) = session.transport.poll_event() {
            match event {
                TransportEvent::Connected => has_connected = true,
                TransportEvent::Closed(reason) => closed = Some(reason),
                _ => {}
            }
        }
        let deadline = session.transport.next_deadline();
        let owner = TimerOwner::Session(slot);
        self.timers
            .schedule(owner, &mut session.scheduled, deadline);
        if has_connected {
            self.on_connected(now, slot, sink);
        }
        if let Some(reason) = closed {
            self.close_session(now, slot, reason, sink);
        }
    }

    fn on_connected(&mut self, now: MonoTime, slot: Slot, sink: &mut impl DatagramSink) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.is_connected = true;
        let (id, room_slot, streams) = (session.id, session.room, session.streams);
        self.tally.sessions_connected += 1;
        self.tally.handshakes_completed += 1;
        let Some(room) = self.rooms.get_mut(room_slot) else {
            return;
        };
        self.outbox.push(ShardEvent::Session {
            session: id,
            room: room.key,
            state: SessionState::Connected,
        });
        let mut legs = legs::Legs::new(&mut self.sessions, sink, &mut self.tally);
        if let Some(streams) = streams {
            room.router.set_connected(now, streams, true, &mut legs);
        }
        room.settle(now, &mut legs, &mut self.outbox);
        self.schedule_room(room_slot);
    }

    /// Whether another live session has its media at `addr`. Then the address stays its own: an
    /// endpoint could forge the source of an authentic check, and so cut another one off. An
    /// address that really changed hands is taken over with the first check after the old
    /// session's consent has expired.
    fn is_held_by_other(&self, addr: SocketAddr, slot: Slot) -> bool {
        let owner = self.sessions_by_addr.get(&addr);
        owner.filter(|owner| **owner != slot).is_some_and(|owner| {
            let owner = self.sessions.get(*owner);
            owner.is_some_and(|owner| owner.transport.remote_addr() == Some(addr))
        })
    }

    /// The slot a ufrag of ours names, if it is of this shard.
    fn slot_of(&self, place: UfragPlace) -> Option<Slot> {
        (place.shard == self.config.index).then_some(Slot {
            index: place.slot,
            generation: place.generation,
        })
    }
}
