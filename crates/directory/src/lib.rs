//! One task per room: runs commands, performs effects, talks to shards.
//!
//! This is the one door for the edges (`control`, `signal`) and for `server`. An edge holds a
//! [`Directory`] (cheap to clone), an interactive or WHIP/WHEP client is a [`Client`], a watcher is an
//! [`EventStream`]. Every awaited call has a deadline inside; a call returns only once the media
//! shard has applied what it asked for.

mod client;
mod directory;
mod error;
mod watch;

pub use client::{Client, ClientNotice, DataMessage, SpeakingNotice};
pub use directory::{
    CreateOnJoin, CreateRoom, Directory, DirectoryConfig, ParticipantPage, RoomPage, StageFilter,
};
pub use error::DirectoryError;
pub use watch::{EventStream, WatchItem};
