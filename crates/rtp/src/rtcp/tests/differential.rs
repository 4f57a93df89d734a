//! Each packet type against the `rtc` crate's own coding: what they write we read alike, and what
//! we write they read alike.

use std::any::Any;

use bytes::Bytes;
use estrade_types::{Bitrate, NtpShort, RtpTimestamp};
use rtc::rtcp::goodbye::Goodbye;
use rtc::rtcp::packet::{marshal, unmarshal};
use rtc::rtcp::payload_feedbacks::full_intra_request::{self, FullIntraRequest};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::rtcp::receiver_report::ReceiverReport as TheirReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport as TheirSenderReport;
use rtc::rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};
use rtc::rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, TransportLayerCc};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};

use super::*;

/// Their reading of one packet of ours.
fn theirs<T: Any + Clone>(wire: &[u8]) -> T {
    let packets = unmarshal(&mut &wire[..]).unwrap();
    assert_eq!(packets.len(), 1);
    packets[0].as_any().downcast_ref::<T>().unwrap().clone()
}

/// Their wire form of one packet.
fn wire(packet: impl rtc::rtcp::Packet + 'static) -> Vec<u8> {
    marshal(&[Box::new(packet) as Box<dyn rtc::rtcp::Packet>])
        .unwrap()
        .to_vec()
}

/// Our reading of the only packet in a datagram.
fn ours(wire: &[u8]) -> Packet<'_> {
    let mut packets = Compound::parse(wire).unwrap().packets();
    let packet = packets.next().unwrap();
    assert!(packets.next().is_none());
    packet
}

prop_compose! {
    fn blocks()(
        ssrc in any::<u32>(), fraction_lost in any::<u8>(), lost in 0..0x80_0000i32,
        highest_sequence_number in any::<u32>(), jitter in any::<u32>(), last_sr in any::<u32>(),
        delay in any::<u32>(),
    ) -> ReportBlock {
        ReportBlock {
            ssrc: Ssrc(ssrc), fraction_lost, cumulative_lost: lost, highest_sequence_number, jitter,
            last_sr: NtpShort(last_sr), delay_since_last_sr: NtpShort(delay),
        }
    }
}

fn to_theirs(block: &ReportBlock) -> ReceptionReport {
    ReceptionReport {
        ssrc: block.ssrc.0,
        fraction_lost: block.fraction_lost,
        total_lost: block.cumulative_lost.cast_unsigned(),
        last_sequence_number: block.highest_sequence_number,
        jitter: block.jitter,
        last_sender_report: block.last_sr.0,
        delay: block.delay_since_last_sr.0,
    }
}

