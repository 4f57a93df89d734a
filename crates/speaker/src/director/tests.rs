//! The rows of `product.md` §3.1, each by name, in virtual time.

use std::num::NonZeroU32;

use super::*;

struct Stage {
    director: Director,
    now: MonoTime,
    cuts: Vec<Decision>,
}

fn key(n: u32) -> ParticipantKey {
    ParticipantKey(NonZeroU32::new(n).expect("tests count from 1"))
}

const HOST: u32 = 1;
const COHOST: u32 = 2;

impl Stage {
    /// A stage of `seats`: 1 is the host, 2 a co-host, the rest speakers; nobody has a camera.
    fn of(seats: u32) -> Self {
        Self::with(seats, DirectorSettings::default())
    }

    fn with(seats: u32, settings: DirectorSettings) -> Self {
        let mut stage = Self {
            director: Director::new(STAGE_MAX, settings),
            now: MonoTime::from_millis(1_000),
            cuts: Vec::new(),
        };
        for n in 1..=seats {
            stage.seat(n);
        }
        stage
    }

    fn seat(&mut self, n: u32) {
        let rank = match n {
            HOST => StageRank::Host,
            COHOST => StageRank::Cohost,
            _ => StageRank::Speaker,
        };
        let seat = StageSeat {
            rank,
            order: u64::from(n),
        };
        assert!(self.director.on_seat(self.now, key(n), Some(seat)));
        self.drain();
    }

    fn unseat(&mut self, n: u32) {
        assert!(self.director.on_seat(self.now, key(n), None));
        self.drain();
    }

    fn camera(&mut self, n: u32, is_live: bool) {
        self.director
            .on_video(self.now, key(n), SourceKind::Camera, is_live);
        self.drain();
    }

    fn cameras(&mut self, seats: impl IntoIterator<Item = u32>) {
        for n in seats {
            self.camera(n, true);
        }
    }

    fn screen(&mut self, n: u32, is_live: bool) {
        self.director
            .on_video(self.now, key(n), SourceKind::Screen, is_live);
        self.drain();
    }

    fn packet(&mut self, n: u32) {
        self.director
            .on_picture(self.now, key(n), SourceKind::Camera);
        self.drain();
    }

    fn speaks(&mut self, n: u32) {
        self.director.on_active_speaker(self.now, Some(key(n)));
        self.drain();
    }

    fn spotlight(&mut self, seats: &[u32]) {
        let keys: Vec<_> = seats.iter().copied().map(key).collect();
        self.director
            .set_spotlight(self.now, &keys)
            .expect("few enough");
        self.drain();
    }

    /// Lets time pass, doing what is due when it is due.
    fn pass(&mut self, ms: u64) {
        let until = self.now.plus(Duration::from_millis(ms));
        while let Some(due) = self.director.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.director.on_timeout(self.now);
            self.drain();
            let next = self.director.next_deadline();
            assert_ne!(next, Some(due), "a deadline that was served is gone");
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(decision) = self.director.poll() {
            self.cuts.push(decision);
        }
    }

    /// Whose camera is on the main slot.
    fn shown(&self) -> Option<u32> {
        match self.director.programme() {
            Some((owner, SourceKind::Camera)) => Some(owner.0.get()),
            _ => None,
        }
    }

    fn main(&self) -> Option<(u32, SourceKind)> {
        self.director.programme().map(|(o, s)| (o.0.get(), s))
    }

    fn second(&self) -> Option<(u32, SourceKind)> {
        self.director.second().map(|(o, s)| (o.0.get(), s))
    }

    fn reason(&self) -> ProgrammeReason {
        self.cuts.last().expect("a decision was made").reason
    }

    fn view(&self, viewer: u32) -> Option<u32> {
        let picture = self.director.main_for(key(viewer), None);
        picture.map(|(owner, _)| owner.0.get())
    }

    fn view_pinned(&self, viewer: u32, pin: u32) -> Option<u32> {
        let picture = self.director.main_for(key(viewer), Some(key(pin)));
        picture.map(|(owner, _)| owner.0.get())
    }
}

fn settings(change: impl FnOnce(&mut DirectorSettings)) -> DirectorSettings {
    let mut settings = DirectorSettings::default();
    change(&mut settings);
    settings
}

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
