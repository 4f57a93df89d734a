//! Transport-wide congestion control feedback: which packets of a transport arrived, and when.
//! draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.
//!
//! Read by the estimator of what we send, written from the arrivals of what we receive. Times are
//! in units of 250 us from a reference time in units of 64 ms; the reference is the sender's own
//! clock and wraps at 24 bits.
//!
//! ```text
//! |     base sequence number      |      packet status count      |
//! |                 reference time                | fb pkt. count |
//! |          packet chunks, 16 bits each, then deltas ...         |
//! ```

mod write;

use estrade_types::{SeqNo, Ssrc};

use super::RtcpParseError;
use crate::bytes::{u16_at, u24_at, u32_at};

pub(super) use write::write_body;
pub use write::{TRANSPORT_CC_WRITE_MAX, TransportCcHeader};

/// The most packets that one feedback may speak of; one with more is refused as malformed.
///
/// Eight run-length chunks can claim 65 535 packets in a few bytes, and each is a step of work.
/// 8 192 packets is a second and a half of 5 000 packets/s without a single feedback.
pub const TRANSPORT_CC_STATUSES_MAX: u16 = 8_192;

/// A transport feedback packet.
#[derive(Clone, Copy, Debug)]
pub struct TransportCc<'a> {
    /// Who reports.
    pub sender_ssrc: Ssrc,
    /// A stream of the transport; which one has no meaning.
    pub media_ssrc: Ssrc,
    /// The first packet spoken of.
    pub base_sequence_number: SeqNo,
    /// How many packets are spoken of, at least one.
    pub status_count: u16,
    /// Origin of the deltas, in units of 64 ms, signed 24 bits.
    pub reference_time: i32,
    /// Grows by one with each feedback, so that a lost one is noticed.
    pub feedback_count: u8,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

/// The fate of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketStatus {
    /// Its transport-wide sequence number.
    pub sequence_number: SeqNo,
    /// Ticks of 250 us since the packet that arrived before it, or since the reference time for
    /// the first; `None` when it has not arrived.
    pub delta: Option<i16>,
}

/// The two-bit symbols of the status chunks.
mod symbol {
    pub(super) const NOT_RECEIVED: u8 = 0;
    pub(super) const SMALL_DELTA: u8 = 1;
    pub(super) const LARGE_DELTA: u8 = 2;
}

impl<'a> TransportCc<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, RtcpParseError> {
        let status_count = u16_at(body, 10).ok_or(RtcpParseError::Body)?;
        if status_count > TRANSPORT_CC_STATUSES_MAX {
            return Err(RtcpParseError::TooManyStatuses);
        }
        Self::parse_bounded(status_count, body).ok_or(RtcpParseError::Body)
    }

    fn parse_bounded(status_count: u16, body: &'a [u8]) -> Option<Self> {
        let rest = body.get(16..)?;
        let mut symbols = Symbols::new(rest, status_count);
        let mut deltas_len = 0;
        let mut seen = 0u16;
        for symbol in symbols.by_ref() {
            seen += 1;
            deltas_len += match symbol {
                symbol::NOT_RECEIVED => 0,
                symbol::SMALL_DELTA => 1,
                symbol::LARGE_DELTA => 2,
                _ => return None,
            };
        }
        // Fewer symbols than promised: the chunks ran out.
        if seen != status_count || status_count == 0 {
            return None;
        }
        let chunks_len = rest.len() - symbols.rest.len();
        let (chunks, behind) = rest.split_at_checked(chunks_len)?;
        let reference = u24_at(body, 12)?;
        Some(Self {
            sender_ssrc: Ssrc(u32_at(body, 0)?),
            media_ssrc: Ssrc(u32_at(body, 4)?),
            base_sequence_number: SeqNo(u16_at(body, 8)?),
            status_count,
            // Shifting up and down again extends the sign of the 24 bits.
            reference_time: (reference << 8).cast_signed() >> 8,
            feedback_count: *body.get(15)?,
            chunks,
            deltas: behind.get(..deltas_len)?,
        })
    }

    /// The packets spoken of, in order of their sequence numbers.
    pub fn statuses(&self) -> impl Iterator<Item = PacketStatus> + use<'a> {
        let mut seq = self.base_sequence_number.0;
        let mut deltas = self.deltas;
        Symbols::new(self.chunks, self.status_count).map(move |symbol| {
            let sequence_number = SeqNo(seq);
            seq = seq.wrapping_add(1);
            PacketStatus {
                sequence_number,
                delta: take_delta(&mut deltas, symbol),
            }
        })
    }
}

fn take_delta(deltas: &mut &[u8], symbol: u8) -> Option<i16> {
    match symbol {
        symbol::SMALL_DELTA => {
            let (&delta, rest) = deltas.split_first()?;
            *deltas = rest;
            Some(i16::from(delta))
        }
        symbol::LARGE_DELTA => {
            let (delta, rest) = deltas.split_first_chunk()?;
            *deltas = rest;
            Some(i16::from_be_bytes(*delta))
        }
        _ => None,
    }
}

/// Expands status chunks into symbols: run lengths, and vectors of one- or two-bit symbols.
#[derive(Clone, Debug)]
struct Symbols<'a> {
    rest: &'a [u8],
    /// Symbols still promised by the status count.
    missing: u16,
    chunk: Chunk,
}

/// The chunk being expanded.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    Run {
        symbol: u8,
        left: u16,
    },
    /// The low `left` symbols of `bits`, highest first.
    Vector {
        bits: u16,
        width: u16,
        left: u16,
    },
}

impl<'a> Symbols<'a> {
    const fn new(chunks: &'a [u8], status_count: u16) -> Self {
        Self {
            rest: chunks,
            missing: status_count,
            chunk: Chunk::Run { symbol: 0, left: 0 },
        }
    }
}

impl Chunk {
    fn read(chunk: u16) -> Self {
        let [high, _] = chunk.to_be_bytes();
        match high >> 6 {
            0b10 => Self::Vector {
                bits: chunk,
                width: 1,
                left: 14,
            },
            0b11 => Self::Vector {
                bits: chunk,
                width: 2,
                left: 7,
            },
            _ => Self::Run {
                symbol: high >> 5 & 0b11,
                left: chunk & 0x1fff,
            },
        }
    }

    const fn next(&mut self) -> Option<u8> {
        match self {
            Self::Run { left: 0, .. } | Self::Vector { left: 0, .. } => None,
            Self::Run { symbol, left } => {
                *left -= 1;
                Some(*symbol)
            }
            Self::Vector { bits, width, left } => {
                *left -= 1;
                let [_, low] = (*bits >> (*left * *width)).to_be_bytes();
                Some(low & ((1 << *width) - 1))
            }
        }
    }
}

impl Iterator for Symbols<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.missing = self.missing.checked_sub(1)?;
        loop {
            if let Some(symbol) = self.chunk.next() {
                return Some(symbol);
            }
            // An empty run yields nothing and costs its two bytes: the loop ends with the input.
            let (chunk, rest) = self.rest.split_first_chunk()?;
            self.rest = rest;
            self.chunk = Chunk::read(u16::from_be_bytes(*chunk));
        }
    }
}
