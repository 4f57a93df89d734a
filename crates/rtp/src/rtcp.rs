//! RTCP compounds, parsed without allocation, and a writer of them. RFC 3550 §6, RFC 4585 §6,
//! RFC 5104 §4.3.1, RFC 5506, draft-alvestrand-rmcat-remb-03,
//! draft-holmer-rmcat-transport-wide-cc-extensions-01.
//!
//! Fed by the transport with authenticated plain datagrams; read by the router. [`Compound::parse`]
//! checks every packet to its last byte, so what its iterator yields cannot be wrong; a datagram
//! with one broken packet is refused whole. Reduced-size datagrams are accepted: any packet may
//! stand first or alone. Packet types we do not know (APP, XR and others) come out as
//! [`Packet::Other`], unread.

mod bye;
mod fir;
mod nack;
mod pli;
mod remb;
mod report;
mod sdes;
mod transport_cc;
mod writer;

use std::fmt;

use crate::bytes::u16_at;

pub use bye::Bye;
pub use fir::{Fir, FirEntry};
pub use nack::Nack;
pub use pli::Pli;
pub use remb::Remb;
pub use report::{ReceiverReport, ReportBlock, ReportBlocks, SenderInfo, SenderReport};
pub use sdes::{Sdes, SdesChunk, SdesItem, SdesItems};
pub use transport_cc::{
    PacketStatus, TRANSPORT_CC_STATUSES_MAX, TRANSPORT_CC_WRITE_MAX, TransportCc, TransportCcHeader,
};
pub use writer::{Full, Writer};

/// RTCP packet types. RFC 3550 §12.1, RFC 4585 §9.
mod packet_type {
    pub(super) const SR: u8 = 200;
    pub(super) const RR: u8 = 201;
    pub(super) const SDES: u8 = 202;
    pub(super) const BYE: u8 = 203;
    pub(super) const RTPFB: u8 = 205;
    pub(super) const PSFB: u8 = 206;
}

/// Feedback message types, by packet type. RFC 4585 §6.2, §6.3, RFC 5104 §4.2.
mod format {
    pub(super) const NACK: u8 = 1;
    pub(super) const TRANSPORT_CC: u8 = 15;
    pub(super) const PLI: u8 = 1;
    pub(super) const FIR: u8 = 4;
    pub(super) const APPLICATION: u8 = 15;
}

/// Why bytes are not an RTCP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RtcpParseError {
    /// No packet in it.
    Empty,
    /// A version other than 2.
    Version,
    /// A packet's length passes the end of the datagram, or too little is left for a header.
    Truncated,
    /// Padding that is impossible, or in a packet that is not the last.
    Padding,
    /// A packet whose counts or inner lengths do not fit into its length.
    Body,
    /// Transport feedback for more packets than [`TRANSPORT_CC_STATUSES_MAX`].
    TooManyStatuses,
}

impl fmt::Display for RtcpParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no packet",
            Self::Version => "version is not 2",
            Self::Truncated => "packet passes the end of the datagram",
            Self::Padding => "padding is impossible",
            Self::Body => "counts and lengths contradict each other",
            Self::TooManyStatuses => "transport feedback for too many packets",
        })
    }
}

impl std::error::Error for RtcpParseError {}

