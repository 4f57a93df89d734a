//! Our SRTP against `rtc::srtp`, both ways, and what hostile packets may not do.

use proptest::prelude::*;
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;
use webrtc::peer_connection::crypto::default_provider;

use estrade_types::DropReason;
use estrade_types::limits::SSRCS_PER_SESSION_MAX;

use super::*;

const KEY: [u8; 16] = *b"sixteen byte key";
const SALT: [u8; 14] = *b"fourteen salts";
const PROFILES: [SrtpProfile; 2] = [SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmHmacSha1_80];

fn master(profile: SrtpProfile) -> SrtpMasterKey {
    SrtpMasterKey::new(profile, &KEY, &SALT[..profile.salt_len()]).unwrap()
}

fn tx(profile: SrtpProfile) -> SrtpTx {
    SrtpTx::new(
        profile,
        &master(profile),
        default_provider().unwrap().crypto(),
    )
    .unwrap()
}

fn rx(profile: SrtpProfile) -> SrtpRx {
    SrtpRx::new(
        profile,
        &master(profile),
        default_provider().unwrap().crypto(),
    )
    .unwrap()
}

/// The other implementation, for either direction.
fn theirs(profile: SrtpProfile) -> Context {
    let theirs = match profile {
        SrtpProfile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        SrtpProfile::Aes128CmHmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
    };
    let provider = default_provider().unwrap();
    let salt = &SALT[..profile.salt_len()];
    Context::new(&KEY, salt, theirs, None, None, provider.crypto()).unwrap()
}

fn rtp(ssrc: u32, seq: u16, csrcs: u8, extension_words: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![
        0x80 | csrcs | if extension_words > 0 { 0x10 } else { 0 },
        96,
    ];
    packet.extend(seq.to_be_bytes());
    packet.extend([1, 2, 3, 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(0..csrcs * 4);
    if extension_words > 0 {
        packet.extend([0xbe, 0xde, 0, extension_words]);
        packet.extend(std::iter::repeat_n(0, usize::from(extension_words) * 4));
    }
    packet.extend(payload);
    packet
}

/// A receiver report without blocks, padded with an SDES-like tail of `words` zero words.
fn rtcp(ssrc: u32, words: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    if words > 0 {
        packet.extend([0x80, 204, 0, words]);
        packet.extend(std::iter::repeat_n(7, usize::from(words) * 4));
    }
    packet
}

fn seal(tx: &mut SrtpTx, packet: &[u8], index: u64) -> Result<Vec<u8>, DropReason> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + SRTP_OVERHEAD_MAX, 0);
    let len = tx.seal_rtp(&mut buf, packet.len(), index, TxStreamSlot(0))?;
    buf.truncate(len);
    Ok(buf)
}

