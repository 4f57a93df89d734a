//! The media thread: socket, transports, router, timers.
//!
//! One shard is one thread, one UDP socket and one set of tables; shards share nothing. Control
//! starts it with [`spawn`], gives it typed commands through [`ShardHandle::submit`] and hears
//! facts through its [`EventSink`]. Inside, [`Engine`] is the sans-IO core (time and datagrams in,
//! datagrams, events and a deadline out), and the thread is a small loop around it.
//!
//! Every room lives wholly on one shard. A room that outgrows one shard would be served by links
//! between shards: they would enter [`Engine`] beside [`Engine::on_datagram`] as one more source of
//! plain packets and leave it beside [`DatagramSink`] as one more sink, so neither the router nor
//! the transports would notice. Nothing of that is built yet.

mod backlog;
mod config;
mod engine;
mod handle;
mod outbox;
mod random;
mod sink;
mod socket_sink;
mod table;
mod timers;
mod turn;

pub use config::ShardConfig;
pub use engine::{Engine, EngineConfig};
pub use estrade_transport::Certificate;
pub use handle::{EventSink, ShardHandle, SubmitError, spawn};
pub use sink::{DatagramClass, DatagramSink};
