//! Batched UDP for Linux: recvmmsg with GRO, sendmmsg with GSO, and the poll that a shard sleeps in.
//!
//! The shard's thread is the only user. Nothing here knows what the datagrams mean; nothing here
//! reads a clock, takes a lock or allocates after construction.
//!
//! The only crate with `unsafe`, for these reasons and no other: `sendmmsg` and the zeroed headers
//! it reads (module `send`), `epoll` and `eventfd` (module `poller`), `getifaddrs` (module
//! `interfaces`). Reception goes through the `quinn-udp` types that `webrtc` re-exports, and socket
//! options through `socket2`; both are safe to call. Miri cannot run system calls: the tests do.

#![expect(
    unsafe_code,
    reason = "system calls that neither std nor socket2 offer"
)]

mod interfaces;
mod poller;
mod receive;
mod send;
mod socket;

pub use interfaces::local_addresses;
pub use poller::{Poller, Readiness, Waker};
pub use receive::RecvBatch;
pub use send::{Flushed, SendBatch, Urgency};
pub use socket::UdpSocket;
