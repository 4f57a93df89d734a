//! The agent's behavior, driven by requests that `rtc::stun` prints.

mod moves;

use rtc::stun::attributes::{
    ATTR_ERROR_CODE, ATTR_ICE_CONTROLLED, ATTR_XORMAPPED_ADDRESS, AttrType,
};

use super::*;
use crate::stun::tests::{TheirRequest, check_reply};

const SECOND: Duration = Duration::from_secs(1);

fn credentials(name: &str) -> IceCredentials {
    IceCredentials {
        ufrag: format!("{name}-ufrag"),
        pwd: format!("{name}-password-of-24-let"),
    }
}

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

/// An agent with a clock and a source of fresh transactions.
struct Bench {
    agent: IceLite,
    now: MonoTime,
    transactions: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            agent: IceLite::new(
                &credentials("server"),
                &credentials("endpoint"),
                MonoTime::ZERO,
            ),
            now: MonoTime::ZERO,
            transactions: 0,
        }
    }

    fn request(&mut self) -> TheirRequest {
        self.request_under("server", "endpoint")
    }

    fn request_under(&mut self, server: &str, endpoint: &str) -> TheirRequest {
        self.transactions += 1;
        let mut transaction = [0; 12];
        transaction[4..].copy_from_slice(&self.transactions.to_be_bytes());
        let username = format!(
            "{}:{}",
            credentials(server).ufrag,
            credentials(endpoint).ufrag
        );
        TheirRequest::new(&username, transaction)
    }

    fn feed(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<StunReply, DropReason> {
        self.now = self.now.plus(SECOND);
        self.agent.on_stun(self.now, from, datagram)
    }

    fn check(&mut self, from: SocketAddr) -> StunReply {
        let datagram = sign(self.request());
        self.feed(from, &datagram).unwrap()
    }

    fn nominate(&mut self, from: SocketAddr) -> StunReply {
        let datagram = sign(self.request().nominating());
        self.feed(from, &datagram).unwrap()
    }

    fn reply(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        let mut out = [0; 200];
        let (to, len) = self.agent.poll_transmit(&mut out)?;
        Some((to, out[..len].to_vec()))
    }
}

fn sign(request: TheirRequest) -> Vec<u8> {
    request.signed(&credentials("server").pwd).fingerprinted()
}

#[test]
fn a_check_is_answered_where_it_came_from() {
    let mut bench = Bench::new();
    let reply = bench.check(addr(1));
    assert_eq!(
        reply,
        StunReply {
            is_new: true,
            nominated: true,
            replaced: None
        }
    );
    let (to, bytes) = bench.reply().unwrap();
    assert_eq!(to, addr(1));
    let message = check_reply(&bytes, &credentials("server").pwd);
    assert!(message.contains(ATTR_XORMAPPED_ADDRESS));
    assert!(bench.reply().is_none());
}

#[test]
fn the_first_proved_address_serves_until_one_is_nominated() {
    let mut bench = Bench::new();
    bench.check(addr(1));
    assert!(!bench.check(addr(2)).nominated);
    assert_eq!(bench.agent.selected(), Some(addr(1)));
    assert!(bench.nominate(addr(2)).nominated);
    assert_eq!(bench.agent.selected(), Some(addr(2)));
}

#[test]
fn the_latest_nomination_wins_so_a_moved_endpoint_is_followed() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    assert!(bench.nominate(addr(2)).nominated);
    assert!(!bench.nominate(addr(2)).nominated, "nothing moved");
    assert!(bench.nominate(addr(1)).nominated);
    assert_eq!(bench.agent.selected(), Some(addr(1)));
}

#[test]
fn a_check_without_nomination_does_not_move_media() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    bench.check(addr(2));
    assert_eq!(bench.agent.selected(), Some(addr(1)));
}

#[test]
fn wrong_credentials_change_nothing_and_are_not_answered() {
    let mut bench = Bench::new();
    let wrong_password = bench.request().nominating().signed("guess").fingerprinted();
    let unsigned = bench.request().nominating().fingerprinted();
    let swapped = sign(bench.request_under("endpoint", "server"));
    let other_remote = sign(bench.request_under("server", "stranger"));
    let other_local = sign(bench.request_under("stranger", "endpoint"));
    for datagram in [wrong_password, swapped, other_remote, other_local] {
        assert_eq!(
            bench.feed(addr(1), &datagram),
            Err(DropReason::StunAuthFailed)
        );
    }
    assert_eq!(bench.feed(addr(1), &unsigned), Err(DropReason::StunInvalid));
    assert_eq!(bench.agent.selected(), None);
    assert_eq!(bench.agent.validated().count(), 0);
    assert!(bench.reply().is_none());
    assert!(bench.check(addr(1)).is_new, "the session lives");
}

#[test]
fn a_request_replayed_from_another_address_moves_nothing() {
    let mut bench = Bench::new();
    let captured = sign(bench.request().nominating());
    bench.feed(addr(1), &captured).unwrap();
    bench.reply();
    assert_eq!(
        bench.feed(addr(666), &captured),
        Err(DropReason::StunAuthFailed)
    );
    assert!(bench.reply().is_none());
    assert_eq!(bench.agent.selected(), Some(addr(1)));
}

