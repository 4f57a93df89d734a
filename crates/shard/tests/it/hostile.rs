//! What nobody well-meaning sends: from strangers, from endpoints, and from behind valid keys.

use std::time::Duration;

use estrade_types::{DropReason, MonoTime};
use proptest::prelude::*;

use crate::bench::{Bench, audio, session};
use crate::client::Client;

/// Whether audio still goes from the speaker to the listener.
fn still_works(bench: &mut Bench, speaker: &mut Client, listener: &mut Client, first: u16) -> bool {
    listener.rtp.clear();
    for n in first..first + 10 {
        speaker.send_rtp(&audio(1, n, 30));
        bench.run_for(
            Duration::from_millis(20),
            &mut [&mut *speaker, &mut *listener],
        );
    }
    listener.rtp.len() >= 5
}

/// Datagrams whose first byte is of one of the protocols, so that they get past the door.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![0..=3_u8, 20..=63_u8, 128..=191_u8, any::<u8>()];
    (first, proptest::collection::vec(any::<u8>(), 0..200)).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_datagrams_from_anywhere_leave_the_room_working(
        datagrams in proptest::collection::vec((datagram(), 0..3_u8), 1..200),
    ) {
        let (mut bench, mut speaker, mut listener) = stage();
        let stranger = "203.0.113.9:9".parse().unwrap();
        let sessions = bench.engine.counters().sessions_connected;
        for (mut bytes, from) in datagrams {
            let from = [stranger, speaker.addr, listener.addr][usize::from(from)];
            bench.engine.on_datagram(bench.now, from, &mut bytes, &mut bench.sink);
        }
        bench.sink.clear();
        prop_assert_eq!(bench.engine.counters().sessions_connected, sessions);
        prop_assert!(still_works(&mut bench, &mut speaker, &mut listener, 1));
    }

    #[test]
    fn sealed_nonsense_costs_nobody_but_its_sender(
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 1..60),
    ) {
        let (mut bench, mut speaker, mut listener) = stage();
        let mut mallory = bench_mallory(&mut bench);
        for (n, bytes) in (0_u16..).zip(packets) {
            // A valid fixed header of its own microphone or of the speaker's, then anything.
            let mut packet = audio(if n % 3 == 0 { 1 } else { 3 }, n, 30);
            packet.truncate(12);
            packet[0] = if n % 2 == 0 { 0x90 } else { 0x80 };
            packet.extend(bytes.iter().copied());
            mallory.try_send_rtp(&packet);
            let mut compound = vec![0x81, 200 + u8::try_from(n % 8).unwrap(), 0, 1, 0, 0, 0, 3];
            compound.extend(bytes);
            mallory.try_send_rtcp(&compound);
        }
        bench.pump(&mut [&mut mallory, &mut listener, &mut speaker]);
        prop_assert_eq!(bench.engine.counters().sessions_connected, 3);
        prop_assert!(still_works(&mut bench, &mut speaker, &mut listener, 1));
        prop_assert_eq!(listener.unopened, 0);
    }
}

fn stage() -> (Bench, Client, Client) {
    let mut bench = Bench::with_room();
    bench.seat(1);
    bench.listen(2);
    let speaker = bench.connect(1);
    let listener = bench.connect(2);
    (bench, speaker, listener)
}

fn bench_mallory(bench: &mut Bench) -> Client {
    bench.seat(3);
    bench.connect(3)
}

#[test]
fn a_listener_that_sends_is_heard_by_nobody() {
    let (mut bench, mut speaker, mut listener) = stage();
    for n in 1..=20 {
        listener.send_rtp(&audio(2, n, 10));
        bench.run_for(
            Duration::from_millis(20),
            &mut [&mut speaker, &mut listener],
        );
    }
    assert!(speaker.rtp.is_empty());
    assert_eq!(
        bench.engine.counters().drops.get(DropReason::NotPermitted),
        20
    );
    assert!(still_works(&mut bench, &mut speaker, &mut listener, 1));
}

#[test]
fn an_endpoint_whose_consent_expires_is_sent_nothing_more_and_closed() {
    let (mut bench, mut speaker, listener) = stage();
    // The listener has gone without a word; the speaker goes on and checks its path.
    let mut sent_late = 0;
    for n in 1..=400_u16 {
        bench.now = MonoTime(bench.now.0).plus(Duration::from_millis(100));
        speaker.send_rtp(&audio(1, n, 30));
        while let Some(mut datagram) = speaker.outgoing.pop_front() {
            bench
                .engine
                .on_datagram(bench.now, speaker.addr, &mut datagram, &mut bench.sink);
        }
        bench.engine.on_timeout(bench.now, &mut bench.sink);
        let sent = bench.sink.datagrams();
        let to_listener = sent.filter(|(to, _, _)| *to == listener.addr).count();
        sent_late += if n > 310 { to_listener } else { 0 };
        bench.sink.clear();
    }
    bench.collect();
    assert_eq!(sent_late, 0);
    assert!(bench.events.iter().any(|event| matches!(
        event,
        estrade_types::ShardEvent::Session { session: s, state: estrade_types::SessionState::Closed(
            estrade_types::CloseReason::ConsentExpired), .. } if *s == session(2)
    )));
}
