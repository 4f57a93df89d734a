//! `AEAD_AES_128_GCM` on the crypto provider's keyed, in-place AEAD. RFC 7714.

use std::fmt;

use webrtc::peer_connection::crypto::{AeadAlgorithm, AeadCipher, RTCCrypto};

use super::SrtpMasterKey;
use super::kdf::{KeyUse, derive};
use super::wire::{RTCP_HEADER_LEN, index_bytes};

pub(super) const TAG_LEN: usize = 16;
/// The E flag and the 31-bit index. RFC 7714 §9.
const TRAILER_LEN: usize = 4;

/// The session keys of one direction.
pub(super) struct Gcm {
    rtp: Box<dyn AeadCipher>,
    rtp_salt: [u8; 12],
    rtcp: Box<dyn AeadCipher>,
    rtcp_salt: [u8; 12],
}

impl Gcm {
    /// `None` if the provider lacks the cipher.
    pub(super) fn new(master: &SrtpMasterKey, crypto: &dyn RTCCrypto) -> Option<Self> {
        Self::from_session_keys(
            (
                &derive(master, KeyUse::RtpCipher),
                derive(master, KeyUse::RtpSalt),
            ),
            (
                &derive(master, KeyUse::RtcpCipher),
                derive(master, KeyUse::RtcpSalt),
            ),
            crypto,
        )
    }

    fn from_session_keys(
        (rtp_key, rtp_salt): (&[u8; 16], [u8; 12]),
        (rtcp_key, rtcp_salt): (&[u8; 16], [u8; 12]),
        crypto: &dyn RTCCrypto,
    ) -> Option<Self> {
        Some(Self {
            rtp: crypto.new_aead(AeadAlgorithm::Aes128Gcm, rtp_key).ok()?,
            rtp_salt,
            rtcp: crypto.new_aead(AeadAlgorithm::Aes128Gcm, rtcp_key).ok()?,
            rtcp_salt,
        })
    }

    /// Seals `buf[..len]`; returns the new length, or `None` without room. RFC 7714 §8.2.
    pub(super) fn seal_rtp(
        &mut self,
        buf: &mut [u8],
        len: usize,
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        let (header, rest) = buf.split_at_mut_checked(header_len)?;
        let (payload, rest) = rest.split_at_mut_checked(len.checked_sub(header_len)?)?;
        let tag = rest.get_mut(..TAG_LEN)?;
        let nonce = rtp_nonce(&self.rtp_salt, ssrc, index);
        self.rtp.seal_in_place(&nonce, header, payload, tag).ok()?;
        Some(len + TAG_LEN)
    }

    /// Opens `packet`; returns the plain length, or `None` if the tag does not verify.
    pub(super) fn open_rtp(
        &mut self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        let (header, rest) = packet.split_at_mut_checked(header_len)?;
        let (payload, tag) = rest.split_at_mut_checked(rest.len().checked_sub(TAG_LEN)?)?;
        let nonce = rtp_nonce(&self.rtp_salt, ssrc, index);
        self.rtp.open_in_place(&nonce, header, payload, tag).ok()?;
        Some(header_len + payload.len())
    }

    /// Seals the compound `buf[..len]`, encrypted, under the 31-bit `index`. RFC 7714 §9.2.
    pub(super) fn seal_rtcp(
        &mut self,
        buf: &mut [u8],
        len: usize,
        ssrc: u32,
        index: u32,
    ) -> Option<usize> {
        let trailer = (index | super::cipher::ENCRYPTED).to_be_bytes();
        let (header, rest) = buf.split_first_chunk_mut::<RTCP_HEADER_LEN>()?;
        let (body, rest) = rest.split_at_mut_checked(len.checked_sub(RTCP_HEADER_LEN)?)?;
        let (tag, rest) = rest.split_at_mut_checked(TAG_LEN)?;
        let nonce = rtcp_nonce(&self.rtcp_salt, ssrc, index);
        let aad = rtcp_aad(*header, trailer);
        self.rtcp.seal_in_place(&nonce, &aad, body, tag).ok()?;
        *rest.first_chunk_mut()? = trailer;
        Some(len + TAG_LEN + TRAILER_LEN)
    }

