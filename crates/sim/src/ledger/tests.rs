use super::*;

fn packet(seq: u64, timestamp: u32, frame: u32) -> Received {
    Received {
        at: MonoTime::ZERO,
        seq: ExtSeqNo(seq),
        timestamp: RtpTimestamp(timestamp),
        marker: false,
        payload_type: 111,
        csrc: None,
        is_repair: false,
        tag: Some(MediaTag {
            source: 1,
            packet: frame,
            frame,
            part: 0,
            parts: 1,
            is_keyframe: true,
        }),
        payload: frame.to_be_bytes().to_vec(),
    }
}

fn check(packets: Vec<Received>, lost: &[u16]) -> Result<StreamSummary, Broken> {
    let record = StreamRecord {
        kind: Some(MediaKind::Audio),
        packets,
        extender: None,
    };
    record.check(&Losses {
        downlink: lost.iter().copied().collect(),
        uplink: BTreeSet::from([(1, 77)]),
    })
}

#[test]
fn a_stream_out_of_order_but_whole_keeps_its_promises() {
    let packets = vec![packet(5, 10, 0), packet(7, 30, 2), packet(6, 20, 1)];
    let summary = check(packets, &[]).unwrap();
    assert_eq!((summary.span, summary.arrived, summary.missing), (3, 3, 0));
}

#[test]
fn a_repair_fills_its_place_once_or_more() {
    let repair = Received {
        is_repair: true,
        ..packet(6, 20, 1)
    };
    let packets = vec![packet(5, 10, 0), packet(7, 30, 2), repair.clone(), repair];
    assert_eq!(check(packets, &[6]).unwrap().repaired, 1);
}

#[test]
fn each_broken_promise_is_found() {
    let twice = vec![packet(5, 10, 0), packet(5, 10, 0)];
    assert_eq!(check(twice, &[]), Err(Broken::Twice(ExtSeqNo(5))));
    let changed = Received {
        is_repair: true,
        ..packet(5, 10, 1)
    };
    let changed = vec![packet(5, 10, 0), changed];
    assert_eq!(check(changed, &[]), Err(Broken::Changed(ExtSeqNo(5))));
    let gap = vec![packet(5, 10, 0), packet(7, 30, 2), packet(99, 40, 3)];
    assert_eq!(check(gap, &[]), Err(Broken::Gap(ExtSeqNo(6))));
    let back = vec![packet(5, 10, 0), packet(6, 9, 1)];
    assert_eq!(check(back, &[]), Err(Broken::TimestampBack(ExtSeqNo(6))));
    let tag_back = vec![packet(5, 10, 3), packet(6, 20, 2)];
    assert_eq!(check(tag_back, &[]), Err(Broken::TagBack(ExtSeqNo(6))));
    let foreign = Received {
        tag: None,
        ..packet(5, 10, 0)
    };
    assert_eq!(check(vec![foreign], &[]), Err(Broken::Foreign(ExtSeqNo(5))));
}

#[test]
fn a_gap_that_a_link_explains_is_counted() {
    let summary = check(vec![packet(5, 10, 0), packet(7, 30, 2)], &[6]).unwrap();
    assert_eq!((summary.missing, summary.span), (1, 3));
}

#[test]
fn a_gap_that_the_way_to_the_server_explains_is_counted() {
    let packets = vec![packet(5, 10, 76), packet(7, 30, 78), packet(99, 40, 170)];
    // 6 was the source's packet 77; 8 to 98 were nobody's.
    assert_eq!(check(packets, &[]), Err(Broken::Gap(ExtSeqNo(8))));
    let summary = check(vec![packet(5, 10, 76), packet(7, 30, 78)], &[]).unwrap();
    assert_eq!(summary.missing, 1);
}
