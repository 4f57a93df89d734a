//! What the router tells its caller: verdicts on packets, events, statistics.

use std::time::Duration;

use estrade_types::{
    AudioLevel, Bitrate, DropReason, MonoTime, ParticipantKey, RtpTimestamp, SessionId, SlotId,
    SourceKind,
};

/// A packet that was taken and passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpAccepted {
    /// Whose it is.
    pub participant: ParticipantKey,
    /// Which source of theirs.
    pub source: SourceKind,
    /// Its timestamp as sent.
    pub timestamp: RtpTimestamp,
    /// For microphones: what the speaker detector wants to know.
    pub audio: Option<AudioPacket>,
    /// Whether it came as a retransmission (RFC 4588): late, for a detector.
    pub is_retransmission: bool,
}

/// What a detector wants to know of a microphone packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioPacket {
    /// The level in its header extension; without one, a guess from the payload's size (a DTX
    /// packet is silence). RFC 6464.
    pub level: AudioLevel,
    /// How much sound one packet of the stream holds, 20 ms until learned.
    pub ptime: Duration,
    /// Whether it is newer than all before it.
    pub is_in_order: bool,
}

/// A packet that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpRefused {
    /// Why. The router has counted it in [`RouterCounters::drops`].
    pub reason: DropReason,
    /// The level of a microphone that is muted or not allowed: for a hint to its owner, and nothing
    /// else.
    pub muted: Option<MutedLevel>,
}

/// What a muted participant's microphone shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutedLevel {
    /// Who.
    pub participant: ParticipantKey,
    /// The level in the header extension.
    pub level: AudioLevel,
    /// The packet's timestamp.
    pub timestamp: RtpTimestamp,
}

/// Something the caller may want to pass on. State, not history: two changes of one slot between
/// two polls are told once, so that the queue is bounded by what exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouterEvent {
    /// A slot of a session now carries another source.
    Slot {
        /// The session.
        session: SessionId,
        /// The slot.
        slot: SlotId,
        /// What it carries; `None` for nothing.
        source: Option<(ParticipantKey, SourceKind)>,
    },
    /// A source began or ceased to deliver packets that are accepted: the first packet, none for
    /// 2 s, or the permit withdrawn.
    SourceActive {
        /// Whose.
        participant: ParticipantKey,
        /// Which.
        source: SourceKind,
        /// Whether packets flow.
        is_active: bool,
    },
}

/// What the router knows about a published source: for the director.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceStats {
    /// Whether its packets are accepted and one with a payload came within the last 2 s.
    pub is_active: bool,
    /// When the last accepted packet with a payload came. The director calls a camera stalled after
    /// 1 s without one.
    pub last_packet_at: Option<MonoTime>,
    /// Layers that deliver now, 0 to [`estrade_types::limits::ENCODINGS_MAX`]. A video source with
    /// one or more has live video.
    pub layers_live: u8,
    /// What arrives, all layers together, over the last second.
    pub bitrate: Bitrate,
}

/// What a receiver reports about one slot, and what was sent on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotStats {
    /// Packets sent, without retransmissions.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Retransmissions sent.
    pub rtx_packets: u64,
    /// Fraction lost in the last report, in 1/256. RFC 3550 §6.4.1.
    pub fraction_lost: u8,
    /// Interarrival jitter of the last report, in timestamp units.
    pub jitter: u32,
    /// Round-trip time of the last report that allowed to measure it. RFC 3550 §6.4.1.
    pub rtt: Option<Duration>,
    /// Cuts made on the slot.
    pub cuts: u64,
}

/// What a router counts, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterCounters {
    /// RTP packets accepted.
    pub rx_rtp_packets: u64,
    /// Packets recovered from publishers' retransmissions.
    pub rx_rtx_packets: u64,
    /// RTP packets sent, retransmissions included.
    pub tx_rtp_packets: u64,
    /// Retransmissions sent to receivers.
    pub tx_rtx_packets: u64,
    /// Sequence numbers asked of publishers again.
    pub nacks_sent: u64,
    /// Sequence numbers receivers asked for again.
    pub nacks_received: u64,
    /// Of these, the ones not answered: unknown, too old, too often, over the share, or without RTX.
    pub nacks_refused: u64,
    /// Keyframe requests sent to publishers.
    pub keyframe_requests_sent: u64,
    /// Keyframe requests from receivers.
    pub keyframe_requests_received: u64,
    /// Cuts made: a video slot of a receiver moved to another source or layer.
    pub cuts: u64,
    /// Cuts given up because no keyframe came in time.
    pub cuts_abandoned: u64,
    /// Packets dropped by the router.
    pub drops: estrade_types::DropCounters,
}
