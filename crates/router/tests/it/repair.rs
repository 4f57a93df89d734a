//! Loss, on the way in and on the way out.

use std::collections::BTreeSet;

use estrade_router::MediaClass;
use estrade_rtp::RtpView;
use estrade_rtp::rtcp::{Packet, Writer};
use estrade_types::{Permits, SeqNo, Ssrc};

use crate::world::*;

/// A receiver's NACK for its main picture.
fn nack(lost: &[u16]) -> Vec<u8> {
    let mut buf = [0; 1_200];
    let mut writer = Writer::new(&mut buf);
    writer
        .nack(
            Ssrc(9),
            Ssrc(0x1000 + 3),
            lost.iter().map(|seq| SeqNo(*seq)),
        )
        .unwrap();
    writer.written().to_vec()
}

fn watched(ann_first: bool) -> (World, usize, usize, usize) {
    let mut world = World::new(3);
    let (ann, bob, me) = (world.join(1), world.join(1), world.listen());
    world.frame(ann, 0, true, 4);
    world.frame(bob, 0, true, 4);
    world.programme(Some(if ann_first { ann } else { bob }));
    (world, ann, bob, me)
}

fn play(world: &mut World, who: &[usize], frames: u32) {
    for _ in 0..frames {
        world.run_ms(40);
        for from in who {
            world.frame(*from, 0, false, 3);
        }
    }
}

/// A retransmission says the same as the packet it repeats.
fn check_repeats(original: &Got, again: &Got) {
    assert_eq!(again.class, MediaClass::Rtx);
    assert_eq!(again.header.payload_type.value(), OUT_VP8_RTX);
    assert_eq!(again.header.ssrc, Ssrc(0x2000 + 3));
    assert_eq!(
        again.payload[..2],
        original.header.sequence_number.0.to_be_bytes()
    );
    assert_eq!(again.payload[2..], original.payload[..]);
    assert_eq!(again.header.timestamp, original.header.timestamp);
    assert_eq!(again.header.marker, original.header.marker);
}

#[test]
fn a_nack_is_answered_with_the_same_packet_on_the_rtx_stream() {
    let (mut world, ann, _, me) = watched(true);
    play(&mut world, &[ann], 10);
    let lost: Vec<Got> = world.got(me, MAIN)[5..8].to_vec();
    let seqs: Vec<u16> = lost
        .iter()
        .map(|got| got.header.sequence_number.0)
        .collect();
    world.rtcp(me, &nack(&seqs));
    let again = world.got_rtx(me, MAIN);
    assert_eq!(again.len(), 3);
    for (original, again) in lost.iter().zip(again) {
        check_repeats(original, again);
    }
    assert_eq!(again[1].ext_seq, again[0].ext_seq + 1);
}

#[test]
fn a_nack_for_a_packet_from_before_the_cut_still_finds_it() {
    let (mut world, ann, bob, me) = watched(true);
    play(&mut world, &[ann, bob], 60);
    let before = world.got(me, MAIN).last().unwrap().clone();
    world.programme(Some(bob));
    world.run_ms(60);
    world.frame(bob, 0, true, 4);
    let after = world.got(me, MAIN).last().unwrap().clone();
    assert_eq!((before.owner(), after.owner()), (Some(1), Some(2)));
    let seqs = [
        before.header.sequence_number.0,
        after.header.sequence_number.0,
    ];
    world.rtcp(me, &nack(&seqs));
    let again = world.got_rtx(me, MAIN);
    check_repeats(&before, &again[0]);
    check_repeats(&after, &again[1]);
}

