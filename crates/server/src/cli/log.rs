//! Log set-up: to standard error, for people or for machines.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::{LogConfig, LogFormat};

/// Overrides the configured level, as the one environment variable that the server reads.
const FILTER_VARIABLE: &str = "ESTRADE_LOG";

/// Starts logging for the process.
pub(super) fn init(config: &LogConfig) -> anyhow::Result<()> {
    let directives = std::env::var(FILTER_VARIABLE).ok();
    let directives = directives.as_deref().unwrap_or(&config.level);
    let filter = EnvFilter::try_new(directives)
        .with_context(|| format!("{directives:?} is no log filter ({FILTER_VARIABLE})"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => subscriber
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log cannot start: {error}"))
}
