//! Who is speaking (the detectors), and whose picture is on (the director).
//!
//! Layer 3, sans-IO: time and facts go in, events, decisions and a deadline come out. The shard
//! feeds the [`Detector`] the RFC 6464 levels of the room's stage, carries its events into the
//! [`Director`], and hands the director's [`Decision`]s to the router, which cuts.
//!
//! - [`ReferenceDetector`] is the rule shipped by Jitsi and mediasoup in its exact integer form.
//! - [`EvidenceDetector`] is Estrade's own: evidence in one sum, decided on every packet.
//! - [`AnyDetector`] is either, as the room's settings say.
//!
//! Invariants: nothing is allocated after construction; the active speaker is a current, unmuted
//! candidate or nobody; the programme's owner sits on the stage; the same inputs give the same
//! outputs.

mod claim;
mod clock;
mod detector;
mod director;
mod evidence;
mod panel;
mod reference;
mod voice;

pub use detector::{AnyDetector, Detector, DetectorCounters, Mute, SpeakerEvent};
pub use director::{Decision, Director, DirectorSettings, Picture, RECENT_MAX, SpotlightRefused};
pub use evidence::{EvidenceDetector, EvidenceSettings};
pub use reference::{ReferenceDetector, ReferenceSettings};
