//! The registry, and what the edges report to it.

use std::fmt;
use std::time::Duration;

use estrade_types::{LinkKind, ShardCounters};
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::shard::ShardMetrics;

/// Upper bounds of the latency buckets, in seconds. A control call waits for one turn of a shard,
/// so the interest is between half a millisecond and the call's own deadline of seconds.
const LATENCY_BUCKETS_S: [f64; 12] = [
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// How a gRPC call ended, as its status code's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallOutcome(pub &'static str);

/// How a client's attempt to join ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JoinOutcome {
    /// It is in the room.
    Accepted,
    /// No token, or one that is malformed or not signed by a key of ours.
    TokenInvalid,
    /// The token's time is over, or has not come.
    TokenExpired,
    /// The token is for another room, or was revoked.
    TokenRefused,
    /// No such room.
    RoomUnknown,
    /// The room or the node is full.
    Full,
    /// The room refused for another reason.
    Refused,
    /// The offer could not be answered.
    OfferInvalid,
    /// The server is overloaded or shutting down.
    Unavailable,
}

impl JoinOutcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Accepted,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenRefused,
        Self::RoomUnknown,
        Self::Full,
        Self::Refused,
        Self::OfferInvalid,
        Self::Unavailable,
    ];

    /// The word used in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::TokenInvalid => "token_invalid",
            Self::TokenExpired => "token_expired",
            Self::TokenRefused => "token_refused",
            Self::RoomUnknown => "room_unknown",
            Self::Full => "full",
            Self::Refused => "refused",
            Self::OfferInvalid => "offer_invalid",
            Self::Unavailable => "unavailable",
        }
    }
}

const fn link_label(link: LinkKind) -> &'static str {
    match link {
        LinkKind::WebSocket => "websocket",
        LinkKind::Whip => "whip",
        LinkKind::Whep => "whep",
    }
}

/// A metric could not be made or encoded: a name that breaks Prometheus' rules or is taken. Our own
/// fault, found by this crate's tests.
#[derive(Debug)]
pub struct MetricsError(prometheus::Error);

impl From<prometheus::Error> for MetricsError {
    fn from(error: prometheus::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for MetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metrics: {}", self.0)
    }
}

impl std::error::Error for MetricsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Every metric of a server. Cheap to clone; clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    shard: ShardMetrics,
    calls: IntCounterVec,
    call_duration: HistogramVec,
    watches: IntGauge,
    joins: IntCounterVec,
}

