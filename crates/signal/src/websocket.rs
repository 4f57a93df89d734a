//! The client WebSocket, `GET /v1/connect`. RFC 6455; messages by `docs/api/client-websocket.md`.
//!
//! Whoever is not let in gets an HTTP status and a typed error and no upgrade. A browser hides both
//! from its page, so a plain GET of the same address tells them again.

mod rate;
mod session;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use estrade_types::{Admission, LinkKind};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::clock;
use crate::error::ApiError;
use crate::router::Edge;
use crate::token::{Expiry, TokenError, verify};
use crate::whip::bearer;

/// The subprotocol that we select when it is offered.
const SUBPROTOCOL: &str = "estrade.v1";

/// Bytes of one message: an offer of the largest size, its line ends escaped.
const MESSAGE_BYTES_MAX: usize = 160 * 1_024;

/// Bytes waiting to be written to one client; beyond them a write fails and the client is cut off.
const WRITE_BUFFER_BYTES_MAX: usize = 512 * 1_024;

/// The query of `/v1/connect`.
#[derive(Deserialize)]
pub(crate) struct ConnectQuery {
    token: Option<String>,
}

/// Lets a client in and upgrades its connection, or says why not.
pub(crate) async fn connect(
    State(edge): State<Arc<Edge>>,
    query: Result<Query<ConnectQuery>, QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let admission = match admit(&edge, query, &headers) {
        Ok(admission) => admission,
        Err(error) => {
            if upgrade.is_ok() {
                edge.count_join::<()>(LinkKind::WebSocket, &Err(error.clone()));
            }
            return error.into_response();
        }
    };
    let Ok(upgrade) = upgrade else {
        let refused = edge.take_refusal(&admission);
        return refused.unwrap_or_else(upgrade_required).into_response();
    };
    let joined = join(&edge, &admission).await;
    edge.count_join(LinkKind::WebSocket, &joined);
    let (client, place) = match joined {
        Ok(joined) => joined,
        Err(error) => {
            edge.remember_refusal(&admission, &error);
            return error.into_response();
        }
    };
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(async move |socket| {
            session::run(&edge, socket, client, admission.role).await;
            drop(place);
        })
}

async fn join(
    edge: &Edge,
    admission: &Admission,
) -> Result<(estrade_directory::Client, tokio::sync::OwnedSemaphorePermit), ApiError> {
    let place = Arc::clone(&edge.websockets)
        .try_acquire_owned()
        .map_err(|_| ApiError::busy())?;
    let client = edge.join(admission.clone(), LinkKind::WebSocket).await?;
    Ok((client, place))
}

/// Verifies the token, wherever the client could put it.
fn admit(
    edge: &Edge,
    query: Result<Query<ConnectQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<Admission, ApiError> {
    let Query(query) = query.map_err(|_| {
        let message = "The address has a query that cannot be read. Send one \"token\" in it.";
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_field", message)
    })?;
    let token = bearer(headers)
        .or(query.token.as_deref())
        .or_else(|| token_in_subprotocols(headers))
        .ok_or(TokenError::Missing)?;
    Ok(verify(
        &edge.config,
        token,
        clock::unix_s(),
        Expiry::Checked,
    )?)
}

/// A token offered as the subprotocol `bearer.<JWT>`: a browser's page can set no header.
fn token_in_subprotocols(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix("bearer."))
}

fn upgrade_required() -> ApiError {
    ApiError::new(
        StatusCode::UPGRADE_REQUIRED,
        "upgrade_required",
        "The token is good. Open this address as a WebSocket.",
    )
}
