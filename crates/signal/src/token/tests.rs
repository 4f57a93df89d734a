use std::collections::BTreeMap;

use estrade_types::{ParticipantId, Role, RoomId};
use serde_json::{Value, json};

use super::*;

const NOW_S: u64 = 1_800_000_000;

fn key(id: &str) -> ApiKey {
    ApiKey {
        id: id.to_owned(),
        secret: format!("secret of {id}, which is long enough"),
    }
}

fn config() -> SignalConfig {
    SignalConfig {
        keys: vec![key("first"), key("second")],
        ..SignalConfig::default()
    }
}

fn admission() -> Admission {
    Admission {
        room: RoomId::new("hall").unwrap(),
        identity: ParticipantId::new("ada").unwrap(),
        role: Role::Speaker,
        name: "Ada L.".to_owned(),
        attributes: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
        issued_at_s: Some(NOW_S),
    }
}

fn minted() -> String {
    mint(&key("second"), &admission(), NOW_S, Duration::from_secs(60)).unwrap()
}

/// A token with any claims and header, rightly signed by `by`.
fn signed(header: &Value, claims: &Value, by: &ApiKey) -> String {
    use hmac::{Hmac, Mac};
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let mac = Hmac::<sha2::Sha256>::new_from_slice(by.secret.as_bytes()).unwrap();
    let tag = mac.chain_update(&message).finalize().into_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn claims() -> Value {
    json!({"iss": "first", "sub": "ada", "exp": NOW_S + 60, "room": "hall", "role": "host"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn check(token: &str) -> Result<Admission, TokenError> {
    verify(&config(), token, NOW_S, Expiry::Checked)
}

#[test]
fn a_minted_token_admits_as_it_says() {
    assert_eq!(check(&minted()), Ok(admission()));
}

#[test]
fn a_token_of_any_other_library_admits() {
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": "x"});
    let mut more = with("exp", json!(NOW_S as f64 + 60.5));
    more["aud"] = json!("somebody");
    more["custom"] = json!([1, 2]);
    let admitted = check(&signed(&header, &more, &key("first"))).unwrap();
    assert_eq!((admitted.role, admitted.name.as_str()), (Role::Host, ""));
}

#[test]
fn leeway_is_on_both_sides_of_the_times() {
    let at = |now_s| verify(&config(), &minted(), now_s, Expiry::Checked).err();
    assert_eq!(at(NOW_S + 89), None);
    assert_eq!(at(NOW_S + 90), Some(TokenError::Expired));
    let early = signed(
        &json!({"alg": "HS256"}),
        &with("nbf", json!(NOW_S + 31)),
        &key("first"),
    );
    assert_eq!(check(&early), Err(TokenError::NotYetValid));
    assert!(verify(&config(), &early, NOW_S + 1, Expiry::Checked).is_ok());
    let late = verify(&config(), &minted(), NOW_S + 10_000, Expiry::Ignored);
    assert!(late.is_ok());
}

#[test]
fn bad_tokens_are_each_refused_for_what_is_wrong() {
    let hs256 = json!({"alg": "HS256"});
    let right = signed(&hs256, &claims(), &key("first"));
    let mut parts = right.split('.');
    let (header, body, tag) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let promoted = URL_SAFE_NO_PAD.encode(with("room", json!("vault")).to_string());
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string());
    let claim = |name| TokenError::Claim { name };
    let sign = |claims: &Value| signed(&hs256, claims, &key("first"));
    let table = [
        (String::new(), TokenError::Missing),
        ("x".to_owned(), TokenError::Malformed),
        ("a.b.c".to_owned(), TokenError::Malformed),
        ("x".repeat(20_000), TokenError::Malformed),
        (format!("{right}.x"), TokenError::Malformed),
        (format!("{header}.{promoted}.{tag}"), TokenError::Signature),
        (format!("{header}.{body}."), TokenError::Signature),
        (format!("{none}.{body}."), TokenError::Algorithm),
        (format!("{none}.{body}.{tag}"), TokenError::Algorithm),
        (
            signed(&json!({"alg": "HS512"}), &claims(), &key("first")),
            TokenError::Algorithm,
        ),
        (
            signed(&json!({"alg": "RS256"}), &claims(), &key("first")),
            TokenError::Algorithm,
        ),
        (
            signed(
                &json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
                &claims(),
                &key("first"),
            ),
            TokenError::Malformed,
        ),
        (
            signed(&hs256, &claims(), &key("second")),
            TokenError::Signature,
        ),
        (sign(&with("iss", json!("third"))), TokenError::Issuer),
        (sign(&without("iss")), claim("iss")),
        (sign(&without("sub")), claim("sub")),
        (sign(&with("sub", json!(""))), claim("sub")),
        (sign(&with("sub", json!("a\nb"))), claim("sub")),
        (sign(&without("exp")), claim("exp")),
        (sign(&with("exp", json!(-1))), claim("exp")),
        (sign(&with("exp", json!(NOW_S - 31))), TokenError::Expired),
        (sign(&without("room")), claim("room")),
        (sign(&with("room", json!("a/b"))), claim("room")),
        (sign(&without("role")), claim("role")),
        (sign(&with("role", json!("king"))), claim("role")),
        (sign(&with("name", json!("x".repeat(257)))), claim("name")),
        (
            sign(&with("attributes", json!({"k": "v".repeat(1_025)}))),
            claim("attributes"),
        ),
        (sign(&with("attributes", json!([1]))), TokenError::Malformed),
    ];
    for (token, expected) in table {
        assert_eq!(check(&token), Err(expected), "{token}");
    }
}

#[test]
fn a_key_never_shows_its_secret() {
    assert!(!format!("{:?}", key("first")).contains("secret of"));
}
