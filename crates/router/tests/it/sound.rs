//! Who is heard.

use estrade_types::{DropReason, Permits, SlotId, SourceKind};

use crate::world::*;

const VOICE: u8 = 0x80 | 30;
const QUIET: u8 = 110;

fn owners(world: &World, who: usize, stream: u16) -> Vec<u8> {
    let mut owners: Vec<u8> = world
        .got(who, stream)
        .iter()
        .filter_map(Got::owner)
        .collect();
    owners.dedup();
    owners
}

fn talk(world: &mut World, who: &[(usize, u8)], ms: u64) {
    for _ in 0..ms / 20 {
        world.run_ms(20);
        for (from, level) in who {
            world.voice(*from, *level).unwrap();
        }
    }
}

/// Nothing of a stream is out of order, and its numbers have no holes.
fn check_gapless(got: &[Got]) {
    for pair in got.windows(2) {
        assert_eq!(pair[1].ext_seq, pair[0].ext_seq + 1);
        let step = timestamp(&pair[1]).0.wrapping_sub(timestamp(&pair[0]).0);
        assert!(step > 0 && step.cast_signed() > 0);
    }
}

#[test]
fn everybody_is_heard_by_all_but_themselves() {
    let mut world = World::new(3);
    let (ann, bob, me) = (world.join(1), world.join(1), world.listen());
    talk(&mut world, &[(ann, VOICE), (bob, QUIET)], 400);
    assert_eq!(owners(&world, me, 0), [1]);
    assert_eq!(owners(&world, me, 1), [2]);
    assert_eq!(owners(&world, ann, 1), [2]);
    assert!(owners(&world, ann, 0).is_empty());
    assert_eq!(owners(&world, bob, 0), [1]);
    check_gapless(world.got(me, 0));
    let first = &world.got(me, 0)[0].header;
    assert!(first.marker);
    assert_eq!(
        first.audio_level.map(|(_, level)| level),
        Some(level(VOICE))
    );
    assert_eq!(
        first.mid.map(|(_, mid)| mid.as_str().to_owned()),
        Some("s0".to_owned())
    );
}

#[test]
fn a_newcomer_is_heard_from_its_first_voiced_packet_in_the_slot_of_somebody_quiet() {
    let mut world = World::new(2);
    let people: Vec<usize> = (0..3).map(|_| world.join(1)).collect();
    let me = world.listen();
    let (ann, bob, eve) = (people[0], people[1], people[2]);
    talk(&mut world, &[(ann, VOICE), (bob, VOICE)], 300);
    talk(
        &mut world,
        &[(ann, VOICE), (bob, QUIET), (eve, QUIET)],
        1_000,
    );
    assert_eq!(owners(&world, me, 1), [2]);
    world.run_ms(20);
    world.voice(eve, VOICE).unwrap();
    assert_eq!(owners(&world, me, 1), [2, 3]);
    assert!(world.got(me, 1).last().unwrap().header.marker);
    talk(&mut world, &[(ann, VOICE), (bob, QUIET), (eve, VOICE)], 500);
    assert_eq!(owners(&world, me, 0), [1]);
    check_gapless(world.got(me, 0));
    check_gapless(world.got(me, 1));
}

#[test]
fn a_holder_is_kept_while_it_talks_unless_the_newcomer_is_much_louder() {
    let mut world = World::new(1);
    let (ann, bob, me) = (world.join(1), world.join(1), world.listen());
    talk(&mut world, &[(ann, 0x80 | 35)], 500);
    talk(&mut world, &[(ann, 0x80 | 35), (bob, 0x80 | 30)], 2_000);
    assert_eq!(owners(&world, me, 0), [1]);
    talk(&mut world, &[(ann, 0x80 | 45), (bob, 0x80 | 15)], 2_000);
    assert_eq!(owners(&world, me, 0), [1, 2]);
}

#[test]
fn the_active_speaker_is_always_heard() {
    let mut world = World::new(1);
    let (ann, bob, me) = (world.join(1), world.join(1), world.listen());
    talk(&mut world, &[(ann, VOICE), (bob, VOICE)], 500);
    assert_eq!(owners(&world, me, 0), [1]);
    world.router.set_active_speaker(world.now, Some(key(2)));
    talk(&mut world, &[(ann, VOICE), (bob, VOICE)], 100);
    assert_eq!(owners(&world, me, 0), [1, 2]);
}

#[test]
fn a_player_with_one_slot_hears_the_active_speaker_else_the_loudest() {
    let mut world = World::new(3);
    let (ann, bob) = (world.join(1), world.join(1));
    let player = world.join_with(&[], &tx_media(1, 0), Permits::NONE);
    talk(&mut world, &[(ann, VOICE), (bob, QUIET)], 1_000);
    assert_eq!(world.got(player, 0).last().unwrap().owner(), Some(1));
    talk(&mut world, &[(ann, QUIET), (bob, VOICE)], 1_500);
    assert_eq!(world.got(player, 0).last().unwrap().owner(), Some(2));
    talk(&mut world, &[(ann, VOICE), (bob, VOICE)], 500);
    assert_eq!(world.got(player, 0).last().unwrap().owner(), Some(2));
    world.router.set_active_speaker(world.now, Some(key(1)));
    talk(&mut world, &[(ann, VOICE), (bob, VOICE)], 100);
    assert_eq!(world.got(player, 0).last().unwrap().owner(), Some(1));
    check_gapless(world.got(player, 0));
}

