//! What a shard is told at its start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use estrade_types::ShardIndex;

/// How one shard is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardConfig {
    /// Which shard this is, dense from 0.
    pub index: ShardIndex,
    /// Where its UDP socket is bound; port 0 lets the system choose. The IPv6 wildcard also takes
    /// IPv4. On a machine with several addresses in one network a wildcard lets the system choose
    /// which of them answers leave from: name the advertised one there.
    pub bind: SocketAddr,
    /// Addresses told to endpoints, with the port that was bound. When empty and `bind` names an
    /// address, that one; when empty and `bind` is a wildcard, the machine's own addresses that are
    /// not loopback, or else loopback.
    pub advertise: Vec<IpAddr>,
    /// Bytes asked of the kernel for each of the socket's two buffers; less is accepted. Too small
    /// loses packets in bursts, too large delays them when the machine is behind.
    pub socket_buffer_bytes: usize,
    /// The instant of [`estrade_types::MonoTime::ZERO`], the same for all shards of a server and
    /// for whoever reads the times in their events.
    pub epoch: Instant,
}

impl ShardConfig {
    /// A shard on a port of the system's choice.
    pub fn new(index: ShardIndex, bind: SocketAddr) -> Self {
        Self {
            index,
            bind,
            ..Self::default()
        }
    }
}

impl Default for ShardConfig {
    /// Any address, any port, time from now.
    #[expect(
        clippy::disallowed_methods,
        reason = "an origin for a server with one shard"
    )]
    fn default() -> Self {
        Self {
            index: ShardIndex(0),
            bind: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            advertise: Vec::new(),
            socket_buffer_bytes: 4 << 20,
            epoch: Instant::now(),
        }
    }
}
