//! Rooms, roles, stage, hands and mutes: a pure state machine.
//!
//! [`Room::apply`] takes one [`Command`] at one time and either changes everything it names and says
//! so in [`Effect`]s, or changes nothing and says why in a [`RoomError`]. No clock, no I/O.

mod command;
mod event;
mod room;
mod settings;
mod view;

pub use command::{Actor, Command, JoinCommand, MuteKind, RoomError};
pub use event::{Event, EventKind, HandClosed, StageLeft};
pub use room::{Applied, Effect, Room};
pub use settings::{HandPolicy, RoomSettings};
pub use view::{HandView, ParticipantView, RoomState, RoomView, StageState};
