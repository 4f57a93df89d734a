//! Packets like those of a browser, and keys for them.

use estrade_transport::{SRTP_OVERHEAD_MAX, SrtpMasterKey, SrtpProfile, SrtpRx, SrtpTx};
use webrtc::peer_connection::crypto::{RTCCryptoProvider, default_provider};

use std::sync::Arc;

pub(crate) const PROFILES: [(SrtpProfile, &str); 2] = [
    (SrtpProfile::AeadAes128Gcm, "AEAD_AES_128_GCM"),
    (SrtpProfile::Aes128CmHmacSha1_80, "AES_CM_128_HMAC_SHA1_80"),
];
/// An audio packet and a full video packet, RTP header included.
pub(crate) const SIZES: [usize; 2] = [120, 1200];
pub(crate) const SSRC: u32 = 0x0102_0304;

#[expect(clippy::expect_used, reason = "a bench without crypto has no figures")]
pub(crate) fn provider() -> Arc<dyn RTCCryptoProvider> {
    default_provider().expect("the crypto provider is compiled in")
}

fn master(profile: SrtpProfile) -> Option<SrtpMasterKey> {
    let salt = [7; 14];
    SrtpMasterKey::new(profile, &[9; 16], salt.get(..profile.salt_len())?)
}

#[expect(clippy::expect_used, reason = "a bench without keys has no figures")]
pub(crate) fn pair(profile: SrtpProfile) -> (SrtpTx, SrtpRx) {
    let provider = provider();
    let key = master(profile).expect("key and salt have the profile's lengths");
    let tx = SrtpTx::new(profile, &key, provider.crypto());
    let rx = SrtpRx::new(profile, &key, provider.crypto());
    tx.zip(rx).expect("the provider has both profiles")
}

/// A packet of `size` bytes with MID, audio level and transport-wide number, and room for the tag.
pub(crate) fn packet(size: usize, index: u64) -> Vec<u8> {
    let [.., s0, s1] = index.to_be_bytes();
    let mut packet = vec![0x90, 96, s0, s1, 0, 0, 0, 1];
    packet.extend(SSRC.to_be_bytes());
    packet.extend([0xbe, 0xde, 0, 2, 0x10, b'0', 0x20, 0x95, 0x31, s0, s1, 0]);
    packet.resize(size, 0xa5);
    packet.resize(size + SRTP_OVERHEAD_MAX, 0);
    packet
}
