//! Chooses codecs from an offer. RFC 7587 §7, RFC 7741 §6, RFC 6184 §8.2, RFC 4588 §8.

use estrade_types::{Codec, MediaKind, NegotiatedCodec, PayloadType};

use crate::{OfferedCodec, OfferedSection};

/// A codec taken from the offer, with what the answer says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChosenCodec {
    /// The codec.
    pub(crate) codec: Codec,
    /// As offered; its payload type and name are kept.
    pub(crate) offered: OfferedCodec,
    /// Payload type of its retransmissions.
    pub(crate) rtx: Option<PayloadType>,
}

impl ChosenCodec {
    /// For the media plane.
    pub(crate) fn negotiated(&self) -> NegotiatedCodec {
        NegotiatedCodec {
            codec: self.codec,
            payload_type: self.offered.payload_type,
            rtx_payload_type: self.rtx,
        }
    }
}

/// The codecs of `section` that we route, one of each, in the offer's order.
pub(crate) fn choose(section: &OfferedSection, kind: MediaKind) -> Vec<ChosenCodec> {
    let best_h264 = section
        .codecs
        .iter()
        .enumerate()
        .filter_map(|(order, codec)| Some((h264_rank(codec)?, order, codec.payload_type)))
        .min_by_key(|(rank, order, _)| (*rank, *order))
        .map(|(.., payload_type)| payload_type);
    let mut chosen: Vec<ChosenCodec> = Vec::new();
    for offered in &section.codecs {
        let Some(codec) = recognize(offered).filter(|codec| codec.media_kind() == kind) else {
            continue;
        };
        let is_passed_over = codec == Codec::H264 && best_h264 != Some(offered.payload_type);
        if is_passed_over || chosen.iter().any(|known| known.codec == codec) {
            continue;
        }
        chosen.push(ChosenCodec {
            codec,
            rtx: rtx_of(section, offered),
            offered: offered.clone(),
        });
    }
    chosen
}

fn recognize(offered: &OfferedCodec) -> Option<Codec> {
    let is = |name: &str, clock_rate: u32| {
        offered.name.eq_ignore_ascii_case(name) && offered.clock_rate == clock_rate
    };
    if is("opus", 48_000) {
        // RFC 7587 §7: always two channels in `a=rtpmap`.
        (offered.channels == 2).then_some(Codec::Opus)
    } else if is("VP8", 90_000) {
        Some(Codec::Vp8)
    } else if is("H264", 90_000) {
        h264_rank(offered).map(|_| Codec::H264)
    } else {
        None
    }
}

/// How well an offered H.264 suits us: lower is better, `None` not at all.
///
/// Constrained baseline with packetization mode 1 is what every browser decodes. Plain baseline is
/// the same for real encoders, and mode 0 or a missing profile are taken when nothing better is there.
fn h264_rank(offered: &OfferedCodec) -> Option<u8> {
    if !offered.name.eq_ignore_ascii_case("H264") {
        return None;
    }
    let mode_penalty = match offered.parameter("packetization-mode") {
        Some("1") => 0,
        None | Some("0") => 4,
        Some(_) => return None,
    };
    let profile_penalty = match offered.parameter("profile-level-id") {
        None => 3,
        Some(profile) => {
            // By `get`: a character may span what should be two digits.
            let (profile_idc, profile_iop) = (profile.get(..2)?, profile.get(2..4)?);
            let constraints = u8::from_str_radix(profile_iop, 16).ok()?;
            // constraint_set1_flag makes baseline constrained. RFC 6184 §8.1.
            match (profile_idc, constraints & 0x40 != 0) {
                ("42", true) => 0,
                ("42", false) => 1,
                _ => return None,
            }
        }
    };
    // An endpoint that cannot send another level than it takes is second choice.
    let symmetry_penalty = u8::from(offered.parameter("level-asymmetry-allowed") != Some("1"));
    Some(mode_penalty + profile_penalty + symmetry_penalty)
}

/// The payload type that repairs `codec`.
fn rtx_of(section: &OfferedSection, codec: &OfferedCodec) -> Option<PayloadType> {
    section
        .codecs
        .iter()
        .find(|rtx| {
            rtx.name.eq_ignore_ascii_case("rtx")
                && rtx.clock_rate == codec.clock_rate
                && rtx.parameter("apt").and_then(|apt| apt.parse().ok())
                    == Some(codec.payload_type.value())
        })
        .map(|rtx| rtx.payload_type)
}
