//! The binary and the embeddable library.
//!
//! [`Config`] is what the YAML file says, checked whole before any socket is bound. [`Server`]
//! starts everything in this process (media shards, directory, client edge, control plane, admin
//! port) and stops it again in bounded time; the `estrade` command and the tests use it alike.
//! This is the only crate that knows YAML, the command line, signals and the admin port.

mod config;
mod server;

pub mod cli;

pub use config::{
    AdminConfig, Config, ConfigError, ConfigProblem, DEV_KEY, DEV_SECRET, GrpcConfig, HttpConfig,
    LogConfig, LogFormat, MediaConfig, RoomsConfig, Secret, parse_span,
};
pub use server::{Listener, Server, StartError};
