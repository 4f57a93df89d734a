//! One media section.

use std::collections::BTreeSet;

use estrade_types::{DeclaredSsrc, MediaKind, Mid, Rid, Ssrc};
use rtc::sdp::MediaDescription;
use rtc::sdp::description::common::Attribute;

use super::{OfferedCodec, OfferedExtension, OfferedSection, TransportAttributes, attribute};
use crate::OfferError;

/// Formats of one section: there are no more payload types.
const FORMATS_MAX: usize = 128;

/// Header extensions of one section; browsers offer up to about 20.
const EXTENSIONS_MAX: usize = 64;

/// `a=ssrc-group` and distinct SSRCs of one section.
const SSRCS_MAX: usize = 64;

/// `a=rtcp-fb` lines of one section; browsers offer up to about 100.
const FEEDBACK_MAX: usize = 512;

/// Reads one section; `session` is what the session level says.
pub(super) fn read(
    media: &MediaDescription,
    session_attributes: &[Attribute],
    session: &TransportAttributes,
) -> Result<OfferedSection, OfferError> {
    let name = &media.media_name;
    if name.formats.len() > FORMATS_MAX {
        return Err(too_many("formats in a section", FORMATS_MAX));
    }
    let mid_text = value(media, "mid").map(str::to_owned);
    let port_is_zero = name.port.value == 0;
    Ok(OfferedSection {
        kind: match name.media.as_str() {
            "audio" => Some(MediaKind::Audio),
            "video" => Some(MediaKind::Video),
            _ => None,
        },
        media: name.media.clone(),
        protocol: name.protos.join("/"),
        formats: name.formats.clone(),
        is_enabled: !port_is_zero || media.has_attribute("bundle-only"),
        mid: mid_text.as_deref().and_then(Mid::new),
        mid_text,
        direction: media
            .attributes
            .iter()
            .chain(session_attributes)
            .find_map(|attribute| attribute::direction(&attribute.key))
            .unwrap_or_default(),
        transport: merge(attribute::transport(&media.attributes)?, session),
        has_rtcp_mux: media.has_attribute("rtcp-mux") || media.has_attribute("rtcp-mux-only"),
        has_rtcp_rsize: media.has_attribute("rtcp-rsize"),
        codecs: codecs(media)?,
        extensions: extensions(media, session_attributes)?,
        simulcast: simulcast(media),
        ssrcs: ssrcs(media)?,
    })
}

fn too_many(what: &'static str, max: usize) -> OfferError {
    OfferError::TooMany { what, max }
}

/// The first value of an attribute, trimmed; `None` when absent or empty.
fn value<'a>(media: &'a MediaDescription, key: &str) -> Option<&'a str> {
    media
        .attribute(key)
        .flatten()
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// Every value of an attribute.
fn values<'a>(attributes: &'a [Attribute], key: &'a str) -> impl Iterator<Item = &'a str> {
    attributes
        .iter()
        .filter(move |attribute| attribute.key == key)
        .filter_map(|attribute| attribute.value.as_deref())
        .map(str::trim)
}

fn merge(own: TransportAttributes, session: &TransportAttributes) -> TransportAttributes {
    TransportAttributes {
        ice: own.ice.or_else(|| session.ice.clone()),
        fingerprints: if own.fingerprints.is_empty() {
            session.fingerprints.clone()
        } else {
            own.fingerprints
        },
        setup: own.setup.or(session.setup),
    }
}

fn codecs(media: &MediaDescription) -> Result<Vec<OfferedCodec>, OfferError> {
    let mapped: Vec<OfferedCodec> = values(&media.attributes, "rtpmap")
        .take(FORMATS_MAX)
        .filter_map(attribute::rtpmap)
        .collect();
    // The order of the `m=` line is the order of preference. RFC 8866 §5.14.
    let mut codecs: Vec<OfferedCodec> = Vec::new();
    for format in &media.media_name.formats {
        let found = mapped
            .iter()
            .find(|codec| format.parse() == Ok(codec.payload_type.value()));
        let is_new = |codec: &&OfferedCodec| {
            codecs
                .iter()
                .all(|known| known.payload_type != codec.payload_type)
        };
        if let Some(codec) = found.filter(is_new) {
            codecs.push(codec.clone());
        }
    }
    for value in values(&media.attributes, "fmtp") {
        if let Some((payload_type, parameters)) = value.split_once(' ') {
            for codec in &mut codecs {
                if payload_type.parse() == Ok(codec.payload_type.value()) && codec.fmtp.is_empty() {
                    codec.fmtp = parameters.trim().to_owned();
                }
            }
        }
    }
    for (count, value) in values(&media.attributes, "rtcp-fb").enumerate() {
        if count >= FEEDBACK_MAX {
            return Err(too_many("a=rtcp-fb lines in a section", FEEDBACK_MAX));
        }
        let Some((payload_type, feedback)) = value.split_once(' ') else {
            continue;
        };
        for codec in &mut codecs {
            if payload_type == "*" || payload_type.parse() == Ok(codec.payload_type.value()) {
                codec.feedback.push(feedback.trim().to_ascii_lowercase());
            }
        }
    }
    Ok(codecs)
}

