//! API keys: who may call at all.
//!
//! A caller sends `x-api-key: KEY:SECRET` or `authorization: Bearer KEY:SECRET`. Secrets are kept
//! and compared as SHA-256 digests in constant time, and an unknown key costs as much as a wrong
//! secret, so that neither a key's existence nor a secret's beginning can be timed. Nothing of what
//! was sent is logged.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::status::{Reason, status};

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidApiKey {
    /// The key is empty, longer than 64 bytes, or has other than `A-Z a-z 0-9 . _ ~ -`.
    Key,
    /// The secret is shorter than [`ApiKeys::SECRET_BYTES_MIN`] bytes.
    ShortSecret,
    /// The secret has other than visible ASCII: it could not travel in a header.
    Secret,
}

impl fmt::Display for InvalidApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("a key must be 1 to 64 of A-Z a-z 0-9 . _ ~ -"),
            Self::ShortSecret => write!(
                f,
                "a secret must be at least {} bytes; `openssl rand -hex 32` makes a good one",
                ApiKeys::SECRET_BYTES_MIN
            ),
            Self::Secret => f.write_str("a secret must be visible ASCII without spaces"),
        }
    }
}

impl std::error::Error for InvalidApiKey {}

/// The API keys that may call, with their secrets' digests.
#[derive(Clone, Default)]
pub struct ApiKeys(BTreeMap<String, [u8; 32]>);

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl ApiKeys {
    /// The fewest bytes in a secret: it also signs join tokens with HMAC-SHA-256, whose key should
    /// be no shorter than its output. RFC 7518 §3.2.
    pub const SECRET_BYTES_MIN: usize = 32;

    /// No key: nobody may call.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key, or replaces its secret.
    ///
    /// # Errors
    ///
    /// When the key or the secret cannot be used; nothing is added then.
    pub fn insert(&mut self, key: &str, secret: &str) -> Result<(), InvalidApiKey> {
        let is_key = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c);
        if key.is_empty() || key.len() > 64 || !key.chars().all(is_key) {
            return Err(InvalidApiKey::Key);
        }
        if secret.len() < Self::SECRET_BYTES_MIN {
            return Err(InvalidApiKey::ShortSecret);
        }
        if !secret.chars().all(|c| c.is_ascii_graphic()) {
            return Err(InvalidApiKey::Secret);
        }
        self.0.insert(key.to_owned(), digest(secret));
        Ok(())
    }

    /// Lets a call in, or says why not.
    pub(crate) fn check(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let presented = presented(metadata).ok_or_else(|| {
            status(
                Code::Unauthenticated,
                Reason::MissingApiKey,
                "send metadata `x-api-key: KEY:SECRET` or `authorization: Bearer KEY:SECRET`",
            )
        })?;
        let (key, secret) = presented.split_once(':').unwrap_or((presented, ""));
        // An unknown key is compared too, with a digest that nothing hashes to.
        let expected = self.0.get(key).copied();
        let is_right = digest(secret).ct_eq(&expected.unwrap_or_default());
        if expected.is_some() && bool::from(is_right) {
            Ok(())
        } else {
            Err(status(
                Code::Unauthenticated,
                Reason::InvalidApiKey,
                "the API key is unknown or its secret is wrong",
            ))
        }
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn presented(metadata: &MetadataMap) -> Option<&str> {
    if let Some(value) = metadata.get("x-api-key") {
        return value.to_str().ok().map(str::trim);
    }
    let value = metadata.get("authorization")?.to_str().ok()?;
    let (scheme, credentials) = value.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(credentials.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn keys() -> ApiKeys {
        let mut keys = ApiKeys::new();
        keys.insert("app", SECRET).unwrap();
        keys
    }

    fn with(name: &'static str, value: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert(name, value.parse().unwrap());
        metadata
    }

    #[test]
    fn both_headers_let_the_right_secret_in() {
        let keys = keys();
        assert!(
            keys.check(&with("x-api-key", &format!("app:{SECRET}")))
                .is_ok()
        );
        let bearer = with("authorization", &format!("bearer app:{SECRET}"));
        assert!(keys.check(&bearer).is_ok());
    }

    #[test]
    fn anything_else_is_refused_and_nothing_of_it_is_repeated() {
        let keys = keys();
        for (name, value) in [
            ("x-api-key", "app"),
            ("x-api-key", "app:"),
            ("x-api-key", "nobody:0123456789abcdef0123456789abcdef"),
            ("x-api-key", "app:0123456789abcdef0123456789abcdeF"),
            ("authorization", "Bearer app:wrong"),
        ] {
            let refused = keys.check(&with(name, value)).unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated, "{value}");
            assert!(!refused.message().contains("0123"), "{value}");
        }
        for metadata in [MetadataMap::new(), with("authorization", "Basic YTpi")] {
            let refused = keys.check(&metadata).unwrap_err();
            assert!(refused.message().contains("x-api-key"));
        }
    }

    #[test]
    fn without_keys_nobody_may_call() {
        assert!(ApiKeys::new().check(&with("x-api-key", ":")).is_err());
    }

    #[test]
    fn weak_or_untransportable_keys_are_refused() {
        let mut keys = ApiKeys::new();
        assert_eq!(keys.insert("app", "short"), Err(InvalidApiKey::ShortSecret));
        assert_eq!(keys.insert("a:b", SECRET), Err(InvalidApiKey::Key));
        let spaced = format!("{SECRET} x");
        assert_eq!(keys.insert("app", &spaced), Err(InvalidApiKey::Secret));
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", keys()), "{\"app\"}");
    }
}
