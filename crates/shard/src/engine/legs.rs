//! The way out of the router: header and payload into the send slot, sealed there.
//!
//! One copy per destination, none before. RFC 3711 §3.3.

use estrade_router::{Egress, EgressPayload, LegAddress, MediaClass};
use estrade_rtp::EgressHeader;
use estrade_transport::TxStreamSlot;
use estrade_types::DropReason;

use super::counters::Tally;
use super::session::Session;
use crate::table::Table;
use crate::{DatagramClass, DatagramSink};

/// The sessions of a shard as a router sees them: places to send to.
pub(super) struct Legs<'a, S> {
    sessions: &'a mut Table<Session>,
    sink: &'a mut S,
    /// Reachable for the room's own counts while the router is at work.
    pub(super) tally: &'a mut Tally,
}

impl<'a, S: DatagramSink> Legs<'a, S> {
    /// Borrows what sending needs.
    pub(super) const fn new(
        sessions: &'a mut Table<Session>,
        sink: &'a mut S,
        tally: &'a mut Tally,
    ) -> Self {
        Self {
            sessions,
            sink,
            tally,
        }
    }

    fn send_rtp(
        &mut self,
        to: LegAddress,
        header: &EgressHeader,
        ext_seq: u64,
        payload: EgressPayload<'_>,
        class: MediaClass,
    ) -> Result<(), DropReason> {
        let session = self.sessions.at_mut(to.session);
        let session = session.ok_or(DropReason::NotConnected)?;
        let remote = session.transport.remote_addr();
        let remote = remote.ok_or(DropReason::NotConnected)?;
        let buf = self.sink.slot().as_mut_slice();
        let header_len = header.write(buf).ok_or(DropReason::RtpMalformed)?;
        let room = buf.get_mut(header_len..).unwrap_or_default();
        let payload_len = payload.write(room).ok_or(DropReason::RtpMalformed)?;
        let tx = tx_slot(to.stream, class).ok_or(DropReason::RtpMalformed)?;
        let len = header_len + payload_len;
        let len = session.transport.protect_rtp(buf, len, ext_seq, tx)?;
        let class = match class {
            MediaClass::Audio => DatagramClass::Audio,
            MediaClass::Video | MediaClass::Rtx => DatagramClass::Video,
        };
        self.sink.commit(remote, len, class);
        self.tally.on_tx(len);
        Ok(())
    }

    fn send_rtcp(&mut self, session: u32, compound: &[u8]) -> Result<(), DropReason> {
        let session = self.sessions.at_mut(session);
        let session = session.ok_or(DropReason::NotConnected)?;
        let remote = session.transport.remote_addr();
        let remote = remote.ok_or(DropReason::NotConnected)?;
        let buf = self.sink.slot().as_mut_slice();
        let room = buf.get_mut(..compound.len());
        room.ok_or(DropReason::RtcpMalformed)?
            .copy_from_slice(compound);
        let len = session.transport.protect_rtcp(buf, compound.len())?;
        self.sink.commit(remote, len, DatagramClass::Control);
        self.tally.on_tx(len);
        Ok(())
    }
}

impl<S: DatagramSink> Egress for Legs<'_, S> {
    fn rtp(
        &mut self,
        to: LegAddress,
        header: &EgressHeader,
        ext_seq: u64,
        payload: EgressPayload<'_>,
        class: MediaClass,
    ) {
        if let Err(reason) = self.send_rtp(to, header, ext_seq, payload, class) {
            self.tally.drop(reason);
        }
    }

    fn rtcp(&mut self, session: u32, compound: &[u8]) {
        if let Err(reason) = self.send_rtcp(session, compound) {
            self.tally.drop(reason);
        }
    }
}

/// Numbers a session's RTP streams for the transport: media streams even, their RTX streams odd.
fn tx_slot(stream: u16, class: MediaClass) -> Option<TxStreamSlot> {
    let is_rtx = u16::from(class == MediaClass::Rtx);
    let number = stream.checked_mul(2)?.checked_add(is_rtx)?;
    u8::try_from(number).ok().map(TxStreamSlot)
}
