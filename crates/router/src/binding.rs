//! Which stream a packet of a session belongs to. RFC 9143 §9.2, RFC 8852, RFC 4588 §8.
//!
//! Fed with every authenticated RTP packet of one session; read by the room. An SSRC is bound by what
//! was declared, else by MID (with RID; RRID for RTX), else, for endpoints that say neither, by a
//! payload type that only one section has. SSRCs mean nothing beyond their session: another
//! participant's SSRC is just an unknown one here.
//!
//! *Invariant*: a bound SSRC keeps its section and layer. A packet that contradicts its binding is
//! refused; only another SSRC with a full set of identifiers takes a layer over.

use arrayvec::ArrayVec;
use estrade_rtp::{HeaderExtensions, RtpView};
use estrade_types::{
    Codec, DeclaredSsrc, DropReason, ExtensionMap, Mid, NegotiatedCodec, PayloadType, Rid, RxMedia,
    Ssrc, limits,
};

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// Index of the section.
    pub(crate) section: u8,
    /// Layer of its source, lowest first.
    pub(crate) layer: u8,
    /// Whether it repairs the layer.
    pub(crate) is_rtx: bool,
    /// The codec of the payload, or of what it repairs.
    pub(crate) codec: Codec,
    /// Whether the SSRC was bound by this packet.
    pub(crate) is_new: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Role {
    section: u8,
    layer: u8,
    is_rtx: bool,
}

#[derive(Debug)]
struct Section {
    mid: Mid,
    codecs: Box<[NegotiatedCodec]>,
    rids: ArrayVec<Rid, { limits::ENCODINGS_MAX }>,
    ssrcs: ArrayVec<DeclaredSsrc, { limits::ENCODINGS_MAX }>,
}

/// The bindings of one session.
#[derive(Debug)]
pub(crate) struct Binding {
    sections: ArrayVec<Section, { limits::RX_SECTIONS_MAX }>,
    extensions: ExtensionMap,
    bound: ArrayVec<(Ssrc, Role), { limits::SSRCS_PER_SESSION_MAX }>,
}

impl Binding {
    /// Takes the sections of a session; those beyond [`limits::RX_SECTIONS_MAX`] were refused before.
    pub(crate) fn new(media: &[RxMedia]) -> Self {
        let mut extensions = ExtensionMap::default();
        let mut sections = ArrayVec::new();
        for media in media.iter().take(limits::RX_SECTIONS_MAX) {
            // Ids are the same in every section of a bundle. RFC 8285 §6, RFC 8843 §9.
            merge(&mut extensions, &media.extensions);
            sections.push(Section {
                mid: media.mid,
                codecs: media.codecs.clone().into_boxed_slice(),
                rids: media
                    .rids
                    .iter()
                    .copied()
                    .take(limits::ENCODINGS_MAX)
                    .collect(),
                ssrcs: media
                    .ssrcs
                    .iter()
                    .copied()
                    .take(limits::ENCODINGS_MAX)
                    .collect(),
            });
        }
        Self {
            sections,
            extensions,
            bound: ArrayVec::new(),
        }
    }

    /// The identifiers of the session's header extensions.
    pub(crate) const fn extensions(&self) -> &ExtensionMap {
        &self.extensions
    }

    /// Finds the stream of a packet, binding its SSRC if need be.
    pub(crate) fn bind(
        &mut self,
        packet: &RtpView<'_>,
        extensions: &HeaderExtensions,
    ) -> Result<Stream, DropReason> {
        let ssrc = packet.ssrc();
        let payload_type = packet.payload_type();
        if let Some(role) = self.role(ssrc) {
            if self.contradicts(role, extensions) {
                return Err(DropReason::UnknownSsrc);
            }
            return self.stream(role, payload_type, false);
        }
        let role = self
            .declared(ssrc)
            .or_else(|| self.identified(payload_type, extensions))
            .or_else(|| self.only_by_payload_type(payload_type, extensions))
            .ok_or(DropReason::UnknownSsrc)?;
        // Checked before the SSRC is remembered, so that a stray packet binds nothing.
        let stream = self.stream(role, payload_type, true)?;
        self.bound.retain(|(_, bound)| *bound != role);
        self.bound
            .try_push((ssrc, role))
            .map_err(|_| DropReason::SsrcLimit)?;
        Ok(stream)
    }

    /// The section and layer of a bound media SSRC.
    pub(crate) fn media_layer(&self, ssrc: Ssrc) -> Option<(u8, u8)> {
        let role = self.role(ssrc).filter(|role| !role.is_rtx)?;
        Some((role.section, role.layer))
    }

