//! Candidates, mutes, small rooms, limits: the rules that hold for either detector.

use estrade_speaker::{AnyDetector, Detector as _, Mute, SpeakerEvent};
use estrade_types::{MonoTime, SpeakerRule};

use crate::room::{BOTH, Room, Sound, key};

#[test]
fn an_empty_room_has_no_speaker_and_wants_no_time() {
    for rule in BOTH {
        let mut room = Room::empty(rule);
        room.run(1_000);
        assert_eq!(room.detector.next_deadline(), None);
        assert!(room.events.is_empty());
    }
}

#[test]
fn nobody_is_announced_before_somebody_really_speaks() {
    for rule in BOTH {
        let mut room = Room::of(rule, 3);
        room.run(10_000);
        assert_eq!(room.announced(), []);
        room.hears(2, Sound::Speech);
        assert!(room.wait_for(2, 1_000).is_some());
        assert_eq!(room.announced(), [Some(2)]);
    }
}

#[test]
fn a_participant_alone_gets_the_floor_by_speaking_and_keeps_it_in_silence() {
    for rule in BOTH {
        let mut room = Room::of(rule, 1);
        room.hears(1, Sound::Speech);
        assert!(room.wait_for(1, 1_000).is_some());
        room.hears(1, Sound::Noise(65));
        room.run(60_000);
        room.hears(1, Sound::Off);
        room.run(60_000);
        assert_eq!((room.active(), room.announced()), (Some(1), vec![Some(1)]));
    }
}

#[test]
fn two_take_turns() {
    for rule in BOTH {
        let mut room = Room::of(rule, 2);
        for (speaker, other) in [(1, 2), (2, 1), (1, 2), (2, 1)] {
            room.hears(speaker, Sound::Speech);
            room.hears(other, Sound::Noise(65));
            let took = room.wait_for(speaker, 1_500);
            assert!(took.is_some_and(|ms| ms >= 200), "{rule:?} took {took:?}");
            room.run(3_000);
        }
        assert_eq!(room.announced(), [Some(1), Some(2), Some(1), Some(2)]);
    }
}

#[test]
fn a_muted_holder_loses_the_floor_at_once_and_cannot_regain_it() {
    for rule in BOTH {
        let mut room = Room::of(rule, 2);
        room.hears(1, Sound::Speech);
        room.run(3_000);
        room.mute(1, Mute::Muted);
        assert_eq!((room.active(), room.speaking()), (None, vec![]));
        assert_eq!(room.announced(), [Some(1), None]);
        room.run(10_000);
        assert_eq!(room.active(), None);
        room.mute(1, Mute::Unmuted);
        assert!(room.wait_for(1, 2_000).is_some(), "it starts anew");
    }
}

#[test]
fn a_floor_that_is_left_passes_to_whoever_talks_now() {
    for rule in BOTH {
        let mut room = Room::of(rule, 3);
        room.hears(1, Sound::Speech);
        room.run(3_000);
        room.hears(3, Sound::Speech);
        room.run(2_000);
        assert_eq!(
            room.active(),
            Some(1),
            "talking over somebody is not taking the floor"
        );
        room.remove(1);
        assert_eq!(room.active(), Some(3));
    }
}

#[test]
fn who_talks_while_muted_is_reminded_and_only_so() {
    for rule in BOTH {
        let mut room = Room::of(rule, 2);
        room.mute(2, Mute::Muted);
        room.hears(2, Sound::Speech);
        room.run(4_000);
        let reminders = room.events.iter().filter(|event| {
            matches!(event, SpeakerEvent::SpeakingWhileMuted { participant, .. }
                if *participant == key(2))
        });
        assert_eq!(reminders.count(), 1);
        assert_eq!((room.announced(), room.speaking()), (vec![], vec![]));
    }
}

#[test]
fn the_speaking_flag_comes_on_within_150_ms_and_goes_off_after_500() {
    for rule in BOTH {
        let mut room = Room::of(rule, 2);
        room.hears(1, Sound::Speech);
        room.run(80);
        assert!(room.speaking().is_empty());
        room.run(80);
        assert_eq!(room.speaking(), [1]);
        room.run(2_000);
        room.hears(1, Sound::Noise(65));
        room.run(460);
        assert_eq!(room.speaking(), [1]);
        room.run(80);
        assert!(room.speaking().is_empty());
        let changes = room.events.iter();
        let changes = changes.filter(|event| matches!(event, SpeakerEvent::Speaking { .. }));
        assert_eq!(changes.count(), 2);
    }
}

#[test]
fn the_speaking_flag_goes_off_without_packets_too() {
    for rule in BOTH {
        let mut room = Room::of(rule, 1);
        room.hears(1, Sound::Speech);
        room.run(1_000);
        room.hears(1, Sound::Off);
        room.run(600);
        assert!(room.speaking().is_empty());
    }
}

#[test]
fn speakers_are_listed_loudest_first() {
    let mut room = Room::of(SpeakerRule::Evidence, 3);
    room.hears(2, Sound::Speech);
    room.run(1_000);
    // 1 talks 12 dB louder than 2.
    for step in 0..100 {
        let level = if step % 5 == 0 { 20 } else { 10 };
        room.hears(1, Sound::Constant(level));
        room.run(20);
    }
    assert_eq!(room.speaking(), [1, 2]);
}

#[test]
fn a_hint_comes_about_150_ms_after_onset_and_before_the_decision() {
    for rule in BOTH {
        let mut room = Room::of(rule, 2);
        room.hears(1, Sound::Speech);
        room.run(3_000);
        room.events.clear();
        room.hears(1, Sound::Noise(65));
        room.hears(2, Sound::Speech);
        let onset = room.now_ms;
        room.run(3_000);
        let hints: Vec<_> = room
            .events
            .iter()
            .filter_map(|event| match event {
                SpeakerEvent::Hint { participant, at } => Some((*participant, at.as_millis())),
                _ => None,
            })
            .collect();
        assert_eq!(hints.len(), 1, "none for the holder, {rule:?}");
        let (who, at) = hints[0];
        assert_eq!(who, key(2));
        assert!((120..=200).contains(&(at - onset)), "{} ms", at - onset);
    }
}

#[test]
fn a_full_panel_refuses_and_counts() {
    for rule in BOTH {
        let mut detector = AnyDetector::new(rule, 2);
        assert!(detector.add(MonoTime::ZERO, key(1)));
        assert!(detector.add(MonoTime::ZERO, key(2)));
        assert!(detector.add(MonoTime::ZERO, key(2)), "it is there");
        assert!(!detector.add(MonoTime::ZERO, key(3)));
        assert_eq!(detector.counters().refused, 1);
        detector.remove(MonoTime::ZERO, key(1));
        assert!(detector.add(MonoTime::ZERO, key(3)));
    }
}

#[test]
fn a_capacity_beyond_the_stage_is_cut_to_it() {
    for rule in BOTH {
        let mut detector = AnyDetector::new(rule, 1_000);
        let added = (1..=1_000).filter(|n| detector.add(MonoTime::ZERO, key(*n)));
        assert_eq!(added.count(), estrade_types::limits::STAGE_MAX);
    }
}
