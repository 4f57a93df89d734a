//! Receiver estimated maximum bitrate. draft-alvestrand-rmcat-remb-03 §2.2.

use estrade_types::{Bitrate, Ssrc};

use crate::bytes::{Cursor, u24_at, u32_at};

const UNIQUE_IDENTIFIER: u32 = u32::from_be_bytes(*b"REMB");

/// A receiver's estimate of the path to it.
#[derive(Clone, Copy, Debug)]
pub struct Remb<'a> {
    /// Who estimates.
    pub sender_ssrc: Ssrc,
    /// The estimate, for all the streams together; saturates at the top of 64 bits.
    pub bitrate: Bitrate,
    ssrcs: &'a [[u8; 4]],
}

impl<'a> Remb<'a> {
    /// Whether an application-layer feedback body is a REMB.
    pub(super) fn is_remb(body: &[u8]) -> bool {
        u32_at(body, 8) == Some(UNIQUE_IDENTIFIER)
    }

    /// `Num SSRC | BR Exp (6) | BR Mantissa (18) | SSRCs`, behind the unique identifier.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let count = usize::from(*body.get(12)?);
        let value = u24_at(body, 13)?;
        let (exponent, mantissa) = (value >> 18, u64::from(value & 0x3_ffff));
        // A shift that loses bits means more than 64 bits can hold.
        let bps = match mantissa.checked_shl(exponent) {
            Some(shifted) if shifted >> exponent == mantissa => shifted,
            _ => u64::MAX,
        };
        Some(Self {
            sender_ssrc: Ssrc(u32_at(body, 0)?),
            bitrate: Bitrate::from_bps(bps),
            ssrcs: body.get(16..)?.as_chunks().0.get(..count)?,
        })
    }

    /// The streams the estimate is for, at most 255.
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + use<'a> {
        self.ssrcs
            .iter()
            .map(|&ssrc| Ssrc(u32::from_be_bytes(ssrc)))
    }
}

/// Writes what follows the two SSRCs of the common feedback header. The bitrate is rounded down to
/// 18 significant bits.
pub(super) fn write_body(out: &mut Cursor<'_>, bitrate: Bitrate, ssrcs: &[Ssrc]) -> Option<()> {
    out.put_u32(UNIQUE_IDENTIFIER)?;
    out.put_u8(u8::try_from(ssrcs.len()).ok()?)?;
    let bps = bitrate.as_bps();
    let exponent = (64 - bps.leading_zeros()).saturating_sub(18);
    let mantissa = u32::try_from(bps >> exponent).ok()?;
    out.put_u24(exponent << 18 | mantissa)?;
    ssrcs.iter().try_for_each(|ssrc| out.put_u32(ssrc.0))
}
