//! Writes RTCP packets one behind the other into the caller's buffer.
//!
//! Used by the router for everything it tells publishers and receivers. A packet is written whole
//! or not at all, so the buffer always holds a valid compound. That a compound starts with a report
//! (RFC 3550 §6.1), or that reduced size was negotiated (RFC 5506), is the caller's business.

use std::fmt;

use estrade_types::{Bitrate, MonoTime, SeqNo, Ssrc};

use super::{
    FirEntry, ReportBlock, SenderInfo, TransportCcHeader, format, nack, packet_type, remb, sdes,
    transport_cc,
};
use crate::bytes::Cursor;

/// The packet does not fit: into the buffer, or into the limits of its own format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the RTCP packet does not fit")
    }
}

impl std::error::Error for Full {}

/// The most report blocks, chunks or sources in one packet: a five-bit count.
const COUNT_MAX: usize = 31;

/// Writes a compound.
#[derive(Debug)]
pub struct Writer<'a> {
    out: Cursor<'a>,
}

impl<'a> Writer<'a> {
    /// Starts an empty compound in `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self {
            out: Cursor::new(out),
        }
    }

    /// Appends a sender report. RFC 3550 §6.4.1.
    ///
    /// # Errors
    ///
    /// When it does not fit, or there are more than 31 blocks; then nothing is written.
    pub fn sender_report(
        &mut self,
        info: &SenderInfo,
        reports: &[ReportBlock],
    ) -> Result<(), Full> {
        self.packet(packet_type::SR, count_of(reports)?, |out| {
            out.put_u32(info.ssrc.0)?;
            out.put(&info.ntp.0.to_be_bytes())?;
            out.put_u32(info.rtp_timestamp.0)?;
            out.put_u32(info.packet_count)?;
            out.put_u32(info.octet_count)?;
            reports.iter().try_for_each(|report| report.write(out))
        })
    }

    /// Appends a receiver report. RFC 3550 §6.4.2.
    ///
    /// # Errors
    ///
    /// When it does not fit, or there are more than 31 blocks; then nothing is written.
    pub fn receiver_report(&mut self, ssrc: Ssrc, reports: &[ReportBlock]) -> Result<(), Full> {
        self.packet(packet_type::RR, count_of(reports)?, |out| {
            out.put_u32(ssrc.0)?;
            reports.iter().try_for_each(|report| report.write(out))
        })
    }

    /// Appends a source description with one source's canonical name. RFC 3550 §6.5.1.
    ///
    /// # Errors
    ///
    /// When it does not fit, or the name is longer than 255 bytes; then nothing is written.
    pub fn sdes_cname(&mut self, ssrc: Ssrc, cname: &str) -> Result<(), Full> {
        self.packet(packet_type::SDES, 1, |out| {
            out.put_u32(ssrc.0)?;
            out.put_u8(sdes::CNAME)?;
            out.put_u8(u8::try_from(cname.len()).ok()?)?;
            out.put(cname.as_bytes())?;
            out.put_u8(0)?;
            out.align()
        })
    }

    /// Appends a goodbye without a reason. RFC 3550 §6.6.
    ///
    /// # Errors
    ///
    /// When it does not fit, or there are more than 31 streams; then nothing is written.
    pub fn bye(&mut self, ssrcs: &[Ssrc]) -> Result<(), Full> {
        self.packet(packet_type::BYE, count_of(ssrcs)?, |out| {
            ssrcs.iter().try_for_each(|ssrc| out.put_u32(ssrc.0))
        })
    }

    /// Appends a generic NACK for `lost`, best in ascending order: neighbours share an entry. Writes
    /// nothing for an empty list. RFC 4585 §6.2.1.
    ///
    /// # Errors
    ///
    /// When it does not fit; then nothing is written.
    pub fn nack(
        &mut self,
        sender_ssrc: Ssrc,
        media_ssrc: Ssrc,
        lost: impl IntoIterator<Item = SeqNo>,
    ) -> Result<(), Full> {
        let mut lost = lost.into_iter().peekable();
        if lost.peek().is_none() {
            return Ok(());
        }
        self.packet(packet_type::RTPFB, format::NACK, |out| {
            out.put_u32(sender_ssrc.0)?;
            out.put_u32(media_ssrc.0)?;
            nack::write_entries(out, lost)
        })
    }

    /// Appends a picture loss indication. RFC 4585 §6.3.1.
    ///
    /// # Errors
    ///
    /// When it does not fit; then nothing is written.
    pub fn pli(&mut self, sender_ssrc: Ssrc, media_ssrc: Ssrc) -> Result<(), Full> {
        self.packet(packet_type::PSFB, format::PLI, |out| {
            out.put_u32(sender_ssrc.0)?;
            out.put_u32(media_ssrc.0)
        })
    }

    /// Appends a full intra request for one stream. RFC 5104 §4.3.1.
    ///
    /// # Errors
    ///
    /// When it does not fit; then nothing is written.
    pub fn fir(&mut self, sender_ssrc: Ssrc, entry: FirEntry) -> Result<(), Full> {
        self.packet(packet_type::PSFB, format::FIR, |out| {
            out.put_u32(sender_ssrc.0)?;
            out.put_u32(0)?;
            out.put_u32(entry.ssrc.0)?;
            out.put(&[entry.command_sequence_number, 0, 0, 0])
        })
    }

    /// Appends a REMB; the bitrate is rounded down to 18 significant bits.
    ///
    /// # Errors
    ///
    /// When it does not fit, or there are more than 255 streams; then nothing is written.
    pub fn remb(
        &mut self,
        sender_ssrc: Ssrc,
        bitrate: Bitrate,
        ssrcs: &[Ssrc],
    ) -> Result<(), Full> {
        self.packet(packet_type::PSFB, format::APPLICATION, |out| {
            out.put_u32(sender_ssrc.0)?;
            out.put_u32(0)?;
            remb::write_body(out, bitrate, ssrcs)
        })
    }

    /// Appends transport feedback: `arrivals` are those of consecutive transport-wide sequence
    /// numbers from the header's base on, `None` where nothing arrived.
    ///
    /// Returns how many of them the feedback covers. That is fewer than given when there are more
    /// than [`super::TRANSPORT_CC_WRITE_MAX`] or two lie more than 8 s apart: the caller goes on
    /// from there with another. Nothing is written, and 0 returned, when nothing arrived at all.
    ///
    /// # Errors
    ///
    /// When it does not fit; then nothing is written.
    pub fn transport_cc(
        &mut self,
        header: &TransportCcHeader,
        arrivals: &[Option<MonoTime>],
    ) -> Result<usize, Full> {
        let mut covered = 0;
        if arrivals.iter().any(Option::is_some) {
            self.packet(packet_type::RTPFB, format::TRANSPORT_CC, |out| {
                covered = transport_cc::write_body(out, header, arrivals)?;
                Some(())
            })?;
        }
        Ok(covered)
    }

    /// The compound so far.
    pub fn written(&self) -> &[u8] {
        self.out.written()
    }

    /// How many bytes have been written.
    pub const fn len(&self) -> usize {
        self.out.position()
    }

    /// Whether nothing has been written.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes one packet's header, body and length, or takes everything back.
    fn packet(
        &mut self,
        packet_type: u8,
        count: u8,
        body: impl FnOnce(&mut Cursor<'a>) -> Option<()>,
    ) -> Result<(), Full> {
        let start = self.out.position();
        let write = || {
            self.out.put(&[0x80 | count, packet_type, 0, 0])?;
            body(&mut self.out)?;
            // Length in words, less one. RFC 3550 §6.4.1.
            let words = (self.out.position() - start) / 4 - 1;
            self.out.patch_u16(start + 2, u16::try_from(words).ok()?)
        };
        let written = write();
        if written.is_none() {
            self.out.rewind(start);
        }
        written.ok_or(Full)
    }
}

fn count_of<T>(items: &[T]) -> Result<u8, Full> {
    u8::try_from(items.len())
        .ok()
        .filter(|_| items.len() <= COUNT_MAX)
        .ok_or(Full)
}
