//! The server's certificate: self-signed ECDSA P-256, made once per start, shared by all transports.
//!
//! Its SHA-256 goes into every answer (`a=fingerprint`, RFC 8122 §5); nothing else about it is
//! looked at by an endpoint. RFC 8827 §6.5.

use std::fmt;
use std::sync::Arc;

use rtc::peer_connection::certificate::CertificateParams;
use webrtc::peer_connection::RTCCertificate;
use webrtc::peer_connection::crypto::{
    HashAlgorithm, RTCCryptoProvider, SignatureScheme, default_provider,
};

use estrade_types::Fingerprint;

/// A certificate with its private key and the crypto provider that made it.
pub struct Certificate {
    certificate: RTCCertificate,
    fingerprint: Fingerprint,
    provider: Arc<dyn RTCCryptoProvider>,
}

impl Certificate {
    /// Makes a new key and signs a certificate with it. Takes about a millisecond.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] when the crypto provider fails, which only a broken random source does.
    pub fn generate() -> Result<Self, CertificateError> {
        let provider = default_provider().map_err(CertificateError::new)?;
        // The name tells nothing about the host: a certificate is seen by every endpoint.
        let params =
            CertificateParams::new(vec!["estrade".to_owned()]).map_err(CertificateError::new)?;
        let certificate =
            RTCCertificate::generate(provider.crypto(), SignatureScheme::EcdsaP256Sha256, params)
                .map_err(CertificateError::new)?;
        let leaf = certificate
            .dtls_certificate
            .certificate
            .first()
            .ok_or_else(|| CertificateError::new("no certificate was made"))?;
        let fingerprint = fingerprint_of(provider.as_ref(), leaf)
            .ok_or_else(|| CertificateError::new("SHA-256 is missing"))?;
        Ok(Self {
            certificate,
            fingerprint,
            provider,
        })
    }

    /// SHA-256 of the certificate, for the answer. RFC 8122 §5.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(crate) const fn inner(&self) -> &RTCCertificate {
        &self.certificate
    }

    pub(crate) const fn provider(&self) -> &Arc<dyn RTCCryptoProvider> {
        &self.provider
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// The certificate could not be made.
#[derive(Debug)]
pub struct CertificateError {
    reason: String,
}

impl CertificateError {
    fn new(reason: impl fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate not made: {}", self.reason)
    }
}

impl std::error::Error for CertificateError {}

/// SHA-256 of a DER certificate; `None` if the provider cannot hash.
pub(crate) fn fingerprint_of(provider: &dyn RTCCryptoProvider, der: &[u8]) -> Option<Fingerprint> {
    let hash = provider.crypto().hash(HashAlgorithm::Sha256, der).ok()?;
    Some(Fingerprint(hash.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_what_the_library_prints_in_sdp() {
        let certificate = Certificate::generate().unwrap();
        let printed = certificate
            .inner()
            .get_fingerprints(certificate.provider().crypto())
            .unwrap();
        let ours: Vec<String> = certificate
            .fingerprint()
            .0
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(printed[0].value, ours.join(":"));
    }

    #[test]
    fn two_certificates_differ() {
        let (a, b) = (
            Certificate::generate().unwrap(),
            Certificate::generate().unwrap(),
        );
        assert_ne!(a.fingerprint(), b.fingerprint());
    }
}
