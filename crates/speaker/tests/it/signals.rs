//! What packets and microphones do: packet durations, gaps, loss, restarts, noises, lies.

use std::time::Duration;

use estrade_speaker::Detector as _;
use estrade_types::{AudioLevel, RtpTimestamp, SpeakerRule};

use crate::room::{BOTH, Room, Sound, key};

#[test]
fn packets_of_10_to_120_ms_are_understood_told_or_not() {
    for rule in BOTH {
        for ptime_ms in [10, 20, 40, 60, 100, 120] {
            for tells_ptime in [true, false] {
                let mut room = Room::empty(rule);
                for n in 1..=2 {
                    room.join(n, Sound::Noise(65));
                    room.microphone(n).ptime_ms = ptime_ms;
                    room.microphone(n).tells_ptime = tells_ptime;
                }
                room.run(3_000);
                room.hears(1, Sound::Speech);
                room.run(3_000);
                room.hears(1, Sound::Noise(65));
                room.hears(2, Sound::Speech);
                let took = room.wait_for(2, 2_000);
                assert!(
                    took.is_some(),
                    "{rule:?} at {ptime_ms} ms, told {tells_ptime}"
                );
                assert_eq!(room.announced(), [Some(1), Some(2)]);
            }
        }
    }
}

#[test]
fn a_holder_who_ceases_to_send_is_silent() {
    for rule in BOTH {
        let mut room = Room::of(rule, 2);
        room.hears(1, Sound::Speech);
        room.run(3_000);
        room.hears(1, Sound::Off);
        room.hears(2, Sound::Speech);
        assert!(room.wait_for(2, 1_200).is_some(), "{rule:?}");
    }
}

#[test]
fn a_talker_who_comes_back_from_discontinuous_transmission_is_heard() {
    for rule in BOTH {
        let mut room = Room::of(rule, 2);
        room.hears(1, Sound::Speech);
        room.run(3_000);
        room.hears(1, Sound::Noise(65));
        room.hears(2, Sound::Off);
        room.run(20_000);
        room.hears(2, Sound::Speech);
        assert!(room.wait_for(2, 1_500).is_some(), "{rule:?}");
    }
}

#[test]
fn single_lost_packets_do_not_break_a_turn() {
    let mut room = Room::of(SpeakerRule::Evidence, 2);
    room.hears(1, Sound::Speech);
    room.run(3_000);
    room.microphone(2).lose_every = 5;
    room.hears(1, Sound::Noise(65));
    room.hears(2, Sound::Speech);
    assert!(room.wait_for(2, 1_000).is_some());
}

#[test]
fn late_and_repeated_packets_are_dropped_and_counted() {
    for rule in BOTH {
        let mut room = Room::of(rule, 1);
        let before = room.detector.counters();
        let now = room.now();
        for back in [1, 2, 0] {
            let timestamp = 0x4000_0001_u32.wrapping_add(room.now_ms as u32 * 48 - back * 960);
            let level = AudioLevel::from_octet(10);
            let ptime = Some(Duration::from_millis(20));
            room.detector
                .on_level(now, key(1), level, RtpTimestamp(timestamp), ptime);
        }
        let after = room.detector.counters();
        assert_eq!(
            (after.late - before.late, after.levels - before.levels),
            (3, 0)
        );
    }
}

#[test]
fn levels_of_strangers_are_dropped_and_counted() {
    for rule in BOTH {
        let mut room = Room::of(rule, 1);
        let now = room.now();
        let level = AudioLevel::from_octet(10);
        room.detector
            .on_level(now, key(9), level, RtpTimestamp(0), None);
        assert_eq!(room.detector.counters().unknown, 1);
    }
}

#[test]
fn a_stream_that_begins_anew_goes_on_being_heard() {
    for rule in BOTH {
        // The second offset lies just below the first: those packets look late.
        for offset in [0x9000_0000_u32, 0x4000_0001_u32.wrapping_sub(48_000)] {
            let mut room = Room::of(rule, 2);
            room.microphone(1).ssrc_offset = offset;
            room.hears(1, Sound::Speech);
            assert!(room.wait_for(1, 1_500).is_some(), "{rule:?} {offset:x}");
            assert_eq!(room.detector.counters().restarts, 1);
        }
    }
}

#[test]
fn one_who_joins_in_mid_speech_gets_the_floor_when_it_is_free() {
    for rule in BOTH {
        let mut room = Room::of(rule, 2);
        room.hears(1, Sound::Speech);
        room.run(3_000);
        room.hears(1, Sound::Noise(65));
        room.join(3, Sound::Speech);
        assert!(room.wait_for(3, 3_000).is_some(), "{rule:?}");
    }
}

#[test]
fn a_constant_level_never_wins_however_loud() {
    for rule in BOTH {
        for level in [0, 10, 40] {
            let mut room = Room::of(rule, 2);
            room.join(3, Sound::Constant(level));
            room.run(30_000);
            assert_eq!(room.announced(), [], "{rule:?} at {level}");
            room.hears(1, Sound::Speech);
            assert!(room.wait_for(1, 1_000).is_some());
            room.hears(1, Sound::Noise(65));
            room.run(30_000);
            assert_eq!(room.active(), Some(1));
        }
    }
}

