//! What strangers and malicious endpoints send, by the numbers of the hostile-input list.

use std::time::Duration;

use estrade_transport::{StunReply, TransportEvent, decode_ufrag, stun};
use estrade_types::{CloseReason, DropReason};
use proptest::prelude::*;
use rtc::srtp::protection_profile::ProtectionProfile;

use crate::endpoint::{Check, Pair, Setup, addr};

fn record(content_type: u8, epoch: u8, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 0xfe, 0xfd, 0, epoch, 0, 0];
    record.extend(sequence.to_be_bytes());
    record.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    record.extend(body);
    record
}

/// A ClientHello with one cipher suite and no extensions.
fn hello(cipher_suite: u16, version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([5; 32]);
    body.extend([0, 0]);
    body.extend([0, 2]);
    body.extend(cipher_suite.to_be_bytes());
    body.extend([1, 0]);
    handshake(0, u32::try_from(body.len()).unwrap(), 0, &body)
}

fn handshake(message: u16, len: u32, offset: u32, data: &[u8]) -> Vec<u8> {
    let mut fragment = vec![1];
    fragment.extend(&len.to_be_bytes()[1..]);
    fragment.extend(message.to_be_bytes());
    fragment.extend(&offset.to_be_bytes()[1..]);
    fragment.extend(&u32::try_from(data.len()).unwrap().to_be_bytes()[1..]);
    fragment.extend(data);
    record(22, 0, offset, &fragment)
}

#[test]
fn a_stranger_finds_the_session_by_its_fragment_alone() {
    let pair = Pair::new(Setup::default());
    let datagram = pair.check_datagram(Check::Plain);
    let ufrag = stun::server_ufrag(&datagram).unwrap();
    assert_eq!(ufrag, pair.local.ufrag);
    assert_eq!(decode_ufrag(ufrag).map(|place| place.slot), Some(2));
}

// B 16, 17.
#[test]
fn dtls_from_an_address_without_a_check_is_ignored_before_and_after_connecting() {
    let mut pair = Pair::new(Setup::default());
    let null_cipher = hello(0x0000, [0xfe, 0xfd]);
    let refused = Err(DropReason::DtlsNotValidated);
    assert_eq!(
        pair.transport.on_dtls(pair.now, addr(1), &null_cipher),
        refused
    );
    pair.check(addr(1), Check::Nominating).unwrap();
    assert_eq!(
        pair.transport.on_dtls(pair.now, addr(9), &null_cipher),
        refused
    );
    pair.run();
    assert_eq!(pair.transport.poll_event(), Some(TransportEvent::Connected));
    assert_eq!(
        pair.transport.on_dtls(pair.now, addr(9), &null_cipher),
        refused
    );
    assert!(pair.transport.is_connected());
}

// B 16, 24.
#[test]
fn a_hopeless_hello_does_not_keep_the_true_one_out() {
    for hopeless in [
        hello(0x0000, [0xfe, 0xfd]), // NULL cipher.
        hello(0xc02b, [0xfe, 0xff]), // DTLS 1.0.
        hello(0xc02b, [0xfe, 0xfd]), // No extended master secret.
    ] {
        let mut pair = Pair::new(Setup::default());
        pair.check(addr(1), Check::Nominating).unwrap();
        pair.transport
            .on_dtls(pair.now, addr(1), &hopeless)
            .unwrap();
        assert_eq!(pair.transport.poll_event(), None);
        pair.run();
        assert_eq!(pair.transport.poll_event(), Some(TransportEvent::Connected));
    }
}

#[test]
fn an_endpoint_with_nothing_in_common_fails_soon() {
    let mut pair = Pair::new(Setup::default());
    pair.check(addr(1), Check::Nominating).unwrap();
    for _ in 0..4 {
        let _dropped = pair
            .transport
            .on_dtls(pair.now, addr(1), &hello(0, [0xfe, 0xfd]));
    }
    assert_eq!(
        pair.transport.poll_event(),
        Some(TransportEvent::Closed(CloseReason::HandshakeFailed))
    );
}

