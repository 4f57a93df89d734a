//! WHIP and WHEP over HTTP: an offer in, an answer out, a session resource to trickle to, restart
//! and delete. RFC 9725, draft-ietf-wish-whep.
//!
//! The two differ in what the session may do: WHIP publishes and needs a role of the stage, WHEP plays
//! and takes any. Link headers are not sent: the server is reachable without STUN and TURN, and it
//! has no WHEP extensions.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use estrade_types::{Admission, LinkKind, limits};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::clock;
use crate::error::ApiError;
use crate::router::Edge;
use crate::sessions::{IfMatch, Session};
use crate::token::{Expiry, TokenError, verify};

const SDP: &str = "application/sdp";
const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The endpoint of a room: POST makes a session.
pub(crate) fn endpoint(link: LinkKind) -> MethodRouter<Arc<Edge>> {
    const ALLOW: &str = "OPTIONS, POST";
    any(
        move |State(edge): State<Arc<Edge>>, Path(room): Path<String>, request: Request| async move {
            match *request.method() {
                Method::POST => {
                    let made = publish_or_play(&edge, link, &room, request).await;
                    edge.count_join(link, &made);
                    made.unwrap_or_else(IntoResponse::into_response)
                }
                Method::OPTIONS => options(ALLOW, ACCEPT_POST, SDP),
                _ => not_allowed(ALLOW),
            }
        },
    )
}

/// A session resource: PATCH trickles and restarts ICE, DELETE ends.
pub(crate) fn session(link: LinkKind) -> MethodRouter<Arc<Edge>> {
    const ALLOW: &str = "OPTIONS, PATCH, DELETE";
    any(
        move |State(edge): State<Arc<Edge>>,
              Path((room, resource)): Path<(String, String)>,
              request: Request| async move {
            let found = find(&edge, link, &room, &resource, request.headers());
            let outcome = match (request.method(), found) {
                (&Method::OPTIONS, _) => Ok(options(ALLOW, ACCEPT_PATCH, SDP_FRAGMENT)),
                (&Method::PATCH | &Method::DELETE, Err(error)) => Err(error),
                (&Method::PATCH, Ok(session)) => patch(&session, request).await,
                (&Method::DELETE, Ok(session)) => {
                    let deleted = session.delete().await;
                    deleted.map(|()| StatusCode::OK.into_response())
                }
                _ => Ok(not_allowed(ALLOW)),
            };
            outcome.unwrap_or_else(IntoResponse::into_response)
        },
    )
}

/// POST: joins and negotiates, or undoes the join.
async fn publish_or_play(
    edge: &Edge,
    link: LinkKind,
    room: &str,
    request: Request,
) -> Result<Response, ApiError> {
    let admission = admit(edge, room, request.headers(), Expiry::Checked)?;
    if link == LinkKind::Whip && !admission.role.is_on_stage() {
        return Err(TokenError::Role.into());
    }
    let offer = body(request, SDP).await?;
    let place = edge.sessions.reserve()?;
    let client = edge.join(admission, link).await?;
    let answer = match client.negotiate(&offer).await {
        Ok(answer) => answer,
        Err(error) => {
            // Nobody is left behind by an offer that cannot be answered.
            client.leave().await;
            return Err(error.into());
        }
    };
    let path = match link {
        LinkKind::Whip => "whip",
        LinkKind::Whep | LinkKind::WebSocket => "whep",
    };
    let location = format!("/{path}/{room}/{}", client.resource());
    let etag = edge.sessions.keep(client, place);
    let mut response = (StatusCode::CREATED, answer).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    headers.insert(ACCEPT_PATCH, HeaderValue::from_static(SDP_FRAGMENT));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [(header::LOCATION, location), (header::ETAG, etag)] {
        headers.insert(name, header_value(&value)?);
    }
    Ok(response)
}

/// PATCH: trickle is 204, a restart is 200 with our fragment. RFC 9725 §4.3.
async fn patch(session: &Session, request: Request) -> Result<Response, ApiError> {
    let if_match = request
        .headers()
        .get(header::IF_MATCH)
        .and_then(|value| value.to_str().ok())
        .map(IfMatch::parse)
        .ok_or_else(|| {
            ApiError::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                "Send If-Match with the session's ETag, or * to restart ICE.",
            )
        })?;
    let fragment = body(request, SDP_FRAGMENT).await?;
    let Some(restarted) = session.patch(if_match, fragment).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let mut response = restarted.fragment.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP_FRAGMENT));
    headers.insert(header::ETAG, header_value(&restarted.etag)?);
    Ok(response)
}

/// The session of this name, if the token is of the one who made it.
fn find(
    edge: &Edge,
    link: LinkKind,
    room: &str,
    resource: &str,
    headers: &HeaderMap,
) -> Result<Session, ApiError> {
    // A session outlives its token: who was let in may trickle and hang up.
    let admission = admit(edge, room, headers, Expiry::Ignored)?;
    let session = edge
        .sessions
        .find(resource)
        .filter(|session| session.link == link && session.room.as_str() == room)
        .ok_or_else(ApiError::unknown_session)?;
    if session.participant != admission.identity {
        return Err(TokenError::WrongSession.into());
    }
    Ok(session)
}

/// Verifies the request's token for `room`.
fn admit(
    edge: &Edge,
    room: &str,
    headers: &HeaderMap,
    expiry: Expiry,
) -> Result<Admission, ApiError> {
    let token = bearer(headers).ok_or(TokenError::Missing)?;
    let admission = verify(&edge.config, token, clock::unix_s(), expiry)?;
    if admission.room.as_str() != room {
        return Err(TokenError::WrongRoom.into());
    }
    Ok(admission)
}

/// The token of an `Authorization: Bearer` header. RFC 6750 §2.1.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether the body is said to be of this type, parameters aside.
pub(crate) fn has_content_type(headers: &HeaderMap, wanted: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
}

/// Reads a body of this type, within the limits of size and time.
async fn body(request: Request, kind: &'static str) -> Result<String, ApiError> {
    if !has_content_type(request.headers(), kind) {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("Send the body as {kind}."),
        ));
    }
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    let max = u64::try_from(limits::SDP_BYTES_MAX).unwrap_or(u64::MAX);
    if declared.is_some_and(|declared| declared > max) {
        return Err(ApiError::too_large());
    }
    let read = to_bytes(request.into_body(), limits::SDP_BYTES_MAX);
    let bytes = tokio::time::timeout(BODY_TIMEOUT, read)
        .await
        .map_err(|_| {
            ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_timed_out",
                "The body did not arrive in time. Send it again.",
            )
        })?
        .map_err(|_| ApiError::too_large())?;
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_offer",
            "The body is not UTF-8.",
        )
    })
}

fn header_value(value: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(value).map_err(|_| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The server made a header that cannot be sent.",
        )
    })
}

/// OPTIONS: what the resource takes. RFC 9725 §4.1.
fn options(allow: &'static str, accept: HeaderName, kind: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    headers.insert(accept, HeaderValue::from_static(kind));
    response
}

fn not_allowed(allow: &'static str) -> Response {
    let error = ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("This resource takes {allow}."),
    );
    let mut response = error.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}
