//! An edge to test: a router over a directory with one shard on loopback.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use estrade_directory::{CreateOnJoin, Directory, DirectoryConfig};
use estrade_shard::{Certificate, EventSink, ShardConfig, ShardHandle, spawn};
use estrade_signal::{ApiKey, SignalConfig, mint, router};
use estrade_telemetry::Metrics;
use estrade_types::{Admission, ParticipantId, Role, RoomId, ShardEvent, ShardIndex};
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;
use tower::ServiceExt;

/// Offers of a browser with a fake camera.
pub(crate) const PUBLISHER: &str = include_str!("../../../sdp/tests/offers/chromium-whip.sdp");
pub(crate) const PLAYER: &str = include_str!("../../../sdp/tests/offers/chromium-whep.sdp");
pub(crate) const INTERACTIVE: &str = include_str!("../../../sdp/tests/offers/chromium-sdk.sdp");

struct Sink(mpsc::Sender<(ShardIndex, ShardEvent)>);

impl EventSink for Sink {
    fn offer(&mut self, event: ShardEvent) -> Result<(), ShardEvent> {
        match self.0.try_send((ShardIndex(0), event)) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full((_, event))) => Err(event),
        }
    }
}

pub(crate) struct Edge {
    pub(crate) router: Router,
    pub(crate) directory: Directory,
    pub(crate) metrics: Metrics,
    shard: ShardHandle,
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.shard.stop();
    }
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The stable word of a refusal.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.len() > 10, "{message}");
        body["error"]["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn key() -> ApiKey {
    ApiKey {
        id: "key".to_owned(),
        secret: "a secret that is long enough for HS256".to_owned(),
    }
}

impl Edge {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut SignalConfig)) -> Self {
        let certificate = Arc::new(Certificate::generate().unwrap());
        let (queue, events) = Directory::event_channel();
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let shard = spawn(
            ShardConfig::new(ShardIndex(0), bind),
            Arc::clone(&certificate),
            Box::new(Sink(queue)),
        )
        .unwrap();
        let config = DirectoryConfig {
            create_on_join: CreateOnJoin::Stage,
            ..DirectoryConfig::default()
        };
        let directory = Directory::start(config, certificate, vec![shard.clone()], events);
        let mut config = SignalConfig {
            keys: vec![key()],
            ..SignalConfig::default()
        };
        change(&mut config);
        let metrics = Metrics::new("test").unwrap();
        Self {
            router: router(config, directory.clone(), metrics.clone()),
            directory,
            metrics,
            shard,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// A request with a token and a body of some type.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn post_sdp(&self, path: &str, token: &str, sdp: &str) -> Reply {
        let kind = [("content-type", "application/sdp")];
        self.call("POST", path, token, &kind, sdp.to_owned()).await
    }
}

/// A token that is good for as long as any test runs.
pub(crate) fn token(room: &str, identity: &str, role: Role) -> String {
    token_at(room, identity, role, 4_000_000_000)
}

/// A token that expires at this second.
pub(crate) fn token_at(room: &str, identity: &str, role: Role, expires_s: u64) -> String {
    let admission = Admission {
        room: RoomId::new(room).unwrap(),
        identity: ParticipantId::new(identity).unwrap(),
        role,
        name: String::new(),
        attributes: BTreeMap::new(),
        issued_at_s: None,
    };
    mint(&key(), &admission, expires_s - 60, Duration::from_secs(60)).unwrap()
}
