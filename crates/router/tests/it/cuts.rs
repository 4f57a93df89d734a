//! The cut: the old picture until the new keyframe is complete, then one continuous stream.

use estrade_router::{RouterEvent, RouterSession};
use estrade_types::{Permits, SessionId, SlotId, SourceKind};

use crate::world::*;

/// Frames of every camera in `who`, one every 40 ms.
fn play(world: &mut World, who: &[usize], frames: u32) {
    for _ in 0..frames {
        world.run_ms(40);
        for from in who {
            world.frame(*from, 0, false, 3);
        }
    }
}

fn two_cameras(listeners: usize) -> (World, usize, usize, Vec<usize>) {
    let mut world = World::new(3);
    let (ann, bob) = (world.join(1), world.join(1));
    let listeners = (0..listeners).map(|_| world.listen()).collect();
    world.frame(ann, 0, true, 4);
    world.frame(bob, 0, true, 4);
    (world, ann, bob, listeners)
}

#[test]
fn a_receiver_starts_at_a_keyframe_and_gets_everything_after_it() {
    let (mut world, ann, _, listeners) = two_cameras(1);
    world.programme(Some(ann));
    play(&mut world, &[ann], 20);
    let got = world.got(listeners[0], MAIN);
    assert_eq!(got.len(), 4 + 20 * 3);
    check_decodable(got);
    assert_eq!(got[0].header.payload_type.value(), OUT_VP8);
    assert_eq!(got[0].header.csrc.map(|csrc| csrc.0), Some(1));
    assert!(got[0].ext_seq < 0x8000);
}

#[test]
fn the_old_picture_stays_until_the_new_keyframe_is_complete() {
    let (mut world, ann, bob, listeners) = two_cameras(1);
    let me = listeners[0];
    world.programme(Some(ann));
    play(&mut world, &[ann, bob], 60);
    world.programme(Some(bob));
    assert_eq!(world.plis(bob), 1);
    play(&mut world, &[ann, bob], 5);
    assert_eq!(world.got(me, MAIN).last().unwrap().owner(), Some(1));
    // The keyframe comes packet by packet; in between the old picture goes on.
    world.run_ms(40);
    let keyframe = world.make_frame(bob, 0, true, 6);
    for packet in &keyframe[..5] {
        world.deliver(bob, packet).unwrap();
    }
    world.frame(ann, 0, false, 2);
    assert_eq!(world.got(me, MAIN).last().unwrap().owner(), Some(1));
    let before = world.got(me, MAIN).len();
    world.deliver(bob, &keyframe[5]).unwrap();
    let burst = &world.got(me, MAIN)[before..];
    assert_eq!(burst.len(), 6);
    assert!(burst.iter().all(|got| got.owner() == Some(2)));
    play(&mut world, &[ann, bob], 30);
    check_decodable(world.got(me, MAIN));
    assert_eq!(world.got(me, MAIN).last().unwrap().owner(), Some(2));
}

#[test]
fn one_keyframe_request_per_cut_with_one_receiver_and_with_two_hundred() {
    for listeners in [1, 200] {
        let (mut world, ann, bob, everybody) = two_cameras(listeners);
        world.programme(Some(ann));
        play(&mut world, &[ann, bob], 60);
        let before = world.plis(bob);
        world.programme(Some(bob));
        world.run_ms(60);
        world.frame(bob, 0, true, 4);
        play(&mut world, &[ann, bob], 10);
        assert_eq!(world.plis(bob) - before, 1, "{listeners} listeners");
        for listener in everybody {
            assert_eq!(world.got(listener, MAIN).last().unwrap().owner(), Some(2));
            check_decodable(world.got(listener, MAIN));
        }
    }
}

