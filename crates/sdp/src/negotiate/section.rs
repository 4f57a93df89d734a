//! What one section becomes.

use estrade_types::{
    Codec, ExtensionId, ExtensionMap, MediaKind, NegotiatedCodec, Rid, SlotId, Ssrc, limits,
};

use super::codec::{ChosenCodec, choose};
use crate::extension::Extension;
use crate::{Direction, Offer, OfferError, OfferedExtension, OfferedSection};

/// What we do in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing, for good: port 0.
    Rejected,
    /// Nothing; part of the transport all the same.
    Inactive,
    /// Receive.
    Receive,
    /// Send a slot.
    Send {
        slot: SlotId,
        ssrc: Ssrc,
        rtx_ssrc: Option<Ssrc>,
    },
}

/// One section of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) media: String,
    pub(crate) protocol: String,
    /// As offered, for a rejected section.
    pub(crate) formats: Vec<String>,
    pub(crate) mid: Option<String>,
    pub(crate) verdict: Verdict,
    pub(crate) codecs: Vec<ChosenCodec>,
    pub(crate) extensions: Vec<OfferedExtension>,
    pub(crate) rids: Vec<Rid>,
    pub(crate) has_rtcp_rsize: bool,
}

impl Section {
    /// A section answered with port 0.
    pub(super) fn rejected(offered: &OfferedSection) -> Self {
        Self {
            media: offered.media.clone(),
            protocol: offered.protocol.clone(),
            formats: offered.formats.clone(),
            mid: offered.mid_text.clone(),
            verdict: Verdict::Rejected,
            codecs: Vec::new(),
            extensions: Vec::new(),
            rids: Vec::new(),
            has_rtcp_rsize: false,
        }
    }

    /// An inactive section, if the offered one can be taken at all.
    pub(super) fn check(offer: &Offer, offered: &OfferedSection) -> Result<Self, OfferError> {
        let kind = offered.kind.ok_or(OfferError::Unsupported {
            what: "a section that is neither audio nor video",
        })?;
        if !offered.is_enabled {
            return Err(OfferError::Unsupported {
                what: "a section with port 0",
            });
        }
        if !offered.protocol.ends_with("RTP/SAVPF") && !offered.protocol.ends_with("RTP/SAVP") {
            return Err(OfferError::Unsupported {
                what: "a protocol other than UDP/TLS/RTP/SAVPF",
            });
        }
        let Some(mid) = offered.mid else {
            return Err(match offered.mid_text {
                Some(_) => OfferError::Unsupported {
                    what: "an a=mid that is not 1 to 16 visible characters",
                },
                None => OfferError::Missing { what: "a=mid" },
            });
        };
        // A lone section is a bundle of itself.
        let is_lone = offer.bundle.is_empty() && offer.sections.len() == 1;
        if !is_lone && !offer.bundle.iter().any(|member| member == mid.as_str()) {
            return Err(OfferError::Missing {
                what: "a=group:BUNDLE over every section",
            });
        }
        if !offered.has_rtcp_mux {
            return Err(OfferError::Missing { what: "a=rtcp-mux" });
        }
        let codecs = choose(offered, kind);
        if codecs.is_empty() {
            return Err(OfferError::Missing {
                what: match kind {
                    MediaKind::Audio => "Opus in the audio section",
                    MediaKind::Video => "VP8 or H.264 constrained baseline in the video section",
                },
            });
        }
        let mut section = Self {
            verdict: Verdict::Inactive,
            codecs,
            has_rtcp_rsize: offered.has_rtcp_rsize,
            ..Self::rejected(offered)
        };
        section.take_extensions(offered, |extension, _| extension == Extension::Mid);
        Ok(section)
    }

    /// Turns the section into one in which we receive.
    pub(super) fn receive(&mut self, offered: &OfferedSection) {
        self.verdict = Verdict::Receive;
        let is_video = offered.kind == Some(MediaKind::Video);
        self.take_extensions(offered, |extension, direction| {
            let is_ours = match extension {
                Extension::Mid | Extension::TransportCc => true,
                Extension::AudioLevel => !is_video,
                Extension::Rid | Extension::RepairedRid | Extension::VideoOrientation => is_video,
            };
            is_ours && matches!(direction, Direction::SendRecv | Direction::SendOnly)
        });
        if is_video {
            self.rids = offered.simulcast.clone();
            self.rids.truncate(limits::ENCODINGS_MAX);
        }
    }

