//! Runs a server until it is told to stop.

use std::process;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::log;
use crate::{Config, Server};

/// How long blocking leftovers may hold up the exit, after the grace.
const LEFTOVERS: Duration = Duration::from_millis(200);

/// Signals this close together are one: shorter than a person's second Ctrl-C, longer than a
/// process needs to signal another twice.
const ECHO: Duration = Duration::from_millis(150);

/// Starts a server, calls `ready` with it, and serves until SIGTERM or SIGINT.
pub(super) fn run(
    config: Config,
    ready: impl FnOnce(&Server) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    log::init(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("estrade-edge")
        .build()
        .context("no threads for the server")?;
    let result = runtime.block_on(serve(config, ready));
    runtime.shutdown_timeout(LEFTOVERS);
    result
}

async fn serve(
    config: Config,
    ready: impl FnOnce(&Server) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // Before the start, so that a signal during it is not lost.
    let mut signals = Signals::listen()?;
    let grace = config.shutdown_grace;
    warn_if_exposed(&config);
    let server = Server::start(config).await?;
    tracing::info!(
        http = %server.http_addr(),
        grpc = %server.grpc_addr(),
        admin = %server.admin_addr(),
        media = ?server.media_addrs(),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    ready(&server)?;
    let name = signals.next().await;
    tracing::info!(
        signal = name,
        ?grace,
        "stopping; a second signal exits at once"
    );
    tokio::select! {
        () = server.stop(grace) => {
            tracing::info!("stopped");
            Ok(())
        }
        name = signals.next_apart() => {
            tracing::warn!(signal = name, "exiting at once");
            process::exit(1);
        }
    }
}

fn warn_if_exposed(config: &Config) {
    if !config.grpc.bind.ip().is_loopback() {
        tracing::warn!(
            grpc = %config.grpc.bind,
            "gRPC is not on loopback and has no TLS: keep it on a private network"
        );
    }
    if !config.admin.bind.ip().is_loopback() {
        tracing::warn!(
            admin = %config.admin.bind,
            "metrics are not on loopback and need no key: keep them on a private network"
        );
    }
}

/// The signals that stop a server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?,
            interrupt: signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?,
        })
    }

    /// The next signal that is not an echo of the one before: `timeout`, and shells, send the same
    /// signal to a process and again to its group.
    async fn next_apart(&mut self) -> &'static str {
        let echoes_until = Instant::now() + ECHO;
        loop {
            let name = self.next().await;
            if Instant::now() > echoes_until {
                return name;
            }
        }
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
