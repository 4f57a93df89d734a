//! Retransmission payloads: the original sequence number in front of the original payload.
//! RFC 4588 §4.

use estrade_types::SeqNo;

/// Bytes in front of the original payload: the OSN field.
pub const HEADER_LEN: usize = 2;

/// Splits a retransmission's payload into the original sequence number and the original payload.
///
/// `None` when there is no whole OSN: browsers send padding on the RTX stream to probe for
/// bandwidth, and that repairs nothing. The original payload may be empty.
pub fn unwrap(payload: &[u8]) -> Option<(SeqNo, &[u8])> {
    let (osn, original) = payload.split_first_chunk()?;
    Some((SeqNo(u16::from_be_bytes(*osn)), original))
}

/// The OSN field of a retransmission of `original`.
pub const fn header(original: SeqNo) -> [u8; HEADER_LEN] {
    original.0.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_without_a_whole_osn_repairs_nothing() {
        assert_eq!(unwrap(&[]), None);
        assert_eq!(unwrap(&[1]), None);
        assert_eq!(unwrap(&[1, 2]), Some((SeqNo(0x0102), &[][..])));
    }

    #[test]
    fn what_was_wrapped_is_unwrapped() {
        let mut payload = header(SeqNo(0xfffe)).to_vec();
        payload.extend_from_slice(b"frame");
        assert_eq!(unwrap(&payload), Some((SeqNo(0xfffe), &b"frame"[..])));
    }
}