#[test]
fn a_request_repeated_by_its_sender_is_answered_again_and_renews_nothing() {
    let mut bench = Bench::new();
    let datagram = sign(bench.request().nominating());
    bench.feed(addr(1), &datagram).unwrap();
    let until = bench.agent.consent_until();
    bench.nominate(addr(2));
    let renewed = bench.agent.consent_until();
    assert!(renewed > until);
    assert_eq!(bench.feed(addr(1), &datagram), Ok(StunReply::default()));
    assert_eq!(bench.agent.selected(), Some(addr(2)));
    assert_eq!(bench.agent.consent_until(), renewed);
    assert_eq!(std::iter::from_fn(|| bench.reply()).count(), 3);
}

#[test]
fn nominations_from_a_thousand_addresses_keep_eight() {
    let mut bench = Bench::new();
    for port in 1..=1000 {
        let reply = bench.nominate(addr(port));
        assert!(reply.is_new && reply.nominated);
        assert_eq!(reply.replaced.is_some(), port > 8);
        assert!(bench.agent.validated().count() <= TUPLES_MAX);
    }
    assert_eq!(bench.agent.selected(), Some(addr(1000)));
    assert!(std::iter::from_fn(|| bench.reply()).count() <= REPLIES_MAX);
}

#[test]
fn the_selected_address_is_never_given_up_for_others() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    for port in 2..100 {
        assert_ne!(bench.check(addr(port)).replaced, Some(addr(1)));
    }
    assert!(bench.agent.is_validated(addr(1)));
    assert_eq!(bench.agent.selected(), Some(addr(1)));
}

#[test]
fn an_endpoint_that_claims_to_be_controlled_is_told_of_the_conflict_each_time() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        let datagram = sign(
            bench
                .request()
                .with(ATTR_ICE_CONTROLLED, &[0xff; 8])
                .nominating(),
        );
        assert_eq!(bench.feed(addr(1), &datagram), Ok(StunReply::default()));
        let (_, bytes) = bench.reply().unwrap();
        let message = check_reply(&bytes, &credentials("server").pwd);
        assert_eq!(message.get(ATTR_ERROR_CODE).unwrap(), [0, 0, 4, 87]);
    }
    assert_eq!(bench.agent.selected(), None);
}

#[test]
fn an_attribute_that_must_be_understood_is_refused_with_420() {
    let mut bench = Bench::new();
    let datagram = sign(bench.request().with(AttrType(0x0031), &[1]).nominating());
    assert_eq!(bench.feed(addr(1), &datagram), Ok(StunReply::default()));
    let (_, bytes) = bench.reply().unwrap();
    let message = check_reply(&bytes, &credentials("server").pwd);
    assert_eq!(message.get(ATTR_ERROR_CODE).unwrap(), [0, 0, 4, 20]);
    assert_eq!(bench.agent.selected(), None);
}

#[test]
fn indications_and_stray_responses_are_dropped() {
    let mut bench = Bench::new();
    let mut datagram = sign(bench.request().nominating());
    for kind in [[0, 0x11], [1, 1], [1, 0x11]] {
        datagram[..2].copy_from_slice(&kind);
        assert_eq!(bench.feed(addr(1), &datagram), Err(DropReason::StunInvalid));
    }
    assert!(bench.reply().is_none());
}

#[test]
fn after_a_restart_old_credentials_work_until_the_new_ones_are_used() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    bench
        .agent
        .restart(&credentials("server2"), &credentials("endpoint2"));
    assert_eq!(bench.agent.selected(), Some(addr(1)), "media flows on");
    bench.check(addr(1));
    let fresh = bench
        .request_under("server2", "endpoint2")
        .signed(&credentials("server2").pwd)
        .fingerprinted();
    while bench.reply().is_some() {}
    assert!(bench.feed(addr(2), &fresh).unwrap().is_new);
    let (_, bytes) = bench.reply().unwrap();
    check_reply(&bytes, &credentials("server2").pwd);
    assert_eq!(bench.agent.selected(), Some(addr(1)), "until nominated");

    let old = sign(bench.request().nominating());
    assert_eq!(bench.feed(addr(1), &old), Err(DropReason::StunAuthFailed));
    let nomination = bench
        .request_under("server2", "endpoint2")
        .nominating()
        .signed(&credentials("server2").pwd)
        .fingerprinted();
    assert!(bench.feed(addr(2), &nomination).unwrap().nominated);
}

#[test]
fn credentials_of_two_generations_cannot_be_mixed() {
    let mut bench = Bench::new();
    bench
        .agent
        .restart(&credentials("server2"), &credentials("endpoint2"));
    for (local, remote, password) in [
        ("server2", "endpoint", "server2"),
        ("server", "endpoint2", "server"),
        ("server2", "endpoint2", "server"),
    ] {
        let datagram = bench
            .request_under(local, remote)
            .signed(&credentials(password).pwd)
            .fingerprinted();
        assert_eq!(
            bench.feed(addr(1), &datagram),
            Err(DropReason::StunAuthFailed)
        );
    }
}

#[test]
fn consent_is_renewed_on_the_selected_address_only() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    let until = bench.agent.consent_until();
    assert_eq!(until, bench.now.plus(CONSENT_LIFETIME));
    bench.check(addr(2));
    assert_eq!(bench.agent.consent_until(), until);
    bench.check(addr(1));
    assert_eq!(
        bench.agent.consent_until(),
        bench.now.plus(CONSENT_LIFETIME)
    );
    let later = bench.now.plus(SECOND);
    bench.agent.on_alive(later, addr(2));
    assert_eq!(
        bench.agent.consent_until(),
        bench.now.plus(CONSENT_LIFETIME)
    );
    bench.agent.on_alive(later, addr(1));
    assert_eq!(bench.agent.consent_until(), later.plus(CONSENT_LIFETIME));
}
