//! The paths, and who answers them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use estrade_directory::Directory;
use estrade_telemetry::Metrics;
use estrade_types::{Admission, LinkKind, ParticipantId, Role, RoomId};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::assets::Assets;
use crate::error::ApiError;
use crate::sessions::Sessions;
use crate::{SignalConfig, clock, cors, token, websocket, whip};

/// How long a token of `/dev/token` is good for.
const DEV_TOKEN_TTL: Duration = Duration::from_secs(12 * 60 * 60);

/// Bytes of a body other than SDP.
const JSON_BYTES_MAX: usize = 16 * 1_024;

/// Refused upgrades kept, so that a browser can ask what was wrong.
const REFUSALS_MAX: usize = 256;

/// What every handler reads.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) config: SignalConfig,
    pub(crate) directory: Directory,
    pub(crate) metrics: Metrics,
    pub(crate) sessions: Sessions,
    pub(crate) websockets: Arc<Semaphore>,
    refusals: Mutex<VecDeque<(RoomId, ParticipantId, ApiError)>>,
    assets: Assets,
}

impl Edge {
    /// Remembers why a WebSocket was refused: the oldest is forgotten first.
    pub(crate) fn remember_refusal(&self, admission: &Admission, error: &ApiError) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= REFUSALS_MAX {
            refusals.pop_front();
        }
        let (room, identity) = (admission.room.clone(), admission.identity.clone());
        refusals.push_back((room, identity, error.clone()));
    }

    /// Why this client's latest WebSocket was refused, told once.
    pub(crate) fn take_refusal(&self, admission: &Admission) -> Option<ApiError> {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let at = refusals.iter().rposition(|(room, identity, _)| {
            *room == admission.room && *identity == admission.identity
        })?;
        refusals.remove(at).map(|(.., error)| error)
    }

    /// Lets a client in, and counts it.
    pub(crate) async fn join(
        &self,
        admission: Admission,
        link: LinkKind,
    ) -> Result<estrade_directory::Client, ApiError> {
        let joined = self.directory.join(admission, link).await;
        joined.map_err(ApiError::from)
    }

    /// Counts a join that succeeded or was refused.
    pub(crate) fn count_join<T>(&self, link: LinkKind, outcome: &Result<T, ApiError>) {
        let outcome = match outcome {
            Ok(_) => estrade_telemetry::JoinOutcome::Accepted,
            Err(error) => error.join_outcome(),
        };
        self.metrics.observe_join(link, outcome);
    }
}

/// The client edge as an axum router. Must be served inside a tokio runtime.
pub fn router(config: SignalConfig, directory: Directory, metrics: Metrics) -> Router {
    let is_dev = config.is_dev;
    let edge = Arc::new(Edge {
        sessions: Sessions::new(config.http_sessions_max),
        websockets: Arc::new(Semaphore::new(config.websockets_max)),
        refusals: Mutex::default(),
        assets: Assets::new(),
        directory,
        metrics,
        config,
    });
    let mut router = Router::new()
        .route("/whip/{room}", whip::endpoint(LinkKind::Whip))
        .route("/whip/{room}/{session}", whip::session(LinkKind::Whip))
        .route("/whep/{room}", whip::endpoint(LinkKind::Whep))
        .route("/whep/{room}/{session}", whip::session(LinkKind::Whep))
        .route("/v1/connect", get(websocket::connect))
        .route("/", get(page))
        .route("/demo", any(|| async { Redirect::permanent("/") }))
        .route("/demo/{file}", get(demo_file))
        .route("/sdk/{file}", get(sdk_file))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&edge),
            cors::add,
        ));
    if is_dev {
        // Outside the cross-origin layer: another origin's page must not get tokens from it.
        router = router.route("/dev/token", post(dev_token));
    }
    router
        .fallback(|| async { ApiError::not_found() })
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .with_state(edge)
}

async fn page(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    edge.assets.serve("demo/index.html", &headers)
}

async fn demo_file(
    State(edge): State<Arc<Edge>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    edge.assets.serve(&format!("demo/{file}"), &headers)
}

async fn sdk_file(
    State(edge): State<Arc<Edge>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    edge.assets.serve(&format!("sdk/{file}"), &headers)
}

/// The body of `POST /dev/token`.
#[derive(Deserialize)]
struct DevTokenRequest {
    room: String,
    identity: String,
    role: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct DevTokenResponse {
    token: String,
}

/// Gives a token to anyone who asks. Development only.
async fn dev_token(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let invalid = |message: &str| ApiError::new(StatusCode::BAD_REQUEST, "invalid_field", message);
    // A page of another origin can send this type only after a preflight, which it does not get.
    if !whip::has_content_type(&headers, "application/json") {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send application/json.",
        ));
    }
    let request: DevTokenRequest = serde_json::from_slice(&body)
        .map_err(|error| invalid(&format!("The body cannot be read: {error}.")))?;
    let admission = Admission {
        room: RoomId::new(&request.room).map_err(|e| invalid(&format!("room: {e}")))?,
        identity: ParticipantId::new(&request.identity)
            .map_err(|e| invalid(&format!("identity: {e}")))?,
        role: Role::parse(&request.role)
            .ok_or_else(|| invalid("role: must be host, cohost, speaker or listener"))?,
        name: request.name,
        attributes: request.attributes,
        issued_at_s: None,
    };
    let key = edge.config.keys.first().ok_or_else(ApiError::not_found)?;
    let now_s = clock::unix_s();
    let token = token::mint(key, &admission, now_s, DEV_TOKEN_TTL)?;
    // What cannot be used is refused here, where the reason can be read.
    token::verify(&edge.config, &token, now_s, token::Expiry::Checked)?;
    let mut response = Json(DevTokenResponse { token }).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}