#[test]
fn a_noisy_microphone_never_wins() {
    for rule in BOTH {
        for level in [34, 42] {
            let mut room = Room::of(rule, 2);
            room.join(3, Sound::Noise(level));
            room.run(60_000);
            assert_eq!(room.announced(), [], "{rule:?} at {level}");
        }
    }
}

#[test]
fn a_keyboard_never_wins_and_does_not_hold_the_floor() {
    let mut room = Room::of(SpeakerRule::Evidence, 3);
    room.hears(2, Sound::Keys);
    room.run(60_000);
    assert_eq!(room.announced(), []);
    room.hears(1, Sound::Speech);
    assert!(room.wait_for(1, 1_000).is_some());
    room.hears(1, Sound::Keys);
    room.hears(3, Sound::Speech);
    assert!(room.wait_for(3, 1_000).is_some(), "its holder types");
}

#[test]
fn a_cough_in_a_pause_does_not_move_the_floor() {
    for rule in BOTH {
        let mut room = Room::of(rule, 2);
        room.hears(1, Sound::Speech);
        room.run(3_000);
        room.hears(1, Sound::Noise(65));
        room.run(200);
        room.hears(2, Sound::Speech);
        room.run(200);
        room.hears(2, Sound::Noise(65));
        room.run(5_000);
        assert_eq!(room.active(), Some(1), "{rule:?}");
    }
}

#[test]
fn a_hum_that_begins_does_not_move_the_floor() {
    let mut room = Room::of(SpeakerRule::Evidence, 2);
    room.hears(1, Sound::Speech);
    room.run(3_000);
    room.hears(1, Sound::Noise(65));
    room.run(1_000);
    room.hears(2, Sound::Noise(35));
    room.run(20_000);
    assert_eq!(room.active(), Some(1));
}

#[test]
fn who_goes_on_talking_over_the_holder_takes_the_floor_and_a_word_does_not() {
    let mut room = Room::of(SpeakerRule::Evidence, 2);
    room.hears(1, Sound::Speech);
    room.run(5_000);
    room.hears(2, Sound::Speech);
    room.run(600);
    room.hears(2, Sound::Noise(65));
    room.run(3_000);
    assert_eq!(room.active(), Some(1), "an interjection");
    room.hears(2, Sound::Speech);
    assert!(room.wait_for(2, 3_000).is_some());
}

#[test]
fn two_who_talk_at_once_do_not_pass_the_floor_to_and_fro() {
    let mut room = Room::of(SpeakerRule::Evidence, 2);
    room.hears(1, Sound::Breathless);
    room.run(5_000);
    room.hears(2, Sound::Breathless);
    room.run(60_000);
    assert_eq!(room.announced(), [Some(1), Some(2)]);
}

#[test]
fn a_second_microphone_in_the_talkers_room_does_not_interrupt() {
    let mut room = Room::of(SpeakerRule::Evidence, 2);
    room.hears(1, Sound::Speech);
    room.run(3_000);
    room.hears(2, Sound::Leakage);
    room.run(60_000);
    assert_eq!(room.announced(), [Some(1)]);
}

#[test]
fn the_voice_bit_is_not_believed() {
    // Half of the clients set it always or never.
    let changes = [0x00, 0x80].map(|bit| {
        let mut room = Room::of(SpeakerRule::Evidence, 2);
        room.voice_bit = bit;
        room.hears(1, Sound::Speech);
        room.run(4_000);
        room.hears(1, Sound::Noise(65));
        room.hears(2, Sound::Speech);
        room.run(4_000);
        (room.announced(), room.speaking())
    });
    assert_eq!(changes[0], changes[1]);
    assert_eq!(changes[0].0, [Some(1), Some(2)]);
}

#[test]
fn a_client_that_adds_30_db_neither_takes_nor_keeps_the_floor_by_it() {
    let mut room = Room::of(SpeakerRule::Evidence, 2);
    room.join(3, Sound::Noise(35));
    room.hears(1, Sound::Speech);
    room.run(20_000);
    assert_eq!(room.announced(), [Some(1)]);
    room.hears(1, Sound::Noise(65));
    room.hears(3, Sound::Constant(0));
    room.run(3_000);
    room.hears(3, Sound::Noise(35));
    room.hears(2, Sound::Speech);
    assert!(room.wait_for(2, 1_000).is_some());
}

#[test]
fn comfort_packets_of_a_talker_who_paused_move_nothing() {
    let mut room = Room::of(SpeakerRule::Evidence, 3);
    room.hears(1, Sound::Speech);
    room.run(3_000);
    room.hears(1, Sound::Noise(65));
    for n in 1..=3 {
        room.microphone(n).ptime_ms = 400;
        room.microphone(n).tells_ptime = false;
    }
    room.run(30_000);
    assert_eq!(room.announced(), [Some(1)]);
    room.microphone(2).ptime_ms = 20;
    room.hears(2, Sound::Speech);
    assert!(room.wait_for(2, 1_000).is_some());
}

#[test]
fn ours_is_faster_than_the_reference_from_one_to_the_next() {
    let took = BOTH.map(|rule| {
        let mut room = Room::of(rule, 2);
        room.hears(1, Sound::Speech);
        room.run(5_000);
        room.hears(1, Sound::Noise(65));
        room.hears(2, Sound::Speech);
        room.wait_for(2, 2_000).expect("it talks")
    });
    assert!(took[1] < took[0] && took[1] <= 600, "{took:?}");
}