// B 19.
#[test]
fn fragments_that_lie_are_dropped_and_floods_of_them_are_bounded() {
    let mut pair = Pair::new(Setup::default());
    pair.check(addr(1), Check::Nominating).unwrap();
    let mut feed = |datagram: &[u8]| pair.transport.on_dtls(pair.now, addr(1), datagram);
    for _ in 0..1000 {
        feed(&handshake(0, 100, 0, b"")).unwrap(); // Empty.
        feed(&handshake(0, 0xff_ffff, 0, b"x")).unwrap(); // Sixteen megabytes.
        feed(&handshake(7, 4, 3, b"xy")).unwrap(); // Past its end.
        feed(&handshake(9, 4, 0, b"wxyz")).unwrap(); // A message far ahead.
    }
    // One-byte fragments, each continuing the last: recursion without end, if let in.
    let mut passed = 0;
    for offset in 1..8_000 {
        passed += u32::from(feed(&handshake(0, 8_000, offset, b"x")).is_ok());
    }
    assert_eq!(passed, 256);
    assert_eq!(
        feed(&handshake(0, 8_000, 0, b"x")),
        Err(DropReason::DtlsOverflow)
    );
}

#[test]
fn a_strangers_hello_answered_first_does_not_keep_the_true_client_out() {
    let mut pair = Pair::new(Setup::default());
    pair.check(addr(1), Check::Nominating).unwrap();
    let mut stranger = Pair::new(Setup::default());
    let theirs = stranger.endpoint_datagram().unwrap();
    pair.transport.on_dtls(pair.now, addr(1), &theirs).unwrap();
    while pair.transport_datagram().is_some() {}
    pair.run();
    assert_eq!(pair.transport.poll_event(), Some(TransportEvent::Connected));
}

// B 23.
#[test]
fn plaintext_alerts_change_nothing_before_during_and_after_the_handshake() {
    for spray_at in 0..8 {
        let mut pair = Pair::new(Setup::default());
        pair.check(addr(1), Check::Nominating).unwrap();
        pair.exchange(&mut 0, |number| number >= spray_at);
        for (sequence, alert) in (100..).zip([[1, 0], [2, 0], [2, 40], [2, 20], [1, 90]]) {
            let alert = record(21, 0, sequence, &alert);
            pair.transport.on_dtls(pair.now, addr(1), &alert).unwrap();
            // Nor do protected ones without the keys.
            let alert = record(21, 1, sequence, &[7; 26]);
            pair.transport.on_dtls(pair.now, addr(1), &alert).unwrap();
        }
        assert_eq!(
            pair.transport
                .poll_event()
                .filter(|&e| e != TransportEvent::Connected),
            None
        );
        while !(pair.transport.is_connected() && pair.is_complete) {
            pair.run();
            if !(pair.transport.is_connected() && pair.is_complete) {
                assert!(pair.step());
            }
            assert!(pair.now.as_millis() < 10_000, "sprayed at {spray_at}");
        }
    }
}

// B 24, 25.
#[test]
fn application_data_and_new_hellos_do_not_disturb_a_connected_session() {
    let mut pair = Pair::connected(Setup::default());
    let mut sent = 0;
    for sequence in 0..10_000 {
        pair.now = pair.now.plus(Duration::from_millis(1));
        let _dropped = pair
            .transport
            .on_dtls(pair.now, addr(1), &record(23, 0, sequence, b"data"));
        let _dropped =
            pair.transport
                .on_dtls(pair.now, addr(1), &record(23, 1, sequence, &[1; 40]));
        let _dropped = pair
            .transport
            .on_dtls(pair.now, addr(1), &hello(0, [0xfe, 0xfd]));
        while pair.transport_datagram().is_some() {
            sent += 1;
        }
    }
    assert!(pair.transport.is_connected());
    assert!(sent <= 32, "{sent} datagrams provoked");
}

// A 6.
#[test]
fn a_captured_check_cannot_move_media_to_the_one_who_captured_it() {
    let mut pair = Pair::connected(Setup::default());
    let captured = pair.check_datagram(Check::Nominating);
    pair.transport
        .on_stun(pair.now, addr(1), &captured)
        .unwrap();
    assert_eq!(
        pair.transport.on_stun(pair.now, addr(66), &captured),
        Err(DropReason::StunAuthFailed)
    );
    assert_eq!(pair.transport.remote_addr(), Some(addr(1)));
}

// A 6, by one who is faster than the endpoint: the server sees the copies first.
#[test]
fn checks_that_a_stranger_sends_first_cannot_take_media_from_a_live_address() {
    let mut pair = Pair::connected(Setup::default());
    let (mut seal, _) = pair.srtp(ProtectionProfile::AeadAes128Gcm);
    let mut captured = Vec::new();
    for second in 1..=60_u16 {
        pair.pass(Duration::from_secs(1));
        if second % 5 == 0 {
            let check = pair.check_datagram(Check::Plain);
            let reply = pair.transport.on_stun(pair.now, addr(66), &check).unwrap();
            assert!(!reply.nominated);
            captured.push(check);
        }
        // Nor do old ones, from the stranger's address that is known by now or from another.
        for check in &captured {
            let moved = pair.transport.on_stun(pair.now, addr(66), check);
            assert_eq!(moved, Ok(StunReply::default()));
            let refused = pair.transport.on_stun(pair.now, addr(67), check);
            assert_eq!(refused, Err(DropReason::StunAuthFailed));
        }
        pair.pass(Duration::from_millis(20));
        if second % 2 == 0 {
            // What a listener sends, and all it sends: the checks were taken from it.
            let mut report = seal.encrypt_rtcp(&[0x80, 201, 0, 1, 0, 0, 0, 1]).unwrap();
            pair.transport
                .unprotect_rtcp(pair.now, addr(1), &mut report)
                .unwrap();
        }
        assert_eq!(pair.transport.remote_addr(), Some(addr(1)));
    }
    assert!(pair.transport.is_connected());
}

