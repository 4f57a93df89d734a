//! What the server sets.

use std::fmt;
use std::time::Duration;

/// An API key: its id is the `iss` of tokens, its secret signs them.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Public half.
    pub id: String,
    /// Secret half; at least 32 bytes. RFC 7518 §3.2.
    pub secret: String,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Pages of which origins may call us from a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Any: a token is what lets a client in, and no cookie is ever read.
    #[default]
    Any,
    /// These alone, as a browser writes them: `https://app.example`.
    Only(Vec<String>),
}

/// The client edge's settings.
#[derive(Clone, Debug)]
pub struct SignalConfig {
    /// Keys whose tokens are taken.
    pub keys: Vec<ApiKey>,
    /// How far a token's times may be off our clock.
    pub token_leeway: Duration,
    /// Pages of which origins may call us.
    pub origins: AllowedOrigins,
    /// Whether `POST /dev/token` gives a token to anyone who asks, signed with the first key.
    pub is_dev: bool,
    /// WHIP and WHEP sessions at once; further ones are refused with 503.
    pub http_sessions_max: usize,
    /// WebSockets at once; further ones are refused with 503.
    pub websockets_max: usize,
    /// Messages a second that one WebSocket client may send in the long run.
    pub messages_per_s: u32,
    /// Messages that one WebSocket client may send at once.
    pub messages_burst: u32,
    /// How often a WebSocket is pinged; one that is silent for two of them is closed.
    pub ping_interval: Duration,
}

impl Default for SignalConfig {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            token_leeway: Duration::from_secs(30),
            origins: AllowedOrigins::Any,
            is_dev: false,
            http_sessions_max: 16_384,
            websockets_max: 65_536,
            messages_per_s: 50,
            messages_burst: 100,
            ping_interval: Duration::from_secs(15),
        }
    }
}