impl Metrics {
    /// Makes the registry with every metric in it. `version` is told by `estrade_build_info`.
    ///
    /// # Errors
    ///
    /// When a metric's name is malformed or taken: never, as the tests show.
    pub fn new(version: &str) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let calls = IntCounterVec::new(
            Opts::new(
                "estrade_control_calls_total",
                "gRPC calls that ended, by method and status code.",
            ),
            &["method", "code"],
        )?;
        let call_duration = HistogramVec::new(
            HistogramOpts::new(
                "estrade_control_call_duration_seconds",
                "Time from a gRPC call's arrival to its answer, the shard's acknowledgement included.",
            )
            .buckets(LATENCY_BUCKETS_S.to_vec()),
            &["method"],
        )?;
        let watches = IntGauge::new(
            "estrade_control_watches",
            "Watch streams open at this moment.",
        )?;
        let joins = IntCounterVec::new(
            Opts::new(
                "estrade_signal_joins_total",
                "Attempts of clients to join a room, by door and outcome.",
            ),
            &["link", "outcome"],
        )?;
        let build = IntGaugeVec::new(
            Opts::new("estrade_build_info", "1, labeled with the version."),
            &["version"],
        )?;
        build.with_label_values(&[version]).set(1);
        registry.register(Box::new(build))?;
        registry.register(Box::new(calls.clone()))?;
        registry.register(Box::new(call_duration.clone()))?;
        registry.register(Box::new(watches.clone()))?;
        registry.register(Box::new(joins.clone()))?;
        let shard = ShardMetrics::register(&registry)?;
        Ok(Self {
            registry,
            shard,
            calls,
            call_duration,
            watches,
            joins,
        })
    }

    /// Takes one shard's latest counters. An older snapshot changes no counter.
    pub fn observe_shard(&self, counters: &ShardCounters) {
        self.shard.observe(counters);
    }

    /// Counts one gRPC call. `method` is the method's bare name; both labels are constants of the
    /// code, never what a caller sent.
    pub fn observe_call(&self, method: &'static str, outcome: CallOutcome, elapsed: Duration) {
        self.calls.with_label_values(&[method, outcome.0]).inc();
        self.call_duration
            .with_label_values(&[method])
            .observe(elapsed.as_secs_f64());
    }

    /// Counts one watch stream opened. It is open until [`Metrics::observe_watch_closed`].
    pub fn observe_watch_opened(&self) {
        self.watches.inc();
    }

    /// Counts one watch stream closed.
    pub fn observe_watch_closed(&self) {
        self.watches.dec();
    }

    /// Counts one attempt to join.
    pub fn observe_join(&self, link: LinkKind, outcome: JoinOutcome) {
        self.joins
            .with_label_values(&[link_label(link), outcome.as_str()])
            .inc();
    }

    /// The whole registry in Prometheus' text format.
    ///
    /// # Errors
    ///
    /// When a metric cannot be encoded: never, as the tests show.
    pub fn encode(&self) -> Result<String, MetricsError> {
        let mut page = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut page)?;
        Ok(String::from_utf8_lossy(&page).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use estrade_types::{DropReason, ShardIndex};

    fn counters() -> ShardCounters {
        let mut counters = ShardCounters {
            shard: Some(ShardIndex(1)),
            rooms: 2,
            rx_rtp_packets: 100,
            busy_us: 1_500_000,
            handshakes_failed: 3,
            ..ShardCounters::default()
        };
        counters.drops.add(DropReason::AuthFailed, 7);
        counters
    }

    #[test]
    fn a_shards_counters_appear_with_its_label() {
        let metrics = Metrics::new("0.0.0").unwrap();
        metrics.observe_shard(&counters());
        let page = metrics.encode().unwrap();
        for line in [
            "estrade_shard_rooms{shard=\"1\"} 2",
            "estrade_shard_rx_rtp_packets_total{shard=\"1\"} 100",
            "estrade_shard_busy_seconds_total{shard=\"1\"} 1.5",
            "estrade_shard_handshakes_total{outcome=\"failed\",shard=\"1\"} 3",
            "estrade_shard_dropped_packets_total{reason=\"auth_failed\",shard=\"1\"} 7",
            "estrade_shard_dropped_packets_total{reason=\"replayed\",shard=\"1\"} 0",
            "estrade_build_info{version=\"0.0.0\"} 1",
        ] {
            assert!(page.lines().any(|l| l == line), "no {line:?} in:\n{page}");
        }
    }

    #[test]
    fn observing_the_same_snapshot_twice_counts_once() {
        let metrics = Metrics::new("0.0.0").unwrap();
        metrics.observe_shard(&counters());
        metrics.observe_shard(&counters());
        metrics.observe_shard(&ShardCounters {
            rx_rtp_packets: 130,
            ..counters()
        });
        let page = metrics.encode().unwrap();
        assert!(page.contains("estrade_shard_rx_rtp_packets_total{shard=\"1\"} 130"));
        assert!(page.contains("estrade_shard_busy_seconds_total{shard=\"1\"} 1.5"));
    }

    #[test]
    fn a_snapshot_that_names_no_shard_is_ignored() {
        let metrics = Metrics::new("0.0.0").unwrap();
        metrics.observe_shard(&ShardCounters::default());
        assert!(!metrics.encode().unwrap().contains("estrade_shard_"));
    }

    #[test]
    fn every_metric_is_in_the_operators_table() {
        let metrics = Metrics::new("0.0.0").unwrap();
        metrics.observe_shard(&counters());
        metrics.observe_call("GetRoom", CallOutcome("OK"), Duration::ZERO);
        metrics.observe_join(LinkKind::Whip, JoinOutcome::Accepted);
        let table = include_str!("../../../docs/OPERATIONS.md");
        for line in metrics.encode().unwrap().lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                let name = family.split(' ').next().unwrap();
                assert!(
                    table.contains(&format!("`{name}`")),
                    "no {name} in the table"
                );
            }
        }
    }

    #[test]
    fn calls_and_joins_are_counted_by_their_closed_labels() {
        let metrics = Metrics::new("0.0.0").unwrap();
        metrics.observe_call("GetRoom", CallOutcome("OK"), Duration::from_millis(3));
        for outcome in JoinOutcome::ALL {
            metrics.observe_join(LinkKind::Whep, outcome);
        }
        metrics.observe_watch_opened();
        metrics.observe_watch_opened();
        metrics.observe_watch_closed();
        let page = metrics.encode().unwrap();
        for line in [
            "estrade_control_calls_total{code=\"OK\",method=\"GetRoom\"} 1",
            "estrade_control_call_duration_seconds_bucket{method=\"GetRoom\",le=\"0.005\"} 1",
            "estrade_control_call_duration_seconds_bucket{method=\"GetRoom\",le=\"0.002\"} 0",
            "estrade_signal_joins_total{link=\"whep\",outcome=\"token_expired\"} 1",
            "estrade_control_watches 1",
        ] {
            assert!(page.lines().any(|l| l == line), "no {line:?} in:\n{page}");
        }
    }
}
