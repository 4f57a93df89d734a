//! Whole rooms in virtual time over bad networks, with clients that are not ours. One seed gives
//! one run of the links; `ESTRADE_SIM_SEED` replays it.

use std::time::Duration;

use estrade_sim::{LinkConfig, Loss, seed};
use estrade_types::{DropReason, MediaKind, SlotId};

use crate::stage::{Guest, Stage, sources_in_order, streams_of};

const MIC: SlotId = SlotId::Audio(0);

fn rough() -> LinkConfig {
    LinkConfig::rough(Duration::from_millis(20), 0.05)
}

/// One speaker, two listeners, everything published over perfect links for a second.
fn room(seed: u64) -> (Stage, Guest, [Guest; 2]) {
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
