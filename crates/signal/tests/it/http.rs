//! Bad input, each with a clear error and nothing else disturbed; the page; cross-origin requests.

use estrade_types::{LinkKind, Role, RoomId};
use http::StatusCode;

use crate::edge::{Edge, PLAYER, PUBLISHER, token, token_at};

const SDP: &str = "application/sdp";

/// A room with somebody in it, who must not notice the rest of the test.
async fn hall() -> Edge {
    let edge = Edge::new();
    let host = token("hall", "ada", Role::Host);
    let good = edge.post_sdp("/whip/hall", &host, PUBLISHER).await;
    assert_eq!(good.status, StatusCode::CREATED, "{}", good.body);
    edge
}

/// Posts each row's token, content type and body, and expects its status and code.
async fn refuses(edge: &Edge, path: &str, table: &[(&str, &str, &str, &str)]) {
    for (token, kind, body, expected) in table {
        let kind = [("content-type", *kind)];
        let reply = edge
            .call("POST", path, token, &kind, (*body).to_owned())
            .await;
        let told = format!("{} {}", reply.status.as_u16(), reply.code());
        assert_eq!(told, *expected, "{}", reply.body);
    }
    let hall = RoomId::new("hall").unwrap();
    let view = edge.directory.room(&hall).await.unwrap();
    assert_eq!((view.stage.len(), view.audience_count), (1, 0));
}

#[tokio::test]
async fn bad_tokens_are_refused_for_what_is_wrong_and_disturb_nothing() {
    let edge = hall().await;
    let good = token("hall", "bob", Role::Speaker);
    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{message}.AAAA");
    let none = format!(
        "eyJhbGciOiJub25lIn0.{}.",
        message.split_once('.').unwrap().1
    );
    let expired = token_at("hall", "bob", Role::Speaker, 1_000_000);
    let elsewhere = token("attic", "bob", Role::Speaker);
    let listener = token("hall", "eve", Role::Listener);
    let table = [
        ("", SDP, PUBLISHER, "401 token_missing"),
        ("x.y.z", SDP, PUBLISHER, "401 token_malformed"),
        (&forged, SDP, PUBLISHER, "401 token_signature"),
        (&none, SDP, PUBLISHER, "401 token_algorithm"),
        (&expired, SDP, PUBLISHER, "401 token_expired"),
        (&elsewhere, SDP, PUBLISHER, "403 token_wrong_room"),
        (&listener, SDP, PUBLISHER, "403 token_role"),
    ];
    refuses(&edge, "/whip/hall", &table).await;
    let challenged = edge.post_sdp("/whip/hall", "", PUBLISHER).await;
    assert_eq!(challenged.header("www-authenticate"), "Bearer");
    let nowhere = token("nowhere", "eve", Role::Listener);
    let table = [(nowhere.as_str(), SDP, PLAYER, "404 unknown_room")];
    refuses(&edge, "/whep/nowhere", &table).await;
}

#[tokio::test]
async fn bad_bodies_are_refused_for_what_is_wrong_and_disturb_nothing() {
    let edge = hall().await;
    let bob = token("hall", "bob", Role::Speaker);
    let oversize = format!("{PUBLISHER}{}", "a=x\r\n".repeat(20_000));
    let passive = PUBLISHER.replace("a=setup:actpass", "a=setup:passive");
    let table = [
        (bob.as_str(), "", PUBLISHER, "415 unsupported_media_type"),
        (&bob, "text/sdp", PUBLISHER, "415 unsupported_media_type"),
        (&bob, SDP, &oversize, "413 too_large"),
        (&bob, SDP, "", "400 invalid_offer"),
        (&bob, SDP, "v=0\r\nnonsense", "400 invalid_offer"),
        (&bob, SDP, &passive, "400 invalid_offer"),
        (&bob, SDP, PLAYER, "400 invalid_offer"),
    ];
    refuses(&edge, "/whip/hall", &table).await;
    let kind = [("content-type", SDP)];
    let bytes = vec![0xff, 0xfe, b'v'];
    let reply = edge.call("POST", "/whip/hall", &bob, &kind, bytes).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.code(), "invalid_offer");
    assert!(edge.metrics.encode().unwrap().contains("offer_invalid"));
    let good = edge.post_sdp("/whip/hall", &bob, PUBLISHER).await;
    assert_eq!(good.status, StatusCode::CREATED);
}

