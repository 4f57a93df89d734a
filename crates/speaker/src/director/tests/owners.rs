//! Whose picture is on when cameras come, stall and go, and by policy. `product.md` §3.1.

use super::*;

#[test]
fn without_any_camera_there_is_no_programme_and_the_first_camera_is_on_at_once() {
    let mut stage = Stage::of(3);
    stage.speaks(3);
    stage.pass(60_000);
    assert_eq!((stage.main(), stage.cuts.len()), (None, 0));
    stage.camera(2, true);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(2), ProgrammeReason::First)
    );
    stage.camera(2, false);
    assert_eq!(
        (stage.main(), stage.reason()),
        (None, ProgrammeReason::NoPicture)
    );
}

#[test]
fn an_owner_who_leaves_is_followed_by_the_active_speaker_at_once() {
    let mut stage = Stage::of(4);
    stage.cameras(1..=4);
    stage.speaks(4);
    stage.pass(100);
    stage.speaks(3);
    assert_eq!(stage.shown(), Some(4), "held by the dwell");
    stage.unseat(4);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(3), ProgrammeReason::OwnerGone)
    );
}

#[test]
fn an_owner_whose_camera_goes_off_is_followed_by_the_most_recent_speaker_with_video() {
    let mut stage = Stage::of(6);
    stage.cameras([1, 2, 4, 5, 6]);
    for speaker in [5, 4, 3, 6] {
        stage.speaks(speaker);
        stage.pass(5_000);
    }
    assert_eq!(stage.shown(), Some(6));
    stage.camera(6, false);
    assert_eq!(stage.shown(), Some(4), "3 has no camera");
    assert_eq!(stage.cuts.last().expect("a cut").at, stage.now);
}

#[test]
fn only_the_last_five_speakers_come_before_the_host() {
    let mut stage = Stage::of(9);
    stage.cameras([1, 3, 9]);
    for speaker in [3, 4, 5, 6, 7, 8, 9] {
        stage.speaks(speaker);
        stage.pass(5_000);
    }
    stage.camera(9, false);
    assert_eq!(stage.shown(), Some(HOST));
}

#[test]
fn without_recent_speakers_the_host_the_cohosts_and_the_longest_on_stage_follow_in_order() {
    let mut stage = Stage::of(5);
    stage.cameras([5, 4, 3, 2, 1]);
    assert_eq!(stage.shown(), Some(5));
    for (gone, next) in [
        (5, Some(HOST)),
        (HOST, Some(COHOST)),
        (COHOST, Some(3)),
        (3, Some(4)),
        (4, None),
    ] {
        stage.camera(gone, false);
        assert_eq!(stage.shown(), next);
    }
}

#[test]
fn a_demoted_owner_leaves_the_picture_at_once_and_for_good() {
    let mut stage = Stage::of(3);
    stage.cameras(1..=3);
    stage.speaks(3);
    stage.unseat(3);
    assert_eq!(stage.shown(), Some(HOST));
    stage.director.on_active_speaker(stage.now, Some(key(3)));
    stage.camera(3, true);
    stage.pass(60_000);
    assert_eq!(stage.shown(), Some(HOST));
    assert!(stage.director.recent().is_empty());
}

#[test]
fn a_camera_without_packets_for_1_s_is_off_and_returns_with_its_packets() {
    let mut stage = Stage::of(3);
    stage.cameras(1..=3);
    stage.speaks(3);
    stage.packet(3);
    stage.pass(999);
    assert_eq!(stage.shown(), Some(3));
    stage.pass(1);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(HOST), ProgrammeReason::OwnerGone)
    );
    stage.packet(3);
    assert_eq!(stage.shown(), Some(HOST), "held by the dwell");
    for _ in 0..20 {
        stage.pass(100);
        stage.packet(3);
    }
    assert_eq!(stage.shown(), Some(3), "it still has the floor");
}

#[test]
fn a_stalled_owner_loses_only_to_a_live_picture_and_to_none_when_it_is_really_off() {
    let policies = [
        DirectorSettings::default(),
        settings(|s| s.switch_policy = SwitchPolicy::HostOnly),
        settings(|s| s.no_video_policy = NoVideoPolicy::Avatar),
    ];
    for settings in policies {
        let mut stage = Stage::with(2, settings);
        stage.cameras([HOST, 2]);
        stage.speaks(HOST);
        stage.packet(HOST);
        stage.packet(2);
        let cuts = stage.cuts.len();
        // Every encoder is starved: a packet now and then, none for more than a second.
        for _ in 0..3 {
            stage.pass(1_400);
            assert_eq!(stage.shown(), Some(HOST), "{settings:?}");
            stage.packet(HOST);
        }
        assert_eq!(stage.cuts.len(), cuts, "{settings:?}");
        stage.pass(1_400);
        stage.camera(HOST, false);
        assert_eq!(stage.shown(), None, "{settings:?}");
    }
}

