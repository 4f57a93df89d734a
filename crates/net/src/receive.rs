//! A batch of received datagrams: one system call fills it, the shard then reads them in place.
//!
//! With UDP GRO the kernel hands over several datagrams of one sender as one message of equal
//! strides; [`RecvBatch::datagrams_mut`] gives them one by one. Filled by
//! [`crate::UdpSocket::receive`]. Holds 32 messages of 64 KiB and never grows.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use webrtc::runtime::{BATCH_SIZE, RecvMeta};

/// Bytes per message: the most UDP can carry, so that no message is ever cut short.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Buffers for one receive call.
pub struct RecvBatch {
    arena: Box<[u8]>,
    metas: [RecvMeta; BATCH_SIZE],
    messages: usize,
}

impl std::fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecvBatch")
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

impl Default for RecvBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl RecvBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            arena: vec![0; BATCH_SIZE * MESSAGE_BYTES_MAX].into_boxed_slice(),
            metas: [RecvMeta::default(); BATCH_SIZE],
            messages: 0,
        }
    }

    /// The datagrams received, in their order, each with its sender. They may be changed in place.
    /// An IPv4 sender has its IPv4 address even if the socket is an IPv6 one.
    pub fn datagrams_mut(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        self.arena
            .chunks_mut(MESSAGE_BYTES_MAX)
            .zip(&self.metas)
            .take(self.messages)
            .flat_map(|(buffer, meta)| {
                // A stride of zero is an empty datagram: nothing to split, nothing to read.
                let stride = meta.stride.max(1);
                let len = meta.len.min(buffer.len());
                let (filled, _) = buffer.split_at_mut(len);
                let from = plain(meta.addr);
                filled.chunks_mut(stride).map(move |bytes| (from, bytes))
            })
    }

    /// Runs one receive call over the buffers and counts the datagrams it brought.
    pub(crate) fn fill(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.messages = 0;
        let mut chunks = self.arena.chunks_mut(MESSAGE_BYTES_MAX);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        match receive(&mut buffers, &mut self.metas) {
            Ok(messages) => {
                self.messages = messages.min(BATCH_SIZE);
                let filled = self.metas.iter().take(self.messages);
                Ok(filled.map(|m| m.len.div_ceil(m.stride.max(1))).sum())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// Takes the IPv6 wrapping off an IPv4 address: answers tell endpoints how we see them.
fn plain(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        IpAddr::V4(v4) => (v4, addr.port()).into(),
        IpAddr::V6(_) => addr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coalesced_message_is_split_by_its_stride_and_the_last_may_be_shorter() {
        let mut batch = RecvBatch::new();
        let from: SocketAddr = "192.0.2.7:5000".parse().unwrap();
        let datagrams = batch
            .fill(|buffers, metas| {
                buffers[0][..7].copy_from_slice(b"abcabcd");
                buffers[1][..2].copy_from_slice(b"xy");
                for (meta, (len, stride)) in metas.iter_mut().zip([(7, 3), (2, 2), (0, 0)]) {
                    meta.addr = from;
                    meta.len = len;
                    meta.stride = stride;
                }
                Ok(3)
            })
            .unwrap();
        assert_eq!(datagrams, 4);
        let seen: Vec<_> = batch.datagrams_mut().map(|(_, b)| b.to_vec()).collect();
        assert_eq!(seen, [&b"abc"[..], b"abc", b"d", b"xy"].map(<[u8]>::to_vec));
    }

    #[test]
    fn an_empty_queue_is_no_error_and_leaves_the_batch_empty() {
        let mut batch = RecvBatch::new();
        let empty = || io::Error::from(io::ErrorKind::WouldBlock);
        assert_eq!(batch.fill(|_, _| Err(empty())).unwrap(), 0);
        assert_eq!(batch.datagrams_mut().count(), 0);
    }
}
