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
        self.tally.retire(&room);
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use estrade_transport::Certificate;
    use estrade_types::limits::DATAGRAM_BYTES_MAX;
    use estrade_types::{
        CommandId, Fingerprint, IceCredentials, MediaRoomSettings, OpenSession, Permits, RoomKey,
        SessionId, ShardCommand, ShardIndex, WallClock,
    };

    use super::*;
    use crate::EngineConfig;

    struct NoSink([u8; DATAGRAM_BYTES_MAX]);

    impl DatagramSink for NoSink {
        fn slot(&mut self) -> &mut [u8; DATAGRAM_BYTES_MAX] {
            &mut self.0
        }

        fn commit(&mut self, _: SocketAddr, _: usize, _: DatagramClass) {}
    }

    const NOW: MonoTime = MonoTime::from_millis(5);

    /// Two rooms; sessions 1 and 2 are in the first, 3 in the second.
    #[expect(
        clippy::disallowed_methods,
        reason = "an origin; virtual time does the rest"
    )]
    fn engine(sink: &mut NoSink) -> Engine {
        let mut engine = Engine::new(EngineConfig {
            index: ShardIndex(0),
            certificate: Arc::new(Certificate::generate().unwrap()),
            seed: [1; 32],
            epoch: std::time::Instant::now(),
            wall_clock: WallClock::default(),
        });
        for (room, session) in [(1, 1), (1, 2), (2, 3)] {
            let participant = ParticipantKey(NonZeroU32::new(session).unwrap());
            let (room, session) = (RoomKey(room), SessionId(u64::from(session)));
            let settings = MediaRoomSettings::default();
            let commands = [
                ShardCommand::SetRoom { room, settings },
                ShardCommand::SetParticipant {
                    room,
                    participant,
                    seat: None,
                    permits: Permits::NONE,
                },
                ShardCommand::OpenSession(Box::new(OpenSession {
                    session,
                    room,
                    participant,
                    remote_ice: IceCredentials {
                        ufrag: "them".to_owned(),
                        pwd: "a-password-of-24-letters".to_owned(),
                    },
                    fingerprints: vec![Fingerprint([1; 32])],
                    rx: Vec::new(),
                    tx: Vec::new(),
                })),
            ];
            for command in commands {
                engine.apply(NOW, CommandId(0), command, sink);
            }
        }
        while engine.poll_event().is_some() {}
        assert_eq!(engine.counters().sessions, 3);
        engine
    }

    fn closed(engine: &mut Engine) -> Vec<u64> {
        let internal = SessionState::Closed(CloseReason::InternalError);
        let mut closed = Vec::new();
        while let Some(event) = engine.poll_event() {
            match event {
                ShardEvent::Session { session, state, .. } if state == internal => {
                    closed.push(session.0);
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        closed
    }

    #[test]
    fn a_panic_in_a_session_s_work_costs_that_session_alone() {
        let mut sink = NoSink([0; DATAGRAM_BYTES_MAX]);
        let mut engine = engine(&mut sink);
        let slot = engine.sessions_by_id.get(&SessionId(2)).copied();
        engine.current.session = slot;
        engine.on_panic(NOW, &mut sink);
        assert_eq!(closed(&mut engine), [2]);
        let counters = engine.counters();
        assert_eq!((counters.rooms, counters.sessions), (2, 2));
    }

    #[test]
    fn a_panic_in_a_room_s_own_work_costs_that_room_alone() {
        let mut sink = NoSink([0; DATAGRAM_BYTES_MAX]);
        let mut engine = engine(&mut sink);
        engine.current.room = engine.rooms_by_key.get(&RoomKey(1)).copied();
        engine.on_panic(NOW, &mut sink);
        assert_eq!(closed(&mut engine), [1, 2]);
        let counters = engine.counters();
        assert_eq!((counters.rooms, counters.sessions), (1, 1));
    }

    #[test]
    fn a_panic_in_nobody_s_work_costs_nothing() {
        let mut sink = NoSink([0; DATAGRAM_BYTES_MAX]);
        let mut engine = engine(&mut sink);
        engine.on_panic(NOW, &mut sink);
        assert!(closed(&mut engine).is_empty());
        assert_eq!(engine.counters().sessions, 3);
    }

    #[test]
    fn a_closing_engine_refuses_commands() {
        let mut sink = NoSink([0; DATAGRAM_BYTES_MAX]);
        let mut engine = engine(&mut sink);
        engine.close(NOW, CloseReason::ServerShutdown, &mut sink);
        while engine.poll_event().is_some() {}
        let command = ShardCommand::CloseSession {
            session: SessionId(1),
            reason: CloseReason::Left,
        };
        engine.apply(NOW, CommandId(9), command, &mut sink);
        let refused = ShardEvent::Applied {
            id: CommandId(9),
            outcome: Err(estrade_types::CommandRefused::Closing),
        };
        assert_eq!(engine.poll_event(), Some(refused));
    }
}
