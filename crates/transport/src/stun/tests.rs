//! Parsing and answering against `rtc::stun`, and against bytes nobody should send.

use hmac::{Hmac, Mac};
use proptest::prelude::*;
use rtc::crypto::default_provider;
use rtc::stun::attributes::{
    ATTR_ERROR_CODE, ATTR_ICE_CONTROLLED, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY,
    ATTR_UNKNOWN_ATTRIBUTES, ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType,
};
use rtc::stun::fingerprint::{FINGERPRINT, FingerprintAttr};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, Getter, Message, Setter, TransactionId as TheirId};
use rtc::stun::xoraddr::XorMappedAddress;
use sha1::Sha1;

use super::*;

const PASSWORD: &str = "a password of 24 letters";

pub(crate) fn key(password: &str) -> Hmac<Sha1> {
    <Hmac<Sha1> as Mac>::new_from_slice(password.as_bytes()).unwrap()
}

/// A request as the other implementation prints it.
pub(crate) struct TheirRequest {
    message: Message,
}

impl TheirRequest {
    pub(crate) fn new(username: &str, transaction: [u8; 12]) -> Self {
        let mut message = Message::new();
        BINDING_REQUEST.add_to(&mut message).unwrap();
        message.write_header();
        TheirId(transaction).add_to(&mut message).unwrap();
        message.add(ATTR_USERNAME, username.as_bytes());
        message.add(ATTR_PRIORITY, &[110, 0, 30, 255]);
        Self { message }
    }

    pub(crate) fn with(mut self, kind: AttrType, value: &[u8]) -> Self {
        self.message.add(kind, value);
        self
    }

    pub(crate) fn nominating(self) -> Self {
        self.with(ATTR_USE_CANDIDATE, &[])
    }

    pub(crate) fn signed(mut self, password: &str) -> Self {
        let provider = default_provider().unwrap();
        MessageIntegrity::new_short_term_integrity_with_provider(
            password.to_owned(),
            provider.crypto(),
        )
        .add_to(&mut self.message)
        .unwrap();
        self
    }

    pub(crate) fn fingerprinted(mut self) -> Vec<u8> {
        FINGERPRINT.add_to(&mut self.message).unwrap();
        self.message.raw
    }

    pub(crate) fn plain(self) -> Vec<u8> {
        self.message.raw
    }
}

/// Reads a reply with the other implementation, which checks its integrity and fingerprint.
pub(crate) fn check_reply(bytes: &[u8], password: &str) -> Message {
    let mut message = Message::new();
    message.unmarshal_binary(bytes).unwrap();
    let provider = default_provider().unwrap();
    MessageIntegrity::check(&mut message, password.as_bytes(), provider.crypto()).unwrap();
    FingerprintAttr.check(&message).unwrap();
    message
}

fn request() -> TheirRequest {
    TheirRequest::new("server:endpoint", [9; 12])
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(datagram: Vec<u8>) {
        prop_assert!(Request::parse(&datagram).is_none());
        let mut message = BINDING_REQUEST_HEADER.to_vec();
        message.extend(&datagram);
        let len = u16::try_from(datagram.len()).unwrap();
        message[2..4].copy_from_slice(&len.to_be_bytes());
        let _request = Request::parse(&message);
    }

    #[test]
    fn a_damaged_request_is_never_taken_for_authentic(at in 0_usize..80, bit in 0_u8..8) {
        let mut datagram = request().nominating().signed(PASSWORD).fingerprinted();
        let at = at % datagram.len();
        datagram[at] ^= 1 << bit;
        let request = Request::parse(&datagram);
        prop_assert!(request.is_none_or(|request| !request.is_authentic(&key(PASSWORD))));
    }

    #[test]
    fn the_other_implementations_requests_are_read(
        local in "[A-Za-z0-9+/]{1,256}", remote in "[A-Za-z0-9+/]{1,256}",
        transaction: [u8; 12], nominates: bool, is_controlled: bool, password in "[a-z]{22,80}",
    ) {
        let mut theirs = TheirRequest::new(&format!("{local}:{remote}"), transaction);
        if nominates {
            theirs = theirs.nominating();
        }
        if is_controlled {
            theirs = theirs.with(ATTR_ICE_CONTROLLED, &[1; 8]);
        }
        let datagram = theirs.signed(&password).fingerprinted();
        let request = Request::parse(&datagram).unwrap();
        prop_assert_eq!(request.transaction, transaction);
        prop_assert_eq!(request.local_ufrag, local.as_bytes());
        prop_assert_eq!(request.remote_ufrag, remote.as_bytes());
        prop_assert_eq!(request.use_candidate, nominates);
        prop_assert_eq!(request.is_controlled, is_controlled);
        prop_assert!(request.unknown.is_empty());
        prop_assert!(request.is_authentic(&key(&password)));
        prop_assert!(!request.is_authentic(&key("another password")));
        prop_assert_eq!(server_ufrag(&datagram), Some(local.as_str()));
    }

    #[test]
    fn our_answers_are_read_by_the_other_implementation(
        to: std::net::SocketAddr, transaction: [u8; 12],
    ) {
        let reply = Reply::new(ReplyKind::Success, transaction, to, &key(PASSWORD)).unwrap();
        let message = check_reply(reply.bytes(), PASSWORD);
        prop_assert_eq!(message.transaction_id.0, transaction);
        let mut mapped = XorMappedAddress::default();
        mapped.get_from(&message).unwrap();
        prop_assert_eq!((mapped.ip, mapped.port), (to.ip().to_canonical(), to.port()));
    }
}

