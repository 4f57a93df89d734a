use estrade_types::{ExtensionId, SourceKind};

use super::*;

fn codec(payload_type: u8, rtx: u8) -> NegotiatedCodec {
    NegotiatedCodec {
        codec: Codec::Vp8,
        payload_type: PayloadType::from_octet(payload_type),
        rtx_payload_type: Some(PayloadType::from_octet(rtx)),
    }
}

fn section(mid: &str, source: SourceKind, rids: &[&str], payload_type: u8) -> RxMedia {
    RxMedia {
        mid: Mid::new(mid).unwrap(),
        source,
        codecs: vec![codec(payload_type, payload_type + 1)],
        rids: rids.iter().map(|rid| Rid::new(rid).unwrap()).collect(),
        ssrcs: Vec::new(),
        extensions: ExtensionMap {
            mid: ExtensionId::new(1),
            ..ExtensionMap::default()
        },
    }
}

fn packet(ssrc: u32, payload_type: u8) -> [u8; 12] {
    let [a, b, c, d] = ssrc.to_be_bytes();
    [0x80, payload_type, 0, 1, 0, 0, 0, 0, a, b, c, d]
}

fn bind(
    binding: &mut Binding,
    ssrc: u32,
    payload_type: u8,
    [mid, rid, repaired]: [&str; 3],
) -> Result<(u8, u8, bool), DropReason> {
    let packet = packet(ssrc, payload_type);
    let extensions = HeaderExtensions {
        mid: Mid::new(mid),
        rid: Rid::new(rid),
        repaired_rid: Rid::new(repaired),
        ..HeaderExtensions::default()
    };
    let stream = binding.bind(&RtpView::parse(&packet).unwrap(), &extensions)?;
    Ok((stream.section, stream.layer, stream.is_rtx))
}

fn simulcast() -> Binding {
    Binding::new(&[
        section("cam", SourceKind::Camera, &["q", "h"], 96),
        section("scr", SourceKind::Screen, &[], 96),
    ])
}

#[test]
fn encodings_are_bound_by_mid_and_rid_and_their_repair_by_rrid() {
    let mut binding = simulcast();
    assert_eq!(
        bind(&mut binding, 1, 96, ["cam", "h", ""]),
        Ok((0, 1, false))
    );
    assert_eq!(
        bind(&mut binding, 2, 97, ["cam", "", "h"]),
        Ok((0, 1, true))
    );
    assert_eq!(
        bind(&mut binding, 3, 96, ["scr", "", ""]),
        Ok((1, 0, false))
    );
    assert_eq!(bind(&mut binding, 4, 97, ["scr", "", ""]), Ok((1, 0, true)));
    // Once bound, no identifiers are needed.
    assert_eq!(bind(&mut binding, 1, 96, ["", "", ""]), Ok((0, 1, false)));
    assert_eq!(bind(&mut binding, 2, 97, ["", "", ""]), Ok((0, 1, true)));
}

#[test]
fn what_names_no_encoding_is_not_bound() {
    let mut binding = simulcast();
    let unknown = Err(DropReason::UnknownSsrc);
    assert_eq!(bind(&mut binding, 1, 96, ["cam", "", ""]), unknown);
    assert_eq!(bind(&mut binding, 1, 97, ["cam", "", ""]), unknown);
    assert_eq!(bind(&mut binding, 1, 96, ["", "q", ""]), unknown);
    assert_eq!(bind(&mut binding, 1, 96, ["", "", ""]), unknown);
    assert_eq!(bind(&mut binding, 1, 96, ["mic", "", ""]), unknown);
    assert_eq!(bind(&mut binding, 1, 96, ["cam", "x", ""]), unknown);
}

#[test]
fn declared_ssrcs_need_no_identifiers() {
    let mut media = section("0", SourceKind::Camera, &[], 96);
    media.ssrcs = vec![DeclaredSsrc {
        ssrc: Ssrc(7),
        rtx: Some(Ssrc(8)),
    }];
    let mut binding = Binding::new(&[media]);
    assert_eq!(bind(&mut binding, 7, 96, ["", "", ""]), Ok((0, 0, false)));
    assert_eq!(bind(&mut binding, 8, 97, ["", "", ""]), Ok((0, 0, true)));
    assert_eq!(
        bind(&mut binding, 8, 96, ["", "", ""]),
        Err(DropReason::UnknownPayloadType)
    );
}

#[test]
fn a_payload_type_that_only_one_section_has_will_do() {
    let mut binding = Binding::new(&[
        section("0", SourceKind::Camera, &[], 96),
        section("1", SourceKind::Screen, &[], 98),
    ]);
    assert_eq!(bind(&mut binding, 1, 98, ["", "", ""]), Ok((1, 0, false)));
    assert_eq!(bind(&mut binding, 2, 99, ["", "", ""]), Ok((1, 0, true)));
}

#[test]
fn another_ssrc_takes_a_layer_over_and_the_table_stays_small() {
    let mut binding = simulcast();
    for ssrc in 0..1_000 {
        assert_eq!(
            bind(&mut binding, ssrc, 96, ["cam", "q", ""]),
            Ok((0, 0, false))
        );
    }
    assert_eq!(binding.bound.len(), 1);
    assert_eq!(binding.media_layer(Ssrc(999)), Some((0, 0)));
    assert_eq!(binding.media_layer(Ssrc(998)), None);
}
