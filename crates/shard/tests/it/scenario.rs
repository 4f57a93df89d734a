//! Whole rooms in virtual time over bad networks, with clients that are not ours. One seed gives
//! one run of the links; `ESTRADE_SIM_SEED` replays it.

use std::time::Duration;

use estrade_sim::{LinkConfig, Loss, VideoSource, seed};
use estrade_types::{
    Bitrate, DataSize, DropReason, MediaKind, Permits, ShardCommand, SlotId, StageRank, StageSeat,
};

use crate::bench::{ROOM, key};
use crate::stage::{Guest, Stage, sources_in_order, streams_of};

pub const MIC: SlotId = SlotId::Audio(0);

pub fn rough() -> LinkConfig {
    LinkConfig::rough(Duration::from_millis(20), 0.05)
}

/// One speaker, two listeners, everything published over perfect links for a second.
pub fn room(seed: u64) -> (Stage, Guest, [Guest; 2]) {
    let mut stage = Stage::new(seed);
    let speaker = stage.speaker(1);
    let listeners = [stage.listener(2), stage.listener(3)];
    stage.publish(&speaker, Some(20));
    stage.world.run_for(Duration::from_secs(1));
    (stage, speaker, listeners)
}

/// The share of a source's frames from `first` to `last` that a guest has whole on a slot.
fn share_whole(guest: &Guest, slot: SlotId, source: u8, frames: std::ops::Range<u32>) -> f64 {
    let endpoint = guest.endpoint.borrow();
    let record = endpoint.ledger().stream(guest.slot(slot)).unwrap();
    let whole = record.whole_frames(source);
    let had = frames.clone().filter(|frame| whole.contains(frame)).count();
    had as f64 / frames.len() as f64
}

#[test]
fn over_perfect_links_every_packet_arrives_in_order() {
    let (mut stage, speaker, listeners) = room(seed(1));
    stage.world.run_for(Duration::from_secs(4));
    for listener in &listeners {
        let audio = stage.check(listener, MIC);
        let video = stage.check(listener, SlotId::Main);
        assert!(audio.arrived > 230, "{audio:?}");
        assert!(video.arrived > 200, "{video:?}");
        assert_eq!((audio.missing, video.missing, video.repaired), (0, 0, 0));
        assert!(listener.endpoint.borrow().errors().is_empty());
    }
    assert!(speaker.endpoint.borrow().errors().is_empty());
    assert_eq!(
        streams_of(&speaker, MediaKind::Audio),
        0,
        "nobody hears itself"
    );
    let counters = stage.engine.borrow().engine.counters();
    assert_eq!(counters.drops.get(DropReason::AuthFailed), 0);
    assert_eq!(counters.drops.get(DropReason::IndexReused), 0);
}

#[test]
fn under_loss_audio_goes_on_and_video_is_repaired() {
    let (mut stage, speaker, listeners) = room(seed(2));
    for guest in listeners.iter().chain([&speaker]) {
        stage.set_path(guest, rough());
    }
    stage.world.run_for(Duration::from_secs(20));
    for listener in &listeners {
        let audio = stage.check(listener, MIC);
        let video = stage.check(listener, SlotId::Main);
        // 50 packets a second; two links lose 5 % each.
        assert!(audio.arrived > 21 * 50 * 85 / 100, "{audio:?}");
        // Frames 50 to 480 were sent and repaired within the run.
        let whole = share_whole(listener, SlotId::Main, 1, 50..480);
        assert!(whole > 0.99, "{whole} of the frames are whole; {video:?}");
        assert!(video.repaired > 20, "{video:?}");
        assert!(video.missing <= 3, "{video:?}");
    }
    let counters = stage.engine.borrow().engine.counters();
    assert!(counters.rx_rtx_packets > 20, "{counters:?}");
    assert!(counters.tx_rtx_packets > 40, "{counters:?}");
    assert!(speaker.endpoint.borrow().nacked() > 20);
}

#[test]
fn bursts_of_loss_are_survived() {
    let (mut stage, speaker, listeners) = room(seed(3));
    let bursty = LinkConfig {
        loss: Loss::Bursts {
            enter: 0.004,
            leave: 0.05,
        },
        jitter: Duration::from_millis(10),
        ..LinkConfig::default()
    };
    for guest in listeners.iter().chain([&speaker]) {
        stage.set_path(guest, bursty);
    }
    stage.world.run_for(Duration::from_secs(20));
    for listener in &listeners {
        stage.check(listener, MIC);
        let video = stage.check(listener, SlotId::Main);
        let whole = share_whole(listener, SlotId::Main, 1, 50..480);
        assert!(whole > 0.97, "{whole} of the frames are whole; {video:?}");
    }
}