#[test]
fn a_packet_is_resent_once_per_round_trip_and_within_a_share() {
    let (mut world, ann, _, me) = watched(true);
    play(&mut world, &[ann], 100);
    let seq = world.got(me, MAIN).last().unwrap().header.sequence_number.0;
    for _ in 0..10 {
        world.rtcp(me, &nack(&[seq]));
        world.run_ms(9);
    }
    assert_eq!(world.got_rtx(me, MAIN).len(), 1);
    world.run_ms(20);
    world.rtcp(me, &nack(&[seq]));
    assert_eq!(world.got_rtx(me, MAIN).len(), 2);
    // Everything, a hundred times a second: hostile.md 44.
    let all: Vec<u16> = (0..256).map(|back| seq.wrapping_sub(255 - back)).collect();
    for _ in 0..300 {
        world.run_ms(10);
        world.rtcp(me, &nack(&all));
    }
    let bytes: usize = world
        .got_rtx(me, MAIN)
        .iter()
        .map(|got| got.payload.len())
        .sum();
    assert!(bytes < 5 * 45_000, "{bytes} bytes of retransmissions");
}

#[test]
fn a_nack_for_what_was_never_sent_is_refused() {
    let (mut world, ann, _, me) = watched(true);
    play(&mut world, &[ann], 3);
    let got = world.got(me, MAIN);
    let next = got.last().unwrap().header.sequence_number.0.wrapping_add(1);
    let before = got[0].header.sequence_number.0.wrapping_sub(1);
    world.rtcp(me, &nack(&[next, before]));
    assert!(world.got_rtx(me, MAIN).is_empty());
    assert_eq!(world.router.counters().nacks_refused, 2);
}

/// What a publisher was asked for.
fn asked(world: &World, who: usize) -> BTreeSet<u16> {
    world
        .rtcp_to(who)
        .filter_map(|packet| match packet {
            Packet::Nack(nack) => {
                Some(nack.sequence_numbers().map(|seq| seq.0).collect::<Vec<_>>())
            }
            _ => None,
        })
        .flatten()
        .collect()
}

#[test]
fn a_lost_packet_is_asked_for_and_its_retransmission_fills_the_hole() {
    let (mut world, ann, _, me) = watched(true);
    play(&mut world, &[ann], 3);
    world.run_ms(40);
    let mut frame = world.make_frame(ann, 0, false, 3);
    let lost = frame.remove(1);
    for packet in &frame {
        world.deliver(ann, packet).unwrap();
    }
    world.run_ms(9);
    assert!(asked(&world, ann).is_empty());
    world.run_ms(30);
    let seq = u16::from_be_bytes([lost[2], lost[3]]);
    assert_eq!(asked(&world, ann), BTreeSet::from([seq]));
    // The retransmission: same timestamp, own SSRC and number, original number in front.
    let header_len = lost.len() - 61;
    let mut payload = seq.to_be_bytes().to_vec();
    payload.extend(&lost[header_len..]);
    let timestamp = u32::from_be_bytes(*lost[4..].first_chunk().unwrap());
    let rtx = PacketBuilder {
        pt: VP8_RTX,
        seq: 500,
        timestamp,
        ssrc: 4_711,
        mid: Some("cam"),
        transport_seq: Some(world.people[ann].transport_seq),
        ..PacketBuilder::default()
    }
    .build(&payload);
    let accepted = world.deliver(ann, &rtx).unwrap().unwrap();
    assert!(accepted.is_retransmission);
    assert_eq!(world.router.counters().rx_rtx_packets, 1);
    let mut got = world.got(me, MAIN).to_vec();
    got.sort_by_key(|got| got.ext_seq);
    check_decodable(&got);
    // The packet itself, late: held already.
    assert_eq!(
        world.deliver(ann, &lost).unwrap_err().reason,
        estrade_types::DropReason::Duplicate
    );
}

#[test]
fn what_cannot_be_repaired_ends_in_a_keyframe_request() {
    let (mut world, ann, _, _) = watched(true);
    play(&mut world, &[ann], 3);
    drop(world.make_frame(ann, 0, false, 1));
    let before = world.plis(ann);
    play(&mut world, &[ann], 60);
    assert_eq!(asked(&world, ann).len(), 1);
    assert!(world.plis(ann) > before);
}

