//! Goodbye. RFC 3550 §6.6.

use estrade_types::Ssrc;

/// Streams that end.
#[derive(Clone, Copy, Debug)]
pub struct Bye<'a> {
    ssrcs: &'a [[u8; 4]],
    reason: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Option<Self> {
        let (ssrcs, rest) = body.split_at_checked(usize::from(count) * 4)?;
        let reason = match rest.split_first() {
            Some((&len, text)) => text.get(..usize::from(len))?,
            None => &[],
        };
        Some(Self {
            ssrcs: ssrcs.as_chunks().0,
            reason,
        })
    }

    /// The ending streams, at most 31.
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + use<'a> {
        self.ssrcs
            .iter()
            .map(|&ssrc| Ssrc(u32::from_be_bytes(ssrc)))
    }

    /// Why, in the client's words; empty when it does not say. Any bytes.
    pub const fn reason(&self) -> &'a [u8] {
        self.reason
    }
}
