//! The command line of `estrade`.
//!
//! What a command was asked for goes to standard output and nothing else does; the log, the banner's
//! company and every error go to standard error. Exit codes: 0 done, 1 failed, 2 wrong arguments.

mod dev;
mod log;
mod probe;
mod serve;
mod token;

use std::fmt;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::Config;

/// Estrade: a selective forwarding unit for live rooms.
///
/// A small stage, a very large audience, and a picture that follows whoever speaks.
#[derive(Debug, Parser)]
#[command(name = "estrade", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  estrade dev                                  try it: a server on loopback, a page to open
  estrade config print > estrade.yaml          start a configuration from the defaults
  estrade config check estrade.yaml            see what is wrong with it, by line and key
  estrade serve --config estrade.yaml          run it
  estrade token --config estrade.yaml --room hall --identity ana --role host";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server until SIGTERM or SIGINT.
    ///
    /// On the first signal the server refuses what is new, tells every client, ends its rooms and
    /// exits within `shutdown_grace`. A second signal exits at once.
    Serve {
        /// The configuration. config/estrade.yaml documents every key.
        #[arg(long, short, value_name = "FILE")]
        config: PathBuf,
    },
    /// Runs a server for development: loopback, a known key, a page to open.
    ///
    /// Rooms live in memory, the certificate is made at the start, and whoever opens the page is
    /// given a token. For development only.
    Dev(dev::DevArgs),
    /// Checks or prints configurations.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prints a join token, and nothing else.
    ///
    /// A token is a JWT signed with HS256, which apps mint themselves with any JWT library; this is
    /// for trying things out and for scripts.
    #[command(after_help = TOKEN_EXAMPLES)]
    Token(token::TokenArgs),
    /// Exits with 0 if the server with this admin port is ready, else with 1.
    ///
    /// For health checks, such as a container's.
    Probe {
        /// The server's `admin.bind`.
        #[arg(default_value = "127.0.0.1:7889")]
        addr: SocketAddr,
    },
}

const TOKEN_EXAMPLES: &str = "\
Examples:
  estrade token --dev --room hall --identity ana --role host --name \"Ana Lima\"
  estrade token --config estrade.yaml --room hall --identity ben --role listener --ttl 10m
  estrade token --dev --room hall --identity cam --role speaker --attribute team=red";

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Says what is wrong with a file, by line and key; silent about one that is right but for a
    /// line on standard error.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Prints what a file comes to, defaults filled in and secrets left out; without a file, the
    /// defaults.
    Print {
        /// The file.
        file: Option<PathBuf>,
    },
}

/// Where to find the key to sign with.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct KeySource {
    /// Sign with the key of `estrade dev`.
    #[arg(long)]
    dev: bool,
    /// Sign with a key of this configuration.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl KeySource {
    fn load(&self) -> anyhow::Result<Config> {
        match &self.config {
            Some(path) => Ok(Config::load(path)?),
            None => Ok(Config::dev()),
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve { config } => serve::run(Config::load(&config)?, |_| Ok(())),
        Command::Dev(args) => dev::run(&args),
        Command::Config(ConfigCommand::Check { file }) => {
            Config::load(&file)?;
            say(format_args!("{}: all right", file.display()));
            Ok(())
        }
        Command::Config(ConfigCommand::Print { file }) => {
            let config = match file {
                Some(file) => Config::load(&file)?,
                None => Config::default(),
            };
            print(&config.to_yaml()?)
        }
        Command::Probe { addr } => probe::run(addr),
        Command::Token(args) => print(&format!("{}\n", token::mint(&args)?)),
    }
}

/// Writes what was asked for to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("standard output cannot be written")
}

/// Writes a line to standard error. A closed standard error is nobody's fault.
fn say(line: fmt::Arguments<'_>) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
