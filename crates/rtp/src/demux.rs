//! Tells the protocols on one port apart by their first bytes: RFC 7983 §7, RFC 5761 §4.
//!
//! Fed by the shard before anything is authenticated; so it only looks.

/// What a datagram claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatagramKind {
    /// RFC 8489.
    Stun,
    /// RFC 6347.
    Dtls,
    /// RFC 3550, protected by SRTP.
    Rtp,
    /// RFC 3550 §6, protected by SRTCP.
    Rtcp,
}

impl DatagramKind {
    /// From the first two bytes; `None` for anything we do not speak (ZRTP, TURN channels, noise).
    pub fn of(datagram: &[u8]) -> Option<Self> {
        match datagram {
            [0..=3, ..] => Some(Self::Stun),
            [20..=63, ..] => Some(Self::Dtls),
            // Payload types 64 to 95 are not used for RTP: with the marker bit they would look
            // like the RTCP packet types 192 to 223. RFC 5761 §4.
            [128..=191, 192..=223, ..] => Some(Self::Rtcp),
            [128..=191, _, ..] => Some(Self::Rtp),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        assert_eq!(DatagramKind::of(&[]), None);
        assert_eq!(DatagramKind::of(&[0x80]), None);
        assert_eq!(DatagramKind::of(&[0, 1]), Some(DatagramKind::Stun));
        assert_eq!(DatagramKind::of(&[22, 254]), Some(DatagramKind::Dtls));
        assert_eq!(DatagramKind::of(&[0x80, 111]), Some(DatagramKind::Rtp));
        assert_eq!(
            DatagramKind::of(&[0x90, 0x80 | 96]),
            Some(DatagramKind::Rtp)
        );
        assert_eq!(DatagramKind::of(&[0x81, 200]), Some(DatagramKind::Rtcp));
        assert_eq!(DatagramKind::of(&[0x8f, 205]), Some(DatagramKind::Rtcp));
        assert_eq!(DatagramKind::of(&[0x40, 1]), None);
        assert_eq!(DatagramKind::of(&[0xc0, 1]), None);
    }
}
