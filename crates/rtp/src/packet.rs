//! A borrowed, validated view of one RTP packet. RFC 3550 §5.1, §5.3.1.
//!
//! Fed by the transport with authenticated plain packets; read by the router. Once a [`RtpView`]
//! exists every accessor is total: lengths were checked by [`RtpView::parse`] and nowhere else.

use std::fmt;

use estrade_types::{PayloadType, RtpTimestamp, SeqNo, Ssrc, limits};

use crate::bytes::{u16_at, u32_at};

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RtpParseError {
    /// Shorter than the fixed header.
    TooShort,
    /// Longer than [`limits::DATAGRAM_BYTES_MAX`].
    TooLong,
    /// The version is not 2.
    Version,
    /// The CSRC list passes the end of the packet.
    CsrcTruncated,
    /// The header extension passes the end of the packet.
    ExtensionTruncated,
    /// The padding count is zero or passes the start of the payload.
    Padding,
}

impl fmt::Display for RtpParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "shorter than the fixed header",
            Self::TooLong => "longer than a datagram may be",
            Self::Version => "version is not 2",
            Self::CsrcTruncated => "CSRC list passes the end",
            Self::ExtensionTruncated => "header extension passes the end",
            Self::Padding => "padding count is impossible",
        })
    }
}

impl std::error::Error for RtpParseError {}

/// The header extension block as it stands in the packet. RFC 3550 §5.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawExtension<'a> {
    /// The 16 bits "defined by profile".
    pub profile: u16,
    /// The elements, a whole number of 32-bit words.
    pub data: &'a [u8],
}

/// A validated RTP packet, borrowed.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
/// |                           timestamp                           |
/// |           synchronization source (SSRC) identifier            |
/// |            contributing source (CSRC) identifiers ...         |
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RtpView<'a> {
    sequence_number: SeqNo,
    timestamp: RtpTimestamp,
    ssrc: Ssrc,
    marker: bool,
    payload_type: PayloadType,
    header_len: usize,
    csrcs: &'a [u8],
    extension: Option<RawExtension<'a>>,
    payload: &'a [u8],
    padding_len: usize,
}

impl<'a> RtpView<'a> {
    /// Validates a whole packet.
    ///
    /// # Errors
    ///
    /// When the packet breaks RFC 3550 §5.1 or is longer than [`limits::DATAGRAM_BYTES_MAX`].
    pub fn parse(packet: &'a [u8]) -> Result<Self, RtpParseError> {
        if packet.len() > limits::DATAGRAM_BYTES_MAX {
            return Err(RtpParseError::TooLong);
        }
        let Some((fixed, rest)) = packet.split_first_chunk::<FIXED_HEADER_LEN>() else {
            return Err(RtpParseError::TooShort);
        };
        let [first, second, seq_high, seq_low, ..] = *fixed;
        if first >> 6 != 2 {
            return Err(RtpParseError::Version);
        }
        let (csrcs, rest) = rest
            .split_at_checked(usize::from(first & 0x0f) * 4)
            .ok_or(RtpParseError::CsrcTruncated)?;
        let (extension, rest) = if first & 0x10 == 0 {
            (None, rest)
        } else {
            let (extension, rest) = split_extension(rest)?;
            (Some(extension), rest)
        };
        let padding_len = if first & 0x20 == 0 {
            0
        } else {
            rest.last().map_or(0, |&count| usize::from(count))
        };
        if first & 0x20 != 0 && padding_len == 0 {
            return Err(RtpParseError::Padding);
        }
        let payload = rest
            .len()
            .checked_sub(padding_len)
            .and_then(|len| rest.get(..len))
            .ok_or(RtpParseError::Padding)?;
        Ok(Self {
            sequence_number: SeqNo(u16::from_be_bytes([seq_high, seq_low])),
            timestamp: RtpTimestamp(u32_at(fixed, 4).unwrap_or_default()),
            ssrc: Ssrc(u32_at(fixed, 8).unwrap_or_default()),
            marker: second & 0x80 != 0,
            payload_type: PayloadType::from_octet(second),
            header_len: packet.len() - rest.len(),
            csrcs,
            extension,
            payload,
            padding_len,
        })
    }

    /// The marker bit: for video, the last packet of a frame. RFC 3550 §5.1.
    pub const fn marker(&self) -> bool {
        self.marker
    }

    /// The payload type.
    pub const fn payload_type(&self) -> PayloadType {
        self.payload_type
    }

    /// The sequence number, 16 bits as on the wire.
    pub const fn sequence_number(&self) -> SeqNo {
        self.sequence_number
    }

    /// The timestamp, in units of the payload type's clock rate.
    pub const fn timestamp(&self) -> RtpTimestamp {
        self.timestamp
    }

    /// The synchronization source.
    pub const fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// The contributing sources, 0 to 15.
    pub fn csrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + Clone + use<'a> {
        self.csrcs
            .as_chunks()
            .0
            .iter()
            .map(|&chunk| Ssrc(u32::from_be_bytes(chunk)))
    }

    /// The header extension block, unread.
    pub const fn extension(&self) -> Option<RawExtension<'a>> {
        self.extension
    }

    /// Bytes before the payload: fixed header, CSRC list and extension block.
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    /// The payload without padding; empty for a packet of padding only.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Bytes of padding behind the payload, its count included.
    pub const fn padding_len(&self) -> usize {
        self.padding_len
    }
}

/// Length of the fixed header in bytes.
const FIXED_HEADER_LEN: usize = 12;

/// Splits the extension block off: its four-byte head, then `length` words.
fn split_extension(rest: &[u8]) -> Result<(RawExtension<'_>, &[u8]), RtpParseError> {
    let split = || {
        let profile = u16_at(rest, 0)?;
        let len = usize::from(u16_at(rest, 2)?) * 4;
        let (data, rest) = rest.get(4..)?.split_at_checked(len)?;
        Some((RawExtension { profile, data }, rest))
    };
    split().ok_or(RtpParseError::ExtensionTruncated)
}

#[cfg(test)]
mod tests;
