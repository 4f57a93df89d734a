//! `AES_CM_128_HMAC_SHA1_80`: AES in counter mode, then HMAC-SHA1 cut to 80 bits. RFC 3711 §4.1.1,
//! §4.2.1.

use std::fmt;

use aes::Aes128Enc;
use ctr::CtrCore;
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::SrtpMasterKey;
use super::cipher::ENCRYPTED;
use super::kdf::{KeyUse, derive};
use super::wire::{RTCP_HEADER_LEN, index_bytes};

pub(super) const TAG_LEN: usize = 10;
/// The E flag and the 31-bit index. RFC 3711 §3.4.
const TRAILER_LEN: usize = 4;

/// The session keys of one direction.
pub(super) struct Cm {
    rtp: Keys,
    rtcp: Keys,
}

struct Keys {
    aes: Aes128Enc,
    salt: [u8; 14],
    /// Keyed; cloned for each packet, so that the key schedule is paid once.
    mac: Hmac<Sha1>,
}

impl Cm {
    pub(super) fn new(master: &SrtpMasterKey) -> Option<Self> {
        Some(Self {
            rtp: Keys::new(
                derive(master, KeyUse::RtpCipher),
                derive(master, KeyUse::RtpSalt),
                derive(master, KeyUse::RtpAuth),
            )?,
            rtcp: Keys::new(
                derive(master, KeyUse::RtcpCipher),
                derive(master, KeyUse::RtcpSalt),
                derive(master, KeyUse::RtcpAuth),
            )?,
        })
    }

    /// Seals `buf[..len]`; returns the new length, or `None` without room. RFC 3711 §3.3.
    pub(super) fn seal_rtp(
        &self,
        buf: &mut [u8],
        len: usize,
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        let (packet, rest) = buf.split_at_mut_checked(len)?;
        let tag_out = rest.first_chunk_mut::<TAG_LEN>()?;
        let [roc @ .., _, _] = index_bytes(index);
        self.rtp.apply(packet.get_mut(header_len..)?, ssrc, index);
        *tag_out = self.rtp.tag(packet, &roc)?;
        Some(len + TAG_LEN)
    }

    /// Opens `packet`; returns the plain length, or `None` if the tag does not verify.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        let (packet, tag) = packet.split_last_chunk_mut::<TAG_LEN>()?;
        let [roc @ .., _, _] = index_bytes(index);
        if !bool::from(self.rtp.tag(packet, &roc)?.ct_eq(tag)) {
            return None;
        }
        self.rtp.apply(packet.get_mut(header_len..)?, ssrc, index);
        Some(packet.len())
    }

    /// Seals the compound `buf[..len]`, encrypted, under the 31-bit `index`. RFC 3711 §3.4.
    pub(super) fn seal_rtcp(
        &self,
        buf: &mut [u8],
        len: usize,
        ssrc: u32,
        index: u32,
    ) -> Option<usize> {
        let (packet, rest) = buf.split_at_mut_checked(len)?;
        let (trailer_out, rest) = rest.split_first_chunk_mut::<TRAILER_LEN>()?;
        let tag_out = rest.first_chunk_mut::<TAG_LEN>()?;
        let trailer = (index | ENCRYPTED).to_be_bytes();
        self.rtcp
            .apply(packet.get_mut(RTCP_HEADER_LEN..)?, ssrc, index.into());
        *tag_out = self.rtcp.tag(packet, &trailer)?;
        *trailer_out = trailer;
        Some(len + TRAILER_LEN + TAG_LEN)
    }

    /// Opens an encrypted compound whose index word is `trailer`.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, trailer: u32) -> Option<usize> {
        let (rest, tag) = packet.split_last_chunk_mut::<TAG_LEN>()?;
        let (packet, trailer_bytes) = rest.split_last_chunk_mut::<TRAILER_LEN>()?;
        if !bool::from(self.rtcp.tag(packet, trailer_bytes)?.ct_eq(tag)) {
            return None;
        }
        let index = u64::from(trailer & !ENCRYPTED);
        self.rtcp
            .apply(packet.get_mut(RTCP_HEADER_LEN..)?, ssrc, index);
        Some(packet.len())
    }

    /// The word before the tag: E flag and index.
    pub(super) fn rtcp_trailer(packet: &[u8]) -> Option<u32> {
        let (rest, _) = packet.split_last_chunk::<TAG_LEN>()?;
        rest.last_chunk().map(|word| u32::from_be_bytes(*word))
    }
}

impl fmt::Debug for Cm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cm").finish_non_exhaustive()
    }
}

impl Keys {
    fn new(key: [u8; 16], salt: [u8; 14], auth: [u8; 20]) -> Option<Self> {
        Some(Self {
            aes: Aes128Enc::new(&key.into()),
            salt,
            mac: <Hmac<Sha1> as Mac>::new_from_slice(&auth).ok()?,
        })
    }

    /// Encrypts or decrypts in place. RFC 3711 §4.1.1.
    fn apply(&self, data: &mut [u8], ssrc: u32, index: u64) {
        let mut iv = [0; 16];
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let [i0, i1, i2, i3, i4, i5] = index_bytes(index);
        let unsalted = [0, 0, 0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5];
        for ((iv, byte), salt) in iv.iter_mut().zip(unsalted).zip(self.salt) {
            *iv = byte ^ salt;
        }
        CtrCore::<&Aes128Enc, Ctr128BE>::inner_iv_init(&self.aes, &iv.into())
            .apply_keystream_partial(data.into());
    }

    /// The tag over `packet` and what follows it in the authenticated portion. RFC 3711 §4.2.
    fn tag(&self, packet: &[u8], suffix: &[u8; 4]) -> Option<[u8; TAG_LEN]> {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(suffix);
        mac.finalize().into_bytes().first_chunk().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::super::SrtpProfile;
    use super::*;
    use crate::srtp::wire::{RtpFields, hex};

    #[test]
    fn the_key_stream_is_that_of_rfc_3711_appendix_b_2() {
        let keys = Keys::new(
            hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap(),
            hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap(),
            [0; 20],
        )
        .unwrap();
        let mut stream = [0; 48];
        keys.apply(&mut stream, 0, 0);
        assert_eq!(
            stream.to_vec(),
            hex(concat!(
                "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB",
                "41E95B3BB0A2E8DD477901E4FCA894C0"
            ))
        );
    }

    #[test]
    fn an_rtp_packet_is_sealed_as_libsrtp_does() {
        // libsrtp's own validation vector for this profile.
        let master = SrtpMasterKey::new(
            SrtpProfile::Aes128CmHmacSha1_80,
            &hex("e1f97a0d3e018be0d64fa32c06de4139"),
            &hex("0ec675ad498afeebb6960b3aabe6"),
        )
        .unwrap();
        let plain = hex("800f1234decafbadcafebabeabababababababababababababababab");
        let sealed = hex(concat!(
            "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402",
            "b78d6acc99ea179b8dbb"
        ));
        let fields = RtpFields::parse(&plain).unwrap();
        let index = u64::from(fields.sequence_number);
        let cm = Cm::new(&master).unwrap();
        let mut buf = plain.clone();
        buf.resize(plain.len() + TAG_LEN, 0);
        let len = cm.seal_rtp(&mut buf, plain.len(), 12, fields.ssrc, index);
        assert_eq!((len, &buf), (Some(sealed.len()), &sealed));
        let len = cm.open_rtp(&mut buf, 12, fields.ssrc, index).unwrap();
        assert_eq!(buf[..len], plain);
    }
}
