//! What the engine counts itself, and how it joins what the routers count.

use estrade_types::{CloseReason, DropCounters, DropReason, ShardCounters};

use super::room::Room;

/// Plain integers, copied out once a second.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Dropped before or after the routers.
    pub(super) drops: DropCounters,
    /// Gauge: sessions whose ICE and DTLS are up.
    pub(super) sessions_connected: u64,
    /// Handshakes completed.
    pub(super) handshakes_completed: u64,
    /// Handshakes failed.
    pub(super) handshakes_failed: u64,
    rx_datagrams: u64,
    rx_bytes: u64,
    tx_datagrams: u64,
    tx_bytes: u64,
    /// Rooms that are gone.
    retired: ShardCounters,
}

impl Tally {
    /// Counts a datagram that arrived.
    pub(super) const fn on_rx(&mut self, bytes: usize) {
        self.rx_datagrams += 1;
        self.rx_bytes += bytes as u64;
    }

    /// Counts a datagram given to the sink.
    pub(super) const fn on_tx(&mut self, bytes: usize) {
        self.tx_datagrams += 1;
        self.tx_bytes += bytes as u64;
    }

    /// Counts a dropped packet.
    pub(super) fn drop(&mut self, reason: DropReason) {
        self.drops.count(reason);
    }

    /// Counts the end of a session.
    pub(super) const fn on_closed(&mut self, was_connected: bool, reason: CloseReason) {
        if was_connected {
            self.sessions_connected = self.sessions_connected.saturating_sub(1);
        } else if matches!(reason, CloseReason::HandshakeFailed) {
            self.handshakes_failed += 1;
        }
    }

    /// Keeps what a closed room had counted.
    pub(super) fn retire(&mut self, room: &Room) {
        add(&mut self.retired, room);
    }

    /// Everything, with the rooms that live. Gauges of tables are left to the caller.
    pub(super) fn snapshot<'a>(&self, rooms: impl Iterator<Item = &'a Room>) -> ShardCounters {
        let mut all = self.retired.clone();
        for room in rooms {
            add(&mut all, room);
        }
        for reason in DropReason::ALL {
            all.drops.add(reason, self.drops.get(reason));
        }
        all.sessions_connected = self.sessions_connected;
        all.handshakes_completed = self.handshakes_completed;
        all.handshakes_failed = self.handshakes_failed;
        all.rx_datagrams = self.rx_datagrams;
        all.rx_bytes = self.rx_bytes;
        all.tx_datagrams = self.tx_datagrams;
        all.tx_bytes = self.tx_bytes;
        all
    }
}

fn add(all: &mut ShardCounters, room: &Room) {
    all.speaker_switches += room.switches;
    let room = room.router.counters();
    all.rx_rtp_packets += room.rx_rtp_packets;
    all.rx_rtx_packets += room.rx_rtx_packets;
    all.tx_rtp_packets += room.tx_rtp_packets;
    all.tx_rtx_packets += room.tx_rtx_packets;
    all.nacks_sent += room.nacks_sent;
    all.nacks_received += room.nacks_received;
    all.keyframe_requests_sent += room.keyframe_requests_sent;
    all.keyframe_requests_received += room.keyframe_requests_received;
    all.cuts += room.cuts;
    all.cuts_abandoned += room.cuts_abandoned;
    for reason in DropReason::ALL {
        all.drops.add(reason, room.drops.get(reason));
    }
}
