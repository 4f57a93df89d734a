//! `estrade token`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use estrade_signal::{ApiKey, mint as sign};
use estrade_types::limits::{ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, NAME_BYTES_MAX};
use estrade_types::{Admission, ParticipantId, Role, RoomId};

use super::KeySource;
use crate::parse_span;
use crate::server::api_keys;

/// Arguments of `estrade token`.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    source: KeySource,
    /// Which of the configuration's keys signs; the first by name when left out.
    #[arg(long, value_name = "NAME", requires = "config")]
    key: Option<String>,
    /// The room the token is for.
    #[arg(long, value_parser = room)]
    room: RoomId,
    /// Who may join with it: the same identity joining again replaces its older session.
    #[arg(long, value_parser = identity)]
    identity: ParticipantId,
    /// What its owner is in the room.
    #[arg(long)]
    role: RoleArg,
    /// Display name.
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// How long it lets its owner in: 90s, 10m, 6h.
    #[arg(long, default_value = "6h", value_parser = ttl)]
    ttl: Duration,
    /// An attribute that other participants see; may be repeated.
    #[arg(long = "attribute", value_name = "KEY=VALUE", value_parser = attribute)]
    attributes: Vec<(String, String)>,
}

/// A role as the command line writes it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    /// Leads the room; at most one.
    Host,
    /// Moderates and speaks.
    Cohost,
    /// Speaks.
    Speaker,
    /// Receives, and may raise a hand.
    Listener,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Host => Self::Host,
            RoleArg::Cohost => Self::Cohost,
            RoleArg::Speaker => Self::Speaker,
            RoleArg::Listener => Self::Listener,
        }
    }
}

fn room(text: &str) -> Result<RoomId, String> {
    RoomId::new(text).map_err(|error| error.to_string())
}

fn identity(text: &str) -> Result<ParticipantId, String> {
    ParticipantId::new(text).map_err(|error| error.to_string())
}

fn ttl(text: &str) -> Result<Duration, String> {
    match parse_span(text) {
        Some(ttl) if ttl >= Duration::from_secs(1) => Ok(ttl),
        _ => Err("must be at least 1s, such as 90s, 10m or 6h".to_owned()),
    }
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be KEY=VALUE".to_owned()),
    }
}

/// Mints the token that the arguments ask for.
pub(super) fn mint(args: &TokenArgs) -> anyhow::Result<String> {
    let keys = api_keys(&args.source.load()?);
    let key = match &args.key {
        None => keys.first(),
        Some(name) => keys.iter().find(|key| key.id == *name),
    };
    let key = key.with_context(|| {
        let names: Vec<_> = keys.iter().map(|key| key.id.as_str()).collect();
        format!("no such key; the configuration has {}", names.join(", "))
    })?;
    let admission = Admission {
        room: args.room.clone(),
        identity: args.identity.clone(),
        role: args.role.into(),
        name: args.name.clone(),
        attributes: args.attributes.iter().cloned().collect::<BTreeMap<_, _>>(),
        issued_at_s: None,
    };
    check(&admission)?;
    signed(key, &admission, args.ttl)
}

fn check(admission: &Admission) -> anyhow::Result<()> {
    if admission.name.len() > NAME_BYTES_MAX {
        bail!("--name: must be at most {NAME_BYTES_MAX} bytes");
    }
    if admission.attributes.len() > ATTRIBUTES_MAX {
        bail!("--attribute: at most {ATTRIBUTES_MAX} of them");
    }
    let is_long = |text: &String| text.len() > ATTRIBUTE_BYTES_MAX;
    if admission
        .attributes
        .iter()
        .any(|(key, value)| is_long(key) || is_long(value))
    {
        bail!("--attribute: keys and values must be at most {ATTRIBUTE_BYTES_MAX} bytes");
    }
    Ok(())
}

/// Signs a token that is valid from now.
pub(super) fn signed(key: &ApiKey, admission: &Admission, ttl: Duration) -> anyhow::Result<String> {
    #[expect(clippy::disallowed_methods, reason = "a token is valid from now")]
    let now = SystemTime::now();
    let now_s = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .context("the clock is before 1970")?
        .as_secs();
    Ok(sign(key, admission, now_s, ttl)?)
}
