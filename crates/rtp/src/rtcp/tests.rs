//! The hostile list of group D, and what holds for any bytes. Each packet type is compared with
//! the `rtc` crate in `differential`.

mod differential;

use estrade_types::{MonoTime, NtpTime, SeqNo, Ssrc};
use proptest::prelude::*;

use super::*;

fn error(datagram: &[u8]) -> Option<RtcpParseError> {
    Compound::parse(datagram).err()
}

/// A packet of `body` under the given first and second octets, with its true length.
fn packet(first: u8, packet_type: u8, body: &[u8]) -> Vec<u8> {
    let words = u16::try_from(body.len() / 4).unwrap().to_be_bytes();
    [&[first, packet_type, words[0], words[1]], body].concat()
}

fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = [0xee; 1400];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer);
    writer.written().to_vec()
}

/// Looks at every byte that the parser hands out; returns how many items there were.
fn walk(compound: Compound<'_>) -> usize {
    compound
        .packets()
        .map(|packet| match packet {
            Packet::SenderReport(report) => report.reports.count(),
            Packet::ReceiverReport(report) => report.reports.count(),
            Packet::Sdes(sdes) => sdes.chunks().map(|chunk| chunk.items().count()).sum(),
            Packet::Bye(bye) => bye.ssrcs().count() + bye.reason().len(),
            Packet::Nack(nack) => nack.sequence_numbers().count(),
            Packet::Pli(_) => 1,
            Packet::Fir(fir) => fir.entries().count(),
            Packet::Remb(remb) => remb.ssrcs().count(),
            Packet::TransportCc(feedback) => feedback.statuses().count(),
            Packet::Other(other) => other.body.len(),
        })
        .sum()
}

#[test]
fn an_empty_datagram_and_other_versions_are_refused() {
    assert_eq!(error(&[]), Some(RtcpParseError::Empty));
    assert_eq!(
        error(&packet(0x40, 201, &[0; 4])),
        Some(RtcpParseError::Version)
    );
    assert_eq!(error(&[0x80, 201, 0]), Some(RtcpParseError::Truncated));
}

// spec: RFC 5506 §3.4.1 accept-reduced-size
#[test]
fn a_feedback_packet_may_stand_alone() {
    let pli = written(|out| out.pli(Ssrc(1), Ssrc(2)).unwrap());
    let packets: Vec<_> = Compound::parse(&pli).unwrap().packets().collect();
    let [
        Packet::Pli(Pli {
            sender_ssrc: Ssrc(1),
            media_ssrc: Ssrc(2),
        }),
    ] = packets[..]
    else {
        panic!("{packets:?}");
    };
}

#[test]
fn hostile_42_a_length_past_the_end_refuses_the_whole_datagram() {
    let mut datagram = written(|out| {
        out.receiver_report(Ssrc(1), &[]).unwrap();
        out.pli(Ssrc(1), Ssrc(2)).unwrap();
    });
    assert_eq!(walk(Compound::parse(&datagram).unwrap()), 1);
    let pli_length = datagram.len() - 9;
    datagram[pli_length] = 3;
    assert_eq!(error(&datagram), Some(RtcpParseError::Truncated));
    datagram[pli_length - 1] = 0xff;
    assert_eq!(error(&datagram), Some(RtcpParseError::Truncated));
}

#[test]
fn hostile_42_more_report_blocks_than_bytes_are_refused() {
    assert_eq!(
        error(&packet(0x81, 201, &[0; 4])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x9f, 201, &[0; 4 + 30 * 24])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x81, 200, &[0; 24])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x80, 200, &[0; 20])),
        Some(RtcpParseError::Body)
    );
    // More bytes than blocks are a profile's extension, which is ignored.
    assert_eq!(error(&packet(0x80, 201, &[0; 4 + 24])), None);
}

#[test]
fn hostile_42_a_bye_reason_past_the_end_is_refused() {
    assert_eq!(
        error(&packet(0x81, 203, &[0, 0, 0, 1, 4, b'a', b'b', b'c'])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x81, 203, &[0, 0, 0, 1, 255, 0, 0, 0])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x82, 203, &[0, 0, 0, 1])),
        Some(RtcpParseError::Body)
    );
    let bye = packet(0x81, 203, &[0, 0, 0, 1, 3, b'a', b'b', b'c']);
    let Some(Packet::Bye(bye)) = Compound::parse(&bye).unwrap().packets().next() else {
        panic!("not a BYE");
    };
    assert_eq!(
        (bye.ssrcs().next(), bye.reason()),
        (Some(Ssrc(1)), &b"abc"[..])
    );
}