#[test]
fn a_client_with_fewer_slots_than_the_room_hears_who_talks_in_its_last_one() {
    let mut world = World::new(5);
    let five: Vec<usize> = (0..5).map(|_| world.join(1)).collect();
    let me = world.listen();
    let all = |talker: usize| -> Vec<(usize, u8)> {
        let level = |from| if from == talker { VOICE } else { QUIET };
        five.iter().map(|from| (*from, level(*from))).collect()
    };
    talk(&mut world, &all(0), 1_000);
    for talker in [3, 4, 2] {
        talk(&mut world, &all(talker), 1_500);
        let owner = u8::try_from(talker).unwrap() + 1;
        assert_eq!(world.got(me, 2).last().unwrap().owner(), Some(owner));
    }
    assert_eq!(owners(&world, me, 0), [1]);
    assert_eq!(owners(&world, me, 1), [2]);
    check_gapless(world.got(me, 2));
}

#[test]
fn a_muted_participant_is_not_heard_from_the_next_packet_on() {
    let mut world = World::new(3);
    let (ann, me) = (world.join(1), world.listen());
    talk(&mut world, &[(ann, VOICE)], 200);
    let heard = world.got(me, 0).len();
    let muted = Permits {
        microphone: false,
        ..Permits::ALL
    };
    world.router.set_participant(world.now, key(1), muted);
    let session = world.people[me].session;
    assert_eq!(world.router.slot_source(session, SlotId::Audio(0)), None);
    for _ in 0..20 {
        world.run_ms(20);
        let refused = world.voice(ann, VOICE).unwrap_err();
        assert_eq!(refused.reason, DropReason::NotPermitted);
        let told = refused.muted.unwrap();
        assert_eq!((told.participant, told.level), (key(1), level(VOICE)));
    }
    assert_eq!(world.got(me, 0).len(), heard);
    world
        .router
        .set_participant(world.now, key(1), Permits::ALL);
    talk(&mut world, &[(ann, VOICE)], 200);
    assert_eq!(world.got(me, 0).len(), heard + 10);
    check_gapless(world.got(me, 0));
    assert!(world.got(me, 0)[heard].header.marker);
}

#[test]
fn a_listener_that_sends_anyway_is_not_heard_or_seen() {
    let mut world = World::new(3);
    let me = world.listen();
    let intruder = world.join_with(&rx_media(1), &tx_media(3, 0), Permits::NONE);
    let who = world.people[intruder].who;
    world.router.set_programme(
        world.now,
        Some((who, SourceKind::Camera)),
        None,
        &mut world.sent,
    );
    for _ in 0..50 {
        world.run_ms(20);
        assert!(world.voice(intruder, VOICE).is_err());
        for packet in world.make_frame(intruder, 0, true, 2) {
            assert!(world.deliver(intruder, &packet).is_err());
        }
    }
    assert!((0..5).all(|stream| world.got(me, stream).is_empty()));
    assert!(!world.router.has_live_video(who, SourceKind::Camera));
    assert!(world.events().is_empty());
    let drops = &world.router.counters().drops;
    assert_eq!(drops.get(DropReason::NotPermitted), 150);
    // Its browser is told all the same what arrived.
    assert!(world.rtcp_to(intruder).count() > 5);
}

#[test]
fn a_pause_of_dtx_keeps_the_numbering_and_the_time() {
    let mut world = World::new(3);
    let (ann, me) = (world.join(1), world.listen());
    talk(&mut world, &[(ann, VOICE)], 100);
    world.run_ms(380);
    talk(&mut world, &[(ann, VOICE)], 20);
    let got = world.got(me, 0);
    check_gapless(got);
    let [.., before, last] = got else {
        panic!("nothing heard");
    };
    let step = timestamp(last).0.wrapping_sub(timestamp(before).0);
    assert_eq!(step, 400 * 48);
}

#[test]
fn fewer_slots_are_in_force_at_once() {
    let mut world = World::new(3);
    let (ann, bob, me) = (world.join(1), world.join(1), world.listen());
    talk(&mut world, &[(ann, VOICE), (bob, VOICE)], 200);
    world.router.set_audio_slots(world.now, 1);
    let heard = world.got(me, 1).len();
    talk(&mut world, &[(ann, VOICE), (bob, VOICE)], 200);
    assert_eq!(world.got(me, 1).len(), heard);
}

#[test]
fn a_second_session_of_the_same_participant_takes_over() {
    let mut world = World::new(3);
    let (ann, me) = (world.join(1), world.listen());
    talk(&mut world, &[(ann, VOICE)], 200);
    let again = world.join(1);
    // The same participant: a session opened later under the same key.
    let session = world
        .router
        .add_session(
            world.now,
            estrade_router::AddSession {
                session: estrade_types::SessionId(99),
                slot: 99,
                participant: key(1),
                rx: &rx_media(1),
                tx: &[],
                seed: 1,
                tells_slots: false,
            },
        )
        .unwrap();
    world
        .router
        .set_connected(world.now, session, true, &mut world.sent);
    world.people[again].session = session;
    let heard = world.got(me, 0).len();
    for _ in 0..10 {
        world.run_ms(20);
        assert!(world.voice(again, VOICE).is_ok());
        assert_eq!(
            world.voice(ann, VOICE).unwrap_err().reason,
            DropReason::NotPermitted
        );
    }
    assert_eq!(world.got(me, 0).len(), heard + 10);
    check_gapless(world.got(me, 0));
}
