//! What leaves the router: the trait that the shard implements.
//!
//! The router decides header and payload of every packet; the shard copies both into its send
//! batch and protects them there. Nothing here is kept between calls.

use estrade_rtp::EgressHeader;

/// The number of bytes an [`EgressPayload::head`] can have: OSN (2) and a VP8 descriptor (6).
pub(crate) const HEAD_BYTES_MAX: usize = 8;

/// One outgoing stream of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LegAddress {
    /// The `slot` that the caller gave in [`crate::AddSession`]: its index of the session.
    pub session: u32,
    /// Index of the stream: the position of its section in [`crate::AddSession::tx`]. The RTX stream
    /// of a section has the same index and [`MediaClass::Rtx`].
    pub stream: u16,
}

/// Which queue a packet belongs to: what is dropped first when a socket is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaClass {
    /// Sound: dropped last.
    Audio,
    /// Picture.
    Video,
    /// A retransmission, on the section's RTX SSRC with its own numbering.
    Rtx,
}

/// An outgoing payload in two pieces, to be written one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EgressPayload<'a> {
    /// At most 8 bytes that are this leg's own.
    pub head: &'a [u8],
    /// The rest, the same for every leg.
    pub body: &'a [u8],
}

impl EgressPayload<'_> {
    /// Length of both pieces, in bytes.
    pub const fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether there is nothing to write: a packet that only keeps the numbering.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes both pieces to the start of `out` and returns their length; `None` if they do not fit.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let (head, rest) = out.split_at_mut_checked(self.head.len())?;
        let body = rest.get_mut(..self.body.len())?;
        head.copy_from_slice(self.head);
        body.copy_from_slice(self.body);
        Some(self.len())
    }
}

/// Where the router's packets go. Implemented by the shard's send batch, and by tests.
pub trait Egress {
    /// Takes one RTP packet.
    ///
    /// `ext_seq` is the SRTP index (ROC and sequence number, RFC 3711 §3.3.1) of the packet in its
    /// stream: per [`LegAddress`], media and [`MediaClass::Rtx`] counted apart. It is never given
    /// twice for one stream.
    fn rtp(
        &mut self,
        to: LegAddress,
        header: &EgressHeader,
        ext_seq: u64,
        payload: EgressPayload<'_>,
        class: MediaClass,
    );

    /// Takes one RTCP compound (RFC 3550 §6.1, reduced-size per RFC 5506) for the session whose
    /// caller-given slot this is. At most 1 200 bytes.
    fn rtcp(&mut self, session: u32, compound: &[u8]);
}
