//! The few fields of a packet that SRTP itself looks at. RFC 3550 §5.1, RFC 3711 §3.1, §3.4.

/// What SRTP needs of an RTP packet; read from bytes that nobody has authenticated yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RtpFields {
    pub(super) sequence_number: u16,
    pub(super) ssrc: u32,
    /// Fixed header, CSRCs and extension: the part that stays readable.
    pub(super) header_len: usize,
}

impl RtpFields {
    /// `None` if the header is not version 2 or is longer than the packet.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<12>()?;
        let [b0, _, q0, q1, _, _, _, _, s0, s1, s2, s3] = *fixed;
        if b0 >> 6 != 2 {
            return None;
        }
        let mut header_len = 12 + usize::from(b0 & 0x0f) * 4;
        if b0 & 0x10 != 0 {
            let extension = rest.get(header_len - 12..)?;
            let [_, _, l0, l1] = *extension.first_chunk()?;
            header_len += 4 + usize::from(u16::from_be_bytes([l0, l1])) * 4;
        }
        (header_len <= packet.len()).then_some(Self {
            sequence_number: u16::from_be_bytes([q0, q1]),
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            header_len,
        })
    }
}

/// Bytes of an RTCP compound that stay readable: the first packet's header and SSRC.
pub(super) const RTCP_HEADER_LEN: usize = 8;

/// The SSRC of an RTCP compound's first packet; `None` if it is not version 2 or too short.
pub(super) fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let [b0, _, _, _, s0, s1, s2, s3] = *packet.first_chunk::<RTCP_HEADER_LEN>()?;
    (b0 >> 6 == 2).then(|| u32::from_be_bytes([s0, s1, s2, s3]))
}

/// A 48-bit packet index: `ROC || SEQ`. RFC 3711 §3.3.1.
pub(super) const INDEX_MAX: u64 = (1 << 48) - 1;

/// The bytes of a 48-bit index: four of ROC, two of SEQ.
pub(super) const fn index_bytes(index: u64) -> [u8; 6] {
    let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
    [i0, i1, i2, i3, i4, i5]
}

/// The sequence number inside an index.
pub(super) const fn index_seq(index: u64) -> u16 {
    let [.., i4, i5] = index_bytes(index);
    u16::from_be_bytes([i4, i5])
}

/// Bytes from their hexadecimal form.
#[cfg(test)]
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(packet: Vec<u8>) {
            if let Some(fields) = RtpFields::parse(&packet) {
                prop_assert!(fields.header_len >= 12 && fields.header_len <= packet.len());
            }
            let _ssrc = rtcp_ssrc(&packet);
        }
    }

    #[test]
    fn a_header_longer_than_its_packet_is_refused() {
        let mut packet = [0_u8; 16];
        packet[0] = 0x80;
        assert_eq!(RtpFields::parse(&packet).map(|f| f.header_len), Some(12));
        packet[0] = 0x8f; // Fifteen CSRCs.
        assert_eq!(RtpFields::parse(&packet), None);
        packet[0] = 0x90; // An extension of no words, then one of one word.
        assert_eq!(RtpFields::parse(&packet).map(|f| f.header_len), Some(16));
        packet[15] = 1;
        assert_eq!(RtpFields::parse(&packet), None);
        packet[0] = 0x40; // Version 1.
        assert_eq!(RtpFields::parse(&packet), None);
    }
}
