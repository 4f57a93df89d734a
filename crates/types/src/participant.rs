//! Roles, and what follows from them for the media plane.

/// What a participant is in its room. A claim of its token, changed by moderation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Leads the room; at most one.
    Host,
    /// Moderates and speaks.
    Cohost,
    /// Speaks.
    Speaker,
    /// Receives only.
    Listener,
}

impl Role {
    /// Every role, most powerful first.
    pub const ALL: [Self; 4] = [Self::Host, Self::Cohost, Self::Speaker, Self::Listener];

    /// The word used in tokens, messages and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Cohost => "cohost",
            Self::Speaker => "speaker",
            Self::Listener => "listener",
        }
    }

    /// Reads the word used in tokens and messages.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether the role sits on the stage.
    pub const fn is_on_stage(self) -> bool {
        !matches!(self, Self::Listener)
    }

    /// Whether the role may moderate others.
    pub const fn is_moderator(self) -> bool {
        matches!(self, Self::Host | Self::Cohost)
    }
}

/// What the media plane takes from a participant; everything else is dropped at ingress.
///
/// The outcome of `role_allows and room_allows and not locked and not server_muted and not
/// self_muted`, worked out by the room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Permits {
    /// Microphone packets are accepted, heard, and counted as speech.
    pub microphone: bool,
    /// Camera packets are accepted.
    pub camera: bool,
    /// Screen packets are accepted.
    pub screen: bool,
}

impl Permits {
    /// Nothing is accepted: a listener.
    pub const NONE: Self = Self {
        microphone: false,
        camera: false,
        screen: false,
    };
    /// Everything is accepted.
    pub const ALL: Self = Self {
        microphone: true,
        camera: true,
        screen: true,
    };
}

/// Order in which the picture falls back when nobody speaks: lower first. `product.md` §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StageRank {
    /// The host.
    Host,
    /// A co-host.
    Cohost,
    /// Any other speaker.
    Speaker,
}

/// A place on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageSeat {
    /// Rank in the fallback order.
    pub rank: StageRank,
    /// Grows with each seating in the room: lower has been on stage longer.
    pub order: u64,
}
