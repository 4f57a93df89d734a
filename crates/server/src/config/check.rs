//! Checks of values and of what they mean together; every failure has file, line and key.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use estrade_control::ApiKeys;
use estrade_room::RoomError;
use tracing_subscriber::EnvFilter;

use super::file::{File, SHARDS_MAX};
use super::{Config, DEV_SECRET, locate};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The line to look at, from 1, if one is known.
    pub line: Option<usize>,
    /// The key, if one is to blame: `media.port_base`.
    pub key: Option<String>,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// A config that cannot be used, with everything found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: String,
    problems: Vec<ConfigProblem>,
}

impl ConfigError {
    pub(super) fn one(file: &str, line: Option<usize>, message: String) -> Self {
        Self {
            file: file.to_owned(),
            problems: vec![ConfigProblem {
                line,
                key: None,
                message,
            }],
        }
    }

    /// What was found wrong; never empty.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    /// A line for each problem: `file:line: key: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.file)?;
            if let Some(line) = problem.line {
                write!(f, "{line}:")?;
            }
            if let Some(key) = &problem.key {
                write!(f, " {key}:")?;
            }
            write!(f, " {}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Reads and checks YAML.
pub(super) fn parse(text: &str, name: &str) -> Result<Config, ConfigError> {
    // A file of comments alone is a file of defaults.
    let file: Option<File> =
        serde_yaml::from_str(text).map_err(|error| unreadable(&error, name))?;
    let config = Config::from(file.unwrap_or_default());
    whole(&config, name, text)?;
    Ok(config)
}

/// The reader's own message, with its position moved to the front where editors look for it.
fn unreadable(error: &serde_yaml::Error, name: &str) -> ConfigError {
    let message = error.to_string();
    let line = error.location().map(|location| location.line());
    let message = match error.location() {
        Some(at) => {
            let tail = format!(" at line {} column {}", at.line(), at.column());
            message.replace(&tail, "")
        }
        None => message,
    };
    ConfigError::one(name, line, message)
}

/// Checks a whole config; `text` is what it was read from, empty if it was made in code.
pub(super) fn whole(config: &Config, name: &str, text: &str) -> Result<(), ConfigError> {
    let mut problems = Problems(Vec::new());
    check_keys(config, &mut problems);
    check_http(config, &mut problems);
    check_media(config, &mut problems);
    check_rooms(config, &mut problems);
    check_rest(config, &mut problems);
    if problems.0.is_empty() {
        return Ok(());
    }
    let problems = problems.0.into_iter().map(|(key, message)| ConfigProblem {
        line: locate::line_of(text, &key),
        key: Some(key),
        message,
    });
    Err(ConfigError {
        file: name.to_owned(),
        problems: problems.collect(),
    })
}

/// Keys and messages.
struct Problems(Vec<(String, String)>);

impl Problems {
    fn unless(&mut self, is_right: bool, key: &str, message: impl Into<String>) {
        if !is_right {
            self.0.push((key.to_owned(), message.into()));
        }
    }
}

fn check_keys(config: &Config, problems: &mut Problems) {
    problems.unless(
        !config.keys.is_empty(),
        "keys",
        "at least one API key is needed, such as `app: SECRET` with a secret of \
         `openssl rand -hex 32`",
    );
    let is_local = config.http.bind.ip().is_loopback() && config.grpc.bind.ip().is_loopback();
    for (key, secret) in &config.keys {
        let path = format!("keys.{key}");
        if let Err(error) = ApiKeys::new().insert(key, secret.expose()) {
            problems.unless(false, &path, error.to_string());
        }
        problems.unless(
            is_local || secret.expose() != DEV_SECRET,
            &path,
            "the development secret is known to all: it is refused unless http.bind and grpc.bind \
             are loopback",
        );
    }
    problems.unless(
        !config.dev || is_local,
        "dev",
        "development mode gives tokens to whoever asks: http.bind and grpc.bind must be loopback",
    );
}

fn check_http(config: &Config, problems: &mut Problems) {
    for origin in &config.http.cors_origins {
        problems.unless(
            origin == "*" || is_origin(origin),
            "http.cors_origins",
            format!("{origin:?} must be \"*\" or an origin such as https://app.example:8443"),
        );
    }
    problems.unless(
        config.http.token_leeway <= Duration::from_secs(300),
        "http.token_leeway",
        "must be at most 5m",
    );
    for (key, value) in [
        ("http.websockets_max", config.http.websockets_max),
        (
            "http.whip_whep_sessions_max",
            config.http.whip_whep_sessions_max,
        ),
    ] {
        let is_right = (1..=1_000_000).contains(&value);
        problems.unless(is_right, key, "must be from 1 to 1000000");
    }
}

/// Whether `text` is what a browser writes as an origin. RFC 6454 §6.2.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    matches!(scheme, "http" | "https")
        && !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_graphic() && !"/?#@".contains(c))
}

fn check_media(config: &Config, problems: &mut Problems) {
    let media = &config.media;
    problems.unless(
        media.shards <= SHARDS_MAX,
        "media.shards",
        format!("must be at most {SHARDS_MAX}; 0 for one per core"),
    );
    let last = u32::from(media.port_base) + u32::from(media.shard_count().max(1)) - 1;
    problems.unless(
        media.port_base == 0 || last <= u32::from(u16::MAX),
        "media.port_base",
        format!(
            "leaves no room for {} shards, one port each",
            media.shard_count()
        ),
    );
    problems.unless(
        (65_536..=1 << 30).contains(&media.socket_buffer_bytes),
        "media.socket_buffer_bytes",
        "must be from 65536 to 1073741824",
    );
    for ip in &media.advertise_ips {
        problems.unless(
            is_reachable(*ip),
            "media.advertise_ips",
            format!("{ip} is not an address that a client can send to"),
        );
    }
}

fn is_reachable(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}

fn check_rooms(config: &Config, problems: &mut Problems) {
    problems.unless(
        (1..=1_000_000).contains(&config.rooms.max_rooms),
        "rooms.max_rooms",
        "must be from 1 to 1000000",
    );
    match config.rooms.defaults.check() {
        Ok(()) => {}
        Err(RoomError::InvalidField { field, allowed }) => {
            let key = match field {
                "media.min_dwell" => "picture.min_dwell".to_owned(),
                other => format!("rooms.{}", other.strip_prefix("media.").unwrap_or(other)),
            };
            problems.unless(false, &key, format!("must be {allowed}"));
        }
        Err(other) => problems.unless(false, "rooms", other.to_string()),
    }
}

fn check_rest(config: &Config, problems: &mut Problems) {
    if let Err(error) = EnvFilter::try_new(&config.log.level) {
        problems.unless(
            false,
            "log.level",
            format!("must be error, warn, info, debug, trace or filter directives: {error}"),
        );
    }
    let grace = config.shutdown_grace;
    problems.unless(
        (Duration::from_millis(100)..=Duration::from_secs(3_600)).contains(&grace),
        "shutdown_grace",
        "must be from 100ms to 1h",
    );
    let binds = [
        ("http.bind", config.http.bind),
        ("grpc.bind", config.grpc.bind),
        ("admin.bind", config.admin.bind),
    ];
    for (index, (key, bind)) in binds.iter().enumerate() {
        let clash = binds
            .iter()
            .take(index)
            .find(|(_, other)| bind.port() != 0 && other.port() == bind.port());
        if let Some((other, _)) = clash {
            problems.unless(false, key, format!("has the port of {other}"));
        }
    }
}
