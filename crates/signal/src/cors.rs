//! Cross-origin requests. <https://fetch.spec.whatwg.org/#http-cors-protocol>, RFC 9725 §4.1.
//!
//! A token in a header or in the address is all that counts and no cookie is read, so letting any
//! origin in gives a page nothing that its owner's token does not.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};

use crate::AllowedOrigins;
use crate::router::Edge;

/// Headers of ours that a page may read.
const EXPOSED: &str = "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After";

/// Adds what a browser needs to let a page of another origin talk to us.
pub(crate) async fn add(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_options = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let Some(origin) = origin else {
        return response;
    };
    if is_options && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        // A preflight on a path that has no answer of its own to OPTIONS.
        let allow = response.headers().get(header::ALLOW).cloned();
        response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    let headers = response.headers_mut();
    let allowed = match &edge.config.origins {
        AllowedOrigins::Any => Some(HeaderValue::from_static("*")),
        AllowedOrigins::Only(origins) => {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
            let is_listed = |each: &String| each.as_bytes() == origin.as_bytes();
            origins.iter().any(is_listed).then_some(origin)
        }
    };
    let Some(allowed) = allowed else {
        return response;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    let exposed = HeaderValue::from_static(EXPOSED);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    if is_options {
        for (name, value) in [
            (
                header::ACCESS_CONTROL_ALLOW_METHODS,
                "GET, POST, PATCH, DELETE, OPTIONS",
            ),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "Authorization, Content-Type, If-Match, Link",
            ),
            (header::ACCESS_CONTROL_MAX_AGE, "3600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}
