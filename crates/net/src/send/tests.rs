use std::net::UdpSocket as StdSocket;
use std::time::Duration;

use super::*;
use crate::{Poller, RecvBatch};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0".parse().unwrap(), 1 << 20).unwrap()
}

fn push(batch: &mut SendBatch, to: SocketAddr, bytes: &[u8]) {
    let slot = batch.next_slot().expect("room in the batch");
    slot[..bytes.len()].copy_from_slice(bytes);
    batch.commit(to, bytes.len(), Urgency::Grouped);
}

/// Reads `count` datagrams, or fails after five seconds without any.
fn receive(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
    let mut poller = Poller::new(socket).unwrap();
    let mut batch = RecvBatch::new();
    let mut seen = Vec::new();
    while seen.len() < count {
        assert!(poller.wait(PATIENCE, false).unwrap().is_readable);
        socket.receive(&mut batch).unwrap();
        seen.extend(batch.datagrams_mut().map(|(_, bytes)| bytes.to_vec()));
    }
    seen
}

#[test]
fn a_segmented_run_arrives_as_separate_datagrams() {
    let (mut sender, receiver) = (socket(), socket());
    let mut batch = SendBatch::new(&sender, 64);
    let datagrams: Vec<Vec<u8>> = (0..10_u8)
        .map(|n| vec![n; if n == 9 { 300 } else { 1_000 }])
        .collect();
    for datagram in &datagrams {
        push(&mut batch, receiver.local_addr(), datagram);
    }
    let could_segment = sender.segments_runs();
    let flushed = batch.flush(&mut sender);
    assert_eq!((flushed.datagrams, flushed.bytes), (10, 9_300));
    assert_eq!((flushed.failed, flushed.is_blocked), (0, false));
    if could_segment {
        assert_eq!(flushed.messages, 1);
    }
    assert_eq!(receive(&receiver, 10), datagrams);
    assert!(batch.is_empty());
}

#[test]
fn a_plain_socket_can_read_what_a_run_carried() {
    let mut sender = socket();
    let receiver = StdSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(PATIENCE).unwrap();
    let mut batch = SendBatch::new(&sender, 64);
    for n in 0..3_u8 {
        push(&mut batch, receiver.local_addr().unwrap(), &[n; 700]);
    }
    assert_eq!(batch.flush(&mut sender).datagrams, 3);
    for n in 0..3_u8 {
        let mut buf = [0; 2_000];
        let len = receiver.recv(&mut buf).unwrap();
        assert_eq!(&buf[..len], &[n; 700]);
    }
}

#[test]
fn an_unreachable_port_does_not_poison_the_batch() {
    let (mut sender, receiver) = (socket(), socket());
    let gone = StdSocket::bind("127.0.0.1:0")
        .and_then(|s| s.local_addr())
        .unwrap();
    let mut batch = SendBatch::new(&sender, 64);
    for round in 0..3_u8 {
        push(&mut batch, gone, b"nobody");
        push(&mut batch, receiver.local_addr(), &[round]);
        let flushed = batch.flush(&mut sender);
        assert_eq!((flushed.datagrams, flushed.failed), (2, 0));
    }
    assert_eq!(receive(&receiver, 3), [[0], [1], [2]]);
}

#[test]
fn a_refused_datagram_is_counted_and_the_others_leave() {
    let (mut sender, receiver) = (socket(), socket());
    let mut batch = SendBatch::new(&sender, 64);
    push(&mut batch, receiver.local_addr(), b"before");
    push(
        &mut batch,
        "[2001:db8::1]:9".parse().unwrap(),
        b"wrong family",
    );
    push(&mut batch, receiver.local_addr(), b"after");
    let flushed = batch.flush(&mut sender);
    assert_eq!((flushed.datagrams, flushed.failed), (2, 1));
    assert_eq!(receive(&receiver, 2), [&b"before"[..], b"after"]);
}

#[test]
fn a_socket_that_stopped_segmenting_still_sends_everything() {
    let (mut sender, receiver) = (socket(), socket());
    sender.stop_segmenting();
    let mut batch = SendBatch::new(&sender, 64);
    for n in 0..5_u8 {
        push(&mut batch, receiver.local_addr(), &[n; 100]);
    }
    let flushed = batch.flush(&mut sender);
    assert_eq!((flushed.datagrams, flushed.messages), (5, 5));
    assert_eq!(receive(&receiver, 5).len(), 5);
}

fn runs(spec: &[(SocketAddr, usize)]) -> Vec<usize> {
    let mut batch = SendBatch::new(&socket(), 128);
    for &(to, len) in spec {
        push(&mut batch, to, &vec![0; len]);
    }
    batch.plan(false).runs().to_vec()
}

fn two_addrs() -> (SocketAddr, SocketAddr) {
    (
        "192.0.2.1:1".parse().unwrap(),
        "192.0.2.2:1".parse().unwrap(),
    )
}

