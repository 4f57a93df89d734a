//! The client WebSocket over loopback, with a client that is not ours.

use std::net::{Ipv4Addr, SocketAddr};

use estrade_types::Role;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::edge::{Edge, INTERACTIVE, token, token_at};

async fn serve(edge: &Edge) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = edge.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(server: SocketAddr, token: &str) -> Self {
        let (socket, _) = connect_async(format!("ws://{server}/v1/connect?token={token}"))
            .await
            .unwrap();
        Self(socket)
    }

    async fn send(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// The next message of this type; others are passed over. `None` at the end.
    async fn next(&mut self, kind: &str) -> Option<Value> {
        while let Some(message) = self.0.next().await {
            let Ok(Message::Text(text)) = message else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == kind {
                return Some(message);
            }
        }
        None
    }

    async fn ask(&mut self, message: Value, answer: &str) -> Value {
        let id = message["id"].clone();
        self.send(message).await;
        let answer = self.next(answer).await.unwrap();
        assert_eq!(answer["id"], id);
        answer
    }
}

/// The status and code of a refused upgrade.
async fn refused(server: SocketAddr, token: &str) -> (u16, String) {
    let address = format!("ws://{server}/v1/connect?token={token}");
    let error = connect_async(address).await.unwrap_err();
    let tungstenite::Error::Http(response) = error else {
        panic!("{error}");
    };
    let body: Value = serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
    let code = body["error"]["code"].as_str().unwrap().to_owned();
    (response.status().as_u16(), code)
}

#[tokio::test]
async fn a_host_is_welcomed_negotiates_once_and_leaves() {
    let edge = Edge::new();
    let server = serve(&edge).await;
    let mut host = Socket::open(server, &token("hall", "ada", Role::Host)).await;
    let welcome = host.next("welcome").await.unwrap();
    assert_eq!(welcome["room"], "hall");
    assert_eq!(welcome["participant"], "ada");
    assert_eq!(welcome["role"], "host");
    assert_eq!(welcome["protocol"], 1);
    assert_eq!(welcome["state"]["stage"][0]["id"], "ada");

    let offer = json!({"type": "offer", "id": 1, "sdp": INTERACTIVE});
    let answer = host.ask(offer.clone(), "answer").await;
    assert!(
        answer["sdp"]
            .as_str()
            .unwrap()
            .contains("a=simulcast:recv q;h;f")
    );
    let again = host.ask(offer, "error").await;
    assert_eq!(again["code"], "already_negotiated");

    let fragment = "a=ice-ufrag:fresh\r\na=ice-pwd:freshfreshfreshfreshfresh\r\n";
    let restart = json!({"type": "iceRestart", "id": 2, "fragment": fragment});
    let restarted = host.ask(restart, "iceRestarted").await;
    assert!(
        restarted["fragment"]
            .as_str()
            .unwrap()
            .contains("a=ice-pwd:")
    );

    let muted = json!({"type": "selfMute", "id": 3, "kind": "audio", "muted": true});
    assert!(host.ask(muted, "ok").await["revision"].as_u64().unwrap() > 0);
    assert!(host.ask(json!({"type": "ping", "id": 4}), "pong").await["id"] == 4);
    host.ask(json!({"type": "leave", "id": 5}), "ok").await;
    assert_eq!(host.next("closed").await.unwrap()["reason"], "left");
    assert!(host.next("anything").await.is_none());
}

