//! Endings: of sessions, participants, rooms, the shard, and of what a panic left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};

use estrade_types::{CloseReason, MonoTime, ParticipantKey, SessionState, ShardEvent};

use super::{Current, Engine};
use crate::table::Slot;
use crate::{DatagramClass, DatagramSink};

impl Engine {
    /// Closes every session and refuses commands from now on.
    pub fn close(&mut self, now: MonoTime, reason: CloseReason, sink: &mut impl DatagramSink) {
        self.is_closing = true;
        let rooms: Vec<Slot> = self.rooms.slots().collect();
        for room in rooms {
            self.close_room(now, room, reason, sink);
        }
    }

    /// Cleans up after a panic of any call: the session in whose work it happened is closed with
    /// [`CloseReason::InternalError`], or its room when it was nobody's work or the session cannot
    /// be taken out of it cleanly. Everything else goes on.
    pub fn on_panic(&mut self, now: MonoTime, sink: &mut impl DatagramSink) {
        let current = std::mem::take(&mut self.current);
        let room = current.session.and_then(|slot| self.sessions.get(slot));
        let room = room.map(|session| session.room).or(current.room);
        let closed = current.session.map(|slot| {
            catch_unwind(AssertUnwindSafe(|| {
                self.close_session(now, slot, CloseReason::InternalError, sink);
            }))
        });
        if !matches!(closed, Some(Ok(())))
            && let Some(room) = room
        {
            // Nothing is asked of the room's machines: they may be broken.
            self.close_room(now, room, CloseReason::InternalError, sink);
        }
        self.current = Current::default();
    }

    /// Closes a session: tells its endpoint, frees all it had, tells control.
    pub(super) fn close_session(
        &mut self,
        now: MonoTime,
        slot: Slot,
        reason: CloseReason,
        sink: &mut impl DatagramSink,
    ) {
        let Some(mut session) = self.sessions.remove(slot) else {
            return;
        };
        session.transport.close();
        while let Some((to, len)) = session.transport.poll_transmit(sink.slot()) {
            sink.commit(to, len, DatagramClass::Control);
            self.tally.on_tx(len);
        }
        for addr in &session.addrs {
            if self.sessions_by_addr.get(addr) == Some(&slot) {
                self.sessions_by_addr.remove(addr);
            }
        }
        self.sessions_by_id.remove(&session.id);
        self.tally.on_closed(session.is_connected, reason);
        let Some(room) = self.rooms.get_mut(session.room) else {
            return;
        };
        self.outbox.push(ShardEvent::Session {
            session: session.id,
            room: room.key,
            state: SessionState::Closed(reason),
        });
        if let Some(participant) = room.participants.get_mut(&session.participant) {
            participant.sessions.retain(|other| *other != slot);
        }
        if let Some(streams) = session.streams {
            room.router.remove_session(now, streams);
        }
        self.settle_room(now, session.room, sink);
    }

    /// Closes a participant's sessions and forgets it.
    pub(super) fn remove_participant(
        &mut self,
        now: MonoTime,
        room_slot: Slot,
        who: ParticipantKey,
        reason: CloseReason,
        sink: &mut impl DatagramSink,
    ) {
        // Out of the detector and the router first: what the sessions' end brings about must not
        // choose it again.
        let Some(room) = self.rooms.get_mut(room_slot) else {
            return;
        };
        let sessions = room.participants.get(&who).map(|p| p.sessions.clone());
        room.remove_participant(now, who);
        for slot in sessions.unwrap_or_default() {
            self.close_session(now, slot, reason, sink);
        }
        self.settle_room(now, room_slot, sink);
    }

    /// Closes a room with all its sessions. No notices about its sources and slots are left: the
    /// room is gone for control too.
    pub(super) fn close_room(
        &mut self,
        now: MonoTime,
        slot: Slot,
        reason: CloseReason,
        sink: &mut impl DatagramSink,
    ) {
        let Some(mut room) = self.rooms.remove(slot) else {
            return;
        };
        self.rooms_by_key.remove(&room.key);
        self.tally.retire(room.router.counters());
        let mut sessions: Vec<Slot> = room
            .participants
            .drain()
            .flat_map(|(_, p)| p.sessions)
            .collect();
        sessions.sort_unstable(); // The same inputs give the same order of events.
        for slot in sessions {
            let Some(id) = self.sessions.get(slot).map(|session| session.id) else {
                continue;
            };
            self.close_session(now, slot, reason, sink);
            self.outbox.push(ShardEvent::Session {
                session: id,
                room: room.key,
                state: SessionState::Closed(reason),
            });
        }
    }
}
