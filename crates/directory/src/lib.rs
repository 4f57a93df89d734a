//! One task per room: runs commands, performs effects, talks to shards.
//!
//! This is the one door for the edges (`control`, `signal`) and for `server`. An edge holds a
//! [`Directory`] (cheap to clone), an interactive or WHIP/WHEP client is a [`Client`], a watcher is an
//! [`EventStream`]. Every awaited call has a deadline inside; a call returns only once the media
//! shard has applied what it asked for.
//!
//! Inside: `Directory::start` spawns one pump that carries shard events to rooms, and each room has
//! one task that owns its [`estrade_room::Room`]. Queues are bounded and nobody in here waits for a
//! slow reader: a client that falls behind loses notices and is given the state anew, a watcher
//! that falls behind is cut off and told so, facts that a room has not yet read are replaced by
//! newer ones about the same thing. This crate reads the wall clock and entropy for the rooms.

mod client;
mod clock;
mod directory;
mod error;
mod inbox;
mod notices;
mod page_token;
mod registry;
mod shard_link;
mod task;
mod watch;

pub use client::{Client, ClientNotice, DataMessage, SpeakingNotice};
pub use directory::{
    CreateOnJoin, CreateRoom, Directory, DirectoryConfig, ParticipantPage, RoomPage,
};
pub use error::DirectoryError;
pub use estrade_room::StageFilter;
pub use watch::{EventStream, WatchItem};