/// Two publishers; the first speaks, then the second: one cut.
fn cut_between_two(seed: u64, config: LinkConfig) -> (Stage, [Guest; 2], [Guest; 2]) {
    let mut stage = Stage::new(seed);
    let speakers = [stage.speaker(1), stage.speaker(2)];
    let listeners = [stage.listener(3), stage.listener(4)];
    stage.publish(&speakers[0], Some(20));
    stage.world.run_for(Duration::from_secs(3));
    for guest in speakers.iter().chain(&listeners) {
        stage.set_path(guest, config);
    }
    stage.publish(&speakers[1], None);
    stage.world.run_for(Duration::from_secs(3));
    speakers[0].endpoint.borrow_mut().set_voice(None);
    speakers[1].endpoint.borrow_mut().set_voice(Some(20));
    stage.world.run_for(Duration::from_secs(6));
    (stage, speakers, listeners)
}

#[test]
fn the_picture_cuts_to_whoever_speaks_at_a_keyframe() {
    let (stage, speakers, listeners) = cut_between_two(seed(4), LinkConfig::default());
    for listener in &listeners {
        assert_eq!(sources_in_order(listener, SlotId::Main), [1, 2]);
        let video = stage.check(listener, SlotId::Main);
        assert_eq!((video.cuts, video.missing), (1, 0));
        stage.check(listener, MIC);
        let endpoint = listener.endpoint.borrow();
        let record = endpoint
            .ledger()
            .stream(listener.slot(SlotId::Main))
            .unwrap();
        let first = record.packets.iter().find_map(|packet| {
            let tag = packet.tag?;
            (tag.source == 2).then_some(tag)
        });
        let first = first.unwrap();
        assert!(first.is_keyframe && first.part == 0, "{first:?}");
    }
    // The one who speaks sees the other.
    assert!(!sources_in_order(&speakers[1], SlotId::Main).contains(&2));
    // One request for the cut, not one for each listener.
    let asked = speakers[1].endpoint.borrow().keyframe_requests().len();
    assert!(asked <= 3, "{asked}");
    assert!(stage.engine.borrow().engine.counters().cuts >= 2);
}

#[test]
fn a_cut_under_loss_keeps_every_promise() {
    let (stage, _, listeners) = cut_between_two(seed(5), rough());
    for listener in &listeners {
        assert_eq!(sources_in_order(listener, SlotId::Main), [1, 2]);
        let video = stage.check(listener, SlotId::Main);
        assert!(video.missing <= 3, "{video:?}");
        stage.check(listener, MIC);
    }
}

#[test]
fn one_seed_loses_the_same_packets_again() {
    let run = || {
        let (mut stage, _, listeners) = room(seed(6));
        for listener in &listeners {
            stage.set_path(listener, rough());
        }
        stage.world.run_for(Duration::from_secs(5));
        listeners.map(|listener| stage.check(&listener, MIC))
    };
    assert_eq!(run(), run());
}

#[test]
fn a_narrow_path_to_one_listener_does_not_touch_the_other() {
    let (mut stage, _, listeners) = room(seed(7));
    let [narrow, wide] = &listeners;
    let config = LinkConfig {
        rate: Some(Bitrate::from_kbps(300)),
        queue: DataSize::from_bytes(20_000),
        ..LinkConfig::default()
    };
    stage.world.set_link(stage.server, narrow.node, config);
    stage.world.run_for(Duration::from_secs(10));
    assert!(stage.world.counters(stage.server, narrow.node).overflowed > 100);
    stage.check(narrow, MIC);
    stage.check(narrow, SlotId::Main);
    for slot in [MIC, SlotId::Main] {
        let summary = stage.check(wide, slot);
        assert_eq!((summary.missing, summary.repaired), (0, 0));
        assert!(summary.arrived > 500, "{summary:?}");
    }
}

