//! Why a call on the directory failed. Edges map these to their protocol's codes.

use std::fmt;

use estrade_room::RoomError;
use estrade_types::{CommandRefused, RoomId};

/// Why a call failed. Nothing was changed unless a variant says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectoryError {
    /// No such room: never created, ended, or on another node.
    UnknownRoom(RoomId),
    /// A room of that id exists, with other settings or without this idempotency key.
    RoomExists(RoomId),
    /// No such session or session resource.
    UnknownSession,
    /// The room refused.
    Room(RoomError),
    /// The offer cannot be answered.
    Offer(estrade_sdp::OfferError),
    /// A negotiated session cannot negotiate again: one offer per client.
    AlreadyNegotiated,
    /// A page token that we did not give out.
    InvalidPageToken,
    /// The media shard refused.
    Shard(CommandRefused),
    /// A queue is full or the server is shutting down: try again later, or elsewhere.
    Unavailable {
        /// In a few words, for the message.
        why: &'static str,
    },
    /// The call was not acknowledged in time; it may or may not have taken effect.
    TimedOut,
    /// Events from that number are no longer kept: read the state anew, then watch.
    EventsGone {
        /// The oldest number that can still be replayed.
        oldest: u64,
    },
}

impl From<RoomError> for DirectoryError {
    fn from(error: RoomError) -> Self {
        Self::Room(error)
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRoom(room) => write!(f, "no room \"{room}\" is open here"),
            Self::RoomExists(room) => write!(f, "a room \"{room}\" exists already"),
            Self::UnknownSession => write!(f, "no such session"),
            Self::Room(error) => write!(f, "{error}"),
            Self::Offer(error) => write!(f, "the offer cannot be answered: {error}"),
            Self::AlreadyNegotiated => write!(f, "the session has been negotiated already"),
            Self::InvalidPageToken => write!(f, "the page token was not given out by this server"),
            Self::Shard(refused) => write!(f, "the media shard refused: {refused:?}"),
            Self::Unavailable { why } => write!(f, "unavailable: {why}"),
            Self::TimedOut => write!(f, "not acknowledged in time"),
            Self::EventsGone { oldest } => {
                write!(f, "events before number {oldest} are no longer kept")
            }
        }
    }
}

impl std::error::Error for DirectoryError {}
