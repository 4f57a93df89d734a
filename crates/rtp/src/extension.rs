//! Header extension elements we know, read in one pass. RFC 8285 §4.2, §4.3; RFC 6464; RFC 8852;
//! RFC 9143 §15; the transport-wide sequence number and absolute send time of libwebrtc.
//!
//! Read by the router, by the one id table that a section negotiated. Unknown ids are skipped, an
//! element of a length its definition does not allow is treated as absent, and the first of
//! several elements with one id counts. What stands before a broken element is kept, as RFC 8285
//! §4.2 asks.

use estrade_types::{AudioLevel, ExtensionId, ExtensionMap, Mid, Rid};

use crate::RtpView;
use crate::bytes::u24_at;

/// The profile word of one-byte elements. RFC 8285 §4.2.
const ONE_BYTE_PROFILE: u16 = 0xbede;

/// The upper twelve bits of the profile word of two-byte elements; the rest is "appbits".
/// RFC 8285 §4.3.
const TWO_BYTE_PROFILE: u16 = 0x1000;

/// What the header extensions of one packet said; `None` for what is absent, not negotiated or
/// of a wrong length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderExtensions {
    /// Which media section the packet belongs to.
    pub mid: Option<Mid>,
    /// Which encoding of a simulcast it belongs to.
    pub rid: Option<Rid>,
    /// Which encoding a retransmission repairs.
    pub repaired_rid: Option<Rid>,
    /// How loud the packet is.
    pub audio_level: Option<AudioLevel>,
    /// The transport-wide sequence number.
    pub transport_seq: Option<u16>,
    /// Sender's clock in units of 1/262144 s, 24 bits (6.18 fixed point).
    pub abs_send_time: Option<u32>,
    /// Camera, flip and rotation bits. 3GPP TS 26.114 §7.4.5.
    pub video_orientation: Option<u8>,
}

impl HeaderExtensions {
    /// Reads the elements that `map` names.
    // spec: RFC 8285 §4.2 ignore-unknown-id
    pub fn read(packet: &RtpView<'_>, map: &ExtensionMap) -> Self {
        let mut found = Self::default();
        if let Some(extension) = packet.extension() {
            match extension.profile {
                ONE_BYTE_PROFILE => found.read_one_byte(extension.data, map),
                profile if profile & 0xfff0 == TWO_BYTE_PROFILE => {
                    found.read_two_byte(extension.data, map);
                }
                // Among others cryptex (RFC 9335), which we never negotiate.
                _ => {}
            }
        }
        found
    }

    fn read_one_byte(&mut self, mut data: &[u8], map: &ExtensionMap) {
        while let Some((&head, rest)) = data.split_first() {
            let (id, len) = (head >> 4, head & 0x0f);
            if head == 0 {
                data = rest;
                continue;
            }
            // spec: RFC 8285 §4.2 stop-at-id-15-and-at-id-0-with-length
            if id == 15 || id == 0 {
                return;
            }
            let Some((value, rest)) = rest.split_at_checked(usize::from(len) + 1) else {
                return;
            };
            self.take(id, value, map);
            data = rest;
        }
    }

    fn read_two_byte(&mut self, mut data: &[u8], map: &ExtensionMap) {
        while let Some((&id, rest)) = data.split_first() {
            if id == 0 {
                data = rest;
                continue;
            }
            let Some((&len, rest)) = rest.split_first() else {
                return;
            };
            let Some((value, rest)) = rest.split_at_checked(usize::from(len)) else {
                return;
            };
            self.take(id, value, map);
            data = rest;
        }
    }

    fn take(&mut self, id: u8, value: &[u8], map: &ExtensionMap) {
        let is = |named: Option<ExtensionId>| named.is_some_and(|named| named.value() == id);
        if is(map.mid) {
            self.mid = self.mid.or_else(|| Mid::from_wire(value));
        } else if is(map.transport_cc) {
            self.transport_seq = self.transport_seq.or(match *value {
                [high, low] => Some(u16::from_be_bytes([high, low])),
                _ => None,
            });
        } else if is(map.audio_level) {
            self.audio_level = self
                .audio_level
                .or_else(|| only(value).map(AudioLevel::from_octet));
        } else if is(map.rid) {
            self.rid = self.rid.or_else(|| Rid::from_wire(value));
        } else if is(map.repaired_rid) {
            self.repaired_rid = self.repaired_rid.or_else(|| Rid::from_wire(value));
        } else if is(map.abs_send_time) && value.len() == 3 {
            self.abs_send_time = self.abs_send_time.or_else(|| u24_at(value, 0));
        } else if is(map.video_orientation) {
            self.video_orientation = self.video_orientation.or_else(|| only(value));
        }
    }
}

/// The octet of a one-octet element.
fn only(value: &[u8]) -> Option<u8> {
    match value {
        [octet] => Some(*octet),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
