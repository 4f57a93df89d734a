use bytes::Bytes;
use proptest::prelude::*;
use rtc::rtp::codec::vp8::Vp8Packet;
use rtc::rtp::packetizer::Depacketizer;

use super::*;

/// A keyframe of 640x360 behind a descriptor with everything: 15-bit picture id 0x1234,
/// TL0PICIDX 9, TID 1, Y, KEYIDX 17.
const KEYFRAME: [u8; 16] = [
    0x90, 0xf0, 0x92, 0x34, 9, 0x71, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01,
];

#[test]
fn a_full_descriptor_is_read() {
    assert_eq!(
        Descriptor::parse(&KEYFRAME),
        Some(Descriptor {
            start_of_partition: true,
            partition_id: 0,
            is_non_reference: false,
            picture_id: Some(PictureId::Fifteen(0x1234)),
            tl0picidx: Some(9),
            tid: Some(1),
            layer_sync: true,
            keyidx: Some(17),
            len: 6,
        })
    );
    assert!(is_keyframe_start(&KEYFRAME));
    assert_eq!(dimensions(&KEYFRAME), Some((640, 360)));
}

#[test]
fn only_the_first_packet_of_a_keyframe_starts_it() {
    let mut continuation = KEYFRAME;
    continuation[0] = 0x80;
    assert!(!is_keyframe_start(&continuation));
    assert_eq!(dimensions(&continuation), None);
    let mut second_partition = KEYFRAME;
    second_partition[0] = 0x91;
    assert!(!is_keyframe_start(&second_partition));
    let mut interframe = KEYFRAME;
    interframe[6] = 0x11;
    assert!(!is_keyframe_start(&interframe));
    assert_eq!(dimensions(&interframe), None);
}

#[test]
fn hostile_34_every_truncation_is_refused_whole() {
    for len in 0..6 {
        assert_eq!(Descriptor::parse(&KEYFRAME[..len]), None);
        let mut cut = KEYFRAME[..len].to_vec();
        assert!(!rewrite_ids(&mut cut, 1, 1));
        assert_eq!(cut, &KEYFRAME[..len]);
    }
    // A descriptor without a frame behind it starts nothing.
    assert!(!is_keyframe_start(&KEYFRAME[..6]));
    assert_eq!(dimensions(&KEYFRAME[..15]), None);
}

#[test]
fn hostile_34_a_7_bit_picture_id_stays_7_bit_across_its_wrap() {
    let mut payload = [0x90, 0x80, 0x7f, 0x10];
    assert!(rewrite_ids(&mut payload, 0x1280, 5));
    assert_eq!(payload, [0x90, 0x80, 0x00, 0x10]);
    assert!(rewrite_ids(&mut payload, 0xffff, 5));
    let descriptor = Descriptor::parse(&payload).unwrap();
    assert_eq!(descriptor.picture_id, Some(PictureId::Seven(0x7f)));
    assert_eq!(descriptor.len, 3);
}

#[test]
fn hostile_34_a_15_bit_picture_id_stays_15_bit_across_its_wrap() {
    let mut payload = KEYFRAME;
    assert!(rewrite_ids(&mut payload, 0x8001, 200));
    let descriptor = Descriptor::parse(&payload).unwrap();
    assert_eq!(descriptor.picture_id, Some(PictureId::Fifteen(1)));
    assert_eq!(descriptor.tl0picidx, Some(200));
    assert_eq!(payload[5..], KEYFRAME[5..]);
}

proptest! {
    #[test]
    fn no_payload_makes_it_panic_and_rewriting_changes_nothing_else(
        payload in prop::collection::vec(any::<u8>(), 0..12),
        picture_id in any::<u16>(), tl0picidx in any::<u8>()
    ) {
        is_keyframe_start(&payload);
        dimensions(&payload);
        let before = Descriptor::parse(&payload);
        let mut rewritten = payload.clone();
        prop_assert_eq!(rewrite_ids(&mut rewritten, picture_id, tl0picidx), before.is_some());
        let expected = before.map(|descriptor| Descriptor {
            picture_id: descriptor.picture_id.map(|id| match id {
                PictureId::Seven(_) => PictureId::Seven((picture_id & 0x7f) as u8),
                PictureId::Fifteen(_) => PictureId::Fifteen(picture_id & 0x7fff),
            }),
            tl0picidx: descriptor.tl0picidx.map(|_| tl0picidx),
            ..descriptor
        });
        prop_assert_eq!(Descriptor::parse(&rewritten), expected);
        let len = before.map_or(0, |descriptor| descriptor.len);
        prop_assert_eq!(&rewritten[len..], &payload[len..]);
    }

    #[test]
    fn the_rtc_crate_reads_the_same_fields(
        payload in prop::collection::vec(any::<u8>(), 8..24)
    ) {
        let mut theirs = Vp8Packet::default();
        let data = theirs.depacketize(&Bytes::from(payload.clone())).unwrap();
        let ours = Descriptor::parse(&payload).unwrap();
        prop_assert_eq!(ours.start_of_partition, theirs.s == 1);
        prop_assert_eq!(ours.partition_id, theirs.pid);
        prop_assert_eq!(ours.picture_id.map_or(0, PictureId::value), theirs.picture_id);
        prop_assert_eq!(ours.tl0picidx.unwrap_or(0), theirs.tl0_pic_idx);
        prop_assert_eq!(ours.tid.unwrap_or(0), theirs.tid);
        prop_assert_eq!(ours.layer_sync, theirs.y == 1);
        prop_assert_eq!(ours.keyidx.unwrap_or(0), theirs.key_idx);
        prop_assert_eq!(&payload[ours.len..], &data[..]);
    }
}