fn extensions(
    media: &MediaDescription,
    session_attributes: &[Attribute],
) -> Result<Vec<OfferedExtension>, OfferError> {
    let mut extensions: Vec<OfferedExtension> = Vec::new();
    for value in values(&media.attributes, "extmap").chain(values(session_attributes, "extmap")) {
        let Some(extension) = attribute::extmap(value) else {
            continue;
        };
        // An identifier names one extension: a second claim to it is not heard. RFC 8285 §5.
        if extensions.iter().any(|known| known.id == extension.id) {
            continue;
        }
        if extensions.len() >= EXTENSIONS_MAX {
            return Err(too_many("header extensions in a section", EXTENSIONS_MAX));
        }
        extensions.push(extension);
    }
    Ok(extensions)
}

/// The encodings offered for sending, the first alternative of each. RFC 8853 §5.1.
fn simulcast(media: &MediaDescription) -> Vec<Rid> {
    let sending: BTreeSet<&str> = values(&media.attributes, "rid")
        .filter_map(|value| {
            let mut words = value.split_ascii_whitespace();
            let rid = words.next()?;
            (words.next() == Some("send")).then_some(rid)
        })
        .collect();
    let Some(value) = value(media, "simulcast") else {
        return Vec::new();
    };
    let mut words = value.split_ascii_whitespace();
    let mut list = None;
    while let Some(direction) = words.next() {
        let streams = words.next();
        if direction == "send" {
            list = streams;
        }
    }
    let mut rids: Vec<Rid> = Vec::new();
    for stream in list.unwrap_or_default().split(';') {
        let first = stream.split(',').next().unwrap_or_default();
        // `~` marks an encoding that is paused for now. RFC 8853 §5.1.
        let rid = first.trim_start_matches('~');
        if let Some(rid) = Rid::new(rid).filter(|_| sending.contains(rid))
            && !rids.contains(&rid)
        {
            rids.push(rid);
        }
    }
    rids
}

/// The section's stream: the first SSRC that repairs no other, and the one that repairs it.
fn ssrcs(media: &MediaDescription) -> Result<Vec<DeclaredSsrc>, OfferError> {
    let mut declared: Vec<Ssrc> = Vec::new();
    for value in values(&media.attributes, "ssrc") {
        let word = value.split_ascii_whitespace().next().unwrap_or_default();
        if let Some(ssrc) = word.parse().ok().map(Ssrc)
            && !declared.contains(&ssrc)
        {
            declared.push(ssrc);
        }
        if declared.len() > SSRCS_MAX {
            return Err(too_many("SSRCs in a section", SSRCS_MAX));
        }
    }
    let mut repairs: Vec<(Ssrc, Ssrc)> = Vec::new();
    let mut repairing: BTreeSet<Ssrc> = BTreeSet::new();
    for (count, value) in values(&media.attributes, "ssrc-group").enumerate() {
        if count >= SSRCS_MAX {
            return Err(too_many("SSRC groups in a section", SSRCS_MAX));
        }
        let mut words = value.split_ascii_whitespace();
        let semantics = words.next().unwrap_or_default();
        let mut members = words.filter_map(|word| word.parse().ok().map(Ssrc));
        if let ("FID" | "FEC-FR", Some(media), Some(repair)) =
            (semantics, members.next(), members.next())
        {
            repairing.insert(repair);
            if semantics == "FID" && media != repair {
                repairs.push((media, repair));
            }
        }
    }
    let first = declared.iter().find(|ssrc| !repairing.contains(ssrc));
    Ok(first
        .map(|ssrc| DeclaredSsrc {
            ssrc: *ssrc,
            rtx: repairs
                .iter()
                .find(|(media, _)| media == ssrc)
                .map(|(_, repair)| *repair),
        })
        .into_iter()
        .collect())
}
