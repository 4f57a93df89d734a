//! The gRPC server: the service with its limits, health and reflection, on a bound listener.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use estrade_directory::Directory;
use estrade_telemetry::Metrics;
use tokio::net::TcpListener;
use tonic::transport::Server;

use crate::ApiKeys;
use crate::incoming::{CONNECTIONS_MAX, incoming};
use crate::proto::FILE_DESCRIPTOR_SET;
use crate::proto::room_service_server::RoomServiceServer;
use crate::service::Rooms;

/// Bytes of a request message. The largest sensible one creates a room with all its attributes:
/// 64 times 2 KiB.
const MESSAGE_BYTES_MAX: usize = 256 * 1_024;

/// Calls in progress on one connection; further ones wait. Open watches do not count.
const CALLS_PER_CONNECTION_MAX: usize = 256;

/// HTTP/2 streams on one connection, open watches included; the caller's library queues more.
const STREAMS_PER_CONNECTION_MAX: u32 = 1_024;

/// Bytes of a request's headers; ours are a key, a path and a timeout.
const HEADER_BYTES_MAX: u32 = 16 * 1_024;

/// A connection that answers no ping for this long is closed: its watches would leak otherwise.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// How the control plane is set up.
#[derive(Clone, Debug)]
pub struct ControlConfig {
    /// Who may call.
    pub keys: ApiKeys,
    /// Whether reflection is served, so that tools such as grpcurl need no proto files. It needs no
    /// API key: the contract is public.
    pub reflection: bool,
}

/// The server ended by itself.
#[derive(Debug)]
pub struct ServeError(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gRPC server failed")
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}

/// Serves on `listener` until `shutdown`; then refuses new calls and returns once those in progress
/// have ended, watches included (the directory ends them with their rooms).
///
/// Health (`grpc.health.v1`) needs no API key; it says `NOT_SERVING` from `shutdown` on.
///
/// # Errors
///
/// When the listener fails or the descriptors cannot be served.
pub async fn serve(
    config: ControlConfig,
    listener: TcpListener,
    directory: Directory,
    metrics: Metrics,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let rooms = Rooms::new(directory, config.keys, metrics);
    let service = RoomServiceServer::new(rooms).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<RoomServiceServer<Rooms>>().await;
    let (v1, v1alpha) = if config.reflection {
        let v1 = reflection().build_v1().map_err(failed)?;
        let v1alpha = reflection().build_v1alpha().map_err(failed)?;
        (Some(v1), Some(v1alpha))
    } else {
        (None, None)
    };
    Server::builder()
        .concurrency_limit_per_connection(CALLS_PER_CONNECTION_MAX)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_service(service)
        .add_service(health_service)
        .add_optional_service(v1)
        .add_optional_service(v1alpha)
        .serve_with_incoming_shutdown(incoming(listener, CONNECTIONS_MAX), async move {
            shutdown.await;
            health.set_not_serving::<RoomServiceServer<Rooms>>().await;
        })
        .await
        .map_err(failed)
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ServeError {
    ServeError(error.into())
}
