//! What is handed to a room's router, and what it hands back for it.

use std::fmt;

use estrade_types::{ParticipantKey, RxMedia, SessionId, TxMedia, WallClock};

/// Settings of a room's router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterConfig {
    /// How many current speakers are heard at once, 1 to 5; values outside are brought inside.
    pub audio_slots: u8,
    /// Both clocks at one instant, for the NTP timestamps of sender reports.
    pub wall_clock: WallClock,
    /// Canonical name of our streams in SDES (RFC 3550 §6.5.1, RFC 7022): at most 32 bytes are used.
    pub cname: String,
}

/// A session that joins a room's media.
#[derive(Clone, Copy, Debug)]
pub struct AddSession<'a> {
    /// The session's lasting id: named in events.
    pub session: SessionId,
    /// The caller's own index of the session: named in [`crate::LegAddress`] and [`crate::Egress::rtcp`].
    pub slot: u32,
    /// Whose session it is. Must have been set by [`crate::RoomRouter::set_participant`].
    pub participant: ParticipantKey,
    /// Sections in which we receive.
    pub rx: &'a [RxMedia],
    /// Sections in which we send. Their index is [`crate::LegAddress::stream`].
    pub tx: &'a [TxMedia],
    /// Random bits: first sequence numbers and timestamps come from them. RFC 3550 §5.1.
    pub seed: u64,
    /// Whether [`crate::RouterEvent::Slot`] is wanted for this session. Plain players have nobody to tell.
    pub tells_slots: bool,
}

/// A session in a router: index and generation; never leaves its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouterSession {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// Why a router refused a call; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouterError {
    /// No such participant.
    UnknownParticipant,
    /// No such session.
    UnknownSession,
    /// More sections than [`estrade_types::limits`] allow.
    Full,
    /// Sections contradict each other: a repeated MID, SSRC or slot, an empty codec list.
    Invalid,
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownParticipant => "no such participant in the room",
            Self::UnknownSession => "no such session in the room",
            Self::Full => "too many media sections",
            Self::Invalid => "media sections contradict each other",
        })
    }
}

impl std::error::Error for RouterError {}
