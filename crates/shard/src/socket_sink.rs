//! The engine's datagrams on a real socket: batch, and backlog behind it.

use std::net::SocketAddr;

use estrade_net::{Flushed, SendBatch, UdpSocket, Urgency};
use estrade_types::limits::DATAGRAM_BYTES_MAX;

use crate::backlog::{BACKLOG_DATAGRAMS_MAX, Backlog};
use crate::{DatagramClass, DatagramSink};

/// Datagrams gathered before they are sent. More finds longer runs for one endpoint in a large
/// fan-out (ten packets of a frame to 1 000 endpoints are 10 000 datagrams), and delays the first of
/// them: sealing this many takes about 1.5 ms.
const BATCH_CAPACITY: usize = 4_096;

/// A socket with what waits to leave it.
#[derive(Debug)]
pub(crate) struct SocketSink {
    socket: UdpSocket,
    batch: SendBatch,
    backlog: Backlog,
    /// For a datagram that finds no slot, which cannot happen: a full batch is always emptied.
    spare: Box<[u8; DATAGRAM_BYTES_MAX]>,
    sent: Sent,
}

/// What left, and what did not. Cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Datagrams the kernel took.
    pub(crate) datagrams: u64,
    /// Bytes of those.
    pub(crate) bytes: u64,
    /// Datagrams the kernel refused.
    pub(crate) failed: u64,
    /// Datagrams dropped because the backlog was full.
    pub(crate) overflowed: u64,
}

impl SocketSink {
    /// Takes the socket over.
    pub(crate) fn new(socket: UdpSocket) -> Self {
        Self {
            batch: SendBatch::new(&socket, BATCH_CAPACITY),
            socket,
            backlog: Backlog::new(BACKLOG_DATAGRAMS_MAX),
            spare: Box::new([0; DATAGRAM_BYTES_MAX]),
            sent: Sent::default(),
        }
    }

    /// The socket, to read from.
    pub(crate) const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// What left so far.
    pub(crate) const fn sent(&self) -> Sent {
        self.sent
    }

    /// Whether the caller should wait for room in the socket.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Sends what was committed; what the socket has no room for goes to the backlog. Nothing
    /// overtakes a datagram that waits there already.
    pub(crate) fn flush(&mut self) {
        if self.backlog.is_empty() {
            let flushed = self.batch.flush(&mut self.socket);
            self.note(flushed);
        }
        for (to, bytes, urgency) in self.batch.unsent() {
            self.sent.overflowed += self.backlog.push(to, bytes, urgency);
        }
        self.batch.clear();
    }

    /// Tries the backlog again, now that the socket may have room.
    pub(crate) fn retry(&mut self) {
        self.flush();
        while !self.backlog.is_empty() {
            let mut copied = 0;
            for (to, bytes, urgency) in self.backlog.iter() {
                let Some(slot) = self.batch.next_slot() else {
                    break;
                };
                let Some(room) = slot.get_mut(..bytes.len()) else {
                    break;
                };
                room.copy_from_slice(bytes);
                self.batch.commit(to, bytes.len(), urgency);
                copied += 1;
            }
            self.backlog.forget(copied);
            let flushed = self.batch.flush(&mut self.socket);
            self.note(flushed);
            self.backlog.put_back(self.batch.unsent());
            self.batch.clear();
            if flushed.is_blocked {
                return;
            }
        }
    }

    const fn note(&mut self, flushed: Flushed) {
        self.sent.datagrams += flushed.datagrams;
        self.sent.bytes += flushed.bytes;
        self.sent.failed += flushed.failed;
    }
}

impl DatagramSink for SocketSink {
    fn slot(&mut self) -> &mut [u8; DATAGRAM_BYTES_MAX] {
        if self.batch.next_slot().is_none() {
            self.flush();
        }
        match self.batch.next_slot() {
            Some(slot) => slot,
            None => &mut self.spare,
        }
    }

    fn commit(&mut self, to: SocketAddr, len: usize, class: DatagramClass) {
        let urgency = match class {
            DatagramClass::Control | DatagramClass::Audio => Urgency::First,
            DatagramClass::Video => Urgency::Grouped,
        };
        self.batch.commit(to, len, urgency);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sink() -> (SocketSink, std::net::UdpSocket) {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), 1 << 20).unwrap();
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (SocketSink::new(socket), peer)
    }

    fn send(sink: &mut SocketSink, to: SocketAddr, bytes: &[u8], class: DatagramClass) {
        sink.slot()[..bytes.len()].copy_from_slice(bytes);
        sink.commit(to, bytes.len(), class);
    }

    fn receive(peer: &std::net::UdpSocket) -> Vec<u8> {
        let mut buf = [0; 2_000];
        let len = peer.recv(&mut buf).unwrap();
        buf[..len].to_vec()
    }

    #[test]
    fn audio_leaves_before_the_video_of_the_same_turn() {
        let (mut sink, peer) = sink();
        let to = peer.local_addr().unwrap();
        send(&mut sink, to, b"video", DatagramClass::Video);
        send(&mut sink, to, b"audio", DatagramClass::Audio);
        sink.flush();
        assert_eq!(
            (receive(&peer), receive(&peer)),
            (b"audio".to_vec(), b"video".to_vec())
        );
        assert_eq!(sink.sent().datagrams, 2);
        assert!(!sink.is_blocked());
    }

    #[test]
    fn a_backlog_leaves_in_order_once_there_is_room_and_before_what_is_newer() {
        let (mut sink, peer) = sink();
        let to = peer.local_addr().unwrap();
        for n in 0..5_u8 {
            sink.backlog.push(to, &[n], Urgency::Grouped);
        }
        assert!(sink.is_blocked());
        send(&mut sink, to, &[5], DatagramClass::Video);
        sink.flush();
        assert_eq!(sink.sent().datagrams, 0, "nothing overtakes what waits");
        sink.retry();
        let seen: Vec<u8> = (0..6).map(|_| receive(&peer)[0]).collect();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
        assert!(!sink.is_blocked());
    }

    #[test]
    fn more_than_a_batch_is_flushed_on_the_way() {
        let (mut sink, peer) = sink();
        let to = peer.local_addr().unwrap();
        for _ in 0..=BATCH_CAPACITY {
            send(&mut sink, to, b"x", DatagramClass::Audio);
        }
        assert_eq!(sink.sent().datagrams, BATCH_CAPACITY as u64);
        sink.flush();
        assert_eq!(sink.sent().datagrams, BATCH_CAPACITY as u64 + 1);
    }
}
