//! Real browsers in a real room: Chromium with scripted speech and a picture of one color per
//! person, Firefox as a listener.
//!
//! Every person is a browser of its own, because Chromium's fake microphone and camera are chosen
//! per process. What is checked is what arrives: the pilot tone in the voice, the color in the
//! decoded picture.

mod chromium;
mod firefox;
mod material;
mod person;
mod players;
mod probe;
mod scenarios;
mod studio;
