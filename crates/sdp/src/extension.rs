//! The header extensions we know by their URI. RFC 8285 §5, and each extension's own RFC.

use estrade_types::{ExtensionId, ExtensionMap};

/// A header extension we can accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    /// RFC 9143 §15.2.
    Mid,
    /// RFC 8852 §3.1.
    Rid,
    /// RFC 8852 §3.2.
    RepairedRid,
    /// RFC 6464 §4.
    AudioLevel,
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01.
    TransportCc,
    /// 3GPP TS 26.114 §7.4.5.
    VideoOrientation,
}

impl Extension {
    /// The extension of this URI, if we know it.
    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        Some(match uri {
            "urn:ietf:params:rtp-hdrext:sdes:mid" => Self::Mid,
            "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id" => Self::Rid,
            "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id" => Self::RepairedRid,
            "urn:ietf:params:rtp-hdrext:ssrc-audio-level" => Self::AudioLevel,
            "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01" => {
                Self::TransportCc
            }
            "urn:3gpp:video-orientation" => Self::VideoOrientation,
            _ => return None,
        })
    }

    /// The place of this extension in `map`.
    pub(crate) fn slot(self, map: &mut ExtensionMap) -> &mut Option<ExtensionId> {
        match self {
            Self::Mid => &mut map.mid,
            Self::Rid => &mut map.rid,
            Self::RepairedRid => &mut map.repaired_rid,
            Self::AudioLevel => &mut map.audio_level,
            Self::TransportCc => &mut map.transport_cc,
            Self::VideoOrientation => &mut map.video_orientation,
        }
    }
}
