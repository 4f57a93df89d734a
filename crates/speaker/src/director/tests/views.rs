//! Spotlights, shares and what each viewer sees. `product.md` §3.1.

use super::*;

#[test]
fn nobody_sees_its_own_picture_but_the_programme_before_it() {
    let mut stage = Stage::of(4);
    stage.cameras(1..=4);
    stage.speaks(3);
    stage.pass(5_000);
    stage.speaks(4);
    assert_eq!((stage.view(4), stage.view(3)), (Some(3), Some(4)));
    stage.camera(3, false);
    assert_eq!(stage.view(4), Some(HOST));
}

#[test]
fn a_first_owner_sees_the_host_else_the_first_other_with_video() {
    let mut stage = Stage::of(4);
    stage.cameras([4, 3, 1]);
    assert_eq!((stage.shown(), stage.view(4)), (Some(4), Some(HOST)));
    stage.camera(HOST, false);
    assert_eq!(stage.view(4), Some(3));
    stage.camera(3, false);
    assert_eq!(stage.view(4), None);
}

#[test]
fn two_on_a_stage_always_see_each_other() {
    let mut stage = Stage::of(2);
    stage.cameras([1, 2]);
    for speaker in [1, 2, 1, 2] {
        stage.speaks(speaker);
        assert_eq!((stage.view(1), stage.view(2)), (Some(2), Some(1)));
        stage.pass(3_000);
        assert_eq!((stage.view(1), stage.view(2)), (Some(2), Some(1)));
    }
}

#[test]
fn a_screen_share_takes_the_main_slot_and_the_speaker_moves_to_the_second() {
    let mut stage = Stage::of(4);
    stage.cameras(1..=4);
    stage.speaks(3);
    stage.screen(2, true);
    assert_eq!(stage.main(), Some((2, SourceKind::Screen)));
    assert_eq!(stage.second(), Some((3, SourceKind::Camera)));
    assert_eq!(stage.reason(), ProgrammeReason::ShareStarted);
    stage.pass(5_000);
    stage.speaks(4);
    assert_eq!(stage.second(), Some((4, SourceKind::Camera)));
    assert_eq!(stage.main(), Some((2, SourceKind::Screen)));
    let second = stage.director.second_for(key(4));
    assert_eq!(second, Some((key(3), SourceKind::Camera)));
    assert_eq!(stage.view(2), Some(4), "the sharer sees who speaks");
}

#[test]
fn a_share_that_ends_gives_the_slot_to_the_speaker_of_that_moment_whatever_the_dwell() {
    let mut stage = Stage::of(4);
    stage.cameras(1..=4);
    stage.screen(2, true);
    stage.pass(5_000);
    stage.speaks(3);
    stage.pass(100);
    stage.speaks(4);
    assert_eq!(
        stage.second(),
        Some((3, SourceKind::Camera)),
        "held by the dwell"
    );
    stage.screen(2, false);
    assert_eq!((stage.shown(), stage.second()), (Some(4), None));
    assert_eq!(stage.reason(), ProgrammeReason::ShareEnded);
}

#[test]
fn a_hosts_share_comes_before_anothers_and_the_older_before_the_newer() {
    let mut stage = Stage::of(4);
    stage.screen(3, true);
    stage.pass(100);
    stage.screen(4, true);
    assert_eq!(stage.main(), Some((3, SourceKind::Screen)));
    stage.screen(HOST, true);
    assert_eq!(stage.main(), Some((HOST, SourceKind::Screen)));
    stage.screen(HOST, false);
    stage.unseat(3);
    assert_eq!(stage.main(), Some((4, SourceKind::Screen)));
}

#[test]
fn a_spotlight_stays_over_a_share_if_so_set() {
    let mut stage = Stage::with(4, settings(|s| s.spotlight_over_share = true));
    stage.cameras(1..=4);
    stage.screen(2, true);
    assert_eq!(stage.main(), Some((2, SourceKind::Screen)));
    stage.spotlight(&[4]);
    assert_eq!(stage.main(), Some((4, SourceKind::Camera)));
    assert_eq!(stage.second(), Some((2, SourceKind::Screen)));
}

#[test]
fn the_host_only_policy_shows_the_host_and_nobody_else() {
    let mut stage = Stage::with(3, settings(|s| s.switch_policy = SwitchPolicy::HostOnly));
    stage.cameras([2, 3]);
    stage.speaks(3);
    assert_eq!(stage.main(), None);
    stage.camera(HOST, true);
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(HOST), ProgrammeReason::Policy)
    );
    stage.speaks(2);
    stage.pass(60_000);
    assert_eq!(stage.shown(), Some(HOST));
    stage.camera(HOST, false);
    assert_eq!(
        (stage.main(), stage.reason()),
        (None, ProgrammeReason::NoPicture)
    );
}

#[test]
fn the_manual_policy_shows_spotlights_only() {
    let mut stage = Stage::with(3, settings(|s| s.switch_policy = SwitchPolicy::Manual));
    stage.cameras(1..=3);
    stage.speaks(3);
    assert_eq!(stage.main(), None);
    stage.spotlight(&[2]);
    assert_eq!(stage.shown(), Some(2));
    stage.spotlight(&[]);
    assert_eq!(stage.main(), None);
}

#[test]
fn the_none_policy_leaves_the_main_slot_empty() {
    let mut stage = Stage::with(3, settings(|s| s.switch_policy = SwitchPolicy::None));
    stage.cameras(1..=3);
    stage.speaks(3);
    stage.spotlight(&[2]);
    stage.screen(2, true);
    stage.pass(60_000);
    assert_eq!(
        (stage.main(), stage.second(), stage.cuts.len()),
        (None, None, 0)
    );
}

