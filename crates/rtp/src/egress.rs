//! The RTP header of a packet we send, written in front of a payload. RFC 3550 §5.1, RFC 8285 §4.2.
//!
//! Filled by the router, written by the shard into the send batch. One-byte extension elements
//! only: every value we send fits, and every browser reads them.

use estrade_types::{AudioLevel, ExtensionId, Mid, PayloadType, RtpTimestamp, SeqNo, Ssrc};

use crate::bytes::Cursor;

/// Everything the header of an egress packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EgressHeader {
    /// The receiver's payload type.
    pub payload_type: PayloadType,
    /// Last packet of a frame, or first of a talk spurt.
    pub marker: bool,
    /// The leg's sequence number.
    pub sequence_number: SeqNo,
    /// The leg's timestamp.
    pub timestamp: RtpTimestamp,
    /// The slot's SSRC.
    pub ssrc: Ssrc,
    /// Who is carried in the slot at the moment.
    pub csrc: Option<Ssrc>,
    /// The media section.
    pub mid: Option<(ExtensionId, Mid)>,
    /// How loud the packet is.
    pub audio_level: Option<(ExtensionId, AudioLevel)>,
    /// Camera, flip and rotation bits.
    pub video_orientation: Option<(ExtensionId, u8)>,
    /// The transport-wide sequence number.
    pub transport_seq: Option<(ExtensionId, u16)>,
}

impl EgressHeader {
    /// The longest header this type can write, in bytes: a buffer with this much room in front of
    /// the payload always suffices.
    pub const LEN_MAX: usize = 12 + 4 + 4 + (17 + 2 + 2 + 3);

    /// How many bytes [`Self::write`] writes.
    pub fn header_len(&self) -> usize {
        let csrc = if self.csrc.is_some() { 4 } else { 0 };
        let extension = match self.elements_len() {
            0 => 0,
            elements => 4 + elements.next_multiple_of(4),
        };
        12 + csrc + extension
    }

    /// Writes the header at the start of `out` and returns its length; `None`, with `out` in an
    /// unspecified state, when it does not fit.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let elements_len = self.elements_len();
        let mut out = Cursor::new(out);
        let extension_bit = if elements_len == 0 { 0 } else { 0x10 };
        out.put_u8(0x80 | extension_bit | u8::from(self.csrc.is_some()))?;
        out.put_u8(u8::from(self.marker) << 7 | self.payload_type.value())?;
        out.put_u16(self.sequence_number.0)?;
        out.put_u32(self.timestamp.0)?;
        out.put_u32(self.ssrc.0)?;
        if let Some(csrc) = self.csrc {
            out.put_u32(csrc.0)?;
        }
        if elements_len != 0 {
            self.write_elements(&mut out, elements_len)?;
        }
        Some(out.position())
    }

    fn write_elements(&self, out: &mut Cursor<'_>, elements_len: usize) -> Option<()> {
        out.put_u16(0xbede)?;
        out.put_u16(u16::try_from(elements_len.div_ceil(4)).ok()?)?;
        if let Some((id, mid)) = self.mid {
            put_element(out, id, mid.as_str().as_bytes())?;
        }
        if let Some((id, level)) = self.audio_level {
            put_element(out, id, &[level.to_octet()])?;
        }
        if let Some((id, orientation)) = self.video_orientation {
            put_element(out, id, &[orientation])?;
        }
        if let Some((id, seq)) = self.transport_seq {
            put_element(out, id, &seq.to_be_bytes())?;
        }
        // Header and CSRC list are whole words, so aligning the packet aligns the block.
        out.align()
    }

    /// Bytes of the extension elements, without the block's head and padding.
    fn elements_len(&self) -> usize {
        let mid = self.mid.map_or(0, |(_, mid)| 1 + mid.as_str().len());
        let level = if self.audio_level.is_some() { 2 } else { 0 };
        let orientation = if self.video_orientation.is_some() {
            2
        } else {
            0
        };
        let transport_seq = if self.transport_seq.is_some() { 3 } else { 0 };
        mid + level + orientation + transport_seq
    }
}

/// One element: identifier and length less one in the first byte. `value` is 1 to 16 bytes.
fn put_element(out: &mut Cursor<'_>, id: ExtensionId, value: &[u8]) -> Option<()> {
    let len = u8::try_from(value.len().checked_sub(1)?).ok()?;
    out.put_u8(id.value() << 4 | len & 0x0f)?;
    out.put(value)
}

#[cfg(test)]
mod tests;
