//! Offers bent out of shape: an error or an answer, never a panic.

use estrade_sdp::{AnswerParams, IceFragment, Offer, OfferError, Profile, negotiate};
use estrade_types::{Fingerprint, IceCredentials, LinkKind, Ssrc};
use proptest::prelude::*;

const GOOD: &str = include_str!("../offers/chromium-sendrecv.sdp");

/// Takes an offer as far as it goes.
fn exercise(text: &str) -> Result<String, OfferError> {
    let offer = Offer::parse(text)?;
    let profile = Profile {
        link: LinkKind::WebSocket,
        audio_slots: 3,
        second: true,
        thumbnails: 4,
        may_publish: true,
    };
    let negotiated = negotiate(&offer, profile, &mut || Ssrc(7))?;
    assert!(negotiated.rx.iter().all(|rx| !rx.codecs.is_empty()));
    assert!(negotiated.tx.iter().all(|tx| !tx.codecs.is_empty()));
    assert!(!negotiated.fingerprints.is_empty());
    let local_ice = IceCredentials {
        ufrag: "ufrag".to_owned(),
        pwd: "passwordpasswordpassword".to_owned(),
    };
    Ok(negotiated.answer(AnswerParams {
        local_ice: &local_ice,
        fingerprint: Fingerprint([0; 32]),
        candidates: &["192.0.2.1:7900".parse().unwrap()],
        session_id: 1,
        session_version: 1,
    }))
}

/// A line of SDP, or of nothing like it.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z]=[ -~]{0,40}",
        "a=(mid|rtpmap|fmtp|rtcp-fb|extmap|rid|simulcast|ssrc|ssrc-group|group|setup|fingerprint|ice-ufrag|ice-pwd):[ -~]{0,40}",
        r"a=(rtpmap|fmtp|rtcp-fb|extmap|rid|simulcast|ssrc|setup|fingerprint):\PC{0,40}",
        r"a=fmtp:(103|104|107|108|109|114|115) (profile-level-id|apt|packetization-mode)=\PC{0,8}",
        "m=(audio|video|application) [0-9]{1,6} [A-Z/]{1,20}( [0-9]{1,3}){0,4}",
        "[orz]=[0-9dhms -]{0,30}",
        "z=(1 é)+",
    ]
}

proptest! {
    #[test]
    fn any_text_gives_a_value_or_an_error(text in any::<String>()) {
        let _outcome = exercise(&text);
        let _fragment = IceFragment::parse(&text);
    }

    #[test]
    fn a_good_offer_with_lines_put_in_gives_a_value_or_an_error(
        lines in prop::collection::vec((any::<prop::sample::Index>(), line()), 1..6),
        is_replacing in any::<bool>(),
    ) {
        let mut text: Vec<String> = GOOD.lines().map(str::to_owned).collect();
        for (at, line) in lines {
            let at = at.index(text.len());
            if is_replacing {
                text[at] = line;
            } else {
                text.insert(at, line);
            }
        }
        let answer = exercise(&text.join("\r\n"));
        if let Ok(answer) = answer {
            prop_assert!(Offer::parse(&answer).is_ok(), "{answer}");
        }
    }

    #[test]
    fn a_good_offer_cut_short_gives_a_value_or_an_error(at in 0..GOOD.len()) {
        let _outcome = exercise(&GOOD[..at]);
    }

    #[test]
    fn a_fragment_reads_back_as_it_was_written(
        ufrag in prop::option::of("[a-zA-Z0-9+/]{4,32}"),
        pwd in prop::option::of("[a-zA-Z0-9+/]{22,64}"),
        mid in prop::option::of("[a-z0-9]{1,16}"),
        candidates in prop::collection::vec(any::<(std::net::IpAddr, u16)>(), 0..8),
        is_lite in any::<bool>(),
        is_end in any::<bool>(),
    ) {
        let fragment = IceFragment {
            ufrag,
            pwd,
            mid: mid.as_deref().and_then(estrade_types::Mid::new),
            is_lite,
            candidates: candidates.into_iter().map(Into::into).collect(),
            is_end,
        };
        prop_assert_eq!(IceFragment::parse(&fragment.to_string()), Ok(fragment));
    }
}

#[test]
fn limits_are_told_as_such() {
    let with = |extra: &str, times: usize| {
        let text = format!("{}{}", GOOD, extra.repeat(times));
        exercise(&text).unwrap_err()
    };
    assert_eq!(with("a=x\r\n", 20_000), OfferError::TooLarge);
    assert!(matches!(
        with("a=\r\n", 4_100),
        OfferError::TooMany { what: "lines", .. }
    ));
    assert!(matches!(
        with("m=audio 9 X 0\r\n", 1_000),
        OfferError::TooMany {
            what: "media sections",
            ..
        }
    ));
    let extensions: String = (0..300)
        .map(|id| format!("a=extmap:{id} urn:x\r\n"))
        .collect();
    assert!(matches!(with(&extensions, 1), OfferError::TooMany { .. }));
}
