//! The detectors from outside, in virtual time: what `speaker.md` and `product.md` §3 ask of them.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests: a panic is the failure they report"
)]

mod literal;
mod property;
mod room;
mod rules;
mod signals;
