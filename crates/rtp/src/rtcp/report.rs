//! Sender and receiver reports. RFC 3550 §6.4.
//!
//! Profile-specific extensions behind the report blocks are ignored.

use estrade_types::{NtpShort, NtpTime, RtpTimestamp, Ssrc};

use crate::bytes::{Cursor, u24_at, u32_at, u64_at};

/// Reception statistics of one stream. RFC 3550 §6.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream reported on.
    pub ssrc: Ssrc,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; negative when duplicates outnumber losses. 24 bits on
    /// the wire: written clamped to -8 388 608..=8 388 607.
    pub cumulative_lost: i32,
    /// Cycles in the high half, highest sequence number received in the low.
    pub highest_sequence_number: u32,
    /// Interarrival jitter, in timestamp units.
    pub jitter: u32,
    /// Middle of the NTP timestamp of the last sender report; zero if there was none.
    pub last_sr: NtpShort,
    /// Time since that report, in 1/65536 s.
    pub delay_since_last_sr: NtpShort,
}

impl ReportBlock {
    /// Bytes on the wire.
    pub(super) const LEN: usize = 24;

    fn read(block: &[u8; Self::LEN]) -> Option<Self> {
        let lost = u24_at(block, 5)?;
        Some(Self {
            ssrc: Ssrc(u32_at(block, 0)?),
            fraction_lost: *block.get(4)?,
            // Shifting up and down again extends the sign of the 24 bits.
            cumulative_lost: (lost << 8).cast_signed() >> 8,
            highest_sequence_number: u32_at(block, 8)?,
            jitter: u32_at(block, 12)?,
            last_sr: NtpShort(u32_at(block, 16)?),
            delay_since_last_sr: NtpShort(u32_at(block, 20)?),
        })
    }

    pub(super) fn write(&self, out: &mut Cursor<'_>) -> Option<()> {
        out.put_u32(self.ssrc.0)?;
        out.put_u8(self.fraction_lost)?;
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
        out.put_u24(lost.cast_unsigned())?;
        out.put_u32(self.highest_sequence_number)?;
        out.put_u32(self.jitter)?;
        out.put_u32(self.last_sr.0)?;
        out.put_u32(self.delay_since_last_sr.0)
    }
}

/// Iterates over report blocks; at most 31.
#[derive(Clone, Copy, Debug)]
pub struct ReportBlocks<'a> {
    blocks: &'a [[u8; ReportBlock::LEN]],
}

impl<'a> ReportBlocks<'a> {
    fn parse(count: u8, blocks: &'a [u8]) -> Option<Self> {
        let blocks = blocks.as_chunks().0.get(..usize::from(count))?;
        Some(Self { blocks })
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.blocks.split_first()?;
        self.blocks = rest;
        ReportBlock::read(block)
    }
}

/// What a sender says about its own stream. RFC 3550 §6.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// The sender's stream.
    pub ssrc: Ssrc,
    /// Wall time of the report. Whatever the sender claims: never to be trusted as a time.
    pub ntp: NtpTime,
    /// The same moment in the stream's timestamp units.
    pub rtp_timestamp: RtpTimestamp,
    /// Packets sent.
    pub packet_count: u32,
    /// Payload bytes sent.
    pub octet_count: u32,
}

/// A sender report.
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    /// About the sender's own stream.
    pub info: SenderInfo,
    /// About the streams it receives.
    pub reports: ReportBlocks<'a>,
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Option<Self> {
        Some(Self {
            info: SenderInfo {
                ssrc: Ssrc(u32_at(body, 0)?),
                ntp: NtpTime(u64_at(body, 4)?),
                rtp_timestamp: RtpTimestamp(u32_at(body, 12)?),
                packet_count: u32_at(body, 16)?,
                octet_count: u32_at(body, 20)?,
            },
            reports: ReportBlocks::parse(count, body.get(24..)?)?,
        })
    }
}

/// A receiver report.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub ssrc: Ssrc,
    /// About the streams it receives.
    pub reports: ReportBlocks<'a>,
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Option<Self> {
        Some(Self {
            ssrc: Ssrc(u32_at(body, 0)?),
            reports: ReportBlocks::parse(count, body.get(4..)?)?,
        })
    }
}
