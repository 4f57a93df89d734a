//! SRTP and SRTCP in place: RFC 3711 with `AES_CM_128_HMAC_SHA1_80`, RFC 7714 with
//! `AEAD_AES_128_GCM`.
//!
//! Fed by the transport once the handshake exported its keys (RFC 5764 §4.2); read by the shard's
//! packet path. Nothing here allocates after the first packets of a stream.
//!
//! Invariants: on the receiving side an index is marked as seen only after its tag verified; on
//! the sending side no pair of SSRC and index is ever sealed twice, since under GCM that would give
//! the key away.

mod cipher;
mod cm;
mod gcm;
mod kdf;
mod rx;
mod tx;
mod window;
mod wire;

#[cfg(test)]
mod differential;

pub use rx::SrtpRx;
pub use tx::{SrtpTx, TxStreamSlot};

use std::fmt;

/// The most bytes by which sealing an RTP packet lengthens it. RFC 7714 §13.1.
pub const SRTP_OVERHEAD_MAX: usize = 16;

/// The most bytes by which sealing an RTCP compound lengthens it: tag and index.
pub const SRTCP_OVERHEAD_MAX: usize = 20;

/// The profiles we accept in `use_srtp`. RFC 5764 §4.1.2, RFC 7714 §14.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrtpProfile {
    /// `SRTP_AEAD_AES_128_GCM`: preferred, as it is several times as fast.
    AeadAes128Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`: for endpoints without the other.
    Aes128CmHmacSha1_80,
}

impl SrtpProfile {
    /// Bytes of the master salt. RFC 3711 §8.2, RFC 7714 §12.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 12,
            Self::Aes128CmHmacSha1_80 => 14,
        }
    }

    /// Bytes to export from DTLS: two keys, two salts. RFC 5764 §4.2.
    pub const fn keying_material_len(self) -> usize {
        2 * (MASTER_KEY_LEN + self.salt_len())
    }
}

/// Bytes of a master key, in both profiles.
pub(crate) const MASTER_KEY_LEN: usize = 16;

/// Master key and salt of one direction.
#[derive(Clone)]
pub struct SrtpMasterKey {
    key: [u8; MASTER_KEY_LEN],
    /// The 12 bytes of GCM are followed by zeros. RFC 7714 §11.
    salt: [u8; 14],
}

impl SrtpMasterKey {
    /// From a key and a salt of [`SrtpProfile::salt_len`] bytes; `None` for any other lengths.
    pub fn new(profile: SrtpProfile, key: &[u8], salt: &[u8]) -> Option<Self> {
        if salt.len() != profile.salt_len() {
            return None;
        }
        let mut padded = [0; 14];
        padded.get_mut(..salt.len())?.copy_from_slice(salt);
        Some(Self {
            key: key.try_into().ok()?,
            salt: padded,
        })
    }

    /// The two directions from what DTLS exported: the client's (which we open) and the server's
    /// (which we seal). RFC 5764 §4.2.
    pub(crate) fn split(profile: SrtpProfile, material: &[u8]) -> Option<(Self, Self)> {
        let (client_key, rest) = material.split_at_checked(MASTER_KEY_LEN)?;
        let (server_key, rest) = rest.split_at_checked(MASTER_KEY_LEN)?;
        let (client_salt, server_salt) = rest.split_at_checked(profile.salt_len())?;
        Some((
            Self::new(profile, client_key, client_salt)?,
            Self::new(profile, server_key, server_salt)?,
        ))
    }
}

impl fmt::Debug for SrtpMasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpMasterKey").finish_non_exhaustive()
    }
}
