//! The VP8 payload descriptor and the first bytes of a VP8 frame. RFC 7741 §4.2, §4.3; RFC 6386 §9.1.
//!
//! Read by the router to find keyframes, and rewritten in place when a leg changes its source, so
//! that picture ids and temporal indices go on without a jump.
//!
//! ```text
//!       0 1 2 3 4 5 6 7
//!      |X|R|N|S|R| PID |  required
//! X:   |I|L|T|K| RSV   |
//! I:   |M| PictureID   |  7 bits, or with M 15 bits over two octets
//! L:   |   TL0PICIDX   |
//! T/K: |TID|Y| KEYIDX  |
//! ```

use crate::bytes::u16_at;

/// A picture id with the width the sender uses. RFC 7741 §4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureId {
    /// 0 to 127.
    Seven(u8),
    /// 0 to 32 767.
    Fifteen(u16),
}

impl PictureId {
    /// The number, whatever its width.
    pub fn value(self) -> u16 {
        match self {
            Self::Seven(id) => u16::from(id),
            Self::Fifteen(id) => id,
        }
    }

    /// The largest number of this width; arithmetic on picture ids is modulo one more.
    pub const fn mask(self) -> u16 {
        match self {
            Self::Seven(_) => 0x7f,
            Self::Fifteen(_) => 0x7fff,
        }
    }
}

/// A parsed payload descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// S: the payload starts a VP8 partition.
    pub start_of_partition: bool,
    /// PID: the index of the partition, 0 to 7.
    pub partition_id: u8,
    /// N: the frame may be discarded without harm to others.
    pub is_non_reference: bool,
    /// The picture's running number.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: running number of base-layer pictures.
    pub tl0picidx: Option<u8>,
    /// TID: temporal layer, 0 to 3.
    pub tid: Option<u8>,
    /// Y: the picture depends on the base layer only. Present with `tid`.
    pub layer_sync: bool,
    /// KEYIDX: running number of keyframes, 0 to 31.
    pub keyidx: Option<u8>,
    /// Bytes of the descriptor: the VP8 data starts here.
    pub len: usize,
}

/// Where the rewritable fields stand, in bytes from the start of the payload.
#[derive(Clone, Copy, Default)]
struct Offsets {
    picture_id: usize,
    tl0picidx: usize,
}

impl Descriptor {
    /// Reads the descriptor at the start of an RTP payload; `None` when it is cut short.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        parse_with_offsets(payload).map(|(descriptor, _)| descriptor)
    }

    /// Whether the payload is the first of a frame.
    pub const fn is_frame_start(&self) -> bool {
        self.start_of_partition && self.partition_id == 0
    }
}

/// Whether the payload starts a keyframe: first partition, and P of the frame tag is 0.
/// RFC 7741 §4.3.
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    frame_start(payload)
        .and_then(<[u8]>::first)
        .is_some_and(|tag| tag & 0x01 == 0)
}

/// Width and height in pixels, from the payload that starts a keyframe; `None` for any other.
/// RFC 6386 §9.1.
pub fn dimensions(payload: &[u8]) -> Option<(u16, u16)> {
    match *frame_start(payload)? {
        // Three octets of frame tag, the start code, then 14 bits each, little-endian, under two
        // bits of scale.
        [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] if tag & 0x01 == 0 => Some((
            u16::from_le_bytes([w0, w1]) & 0x3fff,
            u16::from_le_bytes([h0, h1]) & 0x3fff,
        )),
        _ => None,
    }
}

/// Overwrites the picture id and TL0PICIDX where the descriptor has them, in place.
///
/// The length never changes: a 7-bit picture id takes the low seven bits of `picture_id`, a 15-bit
/// one the low fifteen. Returns false, with nothing changed, when the descriptor is cut short.
pub fn rewrite_ids(payload: &mut [u8], picture_id: u16, tl0picidx: u8) -> bool {
    let Some((descriptor, offsets)) = parse_with_offsets(payload) else {
        return false;
    };
    let [high, low] = picture_id.to_be_bytes();
    match descriptor.picture_id {
        Some(PictureId::Seven(_)) => {
            if let Some(octet) = payload.get_mut(offsets.picture_id) {
                *octet = low & 0x7f;
            }
        }
        Some(PictureId::Fifteen(_)) => {
            if let Some([first, second]) = payload
                .get_mut(offsets.picture_id..)
                .and_then(<[u8]>::first_chunk_mut)
            {
                *first = 0x80 | high;
                *second = low;
            }
        }
        None => {}
    }
    if descriptor.tl0picidx.is_some()
        && let Some(octet) = payload.get_mut(offsets.tl0picidx)
    {
        *octet = tl0picidx;
    }
    true
}

/// The VP8 data of a payload that starts a frame.
fn frame_start(payload: &[u8]) -> Option<&[u8]> {
    let descriptor = Descriptor::parse(payload)?;
    if !descriptor.is_frame_start() {
        return None;
    }
    payload.get(descriptor.len..)
}

fn parse_with_offsets(payload: &[u8]) -> Option<(Descriptor, Offsets)> {
    let &first = payload.first()?;
    let mut descriptor = Descriptor {
        start_of_partition: first & 0x10 != 0,
        partition_id: first & 0x07,
        is_non_reference: first & 0x20 != 0,
        picture_id: None,
        tl0picidx: None,
        tid: None,
        layer_sync: false,
        keyidx: None,
        len: 1,
    };
    let mut offsets = Offsets::default();
    if first & 0x80 == 0 {
        return Some((descriptor, offsets));
    }
    let &present = payload.get(1)?;
    let mut at = 2;
    if present & 0x80 != 0 {
        offsets.picture_id = at;
        let &octet = payload.get(at)?;
        descriptor.picture_id = Some(if octet & 0x80 == 0 {
            at += 1;
            PictureId::Seven(octet)
        } else {
            let id = u16_at(payload, at)?;
            at += 2;
            PictureId::Fifteen(id & 0x7fff)
        });
    }
    if present & 0x40 != 0 {
        offsets.tl0picidx = at;
        descriptor.tl0picidx = Some(*payload.get(at)?);
        at += 1;
    }
    if present & 0x30 != 0 {
        let &octet = payload.get(at)?;
        at += 1;
        if present & 0x20 != 0 {
            descriptor.tid = Some(octet >> 6);
            descriptor.layer_sync = octet & 0x20 != 0;
        }
        if present & 0x10 != 0 {
            descriptor.keyidx = Some(octet & 0x1f);
        }
    }
    descriptor.len = at;
    Some((descriptor, offsets))
}

#[cfg(test)]
mod tests;
