//! Ids, units, time, limits, and the messages between control and media.
//!
//! Layer 0 of the house: every other crate may use this one, and this one uses none of ours. It
//! holds no behavior beyond what keeps its values right: no clock, no socket, no lock.

mod admission;
mod command;
mod counters;
mod event;
mod ids;
mod media;
mod participant;
mod rtp;
mod time;
mod units;

pub mod limits;

pub use admission::{Admission, LinkKind};
pub use command::{
    CommandOutcome, CommandRefused, MediaRoomSettings, NoVideoPolicy, OpenSession, ShardCommand,
    SpeakerRule, SwitchPolicy,
};
pub use counters::{DropCounters, DropReason, ShardCounters};
pub use event::{CloseReason, ProgrammeReason, SessionState, ShardEvent, SpeakingParticipant};
pub use ids::{
    CommandId, InvalidName, ParticipantId, ParticipantKey, RoomId, RoomKey, SessionId, ShardIndex,
};
pub use media::{
    CNAME, Codec, DeclaredSsrc, ExtensionId, ExtensionMap, Fingerprint, IceCredentials, MediaKind,
    NegotiatedCodec, RxMedia, SlotId, SourceKind, TxMedia,
};
pub use participant::{Permits, Role, StageRank, StageSeat};
pub use rtp::{
    AudioLevel, ClockRate, ExtSeqNo, Mid, PayloadType, Rid, RtpTimestamp, SeqExtender, SeqNo, Ssrc,
};
pub use time::{MonoTime, NtpShort, NtpTime, WallClock};
pub use units::{Bitrate, DataSize};
