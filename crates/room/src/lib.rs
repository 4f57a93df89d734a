//! Rooms, roles, stage, hands and mutes: a pure state machine.
//!
//! [`Room::apply`] takes one [`Command`] at one time and either changes everything it names and says
//! so in [`Effect`]s, or changes nothing and says why in a [`RoomError`]. No clock, no I/O.
//!
//! The rules are those of `product.md` §4 for the roles host, co-host, speaker and listener. What
//! holds after every command: at most `max_stage` seats are taken, at most one participant is host,
//! nobody in the audience is permitted to send anything, and events are numbered without gap.
//! Joining, leaving and every fact cost the same in a room of ten and of a hundred thousand.

mod command;
mod event;
mod room;
mod settings;
mod view;

pub use command::{Actor, Command, JoinCommand, MuteKind, RoomError};
pub use event::{Event, EventKind, HandClosed, StageLeft};
pub use room::{Applied, Effect, Room};
pub use settings::{HandPolicy, RoomSettings};
pub use view::{HandView, ParticipantView, RoomState, RoomView, StageFilter, StageState};