fn seal_rtcp(tx: &mut SrtpTx, packet: &[u8]) -> Vec<u8> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + SRTCP_OVERHEAD_MAX, 0);
    let len = tx.seal_rtcp(&mut buf, packet.len()).unwrap();
    buf.truncate(len);
    buf
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rtp_we_seal_opens_in_the_other_implementation(
        ssrc: u32, start: u16, steps in prop::collection::vec(1_u16..400, 1..40),
        csrcs in 0_u8..16, words in 0_u8..8, payload: Vec<u8>,
    ) {
        for profile in PROFILES {
            let (mut ours, mut theirs) = (tx(profile), theirs(profile));
            // Theirs needs the first packets to learn of a rollover near the start.
            let mut index = u64::from(start);
            for &step in &steps {
                let [.., hi, lo] = index.to_be_bytes();
                let plain = rtp(ssrc, u16::from_be_bytes([hi, lo]), csrcs, words, &payload);
                let sealed = seal(&mut ours, &plain, index).unwrap();
                let opened = theirs.decrypt_rtp(&sealed).unwrap();
                prop_assert_eq!(&opened[..], &plain[..]);
                index += u64::from(step);
            }
        }
    }

    #[test]
    fn rtp_the_other_implementation_seals_opens_here(
        ssrc: u32, start: u16, steps in prop::collection::vec(1_u16..400, 1..40),
        csrcs in 0_u8..16, words in 0_u8..8, payload: Vec<u8>,
    ) {
        for profile in PROFILES {
            let (mut ours, mut theirs) = (rx(profile), theirs(profile));
            let mut seq = start;
            for &step in &steps {
                let plain = rtp(ssrc, seq, csrcs, words, &payload);
                let mut sealed = theirs.encrypt_rtp(&plain).unwrap().to_vec();
                let len = ours.open_rtp(&mut sealed).unwrap();
                prop_assert_eq!(&sealed[..len], &plain[..]);
                seq = seq.wrapping_add(step);
            }
        }
    }

    #[test]
    fn rtcp_passes_both_ways(ssrc: u32, words in prop::collection::vec(0_u8..30, 1..20)) {
        for profile in PROFILES {
            let (mut our_tx, mut our_rx) = (tx(profile), rx(profile));
            let (mut their_tx, mut their_rx) = (theirs(profile), theirs(profile));
            for &words in &words {
                let plain = rtcp(ssrc, words);
                let opened = their_rx.decrypt_rtcp(&seal_rtcp(&mut our_tx, &plain)).unwrap();
                prop_assert_eq!(&opened[..], &plain[..]);
                let mut sealed = their_tx.encrypt_rtcp(&plain).unwrap().to_vec();
                let len = our_rx.open_rtcp(&mut sealed).unwrap();
                prop_assert_eq!(&sealed[..len], &plain[..]);
            }
        }
    }

    #[test]
    fn any_bytes_are_dropped_without_panic_and_without_state(packet: Vec<u8>) {
        for profile in PROFILES {
            let mut rx = rx(profile);
            prop_assert!(rx.open_rtp(&mut packet.clone()).is_err());
            prop_assert!(rx.open_rtcp(&mut packet.clone()).is_err());
            prop_assert!(rx.rtp_ssrcs() == 0 && rx.rtcp_ssrcs() == 0);
        }
    }

    #[test]
    fn packets_reordered_within_the_window_open_once_each(
        start: u16, order in Just((0_u64..200).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        for profile in PROFILES {
            let (mut tx, mut rx) = (tx(profile), rx(profile));
            let sealed: Vec<_> = (0..200).map(|i| {
                let index = u64::from(start) + i;
                let [.., hi, lo] = index.to_be_bytes();
                seal(&mut tx, &rtp(7, u16::from_be_bytes([hi, lo]), 0, 0, b"x"), index).unwrap()
            }).collect();
            prop_assert!(rx.open_rtp(&mut sealed[0].clone()).is_ok());
            for &at in order.iter().filter(|&&at| at != 0) {
                let at = usize::try_from(at).unwrap();
                prop_assert!(rx.open_rtp(&mut sealed[at].clone()).is_ok());
                prop_assert_eq!(rx.open_rtp(&mut sealed[at].clone()), Err(DropReason::Replayed));
            }
        }
    }
}

#[test]
fn a_million_forged_packets_leave_no_trace() {
    for profile in PROFILES {
        let mut rx = rx(profile);
        let good = seal(&mut tx(profile), &rtp(1, 100, 0, 0, b"voice"), 100).unwrap();
        let mut forged = good.clone();
        for n in 0..1_000_000_u32 {
            // A new SSRC and sequence number each time; every fourth the true stream's.
            if n % 4 != 0 {
                forged[8..12].copy_from_slice(&n.to_be_bytes());
            }
            forged[2..4].copy_from_slice(&n.to_be_bytes()[2..]);
            let mut packet = [0; 64];
            packet[..forged.len()].copy_from_slice(&forged);
            let last = forged.len() - 1;
            packet[last] ^= 1;
            assert_eq!(
                rx.open_rtp(&mut packet[..=last]),
                Err(DropReason::AuthFailed)
            );
        }
        assert_eq!(rx.rtp_ssrcs(), 0);
        assert!(rx.open_rtp(&mut good.clone()).is_ok());
    }
}

