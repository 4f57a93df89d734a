//! Media of sessions: opened by the transport, carried by the router, heard by the detector.

use std::net::SocketAddr;

use estrade_router::RouterSession;
use estrade_types::{DropReason, MonoTime};

use super::Engine;
use super::legs::Legs;
use super::room::Room;
use super::session::Session;
use crate::DatagramSink;
use crate::outbox::Outbox;
use crate::table::Slot;

impl Engine {
    /// An SRTP packet.
    pub(super) fn on_rtp(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
        sink: &mut impl DatagramSink,
    ) -> Result<(), DropReason> {
        let session = self.session_at(from)?;
        let len = session.transport.unprotect_rtp(now, from, datagram)?;
        let (room, streams) = (session.room, session.streams);
        let packet = datagram.get(..len).unwrap_or_default();
        self.in_room(room, streams, sink, |room, streams, legs, outbox| {
            room.on_rtp(now, streams, packet, legs, outbox);
        })
    }

    /// An SRTCP compound.
    pub(super) fn on_rtcp(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
        sink: &mut impl DatagramSink,
    ) -> Result<(), DropReason> {
        let session = self.session_at(from)?;
        let len = session.transport.unprotect_rtcp(now, from, datagram)?;
        let (room, streams) = (session.room, session.streams);
        let compound = datagram.get(..len).unwrap_or_default();
        self.in_room(room, streams, sink, |room, streams, legs, outbox| {
            // What is wrong with it the router has counted; the packets before the flaw hold.
            let _counted = room.router.on_rtcp(now, streams, compound, legs);
            room.settle(now, legs, outbox);
        })
    }

    /// The session whose media comes from `from`; what follows is its work.
    fn session_at(&mut self, from: SocketAddr) -> Result<&mut Session, DropReason> {
        let slot = self.sessions_by_addr.get(&from);
        let slot = *slot.ok_or(DropReason::UnknownSource)?;
        let session = self.sessions.get_mut(slot);
        let session = session.ok_or(DropReason::UnknownSource)?;
        self.current.session = Some(slot);
        Ok(session)
    }

    /// Does `work` on a session's room, and schedules the room's next call.
    fn in_room<S: DatagramSink>(
        &mut self,
        slot: Slot,
        streams: Option<RouterSession>,
        sink: &mut S,
        work: impl FnOnce(&mut Room, RouterSession, &mut Legs<'_, S>, &mut Outbox),
    ) -> Result<(), DropReason> {
        let (Some(room), Some(streams)) = (self.rooms.get_mut(slot), streams) else {
            return Err(DropReason::NotConnected);
        };
        self.current.room = Some(slot);
        let mut legs = Legs::new(&mut self.sessions, sink, &mut self.tally);
        work(room, streams, &mut legs, &mut self.outbox);
        self.schedule_room(slot);
        Ok(())
    }
}