#[test]
fn nothing_of_a_muted_microphone_is_heard_after_the_acknowledgement() {
    let (mut stage, speaker, listeners) = room(seed(10));
    let mute = ShardCommand::SetParticipant {
        room: ROOM,
        participant: key(speaker.participant),
        seat: Some(StageSeat {
            rank: StageRank::Speaker,
            order: 1,
        }),
        permits: Permits {
            microphone: false,
            ..Permits::ALL
        },
    };
    stage.apply(mute).unwrap();
    let acknowledged = stage.world.now();
    stage.world.run_for(Duration::from_secs(2));
    for listener in &listeners {
        let endpoint = listener.endpoint.borrow();
        let record = endpoint.ledger().stream(listener.slot(MIC)).unwrap();
        let last = record.packets.iter().map(|packet| packet.at).max().unwrap();
        // What left before is on its way for the link's 10 ms.
        assert!(last <= acknowledged.plus(Duration::from_millis(10)));
    }
    assert!(stage.check(&listeners[0], SlotId::Main).arrived > 130);
}

#[test]
fn a_cut_waits_for_a_whole_keyframe() {
    let mut stage = Stage::new(seed(11));
    let speakers = [stage.speaker(1), stage.speaker(2)];
    let listener = stage.listener(3);
    stage.publish(&speakers[0], Some(20));
    stage.publish(&speakers[1], None);
    stage.world.run_for(Duration::from_secs(3));
    // Every third packet of the second camera is lost, retransmissions too: a keyframe has six.
    let (_, camera) = speakers[1].endpoint.borrow().published_ssrcs().unwrap();
    let mut count = 0;
    let is_camera = move |datagram: &[u8]| {
        datagram.get(8..12) == Some(&camera.0.to_be_bytes()) && datagram[1] < 192
    };
    let until = stage.world.now().plus(Duration::from_millis(1_500));
    let thin = move |now, datagram: &[u8]| {
        count += usize::from(is_camera(datagram));
        now > until || !is_camera(datagram) || count % 3 != 0
    };
    stage.world.set_filter(speakers[1].node, stage.server, thin);
    speakers[0].endpoint.borrow_mut().set_voice(None);
    speakers[1].endpoint.borrow_mut().set_voice(Some(20));
    stage.world.run_for(Duration::from_secs(8));
    assert_eq!(sources_in_order(&listener, SlotId::Main), [1, 2]);
    let video = stage.check(&listener, SlotId::Main);
    assert_eq!((video.missing, video.cuts), (0, 1), "{video:?}");
    let endpoint = listener.endpoint.borrow();
    let record = endpoint
        .ledger()
        .stream(listener.slot(SlotId::Main))
        .unwrap();
    let shown = record.packets.iter().filter_map(|packet| packet.tag);
    let first = shown.clone().find(|tag| tag.source == 2).unwrap();
    assert!(first.is_keyframe && first.part == 0, "{first:?}");
    assert!(record.whole_frames(2).contains(&first.frame));
}

#[test]
fn a_client_that_vanishes_is_let_go_and_costs_nothing_after() {
    let (mut stage, speaker, listeners) = room(seed(8));
    let [gone, other] = &listeners;
    stage
        .world
        .set_filter(gone.node, stage.server, |_, _| false);
    stage.world.run_for(Duration::from_secs(40));
    let sent = stage.world.counters(stage.server, gone.node).sent;
    stage.world.run_for(Duration::from_secs(5));
    // RFC 7675 §5.1: nothing is sent once consent has expired.
    assert_eq!(stage.world.counters(stage.server, gone.node).sent, sent);
    assert_eq!(stage.engine.borrow().engine.counters().sessions, 2);
    assert!(stage.check(other, MIC).arrived > 2_000);
    assert!(speaker.endpoint.borrow().is_connected());
}

#[test]
fn numbers_wrap_on_both_sides_without_a_gap() {
    let mut stage = Stage::new(seed(9));
    let speaker = stage.speaker(1);
    let listener = stage.listener(2);
    stage.set_path(&listener, rough());
    stage.set_path(&speaker, rough());
    let camera = VideoSource::camera(1).with_rate(50, 20);
    let now = stage.world.now();
    speaker.endpoint.borrow_mut().start_video(now, camera);
    // A thousand packets a second: every 16-bit number is used.
    stage.world.run_for(Duration::from_secs(66));
    // What is still on its way at the end is not missing.
    speaker.endpoint.borrow_mut().stop_video();
    stage.world.run_for(Duration::from_secs(1));
    let video = stage.check(&listener, SlotId::Main);
    assert!(video.span > 65_536, "{video:?}");
    assert!(video.missing * 1_000 < video.span, "{video:?}");
}