/// One RTCP packet, borrowed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// RFC 3550 §6.4.1.
    SenderReport(SenderReport<'a>),
    /// RFC 3550 §6.4.2.
    ReceiverReport(ReceiverReport<'a>),
    /// RFC 3550 §6.5.
    Sdes(Sdes<'a>),
    /// RFC 3550 §6.6.
    Bye(Bye<'a>),
    /// RFC 4585 §6.2.1.
    Nack(Nack<'a>),
    /// RFC 4585 §6.3.1.
    Pli(Pli),
    /// RFC 5104 §4.3.1.
    Fir(Fir<'a>),
    /// draft-alvestrand-rmcat-remb-03 §2.2.
    Remb(Remb<'a>),
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.
    TransportCc(TransportCc<'a>),
    /// A packet type or feedback format we do not read.
    Other(OtherPacket<'a>),
}

/// A packet we do not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherPacket<'a> {
    /// The packet type.
    pub packet_type: u8,
    /// The five bits in front of it: a count, subtype or feedback format.
    pub count: u8,
    /// What follows the four-byte header, without padding.
    pub body: &'a [u8],
}

/// A datagram of one or several RTCP packets that was checked whole.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    datagram: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks every packet of a datagram.
    ///
    /// # Errors
    ///
    /// When any packet breaks its specification; then none of them is to be used.
    // spec: RFC 5506 §3.4.1 accept-reduced-size
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpParseError> {
        if datagram.is_empty() {
            return Err(RtcpParseError::Empty);
        }
        let mut rest = datagram;
        while !rest.is_empty() {
            let (raw, behind) = split_packet(rest)?;
            Packet::from_raw(raw)?;
            rest = behind;
        }
        Ok(Self { datagram })
    }

    /// The packets, in order.
    pub const fn packets(&self) -> Packets<'a> {
        Packets {
            rest: self.datagram,
        }
    }
}

impl<'a> IntoIterator for Compound<'a> {
    type Item = Packet<'a>;
    type IntoIter = Packets<'a>;

    fn into_iter(self) -> Packets<'a> {
        self.packets()
    }
}

/// Iterates over the packets of a [`Compound`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        // Both steps succeeded in `Compound::parse`.
        let (raw, rest) = split_packet(self.rest).ok()?;
        self.rest = rest;
        Packet::from_raw(raw).ok()
    }
}

/// A packet whose header was read and whose padding was stripped.
#[derive(Clone, Copy, Debug)]
struct Raw<'a> {
    count: u8,
    packet_type: u8,
    body: &'a [u8],
}

/// Splits the first packet off: `V P count | PT | length`, then `length` words.
fn split_packet(datagram: &[u8]) -> Result<(Raw<'_>, &[u8]), RtcpParseError> {
    let Some((&[first, packet_type, ..], rest)) = datagram.split_first_chunk::<4>() else {
        return Err(RtcpParseError::Truncated);
    };
    if first >> 6 != 2 {
        return Err(RtcpParseError::Version);
    }
    let words = u16_at(datagram, 2).ok_or(RtcpParseError::Truncated)?;
    let (mut body, rest) = rest
        .split_at_checked(usize::from(words) * 4)
        .ok_or(RtcpParseError::Truncated)?;
    if first & 0x20 != 0 {
        // Only the last packet may be padded. RFC 3550 §6.4.1.
        let padding = match body.last() {
            Some(&count) if count != 0 && rest.is_empty() => usize::from(count),
            _ => return Err(RtcpParseError::Padding),
        };
        body = body
            .len()
            .checked_sub(padding)
            .and_then(|len| body.get(..len))
            .ok_or(RtcpParseError::Padding)?;
    }
    let raw = Raw {
        count: first & 0x1f,
        packet_type,
        body,
    };
    Ok((raw, rest))
}

impl<'a> Packet<'a> {
    fn from_raw(raw: Raw<'a>) -> Result<Self, RtcpParseError> {
        let Raw {
            count,
            packet_type,
            body,
        } = raw;
        let parsed = match (packet_type, count) {
            (packet_type::SR, _) => SenderReport::parse(count, body).map(Self::SenderReport),
            (packet_type::RR, _) => ReceiverReport::parse(count, body).map(Self::ReceiverReport),
            (packet_type::SDES, _) => Sdes::parse(count, body).map(Self::Sdes),
            (packet_type::BYE, _) => Bye::parse(count, body).map(Self::Bye),
            (packet_type::RTPFB, format::NACK) => Nack::parse(body).map(Self::Nack),
            (packet_type::RTPFB, format::TRANSPORT_CC) => {
                return TransportCc::parse(body).map(Self::TransportCc);
            }
            (packet_type::PSFB, format::PLI) => Pli::parse(body).map(Self::Pli),
            (packet_type::PSFB, format::FIR) => Fir::parse(body).map(Self::Fir),
            (packet_type::PSFB, format::APPLICATION) if Remb::is_remb(body) => {
                Remb::parse(body).map(Self::Remb)
            }
            _ => Some(Self::Other(OtherPacket {
                packet_type,
                count,
                body,
            })),
        };
        parsed.ok_or(RtcpParseError::Body)
    }
}

#[cfg(test)]
mod tests;
