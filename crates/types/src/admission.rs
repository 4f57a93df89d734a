//! Who has been let in, and how it is connected.

use std::collections::BTreeMap;

use crate::{ParticipantId, Role, RoomId};

/// A verified join token: what its claims say, checked for form and signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The room the token is for.
    pub room: RoomId,
    /// The identity (`sub`).
    pub identity: ParticipantId,
    /// The role the app gave it.
    pub role: Role,
    /// Display name; empty when the app gave none. At most [`crate::limits::NAME_BYTES_MAX`].
    pub name: String,
    /// App-defined attributes, opaque to us. Bounded by [`crate::limits::ATTRIBUTES_MAX`].
    pub attributes: BTreeMap<String, String>,
    /// When the token was issued (`iat`), seconds of Unix time, if it says so.
    pub issued_at_s: Option<u64>,
}

/// Which door a client came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// The client WebSocket: interactive.
    WebSocket,
    /// WHIP: publishes only. RFC 9725.
    Whip,
    /// WHEP: plays only.
    Whep,
}
