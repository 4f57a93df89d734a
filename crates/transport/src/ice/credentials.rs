//! One pair of ICE credentials, keyed for use.

use std::fmt;

use hmac::{Hmac, Mac};
use sha1::Sha1;

use estrade_types::IceCredentials;

use crate::stun::Request;

/// Both fragments, and the key that requests to us and our responses are signed with.
pub(super) struct Credentials {
    local_ufrag: String,
    remote_ufrag: String,
    /// From our password: short-term credentials. RFC 8489 §9.1.
    key: Hmac<Sha1>,
}

impl Credentials {
    pub(super) fn new(local: &IceCredentials, remote: &IceCredentials) -> Self {
        Self {
            local_ufrag: local.ufrag.clone(),
            remote_ufrag: remote.ufrag.clone(),
            key: keyed(local.pwd.as_bytes()),
        }
    }

    /// Whether the request names both sides and is signed with our password.
    pub(super) fn accept(&self, request: &Request<'_>) -> bool {
        request.local_ufrag == self.local_ufrag.as_bytes()
            && request.remote_ufrag == self.remote_ufrag.as_bytes()
            && request.is_authentic(&self.key)
    }

    pub(super) const fn key(&self) -> &Hmac<Sha1> {
        &self.key
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("local_ufrag", &self.local_ufrag)
            .field("remote_ufrag", &self.remote_ufrag)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes a key of any length; the error type is the trait's"
)]
fn keyed(password: &[u8]) -> Hmac<Sha1> {
    <Hmac<Sha1> as Mac>::new_from_slice(password).expect("HMAC takes a key of any length")
}
