//! HMAC with SHA-256 for the JWT library, and nothing else: the backends it offers carry RSA and
//! elliptic curves that no token of ours may use. RFC 7518 §3.2.

use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, new_error};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use sha2::Sha256;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Hs256::signing(*algorithm, key)?)),
    verifier_factory: |algorithm, key| Ok(Box::new(Hs256::verifying(*algorithm, key)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes the library use us, unless the process has chosen a provider of its own already: any
/// provider knows HS256.
pub(super) fn install() {
    let _is_first = PROVIDER.install_default().is_ok();
}

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn signing(algorithm: Algorithm, key: &EncodingKey) -> Result<Self, Error> {
        Self::new(algorithm, key.family(), key.as_bytes())
    }

    fn verifying(algorithm: Algorithm, key: &DecodingKey) -> Result<Self, Error> {
        Self::new(algorithm, key.family(), key.try_get_as_bytes()?)
    }

    fn new(algorithm: Algorithm, family: AlgorithmFamily, secret: &[u8]) -> Result<Self, Error> {
        if algorithm != Algorithm::HS256 || family != AlgorithmFamily::Hmac {
            return Err(new_error(ErrorKind::InvalidAlgorithm));
        }
        Hmac::new_from_slice(secret)
            .map(Self)
            .map_err(|_| new_error(ErrorKind::InvalidKeyFormat))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let mac = self.0.clone().chain_update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> Result<(), signature::Error> {
        // In constant time.
        let mac = self.0.clone().chain_update(message);
        mac.verify_slice(tag).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
