//! A server's settings: typed, and checked whole before anything is bound.
//!
//! `file` is the YAML as written, `check` turns it into [`Config`], and `locate` finds the line to
//! blame. A test keeps `config/estrade.yaml` equal to [`Config::default`], key by key.

mod check;
mod file;
mod locate;
mod span;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use estrade_directory::CreateOnJoin;
use estrade_room::RoomSettings;

pub use check::{ConfigError, ConfigProblem};
pub use span::parse_span;

/// The API key of `estrade dev`.
pub const DEV_KEY: &str = "devkey";

/// The secret of [`DEV_KEY`]. Everybody knows it: the server refuses it on any address that is not
/// loopback.
pub const DEV_SECRET: &str = "estrade-development-secret-known-to-all";

/// A secret that no log line and no debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The client edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where WHIP, WHEP, the WebSocket, the SDK and the page are served.
    pub bind: SocketAddr,
    /// Pages of these origins may call; `*` for any.
    pub cors_origins: Vec<String>,
    /// How far a token's times may be off our clock.
    pub token_leeway: Duration,
    /// WebSockets at once.
    pub websockets_max: usize,
    /// WHIP and WHEP sessions at once.
    pub whip_whep_sessions_max: usize,
}

/// The control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcConfig {
    /// Where gRPC is served.
    pub bind: SocketAddr,
    /// Whether reflection is served.
    pub reflection: bool,
}

/// The admin port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Where `/metrics`, `/healthz` and `/readyz` are served.
    pub bind: SocketAddr,
}

/// The media shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaConfig {
    /// Address of the UDP sockets.
    pub bind: IpAddr,
    /// UDP port of shard 0; shard n has the n-th after it. 0 lets the system choose each.
    pub port_base: u16,
    /// How many shards; 0 for one per core.
    pub shards: u16,
    /// Addresses told to clients; empty for the ones that the sockets are bound to.
    pub advertise_ips: Vec<IpAddr>,
    /// Bytes asked of the kernel for each socket's two buffers.
    pub socket_buffer_bytes: usize,
}

impl MediaConfig {
    /// How many shards run, cores counted.
    pub fn shard_count(&self) -> u16 {
        if self.shards > 0 {
            return self.shards;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        u16::try_from(cores)
            .unwrap_or(file::SHARDS_MAX)
            .min(file::SHARDS_MAX)
    }
}

/// Rooms on this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomsConfig {
    /// Whether a join makes the room it names.
    pub create_on_join: CreateOnJoin,
    /// Rooms at once.
    pub max_rooms: usize,
    /// Settings of rooms made by a join, and of `CreateRoom` where it leaves some out.
    pub defaults: RoomSettings,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or filter directives such as `info,estrade_directory=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// Everything a server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Development mode: whoever asks is given a token.
    pub dev: bool,
    /// The client edge.
    pub http: HttpConfig,
    /// The control plane.
    pub grpc: GrpcConfig,
    /// The admin port.
    pub admin: AdminConfig,
    /// The media shards.
    pub media: MediaConfig,
    /// API keys and their secrets. A server needs one at least.
    pub keys: BTreeMap<String, Secret>,
    /// Rooms.
    pub rooms: RoomsConfig,
    /// The log.
    pub log: LogConfig,
    /// How long a stop may take.
    pub shutdown_grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            dev: false,
            http: HttpConfig {
                bind: any(7880),
                cors_origins: vec!["*".to_owned()],
                token_leeway: Duration::from_secs(30),
                websockets_max: 65_536,
                whip_whep_sessions_max: 16_384,
            },
            grpc: GrpcConfig {
                bind: loopback(7881),
                reflection: true,
            },
            admin: AdminConfig {
                bind: loopback(7889),
            },
            media: MediaConfig {
                bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                port_base: 7900,
                shards: 0,
                advertise_ips: Vec::new(),
                socket_buffer_bytes: 4 << 20,
            },
            keys: BTreeMap::new(),
            rooms: RoomsConfig {
                create_on_join: CreateOnJoin::Never,
                max_rooms: 16_384,
                defaults: RoomSettings::default(),
            },
            log: LogConfig {
                level: "info".to_owned(),
                format: LogFormat::Text,
            },
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// The settings of `estrade dev`: loopback, a known key, rooms made by whoever may go on stage.
    pub fn dev() -> Self {
        let mut config = Self {
            dev: true,
            keys: BTreeMap::from([(DEV_KEY.to_owned(), Secret::new(DEV_SECRET))]),
            ..Self::default()
        };
        config.http.bind.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        config.media.bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
        config.rooms.create_on_join = CreateOnJoin::Stage;
        config
    }

    /// The same with every port chosen by the system: for tests and embedders.
    #[must_use]
    pub fn on_any_ports(mut self) -> Self {
        self.http.bind.set_port(0);
        self.grpc.bind.set_port(0);
        self.admin.bind.set_port(0);
        self.media.port_base = 0;
        self
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is not YAML, has an unknown key, or a value out of range: each with
    /// file, line and key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::one(&name, None, format!("cannot be read: {error}")))?;
        Self::parse(&text, &name)
    }

    /// Reads and checks YAML text; `name` stands for it in messages.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        check::parse(text, name)
    }

    /// Checks what no single value shows: that a server can start with this. [`Config::load`] has
    /// checked the rest; for a config made in code, this checks everything.
    ///
    /// # Errors
    ///
    /// Names the keys that are out of range or missing.
    pub fn check(&self) -> Result<(), ConfigError> {
        check::whole(self, "config", "")
    }

    /// As YAML, with secrets left out.
    ///
    /// # Errors
    ///
    /// When a value cannot be written, which no valid config brings about.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        serde_yaml::to_string(&file::File::from(self))
            .map_err(|error| ConfigError::one("config", None, error.to_string()))
    }
}

#[cfg(test)]
mod tests;
