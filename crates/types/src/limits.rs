//! Every limit of the house, with what happens at it.

/// Largest datagram we read or send, in bytes; longer ones are dropped as malformed.
pub const DATAGRAM_BYTES_MAX: usize = 1500;

/// Sessions on one shard; the next is refused with `Full`.
pub const SESSIONS_PER_SHARD_MAX: usize = 65_536;

/// Rooms on one shard; the next is refused with `Full`.
pub const ROOMS_PER_SHARD_MAX: usize = 16_384;

/// Media sections in which one session sends to us; an offer with more is refused.
pub const RX_SECTIONS_MAX: usize = 4;

/// Media sections in which we send to one session; further slots are answered inactive.
pub const TX_SECTIONS_MAX: usize = 16;

/// Encodings of one source; further RIDs are not accepted in the answer.
pub const ENCODINGS_MAX: usize = 3;

/// SSRCs one endpoint may bind, retransmission streams included; packets of others are dropped.
pub const SSRCS_PER_SESSION_MAX: usize = 24;

/// Spotlights in a room; more are refused.
pub const SPOTLIGHTS_MAX: usize = 9;

/// Commands a shard applies in one turn; the rest wait for the next.
pub const COMMANDS_PER_TURN_MAX: usize = 256;

/// Deadlines a shard serves in one turn; the rest wait for the next, after the socket was read.
pub const TIMERS_PER_TURN_MAX: usize = 4_096;

/// Commands waiting for a shard; the next call is refused as unavailable.
pub const COMMAND_QUEUE_MAX: usize = 8_192;

/// Events waiting for control; levels and bindings are dropped first, then the shard holds back.
pub const EVENT_QUEUE_MAX: usize = 16_384;

/// Datagrams read or sent by one system call.
pub const BATCH_DATAGRAMS_MAX: usize = 64;

/// Bytes of a display name.
pub const NAME_BYTES_MAX: usize = 256;

/// Attributes of a room or a participant.
pub const ATTRIBUTES_MAX: usize = 64;

/// Bytes of an attribute's key, and of its value.
pub const ATTRIBUTE_BYTES_MAX: usize = 1_024;

/// Bytes of an SDP offer or fragment; more is refused before parsing.
pub const SDP_BYTES_MAX: usize = 64 * 1_024;

/// Participants of one room; the next join is refused.
pub const PARTICIPANTS_PER_ROOM_MAX: usize = 100_000;

/// Speakers, co-hosts and host of one room together.
pub const STAGE_MAX: usize = 50;

/// Raised hands waiting in one room; the next is refused.
pub const HANDS_MAX: usize = 1_000;

/// Events of a room kept for watchers that resume; older ones cannot be replayed.
pub const EVENTS_KEPT_PER_ROOM: usize = 4_096;

/// Notices waiting for one client or watcher; one that falls further behind is cut off and told.
pub const NOTICE_QUEUE_MAX: usize = 1_024;

/// Bytes of one data message.
pub const DATA_MESSAGE_BYTES_MAX: usize = 16 * 1_024;
