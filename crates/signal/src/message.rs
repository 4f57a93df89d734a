//! The messages of the client WebSocket: JSON text with a `type`, names in camelCase.
//!
//! The wire forms live here and nowhere else; `docs/api/client-websocket.md` is their contract.

mod client;
mod event;
mod server;
mod view;

pub(crate) use client::{Act, ClientMessage, InvalidMessage};
pub(crate) use server::{PROTOCOL, ServerMessage};
pub(crate) use view::{ParticipantJson, PermitsJson, RoomJson};
