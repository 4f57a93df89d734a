//! The answers to real offers, reviewed as text.

use estrade_sdp::{AnswerParams, Negotiated, Offer, Profile, negotiate};
use estrade_types::{Codec, Fingerprint, IceCredentials, LinkKind, SlotId, SourceKind, Ssrc};

/// Answers with fixed parameters, so that the text can be compared.
fn answer(negotiated: &Negotiated) -> String {
    let local_ice = IceCredentials {
        ufrag: "serverufrag".to_owned(),
        pwd: "serverpasswordserverpassword".to_owned(),
    };
    negotiated.answer(AnswerParams {
        local_ice: &local_ice,
        fingerprint: Fingerprint([0xab; 32]),
        candidates: &[
            "192.0.2.1:7900".parse().unwrap(),
            "[2001:db8::1]:7900".parse().unwrap(),
        ],
        session_id: 1,
        session_version: 1,
    })
}

fn accept(text: &str, profile: Profile) -> Negotiated {
    let offer = Offer::parse(text).unwrap();
    let mut next = 1_000;
    let mut ssrcs = || {
        next += 1;
        Ssrc(next)
    };
    negotiate(&offer, profile, &mut ssrcs).unwrap()
}

const INTERACTIVE: Profile = Profile {
    link: LinkKind::WebSocket,
    audio_slots: 3,
    second: true,
    thumbnails: 1,
    may_publish: true,
};

const WHIP: Profile = Profile {
    link: LinkKind::Whip,
    ..INTERACTIVE
};

const WHEP: Profile = Profile {
    link: LinkKind::Whep,
    audio_slots: 1,
    second: false,
    thumbnails: 0,
    may_publish: false,
};

macro_rules! offer {
    ($name:literal) => {
        include_str!(concat!("../offers/", $name, ".sdp"))
    };
}

macro_rules! snapshot {
    ($name:literal, $profile:expr) => {{
        let negotiated = accept(offer!($name), $profile);
        insta::assert_snapshot!($name, answer(&negotiated).replace("\r\n", "\n"));
        negotiated
    }};
}

#[test]
fn the_sdk_gets_every_slot_and_every_source_from_both_browsers() {
    for negotiated in [
        snapshot!("chromium-sdk", INTERACTIVE),
        snapshot!("firefox-sdk", INTERACTIVE),
    ] {
        let slots: Vec<SlotId> = negotiated.tx.iter().map(|tx| tx.slot).collect();
        assert_eq!(
            slots,
            [
                SlotId::Audio(0),
                SlotId::Audio(1),
                SlotId::Audio(2),
                SlotId::Main,
                SlotId::Second,
                SlotId::Thumbnail(0)
            ]
        );
        let sources: Vec<SourceKind> = negotiated.rx.iter().map(|rx| rx.source).collect();
        assert_eq!(
            sources,
            [
                SourceKind::Microphone,
                SourceKind::Camera,
                SourceKind::Screen
            ]
        );
        let camera = &negotiated.rx[1];
        let rids: Vec<&str> = camera.rids.iter().map(|rid| rid.as_str()).collect();
        assert_eq!(rids, ["q", "h", "f"]);
        assert!(camera.ssrcs.is_empty());
        assert!(camera.extensions.rid.is_some() && camera.extensions.repaired_rid.is_some());
        assert!(camera.extensions.transport_cc.is_some());
        assert_eq!(camera.codecs[0].codec, Codec::Vp8);
        assert!(camera.codecs[0].rtx_payload_type.is_some());
        assert!(negotiated.tx[0].extensions.transport_cc.is_none());
        assert!(negotiated.tx[0].rtx_ssrc.is_none());
        assert!(negotiated.tx[3].rtx_ssrc.is_some());
    }
}

#[test]
fn slots_the_room_does_not_offer_are_inactive() {
    let listener = Profile {
        audio_slots: 1,
        second: false,
        thumbnails: 0,
        ..INTERACTIVE
    };
    let negotiated = accept(offer!("chromium-sdk"), listener);
    assert_eq!(negotiated.tx.len(), 2);
    let answer = answer(&negotiated);
    assert_eq!(answer.matches("a=inactive").count(), 4);
    assert_eq!(answer.matches("m=audio 0").count(), 0);
}

#[test]
fn players_get_a_voice_and_a_picture() {
    for negotiated in [
        snapshot!("chromium-whep", WHEP),
        snapshot!("firefox-whep", WHEP),
        snapshot!("aiortc-whep", WHEP),
        snapshot!("gstreamer-whep", WHEP),
    ] {
        let slots: Vec<SlotId> = negotiated.tx.iter().map(|tx| tx.slot).collect();
        assert_eq!(slots, [SlotId::Audio(0), SlotId::Main]);
        assert!(negotiated.rx.is_empty());
    }
}

#[test]
fn publishers_send_a_microphone_and_a_camera() {
    for (negotiated, codec) in [
        (snapshot!("chromium-whip", WHIP), Codec::Vp8),
        (snapshot!("firefox-whip", WHIP), Codec::Vp8),
        (snapshot!("aiortc-whip", WHIP), Codec::Vp8),
        (snapshot!("gstreamer-whip", WHIP), Codec::Vp8),
        (snapshot!("obs-whip", WHIP), Codec::H264),
    ] {
        let sources: Vec<SourceKind> = negotiated.rx.iter().map(|rx| rx.source).collect();
        assert_eq!(sources, [SourceKind::Microphone, SourceKind::Camera]);
        assert!(negotiated.tx.is_empty());
        assert_eq!(negotiated.rx[1].codecs[0].codec, codec);
        assert_eq!(negotiated.rx[1].ssrcs.len(), 1);
    }
}

#[test]
fn sendrecv_is_what_the_link_makes_of_it_and_data_channels_are_refused() {
    let published = snapshot!("chromium-sendrecv", WHIP);
    assert_eq!((published.rx.len(), published.tx.len()), (2, 0));
    let played = accept(offer!("firefox-sendrecv"), WHEP);
    assert_eq!((played.rx.len(), played.tx.len()), (0, 2));
    assert!(answer(&played).contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel"));
}

#[test]
fn our_answers_are_sdp_that_we_can_read_ourselves() {
    for text in [
        offer!("chromium-sdk"),
        offer!("firefox-sdk"),
        offer!("chromium-sendrecv"),
    ] {
        let offered = Offer::parse(text).unwrap();
        let answer = Offer::parse(&answer(&accept(text, INTERACTIVE))).unwrap();
        assert!(answer.is_lite);
        let mids = |offer: &Offer| -> Vec<Option<String>> {
            let sections = offer.sections.iter();
            sections.map(|section| section.mid_text.clone()).collect()
        };
        assert_eq!(mids(&answer), mids(&offered));
    }
}
