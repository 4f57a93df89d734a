//! Join tokens: JWTs signed with HS256. RFC 7519, RFC 7515, RFC 8725.
//!
//! `iss` is the id of the API key that signs, `sub` the identity; `exp`, `room` and `role` are
//! required; `nbf`, `iat`, `name` and `attributes` may be there. Everything that an app can set is
//! bounded here, so that nobody behind this module checks again.

mod claims;
mod hs256;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use estrade_types::Admission;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;

use self::claims::{Claims, Issuer};
use crate::{ApiKey, SignalConfig};

/// Bytes of a token; a longer one is not looked at. It travels in a header, so this and not
/// [`estrade_types::limits`] is what bounds all its attributes together.
const TOKEN_BYTES_MAX: usize = 16 * 1_024;

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// There is none.
    Missing,
    /// Not a JWT.
    Malformed,
    /// Not signed with HS256; `none` is one of these. RFC 8725 §3.1.
    Algorithm,
    /// Signed with a key that we do not have.
    Issuer,
    /// Not signed by its `iss`.
    Signature,
    /// `exp` is past.
    Expired,
    /// `nbf` is to come.
    NotYetValid,
    /// A claim is missing or has a value that cannot be.
    Claim {
        /// Which.
        name: &'static str,
    },
    /// For another room than the one asked for.
    WrongRoom,
    /// The role may not do this.
    Role,
    /// Of another participant than the session's.
    WrongSession,
}

impl TokenError {
    /// The word used in messages.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Malformed => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::Issuer => "token_issuer",
            Self::Signature => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Claim { .. } => "token_claim",
            Self::WrongRoom => "token_wrong_room",
            Self::Role => "token_role",
            Self::WrongSession => "token_wrong_session",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(
                f,
                "There is no token. Send it as \"Authorization: Bearer\"."
            ),
            Self::Malformed => write!(f, "The token is not a JWT. Mint it with a JWT library."),
            Self::Algorithm => write!(f, "The token's algorithm is refused. Sign it with HS256."),
            Self::Issuer => write!(
                f,
                "The token's \"iss\" is not an API key of this server. Set it to the key's id."
            ),
            Self::Signature => write!(
                f,
                "The token's signature does not verify. Sign it with the secret of its \"iss\"."
            ),
            Self::Expired => write!(f, "The token has expired. Ask your app for a new one."),
            Self::NotYetValid => write!(f, "The token is not valid yet. Check both clocks."),
            Self::Claim { name } => write!(
                f,
                "The token's claim \"{name}\" is missing or not allowed. Mint it with a right one."
            ),
            Self::WrongRoom => write!(f, "The token is for another room. Ask for one for this."),
            Self::Role => write!(
                f,
                "The token's role may not publish. Ask for one as host, cohost or speaker."
            ),
            Self::WrongSession => write!(f, "The session belongs to somebody else's token."),
        }
    }
}

impl std::error::Error for TokenError {}

/// Whether times are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// They must be right.
    Checked,
    /// The token let its owner in while it was valid, and now only names it.
    Ignored,
}

/// Verifies a token at `now_s`, seconds of Unix time.
///
/// # Errors
///
/// Says what is wrong; the signature is checked before any claim but `iss` is believed.
pub fn verify(
    config: &SignalConfig,
    token: &str,
    now_s: u64,
    expiry: Expiry,
) -> Result<Admission, TokenError> {
    if token.is_empty() {
        return Err(TokenError::Missing);
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    check_algorithm(token)?;
    // Read to find the key, and believed only after the key has verified it.
    let issuer = jsonwebtoken::dangerous::insecure_decode_claims::<Issuer>(token)
        .map_err(|_| TokenError::Malformed)?
        .iss
        .ok_or(TokenError::Claim { name: "iss" })?;
    let key = config
        .keys
        .iter()
        .find(|key| key.id == issuer)
        .ok_or(TokenError::Issuer)?;
    hs256::install();
    let mut validation = Validation::new(Algorithm::HS256);
    // Times and claims are checked below, against a clock that is an argument and with typed errors.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let secret = DecodingKey::from_secret(key.secret.as_bytes());
    let claims = jsonwebtoken::decode::<Claims>(token, &secret, &validation)
        .map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenError::Signature,
            jsonwebtoken::errors::ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
            _ => TokenError::Malformed,
        })?
        .claims;
    if expiry == Expiry::Checked {
        claims.check_times(now_s, config.token_leeway.as_secs())?;
    }
    claims.admission()
}

/// Mints a token with `key` that is valid for `ttl` from `now_s`, seconds of Unix time.
///
/// # Errors
///
/// When the claims cannot be written as JSON, which no [`Admission`] brings about.
pub fn mint(
    key: &ApiKey,
    admission: &Admission,
    now_s: u64,
    ttl: Duration,
) -> Result<String, TokenError> {
    hs256::install();
    let claims = Claims::new(&key.id, admission, now_s, ttl);
    let secret = EncodingKey::from_secret(key.secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret)
        .map_err(|_| TokenError::Malformed)
}

/// Tells a token of another algorithm, `none` included, from one that is no token at all.
fn check_algorithm(token: &str) -> Result<(), TokenError> {
    #[derive(Deserialize)]
    struct Algorithm {
        alg: String,
        crit: Option<IgnoredAny>,
    }
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenError::Malformed);
    };
    let header = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| TokenError::Malformed)?;
    let header: Algorithm = serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
    if header.alg != "HS256" {
        return Err(TokenError::Algorithm);
    }
    // spec: RFC 7515 §4.1.11 an extension that must be understood, and none is.
    match header.crit {
        None => Ok(()),
        Some(_) => Err(TokenError::Malformed),
    }
}

#[cfg(test)]
mod tests;
