//! Endpoints whose address a NAT changes: they do not know, and choose nothing anew. Theirs are the
//! checks of the `rtc` crate, which nominates once.

use std::net::SocketAddr;
use std::time::Duration;

use estrade_sim::{LinkConfig, seed};
use estrade_types::{DropReason, MonoTime, SlotId};

use crate::scenario::{MIC, room, rough};
use crate::stage::{Guest, Stage};

/// The silence after which an address is given up, and two seconds for the next check.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(6);

/// Moves a guest; says when.
fn rebind(stage: &mut Stage, guest: &Guest) -> MonoTime {
    let moved = SocketAddr::from(([198, 51, 100, 8], 40_000));
    stage.world.rebind(guest.node, moved);
    stage.world.now()
}

/// When packets reached a guest on a slot, from a moment on.
fn arrivals(guest: &Guest, slot: SlotId, from: MonoTime) -> Vec<MonoTime> {
    let endpoint = guest.endpoint.borrow();
    let record = endpoint.ledger().stream(guest.slot(slot)).unwrap();
    let arrivals = record.packets.iter().map(|packet| packet.at);
    arrivals.filter(|at| *at >= from).collect()
}

#[test]
fn media_reaches_a_listener_again_whose_nat_moved_it() {
    for config in [LinkConfig::default(), rough()] {
        let (mut stage, _, listeners) = room(seed(31));
        let [moving, staying] = &listeners;
        stage.set_path(moving, config);
        let moved = rebind(&mut stage, moving);
        stage.world.run_for(Duration::from_secs(10));
        for slot in [MIC, SlotId::Main] {
            // What was under way still arrived.
            let after = moved.plus(Duration::from_millis(200));
            let resumed = *arrivals(moving, slot, after).first().unwrap();
            assert!(resumed <= moved.plus(FOLLOWED_WITHIN), "{resumed:?}");
            let steady = arrivals(moving, slot, moved.plus(FOLLOWED_WITHIN)).len();
            let undisturbed = arrivals(staying, slot, moved.plus(FOLLOWED_WITHIN)).len();
            assert!(steady * 10 > undisturbed * 8, "{steady} of {undisturbed}");
        }
        // Long after consent at the old address would have ended.
        stage.world.run_for(Duration::from_secs(40));
        let late = stage.world.now();
        stage.world.run_for(Duration::from_secs(1));
        assert!(moving.endpoint.borrow().is_connected());
        assert!(arrivals(moving, MIC, late).len() > 30);
        assert_eq!(stage.engine.borrow().engine.counters().sessions, 3);
        stage.check(staying, MIC);
    }
}

#[test]
fn a_speaker_whose_nat_moved_it_is_heard_after_its_next_check() {
    let (mut stage, speaker, listeners) = room(seed(32));
    let moved = rebind(&mut stage, &speaker);
    stage.world.run_for(Duration::from_secs(45));
    let late = stage.world.now();
    stage.world.run_for(Duration::from_secs(1));
    for listener in &listeners {
        let after = moved.plus(Duration::from_millis(200));
        let resumed = *arrivals(listener, MIC, after).first().unwrap();
        assert!(
            resumed <= moved.plus(Duration::from_secs(3)),
            "{resumed:?} after {moved:?}"
        );
        assert!(arrivals(listener, MIC, late).len() > 40);
        assert!(arrivals(listener, SlotId::Main, late).len() > 40);
    }
    assert!(speaker.endpoint.borrow().is_connected());
    let counters = stage.engine.borrow().engine.counters();
    let unknown = counters.drops.get(DropReason::UnknownSource);
    assert!(unknown > 0, "packets count for nothing before a check does");
    assert_eq!(counters.drops.get(DropReason::NotConnected), 0);
}
