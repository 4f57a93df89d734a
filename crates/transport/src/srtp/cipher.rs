//! The two profiles behind one face, chosen when the keys are installed.

use webrtc::peer_connection::crypto::RTCCrypto;

use super::cm::Cm;
use super::gcm::Gcm;
use super::{SrtpMasterKey, SrtpProfile};

/// The E flag of SRTCP's index word: the body is encrypted. RFC 3711 §3.4.
pub(super) const ENCRYPTED: u32 = 1 << 31;

/// The session keys of one direction.
#[derive(Debug)]
pub(super) enum Cipher {
    Gcm(Gcm),
    /// Boxed, as its expanded keys are large and few endpoints use them.
    Cm(Box<Cm>),
}

impl Cipher {
    /// `None` if the provider lacks the profile's primitives.
    pub(super) fn new(
        profile: SrtpProfile,
        master: &SrtpMasterKey,
        crypto: &dyn RTCCrypto,
    ) -> Option<Self> {
        match profile {
            SrtpProfile::AeadAes128Gcm => Gcm::new(master, crypto).map(Self::Gcm),
            SrtpProfile::Aes128CmHmacSha1_80 => Cm::new(master).map(|cm| Self::Cm(Box::new(cm))),
        }
    }

    pub(super) fn seal_rtp(
        &mut self,
        buf: &mut [u8],
        len: usize,
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        match self {
            Self::Gcm(gcm) => gcm.seal_rtp(buf, len, header_len, ssrc, index),
            Self::Cm(cm) => cm.seal_rtp(buf, len, header_len, ssrc, index),
        }
    }

    pub(super) fn open_rtp(
        &mut self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        match self {
            Self::Gcm(gcm) => gcm.open_rtp(packet, header_len, ssrc, index),
            Self::Cm(cm) => cm.open_rtp(packet, header_len, ssrc, index),
        }
    }

    pub(super) fn seal_rtcp(
        &mut self,
        buf: &mut [u8],
        len: usize,
        ssrc: u32,
        index: u32,
    ) -> Option<usize> {
        match self {
            Self::Gcm(gcm) => gcm.seal_rtcp(buf, len, ssrc, index),
            Self::Cm(cm) => cm.seal_rtcp(buf, len, ssrc, index),
        }
    }

    pub(super) fn open_rtcp(
        &mut self,
        packet: &mut [u8],
        ssrc: u32,
        trailer: u32,
    ) -> Option<usize> {
        match self {
            Self::Gcm(gcm) => gcm.open_rtcp(packet, ssrc, trailer),
            Self::Cm(cm) => cm.open_rtcp(packet, ssrc, trailer),
        }
    }

    /// The E flag and index of a sealed compound; `None` if it is too short to hold them.
    pub(super) fn rtcp_trailer(&self, packet: &[u8]) -> Option<u32> {
        match self {
            Self::Gcm(_) => Gcm::rtcp_trailer(packet),
            Self::Cm(_) => Cm::rtcp_trailer(packet),
        }
    }

    pub(super) const fn profile(&self) -> SrtpProfile {
        match self {
            Self::Gcm(_) => SrtpProfile::AeadAes128Gcm,
            Self::Cm(_) => SrtpProfile::Aes128CmHmacSha1_80,
        }
    }
}