#[test]
fn a_late_joiner_starts_from_the_held_keyframe_without_a_request() {
    let (mut world, ann, _, _) = two_cameras(1);
    world.programme(Some(ann));
    play(&mut world, &[ann], 20);
    let late = world.listen();
    assert_eq!(world.plis(ann), 0);
    let burst = world.got(late, MAIN).len();
    assert_eq!(burst, 4 + 60);
    play(&mut world, &[ann], 5);
    check_decodable(world.got(late, MAIN));
    // Twenty frames of 40 ms went out in a burst: squeezed, so that the stream is not ahead of time.
    let got = world.got(late, MAIN);
    let spread = timestamp(&got[burst - 1])
        .0
        .wrapping_sub(timestamp(&got[0]).0);
    assert_eq!(spread, 20 * 3_600 / 32);
    let next = timestamp(&got[burst])
        .0
        .wrapping_sub(timestamp(&got[burst - 1]).0);
    assert_eq!(next, 3_600);
}

#[test]
fn a_cut_advances_the_timestamp_by_the_time_that_passed() {
    let (mut world, ann, bob, listeners) = two_cameras(1);
    world.programme(Some(ann));
    play(&mut world, &[ann, bob], 60);
    world.programme(Some(bob));
    world.run_ms(100);
    let before = world.got(listeners[0], MAIN).len();
    world.frame(bob, 0, true, 2);
    let got = world.got(listeners[0], MAIN);
    let step = timestamp(&got[before])
        .0
        .wrapping_sub(timestamp(&got[before - 1]).0);
    assert_eq!(step, 9_000);
}

#[test]
fn nobody_gets_their_own_picture() {
    let (mut world, ann, bob, _) = two_cameras(0);
    world
        .router
        .set_fallback(world.now, &[key(1), key(2)], &mut world.sent);
    world.programme(Some(ann));
    play(&mut world, &[ann, bob], 3);
    assert_eq!(world.got(bob, MAIN).last().unwrap().owner(), Some(1));
    assert_eq!(world.got(ann, MAIN).last().unwrap().owner(), Some(2));
    world.run_ms(40);
    world.frame(ann, 0, true, 2);
    world.frame(bob, 0, true, 2);
    world.programme(Some(bob));
    play(&mut world, &[ann, bob], 3);
    assert!(
        world
            .got(ann, MAIN)
            .iter()
            .all(|got| got.owner() == Some(2))
    );
    assert!(
        world
            .got(bob, MAIN)
            .iter()
            .all(|got| got.owner() == Some(1))
    );
    check_decodable(world.got(ann, MAIN));
    check_decodable(world.got(bob, MAIN));
}

#[test]
fn a_pin_goes_before_the_programme_and_video_off_before_both() {
    let (mut world, ann, bob, listeners) = two_cameras(2);
    let (pinned, other) = (listeners[0], listeners[1]);
    world.programme(Some(ann));
    let session = world.people[pinned].session;
    world
        .router
        .set_pin(world.now, session, Some(key(2)), &mut world.sent)
        .unwrap();
    play(&mut world, &[ann, bob], 5);
    assert_eq!(world.got(pinned, MAIN).last().unwrap().owner(), Some(2));
    assert_eq!(world.got(other, MAIN).last().unwrap().owner(), Some(1));
    world
        .router
        .set_video_wanted(world.now, session, false, &mut world.sent)
        .unwrap();
    let count = world.got(pinned, MAIN).len();
    play(&mut world, &[ann, bob], 5);
    assert_eq!(world.got(pinned, MAIN).len(), count);
    assert_eq!(world.router.slot_source(session, SlotId::Main), None);
}

