//! SDP and our one narrow offer/answer.

mod error;

pub use error::OfferError;
