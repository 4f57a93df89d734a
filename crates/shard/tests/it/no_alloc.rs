//! The promise of the packet path: nothing is allocated per packet once the streams run.

use std::time::Duration;

use estrade_types::MonoTime;

use crate::bench::{Bench, audio, video};
use crate::client::Client;

const LISTENERS: u32 = 20;

/// 20 ms of a publisher: one audio packet, and on every second turn a frame of three video packets.
struct Turn {
    datagrams: Vec<Vec<u8>>,
}

fn turns(publisher: &mut Client, first: u16, count: u16) -> Vec<Turn> {
    (first..first + count)
        .map(|n| {
            let mut datagrams = vec![publisher.seal_rtp(&audio(1, n, 30))];
            if n % 2 == 0 {
                datagrams.push(publisher.seal_rtp(&video(1, n / 2, n % 100 == 0)));
            }
            Turn { datagrams }
        })
        .collect()
}

fn run(bench: &mut Bench, publisher: &Client, turns: &mut [Turn]) -> usize {
    let mut sent = 0;
    for turn in turns {
        bench.now = MonoTime(bench.now.0).plus(Duration::from_millis(20));
        for datagram in &mut turn.datagrams {
            let (now, from) = (bench.now, publisher.addr);
            bench
                .engine
                .on_datagram(now, from, datagram, &mut bench.sink);
        }
        bench.engine.on_timeout(bench.now, &mut bench.sink);
        sent += bench.sink.len();
        bench.sink.clear();
    }
    sent
}

#[test]
fn nothing_is_allocated_per_packet_once_the_streams_run() {
    let mut bench = Bench::with_room();
    bench.seat(1);
    let mut publisher = bench.connect(1);
    for n in 2..2 + LISTENERS {
        bench.listen(n);
        bench.connect(n);
    }
    let mut warm_up = turns(&mut publisher, 1, 600);
    run(&mut bench, &publisher, &mut warm_up);
    bench.collect();
    let mut measured = turns(&mut publisher, 601, 600);
    let mut sent = 0;
    let counted = allocation_counter::measure(|| {
        sent = run(&mut bench, &publisher, &mut measured);
    });
    let listeners = usize::try_from(LISTENERS).unwrap();
    assert!(
        sent >= 880 * listeners,
        "900 packets to each listener, sent {sent}"
    );
    assert_eq!(counted.count_total, 0, "{counted:?} while {sent} were sent");
}
