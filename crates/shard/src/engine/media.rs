//! Media of sessions: opened by the transport, carried by the router, heard by the detector.

use std::net::SocketAddr;

use estrade_types::{DropReason, MonoTime};

use super::Engine;
use super::legs::Legs;
use crate::DatagramSink;

impl Engine {
    /// An SRTP packet.
    pub(super) fn on_rtp(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
        sink: &mut impl DatagramSink,
    ) -> Result<(), DropReason> {
        let slot = self.sessions_by_addr.get(&from);
        let slot = *slot.ok_or(DropReason::UnknownSource)?;
        let session = self.sessions.get_mut(slot);
        let session = session.ok_or(DropReason::UnknownSource)?;
        self.current.session = Some(slot);
        let len = session.transport.unprotect_rtp(now, from, datagram)?;
        let packet = datagram.get(..len).unwrap_or_default();
        let (room_slot, streams) = (session.room, session.streams);
        let room = self.rooms.get_mut(room_slot);
        let (Some(room), Some(streams)) = (room, streams) else {
            return Err(DropReason::NotConnected);
        };
        self.current.room = Some(room_slot);
        let mut legs = Legs::new(&mut self.sessions, sink, &mut self.tally);
        room.on_rtp(now, streams, packet, &mut legs, &mut self.outbox);
        self.schedule_room(room_slot);
        Ok(())
    }

    /// An SRTCP compound.
    pub(super) fn on_rtcp(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
        sink: &mut impl DatagramSink,
    ) -> Result<(), DropReason> {
        let slot = self.sessions_by_addr.get(&from);
        let slot = *slot.ok_or(DropReason::UnknownSource)?;
        let session = self.sessions.get_mut(slot);
        let session = session.ok_or(DropReason::UnknownSource)?;
        self.current.session = Some(slot);
        let len = session.transport.unprotect_rtcp(now, from, datagram)?;
        let compound = datagram.get(..len).unwrap_or_default();
        let (room_slot, streams) = (session.room, session.streams);
        let room = self.rooms.get_mut(room_slot);
        let (Some(room), Some(streams)) = (room, streams) else {
            return Err(DropReason::NotConnected);
        };
        self.current.room = Some(room_slot);
        let mut legs = Legs::new(&mut self.sessions, sink, &mut self.tally);
        // What is wrong with it the router has counted; the packets before the flaw hold.
        let _counted = room.router.on_rtcp(now, streams, compound, &mut legs);
        room.settle(now, &mut legs, &mut self.outbox);
        self.schedule_room(room_slot);
        Ok(())
    }
}
