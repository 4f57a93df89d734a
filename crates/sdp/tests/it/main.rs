//! Real endpoints' offers, and what we answer them.

mod bytes;
mod offers;
