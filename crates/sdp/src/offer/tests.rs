use estrade_types::{DeclaredSsrc, Ssrc};

use super::*;

/// An offer of one video section with these lines, and these in front of it.
pub(crate) fn offer_with(session: &str, section: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n{session}\
         m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:0\r\na=rtcp-mux\r\n\
         a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n{section}"
    )
}

/// A transport that passes.
pub(crate) const TRANSPORT: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n\
    a=setup:actpass\r\na=fingerprint:SHA-256 \
    00:01:02:03:04:05:06:07:08:09:0a:0B:0C:0D:0E:0F:\
    00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F\r\n";

fn section(lines: &str) -> OfferedSection {
    let offer = Offer::parse(&offer_with(TRANSPORT, lines)).unwrap();
    offer.sections.into_iter().next().unwrap()
}

#[test]
fn a_section_inherits_the_transport_of_the_session_and_may_say_its_own() {
    let inherited = section("").transport;
    assert_eq!(inherited.ice.as_ref().unwrap().ufrag, "abcd");
    assert_eq!(inherited.setup, Some(Setup::ActPass));
    assert_eq!(inherited.fingerprints[0].0[10], 0x0a);
    let own = section("a=ice-ufrag:efgh\r\na=ice-pwd:ABCDEFGHIJKLMNOPQRSTUV\r\n").transport;
    assert_eq!(own.ice.unwrap().ufrag, "efgh");
    assert_eq!(own.fingerprints, inherited.fingerprints);
}

#[test]
fn fingerprints_of_other_hashes_or_of_a_wrong_form_do_not_count() {
    for line in [
        "a=fingerprint:sha-1 00:01\r\n",
        "a=fingerprint:sha-256 00:01\r\n",
        "a=fingerprint:sha-256 +1:01\r\n",
        "a=fingerprint:sha-256\r\n",
    ] {
        let offer = Offer::parse(&offer_with(line, "")).unwrap();
        assert!(
            offer.sections[0].transport.fingerprints.is_empty(),
            "{line}"
        );
    }
}

#[test]
fn credentials_of_a_wrong_form_are_named() {
    for (ufrag, pwd) in [
        ("abc", "abcdefghijklmnopqrstuv"),
        ("abcd", "short"),
        ("a:cd", "x"),
    ] {
        let lines = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n");
        let error = Offer::parse(&offer_with(&lines, "")).unwrap_err();
        assert!(matches!(error, OfferError::Unsupported { .. }), "{error}");
    }
}

#[test]
fn simulcast_takes_the_first_alternative_of_declared_rids_in_order() {
    let rids = |lines: &str| -> Vec<String> {
        let rids = section(lines).simulcast;
        rids.iter().map(|rid| rid.as_str().to_owned()).collect()
    };
    let declared = "a=rid:q send\r\na=rid:h send pt=96\r\na=rid:f send\r\na=rid:r recv\r\n";
    let all = format!("{declared}a=simulcast:send q;~h,f;f\r\n");
    assert_eq!(rids(&all), ["q", "h", "f"]);
    let both = format!("{declared}a=simulcast:recv r send f;q\r\n");
    assert_eq!(rids(&both), ["f", "q"]);
    let undeclared = format!("{declared}a=simulcast:send x;q;r;q\r\n");
    assert_eq!(rids(&undeclared), ["q"]);
    assert!(rids(declared).is_empty());
    assert!(rids("a=simulcast:send q;h\r\n").is_empty());
}

#[test]
fn the_stream_is_the_first_ssrc_that_repairs_no_other() {
    let lines = "a=ssrc-group:FID 10 11\r\na=ssrc-group:FEC-FR 10 12\r\n\
        a=ssrc:11 cname:x\r\na=ssrc:12 cname:x\r\na=ssrc:10 cname:x\r\na=ssrc:4294967296 x\r\n";
    assert_eq!(
        section(lines).ssrcs,
        [DeclaredSsrc {
            ssrc: Ssrc(10),
            rtx: Some(Ssrc(11))
        }]
    );
    assert!(section("").ssrcs.is_empty());
}

#[test]
fn payload_types_that_cannot_be_on_the_wire_are_left_out() {
    let text = offer_with(
        TRANSPORT,
        "a=rtpmap:200 VP8/90000\r\na=rtpmap:72 VP8/90000\r\n",
    )
    .replace("SAVPF 96 97", "SAVPF 200 72 300 96 97 96");
    let offer = Offer::parse(&text).unwrap();
    let payload_types: Vec<u8> = offer.sections[0]
        .codecs
        .iter()
        .map(|codec| codec.payload_type.value())
        .collect();
    assert_eq!(payload_types, [96, 97]);
}

#[test]
fn a_mid_used_twice_is_refused() {
    let text = offer_with(TRANSPORT, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n");
    assert!(matches!(
        Offer::parse(&text),
        Err(OfferError::Unsupported { .. })
    ));
}

#[test]
fn syntax_errors_name_the_line() {
    let line = |text: &str| match Offer::parse(text) {
        Err(OfferError::Syntax { line }) => line,
        other => panic!("{other:?}"),
    };
    assert_eq!(line("v=0\r\nnonsense"), Some(2));
    assert_eq!(line("v=0\r\nb=X\r\no=- x 1 IN IP4 0.0.0.0\r\n"), Some(3));
    assert_eq!(line(&offer_with("", "m=video\r\n")), Some(12));
    assert_eq!(line("v=0\r\no=a\rb\r\n"), Some(2));
}

#[test]
fn lines_that_we_do_not_read_cannot_fail_the_offer() {
    let text = offer_with(TRANSPORT, "i=x\r\nb=nonsense\r\nk=\r\nc=nowhere\r\n")
        .replace("s=-\r\nt=0 0\r\n", "s=-\r\nu=::\r\nc=x\r\nb=y\r\n");
    assert!(Offer::parse(&text).is_ok());
}
