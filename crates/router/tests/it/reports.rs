//! Reports and transport feedback.

use std::time::Duration;

use estrade_rtp::rtcp::{Packet, ReportBlock, SenderInfo, Writer};
use estrade_types::{NtpShort, NtpTime, RtpTimestamp, SlotId, Ssrc};

use crate::world::*;

fn talk(world: &mut World, who: usize, ms: u64) {
    for _ in 0..ms / 20 {
        world.run_ms(20);
        world.voice(who, 0x80 | 30).unwrap();
    }
}

fn sender_infos(world: &World, who: usize) -> Vec<SenderInfo> {
    world
        .rtcp_to(who)
        .filter_map(|packet| match packet {
            Packet::SenderReport(report) => Some(report.info),
            _ => None,
        })
        .collect()
}

fn blocks(world: &World, who: usize) -> Vec<ReportBlock> {
    world
        .rtcp_to(who)
        .flat_map(|packet| match packet {
            Packet::ReceiverReport(report) => report.reports.collect::<Vec<_>>(),
            Packet::SenderReport(report) => report.reports.collect(),
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn a_slot_is_reported_soon_and_then_every_second() {
    let mut world = World::new(3);
    let (ann, me) = (world.join(1), world.listen());
    let start = world.now;
    talk(&mut world, ann, 5_000);
    let infos = sender_infos(&world, me);
    assert!((5..=7).contains(&infos.len()), "{} reports", infos.len());
    let (first_at, ..) = world.sent.rtcp.iter().find(|(_, to, _)| *to == 2).unwrap();
    assert!(first_at.since(start) <= Duration::from_millis(1_020));
    let last = infos.last().unwrap();
    assert_eq!(last.ssrc, Ssrc(0x1000));
    // The report's two clocks agree with the packets: both run with the world's time.
    let [a, b] = [infos[1], *last];
    let ntp_ms = (b.ntp.0.wrapping_sub(a.ntp.0) as u128 * 1_000) >> 32;
    let rtp_ms = u128::from(b.rtp_timestamp.0.wrapping_sub(a.rtp_timestamp.0)) / 48;
    assert!(ntp_ms.abs_diff(rtp_ms) <= 1, "{ntp_ms} {rtp_ms}");
    let names = world.rtcp_to(me).filter_map(|packet| match packet {
        Packet::Sdes(sdes) => sdes.chunks().next()?.cname().map(<[u8]>::to_vec),
        _ => None,
    });
    assert!(names.into_iter().all(|name| name == b"room"));
}

#[test]
fn sound_and_picture_of_one_participant_are_on_one_clock() {
    let mut world = World::new(3);
    let (ann, me) = (world.join(1), world.listen());
    world.frame(ann, 0, true, 2);
    world.programme(Some(ann));
    // The picture's report takes 80 ms longer than the sound's, and both say when they were made.
    let publisher_ntp = |ms: u64| NtpTime::from_unix(Duration::from_millis(1_000_000 + ms));
    let report = |ssrc: u32, ms: u64, timestamp: u32| {
        let mut buf = [0; 64];
        let mut writer = Writer::new(&mut buf);
        let info = SenderInfo {
            ssrc: Ssrc(ssrc),
            ntp: publisher_ntp(ms),
            rtp_timestamp: RtpTimestamp(timestamp),
            packet_count: 1,
            octet_count: 1,
        };
        writer.sender_report(&info, &[]).unwrap();
        writer.written().to_vec()
    };
    let (audio, video) = (
        world.people[ann].microphone.clone(),
        world.people[ann].camera[0].clone(),
    );
    for turn in 0..100 {
        world.run_ms(20);
        world.voice(ann, 0x80 | 30).unwrap();
        world.frame(ann, 0, false, 1);
        let ms = world.now.as_millis();
        let ticks = |rate: u64, at: u64| u32::try_from(at * rate % (1 << 32)).unwrap();
        if turn % 20 == 0 {
            let at = audio.timestamp.wrapping_add(ticks(48, ms));
            world.rtcp(ann, &report(audio.ssrc, ms, at));
            let made = ms - 80;
            let at = video.timestamp.wrapping_add(ticks(90, made));
            world.rtcp(ann, &report(video.ssrc, made, at));
        }
    }
    let infos = sender_infos(&world, me);
    let at = |ssrc: u32| *infos.iter().rfind(|info| info.ssrc == Ssrc(ssrc)).unwrap();
    let (audio, video) = (at(0x1000), at(0x1000 + 3));
    let sent = |stream: u16| world.got(me, stream).last().unwrap().clone();
    // When, by each report, was the last packet made? They were made together.
    let made = |info: SenderInfo, got: &Got, khz: i64| {
        let ntp_ms = i64::try_from((info.ntp.0 as u128 * 1_000) >> 32).unwrap();
        let ahead = got.header.timestamp.0.wrapping_sub(info.rtp_timestamp.0);
        ntp_ms + i64::from(ahead.cast_signed()) / khz
    };
    let apart = made(audio, &sent(0), 48) - made(video, &sent(MAIN), 90);
    assert!(apart.abs() <= 2, "{apart} ms apart");
}

#[test]
fn a_publisher_hears_what_was_lost() {
    let mut world = World::new(3);
    let ann = world.join(1);
    for n in 0..200 {
        world.run_ms(20);
        let packet = world.make_voice(ann, 30);
        if n % 4 != 3 {
            world.deliver(ann, &packet).unwrap();
        }
    }
    let blocks = blocks(&world, ann);
    assert!(blocks.len() >= 3);
    let last = blocks.last().unwrap();
    assert_eq!(last.ssrc, Ssrc(100));
    assert!(
        (50..=78).contains(&last.fraction_lost),
        "{}",
        last.fraction_lost
    );
    assert!(last.cumulative_lost >= 35);
}

#[test]
fn transport_feedback_covers_every_packet_within_a_tenth_of_a_second() {
    let mut world = World::new(3);
    let ann = world.join(1);
    let start = world.people[ann].transport_seq;
    talk(&mut world, ann, 2_000);
    world.run_ms(120);
    let mut told = Vec::new();
    for packet in world.rtcp_to(ann) {
        if let Packet::TransportCc(feedback) = packet {
            told.extend(
                feedback
                    .statuses()
                    .filter(|status| status.delta.is_some())
                    .map(|status| status.sequence_number.0),
            );
        }
    }
    let expected: Vec<u16> = (0..100).map(|n| start.wrapping_add(n)).collect();
    assert_eq!(told, expected);
}

#[test]
fn a_receivers_report_gives_round_trip_and_ends_the_mid() {
    let mut world = World::new(3);
    let (ann, me) = (world.join(1), world.listen());
    talk(&mut world, ann, 1_500);
    assert!(world.got(me, 0).last().unwrap().header.mid.is_some());
    let sr = *sender_infos(&world, me).last().unwrap();
    let (sent_at, ..) = *world.sent.rtcp.iter().rfind(|(_, to, _)| *to == 2).unwrap();
    world.run_ms(10);
    // Held for the rest of the time but 60 ms.
    let held = world.now.since(sent_at).as_millis() - 60;
    let block = ReportBlock {
        ssrc: sr.ssrc,
        fraction_lost: 25,
        cumulative_lost: 1,
        highest_sequence_number: 1,
        jitter: 77,
        last_sr: sr.ntp.short(),
        delay_since_last_sr: NtpShort(u32::try_from(held * 65_536 / 1_000).unwrap()),
    };
    let mut buf = [0; 64];
    let mut writer = Writer::new(&mut buf);
    writer.receiver_report(Ssrc(5), &[block]).unwrap();
    world.rtcp(me, writer.written());
    let session = world.people[me].session;
    let stats = world.router.slot_stats(session, SlotId::Audio(0)).unwrap();
    assert_eq!((stats.fraction_lost, stats.jitter), (25, 77));
    let rtt = stats.rtt.unwrap().as_millis();
    assert!((59..=61).contains(&rtt), "{rtt}");
    assert_eq!(world.router.rtt(session), stats.rtt);
    talk(&mut world, ann, 20);
    assert_eq!(world.got(me, 0).last().unwrap().header.mid, None);
}

#[test]
fn a_quiet_room_has_no_deadline() {
    let mut world = World::new(3);
    let ann = world.join(1);
    world.listen();
    talk(&mut world, ann, 200);
    assert!(world.router.next_deadline().is_some());
    world.run_ms(20_000);
    assert_eq!(world.router.next_deadline(), None);
    let sent = world.sent.rtcp.len();
    world.run_ms(60_000);
    assert_eq!(world.sent.rtcp.len(), sent);
}
