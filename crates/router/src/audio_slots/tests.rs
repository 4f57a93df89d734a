use super::*;

const VOICE: u8 = 0x80 | 30;
const QUIET: u8 = 100;

/// Feeds 20 ms packets of some microphones for a while.
struct Talk {
    now: MonoTime,
    slots: AudioSlots,
    loudness: [Loudness; 8],
}

impl Talk {
    fn new(len: u8) -> Self {
        Self {
            now: MonoTime::from_millis(1_000),
            slots: AudioSlots::new(len),
            loudness: [Loudness::default(); 8],
        }
    }

    fn run(&mut self, ms: u64, levels: &[(u32, u8)]) -> usize {
        let mut changes = 0;
        for _ in 0..ms / 20 {
            self.now = self.now.plus(Duration::from_millis(20));
            for (source, level) in levels {
                let loudness = &mut self.loudness[usize::try_from(*source).unwrap()];
                let is_voiced = loudness.on_level(self.now, AudioLevel::from_octet(*level));
                let changed = self.slots.on_packet(self.now, *source, loudness, is_voiced);
                changes += usize::from(changed);
            }
        }
        changes
    }

    fn holders(&self) -> Vec<Option<u32>> {
        (0..self.slots.len())
            .map(|slot| self.slots.holder(slot))
            .collect()
    }
}

#[test]
fn while_there_are_slots_for_all_nobody_moves() {
    let mut talk = Talk::new(3);
    talk.run(20, &[(1, QUIET), (2, QUIET), (3, QUIET)]);
    assert_eq!(talk.holders(), [Some(1), Some(2), Some(3)]);
    let changes = talk.run(5_000, &[(3, VOICE), (1, QUIET), (2, VOICE)]);
    assert_eq!(changes, 0);
}

#[test]
fn the_one_who_has_been_quiet_longest_makes_room() {
    let mut talk = Talk::new(2);
    talk.run(200, &[(1, VOICE), (2, VOICE)]);
    talk.run(400, &[(1, QUIET), (2, VOICE)]);
    talk.run(1_000, &[(1, QUIET), (2, QUIET)]);
    talk.run(20, &[(3, VOICE)]);
    assert_eq!(talk.holders(), [Some(3), Some(2)]);
}

#[test]
fn noise_below_voice_never_takes_a_slot() {
    let mut talk = Talk::new(1);
    talk.run(200, &[(1, VOICE)]);
    assert_eq!(talk.run(10_000, &[(1, QUIET), (2, 60)]), 0);
    assert_eq!(talk.holders(), [Some(1)]);
}

#[test]
fn a_breath_of_a_talker_is_not_an_invitation() {
    let mut talk = Talk::new(1);
    talk.run(500, &[(1, VOICE)]);
    assert_eq!(talk.run(700, &[(1, QUIET), (2, VOICE)]), 0);
    assert_eq!(talk.run(300, &[(1, QUIET), (2, VOICE)]), 1);
}

#[test]
fn a_microphone_that_falls_silent_altogether_frees_its_slot() {
    let mut talk = Talk::new(1);
    talk.run(500, &[(1, VOICE)]);
    assert!(
        !talk
            .slots
            .expire(talk.now.plus(Duration::from_millis(1_900)))
    );
    assert!(
        talk.slots
            .expire(talk.now.plus(Duration::from_millis(2_000)))
    );
    assert_eq!(talk.holders(), [None]);
}

#[test]
fn the_active_speaker_takes_the_quietest_slot_and_is_not_put_out() {
    let mut talk = Talk::new(2);
    talk.run(500, &[(1, 0x80 | 20), (2, 0x80 | 40)]);
    let loudness = talk.loudness[3];
    assert!(talk.slots.set_active(talk.now, Some(3), &loudness));
    assert_eq!(talk.holders(), [Some(1), Some(3)]);
    talk.run(2_000, &[(1, 0x80 | 20), (3, 0x80 | 50), (4, 0x80 | 5)]);
    assert!(talk.holders().contains(&Some(3)));
}

#[test]
fn an_active_speaker_who_lost_its_slot_in_a_pause_is_heard_with_its_next_word() {
    let mut talk = Talk::new(2);
    talk.run(500, &[(1, VOICE), (2, VOICE)]);
    assert!(
        !talk
            .slots
            .set_active(talk.now, Some(1), &talk.loudness[1].clone())
    );
    // It pauses for a second while three others talk; then all of them talk at once.
    talk.run(1_000, &[(1, QUIET), (2, VOICE), (3, VOICE)]);
    assert_eq!(talk.holders(), [Some(3), Some(2)]);
    talk.run(20, &[(1, VOICE), (2, VOICE), (3, VOICE)]);
    assert!(talk.holders().contains(&Some(1)));
}

#[test]
fn fewer_slots_put_the_last_ones_out() {
    let mut talk = Talk::new(3);
    talk.run(100, &[(1, VOICE), (2, VOICE), (3, VOICE)]);
    talk.slots.set_len(1);
    assert_eq!(talk.holders(), [Some(1)]);
    talk.slots.set_len(0);
    assert_eq!(talk.slots.len(), 1);
    talk.slots.set_len(9);
    assert_eq!(talk.slots.len(), SLOTS_MAX);
}