#[test]
fn a_screen_without_packets_is_not_stalled() {
    let mut stage = Stage::of(2);
    stage.cameras([1, 2]);
    stage.screen(2, true);
    stage
        .director
        .on_picture(stage.now, key(2), SourceKind::Screen);
    stage.pass(3_600_000);
    assert_eq!(stage.main(), Some((2, SourceKind::Screen)));
}

#[test]
fn a_source_the_server_paused_does_not_stall() {
    let mut stage = Stage::of(2);
    stage.cameras([1, 2]);
    stage.packet(2);
    stage.camera(2, true);
    stage.pass(60_000);
    stage.speaks(2);
    assert_eq!(stage.shown(), Some(2));
}

#[test]
fn one_spotlight_holds_the_programme_whoever_speaks() {
    let mut stage = Stage::of(4);
    stage.cameras(1..=4);
    stage.speaks(2);
    stage.spotlight(&[4]);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(4), ProgrammeReason::Spotlight)
    );
    stage.speaks(3);
    stage.pass(60_000);
    assert_eq!(stage.shown(), Some(4));
    stage.spotlight(&[]);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(3), ProgrammeReason::Spotlight)
    );
}

#[test]
fn several_spotlights_show_the_first_until_one_of_them_speaks() {
    let mut stage = Stage::of(5);
    stage.cameras(1..=5);
    stage.spotlight(&[4, 3]);
    assert_eq!(stage.shown(), Some(4));
    stage.pass(5_000);
    stage.speaks(3);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(3), ProgrammeReason::Speaker)
    );
    stage.pass(5_000);
    stage.speaks(5);
    stage.pass(5_000);
    assert_eq!(stage.shown(), Some(3), "5 is not in the spotlight");
    stage.speaks(4);
    assert_eq!(stage.shown(), Some(4));
    stage.camera(4, false);
    assert_eq!(stage.shown(), Some(3), "another of them is there");
}

#[test]
fn the_dwell_holds_among_spotlights() {
    let mut stage = Stage::of(5);
    stage.cameras(1..=5);
    stage.spotlight(&[4, 3]);
    stage.speaks(3);
    assert_eq!(stage.shown(), Some(4));
    stage.pass(2_000);
    assert_eq!(stage.shown(), Some(3));
}

#[test]
fn at_most_nine_spotlights_are_taken_and_more_change_nothing() {
    let mut stage = Stage::of(12);
    stage.cameras(1..=12);
    stage.spotlight(&[4]);
    let many: Vec<_> = (1..=10).map(key).collect();
    assert_eq!(
        stage.director.set_spotlight(stage.now, &many),
        Err(SpotlightRefused)
    );
    assert_eq!(stage.director.spotlights(), [key(4)]);
    let most: Vec<_> = (1..=9).map(key).collect();
    assert_eq!(stage.director.set_spotlight(stage.now, &most), Ok(()));
}

#[test]
fn a_spotlight_without_video_for_more_than_10_s_falls_through_and_returns() {
    let mut stage = Stage::of(4);
    stage.cameras(1..=4);
    stage.speaks(3);
    stage.spotlight(&[4]);
    stage.camera(4, false);
    stage.pass(10_000);
    assert_eq!(stage.shown(), Some(4));
    stage.pass(1);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(3), ProgrammeReason::OwnerGone)
    );
    stage.pass(100);
    stage.camera(4, true);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(4), ProgrammeReason::Spotlight)
    );
}

#[test]
fn a_spotlight_that_leaves_the_stage_is_cleared() {
    let mut stage = Stage::of(4);
    stage.cameras(1..=4);
    stage.speaks(3);
    stage.spotlight(&[4]);
    stage.unseat(4);
    assert_eq!(stage.shown(), Some(3));
    assert!(stage.director.spotlights().is_empty());
    stage.seat(4);
    stage.camera(4, true);
    stage.pass(5_000);
    assert_eq!(stage.shown(), Some(3));
}

#[test]
fn a_pin_changes_one_view_and_comes_before_share_and_spotlight() {
    let mut stage = Stage::of(5);
    stage.cameras(1..=5);
    stage.spotlight(&[4]);
    stage.screen(2, true);
    assert_eq!(stage.view_pinned(5, 3), Some(3));
    assert_eq!(stage.view(5), Some(2));
    assert_eq!(stage.main(), Some((2, SourceKind::Screen)));
    assert_eq!(
        stage.view_pinned(5, 9),
        Some(2),
        "a pin to nobody is no pin"
    );
    assert_eq!(stage.view_pinned(3, 3), Some(2), "nor is one to oneself");
}

#[test]
fn a_pin_yields_to_a_spotlight_where_the_programme_is_forced() {
    let mut stage = Stage::with(5, settings(|s| s.force_programme = true));
    stage.cameras(1..=5);
    assert_eq!(stage.view_pinned(5, 3), Some(3));
    stage.spotlight(&[4]);
    assert_eq!(stage.view_pinned(5, 3), Some(4));
}