#[test]
fn a_flipped_bit_anywhere_is_dropped() {
    for profile in PROFILES {
        let mut rx = rx(profile);
        let good = seal(&mut tx(profile), &rtp(1, 9, 2, 1, b"payload"), 9).unwrap();
        for bit in 0..good.len() * 8 {
            let mut packet = good.clone();
            packet[bit / 8] ^= 1 << (bit % 8);
            assert!(rx.open_rtp(&mut packet).is_err(), "bit {bit}");
        }
        assert!(rx.open_rtp(&mut good.clone()).is_ok());
        let good = seal_rtcp(&mut tx(profile), &rtcp(1, 3));
        for bit in 0..good.len() * 8 {
            let mut packet = good.clone();
            packet[bit / 8] ^= 1 << (bit % 8);
            assert!(rx.open_rtcp(&mut packet).is_err(), "bit {bit}");
        }
        assert!(rx.open_rtcp(&mut good.clone()).is_ok());
    }
}

#[test]
fn a_packet_cut_short_anywhere_is_dropped() {
    for profile in PROFILES {
        let mut rx = rx(profile);
        let good = seal(&mut tx(profile), &rtp(1, 9, 2, 1, b"payload"), 9).unwrap();
        let compound = seal_rtcp(&mut tx(profile), &rtcp(1, 3));
        for len in 0..good.len() {
            assert!(rx.open_rtp(&mut good[..len].to_vec()).is_err());
        }
        for len in 0..compound.len() {
            assert!(rx.open_rtcp(&mut compound[..len].to_vec()).is_err());
        }
    }
}

#[test]
fn a_replayed_packet_is_dropped_before_and_after_the_wrap() {
    for profile in PROFILES {
        let (mut tx, mut rx) = (tx(profile), rx(profile));
        let packets: Vec<_> = (0xfff0_u64..0x1_0010)
            .map(|index| {
                let [.., hi, lo] = index.to_be_bytes();
                seal(
                    &mut tx,
                    &rtp(5, u16::from_be_bytes([hi, lo]), 0, 0, b"v"),
                    index,
                )
                .unwrap()
            })
            .collect();
        for packet in &packets {
            assert!(rx.open_rtp(&mut packet.clone()).is_ok());
        }
        for packet in &packets {
            assert_eq!(rx.open_rtp(&mut packet.clone()), Err(DropReason::Replayed));
        }
    }
}

#[test]
fn the_same_sequence_number_under_another_rollover_count_does_not_verify() {
    for profile in PROFILES {
        let (mut tx, mut rx) = (tx(profile), rx(profile));
        let packet = rtp(5, 700, 0, 0, b"v");
        let late = seal(&mut tx, &packet, 0x1_0000 + 700).unwrap();
        // A receiver that starts in cycle 0 cannot open cycle 1, and learns nothing from it.
        assert_eq!(rx.open_rtp(&mut late.clone()), Err(DropReason::AuthFailed));
        assert_eq!(rx.rtp_ssrcs(), 0);
    }
}

#[test]
fn plaintext_rtp_is_dropped() {
    for profile in PROFILES {
        let mut packet = rtp(1, 1, 0, 0, &[0; 160]);
        assert_eq!(
            rx(profile).open_rtp(&mut packet),
            Err(DropReason::AuthFailed)
        );
    }
}

#[test]
fn unencrypted_rtcp_is_dropped() {
    for profile in PROFILES {
        let mut rx = rx(profile);
        assert!(rx.open_rtcp(&mut rtcp(1, 8)).is_err());
        // With the E flag cleared after sealing, whatever the tag says.
        let mut sealed = seal_rtcp(&mut tx(profile), &rtcp(1, 8));
        let trailer = match profile {
            SrtpProfile::AeadAes128Gcm => sealed.len() - 4,
            SrtpProfile::Aes128CmHmacSha1_80 => sealed.len() - 14,
        };
        sealed[trailer] &= 0x7f;
        assert_eq!(rx.open_rtcp(&mut sealed), Err(DropReason::AuthFailed));
    }
}

