use estrade_types::Codec;

use super::*;
use crate::offer::tests::{TRANSPORT, offer_with};

const WHIP: Profile = Profile {
    link: LinkKind::Whip,
    audio_slots: 3,
    second: true,
    thumbnails: 0,
    may_publish: true,
};

fn decide(text: &str, profile: Profile) -> Result<Negotiated, OfferError> {
    let mut next = 0;
    let mut ssrcs = || {
        next += 1;
        Ssrc(next)
    };
    negotiate(&Offer::parse(text).unwrap(), profile, &mut ssrcs)
}

/// What is wrong with an offer of one section.
fn fault(session: &str, section: &str) -> String {
    let error = decide(&offer_with(session, section), WHIP).unwrap_err();
    error.to_string()
}

#[test]
fn what_makes_an_offer_useless_is_named() {
    let without = |line: &str| offer_with(TRANSPORT, "").replace(line, "");
    let fault_of = |text: &str| decide(text, WHIP).unwrap_err().to_string();
    assert_eq!(
        fault_of(&without("a=rtcp-mux\r\n")),
        "a=rtcp-mux is missing"
    );
    assert_eq!(fault_of(&without("a=mid:0\r\n")), "a=mid is missing");
    assert_eq!(
        fault_of(&without("BUNDLE 0").replace("group:", "group:BUNDLE 7")),
        "a=group:BUNDLE over every section is missing"
    );
    assert_eq!(
        fault_of(&without("a=rtpmap:96 VP8/90000\r\n")),
        "VP8 or H.264 constrained baseline in the video section is missing"
    );
    assert!(fault("a=ice-lite\r\n", "").contains("ice-lite"));
    assert!(fault("", "").contains("a=ice-ufrag"));
    let passive = TRANSPORT.replace("actpass", "passive");
    assert!(fault(&passive, "").contains("setup:passive"));
    let no_hash = TRANSPORT.replace("SHA-256", "sha-512");
    assert!(fault(&no_hash, "").contains("a=fingerprint:sha-256"));
    assert!(fault(TRANSPORT, "a=recvonly\r\n").contains("direction"));
    assert!(fault(TRANSPORT, "a=inactive\r\n").contains("direction"));
}

#[test]
fn a_lone_section_needs_no_bundle() {
    let text = offer_with(TRANSPORT, "").replace("a=group:BUNDLE 0\r\n", "");
    assert!(decide(&text, WHIP).is_ok());
}

#[test]
fn one_odd_section_costs_that_section_alone() {
    let odd = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\na=rtcp-mux\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n\
        m=video 9 RTP/AVP 96\r\na=mid:far-too-long-to-stand-in-a-packet\r\n";
    let text = offer_with(TRANSPORT, odd).replace("BUNDLE 0", "BUNDLE 0 1 2 3");
    let negotiated = decide(&text, WHIP).unwrap();
    assert_eq!(negotiated.rx.len(), 1);
    let rejected: Vec<bool> = negotiated
        .sections
        .iter()
        .map(Section::is_rejected)
        .collect();
    assert_eq!(rejected, [false, true, true, true]);
}

#[test]
fn the_best_h264_is_taken_and_the_others_are_not() {
    let best = |profiles: &[&str]| -> Option<usize> {
        let mut lines = String::new();
        let mut formats = String::new();
        for (index, fmtp) in profiles.iter().enumerate() {
            let payload_type = 100 + index;
            formats.push_str(&format!(" {payload_type}"));
            lines.push_str(&format!("a=rtpmap:{payload_type} H264/90000\r\n"));
            lines.push_str(&format!("a=fmtp:{payload_type} {fmtp}\r\n"));
        }
        let text = offer_with(TRANSPORT, &lines).replace(" 96 97", &formats);
        let codecs = decide(&text, WHIP).ok()?.rx.first()?.codecs.clone();
        assert_eq!(codecs.len(), 1);
        assert_eq!(codecs[0].codec, Codec::H264);
        Some(usize::from(codecs[0].payload_type.value()) - 100)
    };
    const ANY_LEVEL: &str = "level-asymmetry-allowed=1";
    let with = |mode: u8, profile: &str| {
        format!("{ANY_LEVEL};packetization-mode={mode};profile-level-id={profile}")
    };
    let (base0, base1) = (with(0, "42001f"), with(1, "42001f"));
    let (constrained0, constrained1) = (with(0, "42e01f"), with(1, "42e01f"));
    let (main1, high1) = (with(1, "4d001f"), with(1, "64001f"));
    assert_eq!(
        best(&[&base1, &base0, &constrained1, &constrained0]),
        Some(2)
    );
    assert_eq!(best(&[&constrained0, &base1]), Some(1));
    assert_eq!(best(&[&main1, &high1, &base0]), Some(2));
    assert_eq!(
        best(&["packetization-mode=1;profile-level-id=42e01f"]),
        Some(0)
    );
    assert_eq!(best(&["packetization-mode=1"]), Some(0));
    assert_eq!(best(&["x=y"]), Some(0));
    assert_eq!(best(&[&main1, &high1]), None);
    assert_eq!(
        best(&["packetization-mode=2;profile-level-id=42e01f"]),
        None
    );
    assert_eq!(best(&["profile-level-id=4ée01f"]), None);
}

#[test]
fn ssrcs_never_repeat_and_never_meet_the_offers() {
    let text = offer_with(TRANSPORT, "a=recvonly\r\na=ssrc:1 cname:x\r\n");
    let profile = Profile {
        link: LinkKind::Whep,
        ..WHIP
    };
    let mut ssrcs = || Ssrc(0);
    let negotiated = negotiate(&Offer::parse(&text).unwrap(), profile, &mut ssrcs).unwrap();
    assert_eq!(negotiated.tx[0].ssrc, Ssrc(2));
    assert_eq!(negotiated.tx[0].rtx_ssrc, Some(Ssrc(3)));
}

#[test]
fn extensions_keep_the_offers_ids_and_directions_and_no_id_beyond_one_byte() {
    let lines = "a=extmap:5/sendonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
        a=extmap:6/recvonly urn:3gpp:video-orientation\r\n\
        a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
        a=extmap:7 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
        a=extmap:7 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n\
        a=extmap:8 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
        a=extmap:9 urn:unknown\r\n";
    let negotiated = decide(&offer_with(TRANSPORT, lines), WHIP).unwrap();
    let map = negotiated.rx[0].extensions;
    assert_eq!(map.rid.map(|id| id.value()), Some(5));
    assert_eq!(map.mid.map(|id| id.value()), Some(7));
    assert_eq!(map.video_orientation, None);
    assert_eq!((map.repaired_rid, map.audio_level), (None, None));
}