#[test]
fn a_change_of_policy_is_in_force_at_once() {
    let mut stage = Stage::of(3);
    stage.cameras(1..=3);
    stage.speaks(3);
    let host_only = settings(|s| s.switch_policy = SwitchPolicy::HostOnly);
    stage.director.set_settings(stage.now, host_only);
    stage.drain();
    assert_eq!(
        (stage.shown(), stage.reason()),
        (Some(HOST), ProgrammeReason::Policy)
    );
}

#[test]
fn a_full_stage_refuses_and_changes_nothing() {
    let mut director = Director::new(2, DirectorSettings::default());
    let seat = |order| {
        Some(StageSeat {
            rank: StageRank::Speaker,
            order,
        })
    };
    assert!(director.on_seat(MonoTime::ZERO, key(1), seat(1)));
    assert!(director.on_seat(MonoTime::ZERO, key(2), seat(2)));
    assert!(!director.on_seat(MonoTime::ZERO, key(3), seat(3)));
    assert!(
        director.on_seat(MonoTime::ZERO, key(2), seat(9)),
        "a change is no addition"
    );
}

#[test]
fn a_decision_that_was_overtaken_is_never_told() {
    let mut director = Director::new(4, DirectorSettings::default());
    let seat = StageSeat {
        rank: StageRank::Speaker,
        order: 1,
    };
    director.on_seat(MonoTime::ZERO, key(1), Some(seat));
    director.on_video(MonoTime::ZERO, key(1), SourceKind::Camera, true);
    director.on_video(MonoTime::ZERO, key(1), SourceKind::Camera, false);
    assert_eq!(director.poll(), None);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Input {
        Speaks(Option<u32>),
        Video(u32, bool, bool),
        Packet(u32),
        Seat(u32, Option<u64>),
        Spotlight(Vec<u32>),
        Settings(u8, u8, u64),
        Pass(u64),
    }

    fn input() -> impl Strategy<Value = Input> {
        let who = || 1_u32..7;
        prop_oneof![
            proptest::option::of(who()).prop_map(Input::Speaks),
            (who(), any::<bool>(), any::<bool>()).prop_map(|(n, s, l)| Input::Video(n, s, l)),
            who().prop_map(Input::Packet),
            (who(), proptest::option::of(0_u64..4)).prop_map(|(n, s)| Input::Seat(n, s)),
            proptest::collection::vec(who(), 0..12).prop_map(Input::Spotlight),
            (0_u8..4, 0_u8..12, 0_u64..9_000).prop_map(|(a, b, c)| Input::Settings(a, b, c)),
            (0_u64..8_000).prop_map(Input::Pass),
        ]
    }

    fn apply(director: &mut Director, now: &mut MonoTime, input: &Input) {
        match input {
            Input::Speaks(who) => director.on_active_speaker(*now, who.map(key)),
            Input::Video(n, is_screen, is_live) => {
                let source = if *is_screen {
                    SourceKind::Screen
                } else {
                    SourceKind::Camera
                };
                director.on_video(*now, key(*n), source, *is_live);
            }
            Input::Packet(n) => director.on_picture(*now, key(*n), SourceKind::Camera),
            Input::Seat(n, order) => {
                let rank = match n {
                    1 => StageRank::Host,
                    2 => StageRank::Cohost,
                    _ => StageRank::Speaker,
                };
                let seat = order.map(|order| StageSeat { rank, order });
                director.on_seat(*now, key(*n), seat);
            }
            Input::Spotlight(list) => {
                let keys: Vec<_> = list.iter().copied().map(key).collect();
                let refused = director.set_spotlight(*now, &keys).is_err();
                assert_eq!(refused, keys.len() > SPOTLIGHTS_MAX);
            }
            Input::Settings(policy, flags, dwell) => {
                let switch_policy = match policy {
                    0 => SwitchPolicy::Speaker,
                    1 => SwitchPolicy::HostOnly,
                    2 => SwitchPolicy::Manual,
                    _ => SwitchPolicy::None,
                };
                let no_video_policy = match flags % 3 {
                    0 => NoVideoPolicy::Keep,
                    1 => NoVideoPolicy::Host,
                    _ => NoVideoPolicy::Avatar,
                };
                director.set_settings(
                    *now,
                    DirectorSettings {
                        switch_policy,
                        no_video_policy,
                        min_dwell: Duration::from_millis(*dwell),
                        spotlight_over_share: flags & 4 != 0,
                        force_programme: flags & 8 != 0,
                    },
                );
            }
            Input::Pass(ms) => {
                let until = now.plus(Duration::from_millis(*ms));
                while let Some(due) = director.next_deadline().filter(|due| *due <= until) {
                    *now = (*now).max(due);
                    director.on_timeout(*now);
                    assert_ne!(director.next_deadline(), Some(due), "no busy loop");
                }
                *now = until;
            }
        }
    }

    proptest! {
        #[test]
        fn owners_sit_on_the_stage_viewers_never_see_themselves_and_runs_replay(
            inputs in proptest::collection::vec(input(), 0..80),
        ) {
            let mut first = Director::new(5, DirectorSettings::default());
            let mut again = first.clone();
            let (mut now, mut then) = (MonoTime::ZERO, MonoTime::ZERO);
            for input in &inputs {
                apply(&mut first, &mut now, input);
                apply(&mut again, &mut then, input);
                for (owner, _) in first.programme().into_iter().chain(first.second()) {
                    prop_assert!(first.member(owner).is_some());
                }
                for viewer in 1..7 {
                    for pin in [None, Some(key(3))] {
                        let view = first.main_for(key(viewer), pin);
                        prop_assert!(view.is_none_or(|(owner, _)| owner != key(viewer)));
                    }
                }
                prop_assert_eq!(first.poll(), again.poll());
                prop_assert!(first.members.len() <= 5);
            }
        }
    }
}
