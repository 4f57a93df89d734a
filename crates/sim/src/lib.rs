//! Virtual time, lossy links and scripted endpoints for tests.
//!
//! A dev-dependency only. A [`World`] owns time: it holds [`Node`]s, each at one address, and the
//! [`LinkConfig`]s between them, and steps to the earliest moment at which anything happens. One
//! seed drives every link; it is printed when a test fails and `ESTRADE_SIM_SEED` replays it (see
//! [`seed()`]). No sockets, no sleeping, no clock.
//!
//! [`RtcEndpoint`] is a client built on the `rtc` crate, an implementation of ICE, DTLS, SRTP and
//! RTCP that is not ours: it publishes synthetic Opus and VP8 whose every packet can be recognized
//! ([`MediaTag`]), and records everything it receives in a [`Ledger`], which knows the promises
//! that every receiver is made ([`StreamRecord::check`]).
//!
//! What the seed does not fix are the secrets inside the endpoints (ICE passwords, DTLS randoms,
//! SSRCs), so the bytes of two runs differ; which datagram of a link is lost, doubled or late does
//! not, from the moment its configuration was set.

mod endpoint;
mod ledger;
mod link;
mod media;
mod node;
mod random;
mod seed;
mod world;

pub use endpoint::{EndpointConfig, KeyframeRequest, RtcEndpoint};
pub use ledger::{Broken, Ledger, Losses, Received, StreamRecord, StreamSummary};
pub use link::{LinkConfig, LinkCounters, Loss};
pub use media::{AudioSource, MediaTag, VideoSource};
pub use node::{Node, Outbox};
pub use random::SimRandom;
pub use seed::{SeedNote, seed};
pub use world::{NodeId, World};
