//! Media both ways against `rtc::srtp`, with keys from a real handshake.

use std::time::Duration;

use estrade_transport::TxStreamSlot;
use estrade_types::DropReason;
use rtc::srtp::protection_profile::ProtectionProfile;

use crate::endpoint::{CM, Check, GCM, Pair, Setup, addr, credentials};

fn rtp(ssrc: u32, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0, 0, 9]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet
}

#[test]
fn rtp_and_rtcp_flow_both_ways_under_both_profiles() {
    for (offered, profile) in [
        (GCM, ProtectionProfile::AeadAes128Gcm),
        (CM, ProtectionProfile::Aes128CmHmacSha1_80),
    ] {
        let mut pair = Pair::connected(Setup {
            profiles: vec![offered],
            ..Setup::default()
        });
        let (mut seal, mut open) = pair.srtp(profile);
        for seq in 65_500_u16..65_535 {
            let plain = rtp(1, seq, b"to the server");
            let mut sealed = seal.encrypt_rtp(&plain).unwrap().to_vec();
            let len = pair
                .transport
                .unprotect_rtp(pair.now, addr(1), &mut sealed)
                .unwrap();
            assert_eq!(sealed[..len], plain);

            let plain = rtp(2, seq, b"to the endpoint");
            let mut buf = [0; 200];
            buf[..plain.len()].copy_from_slice(&plain);
            let len = pair
                .transport
                .protect_rtp(&mut buf, plain.len(), seq.into(), TxStreamSlot(0))
                .unwrap();
            assert_eq!(open.decrypt_rtp(&buf[..len]).unwrap()[..], plain);
        }
        let mut sealed = seal.encrypt_rtcp(&rtcp(1)).unwrap().to_vec();
        let len = pair
            .transport
            .unprotect_rtcp(pair.now, addr(1), &mut sealed);
        assert_eq!(sealed[..len.unwrap()], rtcp(1));
        let mut buf = [0; 64];
        buf[..8].copy_from_slice(&rtcp(2));
        let len = pair.transport.protect_rtcp(&mut buf, 8).unwrap();
        assert_eq!(open.decrypt_rtcp(&buf[..len]).unwrap()[..], rtcp(2));
    }
}

#[test]
fn media_before_the_keys_is_refused_both_ways() {
    let mut pair = Pair::new(Setup::default());
    let mut packet = rtp(1, 1, &[0; 100]);
    let refused = Err(DropReason::NotConnected);
    assert_eq!(
        pair.transport.unprotect_rtp(pair.now, addr(1), &mut packet),
        refused
    );
    assert_eq!(
        pair.transport
            .unprotect_rtcp(pair.now, addr(1), &mut packet),
        refused
    );
    assert_eq!(
        pair.transport
            .protect_rtp(&mut packet, 50, 1, TxStreamSlot(0)),
        refused
    );
    assert_eq!(pair.transport.protect_rtcp(&mut packet, 50), refused);
}

#[test]
fn media_follows_an_endpoint_to_its_new_address() {
    let mut pair = Pair::connected(Setup::default());
    let moved = pair.check(addr(2), Check::Nominating).unwrap();
    assert!(moved.is_new && moved.nominated);
    assert_eq!(pair.transport.remote_addr(), Some(addr(2)));
    let (to, _) = pair.transport_datagram().unwrap();
    assert_eq!(
        to,
        addr(2),
        "the answer goes back where the check came from"
    );
    // DTLS has moved as well.
    pair.from = addr(2);
    pair.transport.close();
    let (to, _) = pair.transport_datagram().unwrap();
    assert_eq!(to, addr(2));
}

#[test]
fn media_follows_an_endpoint_that_a_nat_moved_without_its_knowledge() {
    let mut pair = Pair::connected(Setup::default());
    let (mut seal, _) = pair.srtp(ProtectionProfile::AeadAes128Gcm);
    let rebound = pair.now;
    // Checks every two seconds, as they are once an address is chosen; packets all the time.
    for tenth in 1..=60_u16 {
        pair.pass(Duration::from_millis(100));
        if tenth % 20 == 0 {
            let reply = pair.check(addr(2), Check::Plain).unwrap();
            assert!(!reply.nominated);
        }
        let mut sealed = seal.encrypt_rtp(&rtp(1, tenth, b"voice")).unwrap().to_vec();
        pair.transport
            .unprotect_rtp(pair.now, addr(2), &mut sealed)
            .unwrap();
        let is_followed = pair.transport.remote_addr() == Some(addr(2));
        assert_eq!(
            is_followed,
            pair.now >= rebound.plus(Duration::from_secs(4))
        );
    }
    assert_eq!(
        pair.transport.next_deadline(),
        Some(pair.now.plus(Duration::from_secs(30)))
    );
}

#[test]
fn a_handshake_survives_a_change_of_address_in_its_middle() {
    let mut pair = Pair::new(Setup::default());
    pair.check(addr(1), Check::Nominating).unwrap();
    pair.exchange(&mut 0, |number| number >= 3);
    pair.check(addr(2), Check::Nominating).unwrap();
    pair.from = addr(2);
    while !pair.transport.is_connected() {
        pair.run();
        assert!(pair.transport.is_connected() || pair.step());
        assert!(pair.now.as_millis() < 10_000);
    }
}

#[test]
fn authenticated_media_renews_consent_and_forged_media_does_not() {
    let mut pair = Pair::connected(Setup::default());
    let (mut seal, _) = pair.srtp(ProtectionProfile::AeadAes128Gcm);
    let before = pair.transport.next_deadline();
    pair.pass(Duration::from_secs(10));
    let mut sealed = seal.encrypt_rtp(&rtp(1, 5, b"voice")).unwrap().to_vec();
    let mut forged = sealed.clone();
    forged[14] ^= 1;
    let dropped = pair.transport.unprotect_rtp(pair.now, addr(1), &mut forged);
    assert_eq!(dropped, Err(DropReason::AuthFailed));
    assert_eq!(pair.transport.next_deadline(), before);
    pair.transport
        .unprotect_rtp(pair.now, addr(1), &mut sealed)
        .unwrap();
    assert_eq!(
        pair.transport.next_deadline(),
        Some(pair.now.plus(Duration::from_secs(30)))
    );
}

#[test]
fn media_flows_through_an_ice_restart() {
    let mut pair = Pair::connected(Setup::default());
    let (mut seal, _) = pair.srtp(ProtectionProfile::AeadAes128Gcm);
    let (local, remote) = (credentials(3), credentials(4));
    pair.transport.restart_ice(&remote, &local);
    let old = pair.check_datagram(Check::Nominating);
    let mut sealed = seal.encrypt_rtp(&rtp(1, 5, b"voice")).unwrap().to_vec();
    pair.transport
        .unprotect_rtp(pair.now, addr(1), &mut sealed)
        .unwrap();
    assert_eq!(pair.transport.remote_addr(), Some(addr(1)));

    (pair.local, pair.remote) = (local, remote);
    assert!(pair.check(addr(7), Check::Nominating).unwrap().nominated);
    assert_eq!(pair.transport.remote_addr(), Some(addr(7)));
    assert_eq!(
        pair.transport.on_stun(pair.now, addr(1), &old),
        Err(DropReason::StunAuthFailed),
        "the old credentials are refused once the new ones were used"
    );
    let mut sealed = seal.encrypt_rtp(&rtp(1, 6, b"voice")).unwrap().to_vec();
    pair.transport
        .unprotect_rtp(pair.now, addr(1), &mut sealed)
        .unwrap();
}
