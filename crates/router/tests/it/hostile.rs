//! Authenticated, and bad all the same: `hostile.md` §3, C 31 to 41 and D 42 to 48, as far as they
//! reach the router.

use estrade_router::{AddSession, RouterError};
use estrade_types::{DropReason, Permits, SessionId, Ssrc};
use proptest::prelude::*;

use crate::world::*;

fn drops(world: &World, reason: DropReason) -> u64 {
    world.router.counters().drops.get(reason)
}

fn video(seq: u16) -> PacketBuilder<'static> {
    PacketBuilder {
        pt: VP8,
        marker: true,
        seq,
        timestamp: u32::from(seq) * 3_000,
        ssrc: 900,
        mid: Some("cam"),
        ..PacketBuilder::default()
    }
}

#[test]
fn unknown_payload_types_and_ssrcs_are_refused_and_counted() {
    let mut world = World::new(3);
    let ann = world.join(1);
    let unknown = PacketBuilder { pt: 55, ..video(1) }.build(&[1]);
    assert_eq!(
        world.deliver(ann, &unknown).unwrap_err().reason,
        DropReason::UnknownSsrc
    );
    assert!(world.deliver(ann, &video(2).build(&[0x10, 0, 1])).is_ok());
    let changed = PacketBuilder { pt: 55, ..video(3) }.build(&[1]);
    assert_eq!(
        world.deliver(ann, &changed).unwrap_err().reason,
        DropReason::UnknownPayloadType
    );
    for n in 0..10_000u32 {
        let random = PacketBuilder {
            ssrc: 5_000 + n,
            mid: None,
            ..video(1)
        }
        .build(&[1]);
        assert!(world.deliver(ann, &random).is_err());
    }
    assert_eq!(drops(&world, DropReason::UnknownSsrc), 10_001);
}

#[test]
fn a_payload_type_change_to_another_codec_recuts_at_its_keyframe() {
    let mut world = World::new(3);
    let ann = world.join(1);
    let me = world.listen();
    world.frame(ann, 0, true, 2);
    world.programme(Some(ann));
    let before = world.got(me, MAIN).len();
    let encoding = &mut world.people[ann].camera[0];
    let packet = PacketBuilder {
        pt: H264,
        seq: encoding.seq,
        ssrc: encoding.ssrc,
        timestamp: encoding.timestamp,
        ..video(0)
    }
    .build(&[0x65, 1, 2]);
    encoding.seq = encoding.seq.wrapping_add(1);
    world.run_ms(40);
    world.deliver(ann, &packet).unwrap();
    // The listener takes VP8 only: nothing it cannot decode is sent.
    assert_eq!(world.got(me, MAIN).len(), before);
    world.run_ms(40);
    world.frame(ann, 0, true, 2);
    world.run_ms(50);
    assert_eq!(world.got(me, MAIN).len(), before + 2);
    check_stream(world.got(me, MAIN));
}

#[test]
fn a_codec_that_changes_with_every_packet_moves_the_room_once_a_tick_at_most() {
    let mut world = World::new(3);
    let ann = world.join(1);
    world.listen();
    world.frame(ann, 0, true, 1);
    world.programme(Some(ann));
    let before = world.router.counters().cuts;
    for _ in 0..100 {
        world.run_ms(1);
        let encoding = &mut world.people[ann].camera[0];
        let packet = PacketBuilder {
            pt: H264,
            seq: encoding.seq,
            ssrc: encoding.ssrc,
            timestamp: encoding.timestamp.wrapping_add(900_000),
            ..video(0)
        };
        encoding.seq = encoding.seq.wrapping_add(1);
        let _is_taken = world.deliver(ann, &packet.build(&[0x65, 1, 2]));
        for packet in world.make_frame(ann, 0, true, 1) {
            let _is_taken = world.deliver(ann, &packet);
        }
    }
    let cuts = world.router.counters().cuts - before;
    assert!(cuts <= 3, "{cuts} cuts in 100 ms");
}

#[test]
fn goodbyes_without_end_move_the_room_once_a_second() {
    let mut world = World::new(3);
    let ann = world.join(1);
    world.listen();
    world.programme(Some(ann));
    let ssrc = Ssrc(world.people[ann].camera[0].ssrc);
    let mut buf = [0; 16];
    let mut writer = estrade_rtp::rtcp::Writer::new(&mut buf);
    writer.bye(&[ssrc]).unwrap();
    let bye = writer.written().to_vec();
    let mut told = 0;
    for _ in 0..1_000 {
        world.run_ms(2);
        world.frame(ann, 0, true, 1);
        world.rtcp(ann, &bye);
        told += world.events().len();
    }
    assert!(told <= 20, "{told} events in 2 s");
}

