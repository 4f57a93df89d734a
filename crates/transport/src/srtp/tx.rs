//! The sending side: sealing, and the guard that keeps an index from being sealed twice.

use webrtc::peer_connection::crypto::RTCCrypto;

use estrade_types::DropReason;
use estrade_types::limits::TX_SECTIONS_MAX;

use super::cipher::{Cipher, ENCRYPTED};
use super::window::IndexWindow;
use super::wire::{INDEX_MAX, RtpFields, index_seq, rtcp_ssrc};
use super::{SrtpMasterKey, SrtpProfile};

/// Streams of one transport: media and retransmissions of each section.
const STREAMS_MAX: usize = 2 * TX_SECTIONS_MAX;

/// Names one RTP stream we send, within one transport.
///
/// The router numbers a session's streams from 0, a media stream and its RTX stream apart. Below
/// twice [`TX_SECTIONS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TxStreamSlot(pub u8);

/// Seals what we send to one endpoint.
#[derive(Debug)]
pub struct SrtpTx {
    cipher: Cipher,
    /// By slot; grown when a slot is first used.
    streams: Vec<Option<TxStream>>,
    /// The next SRTCP index. One for all our SSRCs, so no pair can repeat. RFC 3711 §3.4.
    rtcp_index: u32,
}

#[derive(Debug)]
struct TxStream {
    ssrc: u32,
    used: IndexWindow<16>,
}

impl SrtpTx {
    /// `None` if the crypto provider lacks the profile's primitives.
    pub fn new(
        profile: SrtpProfile,
        master: &SrtpMasterKey,
        crypto: &dyn RTCCrypto,
    ) -> Option<Self> {
        Some(Self {
            cipher: Cipher::new(profile, master, crypto)?,
            streams: Vec::new(),
            rtcp_index: 0,
        })
    }

    /// Seals the RTP packet in `buf[..len]` in place; returns its length with the tag.
    /// RFC 3711 §3.3.
    ///
    /// `index` is the 48-bit `ROC || SEQ`; its low bits are the packet's own sequence number.
    ///
    /// # Errors
    ///
    /// [`DropReason::IndexReused`] when `index` was used before in `slot`, or is 1024 or more behind
    /// its highest, or `slot` and the packet's SSRC do not belong together; [`DropReason::RtpMalformed`]
    /// when `buf` does not hold such a packet or lacks [`super::SRTP_OVERHEAD_MAX`] bytes of room.
    /// Nothing was sealed.
    pub fn seal_rtp(
        &mut self,
        buf: &mut [u8],
        len: usize,
        index: u64,
        slot: TxStreamSlot,
    ) -> Result<usize, DropReason> {
        let fields = buf
            .get(..len)
            .and_then(RtpFields::parse)
            .filter(|fields| index <= INDEX_MAX && fields.sequence_number == index_seq(index))
            .filter(|_| buf.len() - len >= super::SRTP_OVERHEAD_MAX)
            .ok_or(DropReason::RtpMalformed)?;
        let stream = self.stream(slot, fields.ssrc)?;
        if !stream.used.is_fresh(index) {
            return Err(DropReason::IndexReused);
        }
        // Marked before sealing: an index that met a failure half-way is spent as well.
        stream.used.mark(index);
        self.cipher
            .seal_rtp(buf, len, fields.header_len, fields.ssrc, index)
            .ok_or(DropReason::RtpMalformed)
    }

    /// Seals the RTCP compound in `buf[..len]` in place; returns its new length. RFC 3711 §3.4.
    ///
    /// # Errors
    ///
    /// [`DropReason::IndexReused`] once all 2^31 indices are spent; [`DropReason::RtcpMalformed`] when
    /// `buf` holds no compound or lacks [`super::SRTCP_OVERHEAD_MAX`] bytes of room.
    pub fn seal_rtcp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, DropReason> {
        let ssrc = buf
            .get(..len)
            .and_then(rtcp_ssrc)
            .filter(|_| buf.len() - len >= super::SRTCP_OVERHEAD_MAX)
            .ok_or(DropReason::RtcpMalformed)?;
        let index = self.rtcp_index;
        if index & ENCRYPTED != 0 {
            return Err(DropReason::IndexReused);
        }
        self.rtcp_index += 1;
        self.cipher
            .seal_rtcp(buf, len, ssrc, index)
            .ok_or(DropReason::RtcpMalformed)
    }

    /// The profile it was made for.
    pub const fn profile(&self) -> SrtpProfile {
        self.cipher.profile()
    }

    /// The stream in `slot`, which belongs to the first SSRC that used it, for good.
    fn stream(&mut self, slot: TxStreamSlot, ssrc: u32) -> Result<&mut TxStream, DropReason> {
        let place = usize::from(slot.0);
        if !matches!(self.streams.get(place), Some(Some(_))) {
            self.bind(place, ssrc)?;
        }
        self.streams
            .get_mut(place)
            .and_then(Option::as_mut)
            .filter(|stream| stream.ssrc == ssrc)
            .ok_or(DropReason::IndexReused)
    }

    /// Gives an unused slot to `ssrc`, which must not have another: its guard would be blind.
    #[cold]
    fn bind(&mut self, place: usize, ssrc: u32) -> Result<(), DropReason> {
        let is_taken = self.streams.iter().flatten().any(|s| s.ssrc == ssrc);
        if is_taken || place >= STREAMS_MAX {
            return Err(DropReason::IndexReused);
        }
        if self.streams.len() <= place {
            self.streams.resize_with(place + 1, || None);
        }
        if let Some(free) = self.streams.get_mut(place) {
            *free = Some(TxStream {
                ssrc,
                used: IndexWindow::new(),
            });
        }
        Ok(())
    }
}
