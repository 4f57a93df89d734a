//! A running server: everything wired together, started and stopped in this process.
//!
//! Order of a start: the config is checked, then every socket is bound, then shards, directory and
//! edges run. A start that fails has left nothing behind. Order of a stop: not ready, no new calls
//! or connections, rooms end with a reason, connections close, shards end; each within what is left
//! of the grace, and whatever is left then is dropped.

mod admin;
mod error;
mod http;
mod shards;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use estrade_control::{ApiKeys, ControlConfig};
use estrade_directory::{Directory, DirectoryConfig};
use estrade_shard::ShardHandle;
use estrade_signal::{AllowedOrigins, ApiKey, SignalConfig};
use estrade_telemetry::Metrics;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::Config;

pub use error::{Listener, StartError};

/// A running server. Stop it with [`Server::stop`]; dropping it stops it at once, untold.
#[derive(Debug)]
pub struct Server {
    http_addr: SocketAddr,
    grpc_addr: SocketAddr,
    admin_addr: SocketAddr,
    directory: Directory,
    metrics: Metrics,
    shards: Vec<ShardHandle>,
    /// Says when the edges refuse new connections.
    drain: watch::Sender<bool>,
    /// Says when the admin port closes, after all else.
    close: watch::Sender<bool>,
    edges: Vec<JoinHandle<()>>,
    admin: JoinHandle<()>,
}

impl Server {
    /// Starts a server; it serves when this returns. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the config is not usable, a port is taken, or a shard cannot start. Nothing runs then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.check().map_err(StartError::Config)?;
        let http = bind(Listener::Http, config.http.bind).await?;
        let grpc = bind(Listener::Grpc, config.grpc.bind).await?;
        let admin = bind(Listener::Admin, config.admin.bind).await?;
        let http_addr = local_addr(Listener::Http, &http)?;
        let grpc_addr = local_addr(Listener::Grpc, &grpc)?;
        let admin_addr = local_addr(Listener::Admin, &admin)?;
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION")).map_err(StartError::Metrics)?;
        let (directory, shards) = shards::start(&config.media, directory_config(&config))?;

        let (drain, draining) = watch::channel(false);
        let (close, closing) = watch::channel(false);
        let clients =
            estrade_signal::router(signal_config(&config), directory.clone(), metrics.clone());
        let clients = http::serve(http::CLIENTS_MAX, http, clients, draining.clone());
        let calls = estrade_control::serve(
            control_config(&config)?,
            grpc,
            directory.clone(),
            metrics.clone(),
            told(draining.clone()),
        );
        let probes = admin::router(directory.clone(), metrics.clone(), draining);
        let probes = http::serve(http::PROBES_MAX, admin, probes, closing);
        Ok(Self {
            http_addr,
            grpc_addr,
            admin_addr,
            directory,
            metrics,
            shards,
            drain,
            close,
            edges: vec![spawn(Listener::Http, clients), spawn(Listener::Grpc, calls)],
            admin: spawn(Listener::Admin, probes),
        })
    }

    /// Where the client edge listens.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Where the control plane listens.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc_addr
    }

    /// Where the admin port listens.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// The addresses told to clients for media, shard by shard.
    pub fn media_addrs(&self) -> Vec<SocketAddr> {
        self.shards
            .iter()
            .flat_map(|shard| shard.candidates().iter().copied())
            .collect()
    }

    /// The directory, for embedders that need no gRPC.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Stops the server within `grace`: rooms end with a reason, clients are told, every thread and
    /// task has ended or been dropped when this returns.
    pub async fn stop(mut self, grace: Duration) {
        let until = Instant::now() + grace;
        self.drain.send_replace(true);
        // A part of the grace stays for the goodbyes to leave the sockets.
        let told = timeout_at(until, self.directory.shut_down(grace.mul_f32(0.7))).await;
        if told.is_err() {
            tracing::warn!("rooms did not end within the grace");
        }
        for edge in &mut self.edges {
            if timeout_at(until, &mut *edge).await.is_err() {
                tracing::warn!("connections were cut at the end of the grace");
                cut(edge).await;
            }
        }
        self.stop_shards(until).await;
        self.close.send_replace(true);
        if timeout_at(until, &mut self.admin).await.is_err() {
            cut(&mut self.admin).await;
        }
    }

    async fn stop_shards(&self, until: Instant) {
        for shard in &self.shards {
            shard.stop();
        }
        let shards = self.shards.clone();
        // At least a moment, even at the end of the grace: ports are free when a stop returns.
        let patience = until
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(200));
        let ended = tokio::task::spawn_blocking(move || {
            let until = Instant::now() + patience;
            shards
                .iter()
                .all(|shard| shard.join(until.saturating_duration_since(Instant::now())))
        });
        if !ended.await.unwrap_or(false) {
            tracing::warn!("a media shard did not end within the grace");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for shard in &self.shards {
            shard.stop();
        }
        for edge in &self.edges {
            edge.abort();
        }
        self.admin.abort();
    }
}

/// Ends a task and waits until it is gone, and with it the port that it held.
async fn cut<T>(task: &mut JoinHandle<T>) {
    task.abort();
    // It says that it was canceled, or what it came to at the last moment: neither matters now.
    drop(task.await);
}

async fn bind(listener: Listener, addr: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(addr)
        .await
        .map_err(|source| StartError::Bind {
            listener,
            addr,
            source,
        })
}

fn local_addr(listener: Listener, socket: &TcpListener) -> Result<SocketAddr, StartError> {
    socket.local_addr().map_err(|source| StartError::Bind {
        listener,
        addr: SocketAddr::from(([0, 0, 0, 0], 0)),
        source,
    })
}

/// Resolves once the flag is raised, or its owner is gone.
async fn told(mut flag: watch::Receiver<bool>) {
    // An error means that the server was dropped: that is a reason to end as well.
    drop(flag.wait_for(|is_raised| *is_raised).await);
}

fn spawn<E: std::error::Error + Send + 'static>(
    listener: Listener,
    serving: impl Future<Output = Result<(), E>> + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%listener, error = &error as &dyn std::error::Error, "stopped serving");
        }
    })
}

fn directory_config(config: &Config) -> DirectoryConfig {
    DirectoryConfig {
        create_on_join: config.rooms.create_on_join,
        room_defaults: config.rooms.defaults.clone(),
        max_rooms: config.rooms.max_rooms,
        ..DirectoryConfig::default()
    }
}

fn signal_config(config: &Config) -> SignalConfig {
    let origins = &config.http.cors_origins;
    SignalConfig {
        keys: api_keys(config),
        token_leeway: config.http.token_leeway,
        origins: if origins.iter().any(|origin| origin == "*") {
            AllowedOrigins::Any
        } else {
            AllowedOrigins::Only(origins.clone())
        },
        is_dev: config.dev,
        http_sessions_max: config.http.whip_whep_sessions_max,
        websockets_max: config.http.websockets_max,
        ..SignalConfig::default()
    }
}

/// The keys as the client edge takes them, in order of their names.
pub(crate) fn api_keys(config: &Config) -> Vec<ApiKey> {
    let keys = config.keys.iter();
    keys.map(|(id, secret)| ApiKey {
        id: id.clone(),
        secret: secret.expose().to_owned(),
    })
    .collect()
}

fn control_config(config: &Config) -> Result<ControlConfig, StartError> {
    let mut keys = ApiKeys::new();
    for (key, secret) in &config.keys {
        keys.insert(key, secret.expose())
            .map_err(|error| StartError::Shard(io::Error::other(error)))?;
    }
    Ok(ControlConfig {
        keys,
        reflection: config.grpc.reflection,
    })
}
