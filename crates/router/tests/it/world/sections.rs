//! What the scripted clients negotiated: their media sections, payload types and extensions.

use super::*;

pub(crate) const OPUS: u8 = 111;
pub(crate) const VP8: u8 = 96;
pub(crate) const VP8_RTX: u8 = 97;
pub(crate) const H264: u8 = 102;
pub(crate) const H264_RTX: u8 = 103;
pub(crate) const OUT_VP8: u8 = 120;
pub(crate) const OUT_VP8_RTX: u8 = 121;

pub(crate) fn key(n: u32) -> ParticipantKey {
    ParticipantKey(NonZeroU32::new(n).unwrap())
}

fn id(n: u8) -> Option<ExtensionId> {
    ExtensionId::new(n)
}

pub(crate) fn extensions() -> ExtensionMap {
    ExtensionMap {
        mid: id(1),
        rid: id(2),
        repaired_rid: id(3),
        audio_level: id(4),
        transport_cc: id(5),
        abs_send_time: None,
        video_orientation: id(6),
    }
}

fn codec(codec: Codec, pt: u8, rtx: Option<u8>) -> NegotiatedCodec {
    NegotiatedCodec {
        codec,
        payload_type: PayloadType::from_octet(pt),
        rtx_payload_type: rtx.map(PayloadType::from_octet),
    }
}

pub(crate) const RIDS: [&str; 3] = ["q", "h", "f"];

/// Sections of a client that may publish: microphone, camera with `encodings`, screen.
pub(crate) fn rx_media(encodings: usize) -> Vec<RxMedia> {
    let video = vec![
        codec(Codec::Vp8, VP8, Some(VP8_RTX)),
        codec(Codec::H264, H264, Some(H264_RTX)),
    ];
    let section = |mid: &str, source, codecs, rids: &[&str]| RxMedia {
        mid: Mid::new(mid).unwrap(),
        source,
        codecs,
        rids: rids.iter().map(|rid| Rid::new(rid).unwrap()).collect(),
        ssrcs: Vec::new(),
        extensions: extensions(),
    };
    let rids = if encodings > 1 {
        &RIDS[..encodings]
    } else {
        &[]
    };
    vec![
        section(
            "mic",
            SourceKind::Microphone,
            vec![codec(Codec::Opus, OPUS, None)],
            &[],
        ),
        section("cam", SourceKind::Camera, video.clone(), rids),
        section("scr", SourceKind::Screen, video, &[]),
    ]
}

/// Sections of a client that receives `audio` slots, main, second and `thumbnails`.
pub(crate) fn tx_media(audio: u8, thumbnails: u8) -> Vec<TxMedia> {
    let mut slots: Vec<SlotId> = (0..audio).map(SlotId::Audio).collect();
    slots.extend([SlotId::Main, SlotId::Second]);
    slots.extend((0..thumbnails).map(SlotId::Thumbnail));
    slots
        .iter()
        .enumerate()
        .map(|(at, slot)| {
            let at = u32::try_from(at).unwrap();
            let is_audio = matches!(slot, SlotId::Audio(_));
            TxMedia {
                mid: Mid::new(&format!("s{at}")).unwrap(),
                slot: *slot,
                codecs: if is_audio {
                    vec![codec(Codec::Opus, OPUS, None)]
                } else {
                    vec![codec(Codec::Vp8, OUT_VP8, Some(OUT_VP8_RTX))]
                },
                ssrc: Ssrc(0x1000 + at),
                rtx_ssrc: (!is_audio).then_some(Ssrc(0x2000 + at)),
                extensions: extensions(),
            }
        })
        .collect()
}
