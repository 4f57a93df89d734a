//! What a datagram is, from its first bytes: RFC 7983 §7, and RFC 5761 §4 for RTP and RTCP.

/// The protocol a datagram claims by its first bytes. Nothing is verified by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketKind {
    /// First byte 0 to 3.
    Stun,
    /// First byte 20 to 63.
    Dtls,
    /// First byte 128 to 191, second not an RTCP type.
    Rtp,
    /// First byte 128 to 191, second 192 to 223.
    Rtcp,
}

impl PacketKind {
    /// Sorts a datagram; `None` for what no protocol of ours starts with.
    pub const fn of(datagram: &[u8]) -> Option<Self> {
        match *datagram {
            [0..=3, ..] => Some(Self::Stun),
            [20..=63, ..] => Some(Self::Dtls),
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
    fn datagrams_are_sorted_as_the_standards_say() {
        assert_eq!(PacketKind::of(&[0, 1]), Some(PacketKind::Stun));
        assert_eq!(PacketKind::of(&[22, 254]), Some(PacketKind::Dtls));
        assert_eq!(PacketKind::of(&[0x80, 111]), Some(PacketKind::Rtp));
        assert_eq!(PacketKind::of(&[0x80, 0x80 | 96]), Some(PacketKind::Rtp));
        assert_eq!(PacketKind::of(&[0x81, 200]), Some(PacketKind::Rtcp));
    }

    #[test]
    fn the_rest_is_nothing_of_ours() {
        for datagram in [
            &[][..],
            &[4],
            &[19],
            &[64, 0],
            &[127, 1],
            &[128],
            &[192, 0],
            &[255; 20],
        ] {
            assert_eq!(PacketKind::of(datagram), None);
        }
    }
}
