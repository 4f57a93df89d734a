//! Session keys from a master key: AES in counter mode as a pseudo-random function. RFC 3711 §4.3.
//!
//! The key derivation rate is zero, as DTLS-SRTP fixes it: keys are derived once.

use aes::Aes128Enc;
use ctr::CtrCore;
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use ctr::flavors::Ctr128BE;

use super::SrtpMasterKey;

/// What a session key is for: the label of RFC 3711 §4.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyUse {
    RtpCipher = 0,
    RtpAuth = 1,
    RtpSalt = 2,
    RtcpCipher = 3,
    RtcpAuth = 4,
    RtcpSalt = 5,
}

/// Derives the session key for `key_use`. RFC 3711 §4.3.1, §4.3.3.
pub(super) fn derive<const LEN: usize>(master: &SrtpMasterKey, key_use: KeyUse) -> [u8; LEN] {
    let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13] = master.salt;
    // The label stands above a 48-bit index of zero, so it meets the salt's eighth byte.
    let label = key_use as u8;
    let iv = [
        s0,
        s1,
        s2,
        s3,
        s4,
        s5,
        s6,
        s7 ^ label,
        s8,
        s9,
        s10,
        s11,
        s12,
        s13,
        0,
        0,
    ];
    let aes = Aes128Enc::new(&master.key.into());
    let mut derived = [0; LEN];
    CtrCore::<&Aes128Enc, Ctr128BE>::inner_iv_init(&aes, &iv.into())
        .apply_keystream_partial(derived.as_mut_slice().into());
    derived
}

#[cfg(test)]
mod tests {
    use super::super::SrtpProfile;
    use super::*;
    use crate::srtp::wire::hex;

    #[test]
    fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
        let master = SrtpMasterKey::new(
            SrtpProfile::Aes128CmHmacSha1_80,
            &hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
            &hex("0EC675AD498AFEEBB6960B3AABE6"),
        )
        .unwrap();
        assert_eq!(
            derive::<16>(&master, KeyUse::RtpCipher).to_vec(),
            hex("C61E7A93744F39EE10734AFE3FF7A087")
        );
        assert_eq!(
            derive::<14>(&master, KeyUse::RtpSalt).to_vec(),
            hex("30CBBC08863D8C85D49DB34A9AE1")
        );
        assert_eq!(
            derive::<94>(&master, KeyUse::RtpAuth).to_vec(),
            hex(concat!(
                "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE",
                "E049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC25",
                "6D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2"
            ))
        );
    }
}
