//! The promise of the packet path: nothing is allocated per packet once the streams run.

use std::net::SocketAddr;
use std::time::Duration;

use estrade_types::{DropCounters, MonoTime};

use crate::bench::{Bench, audio, video};
use crate::client::Client;

const LISTENERS: u32 = 20;

/// 20 ms of a room: an audio packet, on every second turn a frame of video, and on every tenth what
/// listeners report and ask for.
struct Turn {
    datagrams: Vec<(SocketAddr, Vec<u8>)>,
}

/// An empty receiver report, a NACK and a PLI for the main slot. RFC 3550 §6.4.2, RFC 4585 §6.
fn feedback(listener: u32) -> Vec<u8> {
    let main = (0x4000_0000 + listener * 100 + 2).to_be_bytes();
    let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
    compound.extend([0x81, 205, 0, 3, 0, 0, 0, 9]);
    compound.extend(main);
    compound.extend([0x12, 0x34, 0, 7]);
    compound.extend([0x81, 206, 0, 2, 0, 0, 0, 9]);
    compound.extend(main);
    compound
}

fn turns(publisher: &mut Client, listeners: &mut [Client], first: u16, count: u16) -> Vec<Turn> {
    (first..first + count)
        .map(|n| {
            let mut datagrams = vec![(publisher.addr, publisher.seal_rtp(&audio(1, n, 30)))];
            if n % 2 == 0 {
                let frame = publisher.seal_rtp(&video(1, n / 2, n % 100 == 0));
                datagrams.push((publisher.addr, frame));
            }
            for (number, listener) in (2..).zip(listeners.iter_mut()).filter(|_| n % 10 == 0) {
                listener.send_rtcp(&feedback(number));
                datagrams.extend(
                    listener
                        .outgoing
                        .drain(..)
                        .map(|sent| (listener.addr, sent)),
                );
            }
            Turn { datagrams }
        })
        .collect()
}

fn run(bench: &mut Bench, turns: &mut [Turn]) -> usize {
    let mut sent = 0;
    for turn in turns {
        bench.now = MonoTime(bench.now.0).plus(Duration::from_millis(20));
        for (from, datagram) in &mut turn.datagrams {
            let (now, sink) = (bench.now, &mut bench.sink);
            bench.engine.on_datagram(now, *from, datagram, sink);
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
    let mut listeners: Vec<Client> = (2..2 + LISTENERS)
        .map(|n| {
            bench.listen(n);
            bench.connect(n)
        })
        .collect();
    let mut warm_up = turns(&mut publisher, &mut listeners, 1, 600);
    run(&mut bench, &mut warm_up);
    bench.collect();
    let mut measured = turns(&mut publisher, &mut listeners, 601, 600);
    let mut sent = 0;
    let counted = allocation_counter::measure(|| {
        sent = run(&mut bench, &mut measured);
    });
    assert_eq!(bench.engine.counters().drops, DropCounters::default());
    assert!(
        bench.engine.counters().nacks_received > 0,
        "feedback is understood"
    );
    let listeners = usize::try_from(LISTENERS).unwrap();
    assert!(
        sent >= 880 * listeners,
        "900 packets to each listener, sent {sent}"
    );
    assert_eq!(counted.count_total, 0, "{counted:?} while {sent} were sent");
}
