//! Why a server did not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use estrade_telemetry::MetricsError;

use crate::ConfigError;

/// One of the sockets that a server listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The client edge.
    Http,
    /// The control plane.
    Grpc,
    /// Metrics and probes.
    Admin,
    /// A media shard.
    Media,
}

impl Listener {
    /// The config key that moves it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Http => "http.bind",
            Self::Grpc => "grpc.bind",
            Self::Admin => "admin.bind",
            Self::Media => "media.port_base",
        }
    }

    /// The flag of `estrade dev` that moves it.
    pub const fn dev_flag(self) -> &'static str {
        match self {
            Self::Http => "--http-port",
            Self::Grpc => "--grpc-port",
            Self::Admin => "--admin-port",
            Self::Media => "--media-port",
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP",
            Self::Grpc => "gRPC",
            Self::Admin => "admin",
            Self::Media => "media UDP",
        })
    }
}

/// Why a server did not start. Nothing was left running.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The config is not usable.
    Config(ConfigError),
    /// A socket could not be bound.
    Bind {
        /// Which.
        listener: Listener,
        /// Where.
        addr: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The media shards could not be made ready.
    Shard(io::Error),
    /// The metrics could not be registered.
    Metrics(MetricsError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(_) => write!(f, "the configuration cannot be used"),
            Self::Bind {
                listener,
                addr,
                source,
            } => match source.kind() {
                io::ErrorKind::AddrInUse => write!(
                    f,
                    "the {listener} port {} is taken by another process ({addr}); set {} or, with \
                     `estrade dev`, {} to another",
                    addr.port(),
                    listener.key(),
                    listener.dev_flag()
                ),
                io::ErrorKind::PermissionDenied => write!(
                    f,
                    "the {listener} port {} may not be used by this user ({addr}); set {} to one \
                     from 1024 on",
                    addr.port(),
                    listener.key()
                ),
                _ => write!(
                    f,
                    "the {listener} address {addr} cannot be used; see {}",
                    listener.key()
                ),
            },
            Self::Shard(_) => write!(f, "the media shards cannot start"),
            Self::Metrics(_) => write!(f, "the metrics cannot be registered"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Bind { source, .. } | Self::Shard(source) => Some(source),
            Self::Metrics(error) => Some(error),
        }
    }
}
