//! A shard's plain counters as Prometheus families.
//!
//! A shard counts in integers of its own and copies them out once a second. Counters here only ever
//! grow: each takes what a snapshot is ahead of it, so a snapshot observed twice counts once.

use estrade_types::{DropReason, ShardCounters};
use prometheus::{CounterVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::MetricsError;

type Read = fn(&ShardCounters) -> u64;

const GAUGES: [(&str, &str, Read); 3] = [
    ("estrade_shard_rooms", "Rooms open.", |c| c.rooms),
    ("estrade_shard_sessions", "Sessions open.", |c| c.sessions),
    (
        "estrade_shard_sessions_connected",
        "Sessions whose ICE and DTLS are up.",
        |c| c.sessions_connected,
    ),
];

const COUNTERS: [(&str, &str, Read); 16] = [
    (
        "estrade_shard_rx_datagrams_total",
        "Datagrams received.",
        |c| c.rx_datagrams,
    ),
    (
        "estrade_shard_rx_bytes_total",
        "Bytes received, UDP payload.",
        |c| c.rx_bytes,
    ),
    (
        "estrade_shard_rx_rtp_packets_total",
        "RTP packets accepted.",
        |c| c.rx_rtp_packets,
    ),
    (
        "estrade_shard_rx_rtx_packets_total",
        "Packets recovered from publishers' retransmissions.",
        |c| c.rx_rtx_packets,
    ),
    ("estrade_shard_tx_datagrams_total", "Datagrams sent.", |c| {
        c.tx_datagrams
    }),
    (
        "estrade_shard_tx_bytes_total",
        "Bytes sent, UDP payload.",
        |c| c.tx_bytes,
    ),
    (
        "estrade_shard_tx_rtp_packets_total",
        "RTP packets sent, retransmissions included.",
        |c| c.tx_rtp_packets,
    ),
    (
        "estrade_shard_tx_rtx_packets_total",
        "Retransmissions sent to receivers.",
        |c| c.tx_rtx_packets,
    ),
    (
        "estrade_shard_tx_nacked_packets_total",
        "Packets asked of publishers again.",
        |c| c.nacks_sent,
    ),
    (
        "estrade_shard_rx_nacked_packets_total",
        "Packets that receivers asked for again.",
        |c| c.nacks_received,
    ),
    (
        "estrade_shard_tx_keyframe_requests_total",
        "Keyframe requests sent to publishers.",
        |c| c.keyframe_requests_sent,
    ),
    (
        "estrade_shard_rx_keyframe_requests_total",
        "Keyframe requests from receivers.",
        |c| c.keyframe_requests_received,
    ),
    (
        "estrade_shard_cuts_total",
        "Cuts made: a receiver's slot moved to another source's keyframe.",
        |c| c.cuts,
    ),
    (
        "estrade_shard_cuts_abandoned_total",
        "Cuts given up because no keyframe came in time.",
        |c| c.cuts_abandoned,
    ),
    (
        "estrade_shard_speaker_switches_total",
        "Changes of the active speaker.",
        |c| c.speaker_switches,
    ),
    (
        "estrade_shard_turns_total",
        "Turns of the shard's loop.",
        |c| c.turns,
    ),
];

/// The families of all shards.
#[derive(Clone, Debug)]
pub(crate) struct ShardMetrics {
    gauges: Vec<(IntGaugeVec, Read)>,
    counters: Vec<(IntCounterVec, Read)>,
    handshakes: IntCounterVec,
    busy: CounterVec,
    dropped: IntCounterVec,
}

impl ShardMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let mut gauges = Vec::with_capacity(GAUGES.len());
        for (name, help, read) in GAUGES {
            let family = IntGaugeVec::new(Opts::new(name, help), &["shard"])?;
            registry.register(Box::new(family.clone()))?;
            gauges.push((family, read));
        }
        let mut counters = Vec::with_capacity(COUNTERS.len());
        for (name, help, read) in COUNTERS {
            let family = IntCounterVec::new(Opts::new(name, help), &["shard"])?;
            registry.register(Box::new(family.clone()))?;
            counters.push((family, read));
        }
        let handshakes = IntCounterVec::new(
            Opts::new(
                "estrade_shard_handshakes_total",
                "DTLS handshakes that ended, by outcome.",
            ),
            &["shard", "outcome"],
        )?;
        registry.register(Box::new(handshakes.clone()))?;
        let busy = CounterVec::new(
            Opts::new(
                "estrade_shard_busy_seconds_total",
                "Time the shard's thread spent working, kernel included.",
            ),
            &["shard"],
        )?;
        registry.register(Box::new(busy.clone()))?;
        let dropped = IntCounterVec::new(
            Opts::new(
                "estrade_shard_dropped_packets_total",
                "Packets dropped, by reason.",
            ),
            &["shard", "reason"],
        )?;
        registry.register(Box::new(dropped.clone()))?;
        Ok(Self {
            gauges,
            counters,
            handshakes,
            busy,
            dropped,
        })
    }

    pub(crate) fn observe(&self, snapshot: &ShardCounters) {
        let Some(shard) = snapshot.shard else {
            return; // The shard has not counted anything yet.
        };
        let shard = shard.0.to_string();
        for (family, read) in &self.gauges {
            family
                .with_label_values(&[&shard])
                .set(i64::try_from(read(snapshot)).unwrap_or(i64::MAX));
        }
        for (family, read) in &self.counters {
            raise(family, &[shard.as_str()], read(snapshot));
        }
        raise(
            &self.handshakes,
            &[&shard, "completed"],
            snapshot.handshakes_completed,
        );
        raise(
            &self.handshakes,
            &[&shard, "failed"],
            snapshot.handshakes_failed,
        );
        for reason in DropReason::ALL {
            raise(
                &self.dropped,
                &[&shard, reason.as_str()],
                snapshot.drops.get(reason),
            );
        }
        let busy = self.busy.with_label_values(&[&shard]);
        let seconds = std::time::Duration::from_micros(snapshot.busy_us).as_secs_f64();
        busy.inc_by((seconds - busy.get()).max(0.0));
    }
}

/// Brings a counter up to `value`, never down.
fn raise(family: &IntCounterVec, labels: &[&str], value: u64) {
    let counter = family.with_label_values(labels);
    counter.inc_by(value.saturating_sub(counter.get()));
}