#[test]
fn a_keyframe_completed_by_a_retransmission_cuts() {
    let (mut world, ann, bob, me) = watched(true);
    play(&mut world, &[ann, bob], 60);
    world.programme(Some(bob));
    world.run_ms(40);
    let mut keyframe = world.make_frame(bob, 0, true, 5);
    let lost = keyframe.remove(2);
    for packet in &keyframe {
        world.deliver(bob, packet).unwrap();
    }
    play(&mut world, &[ann, bob], 1);
    assert_eq!(world.got(me, MAIN).last().unwrap().owner(), Some(1));
    world.deliver(bob, &lost).unwrap();
    assert_eq!(world.got(me, MAIN).last().unwrap().owner(), Some(2));
    check_decodable(world.got(me, MAIN));
}

#[test]
fn probes_and_padding_are_accounted_and_go_no_further() {
    let (mut world, ann, _, me) = watched(true);
    play(&mut world, &[ann], 3);
    for n in 0..20 {
        let probe = PacketBuilder {
            pt: VP8_RTX,
            seq: 600 + n,
            ssrc: 4_711,
            mid: Some("cam"),
            transport_seq: Some(20_000 + n),
            ..PacketBuilder::default()
        }
        .build(&[]);
        assert_eq!(world.deliver(ann, &probe), Ok(None));
        // Padding on the media SSRC: takes a number there, none on the legs.
        let encoding = &mut world.people[ann].camera[0];
        let padding = PacketBuilder {
            pt: VP8,
            seq: encoding.seq,
            timestamp: 5,
            ssrc: encoding.ssrc,
            ..PacketBuilder::default()
        }
        .build(&[]);
        encoding.seq = encoding.seq.wrapping_add(1);
        assert_eq!(world.deliver(ann, &padding), Ok(None));
        play(&mut world, &[ann], 1);
    }
    check_decodable(world.got(me, MAIN));
}

#[test]
fn numbers_wrap_without_a_seam() {
    let (mut world, ann, _, me) = watched(true);
    for _ in 0..1_700 {
        world.run_ms(33);
        world.frame(ann, 0, false, 40);
    }
    let got = world.got(me, MAIN);
    assert!(got.last().unwrap().ext_seq > 0x1_0000);
    check_decodable(got);
    let lost = got[got.len() - 10].clone();
    world.rtcp(me, &nack(&[lost.header.sequence_number.0]));
    check_repeats(&lost, world.got_rtx(me, MAIN).last().unwrap());
}

#[test]
fn a_repair_of_what_was_not_permitted_brings_nothing_back() {
    for was_seen_before in [false, true] {
        let mut world = World::new(3);
        let (ann, me) = (world.join(1), world.listen());
        world.programme(Some(ann));
        if was_seen_before {
            world.frame(ann, 0, true, 2);
        }
        let off = Permits {
            camera: false,
            ..Permits::ALL
        };
        world.router.set_participant(world.now, key(1), off);
        world.run_ms(40);
        let hidden = world.make_frame(ann, 0, true, 2);
        for packet in &hidden {
            assert!(world.deliver(ann, packet).is_err());
        }
        let seen = world.got(me, MAIN).len();
        world
            .router
            .set_participant(world.now, key(1), Permits::ALL);
        // A sender that probes the path repeats what it sent last.
        let repeat = |world: &mut World, rtx_seq: u16| {
            for (index, packet) in hidden.iter().enumerate() {
                let view = RtpView::parse(packet).unwrap();
                let mut payload = view.sequence_number().0.to_be_bytes().to_vec();
                payload.extend(view.payload());
                let again = PacketBuilder {
                    pt: VP8_RTX,
                    marker: view.marker(),
                    seq: rtx_seq + u16::try_from(index).unwrap(),
                    timestamp: view.timestamp().0,
                    ssrc: 777,
                    mid: Some("cam"),
                    ..PacketBuilder::default()
                };
                assert!(world.deliver(ann, &again.build(&payload)).is_err());
            }
        };
        repeat(&mut world, 10);
        world.run_ms(40);
        world.frame(ann, 0, false, 2);
        repeat(&mut world, 20);
        world.run_ms(100);
        assert_eq!(world.got(me, MAIN).len(), seen);
        world.frame(ann, 0, true, 2);
        assert_eq!(world.got(me, MAIN).len(), seen + 2);
    }
}
