//! The router as a whole, in virtual time: publishers whose packets are made here, receivers that
//! check every packet they get.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "test helpers: what is not as expected fails the test"
)]

mod cuts;
mod hostile;
mod property;
mod repair;
mod reports;
mod sound;
mod world;