#[tokio::test]
async fn methods_that_are_not_taken_are_answered_with_those_that_are() {
    let edge = Edge::new();
    for (path, allow, accept, kind) in [
        (
            "/whip/hall",
            "OPTIONS, POST",
            "accept-post",
            "application/sdp",
        ),
        (
            "/whep/hall",
            "OPTIONS, POST",
            "accept-post",
            "application/sdp",
        ),
        (
            "/whip/hall/x",
            "OPTIONS, PATCH, DELETE",
            "accept-patch",
            "application/trickle-ice-sdpfrag",
        ),
    ] {
        for method in ["GET", "HEAD", "PUT"] {
            let reply = edge.call(method, path, "", &[], "").await;
            assert_eq!(
                reply.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert_eq!(reply.header("allow"), allow);
        }
        let origin = [("origin", "https://app.example")];
        let reply = edge.call("OPTIONS", path, "", &origin, "").await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
        assert_eq!(reply.header(accept), kind);
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert!(
            reply
                .header("access-control-allow-methods")
                .contains("PATCH")
        );
        assert!(
            reply
                .header("access-control-allow-headers")
                .contains("If-Match")
        );
    }
    let reply = edge.call("GET", "/nothing", "", &[], "").await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (404, "not_found")
    );
}

#[tokio::test]
async fn only_listed_origins_are_let_in_when_there_is_a_list() {
    use estrade_signal::AllowedOrigins;
    let edge = Edge::with(|config| {
        config.origins = AllowedOrigins::Only(vec!["https://app.example".to_owned()]);
    });
    let from = |origin: &'static str| {
        let edge = &edge;
        async move {
            edge.call("GET", "/sdk/estrade.js", "", &[("origin", origin)], "")
                .await
        }
    };
    let listed = from("https://app.example").await;
    let allowed = listed.header("access-control-allow-origin");
    assert_eq!(allowed, "https://app.example");
    assert!(
        listed
            .header("access-control-expose-headers")
            .contains("Location")
    );
    let other = from("https://evil.example").await;
    assert_eq!(other.header("access-control-allow-origin"), "");
    assert_eq!(other.header("vary"), "Origin");
}

#[tokio::test]
async fn the_page_and_the_sdk_are_served_with_strict_headers() {
    let edge = Edge::new();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/demo/style.css", "text/css; charset=utf-8"),
        ("/demo/icon.svg", "image/svg+xml"),
        ("/sdk/estrade.js", "text/javascript; charset=utf-8"),
    ] {
        let reply = edge.call("GET", path, "", &[], "").await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.header("content-type"), kind);
        assert_eq!(reply.header("cache-control"), "no-cache");
        assert!(
            reply
                .header("content-security-policy")
                .starts_with("default-src 'none'")
        );
        assert!(reply.header("permissions-policy").contains("camera=(self)"));
        let etag = reply.header("etag").to_owned();
        let again = edge
            .call("GET", path, "", &[("if-none-match", &etag)], "")
            .await;
        assert_eq!(
            (again.status, again.body.as_str()),
            (StatusCode::NOT_MODIFIED, "")
        );
    }
    assert_eq!(edge.call("GET", "/healthz", "", &[], "").await.body, "ok\n");
}

#[tokio::test]
async fn tokens_are_handed_out_in_development_and_nowhere_else() {
    const JSON: (&str, &str) = ("content-type", "application/json");
    let body = r#"{"room":"hall","identity":"ada","role":"host","name":"Ada"}"#;
    let production = Edge::new();
    let reply = production
        .call("POST", "/dev/token", "", &[JSON], body)
        .await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);

    let edge = Edge::with(|config| config.is_dev = true);
    let origin = ("origin", "https://evil.example");
    let reply = edge
        .call("POST", "/dev/token", "", &[JSON, origin], body)
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("access-control-allow-origin"), "");
    let reply: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let token = reply["token"].as_str().unwrap();
    let joined = edge.post_sdp("/whip/hall", token, PUBLISHER).await;
    assert_eq!(joined.status, StatusCode::CREATED);

    for (headers, body, status) in [
        (&[][..], body, 415),
        (&[JSON][..], "{}", 400),
        (
            &[JSON][..],
            r#"{"room":"a/b","identity":"a","role":"host"}"#,
            400,
        ),
        (
            &[JSON][..],
            r#"{"room":"a","identity":"a","role":"king"}"#,
            400,
        ),
    ] {
        let reply = edge.call("POST", "/dev/token", "", headers, body).await;
        assert_eq!(reply.status.as_u16(), status, "{}", reply.body);
    }
}

#[tokio::test]
async fn sessions_beyond_the_limit_are_refused_until_one_ends() {
    let edge = Edge::with(|config| config.http_sessions_max = 1);
    let ada = token("hall", "ada", Role::Host);
    let bob = token("hall", "bob", Role::Speaker);
    let first = edge.post_sdp("/whip/hall", &ada, PUBLISHER).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let second = edge.post_sdp("/whip/hall", &bob, PUBLISHER).await;
    assert_eq!(second.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(second.header("retry-after"), "2");
    let gone = edge
        .call("DELETE", first.header("location"), &ada, &[], "")
        .await;
    assert_eq!(gone.status, StatusCode::OK);
    let view = edge.directory.room(&RoomId::new("hall").unwrap()).await;
    assert!(view.is_ok_and(|view| view.stage.iter().all(|each| each.link != LinkKind::Whip)));
}
