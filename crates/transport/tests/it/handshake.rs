//! From the first check to the keys: what must work, and what must not.

use std::time::Duration;

use estrade_transport::{SrtpProfile, TransportEvent};
use estrade_types::{CloseReason, MonoTime};

use crate::endpoint::{CM, Check, GCM, Pair, Setup, Signaled, addr};

#[test]
fn an_endpoint_connects_with_gcm() {
    let pair = Pair::connected(Setup::default());
    assert!(pair.is_complete && pair.transport.is_connected());
    assert_eq!(
        pair.transport.srtp_profile(),
        Some(SrtpProfile::AeadAes128Gcm)
    );
    assert_eq!(pair.transport.remote_addr(), Some(addr(1)));
}

#[test]
fn gcm_is_taken_even_from_an_endpoint_that_prefers_the_other() {
    let pair = Pair::connected(Setup {
        profiles: vec![CM, GCM],
        ..Setup::default()
    });
    assert_eq!(
        pair.transport.srtp_profile(),
        Some(SrtpProfile::AeadAes128Gcm)
    );
}

#[test]
fn an_endpoint_without_gcm_connects_by_the_fallback() {
    for mtu in [1200, 100] {
        let pair = Pair::connected(Setup {
            profiles: vec![CM],
            mtu,
            ..Setup::default()
        });
        assert_eq!(
            pair.transport.srtp_profile(),
            Some(SrtpProfile::Aes128CmHmacSha1_80)
        );
    }
}

#[test]
fn a_hello_in_two_datagrams_works_in_either_order() {
    for is_swapped in [false, true] {
        for profiles in [vec![GCM, CM], vec![CM]] {
            let mut pair = Pair::new(Setup {
                profiles,
                mtu: 90,
                ..Setup::default()
            });
            pair.check(addr(1), Check::Nominating).unwrap();
            let mut hello: Vec<_> = std::iter::from_fn(|| pair.endpoint_datagram()).collect();
            assert!(hello.len() >= 2);
            if is_swapped {
                hello.reverse();
            }
            for datagram in &hello {
                pair.transport.on_dtls(pair.now, addr(1), datagram).unwrap();
            }
            pair.run();
            assert_eq!(pair.transport.poll_event(), Some(TransportEvent::Connected));
        }
    }
}

#[test]
fn any_one_datagram_of_the_handshake_may_be_lost() {
    for mtu in [1200, 150] {
        for lost in 0..40 {
            let mut pair = Pair::new(Setup {
                mtu,
                ..Setup::default()
            });
            pair.check(addr(1), Check::Nominating).unwrap();
            let started = pair.now;
            let mut sent = 0;
            while !(pair.transport.is_connected() && pair.is_complete) {
                pair.exchange(&mut sent, |number| number == lost);
                assert!(
                    pair.now.since(started) < Duration::from_secs(5),
                    "{mtu}, {lost}"
                );
                if pair.transport.is_connected() && pair.is_complete {
                    break;
                }
                assert!(pair.step(), "{mtu}, {lost}: nobody waits for anything");
            }
        }
    }
}

#[test]
fn a_client_that_repeats_itself_gets_the_flight_it_lost() {
    let mut pair = Pair::new(Setup::default());
    pair.check(addr(1), Check::Nominating).unwrap();
    pair.transport_datagram().unwrap();
    let hello = pair.endpoint_datagram().unwrap();
    pair.transport.on_dtls(pair.now, addr(1), &hello).unwrap();
    let (_, verify) = pair.transport_datagram().unwrap();
    // Too soon after: not answered, so that nobody makes us shout.
    pair.transport.on_dtls(pair.now, addr(1), &hello).unwrap();
    assert!(pair.transport_datagram().is_none());
    pair.now = pair.now.plus(Duration::from_millis(60));
    pair.transport.on_dtls(pair.now, addr(1), &hello).unwrap();
    assert_eq!(pair.transport_datagram().unwrap().1, verify);
}

#[test]
fn a_certificate_that_was_not_signaled_is_refused() {
    let mut pair = Pair::new(Setup {
        signaled: Signaled::Other,
        ..Setup::default()
    });
    pair.check(addr(1), Check::Nominating).unwrap();
    pair.run();
    assert_eq!(
        pair.transport.poll_event(),
        Some(TransportEvent::Closed(CloseReason::HandshakeFailed))
    );
    assert!(!pair.is_complete && !pair.transport.is_connected());
    let mut packet = [0x80; 60];
    assert!(
        pair.transport
            .unprotect_rtp(pair.now, addr(1), &mut packet)
            .is_err()
    );
}

#[test]
fn one_of_several_fingerprints_is_enough() {
    Pair::connected(Setup {
        signaled: Signaled::TruthAndOther,
        ..Setup::default()
    });
}

#[test]
fn nobody_connects_without_a_fingerprint() {
    let pair = std::panic::catch_unwind(|| {
        Pair::new(Setup {
            signaled: Signaled::Nothing,
            ..Setup::default()
        })
    });
    assert!(pair.is_err());
}

#[test]
fn an_endpoint_that_never_comes_is_given_up_after_fifteen_seconds() {
    let mut pair = Pair::new(Setup::default());
    assert_eq!(
        pair.transport.next_deadline(),
        Some(MonoTime::from_millis(16_000))
    );
    pair.pass(Duration::from_millis(14_999));
    assert_eq!(pair.transport.poll_event(), None);
    pair.pass(Duration::from_millis(1));
    assert_eq!(
        pair.transport.poll_event(),
        Some(TransportEvent::Closed(CloseReason::ConnectTimeout))
    );
    assert_eq!(pair.transport.next_deadline(), None);
}

#[test]
fn a_handshake_stalled_at_any_flight_is_given_up_in_time() {
    for stalled_after in 0..6 {
        let mut pair = Pair::new(Setup::default());
        pair.check(addr(1), Check::Nominating).unwrap();
        pair.exchange(&mut 0, |number| number >= stalled_after);
        let mut sent = 0;
        while let Some(at) = pair.transport.next_deadline() {
            if pair.transport.is_connected() {
                break; // All of theirs had arrived.
            }
            pair.now = at;
            pair.transport.on_timeout(at);
            while pair.transport_datagram().is_some() {
                sent += 1;
            }
        }
        assert!(pair.now <= MonoTime::from_millis(16_000));
        assert!(sent <= 16, "{sent} datagrams sent to nobody");
    }
}

#[test]
fn close_notify_closes_both_ways() {
    let mut pair = Pair::connected(Setup::default());
    pair.transport.close();
    assert_eq!(pair.transport.poll_event(), None, "the shard asked for it");
    assert_eq!(pair.transport.next_deadline(), None);
    pair.run();
    assert!(pair.peer_closed);

    let mut pair = Pair::connected(Setup::default());
    pair.close_endpoint();
    pair.run();
    assert_eq!(
        pair.transport.poll_event(),
        Some(TransportEvent::Closed(CloseReason::ClosedByEndpoint))
    );
    assert!(!pair.transport.is_connected());
}

#[test]
fn consent_expires_thirty_seconds_after_the_last_proof() {
    let mut pair = Pair::connected(Setup::default());
    pair.pass(Duration::from_secs(29));
    pair.check(addr(1), Check::Plain).unwrap();
    pair.pass(Duration::from_secs(29));
    assert!(pair.transport.is_connected());
    pair.pass(Duration::from_secs(1));
    assert_eq!(
        pair.transport.poll_event(),
        Some(TransportEvent::Closed(CloseReason::ConsentExpired))
    );
    let mut buf = [0; 100];
    assert!(pair.transport.protect_rtcp(&mut buf, 8).is_err());
}