    /// Opens an encrypted compound whose trailing word is `trailer`.
    pub(super) fn open_rtcp(
        &mut self,
        packet: &mut [u8],
        ssrc: u32,
        trailer: u32,
    ) -> Option<usize> {
        let (rest, _) = packet.split_last_chunk_mut::<TRAILER_LEN>()?;
        let (header, rest) = rest.split_first_chunk_mut::<RTCP_HEADER_LEN>()?;
        let (body, tag) = rest.split_at_mut_checked(rest.len().checked_sub(TAG_LEN)?)?;
        let nonce = rtcp_nonce(&self.rtcp_salt, ssrc, trailer & !super::cipher::ENCRYPTED);
        let aad = rtcp_aad(*header, trailer.to_be_bytes());
        self.rtcp.open_in_place(&nonce, &aad, body, tag).ok()?;
        Some(RTCP_HEADER_LEN + body.len())
    }

    /// The trailing word of a compound: E flag and index.
    pub(super) fn rtcp_trailer(packet: &[u8]) -> Option<u32> {
        packet.last_chunk().map(|word| u32::from_be_bytes(*word))
    }
}

impl fmt::Debug for Gcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gcm").finish_non_exhaustive()
    }
}

/// RFC 7714 §8.1.
fn rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let [s0, s1, s2, s3] = ssrc.to_be_bytes();
    let [i0, i1, i2, i3, i4, i5] = index_bytes(index);
    xor(salt, [0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5])
}

/// RFC 7714 §9.1.
fn rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> [u8; 12] {
    let [s0, s1, s2, s3] = ssrc.to_be_bytes();
    let [i0, i1, i2, i3] = index.to_be_bytes();
    xor(salt, [0, 0, s0, s1, s2, s3, 0, 0, i0, i1, i2, i3])
}

fn xor(salt: &[u8; 12], mut nonce: [u8; 12]) -> [u8; 12] {
    for (byte, salt) in nonce.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    nonce
}

/// What is authenticated beside an encrypted compound's body. RFC 7714 §9.2.
fn rtcp_aad(header: [u8; RTCP_HEADER_LEN], trailer: [u8; TRAILER_LEN]) -> [u8; 12] {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = header;
    let [t0, t1, t2, t3] = trailer;
    [h0, h1, h2, h3, h4, h5, h6, h7, t0, t1, t2, t3]
}

#[cfg(test)]
mod tests {
    use webrtc::peer_connection::crypto::default_provider;

    use super::*;
    use crate::srtp::wire::{RtpFields, hex, rtcp_ssrc};

    /// Key and salt of RFC 7714 §16 and §17.
    fn gcm() -> Gcm {
        let key: [u8; 16] = hex("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
        let salt: [u8; 12] = hex("517569642070726f2071756f").try_into().unwrap();
        let provider = default_provider().unwrap();
        Gcm::from_session_keys((&key, salt), (&key, salt), provider.crypto()).unwrap()
    }

    #[test]
    fn an_rtp_packet_is_sealed_as_in_rfc_7714_section_16_1() {
        let plain = hex(concat!(
            "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976",
            "69736120696e207061727465732074726573"
        ));
        let sealed = hex(concat!(
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd5",
            "0d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee439",
            "0cce"
        ));
        let fields = RtpFields::parse(&plain).unwrap();
        let index = u64::from(fields.sequence_number);
        let mut buf = plain.clone();
        buf.resize(plain.len() + TAG_LEN, 0);
        let len = gcm().seal_rtp(&mut buf, plain.len(), 12, fields.ssrc, index);
        assert_eq!((len, &buf), (Some(sealed.len()), &sealed));
        let len = gcm().open_rtp(&mut buf, 12, fields.ssrc, index).unwrap();
        assert_eq!(buf[..len], plain);
    }

    #[test]
    fn an_rtcp_compound_is_sealed_as_in_rfc_7714_section_17_1() {
        let plain = hex(concat!(
            "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61",
            "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
        ));
        let sealed = hex(concat!(
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32d",
            "c676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf872",
            "45d9eade800005d4"
        ));
        let ssrc = rtcp_ssrc(&plain).unwrap();
        let mut buf = plain.clone();
        buf.resize(plain.len() + TAG_LEN + TRAILER_LEN, 0);
        let len = gcm().seal_rtcp(&mut buf, plain.len(), ssrc, 0x5d4);
        assert_eq!((len, &buf), (Some(sealed.len()), &sealed));
        let trailer = Gcm::rtcp_trailer(&buf).unwrap();
        let len = gcm().open_rtcp(&mut buf, ssrc, trailer).unwrap();
        assert_eq!(buf[..len], plain);
    }
}
