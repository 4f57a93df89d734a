//! The admin port: metrics and probes. Unauthenticated, so it is bound to loopback by default.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use estrade_directory::Directory;
use estrade_telemetry::Metrics;
use tokio::sync::watch;

#[derive(Clone)]
struct Admin {
    directory: Directory,
    metrics: Metrics,
    draining: watch::Receiver<bool>,
}

/// Serves `/metrics` (Prometheus text), `/healthz` (the process answers) and `/readyz` (it takes
/// rooms and clients: every shard runs and no stop has begun).
pub(super) fn router(
    directory: Directory,
    metrics: Metrics,
    draining: watch::Receiver<bool>,
) -> Router {
    Router::new()
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(Admin {
            directory,
            metrics,
            draining,
        })
}

async fn metrics_page(State(admin): State<Admin>) -> Response {
    for counters in admin.directory.counters() {
        admin.metrics.observe_shard(&counters);
    }
    match admin.metrics.encode() {
        Ok(page) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
            (kind, page).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if *admin.draining.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if admin.directory.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "a media shard is down\n")
    }
}
