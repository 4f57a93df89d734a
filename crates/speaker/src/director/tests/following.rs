//! The picture follows who speaks: dwell, silence, no camera. `product.md` §3.1.

use super::*;

#[test]
fn the_first_picture_is_the_hosts_when_its_camera_is_on() {
    let mut stage = Stage::with(4, settings(|s| s.switch_policy = SwitchPolicy::None));
    stage.cameras([4, 3, 1]);
    assert_eq!(stage.main(), None);
    stage
        .director
        .set_settings(stage.now, DirectorSettings::default());
    stage.drain();
    assert_eq!(stage.shown(), Some(HOST));
}

#[test]
fn the_first_picture_is_the_first_camera_when_the_host_has_none_and_stays_until_somebody_speaks() {
    let mut stage = Stage::of(4);
    stage.camera(4, true);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(4), ProgrammeReason::First)
    );
    stage.pass(500);
    stage.camera(HOST, true);
    stage.pass(60_000);
    assert_eq!(stage.shown(), Some(4));
    stage.camera(3, true);
    stage.speaks(3);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(3), ProgrammeReason::Speaker)
    );
}

#[test]
fn the_first_real_speaker_need_not_wait_for_a_dwell_after_the_first_picture() {
    let mut stage = Stage::of(3);
    stage.cameras([1, 3]);
    stage.pass(100);
    stage.speaks(3);
    assert_eq!(stage.shown(), Some(3));
}

#[test]
fn the_picture_follows_the_speaker() {
    let mut stage = Stage::of(3);
    stage.cameras([1, 2, 3]);
    for speaker in [3, 2, 1] {
        stage.pass(10_000);
        stage.speaks(speaker);
        assert_eq!(
            (stage.shown(), stage.reason()),
            (Some(speaker), ProgrammeReason::Speaker)
        );
        assert_eq!(stage.cuts.last().expect("a cut").at, stage.now);
    }
}

#[test]
fn a_dwell_that_blocks_is_reconsidered_at_its_end_for_the_speaker_of_that_moment() {
    let mut stage = Stage::of(5);
    stage.cameras(1..=5);
    stage.speaks(2);
    stage.pass(500);
    stage.speaks(3);
    stage.pass(500);
    stage.speaks(4);
    assert_eq!(stage.shown(), Some(2));
    stage.pass(999);
    assert_eq!(stage.shown(), Some(2));
    stage.pass(1);
    assert_eq!(stage.shown(), Some(4));
    assert!(
        stage
            .cuts
            .iter()
            .all(|cut| cut.programme != Some((key(3), SourceKind::Camera)))
    );
}

#[test]
fn a_dwell_that_ends_with_the_old_speaker_back_makes_no_cut() {
    let mut stage = Stage::of(3);
    stage.cameras(1..=3);
    stage.speaks(2);
    let cuts = stage.cuts.len();
    stage.pass(500);
    stage.speaks(3);
    stage.pass(500);
    stage.speaks(2);
    stage.pass(10_000);
    assert_eq!((stage.shown(), stage.cuts.len()), (Some(2), cuts));
}

#[test]
fn the_dwell_is_kept_within_1_to_5_s() {
    for (asked, kept_ms) in [(0, 1_000), (60_000, 5_000)] {
        let asked = Duration::from_millis(asked);
        let mut stage = Stage::with(3, settings(|s| s.min_dwell = asked));
        stage.cameras(1..=3);
        stage.speaks(2);
        stage.speaks(3);
        stage.pass(kept_ms - 1);
        assert_eq!(stage.shown(), Some(2));
        stage.pass(1);
        assert_eq!(stage.shown(), Some(3));
    }
}

