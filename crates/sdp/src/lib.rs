//! SDP and our one narrow offer/answer.
//!
//! RFC 8866 (SDP), RFC 8829 (JSEP), RFC 9143 (BUNDLE), RFC 8839 (ICE), RFC 8842 (DTLS), RFC 8853
//! (simulcast), RFC 8285 (header extensions), RFC 4588 (RTX), RFC 8840 (ICE fragments).
//!
//! The directory feeds offers in and takes typed parameters out: no media thread sees SDP. The
//! server only ever answers, once per session: [`Offer::parse`] reads, [`negotiate()`] decides,
//! [`Negotiated::answer`] prints. [`IceFragment`] is the body of trickle and of an ICE restart.
//!
//! Invariant: bytes from a peer give a value or an [`OfferError`], never a panic, in memory bounded
//! by [`estrade_types::limits::SDP_BYTES_MAX`]. What this crate does not do: offers of its own,
//! renegotiation, data channels, candidates of the far end (the server is ICE-lite and learns
//! addresses from authenticated checks).

mod answer;
mod error;
mod extension;
mod fragment;
mod negotiate;
mod offer;

pub use answer::AnswerParams;
pub use error::OfferError;
pub use fragment::IceFragment;
pub use negotiate::{Negotiated, Profile, negotiate};
pub use offer::{
    Direction, Offer, OfferedCodec, OfferedExtension, OfferedSection, Setup, TransportAttributes,
};