#[test]
fn a_run_ends_at_another_destination_a_longer_datagram_or_after_a_shorter_one() {
    let (a, b) = two_addrs();
    assert_eq!(runs(&[(a, 10), (a, 10), (b, 10)]), [2, 1]);
    assert_eq!(runs(&[(a, 10), (a, 11)]), [1, 1]);
    assert_eq!(runs(&[(a, 10), (a, 9), (a, 9)]), [2, 1]);
    assert_eq!(runs(&[(a, 0), (a, 0)]), [1, 1]);
    assert_eq!(runs(&[(a, 1_500); 64]), [42, 22]);
}

#[test]
fn a_fan_out_is_grouped_by_destination_behind_what_is_urgent() {
    let (a, b) = two_addrs();
    let mut batch = SendBatch::new(&socket(), 16);
    for n in 0..3_u8 {
        for to in [a, b] {
            push(&mut batch, to, &[n; 10]);
        }
    }
    let slot = batch.next_slot().unwrap();
    slot[..5].copy_from_slice(b"audio");
    batch.commit(b, 5, Urgency::First);
    batch.group();
    assert_eq!(batch.plan(false).runs(), [1, 3, 3]);
    let order: Vec<_> = batch
        .unsent()
        .map(|(to, bytes, _)| (to, bytes[0]))
        .collect();
    assert_eq!(order[0], (b, b'a'));
    assert_eq!(order[1..4], [(a, 0), (a, 1), (a, 2)]);
    assert_eq!(order[4..], [(b, 0), (b, 1), (b, 2)]);
}

#[test]
fn a_refused_run_is_tried_one_by_one_before_segmentation_is_blamed() {
    let mut batch = SendBatch::new(&socket(), 64);
    let (to, other) = two_addrs();
    for _ in 0..4 {
        push(&mut batch, to, &[0; 50]);
    }
    push(&mut batch, other, &[0; 50]);
    let plan = batch.plan(false);
    assert_eq!(plan.runs(), [4, 1]);
    let mut flushed = Flushed::default();
    let refused = io::Error::from_raw_os_error(libc::EINVAL);
    batch.on_refusal(&refused, &plan, &mut flushed);
    assert_eq!((flushed.failed, batch.len()), (0, 5));
    let plain = batch.plan(true);
    assert_eq!(plain.runs(), [1, 1, 1, 1]);
    // Refused alone too: the datagrams are at fault, one at a time, and segmentation stays.
    batch.on_refusal(&refused, &plain, &mut flushed);
    assert_eq!((flushed.failed, batch.len()), (1, 4));
}

#[test]
fn a_full_socket_keeps_the_rest_in_order() {
    // A unix datagram pair would block surely; UDP on loopback drops at the receiver instead. So
    // the bookkeeping is shown on what a partial send leaves behind.
    let mut batch = SendBatch::new(&socket(), 64);
    let to = "192.0.2.1:1".parse().unwrap();
    for n in 0..4_u8 {
        push(&mut batch, to, &vec![n; 10 + usize::from(n)]);
    }
    let plan = batch.plan(true);
    let mut flushed = Flushed::default();
    batch.count_sent(&plan, 3, &mut flushed);
    assert_eq!((flushed.datagrams, flushed.bytes), (3, 33));
    let unsent: Vec<_> = batch.unsent().map(|(_, bytes, _)| bytes.to_vec()).collect();
    assert_eq!(unsent, [vec![3; 13]]);
}

#[test]
fn an_ipv6_socket_talks_to_ipv4_under_its_plain_address() {
    let Ok(mut six) = UdpSocket::bind("[::]:0".parse().unwrap(), 1 << 20) else {
        return; // A machine without IPv6.
    };
    let four = StdSocket::bind("127.0.0.1:0").unwrap();
    four.set_read_timeout(PATIENCE).unwrap();
    let to = four.local_addr().unwrap();
    let mut batch = SendBatch::new(&six, 4);
    push(&mut batch, to, b"question");
    assert_eq!(batch.flush(&mut six).datagrams, 1);
    let (_, from) = four.recv_from(&mut [0; 100]).unwrap();
    four.send_to(b"answer", from).unwrap();
    let mut received = RecvBatch::new();
    let mut poller = Poller::new(&six).unwrap();
    assert!(poller.wait(PATIENCE, false).unwrap().is_readable);
    six.receive(&mut received).unwrap();
    let (from, bytes) = received.datagrams_mut().next().unwrap();
    assert_eq!((from, &*bytes), (to, &b"answer"[..]));
}

#[test]
fn a_full_batch_gives_out_no_slot() {
    let mut batch = SendBatch::new(&socket(), 64);
    for _ in 0..64 {
        push(&mut batch, "192.0.2.1:1".parse().unwrap(), b"x");
    }
    assert!(batch.next_slot().is_none());
    batch.clear();
    assert!(batch.next_slot().is_some());
}
