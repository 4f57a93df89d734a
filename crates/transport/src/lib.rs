//! One endpoint's transport: ICE-lite (RFC 8445), DTLS 1.2 (RFC 6347) and SRTP (RFC 3711, RFC 7714).
//!
//! Sans-IO: the shard feeds datagrams, plain packets and time into a [`Transport`] and takes
//! datagrams, events and one deadline out of it. We are always the lite, controlled agent and the
//! passive DTLS side.
//!
//! How a shard drives one:
//!
//! 1. It sorts a datagram by its first bytes (RFC 7983). The address map names the transport; for
//!    STUN from an unknown address [`stun::server_ufrag`] and [`decode_ufrag`] do.
//! 2. [`Transport::on_stun`] answers a check. Its [`StunReply`] says whether the address was just
//!    validated (add it to the address map), which address was given up for it (remove that one),
//!    and whether media moved to it. Only validated addresses may be in the map.
//! 3. [`Transport::on_dtls`] drives the handshake; [`TransportEvent::Connected`] follows.
//! 4. [`Transport::unprotect_rtp`] and the like open and seal in place, without allocation.
//! 5. After each call that is not a packet's, and at [`Transport::next_deadline`]: drain
//!    [`Transport::poll_transmit`] and [`Transport::poll_event`]. Dropping the value releases all.
//!
//! Invariant: nothing that has not been authenticated changes any state but what the handshake
//! itself needs, which is bounded in bytes, records and time.

mod certificate;
mod dtls;
mod ice;
mod srtp;
pub mod stun;
mod transport;
mod ufrag;

pub use certificate::{Certificate, CertificateError};
pub use ice::StunReply;
pub use srtp::{
    SRTCP_OVERHEAD_MAX, SRTP_OVERHEAD_MAX, SrtpMasterKey, SrtpProfile, SrtpRx, SrtpTx, TxStreamSlot,
};
pub use transport::{Transport, TransportConfig, TransportError, TransportEvent};
pub use ufrag::{UfragPlace, decode_ufrag, encode_ufrag, local_credentials};
