//! What we ask of the DTLS library, and the keys we take from it. RFC 8827 §6.5, RFC 5764 §4.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rtc::dtls::config::{
    ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig,
    VerifyPeerCertificateFn,
};
use rtc::dtls::state::State;
use rtc::shared::error::Error as RtcError;
use webrtc::peer_connection::{CipherSuiteId, SrtpProtectionProfile};

use estrade_types::Fingerprint;

use crate::certificate::{Certificate, fingerprint_of};
use crate::srtp::{SrtpMasterKey, SrtpProfile};

/// Longer than any session: the library's own retransmission is off.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);
/// RFC 5764 §4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// The library refused our configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeFailed;

/// What a handshake brings: the profile and the keys of both directions.
pub(crate) struct SrtpKeys {
    pub(crate) profile: SrtpProfile,
    /// What the endpoint seals with.
    pub(crate) rx: SrtpMasterKey,
    /// What we seal with.
    pub(crate) tx: SrtpMasterKey,
}

impl fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKeys")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// A server that asks for the client's certificate and offers one SRTP profile.
pub(super) fn server_config(
    certificate: &Certificate,
    fingerprints: &Arc<[Fingerprint]>,
    profile: SrtpProfile,
) -> Result<HandshakeConfig, HandshakeFailed> {
    ConfigBuilder::default()
        .with_crypto_provider(Arc::clone(certificate.provider()))
        .with_certificates(vec![certificate.inner().dtls_certificate.clone()])
        // Forward secret, authenticated encryption, our key's kind. RFC 8827 §6.5.
        .with_cipher_suites(vec![
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
        ])
        .with_srtp_protection_profiles(vec![match profile {
            SrtpProfile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProfile::Aes128CmHmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        }])
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_extended_master_secret(ExtendedMasterSecretType::Require)
        // Certificates are self-signed: their fingerprint is what counts. RFC 8827 §6.5.
        .with_insecure_skip_verify(true)
        .with_verify_peer_certificate(Some(verify_fingerprint(certificate, fingerprints)))
        .with_flight_interval(NEVER)
        .build(false, None)
        .map_err(|_| HandshakeFailed)
}

/// Refuses a certificate that was not signaled, before the handshake goes on. RFC 8122 §6.2.
fn verify_fingerprint(
    certificate: &Certificate,
    fingerprints: &Arc<[Fingerprint]>,
) -> VerifyPeerCertificateFn {
    let provider = Arc::clone(certificate.provider());
    let fingerprints = Arc::clone(fingerprints);
    Arc::new(move |chain, _verified| {
        let theirs = chain
            .first()
            .and_then(|leaf| fingerprint_of(provider.as_ref(), leaf));
        match theirs {
            Some(theirs) if fingerprints.contains(&theirs) => Ok(()),
            _ => Err(RtcError::ErrNoMatchingCertificateFingerprint),
        }
    })
}

/// The keys of a completed handshake; `None` if the certificate is not the signaled one (looked at
/// again: nothing depends on the library having asked us), or no profile was agreed.
pub(super) fn export_keys(
    certificate: &Certificate,
    fingerprints: &[Fingerprint],
    state: &State,
) -> Option<SrtpKeys> {
    let leaf = state.peer_certificates.first()?;
    let theirs = fingerprint_of(certificate.provider().as_ref(), leaf)?;
    if !fingerprints.contains(&theirs) {
        return None;
    }
    let profile = match state.srtp_protection_profile() {
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => SrtpProfile::AeadAes128Gcm,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => SrtpProfile::Aes128CmHmacSha1_80,
        _ => return None,
    };
    let material = state
        .export_keying_material(EXPORTER_LABEL, &[], profile.keying_material_len())
        .ok()?;
    let (rx, tx) = SrtpMasterKey::split(profile, material.as_ref())?;
    Some(SrtpKeys { profile, rx, tx })
}
