//! SRTP and SRTCP, in place.

/// The profiles we accept in `use_srtp`. RFC 5764 §4.1.2, RFC 7714 §14.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrtpProfile {
    /// `SRTP_AEAD_AES_128_GCM`: preferred, 3.5 times as fast.
    AeadAes128Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`: for endpoints without the other.
    Aes128CmHmacSha1_80,
}

/// Names one RTP stream we send, within one transport: its guard against a repeated index.
///
/// The router numbers its legs from 0; a media stream and its RTX stream have one each. Below
/// twice [`estrade_types::limits::TX_SECTIONS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TxStreamSlot(pub u8);

/// The most bytes by which sealing an RTP packet lengthens it. RFC 7714 §13.1.
pub const SRTP_OVERHEAD_MAX: usize = 16;

/// The most bytes by which sealing an RTCP compound lengthens it: tag and index.
pub const SRTCP_OVERHEAD_MAX: usize = 20;
