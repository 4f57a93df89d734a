//! STUN Binding requests as an ICE-lite agent needs them. RFC 8489, RFC 8445 §7.3.
//!
//! Fed with bytes from anyone; read by the ICE agent and, for the fragment alone, by the shard's
//! demultiplexing. Parsing borrows and never allocates: a flood must cost no more than its reading.

mod reply;

#[cfg(test)]
pub(crate) mod tests;

use arrayvec::ArrayVec;
use hmac::{Hmac, Mac};
use rtc::stun::fingerprint::fingerprint_value;
use sha1::Sha1;
use subtle::ConstantTimeEq;

pub(crate) use reply::{Reply, ReplyKind};

const HEADER_LEN: usize = 20;
/// Type and length in front of an attribute's value. RFC 8489 §14.
const ATTRIBUTE_HEADER_LEN: usize = 4;
const MAC_LEN: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Two fragments of at most 256 ice-chars and the colon. RFC 8839 §5.4.
const USERNAME_LEN_MAX: usize = 513;

mod attribute {
    pub(super) const USERNAME: u16 = 0x0006;
    pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(super) const ERROR_CODE: u16 = 0x0009;
    pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(super) const PRIORITY: u16 = 0x0024;
    pub(super) const USE_CANDIDATE: u16 = 0x0025;
    pub(super) const FINGERPRINT: u16 = 0x8028;
    pub(super) const ICE_CONTROLLED: u16 = 0x8029;
    /// From here up an agent may ignore what it does not know. RFC 8489 §14.
    pub(super) const OPTIONAL_MIN: u16 = 0x8000;
}

/// The 96 bits that pair a response with its request.
pub(crate) type TransactionId = [u8; 12];

/// The local half of USERNAME: the fragment we gave out. Nothing is verified; no allocation.
///
/// `None` if the datagram is not a well-formed Binding request with a USERNAME of two halves.
pub fn server_ufrag(datagram: &[u8]) -> Option<&str> {
    let request = Request::parse(datagram)?;
    std::str::from_utf8(request.local_ufrag).ok()
}

/// A well-formed Binding request that carries credentials; not authenticated yet.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) transaction: TransactionId,
    /// The first half of USERNAME: ours.
    pub(crate) local_ufrag: &'a [u8],
    /// The second half: the endpoint's.
    pub(crate) remote_ufrag: &'a [u8],
    pub(crate) use_candidate: bool,
    /// The endpoint believes itself controlled, as we are.
    pub(crate) is_controlled: bool,
    /// Attributes that must be understood and are not. The first eight; one is enough to refuse.
    pub(crate) unknown: ArrayVec<u16, 8>,
    mac: [u8; MAC_LEN],
    /// The message up to MESSAGE-INTEGRITY, header included.
    signed: &'a [u8],
}

impl<'a> Request<'a> {
    /// `None` for anything but a Binding request with USERNAME and MESSAGE-INTEGRITY, whose
    /// FINGERPRINT, if it has one, is right.
    ///
    /// Refuses what no agent sends: an attribute that runs over the end, a repeated USERNAME or
    /// MESSAGE-INTEGRITY, anything but FINGERPRINT after MESSAGE-INTEGRITY, anything after
    /// FINGERPRINT.
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (transaction, mut rest) = parse_header(datagram)?;
        let mut username = None;
        let mut integrity = None;
        let mut use_candidate = false;
        let mut is_controlled = false;
        let mut unknown = ArrayVec::new();
        while !rest.is_empty() {
            let before = datagram.get(..datagram.len() - rest.len())?;
            let (kind, value, after) = split_attribute(rest)?;
            rest = after;
            match kind {
                attribute::FINGERPRINT => {
                    let theirs = u32::from_be_bytes(value.try_into().ok()?);
                    if !rest.is_empty() || theirs != fingerprint_value(before) {
                        return None;
                    }
                }
                _ if integrity.is_some() => return None,
                attribute::MESSAGE_INTEGRITY => {
                    integrity = Some((<[u8; MAC_LEN]>::try_from(value).ok()?, before));
                }
                attribute::USERNAME if username.is_some() => return None,
                attribute::USERNAME => username = Some(split_username(value)?),
                attribute::USE_CANDIDATE => use_candidate = true,
                attribute::ICE_CONTROLLED => is_controlled = true,
                attribute::PRIORITY | attribute::OPTIONAL_MIN.. => {}
                kind => {
                    // A ninth is not listed.
                    let _full = unknown.try_push(kind);
                }
            }
        }
        let (local_ufrag, remote_ufrag) = username?;
        let (mac, signed) = integrity?;
        Some(Self {
            transaction,
            local_ufrag,
            remote_ufrag,
            use_candidate,
            is_controlled,
            unknown,
            mac,
            signed,
        })
    }

    /// Whether MESSAGE-INTEGRITY was made with `key`; in constant time. RFC 8489 §14.5.
    pub(crate) fn is_authentic(&self, key: &Hmac<Sha1>) -> bool {
        let Some((header, attributes)) = self.signed.split_first_chunk::<HEADER_LEN>() else {
            return false;
        };
        let mac = integrity(key, *header, attributes);
        mac.ct_eq(&self.mac).into()
    }
}

/// MESSAGE-INTEGRITY over a header, its length made to end after that attribute, and `attributes`.
fn integrity(key: &Hmac<Sha1>, header: [u8; HEADER_LEN], attributes: &[u8]) -> [u8; MAC_LEN] {
    let [t0, t1, _, _, rest @ ..] = header;
    let len = attributes.len() + ATTRIBUTE_HEADER_LEN + MAC_LEN;
    // A datagram is far shorter than 2^16 bytes; a longer one would merely fail to verify.
    let [l0, l1] = u16::try_from(len).unwrap_or_default().to_be_bytes();
    let mut mac = key.clone();
    mac.update(&[t0, t1, l0, l1]);
    mac.update(&rest);
    mac.update(attributes);
    mac.finalize().into_bytes().into()
}

/// The header of a Binding request and all its attributes. RFC 8489 §5.
fn parse_header(datagram: &[u8]) -> Option<(TransactionId, &[u8])> {
    let (header, attributes) = datagram.split_first_chunk::<HEADER_LEN>()?;
    let [t0, t1, l0, l1, m0, m1, m2, m3, transaction @ ..] = *header;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let is_request = u16::from_be_bytes([t0, t1]) == BINDING_REQUEST
        && [m0, m1, m2, m3] == MAGIC_COOKIE
        && len.is_multiple_of(4)
        && len == attributes.len();
    is_request.then_some((transaction, attributes))
}

/// Takes one attribute off: its type, its value, and what follows its padding.
fn split_attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<ATTRIBUTE_HEADER_LEN>()?;
    let [t0, t1, l0, l1] = *header;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let value = rest.get(..len)?;
    let after = rest.get(len.next_multiple_of(4)..)?;
    Some((u16::from_be_bytes([t0, t1]), value, after))
}

/// The two halves of USERNAME. RFC 8445 §7.2.2.
fn split_username(value: &[u8]) -> Option<(&[u8], &[u8])> {
    if value.len() > USERNAME_LEN_MAX {
        return None;
    }
    let colon = value.iter().position(|&c| c == b':')?;
    let (local, remote) = value.split_at_checked(colon)?;
    let (_, remote) = remote.split_first()?;
    (!local.is_empty() && !remote.is_empty()).then_some((local, remote))
}