const BINDING_REQUEST_HEADER: [u8; 20] = [
    0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
];

#[test]
fn a_request_without_fingerprint_is_read() {
    let datagram = request().signed(PASSWORD).plain();
    assert!(
        Request::parse(&datagram)
            .unwrap()
            .is_authentic(&key(PASSWORD))
    );
}

#[test]
fn a_wrong_fingerprint_is_refused() {
    let mut datagram = request().signed(PASSWORD).fingerprinted();
    *datagram.last_mut().unwrap() ^= 1;
    assert!(Request::parse(&datagram).is_none());
}

#[test]
fn a_broken_header_is_refused() {
    let good = request().signed(PASSWORD).fingerprinted();
    assert!(Request::parse(&good).is_some());
    for (at, byte) in [
        (0, 1),
        (1, 0x11),
        (3, good[3] - 4),
        (3, good[3] + 1),
        (4, 0x20),
    ] {
        let mut datagram = good.clone();
        datagram[at] = byte;
        assert!(Request::parse(&datagram).is_none(), "byte {at}");
    }
    for len in 0..good.len() {
        assert!(Request::parse(&good[..len]).is_none(), "length {len}");
    }
}

#[test]
fn an_attribute_that_runs_over_the_end_is_refused() {
    let mut datagram = request().with(AttrType(0x8022), b"four").plain();
    let len = datagram.len();
    datagram[len - 5] = 5;
    assert!(Request::parse(&datagram).is_none());
}

#[test]
fn an_indication_and_a_response_are_no_requests() {
    let mut datagram = request().signed(PASSWORD).plain();
    for kind in [[0, 0x11], [1, 1], [1, 0x11]] {
        datagram[..2].copy_from_slice(&kind);
        assert!(Request::parse(&datagram).is_none());
    }
}

#[test]
fn a_username_of_anything_but_two_halves_is_refused() {
    let long = format!("{}:b", "a".repeat(512));
    for username in ["", "server", "server:", ":endpoint", ":", &long] {
        let datagram = TheirRequest::new(username, [1; 12])
            .signed(PASSWORD)
            .plain();
        assert!(Request::parse(&datagram).is_none(), "{username}");
    }
}

#[test]
fn a_request_without_credentials_is_refused() {
    assert!(Request::parse(&request().plain()).is_none());
    assert!(Request::parse(&BINDING_REQUEST_HEADER).is_none());
    assert_eq!(server_ufrag(&BINDING_REQUEST_HEADER), None);
}

#[test]
fn a_repeated_username_or_integrity_is_refused() {
    let twice = request()
        .with(ATTR_USERNAME, b"server:other")
        .signed(PASSWORD)
        .plain();
    assert!(Request::parse(&twice).is_none());
    let twice = request()
        .signed(PASSWORD)
        .with(ATTR_MESSAGE_INTEGRITY, &[0; 20])
        .plain();
    assert!(Request::parse(&twice).is_none());
}

#[test]
fn nothing_may_be_smuggled_in_behind_the_integrity() {
    let datagram = request().signed(PASSWORD).nominating().plain();
    assert!(Request::parse(&datagram).is_none());
    let datagram = request().signed(PASSWORD).nominating().fingerprinted();
    assert!(Request::parse(&datagram).is_none());
}

#[test]
fn an_integrity_of_another_length_is_refused() {
    for len in [0, 10, 32] {
        let datagram = request()
            .with(ATTR_MESSAGE_INTEGRITY, &vec![0; len])
            .plain();
        assert!(Request::parse(&datagram).is_none());
    }
}

#[test]
fn attributes_that_must_be_understood_are_listed() {
    let mut theirs = request();
    for kind in 0x0030..0x0040 {
        theirs = theirs.with(AttrType(kind), b"?");
    }
    let datagram = theirs
        .with(AttrType(0xc057), &[0; 4])
        .signed(PASSWORD)
        .fingerprinted();
    let request = Request::parse(&datagram).unwrap();
    assert_eq!(request.unknown.len(), 8);
    let kind = ReplyKind::UnknownAttributes(&request.unknown);
    let to = "[2001:db8::1]:9".parse().unwrap();
    let reply = Reply::new(kind, request.transaction, to, &key(PASSWORD)).unwrap();
    let message = check_reply(reply.bytes(), PASSWORD);
    assert_eq!(message.get(ATTR_ERROR_CODE).unwrap(), [0, 0, 4, 20]);
    let listed = message.get(ATTR_UNKNOWN_ATTRIBUTES).unwrap();
    assert_eq!(listed[..4], [0, 0x30, 0, 0x31]);
}

#[test]
fn an_answer_is_no_longer_than_its_request_needs_to_be() {
    // 64 bytes to IPv4 against the 68 of the shortest authenticated request: nothing to amplify.
    let to = "192.0.2.1:9".parse().unwrap();
    let reply = Reply::new(ReplyKind::Success, [0; 12], to, &key(PASSWORD)).unwrap();
    assert_eq!(reply.bytes().len(), 64);
}
