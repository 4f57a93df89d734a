//! Generic NACK: sequence numbers asked for again. RFC 4585 §6.2.1.

use estrade_types::{SeqNo, Ssrc};

use crate::bytes::{Cursor, u32_at};

/// A generic NACK.
#[derive(Clone, Copy, Debug)]
pub struct Nack<'a> {
    /// Who asks.
    pub sender_ssrc: Ssrc,
    /// The stream with the gap.
    pub media_ssrc: Ssrc,
    entries: &'a [[u8; 4]],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (entries, []) = body.get(8..)?.as_chunks() else {
            return None;
        };
        if entries.is_empty() {
            return None;
        }
        Some(Self {
            sender_ssrc: Ssrc(u32_at(body, 0)?),
            media_ssrc: Ssrc(u32_at(body, 4)?),
            entries,
        })
    }

    /// The sequence numbers, as listed: the sender may repeat some. At most 17 for each entry.
    pub fn sequence_numbers(&self) -> impl Iterator<Item = SeqNo> + use<'a> {
        self.entries.iter().flat_map(|&[p0, p1, b0, b1]| {
            let pid = u16::from_be_bytes([p0, p1]);
            let blp = u16::from_be_bytes([b0, b1]);
            let bits = (0..16u16)
                .filter(move |bit| blp & (1 << bit) != 0)
                .map(move |bit| SeqNo(pid.wrapping_add(bit + 1)));
            std::iter::once(SeqNo(pid)).chain(bits)
        })
    }

    /// How many entries of a sequence number and a bit mask there are, at least one.
    pub const fn entries_len(&self) -> usize {
        self.entries.len()
    }
}

/// Writes the entries for `lost`, which should ascend: neighbours share an entry.
pub(super) fn write_entries(
    out: &mut Cursor<'_>,
    lost: impl IntoIterator<Item = SeqNo>,
) -> Option<()> {
    let mut open: Option<(u16, u16)> = None;
    for SeqNo(seq) in lost {
        match &mut open {
            Some((pid, blp)) if matches!(seq.wrapping_sub(*pid), 0..=16) => {
                // The packet itself again needs no bit.
                if let Some(bit) = seq.wrapping_sub(*pid).checked_sub(1) {
                    *blp |= 1 << bit;
                }
            }
            open => {
                if let Some((pid, blp)) = open.replace((seq, 0)) {
                    out.put_u16(pid)?;
                    out.put_u16(blp)?;
                }
            }
        }
    }
    if let Some((pid, blp)) = open {
        out.put_u16(pid)?;
        out.put_u16(blp)?;
    }
    Some(())
}
