use bytes::Bytes;
use proptest::prelude::*;
use rtc::rtp;
use rtc::shared::marshal::Marshal;

use super::*;

/// A minimal packet: payload type 111, sequence 1, timestamp 2, SSRC 3.
fn fixed(first: u8) -> Vec<u8> {
    vec![first, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]
}

#[test]
fn the_fixed_header_is_read_as_written() {
    let mut packet = fixed(0x80);
    packet[1] = 0x80 | 96;
    packet.extend([7, 8, 9]);
    let view = RtpView::parse(&packet).unwrap();
    assert!(view.marker());
    assert_eq!(view.payload_type().value(), 96);
    assert_eq!(view.sequence_number(), SeqNo(1));
    assert_eq!(view.timestamp(), RtpTimestamp(2));
    assert_eq!(view.ssrc(), Ssrc(3));
    assert_eq!(view.header_len(), 12);
    assert_eq!(view.csrcs().len(), 0);
    assert_eq!(view.extension(), None);
    assert_eq!((view.payload(), view.padding_len()), (&[7, 8, 9][..], 0));
}

#[test]
fn hostile_31_a_version_other_than_2_is_refused() {
    for first in [0x00, 0x40, 0xc0] {
        assert_eq!(
            RtpView::parse(&fixed(first)).err(),
            Some(RtpParseError::Version)
        );
    }
}

#[test]
fn hostile_31_packets_of_0_to_11_bytes_are_refused() {
    for len in 0..12 {
        let short = &fixed(0x80)[..len];
        assert_eq!(RtpView::parse(short).err(), Some(RtpParseError::TooShort));
    }
}

#[test]
fn hostile_31_a_datagram_of_65_kb_is_refused() {
    let mut packet = fixed(0x80);
    packet.resize(65_507, 0);
    assert_eq!(RtpView::parse(&packet).err(), Some(RtpParseError::TooLong));
    packet.truncate(limits::DATAGRAM_BYTES_MAX);
    assert!(RtpView::parse(&packet).is_ok());
}

#[test]
fn hostile_31_fifteen_csrcs_that_are_cut_short_are_refused() {
    let mut packet = fixed(0x8f);
    packet.resize(12 + 15 * 4 - 1, 0);
    assert_eq!(
        RtpView::parse(&packet).err(),
        Some(RtpParseError::CsrcTruncated)
    );
    packet.push(9);
    let view = RtpView::parse(&packet).unwrap();
    assert_eq!(
        (view.csrcs().len(), view.csrcs().last()),
        (15, Some(Ssrc(9)))
    );
    assert_eq!(view.payload(), &[]);
}

#[test]
fn hostile_31_an_extension_beyond_the_packet_is_refused() {
    for tail in [
        &[][..],
        &[0xbe, 0xde, 0],
        &[0xbe, 0xde, 0, 1, 0, 0, 0],
        &[0xbe, 0xde, 255, 255],
    ] {
        let mut packet = fixed(0x90);
        packet.extend(tail);
        assert_eq!(
            RtpView::parse(&packet).err(),
            Some(RtpParseError::ExtensionTruncated)
        );
    }
}

#[test]
fn hostile_31_impossible_padding_is_refused_and_padding_alone_is_not() {
    let parse = |tail: &[u8]| {
        let mut packet = fixed(0xa0);
        packet.extend(tail);
        RtpView::parse(&packet).map(|view| (view.payload().len(), view.padding_len()))
    };
    assert_eq!(parse(&[]), Err(RtpParseError::Padding));
    assert_eq!(parse(&[1, 2, 0]), Err(RtpParseError::Padding));
    assert_eq!(parse(&[1, 2, 4]), Err(RtpParseError::Padding));
    assert_eq!(parse(&[1, 2, 255]), Err(RtpParseError::Padding));
    assert_eq!(parse(&[1, 2, 3]), Ok((0, 3)));
    assert_eq!(parse(&[1, 2, 1]), Ok((2, 1)));
}

#[test]
fn padding_never_reaches_into_the_extension() {
    let mut packet = fixed(0xb0);
    packet.extend([0xbe, 0xde, 0, 1, 0x10, 5, 0, 0, 2]);
    assert_eq!(RtpView::parse(&packet).err(), Some(RtpParseError::Padding));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_the_parts_add_up(
        mut packet in prop::collection::vec(any::<u8>(), 0..200), is_version_2 in any::<bool>()
    ) {
        if let (Some(first), true) = (packet.first_mut(), is_version_2) {
            *first = 0x80 | *first & 0x3f;
        }
        if let Ok(view) = RtpView::parse(&packet) {
            let whole = view.header_len() + view.payload().len() + view.padding_len();
            prop_assert_eq!(whole, packet.len());
            let extension_len = view.extension().map_or(0, |extension| 4 + extension.data.len());
            prop_assert_eq!(view.header_len(), 12 + view.csrcs().len() * 4 + extension_len);
        }
    }

    #[test]
    fn what_the_rtc_crate_writes_is_read_alike(
        marker in any::<bool>(), payload_type in 0u8..128, sequence_number in any::<u16>(),
        timestamp in any::<u32>(), ssrc in any::<u32>(),
        csrc in prop::collection::vec(any::<u32>(), 0..16),
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let theirs = rtp::Packet {
            header: rtp::Header {
                version: 2,
                marker, payload_type, sequence_number, timestamp, ssrc,
                csrc: csrc.clone(),
                ..Default::default()
            },
            payload: Bytes::from(payload.clone()),
        };
        let wire = theirs.marshal().unwrap();
        let view = RtpView::parse(&wire).unwrap();
        prop_assert_eq!(view.marker(), marker);
        prop_assert_eq!(view.payload_type().value(), payload_type);
        prop_assert_eq!(view.sequence_number().0, sequence_number);
        prop_assert_eq!(view.timestamp().0, timestamp);
        prop_assert_eq!(view.ssrc().0, ssrc);
        prop_assert_eq!(view.csrcs().map(|csrc| csrc.0).collect::<Vec<_>>(), csrc);
        prop_assert_eq!(view.payload(), payload);
    }
}
