//! The client SDK and the demo page, embedded in the binary.
//!
//! No build step: the files under `web/` are served as they are.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::error::ApiError;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! asset {
    ($path:literal, $kind:expr) => {
        ($path, $kind, include_bytes!(concat!("../web/", $path)))
    };
}

/// Path under `web/`, content type, content. A test checks that no file is left out.
const FILES: &[(&str, &str, &[u8])] = &[
    asset!("demo/app.js", JS),
    asset!("demo/controls.js", JS),
    asset!("demo/dom.js", JS),
    asset!("demo/icon.svg", SVG),
    asset!("demo/index.html", HTML),
    asset!("demo/lobby.js", JS),
    asset!("demo/stage.js", JS),
    asset!("demo/style.css", CSS),
    asset!("sdk/estrade.js", JS),
    asset!("sdk/media.js", JS),
    asset!("sdk/signaling.js", JS),
    asset!("sdk/state.js", JS),
    asset!("sdk/types.js", JS),
];

/// What the page may do: its own scripts and styles, our WebSocket, pictures it draws itself. The
/// schemes are named because some browsers do not take a WebSocket to be `'self'`.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' ws: wss:; \
    font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/// What the page needs of the machine, and nothing else's pages inside it.
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(self), display-capture=(self), \
    autoplay=(self), fullscreen=(self), geolocation=(), usb=(), payment=()";

/// One file.
#[derive(Debug)]
struct Asset {
    kind: &'static str,
    content: &'static [u8],
    etag: HeaderValue,
}

/// Every file, by its path.
#[derive(Debug)]
pub(crate) struct Assets(BTreeMap<&'static str, Asset>);

impl Assets {
    /// Reads the table and hashes each file for its entity tag.
    pub(crate) fn new() -> Self {
        let files = FILES.iter().filter_map(|(path, kind, content)| {
            let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(content));
            let etag = HeaderValue::from_str(&format!("\"{hash}\"")).ok()?;
            Some((
                *path,
                Asset {
                    kind,
                    content,
                    etag,
                },
            ))
        });
        Self(files.collect())
    }

    /// The file at `path`, or 304 if the client has it already. RFC 9110 §13.1.2.
    pub(crate) fn serve(&self, path: &str, request: &HeaderMap) -> Response {
        let Some(asset) = self.0.get(path.trim_start_matches('/')) else {
            return ApiError::not_found().into_response();
        };
        let known = request.get(header::IF_NONE_MATCH);
        let mut response = if known == Some(&asset.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Response::new(Body::from(Bytes::from_static(asset.content)))
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, asset.etag.clone());
        for (name, value) in [
            (header::CONTENT_TYPE, asset.kind),
            // Asked for again each time, and answered with 304: a new server is seen at once.
            (header::CACHE_CONTROL, "no-cache"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (
                HeaderName::from_static("permissions-policy"),
                PERMISSIONS_POLICY,
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_and_the_sdk_is_embedded() {
        let web = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        for folder in ["demo", "sdk"] {
            for entry in std::fs::read_dir(web.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let path = format!("{folder}/{name}");
                let is_embedded = FILES.iter().any(|(each, ..)| *each == path);
                assert!(is_embedded, "{path} is not in the table");
            }
        }
    }

    #[test]
    fn a_file_is_sent_once_and_then_known_by_its_tag() {
        let assets = Assets::new();
        let first = assets.serve("sdk/estrade.js", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_TYPE], JS);
        let mut request = HeaderMap::new();
        request.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let again = assets.serve("sdk/estrade.js", &request);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let gone = assets.serve("sdk/../Cargo.toml", &HeaderMap::new());
        assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    }
}
