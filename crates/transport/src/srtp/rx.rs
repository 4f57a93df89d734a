//! The receiving side: which index a packet has, whether it was seen, and opening it.
//! RFC 3711 §3.3, §3.4.

use arrayvec::ArrayVec;
use webrtc::peer_connection::crypto::RTCCrypto;

use estrade_types::DropReason;
use estrade_types::limits::SSRCS_PER_SESSION_MAX;

use super::cipher::{Cipher, ENCRYPTED};
use super::window::IndexWindow;
use super::wire::{INDEX_MAX, RtpFields, rtcp_ssrc};
use super::{SrtpMasterKey, SrtpProfile};

/// Opens what one endpoint sends.
///
/// Keeps state for at most [`SSRCS_PER_SESSION_MAX`] SSRCs each of RTP and RTCP, and for an SSRC
/// only after one of its packets was authenticated.
#[derive(Debug)]
pub struct SrtpRx {
    cipher: Cipher,
    rtp: Streams<16>,
    rtcp: Streams<2>,
}

impl SrtpRx {
    /// `None` if the crypto provider lacks the profile's primitives.
    pub fn new(
        profile: SrtpProfile,
        master: &SrtpMasterKey,
        crypto: &dyn RTCCrypto,
    ) -> Option<Self> {
        Some(Self {
            cipher: Cipher::new(profile, master, crypto)?,
            rtp: Streams::new(),
            rtcp: Streams::new(),
        })
    }

    /// Opens an SRTP packet in place; returns the plain length. RFC 3711 §3.3.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`], [`DropReason::SsrcLimit`], [`DropReason::Replayed`] or
    /// [`DropReason::AuthFailed`]; nothing but `packet` was changed.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, DropReason> {
        let fields = RtpFields::parse(packet).ok_or(DropReason::Malformed)?;
        let stream = self.rtp.find(fields.ssrc)?;
        let index = self
            .rtp
            .highest(stream)
            .map_or(Some(fields.sequence_number.into()), |highest| {
                nearest_index(highest, fields.sequence_number)
            })
            .filter(|&index| self.rtp.is_fresh(stream, index))
            .ok_or(DropReason::Replayed)?;
        let len = self
            .cipher
            .open_rtp(packet, fields.header_len, fields.ssrc, index)
            .ok_or(DropReason::AuthFailed)?;
        self.rtp.mark(stream, fields.ssrc, index);
        Ok(len)
    }

    /// Opens an SRTCP compound in place; returns the plain length. RFC 3711 §3.4.
    ///
    /// A compound sent without encryption is refused: WebRTC never negotiates that.
    ///
    /// # Errors
    ///
    /// As [`Self::open_rtp`].
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, DropReason> {
        let ssrc = rtcp_ssrc(packet).ok_or(DropReason::Malformed)?;
        let trailer = self
            .cipher
            .rtcp_trailer(packet)
            .ok_or(DropReason::Malformed)?;
        if trailer & ENCRYPTED == 0 {
            return Err(DropReason::AuthFailed);
        }
        let stream = self.rtcp.find(ssrc)?;
        let index = u64::from(trailer & !ENCRYPTED);
        if !self.rtcp.is_fresh(stream, index) {
            return Err(DropReason::Replayed);
        }
        let len = self
            .cipher
            .open_rtcp(packet, ssrc, trailer)
            .ok_or(DropReason::AuthFailed)?;
        self.rtcp.mark(stream, ssrc, index);
        Ok(len)
    }

    /// The profile it was made for.
    pub const fn profile(&self) -> SrtpProfile {
        self.cipher.profile()
    }
}

#[cfg(test)]
impl SrtpRx {
    /// SSRCs of RTP for which state is kept.
    pub(super) fn rtp_ssrcs(&self) -> usize {
        self.rtp.ssrcs.len()
    }

    /// SSRCs of RTCP for which state is kept.
    pub(super) fn rtcp_ssrcs(&self) -> usize {
        self.rtcp.ssrcs.len()
    }
}

/// The index nearest to `highest` that ends in `seq`; `None` for one that nobody can have sent.
/// RFC 3711 §3.3.1.
fn nearest_index(highest: u64, seq: u16) -> Option<u64> {
    let [.., h0, h1] = highest.to_be_bytes();
    let ahead = seq.wrapping_sub(u16::from_be_bytes([h0, h1])).cast_signed();
    highest
        .checked_add_signed(ahead.into())
        .filter(|&index| index <= INDEX_MAX)
}

/// The windows of the SSRCs that were authenticated.
#[derive(Debug)]
struct Streams<const WORDS: usize> {
    /// Apart from the windows, so that a look-up stays within two cache lines.
    ssrcs: ArrayVec<u32, SSRCS_PER_SESSION_MAX>,
    windows: Vec<IndexWindow<WORDS>>,
}

impl<const WORDS: usize> Streams<WORDS> {
    const fn new() -> Self {
        Self {
            ssrcs: ArrayVec::new_const(),
            windows: Vec::new(),
        }
    }

    /// The place of `ssrc`, `None` if it is new; refused when it is new and the table is full.
    fn find(&self, ssrc: u32) -> Result<Option<usize>, DropReason> {
        let stream = self.ssrcs.iter().position(|&known| known == ssrc);
        if stream.is_none() && self.ssrcs.is_full() {
            return Err(DropReason::SsrcLimit);
        }
        Ok(stream)
    }

    fn highest(&self, stream: Option<usize>) -> Option<u64> {
        self.windows.get(stream?)?.highest()
    }

    fn is_fresh(&self, stream: Option<usize>, index: u64) -> bool {
        stream
            .and_then(|stream| self.windows.get(stream))
            .is_none_or(|window| window.is_fresh(index))
    }

    /// Marks an authenticated index, adding the stream if it is new.
    fn mark(&mut self, stream: Option<usize>, ssrc: u32, index: u64) {
        if let Some(window) = stream.and_then(|stream| self.windows.get_mut(stream)) {
            window.mark(index);
        } else if self.ssrcs.try_push(ssrc).is_ok() {
            let mut window = IndexWindow::new();
            window.mark(index);
            self.windows.push(window);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_guessed_across_the_wrap() {
        assert_eq!(nearest_index(65_530, 3), Some(65_539));
        assert_eq!(nearest_index(65_539, 65_530), Some(65_530));
        assert_eq!(nearest_index(0, 32_767), Some(32_767));
        assert_eq!(nearest_index(0x2_0000, 0xffff), Some(0x1_ffff));
    }

    #[test]
    fn an_index_outside_48_bits_is_nobodys() {
        assert_eq!(nearest_index(3, 65_535), None);
        assert_eq!(nearest_index(INDEX_MAX, 0), None);
        assert_eq!(nearest_index(INDEX_MAX, 65_534), Some(INDEX_MAX - 1));
    }
}