#[test]
fn rtx_without_an_original_or_for_an_unknown_stream_repairs_nothing() {
    let mut world = World::new(3);
    let ann = world.join(3);
    for payload in [&[][..], &[1], &[0, 1], &[0, 1, 2]] {
        let rtx = PacketBuilder {
            pt: VP8_RTX,
            repaired_rid: Some("q"),
            ssrc: 700,
            ..video(1)
        }
        .build(payload);
        let taken = world.deliver(ann, &rtx);
        assert!(matches!(taken, Ok(None)) || taken.is_err(), "{taken:?}");
    }
    let nameless = PacketBuilder {
        pt: VP8_RTX,
        ssrc: 701,
        ..video(1)
    }
    .build(&[0, 1, 2]);
    assert_eq!(
        world.deliver(ann, &nameless).unwrap_err().reason,
        DropReason::UnknownSsrc
    );
    assert_eq!(world.router.counters().rx_rtx_packets, 0);
}

#[test]
fn a_stream_keeps_its_section_and_encoding() {
    let mut world = World::new(3);
    let ann = world.join(3);
    let payload = [0x10, 0, 0, 0, 0];
    let bound = PacketBuilder {
        rid: Some("h"),
        ..video(1)
    };
    assert!(world.deliver(ann, &bound.build(&payload)).is_ok());
    for swapped in [
        PacketBuilder {
            rid: Some("f"),
            ..video(2)
        },
        PacketBuilder {
            mid: Some("scr"),
            ..video(3)
        },
        PacketBuilder {
            mid: Some("mic"),
            pt: OPUS,
            ..video(4)
        },
    ] {
        assert_eq!(
            world
                .deliver(ann, &swapped.build(&payload))
                .unwrap_err()
                .reason,
            DropReason::UnknownSsrc
        );
    }
    assert!(world.deliver(ann, &video(5).build(&payload)).is_ok());
    // A RID of no section, and none at all where several encodings were negotiated.
    for nobody in [
        PacketBuilder {
            rid: Some("x"),
            ssrc: 901,
            ..video(1)
        },
        PacketBuilder {
            ssrc: 902,
            ..video(1)
        },
    ] {
        assert!(world.deliver(ann, &nobody.build(&payload)).is_err());
    }
}

#[test]
fn timestamps_that_jump_do_not_reach_the_receivers() {
    let mut world = World::new(3);
    let ann = world.join(1);
    let me = world.listen();
    world.frame(ann, 0, true, 1);
    world.programme(Some(ann));
    for jump in [
        1u32 << 31,
        1 << 30,
        0u32.wrapping_sub(1 << 30),
        0u32.wrapping_sub(90),
    ] {
        let encoding = &mut world.people[ann].camera[0];
        encoding.timestamp = encoding.timestamp.wrapping_add(jump);
        for _ in 0..5 {
            world.run_ms(33);
            world.frame(ann, 0, false, 2);
        }
    }
    check_decodable(world.got(me, MAIN));
    let got = world.got(me, MAIN);
    for pair in got.windows(2) {
        let step = timestamp(&pair[1]).0.wrapping_sub(timestamp(&pair[0]).0);
        assert!(step <= 3_000 + 90, "{step}");
    }
}

#[test]
fn sequence_numbers_that_jump_leave_no_hole() {
    let mut world = World::new(3);
    let ann = world.join(1);
    let me = world.listen();
    world.frame(ann, 0, true, 1);
    world.programme(Some(ann));
    for jump in [3_001u16, 20_000, 40_000, 60_000] {
        let encoding = &mut world.people[ann].camera[0];
        encoding.seq = encoding.seq.wrapping_add(jump);
        for _ in 0..5 {
            world.run_ms(33);
            for packet in world.make_frame(ann, 0, false, 2) {
                // The first after a jump is not believed.
                let _is_taken = world.deliver(ann, &packet).is_ok();
            }
        }
    }
    let got = world.got(me, MAIN);
    assert_eq!(got.len(), 1 + 4 * 9);
    for pair in got.windows(2) {
        assert_eq!(pair[1].ext_seq, pair[0].ext_seq + 1);
    }
}

#[test]
fn a_clock_that_drifts_by_five_percent_is_followed() {
    let mut world = World::new(3);
    let ann = world.join(1);
    let me = world.listen();
    world.frame(ann, 0, true, 1);
    world.programme(Some(ann));
    for _ in 0..2_000 {
        world.run_ms(33);
        world.people[ann].camera[0].timestamp =
            world.people[ann].camera[0].timestamp.wrapping_add(148);
        world.frame(ann, 0, false, 1);
    }
    check_decodable(world.got(me, MAIN));
}

