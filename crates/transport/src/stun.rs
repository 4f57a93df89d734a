//! STUN (RFC 8489) as an ICE-lite agent needs it.

/// The local half of USERNAME: the fragment we gave out. Nothing is verified; no allocation.
///
/// `None` if the datagram is not a well-formed Binding request with a USERNAME of two halves.
pub fn server_ufrag(datagram: &[u8]) -> Option<&str> {
    let _ = datagram;
    None
}
