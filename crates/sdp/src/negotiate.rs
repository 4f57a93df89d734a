//! Decides what each offered section becomes. RFC 8829 §5.3, RFC 9143 §7.3.
//!
//! A section that we cannot take is rejected (port 0) or answered inactive; the offer as a whole is
//! refused only when nothing usable is left. What a usable section carries follows from direction
//! and order alone, as the client protocol says (`docs/api/client-websocket.md`).

mod codec;
mod section;

use estrade_types::{
    Fingerprint, IceCredentials, LinkKind, MediaKind, RxMedia, SlotId, SourceKind, Ssrc, TxMedia,
    limits,
};

pub(crate) use codec::ChosenCodec;
pub(crate) use section::{Section, Verdict};

use crate::{Direction, Offer, OfferError, OfferedSection, Setup};

/// What one client may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The door it came through; settles what a `sendrecv` section is.
    pub link: LinkKind,
    /// Audio slots the room offers.
    pub audio_slots: u8,
    /// Whether there is a second picture.
    pub second: bool,
    /// Thumbnail slots the room offers.
    pub thumbnails: u8,
    /// Whether the client may ever publish; a listener who may be promoted does.
    pub may_publish: bool,
}

/// An offer and what we make of it: everything but the answer's transport parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Sections in which we receive.
    pub rx: Vec<RxMedia>,
    /// Sections in which we send.
    pub tx: Vec<TxMedia>,
    /// The endpoint's ICE credentials.
    pub remote_ice: IceCredentials,
    /// The endpoint's certificate must hash to one of these. Never empty.
    pub fingerprints: Vec<Fingerprint>,
    pub(crate) sections: Vec<Section>,
    pub(crate) link: LinkKind,
}

/// Decides an offer. `ssrcs` gives random SSRCs for what we send.
///
/// # Errors
///
/// When nothing usable is left (the first section's fault is named), or the transport cannot be:
/// no ICE credentials, no SHA-256 fingerprint, `a=setup:passive`, ICE-lite on both sides.
pub fn negotiate(
    offer: &Offer,
    profile: Profile,
    ssrcs: &mut dyn FnMut() -> Ssrc,
) -> Result<Negotiated, OfferError> {
    if offer.is_lite {
        // spec: RFC 8445 §2.5 lite-agents-cannot-reach-each-other
        return Err(OfferError::Unsupported {
            what: "a=ice-lite on the client's side",
        });
    }
    let mut plan = Plan::new(offer, profile, ssrcs);
    let sections: Vec<Section> = offer
        .sections
        .iter()
        .map(|offered| plan.decide(offer, offered))
        .collect();
    if plan.rx.is_empty() && plan.tx.is_empty() {
        return Err(plan.fault.unwrap_or(OfferError::Unsupported {
            what: "every section's direction on this kind of session",
        }));
    }
    let (remote_ice, fingerprints) = transport(offer, &sections)?;
    Ok(Negotiated {
        rx: plan.rx,
        tx: plan.tx,
        remote_ice,
        fingerprints,
        sections,
        link: profile.link,
    })
}

/// The transport of the group: of the first member that lives, else of any that says one.
/// RFC 9143 §7.3.1.
fn transport(
    offer: &Offer,
    sections: &[Section],
) -> Result<(IceCredentials, Vec<Fingerprint>), OfferError> {
    let living = offer
        .sections
        .iter()
        .zip(sections)
        .filter(|(_, section)| !section.is_rejected())
        .map(|(offered, _)| &offered.transport);
    // In an offer with `a=bundle-only` sections only the first member need say it.
    let all: Vec<_> = living
        .chain(offer.sections.iter().map(|offered| &offered.transport))
        .collect();
    match all.iter().find_map(|transport| transport.setup) {
        // RFC 4145 §4: without the attribute the offerer is the client.
        None | Some(Setup::ActPass | Setup::Active) => {}
        Some(Setup::Passive) => {
            return Err(OfferError::Unsupported {
                what: "a=setup:passive (the server is the DTLS server)",
            });
        }
        Some(Setup::Other) => {
            return Err(OfferError::Unsupported {
                what: "a=setup with this value",
            });
        }
    }
    let ice = all
        .iter()
        .find_map(|transport| transport.ice.clone())
        .ok_or(OfferError::Missing {
            what: "a=ice-ufrag with a=ice-pwd",
        })?;
    let fingerprints = all
        .iter()
        .map(|transport| &transport.fingerprints)
        .find(|fingerprints| !fingerprints.is_empty())
        .ok_or(OfferError::Missing {
            what: "a=fingerprint:sha-256",
        })?;
    Ok((ice, fingerprints.clone()))
}

/// What becomes of the sections so far.
struct Plan<'a> {
    profile: Profile,
    ssrcs: &'a mut dyn FnMut() -> Ssrc,
    used_ssrcs: Vec<Ssrc>,
    rx: Vec<RxMedia>,
    tx: Vec<TxMedia>,
    audio_slots: u8,
    video_slots: u8,
    fault: Option<OfferError>,
}

