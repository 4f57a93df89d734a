//! The values of single attributes.

use estrade_types::{Fingerprint, IceCredentials, PayloadType};
use rtc::sdp::description::common::Attribute;

use super::{Direction, OfferedCodec, OfferedExtension, Setup, TransportAttributes};
use crate::OfferError;

/// Fingerprints in one section or session.
const FINGERPRINTS_MAX: usize = 8;

/// Reads ICE and DTLS attributes.
pub(super) fn transport(attributes: &[Attribute]) -> Result<TransportAttributes, OfferError> {
    let mut ufrag = None;
    let mut pwd = None;
    let mut transport = TransportAttributes::default();
    for attribute in attributes {
        let value = attribute.value.as_deref().unwrap_or_default().trim();
        match attribute.key.as_str() {
            "ice-ufrag" => ufrag = Some(value),
            "ice-pwd" => pwd = Some(value),
            "setup" => transport.setup = Some(setup(value)),
            "fingerprint" => transport.fingerprints.extend(fingerprint(value)),
            _ => {}
        }
    }
    if transport.fingerprints.len() > FINGERPRINTS_MAX {
        return Err(OfferError::TooMany {
            what: "fingerprints",
            max: FINGERPRINTS_MAX,
        });
    }
    transport.ice = credentials(ufrag, pwd)?;
    Ok(transport)
}

/// Pairs a ufrag and a password, and checks their form. RFC 8839 §5.4.
pub(crate) fn credentials(
    ufrag: Option<&str>,
    pwd: Option<&str>,
) -> Result<Option<IceCredentials>, OfferError> {
    let (Some(ufrag), Some(pwd)) = (ufrag, pwd) else {
        return Ok(None);
    };
    if !is_ice_chars(ufrag, 4) {
        return Err(OfferError::Unsupported {
            what: "an a=ice-ufrag that is not 4 to 256 ice-chars",
        });
    }
    if !is_ice_chars(pwd, 22) {
        return Err(OfferError::Unsupported {
            what: "an a=ice-pwd that is not 22 to 256 ice-chars",
        });
    }
    Ok(Some(IceCredentials {
        ufrag: ufrag.to_owned(),
        pwd: pwd.to_owned(),
    }))
}

/// RFC 8839 §5.4 allows letters, digits, `+` and `/`; base64url's `-`, `_` and `=` are seen too.
fn is_ice_chars(text: &str, min: usize) -> bool {
    (min..=256).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+/-_=".contains(&b))
}

fn setup(value: &str) -> Setup {
    match value.to_ascii_lowercase().as_str() {
        "actpass" => Setup::ActPass,
        "active" => Setup::Active,
        "passive" => Setup::Passive,
        _ => Setup::Other,
    }
}

/// A SHA-256 fingerprint; `None` for another hash or a malformed one. RFC 8122 §5.
fn fingerprint(value: &str) -> Option<Fingerprint> {
    let (hash, hex) = value.split_once(' ')?;
    if !hash.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut bytes = [0; 32];
    let mut pairs = hex.trim().split(':');
    for byte in &mut bytes {
        let pair = pairs.next()?;
        if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(Fingerprint(bytes))
}

/// The direction an attribute key names.
pub(super) fn direction(key: &str) -> Option<Direction> {
    Some(match key {
        "sendrecv" => Direction::SendRecv,
        "sendonly" => Direction::SendOnly,
        "recvonly" => Direction::RecvOnly,
        "inactive" => Direction::Inactive,
        _ => return None,
    })
}

/// `a=extmap:<id>[/<direction>] <URI> …`. RFC 8285 §5.
pub(super) fn extmap(value: &str) -> Option<OfferedExtension> {
    let mut words = value.split_ascii_whitespace();
    let (id, uri) = (words.next()?, words.next()?);
    let (id, direction) = match id.split_once('/') {
        Some((id, word)) => (id, direction(word)?),
        None => (id, Direction::SendRecv),
    };
    Some(OfferedExtension {
        id: id.parse().ok()?,
        direction,
        uri: uri.to_owned(),
    })
}

/// `a=rtpmap:<payload type> <name>/<clock rate>[/<channels>]`. RFC 8866 §6.6.
///
/// `None` also for payload types that cannot be told from RTCP on the wire (RFC 5761 §4).
pub(super) fn rtpmap(value: &str) -> Option<OfferedCodec> {
    let (payload_type, encoding) = value.split_once(' ')?;
    let payload_type = PayloadType::new(payload_type.parse().ok()?)?;
    if (64..=95).contains(&payload_type.value()) {
        return None;
    }
    let mut parts = encoding.trim().split('/');
    Some(OfferedCodec {
        payload_type,
        name: parts.next()?.to_owned(),
        clock_rate: parts.next()?.parse().ok()?,
        channels: match parts.next() {
            Some(channels) => channels.parse().ok()?,
            None => 1,
        },
        fmtp: String::new(),
        feedback: Vec::new(),
    })
}
