//! WHIP, WHEP, the client WebSocket, the client SDK and the demo page.
//!
//! RFC 9725 (WHIP), the WHEP draft, RFC 8840 (trickle bodies), RFC 7519 (JWT), and our own client
//! protocol (`docs/api/client-websocket.md`, `docs/api/whip-whep.md`). Clients feed it HTTP; it feeds
//! the directory, by whose [`estrade_directory::Client`] a client's place in a room is held.
//!
//! Invariant: nothing happens for a request whose token has not been verified, and every buffer and
//! table that a client can fill has a limit. What it does not do: TLS (a proxy's work), rooms (the
//! directory's), media (a shard's).

mod assets;
mod clock;
mod config;
mod cors;
mod error;
mod message;
mod router;
mod sessions;
mod token;
mod websocket;
mod whip;

pub use config::{AllowedOrigins, ApiKey, SignalConfig};
pub use router::router;
pub use token::{Expiry, TokenError, mint, verify};
