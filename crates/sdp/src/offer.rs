//! Reads an offer into typed sections. RFC 8866, RFC 8829 §5.8.
//!
//! The grammar is webrtc-rs's parser; before it run our own limits, after it our own reading of the
//! attributes. What cannot be read in one section costs that section, not the offer.

mod attribute;
mod section;
mod text;

use estrade_types::{
    DeclaredSsrc, Fingerprint, IceCredentials, MediaKind, Mid, PayloadType, Rid, limits,
};

use crate::OfferError;

pub(crate) use attribute::credentials;

/// Sections in one offer; one with more is refused. All slots, all sources, and some to spare.
pub(crate) const SECTIONS_MAX: usize = limits::TX_SECTIONS_MAX + limits::RX_SECTIONS_MAX + 12;

/// An offer, read and typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Media sections in their order.
    pub sections: Vec<OfferedSection>,
    /// Members of the first `a=group:BUNDLE`, in its order. RFC 9143 §5.
    pub bundle: Vec<String>,
    /// Whether the endpoint says it is ICE-lite. RFC 8839 §5.3.
    pub is_lite: bool,
}

/// One `m=` section of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedSection {
    /// The word after `m=`.
    pub media: String,
    /// `UDP/TLS/RTP/SAVPF` and the like.
    pub protocol: String,
    /// The formats of the `m=` line, as written.
    pub formats: Vec<String>,
    /// Audio or video; `None` for a data channel and other things we do not take.
    pub kind: Option<MediaKind>,
    /// Whether the section is meant: port not zero, or `a=bundle-only`.
    pub is_enabled: bool,
    /// `a=mid` as written.
    pub mid_text: Option<String>,
    /// `a=mid`, where it can stand in a packet.
    pub mid: Option<Mid>,
    /// Direction, as the endpoint sees it.
    pub direction: Direction,
    /// ICE and DTLS, the section's own or the session's.
    pub transport: TransportAttributes,
    /// `a=rtcp-mux`. RFC 5761 §5.1.1.
    pub has_rtcp_mux: bool,
    /// `a=rtcp-rsize`. RFC 5506 §5.
    pub has_rtcp_rsize: bool,
    /// Codecs in the order of the `m=` line; those without `a=rtpmap` are left out.
    pub codecs: Vec<OfferedCodec>,
    /// Header extensions.
    pub extensions: Vec<OfferedExtension>,
    /// Encodings the endpoint offers to send, in the order of `a=simulcast`.
    pub simulcast: Vec<Rid>,
    /// The SSRC declared for the section's stream; further ones (plan B, FEC) are left out.
    pub ssrcs: Vec<DeclaredSsrc>,
}

/// Direction of a section. RFC 8866 §6.7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// The offerer sends.
    SendOnly,
    /// The offerer receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

/// DTLS role the offerer wants. RFC 8842 §5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Either.
    ActPass,
    /// Client.
    Active,
    /// Server.
    Passive,
    /// `holdconn`, or a word we do not know.
    Other,
}

/// What a section says about its transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransportAttributes {
    /// `a=ice-ufrag` and `a=ice-pwd`.
    pub ice: Option<IceCredentials>,
    /// Every `a=fingerprint:sha-256`. RFC 8122 §5.
    pub fingerprints: Vec<Fingerprint>,
    /// `a=setup`.
    pub setup: Option<Setup>,
}

/// A codec as offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedCodec {
    /// Payload type.
    pub payload_type: PayloadType,
    /// Encoding name, as written.
    pub name: String,
    /// Clock rate in Hz.
    pub clock_rate: u32,
    /// Channels; 1 unless said.
    pub channels: u8,
    /// Parameters of `a=fmtp`, as written; empty without one.
    pub fmtp: String,
    /// Values of `a=rtcp-fb` for it or for `*`.
    pub feedback: Vec<String>,
}

/// A header extension as offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedExtension {
    /// Identifier; may be one we cannot use.
    pub id: u16,
    /// Direction as the offerer sees it.
    pub direction: Direction,
    /// URI.
    pub uri: String,
}

impl OfferedCodec {
    /// The value of one `key=value` of the format parameters, names without regard to case.
    pub(crate) fn parameter(&self, key: &str) -> Option<&str> {
        self.fmtp.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case(key).then(|| value.trim())
        })
    }
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    ///
    /// When it is too large, is not SDP, or has too much of something. What is wrong in one
    /// section alone is found by [`crate::negotiate()`], which refuses that section.
    pub fn parse(text: &str) -> Result<Self, OfferError> {
        let description = text::parse(text)?;
        let session = attribute::transport(&description.attributes)?;
        let mut sections = Vec::with_capacity(description.media_descriptions.len());
        for media in &description.media_descriptions {
            sections.push(section::read(media, &description.attributes, &session)?);
        }
        check_mids(&sections)?;
        Ok(Self {
            bundle: bundle(&description.attributes)?,
            is_lite: description.has_attribute("ice-lite"),
            sections,
        })
    }
}

/// A name used twice makes every reference to it ambiguous. RFC 9143 §7.1.
fn check_mids(sections: &[OfferedSection]) -> Result<(), OfferError> {
    let mut mids: Vec<&str> = sections
        .iter()
        .filter_map(|section| section.mid_text.as_deref())
        .collect();
    mids.sort_unstable();
    if mids.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(OfferError::Unsupported {
            what: "an a=mid used by two sections",
        });
    }
    Ok(())
}

fn bundle(
    attributes: &[rtc::sdp::description::common::Attribute],
) -> Result<Vec<String>, OfferError> {
    let group = attributes
        .iter()
        .filter(|attribute| attribute.key == "group")
        .filter_map(|attribute| attribute.value.as_deref())
        .find_map(|value| {
            let mut words = value.split_ascii_whitespace();
            (words.next() == Some("BUNDLE")).then_some(words)
        });
    let Some(words) = group else {
        return Ok(Vec::new());
    };
    let members: Vec<String> = words.take(SECTIONS_MAX + 1).map(str::to_owned).collect();
    if members.len() > SECTIONS_MAX {
        return Err(OfferError::TooMany {
            what: "members of a BUNDLE group",
            max: SECTIONS_MAX,
        });
    }
    Ok(members)
}

#[cfg(test)]
pub(crate) mod tests;