#[test]
fn ping_pong_within_6_s_doubles_the_dwell_up_to_4_s() {
    let mut stage = Stage::of(3);
    stage.cameras(1..=3);
    stage.speaks(2);
    stage.pass(3_000);
    stage.speaks(3);
    stage.pass(2_500);
    stage.speaks(2);
    assert_eq!(stage.shown(), Some(2));
    stage.pass(100);
    stage.speaks(3);
    stage.pass(3_899);
    assert_eq!(stage.shown(), Some(2), "the dwell is 4 s now");
    stage.pass(1);
    assert_eq!(stage.shown(), Some(3));
    stage.pass(100);
    stage.speaks(2);
    stage.pass(3_900);
    assert_eq!(stage.shown(), Some(2), "and no more than 4 s");
    stage.pass(100);
    stage.speaks(1);
    stage.pass(3_900);
    assert_eq!(stage.shown(), Some(1));
    stage.speaks(3);
    stage.pass(2_000);
    assert_eq!(stage.shown(), Some(3), "somebody else ends the guard");
}

#[test]
fn slow_alternation_is_not_ping_pong() {
    let mut stage = Stage::of(3);
    stage.cameras(1..=3);
    for speaker in [2, 3, 2, 3, 2] {
        stage.pass(7_000);
        stage.speaks(speaker);
        assert_eq!(stage.shown(), Some(speaker));
    }
    stage.speaks(3);
    stage.pass(2_000);
    assert_eq!(stage.shown(), Some(3));
}

#[test]
fn silence_keeps_the_picture_for_ever() {
    let mut stage = Stage::of(3);
    stage.cameras(1..=3);
    stage.speaks(3);
    let cuts = stage.cuts.len();
    stage.director.on_active_speaker(stage.now, None);
    stage.pass(30 * 24 * 3_600_000);
    assert_eq!((stage.shown(), stage.cuts.len()), (Some(3), cuts));
    assert_eq!(stage.director.next_deadline(), None);
}

#[test]
fn a_puddle_is_watched_for_24_hours_without_a_cut_or_a_timeout() {
    let mut stage = Stage::of(1);
    stage.camera(HOST, true);
    assert_eq!((stage.shown(), stage.cuts.len()), (Some(HOST), 1));
    let end = stage.now.plus(Duration::from_secs(24 * 3_600));
    while stage.now < end {
        stage.packet(HOST);
        stage.pass(100);
    }
    assert_eq!((stage.shown(), stage.cuts.len()), (Some(HOST), 1));
}

#[test]
fn a_speaker_without_camera_keeps_the_last_picture_by_default() {
    let mut stage = Stage::of(3);
    stage.cameras([1, 2]);
    stage.speaks(2);
    stage.pass(5_000);
    stage.speaks(3);
    stage.pass(3_600_000);
    assert_eq!(stage.shown(), Some(2));
    stage.camera(3, true);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(3), ProgrammeReason::Speaker)
    );
}

#[test]
fn a_speaker_without_camera_brings_the_host_after_3_s_if_so_set() {
    let mut stage = Stage::with(3, settings(|s| s.no_video_policy = NoVideoPolicy::Host));
    stage.cameras([1, 2]);
    stage.speaks(2);
    stage.pass(5_000);
    stage.speaks(3);
    stage.pass(2_999);
    assert_eq!(stage.shown(), Some(2));
    stage.pass(1);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(HOST), ProgrammeReason::Policy)
    );
    stage.pass(60_000);
    assert_eq!(stage.shown(), Some(HOST));
}

#[test]
fn a_speaker_without_camera_for_less_than_3_s_does_not_bring_the_host() {
    let mut stage = Stage::with(3, settings(|s| s.no_video_policy = NoVideoPolicy::Host));
    stage.cameras([1, 2]);
    stage.speaks(2);
    stage.pass(5_000);
    stage.speaks(3);
    stage.pass(2_000);
    stage.speaks(2);
    stage.pass(60_000);
    assert_eq!(stage.shown(), Some(2));
}

#[test]
fn a_speaker_without_camera_empties_the_slot_for_its_avatar_if_so_set() {
    let mut stage = Stage::with(3, settings(|s| s.no_video_policy = NoVideoPolicy::Avatar));
    stage.cameras([1, 2]);
    stage.speaks(2);
    stage.pass(5_000);
    stage.speaks(3);
    assert_eq!(
        (stage.main(), stage.reason()),
        (None, ProgrammeReason::Speaker)
    );
    stage.pass(5_000);
    stage.speaks(2);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(2), ProgrammeReason::Speaker)
    );
}