#[test]
fn a_keyframe_with_every_packet_and_one_that_never_comes() {
    let mut world = World::new(3);
    let (ann, bob) = (world.join(1), world.join(1));
    let me = world.listen();
    world.programme(Some(ann));
    for n in 0..300 {
        world.run_ms(10);
        world.frame(ann, 0, true, 1);
        world.frame(bob, 0, false, 1);
        if n == 100 {
            world.programme(Some(bob));
        }
    }
    assert_eq!(world.got(me, MAIN).last().unwrap().owner(), Some(1));
    check_decodable(world.got(me, MAIN));
    // Two seconds: at most one request per half second, then seldom.
    assert!((3..=5).contains(&world.plis(bob)), "{}", world.plis(bob));
}

#[test]
fn a_goodbye_ends_only_the_senders_own_stream() {
    let mut world = World::new(3);
    let (ann, bob) = (world.join(1), world.join(1));
    let me = world.listen();
    world.frame(ann, 0, true, 1);
    world.programme(Some(ann));
    let ssrc = Ssrc(world.people[ann].camera[0].ssrc);
    let bye = |ssrc| {
        let mut buf = [0; 16];
        let mut writer = estrade_rtp::rtcp::Writer::new(&mut buf);
        writer.bye(&[ssrc]).unwrap();
        writer.written().to_vec()
    };
    world.rtcp(bob, &bye(ssrc));
    world.frame(ann, 0, false, 1);
    assert_eq!(world.got(me, MAIN).len(), 2);
    world.rtcp(ann, &bye(ssrc));
    assert!(
        !world
            .router
            .has_live_video(key(1), estrade_types::SourceKind::Camera)
    );
    // Back again, with a new keyframe or not: the numbering goes on.
    world.run_ms(40);
    world.frame(ann, 0, true, 2);
    let got = world.got(me, MAIN);
    assert!(
        got.windows(2)
            .all(|pair| pair[1].ext_seq == pair[0].ext_seq + 1)
    );
}

#[test]
fn contradictory_sections_are_refused_and_change_nothing() {
    let mut world = World::new(3);
    world
        .router
        .set_participant(world.now, key(1), Permits::ALL);
    let add = |world: &mut World, participant, rx: &[_], tx: &[_]| {
        world.router.add_session(
            world.now,
            AddSession {
                session: SessionId(1),
                slot: 1,
                participant: key(participant),
                rx,
                tx,
                seed: 1,
                tells_slots: true,
            },
        )
    };
    let (rx, tx) = (rx_media(1), tx_media(3, 0));
    assert_eq!(
        add(&mut world, 2, &rx, &tx),
        Err(RouterError::UnknownParticipant)
    );
    let twice = [tx.clone(), tx.clone()].concat();
    assert_eq!(add(&mut world, 1, &rx, &twice), Err(RouterError::Invalid));
    let many = [rx.clone(), rx.clone()].concat();
    assert_eq!(add(&mut world, 1, &many, &tx), Err(RouterError::Full));
    let mut empty = rx.clone();
    empty[0].codecs.clear();
    assert_eq!(add(&mut world, 1, &empty, &tx), Err(RouterError::Invalid));
    assert!(add(&mut world, 1, &rx, &tx).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_at_all_break_the_router(
        packets in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(any::<u8>(), 0..80), 0u64..200),
            1..60,
        ),
    ) {
        let mut world = World::new(3);
        let ann = world.join(3);
        let me = world.listen();
        world.frame(ann, 0, true, 2);
        world.programme(Some(ann));
        for (is_rtcp, bytes, pause) in packets {
            world.run_ms(pause);
            let session = world.people[ann].session;
            if is_rtcp {
                let _is_taken = world.router.on_rtcp(world.now, session, &bytes, &mut world.sent).is_ok();
            } else {
                let _is_taken = world.deliver(ann, &bytes).is_ok();
            }
        }
        check_stream(world.got(me, MAIN));
    }

    #[test]
    fn no_payload_breaks_a_leg(
        payloads in prop::collection::vec(
            (prop::sample::select(vec![VP8, H264]), prop::collection::vec(any::<u8>(), 0..40)),
            1..80,
        ),
    ) {
        let mut world = World::new(3);
        let ann = world.join(1);
        world.listen();
        world.programme(Some(ann));
        for (seq, (pt, payload)) in (0u16..).zip(payloads) {
            world.run_ms(5);
            let packet = PacketBuilder { pt, ..video(seq) }.build(&payload);
            let _is_taken = world.deliver(ann, &packet).is_ok();
        }
    }
}