    /// An SSRC of the session, for feedback that is about all of them.
    pub(crate) fn any_ssrc(&self) -> Option<Ssrc> {
        self.bound.first().map(|(ssrc, _)| *ssrc)
    }

    fn role(&self, ssrc: Ssrc) -> Option<Role> {
        let found = self.bound.iter().find(|(bound, _)| *bound == ssrc);
        found.map(|(_, role)| *role)
    }

    fn stream(
        &self,
        role: Role,
        payload_type: PayloadType,
        is_new: bool,
    ) -> Result<Stream, DropReason> {
        let section = self.sections.get(usize::from(role.section));
        let (codec, is_rtx) = section
            .and_then(|section| section.codec(payload_type))
            .ok_or(DropReason::UnknownPayloadType)?;
        if is_rtx != role.is_rtx {
            return Err(DropReason::UnknownPayloadType);
        }
        Ok(Stream {
            section: role.section,
            layer: role.layer,
            is_rtx,
            codec,
            is_new,
        })
    }

    fn contradicts(&self, role: Role, extensions: &HeaderExtensions) -> bool {
        let Some(section) = self.sections.get(usize::from(role.section)) else {
            return true;
        };
        let named = if role.is_rtx {
            extensions.repaired_rid
        } else {
            extensions.rid
        };
        let rid = section.rids.get(usize::from(role.layer));
        extensions.mid.is_some_and(|mid| mid != section.mid)
            || named.is_some_and(|named| rid.is_some_and(|rid| *rid != named))
    }

    fn declared(&self, ssrc: Ssrc) -> Option<Role> {
        self.enumerated().find_map(|(section, media)| {
            media.ssrcs.iter().zip(0..).find_map(|(declared, layer)| {
                let is_rtx = declared.rtx == Some(ssrc);
                (is_rtx || declared.ssrc == ssrc).then_some(Role {
                    section,
                    layer,
                    is_rtx,
                })
            })
        })
    }

    fn identified(&self, payload_type: PayloadType, extensions: &HeaderExtensions) -> Option<Role> {
        let mid = extensions.mid?;
        let (section, media) = self.enumerated().find(|(_, media)| media.mid == mid)?;
        let (named, is_rtx) = match extensions.repaired_rid {
            Some(repaired) => (Some(repaired), true),
            None => (extensions.rid, media.codec(payload_type)?.1),
        };
        let layer = match named {
            // RTX with a RID of its own names no encoding unless it is one that was negotiated.
            Some(named) => media
                .rids
                .iter()
                .zip(0..)
                .find_map(|(rid, layer)| (*rid == named).then_some(layer))
                .or_else(|| media.rids.is_empty().then_some(0))?,
            // With a single encoding there is no doubt, for RTX (by apt) as for media.
            None if media.encodings() == 1 => 0,
            None => return None,
        };
        Some(Role {
            section,
            layer,
            is_rtx,
        })
    }

    fn only_by_payload_type(
        &self,
        payload_type: PayloadType,
        extensions: &HeaderExtensions,
    ) -> Option<Role> {
        if extensions.mid.is_some() {
            return None;
        }
        let mut having = self
            .enumerated()
            .filter_map(|(section, media)| Some((section, media, media.codec(payload_type)?.1)));
        let (section, media, is_rtx) = having.next()?;
        (having.next().is_none() && media.encodings() == 1).then_some(Role {
            section,
            layer: 0,
            is_rtx,
        })
    }

    fn enumerated(&self) -> impl Iterator<Item = (u8, &Section)> {
        (0..).zip(&self.sections)
    }
}

impl Section {
    /// The codec of a payload type, and whether it is the one of its retransmissions.
    fn codec(&self, payload_type: PayloadType) -> Option<(Codec, bool)> {
        self.codecs.iter().find_map(|negotiated| {
            if negotiated.payload_type == payload_type {
                Some((negotiated.codec, false))
            } else if negotiated.rtx_payload_type == Some(payload_type) {
                Some((negotiated.codec, true))
            } else {
                None
            }
        })
    }

    fn encodings(&self) -> usize {
        self.rids.len().max(self.ssrcs.len()).max(1)
    }
}

fn merge(into: &mut ExtensionMap, from: &ExtensionMap) {
    into.mid = into.mid.or(from.mid);
    into.rid = into.rid.or(from.rid);
    into.repaired_rid = into.repaired_rid.or(from.repaired_rid);
    into.audio_level = into.audio_level.or(from.audio_level);
    into.transport_cc = into.transport_cc.or(from.transport_cc);
    into.abs_send_time = into.abs_send_time.or(from.abs_send_time);
    into.video_orientation = into.video_orientation.or(from.video_orientation);
}

#[cfg(test)]
mod tests;