    /// Turns the section into one in which we send `slot`.
    pub(super) fn send(
        &mut self,
        offered: &OfferedSection,
        slot: SlotId,
        ssrc: Ssrc,
        rtx_ssrc: Option<Ssrc>,
    ) {
        self.verdict = Verdict::Send {
            slot,
            ssrc,
            rtx_ssrc,
        };
        let is_video = offered.kind == Some(MediaKind::Video);
        self.take_extensions(offered, |extension, direction| {
            let is_ours = match extension {
                Extension::Mid => true,
                Extension::AudioLevel => !is_video,
                Extension::VideoOrientation => is_video,
                Extension::Rid | Extension::RepairedRid | Extension::TransportCc => false,
            };
            is_ours && matches!(direction, Direction::SendRecv | Direction::RecvOnly)
        });
    }

    /// Keeps the extensions that `wanted` names, under the offer's identifiers; one of each.
    fn take_extensions(
        &mut self,
        offered: &OfferedSection,
        wanted: impl Fn(Extension, Direction) -> bool,
    ) {
        let mut seen = ExtensionMap::default();
        self.extensions = offered
            .extensions
            .iter()
            .filter(|offered| {
                let id = u8::try_from(offered.id).ok().and_then(ExtensionId::new);
                let (Some(extension), Some(id)) = (Extension::from_uri(&offered.uri), id) else {
                    return false;
                };
                let slot = extension.slot(&mut seen);
                let is_wanted = slot.is_none() && wanted(extension, offered.direction);
                if is_wanted {
                    *slot = Some(id);
                }
                is_wanted
            })
            .cloned()
            .collect();
    }

    /// The accepted extensions, for the media plane.
    pub(super) fn extension_map(&self) -> ExtensionMap {
        let mut map = ExtensionMap::default();
        for accepted in &self.extensions {
            if let Some(extension) = Extension::from_uri(&accepted.uri) {
                *extension.slot(&mut map) =
                    u8::try_from(accepted.id).ok().and_then(ExtensionId::new);
            }
        }
        map
    }

    /// The codecs, for the media plane.
    pub(super) fn negotiated_codecs(&self) -> Vec<NegotiatedCodec> {
        self.codecs.iter().map(ChosenCodec::negotiated).collect()
    }

    /// Whether any codec has retransmissions.
    pub(super) fn has_rtx(&self) -> bool {
        self.codecs.iter().any(|codec| codec.rtx.is_some())
    }

    /// Whether the section is answered with port 0.
    pub(crate) fn is_rejected(&self) -> bool {
        self.verdict == Verdict::Rejected
    }

    /// Whether transport-wide feedback was agreed on.
    fn has_transport_cc(&self) -> bool {
        self.extensions
            .iter()
            .any(|accepted| Extension::from_uri(&accepted.uri) == Some(Extension::TransportCc))
    }

    /// The feedback messages of a codec: ours, as far as they were offered. RFC 4585 §4.2.
    pub(crate) fn feedback(&self, codec: &ChosenCodec) -> Vec<&'static str> {
        const VIDEO: [&str; 3] = ["nack", "nack pli", "ccm fir"];
        let messages: &[&'static str] = match codec.codec {
            Codec::Opus => &[],
            Codec::Vp8 | Codec::H264 => &VIDEO,
        };
        let transport_cc = self.has_transport_cc().then_some("transport-cc");
        messages
            .iter()
            .copied()
            .chain(transport_cc)
            .filter(|message| {
                codec
                    .offered
                    .feedback
                    .iter()
                    .any(|offered| offered == message)
            })
            .collect()
    }

    /// The format parameters of a codec in the answer.
    pub(crate) fn fmtp(&self, codec: &ChosenCodec) -> String {
        match codec.codec {
            // What we say here is what we like to receive. RFC 7587 §7.1.
            Codec::Opus => {
                let dtx = match self.verdict {
                    Verdict::Receive => ";usedtx=1",
                    _ => "",
                };
                let stereo = match codec.offered.parameter("stereo") {
                    Some("1") => ";stereo=1",
                    _ => "",
                };
                format!("minptime=10;useinbandfec=1{dtx}{stereo}")
            }
            // `max-fs` and `max-fr` are receivers' limits (RFC 7741 §6.1): we have none.
            Codec::Vp8 => String::new(),
            Codec::H264 => codec.offered.fmtp.clone(),
        }
    }
}