impl<'a> Plan<'a> {
    fn new(offer: &Offer, profile: Profile, ssrcs: &'a mut dyn FnMut() -> Ssrc) -> Self {
        let declared = offer.sections.iter().flat_map(|section| &section.ssrcs);
        Self {
            profile,
            ssrcs,
            used_ssrcs: declared
                .flat_map(|declared| [Some(declared.ssrc), declared.rtx])
                .flatten()
                .collect(),
            rx: Vec::new(),
            tx: Vec::new(),
            audio_slots: 0,
            video_slots: 0,
            fault: None,
        }
    }

    fn decide(&mut self, offer: &Offer, offered: &OfferedSection) -> Section {
        let mut section = match Section::check(offer, offered) {
            Ok(section) => section,
            Err(fault) => {
                if offered.is_enabled {
                    self.fault.get_or_insert(fault);
                }
                return Section::rejected(offered);
            }
        };
        let (Some(mid), Some(kind)) = (offered.mid, offered.kind) else {
            return Section::rejected(offered);
        };
        if self.receives(offered.direction)
            && let Some(source) = self.next_source(kind)
        {
            section.receive(offered);
            // An SSRC belongs to one section: a second claim to it is not heard.
            let ssrcs = offered.ssrcs.iter().copied().filter(|declared| {
                self.rx
                    .iter()
                    .flat_map(|rx| &rx.ssrcs)
                    .all(|known| known.ssrc != declared.ssrc && known.rtx != Some(declared.ssrc))
            });
            let is_simulcast = !section.rids.is_empty();
            let ssrcs = ssrcs.filter(|_| !is_simulcast).collect();
            self.rx.push(RxMedia {
                mid,
                source,
                codecs: section.negotiated_codecs(),
                rids: section.rids.clone(),
                ssrcs,
                extensions: section.extension_map(),
            });
        } else if self.sends(offered.direction)
            && let Some(slot) = self.next_slot(kind)
        {
            let ssrc = self.fresh_ssrc();
            let rtx_ssrc = section.has_rtx().then(|| self.fresh_ssrc());
            section.send(offered, slot, ssrc, rtx_ssrc);
            self.tx.push(TxMedia {
                mid,
                slot,
                codecs: section.negotiated_codecs(),
                ssrc,
                rtx_ssrc,
                extensions: section.extension_map(),
            });
        }
        section
    }

    /// Whether we receive in a section of this direction.
    fn receives(&self, direction: Direction) -> bool {
        let takes = self.profile.may_publish && self.profile.link != LinkKind::Whep;
        takes && matches!(direction, Direction::SendOnly | Direction::SendRecv)
    }

    /// Whether we send in a section of this direction, if we do not receive in it.
    fn sends(&self, direction: Direction) -> bool {
        let takes = self.profile.link != LinkKind::Whip;
        takes && matches!(direction, Direction::RecvOnly | Direction::SendRecv)
    }

    /// What the next section of this kind that sends to us carries; `None` when all are taken.
    fn next_source(&self, kind: MediaKind) -> Option<SourceKind> {
        let sources: &[SourceKind] = match kind {
            MediaKind::Audio => &[SourceKind::Microphone],
            MediaKind::Video => &[SourceKind::Camera, SourceKind::Screen],
        };
        if self.rx.len() >= limits::RX_SECTIONS_MAX {
            return None;
        }
        sources
            .iter()
            .copied()
            .find(|source| self.rx.iter().all(|rx| rx.source != *source))
    }

    /// The slot of the next section of this kind; `None` when the room has no more.
    fn next_slot(&mut self, kind: MediaKind) -> Option<SlotId> {
        let slot = match kind {
            MediaKind::Audio => {
                let n = self.audio_slots;
                self.audio_slots = n.saturating_add(1);
                (n < self.profile.audio_slots).then_some(SlotId::Audio(n))
            }
            MediaKind::Video => {
                let n = self.video_slots;
                self.video_slots = n.saturating_add(1);
                match n {
                    0 => Some(SlotId::Main),
                    1 => self.profile.second.then_some(SlotId::Second),
                    _ => (n - 2 < self.profile.thumbnails).then(|| SlotId::Thumbnail(n - 2)),
                }
            }
        };
        slot.filter(|_| self.tx.len() < limits::TX_SECTIONS_MAX)
    }

    /// An SSRC that neither side uses yet. RFC 3550 §8.1.
    fn fresh_ssrc(&mut self) -> Ssrc {
        let mut ssrc = (self.ssrcs)();
        // A source of numbers that repeats itself ends here: the next free one is as good.
        while ssrc.0 == 0 || self.used_ssrcs.contains(&ssrc) {
            ssrc = Ssrc(ssrc.0.wrapping_add(1));
        }
        self.used_ssrcs.push(ssrc);
        ssrc
    }
}

#[cfg(test)]
mod tests;
