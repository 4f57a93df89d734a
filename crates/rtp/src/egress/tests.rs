use estrade_types::ExtensionMap;
use proptest::prelude::*;
use rtc::rtp;
use rtc::shared::marshal::Unmarshal;

use super::*;
use crate::{HeaderExtensions, RtpView};

fn id(value: u8) -> ExtensionId {
    ExtensionId::new(value).unwrap()
}

fn full() -> EgressHeader {
    EgressHeader {
        payload_type: PayloadType::from_octet(96),
        marker: true,
        sequence_number: SeqNo(0xfffe),
        timestamp: RtpTimestamp(0x1234_5678),
        ssrc: Ssrc(0x9abc_def0),
        csrc: Some(Ssrc(7)),
        mid: Some((id(1), Mid::new("sixteen-letters!").unwrap())),
        audio_level: Some((id(4), AudioLevel::from_octet(0x91))),
        video_orientation: Some((id(7), 3)),
        transport_seq: Some((id(14), 0xabcd)),
    }
}

#[test]
fn the_longest_header_fits_its_bound_exactly() {
    let mut out = [0; EgressHeader::LEN_MAX];
    assert_eq!(full().header_len(), EgressHeader::LEN_MAX);
    assert_eq!(full().write(&mut out), Some(EgressHeader::LEN_MAX));
}

#[test]
fn a_header_that_does_not_fit_is_not_written() {
    let header = full();
    for len in 0..header.header_len() {
        assert_eq!(header.write(&mut vec![0; len]), None);
    }
}

#[test]
fn a_header_without_extensions_has_no_extension_block() {
    let header = EgressHeader {
        csrc: None,
        mid: None,
        audio_level: None,
        video_orientation: None,
        transport_seq: None,
        ..full()
    };
    let mut out = [0; 32];
    assert_eq!(header.write(&mut out), Some(12));
    assert_eq!(out[0], 0x80);
}

prop_compose! {
    fn headers()(
        octet in any::<u8>(), seq in any::<u16>(), timestamp in any::<u32>(), ssrc in any::<u32>(),
        csrc in any::<Option<u32>>(), mid in prop::option::of("[!-~]{1,16}"),
        level in any::<Option<u8>>(), orientation in any::<Option<u8>>(),
        transport_seq in any::<Option<u16>>(),
    ) -> EgressHeader {
        EgressHeader {
            payload_type: PayloadType::from_octet(octet),
            marker: octet & 0x80 != 0,
            sequence_number: SeqNo(seq),
            timestamp: RtpTimestamp(timestamp),
            ssrc: Ssrc(ssrc),
            csrc: csrc.map(Ssrc),
            mid: mid.and_then(|mid| Mid::new(&mid)).map(|mid| (id(1), mid)),
            audio_level: level.map(|level| (id(4), AudioLevel::from_octet(level))),
            video_orientation: orientation.map(|octet| (id(7), octet)),
            transport_seq: transport_seq.map(|seq| (id(14), seq)),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_parsed(header in headers(), payload in any::<[u8; 5]>()) {
        let mut wire = vec![0xee; 200];
        let len = header.write(&mut wire).unwrap();
        prop_assert_eq!(len, header.header_len());
        wire.truncate(len);
        wire.extend(payload);
        let map = ExtensionMap {
            mid: Some(id(1)),
            audio_level: Some(id(4)),
            video_orientation: Some(id(7)),
            transport_cc: Some(id(14)),
            ..ExtensionMap::default()
        };
        let view = RtpView::parse(&wire).unwrap();
        let found = HeaderExtensions::read(&view, &map);
        let read_back = EgressHeader {
            payload_type: view.payload_type(),
            marker: view.marker(),
            sequence_number: view.sequence_number(),
            timestamp: view.timestamp(),
            ssrc: view.ssrc(),
            csrc: view.csrcs().next(),
            mid: found.mid.map(|mid| (id(1), mid)),
            audio_level: found.audio_level.map(|level| (id(4), level)),
            video_orientation: found.video_orientation.map(|octet| (id(7), octet)),
            transport_seq: found.transport_seq.map(|seq| (id(14), seq)),
        };
        prop_assert_eq!(read_back, header);
        prop_assert_eq!(view.payload(), payload);
    }

    #[test]
    fn the_rtc_crate_reads_it_alike(header in headers()) {
        let mut wire = vec![0; 200];
        let len = header.write(&mut wire).unwrap();
        let theirs = rtp::Header::unmarshal(&mut &wire[..len]).unwrap();
        prop_assert_eq!(theirs.payload_type, header.payload_type.value());
        prop_assert_eq!(theirs.marker, header.marker);
        prop_assert_eq!(theirs.sequence_number, header.sequence_number.0);
        prop_assert_eq!(theirs.timestamp, header.timestamp.0);
        prop_assert_eq!(theirs.ssrc, header.ssrc.0);
        prop_assert_eq!(theirs.csrc.first().copied(), header.csrc.map(|csrc| csrc.0));
        let mid = header.mid.map(|(_, mid)| mid.as_str().as_bytes().to_vec());
        prop_assert_eq!(theirs.get_extension(1).map(|mid| mid.to_vec()), mid);
        let level = header.audio_level.map(|(_, level)| vec![level.to_octet()]);
        prop_assert_eq!(theirs.get_extension(4).map(|level| level.to_vec()), level);
        let seq = header.transport_seq.map(|(_, seq)| seq.to_be_bytes().to_vec());
        prop_assert_eq!(theirs.get_extension(14).map(|seq| seq.to_vec()), seq);
    }
}
