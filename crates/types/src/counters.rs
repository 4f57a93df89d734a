//! Counters of one shard: plain integers, copied out once a second.

use crate::ShardIndex;

/// Why a packet was dropped. One counter each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// No transport at this address, and not STUN.
    UnknownSource,
    /// Not STUN, DTLS, RTP or RTCP, or cut short. RFC 7983 §7.
    Malformed,
    /// STUN that is malformed or of a kind we do not answer.
    StunInvalid,
    /// STUN for a ufrag that no session has.
    StunUnknownUfrag,
    /// STUN whose MESSAGE-INTEGRITY or FINGERPRINT does not verify.
    StunAuthFailed,
    /// DTLS from an address that ICE has not validated.
    DtlsNotValidated,
    /// DTLS beyond the handshake's limits.
    DtlsOverflow,
    /// Media before the keys are there.
    NotConnected,
    /// SRTP or SRTCP tag did not verify. RFC 3711 §3.3.
    AuthFailed,
    /// Index already seen, or older than the replay window. RFC 3711 §3.3.2.
    Replayed,
    /// An authenticated RTP packet that breaks RFC 3550 §5.1.
    RtpMalformed,
    /// An authenticated RTCP compound that breaks RFC 3550 §6.1.
    RtcpMalformed,
    /// SSRC neither signaled nor bound by MID.
    UnknownSsrc,
    /// More SSRCs than an endpoint may have.
    SsrcLimit,
    /// Payload type not negotiated for the section.
    UnknownPayloadType,
    /// From a source that is muted, demoted or never allowed.
    NotPermitted,
    /// A packet already held: a retransmission that was not needed.
    Duplicate,
    /// Older than the ring.
    TooOld,
    /// The receiver did not negotiate the source's codec.
    CodecMismatch,
    /// The send queue is full and the packet was the oldest video.
    EgressFull,
    /// The kernel refused the datagram.
    EgressFailed,
    /// A seal was refused because its SRTP index had been used.
    IndexReused,
    /// A link to another shard is full.
    LinkFull,
}

impl DropReason {
    /// Every reason, in the order of its counter.
    pub const ALL: [Self; 23] = [
        Self::UnknownSource,
        Self::Malformed,
        Self::StunInvalid,
        Self::StunUnknownUfrag,
        Self::StunAuthFailed,
        Self::DtlsNotValidated,
        Self::DtlsOverflow,
        Self::NotConnected,
        Self::AuthFailed,
        Self::Replayed,
        Self::RtpMalformed,
        Self::RtcpMalformed,
        Self::UnknownSsrc,
        Self::SsrcLimit,
        Self::UnknownPayloadType,
        Self::NotPermitted,
        Self::Duplicate,
        Self::TooOld,
        Self::CodecMismatch,
        Self::EgressFull,
        Self::EgressFailed,
        Self::IndexReused,
        Self::LinkFull,
    ];

    /// The word used in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown_source",
            Self::Malformed => "malformed",
            Self::StunInvalid => "stun_invalid",
            Self::StunUnknownUfrag => "stun_unknown_ufrag",
            Self::StunAuthFailed => "stun_auth_failed",
            Self::DtlsNotValidated => "dtls_not_validated",
            Self::DtlsOverflow => "dtls_overflow",
            Self::NotConnected => "not_connected",
            Self::AuthFailed => "auth_failed",
            Self::Replayed => "replayed",
            Self::RtpMalformed => "rtp_malformed",
            Self::RtcpMalformed => "rtcp_malformed",
            Self::UnknownSsrc => "unknown_ssrc",
            Self::SsrcLimit => "ssrc_limit",
            Self::UnknownPayloadType => "unknown_payload_type",
            Self::NotPermitted => "not_permitted",
            Self::Duplicate => "duplicate",
            Self::TooOld => "too_old",
            Self::CodecMismatch => "codec_mismatch",
            Self::EgressFull => "egress_full",
            Self::EgressFailed => "egress_failed",
            Self::IndexReused => "index_reused",
            Self::LinkFull => "link_full",
        }
    }
}

/// One counter per [`DropReason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropCounters([u64; DropReason::ALL.len()]);

impl DropCounters {
    /// Counts one packet.
    pub fn count(&mut self, reason: DropReason) {
        self.add(reason, 1);
    }

    /// Counts `packets`.
    pub fn add(&mut self, reason: DropReason, packets: u64) {
        if let Some(counter) = self.0.get_mut(reason as usize) {
            *counter = counter.saturating_add(packets);
        }
    }

    /// How many were dropped for `reason`.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }
}

/// Everything a shard counts. Cumulative since its start, except where a gauge is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardCounters {
    /// Which shard; `None` before it is set.
    pub shard: Option<ShardIndex>,
    /// Gauge: open rooms.
    pub rooms: u64,
    /// Gauge: open sessions.
    pub sessions: u64,
    /// Gauge: sessions whose ICE and DTLS are up.
    pub sessions_connected: u64,
    /// Datagrams received.
    pub rx_datagrams: u64,
    /// Bytes received, UDP payload.
    pub rx_bytes: u64,
    /// RTP packets accepted.
    pub rx_rtp_packets: u64,
    /// RTP packets sent, retransmissions included.
    pub tx_rtp_packets: u64,
    /// Datagrams sent.
    pub tx_datagrams: u64,
    /// Bytes sent, UDP payload.
    pub tx_bytes: u64,
    /// Retransmissions sent to receivers.
    pub tx_rtx_packets: u64,
    /// Packets recovered from publishers' retransmissions.
    pub rx_rtx_packets: u64,
    /// Sequence numbers asked of publishers again.
    pub nacks_sent: u64,
    /// Sequence numbers receivers asked for again.
    pub nacks_received: u64,
    /// Keyframe requests sent to publishers.
    pub keyframe_requests_sent: u64,
    /// Keyframe requests from receivers.
    pub keyframe_requests_received: u64,
    /// Cuts made: a slot of a receiver moved to another source's keyframe.
    pub cuts: u64,
    /// Cuts given up because no keyframe came in time.
    pub cuts_abandoned: u64,
    /// Changes of the active speaker.
    pub speaker_switches: u64,
    /// DTLS handshakes completed.
    pub handshakes_completed: u64,
    /// DTLS handshakes failed.
    pub handshakes_failed: u64,
    /// Events dropped because control was slow to read: levels and bindings first.
    pub events_dropped: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Microseconds of those turns spent working, kernel included.
    pub busy_us: u64,
    /// Packets dropped.
    pub drops: DropCounters,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter_and_label() {
        let mut drops = DropCounters::default();
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            drops.count(reason);
            assert_eq!(drops.get(reason), 1);
        }
        let labels: std::collections::BTreeSet<_> = DropReason::ALL
            .into_iter()
            .map(DropReason::as_str)
            .collect();
        assert_eq!(labels.len(), DropReason::ALL.len());
    }
}
