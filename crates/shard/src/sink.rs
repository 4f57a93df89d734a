//! Where the engine's datagrams go: a send batch in the thread, a list in the simulator.

use std::net::SocketAddr;

use estrade_types::limits::DATAGRAM_BYTES_MAX;

/// What a datagram carries, for the order in which a full queue gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatagramClass {
    /// STUN, DTLS or RTCP: kept as long as audio.
    Control,
    /// Sound: dropped last.
    Audio,
    /// Picture or a retransmission of it: the oldest goes first.
    Video,
}

/// Takes datagrams from the engine, one at a time, written in place.
pub trait DatagramSink {
    /// A free slot, to be written and then committed. Asking again without a commit gives the same
    /// slot.
    fn slot(&mut self) -> &mut [u8; DATAGRAM_BYTES_MAX];

    /// Sends the first `len` bytes of the slot to `to`. Datagrams of one burst to one endpoint come
    /// one after the other.
    fn commit(&mut self, to: SocketAddr, len: usize, class: DatagramClass);
}
