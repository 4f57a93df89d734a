//! RTP, RTCP and payload-descriptor wire formats: parse, view, rewrite in place.
//!
//! Layer 1 of the house. Bytes come in as slices and are validated once, into views that borrow
//! them; bytes go out into the caller's buffer. Nothing here allocates, keeps state between
//! packets, or knows who sent what.
//!
//! - [`DatagramKind`] tells STUN, DTLS, RTP and RTCP apart (RFC 7983, RFC 5761).
//! - [`RtpView`], [`HeaderExtensions`] and [`EgressHeader`] are the RTP header (RFC 3550 §5.1,
//!   RFC 8285).
//! - [`rtcp`] is RTCP (RFC 3550 §6, RFC 4585, RFC 5104, RFC 5506 and the transport-wide
//!   congestion control draft).
//! - [`vp8`], [`h264`] and [`rtx`] read the first bytes of payloads (RFC 7741, RFC 6184, RFC 4588).
//!
//! *Invariant*: no input can make anything here panic, and the work done is linear in the length
//! of the datagram, but for transport-wide feedback, which is linear in
//! [`rtcp::TRANSPORT_CC_STATUSES_MAX`].

mod bytes;
mod demux;
mod egress;
mod extension;
mod packet;

pub mod h264;
pub mod rtcp;
pub mod rtx;
pub mod vp8;

pub use demux::DatagramKind;
pub use egress::EgressHeader;
pub use extension::HeaderExtensions;
pub use packet::{RawExtension, RtpParseError, RtpView};
