//! A room's events as a stream to one caller.

use std::pin::Pin;

use estrade_directory::{EventStream, WatchItem};
use estrade_telemetry::Metrics;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};
use tokio_stream::Stream;
use tonic::Status;

use crate::proto;
use crate::proto::watch_response::Item;
use crate::status::timed_out;

/// Counts the stream as open for as long as it lives.
struct Open(Metrics);

impl Open {
    fn new(metrics: Metrics) -> Self {
        metrics.observe_watch_opened();
        Self(metrics)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.observe_watch_closed();
    }
}

struct Watch {
    events: EventStream,
    until: Option<Instant>,
    /// Counts down when the stream is dropped, by us or by its caller.
    _open: Open,
}

/// Streams `events` until the room ends, the caller falls behind, or its deadline `until` comes.
///
/// Backpressure is the caller's HTTP/2 window: nothing is read from the directory that the caller
/// has not asked for, and the directory cuts off whoever falls too far behind.
pub(super) fn stream(
    events: EventStream,
    until: Option<Instant>,
    metrics: Metrics,
) -> Pin<Box<dyn Stream<Item = Result<proto::WatchResponse, Status>> + Send>> {
    let watch = Watch {
        events,
        until,
        _open: Open::new(metrics),
    };
    Box::pin(stream::unfold(Some(watch), async |watch| {
        let mut watch = watch?;
        let next = match watch.until {
            None => watch.events.next().await,
            Some(until) => match timeout_at(until, watch.events.next()).await {
                Ok(next) => next,
                Err(_) => return Some((Err(timed_out()), None)),
            },
        };
        let response = proto::WatchResponse {
            item: Some(item(next?)),
        };
        Some((Ok(response), Some(watch)))
    }))
}

fn item(item: WatchItem) -> Item {
    match item {
        WatchItem::Event(event) => Item::Event((*event).into()),
        WatchItem::Resync { revision } => Item::Resync(proto::Resync { revision }),
    }
}
