//! What a negotiation settled, typed: the shard never sees SDP.

use std::fmt;

use crate::{ClockRate, Mid, PayloadType, Rid, Ssrc};

/// CNAME of every stream we send, in answers and in RTCP alike: receivers synchronize streams whose
/// CNAMEs agree. RFC 3550 §6.5.1.
pub const CNAME: &str = "estrade";

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// What a published media source shows or sounds. RFC 7656 §2.1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// Voice.
    Microphone,
    /// Camera picture.
    Camera,
    /// Shared screen.
    Screen,
}

impl SourceKind {
    /// Audio or video.
    pub const fn media_kind(self) -> MediaKind {
        match self {
            Self::Microphone => MediaKind::Audio,
            Self::Camera | Self::Screen => MediaKind::Video,
        }
    }

    /// The word used in messages and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Camera => "camera",
            Self::Screen => "screen",
        }
    }
}

/// One continuous stream to a receiver, whose source the server switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SlotId {
    /// The n-th of the loudest current speakers.
    Audio(u8),
    /// The main picture.
    Main,
    /// The second picture: the programme's speaker during a screen share.
    Second,
    /// The n-th recent speaker, on the lowest layer.
    Thumbnail(u8),
}

impl SlotId {
    /// Audio or video.
    pub const fn media_kind(self) -> MediaKind {
        match self {
            Self::Audio(_) => MediaKind::Audio,
            Self::Main | Self::Second | Self::Thumbnail(_) => MediaKind::Video,
        }
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audio(n) => write!(f, "audio-{n}"),
            Self::Main => write!(f, "main"),
            Self::Second => write!(f, "second"),
            Self::Thumbnail(n) => write!(f, "thumbnail-{n}"),
        }
    }
}

/// A codec we route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// RFC 7741.
    Vp8,
    /// RFC 6184, packetization mode 1, constrained baseline.
    H264,
}

impl Codec {
    /// Audio or video.
    pub const fn media_kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::H264 => MediaKind::Video,
        }
    }

    /// Ticks per second of its RTP timestamp.
    pub const fn clock_rate(self) -> ClockRate {
        match self {
            Self::Opus => ClockRate::OPUS,
            Self::Vp8 | Self::H264 => ClockRate::VIDEO,
        }
    }
}

/// A codec with the payload types this session uses for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NegotiatedCodec {
    /// The codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: PayloadType,
    /// The payload type of its retransmissions, if negotiated. RFC 4588.
    pub rtx_payload_type: Option<PayloadType>,
}

/// Local identifier of a header extension, 1 to 14: the one-byte form. RFC 8285 §4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtensionId(u8);

impl ExtensionId {
    /// Accepts 1..=14.
    pub const fn new(value: u8) -> Option<Self> {
        if value >= 1 && value <= 14 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// The value, 1..=14.
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// Which identifier names which extension in one media section; `None` where not negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionMap {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`.
    pub mid: Option<ExtensionId>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`.
    pub rid: Option<ExtensionId>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`.
    pub repaired_rid: Option<ExtensionId>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level`. RFC 6464.
    pub audio_level: Option<ExtensionId>,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`.
    pub transport_cc: Option<ExtensionId>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`.
    pub abs_send_time: Option<ExtensionId>,
    /// `urn:3gpp:video-orientation`.
    pub video_orientation: Option<ExtensionId>,
}

/// An SSRC declared by `a=ssrc`, with the one that repairs it (`a=ssrc-group:FID`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclaredSsrc {
    /// The media stream.
    pub ssrc: Ssrc,
    /// Its RTX stream. RFC 4588 §8.
    pub rtx: Option<Ssrc>,
}

/// A media section in which we receive: one source, one or several encodings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RxMedia {
    /// The section.
    pub mid: Mid,
    /// What it carries.
    pub source: SourceKind,
    /// Codecs in the answer's order. Never empty.
    pub codecs: Vec<NegotiatedCodec>,
    /// Encodings, lowest quality first (the order of RIDs in the offer's `a=simulcast`, which
    /// the SDK writes low to high); empty without simulcast.
    pub rids: Vec<Rid>,
    /// SSRCs the offer declared; empty when the endpoint binds by MID and RID only.
    pub ssrcs: Vec<DeclaredSsrc>,
    /// Header extensions.
    pub extensions: ExtensionMap,
}

/// A media section in which we send: one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxMedia {
    /// The section.
    pub mid: Mid,
    /// The slot it carries.
    pub slot: SlotId,
    /// Codecs the receiver takes, in the answer's order. Never empty.
    pub codecs: Vec<NegotiatedCodec>,
    /// SSRC of the slot for life, as printed in the answer.
    pub ssrc: Ssrc,
    /// SSRC of its retransmissions, if RTX was negotiated.
    pub rtx_ssrc: Option<Ssrc>,
    /// Header extensions.
    pub extensions: ExtensionMap,
}

/// ICE username fragment and password of one side. RFC 8839 §5.4.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IceCredentials {
    /// 4 to 256 ice-chars.
    pub ufrag: String,
    /// 22 to 256 ice-chars.
    pub pwd: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}

/// SHA-256 of a certificate. RFC 8122 §5; older hashes are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);