// A 6, 13: only what comes from where media goes is consent, and packets move nothing.
#[test]
fn packets_from_elsewhere_neither_draw_media_nor_keep_it_flowing() {
    let mut pair = Pair::connected(Setup::default());
    let (mut seal, _) = pair.srtp(ProtectionProfile::AeadAes128Gcm);
    pair.check(addr(2), Check::Plain).unwrap();
    pair.check(addr(1), Check::Plain).unwrap();
    for _ in 0..29 {
        pair.pass(Duration::from_secs(1));
        let mut report = seal.encrypt_rtcp(&[0x80, 201, 0, 1, 0, 0, 0, 1]).unwrap();
        pair.transport
            .unprotect_rtcp(pair.now, addr(2), &mut report)
            .unwrap();
        assert_eq!(pair.transport.remote_addr(), Some(addr(1)));
    }
    pair.pass(Duration::from_secs(1));
    assert_eq!(
        pair.transport.poll_event(),
        Some(TransportEvent::Closed(CloseReason::ConsentExpired))
    );
}

// A 7.
#[test]
fn nominations_from_a_thousand_addresses_leave_eight() {
    let mut pair = Pair::connected(Setup::default());
    for port in 1..=1000 {
        pair.check(addr(port), Check::Nominating).unwrap();
        assert!(pair.transport.validated_addrs().count() <= 8);
    }
    assert_eq!(pair.transport.remote_addr(), Some(addr(1000)));
}

// A 14.
#[test]
fn nothing_is_ever_sent_to_an_address_that_did_not_prove_itself() {
    let mut pair = Pair::new(Setup::default());
    while pair.transport.next_deadline().is_some_and(|_| pair.step()) {
        assert!(pair.transport_datagram().is_none());
    }
    assert!(!pair.transport.is_connected());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    // A 1, B 19, C 28, 31.
    #[test]
    fn any_datagrams_leave_a_connected_session_as_it_was(
        datagrams in prop::collection::vec((0_u8..=255, prop::collection::vec(any::<u8>(), 0..80)), 1..20),
    ) {
        thread_local! {
            static PAIR: std::cell::RefCell<Pair> =
                std::cell::RefCell::new(Pair::connected(Setup::default()));
        }
        PAIR.with_borrow_mut(|pair| {
            for (first, mut datagram) in datagrams {
                datagram.insert(0, first);
                assert!(pair.transport.on_stun(pair.now, addr(1), &datagram).is_err());
                let _dropped = pair.transport.on_dtls(pair.now, addr(1), &datagram);
                assert!(pair.transport.unprotect_rtp(pair.now, addr(1), &mut datagram.clone()).is_err());
                assert!(pair.transport.unprotect_rtcp(pair.now, addr(1), &mut datagram).is_err());
            }
            assert!(pair.transport.is_connected());
            assert_eq!(pair.transport.remote_addr(), Some(addr(1)));
        });
    }

    // B 19: whatever the handshake bytes, no panic, and the session still ends in time.
    #[test]
    fn any_handshake_records_are_survived(
        records in prop::collection::vec(
            (prop::sample::select(vec![20_u8, 21, 22, 23]), 0_u8..2, prop::collection::vec(any::<u8>(), 1..200)),
            1..20,
        ),
        after in 0_usize..6,
    ) {
        let mut pair = Pair::new(Setup::default());
        pair.check(addr(1), Check::Nominating).unwrap();
        pair.exchange(&mut 0, |number| number >= after);
        for (sequence, (content_type, epoch, body)) in (1000..).zip(records) {
            let datagram = record(content_type, epoch, sequence, &body);
            let _dropped = pair.transport.on_dtls(pair.now, addr(1), &datagram);
        }
        pair.pass(Duration::from_secs(31));
        prop_assert!(!pair.transport.is_connected());
        prop_assert!(pair.transport.poll_event().is_some());
    }
}
