//! The claims, as JSON and as what they mean.

use std::collections::BTreeMap;
use std::time::Duration;

use estrade_types::{Admission, ParticipantId, Role, RoomId, limits};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::TokenError;

/// The one claim that is read before the signature.
#[derive(Deserialize)]
pub(super) struct Issuer {
    pub(super) iss: Option<String>,
}

/// The claims of a join token. Unknown ones are ignored. RFC 7519 §4.
#[derive(Deserialize, Serialize)]
pub(super) struct Claims {
    iss: String,
    sub: Option<String>,
    exp: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<Number>,
    room: Option<String>,
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<String, String>>,
}

impl Claims {
    /// The claims that admit `admission`.
    pub(super) fn new(issuer: &str, admission: &Admission, now_s: u64, ttl: Duration) -> Self {
        Self {
            iss: issuer.to_owned(),
            sub: Some(admission.identity.as_str().to_owned()),
            exp: Some(Number::from(now_s.saturating_add(ttl.as_secs()))),
            nbf: None,
            iat: Some(Number::from(now_s)),
            room: Some(admission.room.as_str().to_owned()),
            role: Some(admission.role.as_str().to_owned()),
            name: Some(admission.name.clone()).filter(|name| !name.is_empty()),
            attributes: Some(admission.attributes.clone()).filter(|all| !all.is_empty()),
        }
    }

    /// Checks `exp` and `nbf`, with `leeway_s` on either side. RFC 7519 §4.1.4, §4.1.5.
    pub(super) fn check_times(&self, now_s: u64, leeway_s: u64) -> Result<(), TokenError> {
        let exp = seconds(self.exp.as_ref(), "exp")?.ok_or(TokenError::Claim { name: "exp" })?;
        if now_s >= exp.saturating_add(leeway_s) {
            return Err(TokenError::Expired);
        }
        match seconds(self.nbf.as_ref(), "nbf")? {
            Some(nbf) if nbf > now_s.saturating_add(leeway_s) => Err(TokenError::NotYetValid),
            _ => Ok(()),
        }
    }

    /// What the claims say, each of them checked.
    pub(super) fn admission(self) -> Result<Admission, TokenError> {
        let identity = self.sub.as_deref().map(ParticipantId::new);
        let room = self.room.as_deref().map(RoomId::new);
        let name = self.name.unwrap_or_default();
        let is_bad_name = name.len() > limits::NAME_BYTES_MAX || name.contains(char::is_control);
        if is_bad_name {
            return Err(TokenError::Claim { name: "name" });
        }
        let attributes = self.attributes.unwrap_or_default();
        let is_too_much = attributes.len() > limits::ATTRIBUTES_MAX
            || attributes
                .iter()
                .any(|(key, value)| key.len().max(value.len()) > limits::ATTRIBUTE_BYTES_MAX);
        if is_too_much {
            return Err(TokenError::Claim { name: "attributes" });
        }
        Ok(Admission {
            identity: identity
                .and_then(Result::ok)
                .ok_or(TokenError::Claim { name: "sub" })?,
            room: room
                .and_then(Result::ok)
                .ok_or(TokenError::Claim { name: "room" })?,
            role: self
                .role
                .as_deref()
                .and_then(Role::parse)
                .ok_or(TokenError::Claim { name: "role" })?,
            name,
            attributes,
            issued_at_s: seconds(self.iat.as_ref(), "iat")?,
        })
    }
}

/// A numeric date, whole or not, rounded down. RFC 7519 §2.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range; the fraction is meant to go"
)]
fn seconds(date: Option<&Number>, name: &'static str) -> Result<Option<u64>, TokenError> {
    /// Far beyond any date, and exact in a double.
    const LATEST: f64 = 1e15;
    let Some(date) = date else {
        return Ok(None);
    };
    if let Some(whole) = date.as_u64() {
        return Ok(Some(whole));
    }
    match date.as_f64() {
        Some(fraction) if (0.0..=LATEST).contains(&fraction) => Ok(Some(fraction as u64)),
        _ => Err(TokenError::Claim { name }),
    }
}
