//! Picture loss indication: a keyframe is wanted. RFC 4585 §6.3.1.

use estrade_types::Ssrc;

use crate::bytes::u32_at;

/// A picture loss indication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pli {
    /// Who asks.
    pub sender_ssrc: Ssrc,
    /// Whose keyframe.
    pub media_ssrc: Ssrc,
}

impl Pli {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        Some(Self {
            sender_ssrc: Ssrc(u32_at(body, 0)?),
            media_ssrc: Ssrc(u32_at(body, 4)?),
        })
    }
}
