//! Our answers to authenticated Binding requests. RFC 8489 §7.3.1.

use std::net::{IpAddr, SocketAddr};

use arrayvec::ArrayVec;
use hmac::Hmac;
use rtc::stun::fingerprint::fingerprint_value;
use sha1::Sha1;

use super::{HEADER_LEN, MAGIC_COOKIE, TransactionId, attribute, integrity};

const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
/// The longest: a 420 that lists eight attributes.
const LEN_MAX: usize = 128;

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReplyKind<'a> {
    /// Success: the address as we see it.
    Success,
    /// 420 Unknown Attribute. RFC 8489 §14.8.
    UnknownAttributes(&'a [u16]),
    /// 487 Role Conflict: the endpoint must be the controlling side. RFC 8445 §7.3.1.1.
    RoleConflict,
}

/// A finished response: authenticated with the request's own key, fingerprinted.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) to: SocketAddr,
    bytes: ArrayVec<u8, LEN_MAX>,
}

impl Reply {
    /// The response to `transaction`, which came from `to`. `None` cannot happen: all kinds fit.
    pub(crate) fn new(
        kind: ReplyKind<'_>,
        transaction: TransactionId,
        to: SocketAddr,
        key: &Hmac<Sha1>,
    ) -> Option<Self> {
        let mut reply = Self {
            to,
            bytes: ArrayVec::new(),
        };
        let class = match kind {
            ReplyKind::Success => BINDING_SUCCESS,
            ReplyKind::UnknownAttributes(_) | ReplyKind::RoleConflict => BINDING_ERROR,
        };
        reply.extend(&class.to_be_bytes())?;
        reply.extend(&[0, 0])?;
        reply.extend(&MAGIC_COOKIE)?;
        reply.extend(&transaction)?;
        match kind {
            ReplyKind::Success => reply.mapped_address(to, transaction)?,
            ReplyKind::UnknownAttributes(unknown) => {
                reply.attribute(attribute::ERROR_CODE, &[0, 0, 4, 20])?;
                reply.unknown_attributes(unknown)?;
            }
            ReplyKind::RoleConflict => reply.attribute(attribute::ERROR_CODE, &[0, 0, 4, 87])?,
        }
        reply.sign(key)?;
        Some(reply)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// RFC 8489 §14.2.
    fn mapped_address(&mut self, to: SocketAddr, transaction: TransactionId) -> Option<()> {
        let [c0, c1, ..] = MAGIC_COOKIE;
        let [p0, p1] = to.port().to_be_bytes();
        // An IPv4 endpoint met on a dual-stack socket wants its IPv4 address back.
        let mut value = ArrayVec::<u8, 20>::new();
        let (family, mut ip) = match to.ip().to_canonical() {
            IpAddr::V4(ip) => (1, ArrayVec::<u8, 16>::from_iter(ip.octets())),
            IpAddr::V6(ip) => (2, ArrayVec::from_iter(ip.octets())),
        };
        for (byte, mask) in ip.iter_mut().zip(MAGIC_COOKIE.iter().chain(&transaction)) {
            *byte ^= mask;
        }
        value
            .try_extend_from_slice(&[0, family, p0 ^ c0, p1 ^ c1])
            .ok()?;
        value.try_extend_from_slice(&ip).ok()?;
        self.attribute(attribute::XOR_MAPPED_ADDRESS, &value)
    }

    /// RFC 8489 §14.9.
    fn unknown_attributes(&mut self, unknown: &[u16]) -> Option<()> {
        let mut value = ArrayVec::<u8, 16>::new();
        for kind in unknown {
            value.try_extend_from_slice(&kind.to_be_bytes()).ok()?;
        }
        self.attribute(attribute::UNKNOWN_ATTRIBUTES, &value)
    }

    /// MESSAGE-INTEGRITY, then FINGERPRINT over it all. RFC 8489 §14.5, §14.7.
    fn sign(&mut self, key: &Hmac<Sha1>) -> Option<()> {
        let (header, attributes) = self.bytes.split_first_chunk::<HEADER_LEN>()?;
        let mac = integrity(key, *header, attributes);
        self.attribute(attribute::MESSAGE_INTEGRITY, &mac)?;
        // The length must count the fingerprint before it is computed.
        self.attribute(attribute::FINGERPRINT, &[0; 4])?;
        let (signed, value) = self.bytes.split_last_chunk_mut::<4>()?;
        let (before, _) = signed.split_last_chunk::<4>()?;
        *value = fingerprint_value(before).to_be_bytes();
        Some(())
    }

    /// Appends an attribute with its padding and counts it in the header.
    fn attribute(&mut self, kind: u16, value: &[u8]) -> Option<()> {
        let len = u16::try_from(value.len()).ok()?;
        self.extend(&kind.to_be_bytes())?;
        self.extend(&len.to_be_bytes())?;
        self.extend(value)?;
        while !self.bytes.len().is_multiple_of(4) {
            self.extend(&[0])?;
        }
        let total = u16::try_from(self.bytes.len() - HEADER_LEN).ok()?;
        self.bytes
            .get_mut(2..4)?
            .copy_from_slice(&total.to_be_bytes());
        Some(())
    }

    fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        self.bytes.try_extend_from_slice(bytes).ok()
    }
}
