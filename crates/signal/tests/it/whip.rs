//! WHIP and WHEP sessions from POST to DELETE. RFC 9725 §4.

use estrade_types::{LinkKind, Role, RoomId};
use http::StatusCode;

use crate::edge::{Edge, PLAYER, PUBLISHER, Reply, token, token_at};

const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// What the publisher's offer says.
fn offered(key: &str) -> &'static str {
    let line = PUBLISHER.lines().find_map(|line| line.strip_prefix(key));
    line.unwrap().trim()
}

async fn patch(edge: &Edge, path: &str, token: &str, if_match: &str, body: &str) -> Reply {
    let mut headers = vec![("content-type", FRAGMENT)];
    if !if_match.is_empty() {
        headers.push(("if-match", if_match));
    }
    edge.call("PATCH", path, token, &headers, body.to_owned())
        .await
}

#[tokio::test]
async fn a_publisher_and_a_player_get_sessions_of_their_own() {
    let edge = Edge::new();
    let ada = token("hall", "ada", Role::Host);
    let made = edge.post_sdp("/whip/hall", &ada, PUBLISHER).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.header("content-type"), "application/sdp");
    assert_eq!(made.header("etag"), "\"1\"");
    assert!(made.header("location").starts_with("/whip/hall/"));
    assert!(made.body.contains("a=ice-lite\r\n") && made.body.contains("a=recvonly\r\n"));

    let eve = token("hall", "eve", Role::Listener);
    let played = edge.post_sdp("/whep/hall", &eve, PLAYER).await;
    assert_eq!(played.status, StatusCode::CREATED, "{}", played.body);
    assert!(played.body.contains("a=sendonly\r\n") && played.body.contains("a=candidate:"));

    let hall = RoomId::new("hall").unwrap();
    let view = edge.directory.room(&hall).await.unwrap();
    assert_eq!(view.stage[0].link, LinkKind::Whip);
    assert_eq!(view.audience_count, 1);

    for (reply, token) in [(&made, &ada), (&played, &eve)] {
        let location = reply.header("location");
        let gone = edge.call("DELETE", location, token, &[], "").await;
        assert_eq!(gone.status, StatusCode::OK);
        let again = edge.call("DELETE", location, token, &[], "").await;
        assert_eq!(
            (again.status.as_u16(), again.code().as_str()),
            (404, "unknown_session")
        );
    }
    let view = edge.directory.room(&hall).await.unwrap();
    assert_eq!((view.stage.len(), view.audience_count), (0, 0));
}

#[tokio::test]
async fn trickle_and_restart_follow_the_entity_tag() {
    let edge = Edge::new();
    let ada = token("hall", "ada", Role::Host);
    let made = edge.post_sdp("/whip/hall", &ada, PUBLISHER).await;
    let (location, etag) = (made.header("location"), made.header("etag"));
    let trickle = format!(
        "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
         a=candidate:1 1 udp 2130706431 192.0.2.9 5000 typ host\r\na=end-of-candidates\r\n",
        offered("a=ice-ufrag:"),
        offered("a=ice-pwd:")
    );
    let taken = patch(&edge, location, &ada, etag, &trickle).await;
    assert_eq!((taken.status.as_u16(), taken.body.as_str()), (204, ""));

    for (if_match, body, status, code) in [
        ("", trickle.as_str(), 428, "precondition_required"),
        ("\"7\"", trickle.as_str(), 412, "precondition_failed"),
        (etag, "nonsense", 400, "invalid_offer"),
    ] {
        let reply = patch(&edge, location, &ada, if_match, body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (status, code)
        );
    }
    let wrong = edge
        .call("PATCH", location, &ada, &[("if-match", "*")], "")
        .await;
    assert_eq!(wrong.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);

    let restart = "a=ice-ufrag:fresh\r\na=ice-pwd:freshfreshfreshfreshfresh\r\n";
    let restarted = patch(&edge, location, &ada, "*", restart).await;
    assert_eq!(restarted.status, StatusCode::OK, "{}", restarted.body);
    assert_eq!(restarted.header("content-type"), FRAGMENT);
    assert_eq!(restarted.header("etag"), "\"2\"");
    assert!(restarted.body.contains("a=ice-ufrag:"));
    assert!(
        !made.body.contains(
            restarted
                .body
                .lines()
                .find(|l| l.contains("ufrag"))
                .unwrap()
        )
    );
    let stale = patch(&edge, location, &ada, etag, &trickle).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn a_session_obeys_only_the_token_that_made_it_even_after_it_expired() {
    let edge = Edge::new();
    let ada = token("hall", "ada", Role::Host);
    let made = edge.post_sdp("/whip/hall", &ada, PUBLISHER).await;
    let location = made.header("location");
    let bob = token("hall", "bob", Role::Speaker);
    let attic = token("attic", "ada", Role::Host);
    for (token, status, code) in [
        ("", 401, "token_missing"),
        (bob.as_str(), 403, "token_wrong_session"),
        (attic.as_str(), 403, "token_wrong_room"),
    ] {
        let reply = edge.call("DELETE", location, token, &[], "").await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (status, code)
        );
    }
    let as_player = location.replace("/whip/", "/whep/");
    let reply = edge.call("DELETE", &as_player, &ada, &[], "").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    let expired = token_at("hall", "ada", Role::Host, 1_000_000);
    let reply = edge.call("DELETE", location, &expired, &[], "").await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_with_its_room() {
    let edge = Edge::new();
    let ada = token("hall", "ada", Role::Host);
    let made = edge.post_sdp("/whip/hall", &ada, PUBLISHER).await;
    let hall = RoomId::new("hall").unwrap();
    let reason = estrade_types::CloseReason::RoomEnded;
    edge.directory.end_room(&hall, reason).await.unwrap();
    // The session's task hears of it on its own time: it answers or is gone, and then it is gone.
    loop {
        let reply = patch(&edge, made.header("location"), &ada, "\"x\"", "").await;
        if reply.status == StatusCode::NOT_FOUND {
            break;
        }
        tokio::task::yield_now().await;
    }
}
