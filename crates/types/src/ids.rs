//! Identifiers. Lasting ones (`RoomId`, `ParticipantId`, `SessionId`) may be logged and sent;
//! keys (`RoomKey`, `ParticipantKey`) are the media plane's short names for them on one node.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

/// A name an app or a client chose that cannot be taken as an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidName {
    /// Nothing in it.
    Empty,
    /// Longer than the named number of bytes.
    TooLong {
        /// The most bytes allowed.
        max: usize,
    },
    /// A character outside the allowed set, at this byte.
    Character {
        /// Offset in bytes of the offending character.
        at: usize,
    },
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "must not be empty"),
            Self::TooLong { max } => write!(f, "must be at most {max} bytes"),
            Self::Character { at } => write!(f, "has a character that is not allowed at byte {at}"),
        }
    }
}

impl std::error::Error for InvalidName {}

/// Lasting id of a room, chosen by the app: 1 to 64 of `A-Z a-z 0-9 . _ ~ -`, so that it stands in
/// a URL path unescaped. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(Arc<str>);

impl RoomId {
    /// The most bytes in a room id.
    pub const LEN_MAX: usize = 64;

    /// Accepts a well-formed room id.
    ///
    /// # Errors
    ///
    /// When empty, too long, or with a character outside `A-Z a-z 0-9 . _ ~ -`.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        check(name, Self::LEN_MAX, |c| {
            c.is_ascii_alphanumeric() || "._~-".contains(c)
        })?;
        Ok(Self(Arc::from(name)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lasting id of a participant in a room: the identity (`sub`) of its token. 1 to 128 bytes of
/// printable text without control characters. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantId(Arc<str>);

impl ParticipantId {
    /// The most bytes in an identity.
    pub const LEN_MAX: usize = 128;

    /// Accepts a well-formed identity.
    ///
    /// # Errors
    ///
    /// When empty, too long, or with a control character.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        check(name, Self::LEN_MAX, |c| !c.is_control())?;
        Ok(Self(Arc::from(name)))
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(name: &str, max: usize, allowed: impl Fn(char) -> bool) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty);
    }
    if name.len() > max {
        return Err(InvalidName::TooLong { max });
    }
    match name.char_indices().find(|(_, c)| !allowed(*c)) {
        Some((at, _)) => Err(InvalidName::Character { at }),
        None => Ok(()),
    }
}

/// The media plane's name for a room on this node; given out once, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomKey(pub u64);

/// The media plane's name for a participant within its room; given out once per room, never
/// reused. It is also the CSRC that names the participant in forwarded packets (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantKey(pub NonZeroU32);

/// Lasting id of one endpoint's session (one transport) on this node; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Ties a command to its acknowledgement. Unique per shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// Which media shard of this node, dense from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardIndex(pub u16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_ids_stand_unescaped_in_a_url_path() {
        assert!(RoomId::new("town-hall_2.x~").is_ok());
        assert_eq!(RoomId::new("a/b"), Err(InvalidName::Character { at: 1 }));
        assert_eq!(RoomId::new(""), Err(InvalidName::Empty));
        assert_eq!(
            RoomId::new(&"x".repeat(65)),
            Err(InvalidName::TooLong { max: 64 })
        );
    }

    #[test]
    fn identities_may_be_any_text_without_control_characters() {
        assert!(ParticipantId::new("Zoë @ home").is_ok());
        assert_eq!(
            ParticipantId::new("a\nb"),
            Err(InvalidName::Character { at: 1 })
        );
    }
}