// spec: RFC 3550 §6.5 chunk-ends-with-null
#[test]
fn hostile_42_an_sdes_chunk_without_end_is_refused() {
    assert_eq!(
        error(&packet(0x81, 202, &[0, 0, 0, 1, 1, 2, b'a', b'b'])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x81, 202, &[0, 0, 0, 1, 1, 200, b'a', 0])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x81, 202, &[0, 0, 0, 1])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x82, 202, &[0, 0, 0, 1, 1, 1, b'a', 0])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x81, 202, &[0, 0, 0, 1, 1, 1, b'a', 0])),
        None
    );
}

#[test]
fn hostile_42_app_and_xr_are_handed_over_unread() {
    // An XR block whose length would loop a reader that believed it.
    let xr = packet(0x80, 207, &[0, 0, 0, 1, 4, 0, 0xff, 0xff]);
    let app = packet(0x85, 204, &[0; 8]);
    let datagram = [xr, app].concat();
    let packets: Vec<_> = Compound::parse(&datagram).unwrap().packets().collect();
    let [Packet::Other(xr), Packet::Other(app)] = packets[..] else {
        panic!("{packets:?}");
    };
    assert_eq!((xr.packet_type, xr.body.len()), (207, 8));
    assert_eq!((app.packet_type, app.count), (204, 5));
}

#[test]
fn hostile_42_fir_and_remb_counts_past_the_end_are_refused() {
    assert_eq!(
        error(&packet(0x84, 206, &[0; 8])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&packet(0x84, 206, &[0; 12])),
        Some(RtcpParseError::Body)
    );
    let remb = |count: u8, ssrcs: usize| {
        let mut body = vec![0; 8];
        body.extend(b"REMB");
        body.extend([count, 0, 0, 1]);
        body.resize(16 + ssrcs * 4, 0);
        packet(0x8f, 206, &body)
    };
    assert_eq!(error(&remb(255, 1)), Some(RtcpParseError::Body));
    assert_eq!(error(&remb(2, 1)), Some(RtcpParseError::Body));
    assert_eq!(error(&remb(1, 1)), None);
    // Another application's feedback is none of ours.
    assert_eq!(error(&packet(0x8f, 206, &[0; 12])), None);
}

#[test]
fn hostile_42_a_remb_of_every_exponent_saturates() {
    let mut body = [0; 16];
    body[8..12].copy_from_slice(b"REMB");
    for exponent in 0..64u8 {
        body[13] = exponent << 2 | 0b11;
        let datagram = packet(0x8f, 206, &body);
        let Some(Packet::Remb(remb)) = Compound::parse(&datagram).unwrap().packets().next() else {
            panic!("not a REMB");
        };
        let exact = 0x3_0000_u128 << exponent;
        assert_eq!(
            u128::from(remb.bitrate.as_bps()),
            exact.min(u128::from(u64::MAX))
        );
    }
}

#[test]
fn hostile_42_padding_is_taken_from_the_last_packet_only() {
    let padded = packet(0xa0, 201, &[0, 0, 0, 1, 0, 0, 0, 4]);
    assert_eq!(error(&padded), None);
    assert_eq!(
        error(&[padded.clone(), padded].concat()),
        Some(RtcpParseError::Padding)
    );
    assert_eq!(
        error(&packet(0xa0, 201, &[0, 0, 0, 1, 0, 0, 0, 0])),
        Some(RtcpParseError::Padding)
    );
    assert_eq!(
        error(&packet(0xa0, 201, &[0, 0, 0, 1, 0, 0, 0, 9])),
        Some(RtcpParseError::Padding)
    );
    assert_eq!(error(&[0xa0, 201, 0, 0]), Some(RtcpParseError::Padding));
    // Padding must not eat what the counts promise.
    assert_eq!(
        error(&packet(0xa0, 201, &[0, 0, 0, 8, 0, 0, 0, 8])),
        Some(RtcpParseError::Body)
    );
}

/// Transport feedback with the given status count and whatever follows the fixed part.
fn feedback(base: u16, status_count: u16, tail: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 1, 0, 0, 0, 2];
    body.extend(base.to_be_bytes());
    body.extend(status_count.to_be_bytes());
    body.extend([0xff, 0xff, 0xff, 7]);
    body.extend(tail);
    packet(0x8f, 205, &body)
}