proptest! {
    #[test]
    fn sender_reports(
        numbers in any::<(u32, u64, u32, u32, u32)>(),
        reports in prop::collection::vec(blocks(), 0..32),
    ) {
        let (ssrc, ntp, rtp, packets, octets) = numbers;
        let info = SenderInfo {
            ssrc: Ssrc(ssrc), ntp: NtpTime(ntp), rtp_timestamp: RtpTimestamp(rtp),
            packet_count: packets, octet_count: octets,
        };
        let expected = TheirSenderReport {
            ssrc, ntp_time: ntp, rtp_time: rtp, packet_count: packets, octet_count: octets,
            reports: reports.iter().map(to_theirs).collect(),
            profile_extensions: Bytes::new(),
        };
        let written = written(|out| out.sender_report(&info, &reports).unwrap());
        prop_assert_eq!(&theirs::<TheirSenderReport>(&written), &expected);
        let wire = wire(expected);
        let Packet::SenderReport(read) = ours(&wire) else { panic!("not an SR") };
        prop_assert_eq!(read.info, info);
        prop_assert_eq!(read.reports.collect::<Vec<_>>(), reports);
    }

    #[test]
    fn receiver_reports(ssrc in any::<u32>(), reports in prop::collection::vec(blocks(), 0..32)) {
        let expected = TheirReceiverReport {
            ssrc,
            reports: reports.iter().map(to_theirs).collect(),
            profile_extensions: Bytes::new(),
        };
        let written = written(|out| out.receiver_report(Ssrc(ssrc), &reports).unwrap());
        prop_assert_eq!(&theirs::<TheirReceiverReport>(&written), &expected);
        let wire = wire(expected);
        let Packet::ReceiverReport(read) = ours(&wire) else { panic!("not an RR") };
        prop_assert_eq!(read.ssrc, Ssrc(ssrc));
        prop_assert_eq!(read.reports.collect::<Vec<_>>(), reports);
    }

    #[test]
    fn source_descriptions(ssrc in any::<u32>(), cname in "[ -~]{0,60}") {
        let expected = SourceDescription {
            chunks: vec![SourceDescriptionChunk {
                source: ssrc,
                items: vec![SourceDescriptionItem {
                    sdes_type: SdesType::SdesCname,
                    text: Bytes::from(cname.clone().into_bytes()),
                }],
            }],
        };
        let written = written(|out| out.sdes_cname(Ssrc(ssrc), &cname).unwrap());
        prop_assert_eq!(&theirs::<SourceDescription>(&written), &expected);
        let wire = wire(expected);
        let Packet::Sdes(read) = ours(&wire) else { panic!("not an SDES") };
        let chunks: Vec<_> = read.chunks().map(|chunk| (chunk.ssrc, chunk.cname())).collect();
        prop_assert_eq!(chunks, vec![(Ssrc(ssrc), Some(cname.as_bytes()))]);
    }

    #[test]
    fn goodbyes(sources in prop::collection::vec(any::<u32>(), 1..32), reason in "[ -~]{0,60}") {
        let ssrcs: Vec<_> = sources.iter().copied().map(Ssrc).collect();
        let written = written(|out| out.bye(&ssrcs).unwrap());
        prop_assert_eq!(&theirs::<Goodbye>(&written).sources, &sources);
        let wire = wire(Goodbye { sources, reason: Bytes::from(reason.clone().into_bytes()) });
        let Packet::Bye(read) = ours(&wire) else { panic!("not a BYE") };
        prop_assert_eq!(read.ssrcs().collect::<Vec<_>>(), ssrcs);
        prop_assert_eq!(read.reason(), reason.as_bytes());
    }

    #[test]
    fn nacks(
        ssrcs in any::<(u32, u32)>(), start in any::<u16>(),
        steps in prop::collection::vec(1u16..40, 1..60)
    ) {
        let mut seq = start;
        let lost: Vec<_> = steps.iter().map(|step| {
            seq = seq.wrapping_add(*step);
            SeqNo(seq)
        }).collect();
        let (sender, media) = (Ssrc(ssrcs.0), Ssrc(ssrcs.1));
        let written = written(|out| out.nack(sender, media, lost.iter().copied()).unwrap());
        let read = theirs::<TransportLayerNack>(&written);
        prop_assert_eq!((read.sender_ssrc, read.media_ssrc), ssrcs);
        let seqs: Vec<_> = read.nacks.iter().flat_map(NackPair::packet_list).map(SeqNo).collect();
        prop_assert_eq!(&seqs, &lost);
        let wire = wire(read);
        let Packet::Nack(read) = ours(&wire) else { panic!("not a NACK") };
        prop_assert_eq!((read.sender_ssrc, read.media_ssrc), (sender, media));
        prop_assert_eq!(read.sequence_numbers().collect::<Vec<_>>(), lost);
    }

    #[test]
    fn picture_loss_indications(sender_ssrc in any::<u32>(), media_ssrc in any::<u32>()) {
        let expected = PictureLossIndication { sender_ssrc, media_ssrc };
        let written = written(|out| out.pli(Ssrc(sender_ssrc), Ssrc(media_ssrc)).unwrap());
        prop_assert_eq!(&theirs::<PictureLossIndication>(&written), &expected);
        let wire = wire(expected);
        let Packet::Pli(read) = ours(&wire) else { panic!("not a PLI") };
        let pli = Pli { sender_ssrc: Ssrc(sender_ssrc), media_ssrc: Ssrc(media_ssrc) };
        prop_assert_eq!(read, pli);
    }

    #[test]
    fn full_intra_requests(
        sender_ssrc in any::<u32>(), entries in prop::collection::vec(any::<(u32, u8)>(), 1..20)
    ) {
        let (ssrc, command_sequence_number) = entries[0];
        let entry = FirEntry { ssrc: Ssrc(ssrc), command_sequence_number };
        let written = written(|out| out.fir(Ssrc(sender_ssrc), entry).unwrap());
        let read = theirs::<FullIntraRequest>(&written);
        prop_assert_eq!((read.sender_ssrc, read.media_ssrc, read.fir.len()), (sender_ssrc, 0, 1));
        prop_assert_eq!((read.fir[0].ssrc, read.fir[0].sequence_number), entries[0]);
        let wire = wire(FullIntraRequest {
            sender_ssrc, media_ssrc: 0,
            fir: entries.iter().map(|&(ssrc, sequence_number)| {
                full_intra_request::FirEntry { ssrc, sequence_number }
            }).collect(),
        });
        let Packet::Fir(read) = ours(&wire) else { panic!("not a FIR") };
        let read: Vec<_> =
            read.entries().map(|entry| (entry.ssrc.0, entry.command_sequence_number)).collect();
        prop_assert_eq!(read, entries);
    }

    #[test]
    fn receiver_estimates(
        sender_ssrc in any::<u32>(), bps in 0u64..1 << 40,
        ssrcs in prop::collection::vec(any::<u32>(), 0..20)
    ) {
        let streams: Vec<_> = ssrcs.iter().copied().map(Ssrc).collect();
        let written =
            written(|out| out.remb(Ssrc(sender_ssrc), Bitrate::from_bps(bps), &streams).unwrap());
        let read = theirs::<ReceiverEstimatedMaximumBitrate>(&written);
        prop_assert_eq!((read.sender_ssrc, &read.ssrcs), (sender_ssrc, &ssrcs));
        let wire = wire(read.clone());
        let Packet::Remb(ours) = ours(&wire) else { panic!("not a REMB") };
        prop_assert_eq!(ours.ssrcs().collect::<Vec<_>>(), streams);
        // Eighteen bits of mantissa, rounded down, and theirs is a float of 24.
        let loss = bps - ours.bitrate.as_bps();
        prop_assert!(loss <= bps >> 16, "{bps} came back as {}", ours.bitrate.as_bps());
        // Eighteen bits fit into their float exactly.
        prop_assert_eq!(read.bitrate, ours.bitrate.as_bps() as f32);
    }

    #[test]
    fn transport_feedback(
        base in any::<u16>(), feedback_count in any::<u8>(),
        gaps in prop::collection::vec(
            prop_oneof![2 => Just(None), 5 => (0u64..70_000_000).prop_map(Some)], 0..300)
    ) {
        let mut at = MonoTime::from_millis(70);
        let arrivals: Vec<_> = std::iter::once(Some(at)).chain(gaps.into_iter().map(|gap| {
            gap.map(|gap| {
                at = MonoTime(at.0 + gap);
                at
            })
        })).collect();
        let header = TransportCcHeader {
            sender_ssrc: Ssrc(1), media_ssrc: Ssrc(2),
            base_sequence_number: SeqNo(base), feedback_count,
        };
        let written = written(|out| {
            assert_eq!(out.transport_cc(&header, &arrivals), Ok(arrivals.len()));
        });
        let read = theirs::<TransportLayerCc>(&written);
        prop_assert_eq!(read.base_sequence_number, base);
        prop_assert_eq!(usize::from(read.packet_status_count), arrivals.len());
        prop_assert_eq!((read.reference_time, read.fb_pkt_count), (1, feedback_count));
        let symbols: Vec<_> = read.packet_chunks.iter().flat_map(|chunk| match chunk {
            PacketStatusChunk::RunLengthChunk(run) =>
                vec![run.packet_status_symbol; usize::from(run.run_length)],
            PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.clone(),
        }).collect();
        let received: Vec<_> =
            symbols.iter().take(arrivals.len()).map(|symbol| *symbol as u16 != 0).collect();
        prop_assert_eq!(received, arrivals.iter().map(Option::is_some).collect::<Vec<_>>());
        let mut ticks = 256i64;
        for (delta, arrival) in read.recv_deltas.iter().zip(arrivals.iter().flatten()) {
            ticks += delta.delta / 250;
            prop_assert_eq!(ticks, i64::try_from(arrival.0 / 250_000).unwrap());
        }
        let wire = wire(read.clone());
        let Packet::TransportCc(ours) = ours(&wire) else { panic!("not transport feedback") };
        let deltas: Vec<_> = ours.statuses().filter_map(|status| status.delta).collect();
        let expected: Vec<_> =
            read.recv_deltas.iter().map(|delta| i16::try_from(delta.delta / 250).unwrap()).collect();
        prop_assert_eq!(deltas, expected);
        prop_assert_eq!(usize::from(ours.status_count), arrivals.len());
    }
}