#[test]
fn replayed_rtcp_is_dropped() {
    for profile in PROFILES {
        let (mut tx, mut rx) = (tx(profile), rx(profile));
        let first = seal_rtcp(&mut tx, &rtcp(1, 2));
        let second = seal_rtcp(&mut tx, &rtcp(1, 2));
        assert!(rx.open_rtcp(&mut second.clone()).is_ok());
        assert!(rx.open_rtcp(&mut first.clone()).is_ok());
        assert_eq!(rx.open_rtcp(&mut first.clone()), Err(DropReason::Replayed));
        assert_eq!(rx.open_rtcp(&mut second.clone()), Err(DropReason::Replayed));
    }
}

#[test]
fn ssrcs_beyond_the_limit_are_refused_and_counted() {
    for profile in PROFILES {
        let mut rx = rx(profile);
        let most = u32::try_from(SSRCS_PER_SESSION_MAX).unwrap();
        for ssrc in 0..10_000 {
            let mut sealed = seal(&mut tx(profile), &rtp(ssrc, 1, 0, 0, b"v"), 1).unwrap();
            let opened = rx.open_rtp(&mut sealed).map(|_| ());
            if ssrc < most {
                assert_eq!(opened, Ok(()));
            } else {
                assert_eq!(opened, Err(DropReason::SsrcLimit));
            }
        }
        assert_eq!(rx.rtp_ssrcs(), SSRCS_PER_SESSION_MAX);
    }
}

#[test]
fn an_index_is_never_sealed_twice() {
    let mut tx = tx(SrtpProfile::AeadAes128Gcm);
    assert!(seal(&mut tx, &rtp(1, 10, 0, 0, b"one"), 10).is_ok());
    assert_eq!(
        seal(&mut tx, &rtp(1, 10, 0, 0, b"two"), 10),
        Err(DropReason::IndexReused)
    );
    assert!(
        seal(&mut tx, &rtp(1, 9, 0, 0, b"old"), 9).is_ok(),
        "not used yet"
    );
    assert!(seal(&mut tx, &rtp(1, 2000, 0, 0, b"new"), 2000).is_ok());
    assert_eq!(
        seal(&mut tx, &rtp(1, 11, 0, 0, b"too old"), 11),
        Err(DropReason::IndexReused)
    );
}

#[test]
fn a_slot_belongs_to_one_ssrc_and_an_ssrc_to_one_slot() {
    let mut tx = tx(SrtpProfile::AeadAes128Gcm);
    let mut try_seal = |ssrc, slot, seq: u16| {
        let packet = rtp(ssrc, seq, 0, 0, b"v");
        let mut buf = packet.clone();
        buf.resize(packet.len() + SRTP_OVERHEAD_MAX, 0);
        tx.seal_rtp(&mut buf, packet.len(), seq.into(), TxStreamSlot(slot))
            .map(|_| ())
    };
    assert_eq!(try_seal(1, 3, 1), Ok(()));
    assert_eq!(try_seal(2, 3, 2), Err(DropReason::IndexReused));
    assert_eq!(try_seal(1, 4, 3), Err(DropReason::IndexReused));
    assert_eq!(try_seal(2, 4, 1), Ok(()));
    assert_eq!(try_seal(5, 32, 1), Err(DropReason::IndexReused));
}

#[test]
fn sealing_wants_a_packet_its_index_and_room() {
    let mut tx = tx(SrtpProfile::AeadAes128Gcm);
    let packet = rtp(1, 10, 0, 0, b"v");
    let mut buf = packet.clone();
    buf.resize(packet.len() + SRTP_OVERHEAD_MAX, 0);
    for (buf_len, len, index) in [
        (buf.len() - 1, packet.len(), 10),
        (buf.len(), packet.len(), 11),
        (buf.len(), packet.len(), 10 | 1 << 48),
        (buf.len(), 11, 10),
        (buf.len(), buf.len() + 1, 10),
    ] {
        let sealed = tx.seal_rtp(&mut buf[..buf_len], len, index, TxStreamSlot(0));
        assert_eq!(sealed, Err(DropReason::RtpMalformed));
    }
}