#[test]
fn hostile_43_a_huge_packet_count_in_tiny_chunks_is_refused() {
    let all_lost = [0x1f, 0xff].repeat(8);
    assert_eq!(
        error(&feedback(0, 65_535, &all_lost)),
        Some(RtcpParseError::TooManyStatuses)
    );
    assert_eq!(
        error(&feedback(0, 8_193, &all_lost)),
        Some(RtcpParseError::TooManyStatuses)
    );
    let datagram = feedback(0, 8_192, &all_lost);
    assert_eq!(walk(Compound::parse(&datagram).unwrap()), 8_192);
}

#[test]
fn hostile_43_a_count_that_chunks_or_deltas_do_not_fill_is_refused() {
    assert_eq!(
        error(&feedback(0, 0, &[0, 0, 0, 0])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(error(&feedback(0, 3, &[])), Some(RtcpParseError::Body));
    assert_eq!(
        error(&feedback(0, 3, &[0x20, 2, 0, 1])),
        Some(RtcpParseError::Body)
    );
    // Runs of nothing end with the input.
    assert_eq!(
        error(&feedback(0, 1, &[0; 1024])),
        Some(RtcpParseError::Body)
    );
    // Three small deltas promised, two bytes there; the reserved symbol.
    assert_eq!(
        error(&feedback(0, 3, &[0x20, 3, 1, 1])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&feedback(0, 1, &[0x60, 1, 0, 0])),
        Some(RtcpParseError::Body)
    );
    assert_eq!(
        error(&feedback(0, 1, &[0xf0, 0, 0, 0])),
        Some(RtcpParseError::Body)
    );
}

#[test]
fn hostile_43_sequence_numbers_wrap_and_deltas_may_be_negative() {
    let datagram = feedback(
        0xffff,
        3,
        &[0xc9 | 0x20, 0x00, 0xff, 0xfe, 0x00, 0x05, 3, 0],
    );
    let Some(Packet::TransportCc(feedback)) = Compound::parse(&datagram).unwrap().packets().next()
    else {
        panic!("not transport feedback");
    };
    assert_eq!((feedback.reference_time, feedback.feedback_count), (-1, 7));
    let statuses: Vec<_> = feedback
        .statuses()
        .map(|status| (status.sequence_number.0, status.delta))
        .collect();
    assert_eq!(statuses, [(0xffff, Some(-2)), (0, Some(5)), (1, Some(3))]);
}

#[test]
fn hostile_44_a_nack_names_at_most_17_packets_for_each_of_its_words() {
    let body = [vec![0; 8], [0xff; 4].repeat(360)].concat();
    let datagram = packet(0x81, 205, &body);
    assert_eq!(walk(Compound::parse(&datagram).unwrap()), 17 * 360);
    assert_eq!(
        error(&packet(0x81, 205, &[0; 8])),
        Some(RtcpParseError::Body)
    );
    let Some(Packet::Nack(nack)) = Compound::parse(&datagram).unwrap().packets().next() else {
        panic!("not a NACK");
    };
    assert_eq!(nack.entries_len(), 360);
    let first: Vec<_> = nack.sequence_numbers().take(3).collect();
    assert_eq!(first, [SeqNo(0xffff), SeqNo(0), SeqNo(1)]);
}

#[test]
fn hostile_45_a_datagram_full_of_keyframe_requests_is_read_request_by_request() {
    let datagram = written(|out| while out.pli(Ssrc(1), Ssrc(2)).is_ok() {});
    assert_eq!(walk(Compound::parse(&datagram).unwrap()), 1400 / 12);
    let datagram = packet(0x84, 206, &[0; 8 + 8 * 170]);
    assert_eq!(walk(Compound::parse(&datagram).unwrap()), 170);
}

#[test]
fn hostile_46_any_ntp_time_is_handed_over_as_it_stands() {
    for ntp in [0, u64::MAX, 0x8000_0000_0000_0000, 0xffff_ffff] {
        let info = SenderInfo {
            ssrc: Ssrc(1),
            ntp: NtpTime(ntp),
            rtp_timestamp: estrade_types::RtpTimestamp(u32::MAX),
            packet_count: u32::MAX,
            octet_count: 0,
        };
        let datagram = written(|out| out.sender_report(&info, &[]).unwrap());
        let Some(Packet::SenderReport(report)) =
            Compound::parse(&datagram).unwrap().packets().next()
        else {
            panic!("not a sender report");
        };
        assert_eq!(report.info, info);
    }
}

#[test]
fn a_packet_that_does_not_fit_leaves_what_was_written() {
    let mut buffer = [0; 21];
    let mut out = Writer::new(&mut buffer);
    assert!(out.is_empty());
    out.receiver_report(Ssrc(1), &[]).unwrap();
    assert_eq!(out.pli(Ssrc(1), Ssrc(2)), Ok(()));
    assert_eq!(out.bye(&[Ssrc(1)]), Err(Full));
    assert_eq!(out.len(), 20);
    assert!(Compound::parse(out.written()).is_ok());
}

#[test]
fn more_than_a_five_bit_count_is_refused() {
    let mut buffer = [0; 1400];
    let mut out = Writer::new(&mut buffer);
    assert_eq!(out.bye(&[Ssrc(1); 32]), Err(Full));
    assert_eq!(out.sdes_cname(Ssrc(1), &"x".repeat(256)), Err(Full));
    assert_eq!(out.nack(Ssrc(1), Ssrc(2), []), Ok(()));
    assert!(out.is_empty());
    assert_eq!(out.bye(&[Ssrc(1); 31]), Ok(()));
}

#[test]
fn feedback_covers_what_fits_and_says_how_much() {
    let header = TransportCcHeader {
        sender_ssrc: Ssrc(1),
        media_ssrc: Ssrc(2),
        base_sequence_number: SeqNo(0),
        feedback_count: 0,
    };
    let mut buffer = [0; 1400];
    let mut out = Writer::new(&mut buffer);
    let apart = [
        Some(MonoTime::from_millis(100)),
        None,
        Some(MonoTime::from_millis(9_000)),
    ];
    assert_eq!(out.transport_cc(&header, &apart), Ok(2));
    let many = [Some(MonoTime::from_millis(5)); 600];
    assert_eq!(out.transport_cc(&header, &many), Ok(TRANSPORT_CC_WRITE_MAX));
    let before = out.len();
    assert_eq!(out.transport_cc(&header, &[]), Ok(0));
    assert_eq!(out.transport_cc(&header, &[None; 9]), Ok(0));
    assert_eq!(out.len(), before);
    assert_eq!(
        Writer::new(&mut [0; 20]).transport_cc(&header, &apart),
        Err(Full)
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(datagram in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(compound) = Compound::parse(&datagram) {
            walk(compound);
        }
    }

    #[test]
    fn no_body_of_a_known_type_makes_it_panic(
        first in 0x80u8..=0xbf, packet_type in 200u8..=207,
        body in prop::collection::vec(any::<u8>(), 0..160)
    ) {
        let body = &body[..body.len() / 4 * 4];
        let datagram = packet(first, packet_type, body);
        if let Ok(compound) = Compound::parse(&datagram) {
            prop_assert_eq!(compound.packets().count(), 1);
            walk(compound);
        }
    }

    #[test]
    fn arrivals_come_back_within_a_tick(
        base in any::<u16>(), origin in 0u64..1 << 50,
        gaps in prop::collection::vec(
            prop_oneof![3 => Just(None), 6 => (0i64..60_000_000).prop_map(Some),
                1 => (-60_000_000i64..4_000_000_000).prop_map(Some)], 1..512),
    ) {
        let mut at = origin + 60_000_000 * 512;
        let arrivals: Vec<_> = gaps.iter().map(|gap| gap.map(|gap| {
            at = at.saturating_add_signed(gap);
            MonoTime(at)
        })).collect();
        prop_assume!(arrivals.iter().any(Option::is_some));
        let header = TransportCcHeader {
            sender_ssrc: Ssrc(1), media_ssrc: Ssrc(2),
            base_sequence_number: SeqNo(base), feedback_count: 9,
        };
        let mut buffer = [0; 4000];
        let mut out = Writer::new(&mut buffer);
        prop_assert_eq!(out.transport_cc(&header, &arrivals), Ok(arrivals.len()));
        let Some(Packet::TransportCc(read)) = Compound::parse(out.written()).unwrap().packets().next()
        else {
            panic!("not transport feedback");
        };
        prop_assert_eq!(read.base_sequence_number, SeqNo(base));
        prop_assert_eq!(usize::from(read.status_count), arrivals.len());
        let first = arrivals.iter().flatten().next().unwrap().0;
        let mut ticks = first / 64_000_000 * 256;
        for (status, arrival) in read.statuses().zip(&arrivals) {
            prop_assert_eq!(status.delta.is_some(), arrival.is_some());
            if let (Some(delta), Some(arrival)) = (status.delta, arrival) {
                ticks = ticks.wrapping_add_signed(i64::from(delta));
                prop_assert_eq!(ticks, arrival.0 / 250_000);
            }
        }
    }
}
