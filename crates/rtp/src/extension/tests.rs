use bytes::Bytes;
use proptest::prelude::*;
use rtc::rtp;
use rtc::shared::marshal::Marshal;

use super::*;

fn map() -> ExtensionMap {
    ExtensionMap {
        mid: ExtensionId::new(1),
        rid: ExtensionId::new(2),
        repaired_rid: ExtensionId::new(3),
        audio_level: ExtensionId::new(4),
        transport_cc: ExtensionId::new(5),
        abs_send_time: ExtensionId::new(6),
        video_orientation: ExtensionId::new(7),
    }
}

/// Reads `elements`, zero-filled to whole words, under `profile`.
fn read(profile: u16, elements: &[u8]) -> HeaderExtensions {
    let words = elements.len().div_ceil(4);
    let mut packet = vec![0x90, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    packet.extend(profile.to_be_bytes());
    packet.extend(u16::try_from(words).unwrap().to_be_bytes());
    packet.extend(elements);
    packet.resize(16 + words * 4, 0);
    HeaderExtensions::read(&RtpView::parse(&packet).unwrap(), &map())
}

#[test]
fn every_element_is_read_in_both_forms() {
    let one = [
        &[0x10, b'0', 0x21][..],
        b"hi",
        &[0x32],
        b"rid",
        &[0x40, 0x85, 0, 0x51, 0x12, 0x34],
        &[0x62, 1, 2, 3, 0x70, 9],
    ]
    .concat();
    let two = [
        &[1, 1, b'0', 2, 2][..],
        b"hi",
        &[3, 3],
        b"rid",
        &[4, 1, 0x85, 0, 5, 2, 0x12, 0x34],
        &[6, 3, 1, 2, 3, 7, 1, 9],
    ]
    .concat();
    let expected = HeaderExtensions {
        mid: Mid::new("0"),
        rid: Rid::new("hi"),
        repaired_rid: Rid::new("rid"),
        audio_level: Some(AudioLevel::from_octet(0x85)),
        transport_seq: Some(0x1234),
        abs_send_time: Some(0x01_0203),
        video_orientation: Some(9),
    };
    assert_eq!(read(ONE_BYTE_PROFILE, &one), expected);
    assert_eq!(read(0x1000, &two), expected);
    assert_eq!(read(0x100f, &two), expected);
}

#[test]
fn hostile_32_id_0_without_length_is_padding_and_with_length_ends_the_block() {
    assert_eq!(
        read(ONE_BYTE_PROFILE, &[0, 0, 0x40, 5]).audio_level,
        Some(AudioLevel::from_octet(5))
    );
    assert_eq!(
        read(ONE_BYTE_PROFILE, &[0x01, 0, 0, 0x40, 5]),
        HeaderExtensions::default()
    );
}

// spec: RFC 8285 §4.2 stop-at-id-15-and-at-id-0-with-length
#[test]
fn hostile_32_id_15_ends_the_block_and_what_stands_before_it_counts() {
    let found = read(ONE_BYTE_PROFILE, &[0x40, 5, 0xf0, 1, 0x70, 9]);
    assert_eq!(found.audio_level, Some(AudioLevel::from_octet(5)));
    assert_eq!(found.video_orientation, None);
}

#[test]
fn hostile_32_an_element_past_the_end_is_not_read_but_those_before_it_are() {
    for (profile, elements) in [
        (ONE_BYTE_PROFILE, &[0x40, 5, 0x1f, b'a'][..]),
        (0x1000, &[4, 1, 5, 1, 200, b'a'][..]),
        (0x1000, &[4, 1, 5, 1][..]),
    ] {
        let found = read(profile, elements);
        assert_eq!(
            (found.audio_level.map(AudioLevel::level), found.mid),
            (Some(5), None)
        );
    }
}

#[test]
fn hostile_32_the_first_of_a_hundred_duplicates_counts() {
    let elements: Vec<u8> = (1..=100).flat_map(|level| [0x40, level]).collect();
    let found = read(ONE_BYTE_PROFILE, &elements);
    assert_eq!(found.audio_level, Some(AudioLevel::from_octet(1)));
}

// spec: RFC 8285 §4.2 ignore-unknown-id
#[test]
fn hostile_32_ids_that_were_not_negotiated_are_skipped() {
    let found = read(ONE_BYTE_PROFILE, &[0x92, 1, 2, 3, 0x40, 5]);
    assert_eq!(found.audio_level, Some(AudioLevel::from_octet(5)));
    let found = read(0x1000, &[200, 3, 1, 2, 3, 4, 1, 5]);
    assert_eq!(found.audio_level, Some(AudioLevel::from_octet(5)));
}

#[test]
fn hostile_32_a_profile_we_did_not_negotiate_is_not_read() {
    for cryptex_or_noise in [0xc0de, 0xc2de, 0x0000, 0x1100] {
        assert_eq!(
            read(cryptex_or_noise, &[0x40, 5]),
            HeaderExtensions::default()
        );
    }
}

#[test]
fn elements_of_a_wrong_length_or_text_are_absent() {
    let elements = [
        0x41, 5, 5, 0x50, 1, 0x61, 1, 2, 0x71, 9, 9, 0x10, 0x07, 0x20, b' ',
    ];
    assert_eq!(
        read(ONE_BYTE_PROFILE, &elements),
        HeaderExtensions::default()
    );
    assert_eq!(
        read(0x1000, &[1, 0, 4, 0, 5, 0]),
        HeaderExtensions::default()
    );
}

proptest! {
    #[test]
    fn no_elements_make_it_panic(
        profile in prop_oneof![Just(0xbede), Just(0x1000), any::<u16>()],
        elements in prop::collection::vec(any::<u8>(), 0..300)
    ) {
        read(profile, &elements);
    }

    #[test]
    fn what_the_rtc_crate_writes_is_read_alike(
        profile in prop_oneof![Just(0xbede), Just(0x1000)], mid in "[!-~]{1,16}",
        level in any::<u8>(), seq in any::<u16>(), unknown in prop::collection::vec(any::<u8>(), 1..16)
    ) {
        let mut header = rtp::Header {
            version: 2, extension: true, extension_profile: profile, ..Default::default()
        };
        header.set_extension(9, Bytes::from(unknown)).unwrap();
        header.set_extension(1, Bytes::from(mid.clone().into_bytes())).unwrap();
        header.set_extension(4, Bytes::copy_from_slice(&[level])).unwrap();
        header.set_extension(5, Bytes::copy_from_slice(&seq.to_be_bytes())).unwrap();
        let wire = header.marshal().unwrap();
        let found = HeaderExtensions::read(&RtpView::parse(&wire).unwrap(), &map());
        prop_assert_eq!(found.mid, Mid::new(&mid));
        prop_assert_eq!(found.audio_level, Some(AudioLevel::from_octet(level)));
        prop_assert_eq!(found.transport_seq, Some(seq));
        prop_assert_eq!(found.rid, None);
    }
}
