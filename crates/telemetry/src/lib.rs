//! Counters, histograms, Prometheus encoding, log fields and redaction.
//!
//! [`Metrics`] is fed by the edges (calls, joins) and, at each scrape, with the shards' own plain
//! counters; `server` serves [`Metrics::encode`] on its admin port. Names follow
//! `estrade_<subsystem>_<what>_<unit>[_total]`. Every label value comes from a closed set: nothing
//! that a client or an app chose (a room, an identity, a reason it sent) ever becomes a label, so
//! the number of series is bounded whatever arrives.
//!
//! [`Redacted`] and [`redact_query`] keep secrets out of log lines. The crate reads no clock and
//! logs nothing itself.

mod metrics;
mod redact;
mod shard;

pub use metrics::{CallOutcome, JoinOutcome, Metrics, MetricsError};
pub use redact::{Redacted, redact_query};