#[test]
fn slots_tell_what_they_carry_once_it_is_there() {
    let (mut world, ann, bob, listeners) = two_cameras(1);
    world.events();
    world.programme(Some(ann));
    let slot = |events: Vec<RouterEvent>, session: u64| {
        let told = events.into_iter().filter_map(move |event| match event {
            RouterEvent::Slot {
                session: SessionId(n),
                slot: SlotId::Main,
                source,
            } if n == session => Some(source),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    let session = u64::from(world.people[listeners[0]].slot);
    assert_eq!(
        slot(world.events(), session),
        [Some((key(1), SourceKind::Camera))]
    );
    play(&mut world, &[ann, bob], 60);
    world.programme(Some(bob));
    assert_eq!(slot(world.events(), session), []);
    world.frame(bob, 0, true, 2);
    assert_eq!(
        slot(world.events(), session),
        [Some((key(2), SourceKind::Camera))]
    );
    world
        .router
        .set_participant(world.now, key(2), Permits::NONE);
    assert_eq!(slot(world.events(), session), [None]);
}

#[test]
fn legs_move_up_with_a_new_layer_and_down_when_it_dies() {
    let mut world = World::new(3);
    let ann = world.join(3);
    let me = world.listen();
    world.frame(ann, 0, true, 2);
    world.programme(Some(ann));
    let layers = |world: &World| world.got(me, MAIN).last().unwrap().tag().unwrap().layer;
    for _ in 0..40 {
        world.run_ms(40);
        world.frame(ann, 0, false, 1);
    }
    assert_eq!(layers(&world), 0);
    world.frame(ann, 2, true, 5);
    assert_eq!((layers(&world), world.plis(ann)), (2, 0));
    for _ in 0..10 {
        world.run_ms(40);
        world.frame(ann, 0, false, 1);
        world.frame(ann, 2, false, 4);
    }
    assert_eq!(layers(&world), 2);
    // The encoder drops the top layer: back down at the next keyframe of the lowest.
    for _ in 0..25 {
        world.run_ms(40);
        world.frame(ann, 0, false, 1);
    }
    assert_eq!(world.plis(ann), 1);
    world.frame(ann, 0, true, 2);
    assert_eq!(layers(&world), 0);
    check_decodable(world.got(me, MAIN));
    assert_eq!(world.router.counters().cuts, 3);
}

#[test]
fn a_top_layer_that_hardly_gets_through_moves_nobody_up_and_down() {
    let mut world = World::new(3);
    let ann = world.join(2);
    let me = world.listen();
    world.frame(ann, 0, true, 2);
    world.frame(ann, 1, true, 2);
    world.programme(Some(ann));
    let layer = |world: &World| world.got(me, MAIN).last().unwrap().tag().unwrap().layer;
    assert_eq!(layer(&world), 1, "a first start is not delayed");
    // The lowest layer answers every request with a keyframe; the top one has a frame each `gap`.
    let play = |world: &mut World, frames: u32, gap: u32| {
        for frame in 1..=frames {
            let asked = world.plis(ann);
            world.run_ms(40);
            let is_asked = world.plis(ann) > asked;
            world.frame(ann, 0, is_asked, 1);
            if frame % gap == 0 {
                world.frame(ann, 1, true, 1);
            }
        }
    };
    play(&mut world, 25 * 20, 25);
    assert_eq!(layer(&world), 0);
    let cuts = world.router.counters().cuts;
    assert!(cuts <= 2, "{cuts} cuts");
    assert!(world.plis(ann) <= 2, "{} requests", world.plis(ann));
    // It recovers: not believed at once, but soon.
    play(&mut world, 40, 1);
    assert_eq!(layer(&world), 0);
    play(&mut world, 15, 1);
    assert_eq!(layer(&world), 1);
    check_decodable(world.got(me, MAIN));
}

#[test]
fn a_source_that_stalls_as_a_whole_goes_on_low_and_moves_up_once_it_is_steady() {
    let mut world = World::new(3);
    let ann = world.join(2);
    let me = world.listen();
    world.frame(ann, 0, true, 2);
    world.frame(ann, 1, true, 2);
    world.programme(Some(ann));
    let cuts = world.router.counters().cuts;
    for (frames, layer) in [(45, 0), (15, 1)] {
        if layer == 0 {
            world.run_ms(1_500);
        }
        for _ in 0..frames {
            let asked = world.plis(ann);
            world.run_ms(40);
            let is_asked = world.plis(ann) > asked;
            world.frame(ann, 0, false, 1);
            world.frame(ann, 1, is_asked, 1);
        }
        let got = world.got(me, MAIN).last().unwrap().tag().unwrap();
        assert_eq!(got.layer, layer);
    }
    assert_eq!(world.router.counters().cuts, cuts + 2);
}

#[test]
fn a_cap_keeps_a_slot_low_and_thumbnails_are_always_low() {
    let mut world = World::new(3);
    let (ann, bob) = (world.join(3), world.join(3));
    let me = world.join(1);
    for layer in 0..3 {
        world.frame(ann, layer, true, 2);
        world.frame(bob, layer, true, 2);
    }
    world.programme(Some(ann));
    world
        .router
        .set_recent(world.now, &[key(1), key(2), key(3)], &mut world.sent);
    let session = world.people[me].session;
    world
        .router
        .set_layer_cap(world.now, session, SlotId::Main, Some(1), &mut world.sent)
        .unwrap();
    world.run_ms(40);
    for layer in 0..3 {
        world.frame(ann, layer, true, 2);
        world.frame(bob, layer, true, 2);
    }
    let tag = |stream| world.got(me, stream).last().unwrap().tag().unwrap();
    assert_eq!((tag(MAIN).owner, tag(MAIN).layer), (1, 1));
    // Ann is on the main picture, so the first thumbnail is Bob's; nobody is left for the other.
    assert_eq!((tag(5).owner, tag(5).layer), (2, 0));
    assert!(world.got(me, 6).is_empty());
}

#[test]
fn a_cut_without_a_keyframe_takes_a_lower_layer_and_then_gives_up() {
    let mut world = World::new(3);
    let (ann, bob) = (world.join(1), world.join(2));
    let me = world.listen();
    world.frame(ann, 0, true, 2);
    world.programme(Some(ann));
    let play = |world: &mut World, ms: u64| {
        for _ in 0..ms / 40 {
            world.run_ms(40);
            world.frame(ann, 0, false, 1);
            world.frame(bob, 0, false, 1);
            world.frame(bob, 1, false, 2);
        }
    };
    play(&mut world, 400);
    world.programme(Some(bob));
    play(&mut world, 1_200);
    // The lower layer was asked by now, and its keyframe will do.
    world.frame(bob, 0, true, 2);
    assert_eq!(world.got(me, MAIN).last().unwrap().tag().unwrap().layer, 0);
    assert_eq!(world.got(me, MAIN).last().unwrap().owner(), Some(2));
    assert_eq!(world.router.counters().cuts_abandoned, 0);
    // The wanted one is still taken when it comes.
    play(&mut world, 1_200);
    world.frame(bob, 1, true, 2);
    assert_eq!(world.got(me, MAIN).last().unwrap().tag().unwrap().layer, 1);
    check_decodable(world.got(me, MAIN));

    let other = world.listen();
    world.programme(Some(ann));
    play(&mut world, 2_400);
    assert_eq!(world.got(me, MAIN).last().unwrap().owner(), Some(2));
    assert_eq!(world.router.counters().cuts_abandoned, 2);
    world.frame(ann, 0, true, 2);
    assert_eq!(world.got(me, MAIN).last().unwrap().owner(), Some(1));
    assert_eq!(world.got(other, MAIN).last().unwrap().owner(), Some(1));
}

#[test]
fn requests_for_keyframes_by_thousands_of_receivers_become_two_a_second() {
    let (mut world, ann, _, listeners) = two_cameras(50);
    world.programme(Some(ann));
    let mut pli = [0; 12];
    let mut writer = estrade_rtp::rtcp::Writer::new(&mut pli);
    writer
        .pli(estrade_types::Ssrc(1), estrade_types::Ssrc(0x1000 + 3))
        .unwrap();
    let pli = writer.written().to_vec();
    let before = world.plis(ann);
    for _ in 0..100 {
        world.run_ms(10);
        for listener in &listeners {
            world.rtcp(*listener, &pli);
        }
        world.frame(ann, 0, false, 1);
    }
    assert!((2..=3).contains(&(world.plis(ann) - before)));
}

#[test]
fn a_codec_that_a_receiver_did_not_negotiate_leaves_its_slot_blank() {
    let mut world = World::new(3);
    let ann = world.join(1);
    let me = world.listen();
    world.programme(Some(ann));
    for (seq, frame) in (1..).zip(0..5u32) {
        let packet = PacketBuilder {
            pt: H264,
            marker: true,
            seq,
            timestamp: frame * 3_000,
            ssrc: 777,
            mid: Some("cam"),
            ..PacketBuilder::default()
        }
        .build(&[0x65, 1, 2, 3]);
        world.run_ms(33);
        world.deliver(ann, &packet).unwrap();
    }
    assert!(world.got(me, MAIN).is_empty());
    let drops = &world.router.counters().drops;
    assert_eq!(drops.get(estrade_types::DropReason::CodecMismatch), 1);
}

#[test]
fn a_removed_session_is_gone_from_every_slot() {
    let (mut world, ann, bob, listeners) = two_cameras(1);
    world.programme(Some(ann));
    play(&mut world, &[ann, bob], 3);
    let stale = world.people[ann].session;
    world.router.remove_session(world.now, stale);
    let session: RouterSession = world.people[listeners[0]].session;
    assert_eq!(world.router.slot_source(session, SlotId::Main), None);
    let packet = world.make_frame(ann, 0, true, 1).remove(0);
    assert!(world.deliver(ann, &packet).is_err());
    world.run_ms(100);
}

#[test]
fn a_stand_in_that_stalls_stays_on_until_it_is_inactive_or_another_is_live() {
    let (mut world, ann, bob, _) = two_cameras(1);
    world.programme(Some(ann));
    world
        .router
        .set_fallback(world.now, &[key(2)], &mut world.sent);
    let session = world.people[ann].session;
    let shown = |world: &World| world.router.slot_source(session, SlotId::Main);
    world.frame(bob, 0, true, 4);
    let bobs = Some((key(2), SourceKind::Camera));
    assert_eq!(shown(&world), bobs);
    for _ in 0..5 {
        world.run_ms(1_400);
        assert_eq!(shown(&world), bobs);
        world.frame(bob, 0, false, 1);
    }
    world.run_ms(2_200);
    assert_eq!(shown(&world), None);
}

#[test]
fn a_camera_that_comes_back_under_another_ssrc_is_shown_from_its_keyframe() {
    let (mut world, ann, _, listeners) = two_cameras(1);
    let me = listeners[0];
    world.programme(Some(ann));
    play(&mut world, &[ann], 10);
    let seen = world.got(me, MAIN).len();
    let asked = world.plis(ann);
    let encoding = &mut world.people[ann].camera[0];
    encoding.ssrc += 50;
    encoding.seq = 7;
    encoding.picture_id = 20_000;
    encoding.tl0picidx = 99;
    // The start of its first keyframe was lost.
    play(&mut world, &[ann], 3);
    assert_eq!(world.got(me, MAIN).len(), seen);
    assert_eq!(world.plis(ann) - asked, 1);
    world.run_ms(40);
    world.frame(ann, 0, true, 4);
    play(&mut world, &[ann], 5);
    assert_eq!(world.got(me, MAIN).len(), seen + 4 + 5 * 3);
    check_decodable(world.got(me, MAIN));
}

#[test]
fn packets_that_a_goodbye_overtook_do_not_bring_a_camera_back() {
    let (mut world, ann, _, listeners) = two_cameras(1);
    let me = listeners[0];
    world.programme(Some(ann));
    play(&mut world, &[ann], 3);
    let overtaken = world.make_frame(ann, 0, false, 2);
    world.deliver(ann, &overtaken[1]).unwrap();
    let ssrc = world.people[ann].camera[0].ssrc;
    let mut buf = [0; 64];
    let mut writer = estrade_rtp::rtcp::Writer::new(&mut buf);
    writer.bye(&[estrade_types::Ssrc(ssrc)]).unwrap();
    let bye = writer.written().to_vec();
    world.rtcp(ann, &bye);
    let is_live = |world: &World| world.router.has_live_video(key(1), SourceKind::Camera);
    assert!(!is_live(&world));
    let seen = world.got(me, MAIN).len();
    world.run_ms(10);
    // One that was late, one that came twice, and one repaired.
    let original = estrade_rtp::RtpView::parse(&overtaken[0]).unwrap();
    let mut repair = original.sequence_number().0.to_be_bytes().to_vec();
    repair.extend(original.payload());
    let rtx = PacketBuilder {
        pt: VP8_RTX,
        marker: false,
        seq: 9,
        timestamp: original.timestamp().0,
        ssrc: 4_711,
        mid: Some("cam"),
        ..PacketBuilder::default()
    };
    for straggler in [&rtx.build(&repair), &overtaken[0], &overtaken[1]] {
        let refused = world.deliver(ann, straggler).unwrap_err();
        assert_eq!(refused.reason, estrade_types::DropReason::TooOld);
        assert!(!is_live(&world));
    }
    assert_eq!(world.got(me, MAIN).len(), seen);
    // Switched on again at once: that is no straggler.
    world.frame(ann, 0, true, 2);
    assert!(is_live(&world));
    assert_eq!(world.got(me, MAIN).len(), seen + 2);
}

/// Browsers say goodbye when an encoding is switched off, and name a stream only until its first report.
#[test]
fn a_camera_switched_off_and_on_again_is_seen_again_without_naming_itself() {
    let mut world = World::new(3);
    let (ann, me) = (world.join(2), world.listen());
    world.programme(Some(ann));
    for layer in 0..2 {
        world.frame(ann, layer, true, 2);
    }
    world.run_ms(40);
    let ssrcs: Vec<u32> = world.people[ann].camera.iter().map(|c| c.ssrc).collect();
    for ssrc in ssrcs {
        let mut buf = [0; 64];
        let mut writer = estrade_rtp::rtcp::Writer::new(&mut buf);
        writer.bye(&[estrade_types::Ssrc(ssrc)]).unwrap();
        let bye = writer.written().to_vec();
        world.rtcp(ann, &bye);
    }
    world.run_ms(3_000);
    assert!(!world.router.has_live_video(key(1), SourceKind::Camera));
    let seen = world.got(me, MAIN).len();
    for layer in 0..2 {
        for packet in world.make_frame(ann, layer, true, 2) {
            let view = estrade_rtp::RtpView::parse(&packet).unwrap();
            let nameless = PacketBuilder {
                pt: VP8,
                marker: view.marker(),
                seq: view.sequence_number().0,
                timestamp: view.timestamp().0,
                ssrc: view.ssrc().0,
                ..PacketBuilder::default()
            };
            world
                .deliver(ann, &nameless.build(view.payload()))
                .expect("the stream is known");
        }
    }
    assert!(world.got(me, MAIN).len() > seen);
    assert_eq!(world.got(me, MAIN).last().unwrap().tag().unwrap().layer, 1);
    check_stream(world.got(me, MAIN));
}

#[test]
fn a_late_joiner_of_a_silent_room_asks_at_once_and_again_until_it_has_a_picture() {
    let (mut world, ann, _, _) = two_cameras(1);
    world.programme(Some(ann));
    play(&mut world, &[ann], 300);
    let asked = world.plis(ann);
    let late = world.listen();
    assert_eq!(world.plis(ann) - asked, 1, "the held keyframe is too old");
    // The publisher hears none of the first requests.
    play(&mut world, &[ann], 15);
    assert_eq!(world.plis(ann) - asked, 2);
    play(&mut world, &[ann], 250);
    let again = world.plis(ann) - asked;
    assert!((4..=10).contains(&again), "{again} requests in 10 s");
    assert!(world.got(late, MAIN).is_empty());
    world.run_ms(40);
    world.frame(ann, 0, true, 4);
    assert_eq!(world.got(late, MAIN).len(), 4);
}
