//! A shard's UDP socket: non-blocking, with large buffers and what offloads the kernel has.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};
use webrtc::runtime::{UdpSockRef, UdpSocketState};

use crate::RecvBatch;

/// A bound, non-blocking UDP socket. An IPv6 wildcard also takes IPv4; [`RecvBatch`] and
/// [`crate::SendBatch`] keep the mapped form of addresses to themselves.
pub struct UdpSocket {
    socket: Socket,
    receive_state: UdpSocketState,
    local_addr: SocketAddr,
    /// Whether runs of equal-sized datagrams may leave as one message; false once refused.
    segments_runs: bool,
}

impl std::fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local_addr", &self.local_addr)
            .field("segments_runs", &self.segments_runs)
            .finish_non_exhaustive()
    }
}

impl UdpSocket {
    /// Binds to `addr` (port 0: the system chooses), asking for `buffer_bytes` in each direction.
    /// A kernel that grants less is accepted: the system's limit is the operator's to raise.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, or the socket cannot be made non-blocking.
    pub fn bind(addr: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.is_ipv6() {
            socket.set_only_v6(!addr.ip().is_unspecified())?;
        }
        socket.set_nonblocking(true)?;
        grow_buffer(buffer_bytes, |bytes| socket.set_recv_buffer_size(bytes));
        grow_buffer(buffer_bytes, |bytes| socket.set_send_buffer_size(bytes));
        socket.bind(&addr.into())?;
        let receive_state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local_addr = socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        Ok(Self {
            segments_runs: receive_state.max_gso_segments() > 1,
            socket,
            receive_state,
            local_addr,
        })
    }

    /// The bound address, with the real port.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Bytes the kernel granted for (receiving, sending), as it counts them.
    ///
    /// # Errors
    ///
    /// When the kernel does not say.
    pub fn buffer_bytes(&self) -> io::Result<(usize, usize)> {
        Ok((
            self.socket.recv_buffer_size()?,
            self.socket.send_buffer_size()?,
        ))
    }

    /// Whether runs of equal-sized datagrams to one destination leave as one message (UDP GSO).
    pub const fn segments_runs(&self) -> bool {
        self.segments_runs
    }

    /// Fills `batch` with what waits, and says how many datagrams that is; 0 when nothing waits.
    ///
    /// # Errors
    ///
    /// When the kernel reports an error other than an empty queue; the batch is then empty.
    pub fn receive(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        batch.fill(|buffers, metas| {
            let socket = UdpSockRef::from(&self.socket);
            self.receive_state.recv(socket, buffers, metas)
        })
    }

    /// The path or its driver refuses segmentation: datagrams leave one by one from now on.
    pub(crate) const fn stop_segmenting(&mut self) {
        self.segments_runs = false;
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Asks for `bytes`, then for half and so on, until the kernel takes it. Linux clamps silently, so
/// the loop is for systems that refuse.
fn grow_buffer(bytes: usize, set: impl Fn(usize) -> io::Result<()>) {
    let mut bytes = bytes;
    while bytes >= BUFFER_BYTES_MIN && set(bytes).is_err() {
        bytes /= 2;
    }
}

/// Below this the system's default is as good.
const BUFFER_BYTES_MIN: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_wildcard_socket_takes_ipv4_too() {
        let Ok(socket) = UdpSocket::bind("[::]:0".parse().unwrap(), 1 << 20) else {
            return; // A machine without IPv6.
        };
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().port();
        assert_ne!(port, 0);
        sender.send_to(b"over four", ("127.0.0.1", port)).unwrap();
        let mut batch = RecvBatch::new();
        crate::poller::tests::wait_readable(&socket);
        assert_eq!(socket.receive(&mut batch).unwrap(), 1);
        let (from, bytes) = batch.datagrams_mut().next().unwrap();
        assert_eq!(&*bytes, b"over four");
        assert_eq!(from, sender.local_addr().unwrap());
    }

    #[test]
    fn an_absurd_buffer_request_does_not_stop_the_bind() {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), 1 << 30).unwrap();
        let (receive, send) = socket.buffer_bytes().unwrap();
        assert!(receive > 0 && send > 0);
    }
}
