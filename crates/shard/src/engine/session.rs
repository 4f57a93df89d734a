//! One endpoint on this shard: its transport, and where its media belongs.

use std::net::SocketAddr;

use estrade_router::RouterSession;
use estrade_transport::Transport;
use estrade_types::{ParticipantKey, SessionId};

use crate::table::Slot;
use crate::timers::Scheduled;

/// A session. The router and the address map hold its index; this holds theirs.
#[derive(Debug)]
pub(super) struct Session {
    /// Its lasting id.
    pub(super) id: SessionId,
    /// Its room.
    pub(super) room: Slot,
    /// Whose it is.
    pub(super) participant: ParticipantKey,
    /// ICE, DTLS and SRTP.
    pub(super) transport: Transport,
    /// Its streams in the room's router; set right after the session is made.
    pub(super) streams: Option<RouterSession>,
    /// Whether media flows; told to the router and to control.
    pub(super) is_connected: bool,
    /// Its entry among the timers.
    pub(super) scheduled: Scheduled,
    /// Addresses put into the address map, to be taken out again. The transport bounds them.
    pub(super) addrs: Vec<SocketAddr>,
}
