//! Full intra request: a keyframe is wanted. RFC 5104 §4.3.1.

use estrade_types::Ssrc;

use crate::bytes::u32_at;

/// A full intra request.
#[derive(Clone, Copy, Debug)]
pub struct Fir<'a> {
    /// Who asks.
    pub sender_ssrc: Ssrc,
    entries: &'a [[u8; 8]],
}

/// One stream asked for a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirEntry {
    /// Whose keyframe.
    pub ssrc: Ssrc,
    /// Grows with each new request; the same number again is a repetition. RFC 5104 §4.3.1.1.
    pub command_sequence_number: u8,
}

impl<'a> Fir<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        // The media SSRC of the common header is unused and ignored. RFC 5104 §4.3.1.2.
        let (entries, []) = body.get(8..)?.as_chunks() else {
            return None;
        };
        if entries.is_empty() {
            return None;
        }
        Some(Self {
            sender_ssrc: Ssrc(u32_at(body, 0)?),
            entries,
        })
    }

    /// The streams asked, at least one.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = FirEntry> + use<'a> {
        self.entries
            .iter()
            .map(|&[a, b, c, d, command_sequence_number, ..]| FirEntry {
                ssrc: Ssrc(u32::from_be_bytes([a, b, c, d])),
                command_sequence_number,
            })
    }
}