#[tokio::test]
async fn a_raised_hand_reaches_the_host_and_brings_a_listener_on_stage() {
    let edge = Edge::new();
    let server = serve(&edge).await;
    let mut host = Socket::open(server, &token("hall", "ada", Role::Host)).await;
    host.next("welcome").await.unwrap();
    let mut listener = Socket::open(server, &token("hall", "eve", Role::Listener)).await;
    let welcome = listener.next("welcome").await.unwrap();
    assert_eq!(welcome["role"], "listener");
    assert_eq!(welcome["permits"]["microphone"], false);

    listener
        .ask(json!({"type": "raiseHand", "id": 1}), "ok")
        .await;
    loop {
        let event = host.next("event").await.unwrap();
        if event["event"]["kind"] == "handRaised" {
            assert_eq!(event["event"]["participant"], "eve");
            assert_eq!(
                event["actor"],
                json!({"kind": "participant", "participant": "eve"})
            );
            break;
        }
    }
    let page =
        json!({"type": "listParticipants", "id": 2, "filter": "audience", "pageToken": null});
    let page = host.ask(page, "participants").await;
    assert_eq!(page["participants"][0]["stage"], "requested");
    assert_eq!(
        (&page["total"], &page["nextPageToken"]),
        (&json!(1), &Value::Null)
    );

    host.ask(
        json!({"type": "approveHand", "id": 3, "participant": "eve"}),
        "ok",
    )
    .await;
    let permits = listener.next("permits").await.unwrap();
    assert_eq!(permits["microphone"], true);
    let refused = json!({"type": "remove", "id": 4, "participant": "ada"});
    assert_eq!(listener.ask(refused, "error").await["code"], "not_allowed");
    host.ask(
        json!({"type": "remove", "id": 5, "participant": "eve"}),
        "ok",
    )
    .await;
    assert_eq!(listener.next("closed").await.unwrap()["reason"], "removed");
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_why_and_a_plain_get_tells_it_again() {
    let edge = Edge::new();
    let server = serve(&edge).await;
    let nowhere = token("nowhere", "eve", Role::Listener);
    let expired = token_at("hall", "ada", Role::Host, 1_000_000);
    assert_eq!(refused(server, "").await, (401, "token_missing".to_owned()));
    assert_eq!(
        refused(server, &expired).await,
        (401, "token_expired".to_owned())
    );
    assert_eq!(
        refused(server, &nowhere).await,
        (404, "unknown_room".to_owned())
    );

    let plain = |token: String| {
        let edge = &edge;
        async move {
            let path = format!("/v1/connect?token={token}");
            let reply = edge.call("GET", &path, "", &[], "").await;
            (reply.status, reply.code())
        }
    };
    let (status, code) = plain(nowhere.clone()).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::NOT_FOUND, "unknown_room")
    );
    let (status, code) = plain(nowhere).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::UPGRADE_REQUIRED, "upgrade_required")
    );
    let (_, code) = plain(expired).await;
    assert_eq!(code, "token_expired");
    let (status, code) = plain("a&token=b".to_owned()).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::BAD_REQUEST, "invalid_field")
    );
}

#[tokio::test]
async fn the_token_may_come_as_a_subprotocol_or_a_header() {
    let edge = Edge::new();
    let server = serve(&edge).await;
    let token = token("hall", "ada", Role::Host);
    let address = format!("ws://{server}/v1/connect");
    let mut request = address.as_str().into_client_request().unwrap();
    let offered = format!("estrade.v1, bearer.{token}").parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", offered);
    let (socket, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "estrade.v1");
    assert!(Socket(socket).next("welcome").await.is_some());

    let mut request = address.into_client_request().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let (socket, _) = connect_async(request).await.unwrap();
    assert!(Socket(socket).next("welcome").await.is_some());
}

#[tokio::test]
async fn bad_messages_are_refused_and_the_connection_goes_on_until_a_flood() {
    let edge = Edge::with(|config| {
        config.messages_per_s = 1;
        config.messages_burst = 8;
    });
    let server = serve(&edge).await;
    let mut host = Socket::open(server, &token("hall", "ada", Role::Host)).await;
    host.next("welcome").await.unwrap();
    for (text, code) in [
        ("nonsense", "invalid_message"),
        (r#"{"type":"fly","id":1}"#, "unknown_type"),
        (
            r#"{"type":"mute","participant":"ada","kind":"x"}"#,
            "invalid_field",
        ),
        (r#"{"type":"offer","sdp":"v=0"}"#, "invalid_offer"),
        (
            r#"{"type":"demote","participant":"nobody"}"#,
            "unknown_participant",
        ),
    ] {
        host.0.send(Message::text(text)).await.unwrap();
        assert_eq!(host.next("error").await.unwrap()["code"], code);
    }
    for _ in 0..40 {
        // The server may have closed already.
        let _is_sent = host
            .0
            .send(Message::text(r#"{"type":"ping"}"#))
            .await
            .is_ok();
    }
    assert_eq!(host.next("error").await.unwrap()["code"], "rate_limited");
    assert!(host.next("anything").await.is_none());
}

#[tokio::test]
async fn a_message_beyond_the_limit_closes_its_connection_alone() {
    let edge = Edge::new();
    let server = serve(&edge).await;
    let mut host = Socket::open(server, &token("hall", "ada", Role::Host)).await;
    host.next("welcome").await.unwrap();
    let mut other = Socket::open(server, &token("hall", "bob", Role::Speaker)).await;
    other.next("welcome").await.unwrap();
    let _is_sent = other
        .0
        .send(Message::text("x".repeat(1 << 20)))
        .await
        .is_ok();
    assert!(other.next("anything").await.is_none());
    assert_eq!(
        host.ask(json!({"type": "ping", "id": 1}), "pong").await["id"],
        1
    );
}
