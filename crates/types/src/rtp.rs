//! RTP's numbers: what can be on the wire and nothing else. RFC 3550 §5.1, RFC 6464, RFC 8852.

use std::fmt;
use std::num::NonZeroU32;

/// Synchronization source. RFC 3550 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ssrc(pub u32);

/// RTP payload type: the 7-bit `PT` field. RFC 3550 §5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadType(u8);

impl PayloadType {
    /// Accepts 0..=127. Returns `None` for a value that cannot be on the wire.
    pub const fn new(value: u8) -> Option<Self> {
        if value < 128 { Some(Self(value)) } else { None }
    }

    /// The low seven bits of the second octet of an RTP header.
    pub const fn from_octet(octet: u8) -> Self {
        Self(octet & 0x7f)
    }

    /// The value, 0..=127.
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// A 16-bit sequence number as seen on the wire. RFC 3550 §5.1.
///
/// Not `Ord` on purpose: after the wrap 65 535 comes before 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeqNo(pub u16);

/// A sequence number that never wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtSeqNo(pub u64);

impl ExtSeqNo {
    /// The low 16 bits, as they stand in a packet.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 16 bits are what is asked for"
    )]
    pub const fn wire(self) -> SeqNo {
        SeqNo(self.0 as u16)
    }

    /// `self` moved by `delta`; `None` below zero.
    pub fn offset(self, delta: i64) -> Option<Self> {
        self.0.checked_add_signed(delta).map(Self)
    }
}

/// Unwraps sequence numbers, one stream at a time.
#[derive(Clone, Copy, Debug)]
pub struct SeqExtender {
    highest: ExtSeqNo,
}

impl SeqExtender {
    /// Starts at the first number of a stream, one cycle up, so that a packet that was sent before
    /// it can still be placed.
    pub fn starting_at(first: SeqNo) -> Self {
        Self {
            highest: ExtSeqNo(0x1_0000 + u64::from(first.0)),
        }
    }

    /// Places `seq` nearest to the highest number seen. RFC 3711 §3.3.1.
    ///
    /// For routing, and fed authenticated packets only; SRTP keeps its own, which starts at cycle
    /// 0. `None` for a number from before the first cycle: nobody sent it.
    pub fn extend(&mut self, seq: SeqNo) -> Option<ExtSeqNo> {
        let extended = self.peek(seq)?;
        self.highest = self.highest.max(extended);
        Some(extended)
    }

    /// As [`Self::extend`], without learning from it.
    pub fn peek(&self, seq: SeqNo) -> Option<ExtSeqNo> {
        let ahead = seq.0.wrapping_sub(self.highest.wire().0).cast_signed();
        self.highest.offset(i64::from(ahead))
    }

    /// The highest number seen.
    pub const fn highest(&self) -> ExtSeqNo {
        self.highest
    }
}

/// RTP timestamp, in units of the stream's clock rate. RFC 3550 §5.1.
///
/// Not `Ord` on purpose: it wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpTimestamp(pub u32);

/// Ticks of the RTP timestamp per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClockRate(NonZeroU32);

impl ClockRate {
    /// Opus. RFC 7587 §4.1.
    pub const OPUS: Self = Self::hz(48_000);
    /// Every video format. RFC 7741 §4.1, RFC 6184 §5.1.
    pub const VIDEO: Self = Self::hz(90_000);

    /// From a frequency; `None` for zero.
    pub const fn new(hz: u32) -> Option<Self> {
        match NonZeroU32::new(hz) {
            Some(hz) => Some(Self(hz)),
            None => None,
        }
    }

    const fn hz(hz: u32) -> Self {
        match NonZeroU32::new(hz) {
            Some(hz) => Self(hz),
            None => Self(NonZeroU32::MIN),
        }
    }

    /// In hertz.
    pub const fn as_hz(self) -> u32 {
        self.0.get()
    }
}

/// Audio level in -dBov: 0 is loudest, 127 digital silence. RFC 6464 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioLevel {
    level: u8,
    voice: bool,
}

impl AudioLevel {
    /// Digital silence, no voice.
    pub const SILENCE: Self = Self {
        level: 127,
        voice: false,
    };

    /// From the octet of the header extension: V in the top bit, the level below. RFC 6464 §3.
    pub const fn from_octet(octet: u8) -> Self {
        Self {
            level: octet & 0x7f,
            voice: octet & 0x80 != 0,
        }
    }

    /// The octet of the header extension.
    pub const fn to_octet(self) -> u8 {
        self.level | if self.voice { 0x80 } else { 0 }
    }

    /// In -dBov, 0..=127; larger is quieter.
    pub const fn level(self) -> u8 {
        self.level
    }

    /// The voice-activity bit as the client set it.
    pub const fn has_voice(self) -> bool {
        self.voice
    }

    /// `127 - level`: larger is louder.
    pub const fn volume(self) -> u8 {
        127 - self.level
    }
}

macro_rules! inline_token {
    ($(#[$doc:meta])* $name:ident, $len:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name { len: u8, bytes: [u8; $len] }

        impl $name {
            /// The most bytes it can hold.
            pub const LEN_MAX: usize = $len;

            /// Accepts 1 to [`Self::LEN_MAX`] bytes of an SDP token's visible ASCII; never truncates.
            pub fn new(text: &str) -> Option<Self> {
                Self::from_wire(text.as_bytes())
            }

            /// As [`Self::new`], from the bytes of a header extension.
            pub fn from_wire(wire: &[u8]) -> Option<Self> {
                let len = u8::try_from(wire.len()).ok()?;
                if wire.is_empty() || !wire.iter().all(u8::is_ascii_graphic) {
                    return None;
                }
                let mut bytes = [0; $len];
                bytes.get_mut(..wire.len())?.copy_from_slice(wire);
                Some(Self { len, bytes })
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
                std::str::from_utf8(bytes).unwrap_or_default()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

inline_token!(
    /// Identifies a media section. RFC 9143 §7.2.
    Mid,
    16
);
inline_token!(
    /// Identifies one encoding of a simulcast. RFC 8851 §10, RFC 8852 §3.1.
    Rid,
    16
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_follows_the_wrap_both_ways() {
        let mut extender = SeqExtender::starting_at(SeqNo(65_534));
        let first = extender.highest();
        assert_eq!(extender.extend(SeqNo(1)), first.offset(3));
        assert_eq!(extender.extend(SeqNo(65_535)), first.offset(1));
        assert_eq!(extender.highest(), ExtSeqNo(first.0 + 3));
    }

    #[test]
    fn tokens_are_never_truncated() {
        assert_eq!(
            Mid::new("0").map(|m| m.as_str().to_owned()),
            Some("0".to_owned())
        );
        assert!(Rid::new("").is_none());
        assert!(Rid::new("seventeen-letters").is_none());
        assert!(Rid::new("a b").is_none());
    }

    #[test]
    fn audio_level_keeps_the_voice_bit_apart() {
        let level = AudioLevel::from_octet(0x80 | 30);
        assert_eq!(
            (level.level(), level.has_voice(), level.volume()),
            (30, true, 97)
        );
        assert_eq!(level.to_octet(), 0x80 | 30);
    }
}
