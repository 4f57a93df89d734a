//! The body of WHIP and WHEP PATCH requests and of an ICE restart:
//! `application/trickle-ice-sdpfrag`. RFC 8840 §9, RFC 9725 §4.3.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use estrade_types::{IceCredentials, Mid, limits};

use crate::OfferError;
use crate::answer::candidate;
use crate::offer::credentials;

/// Candidates kept of one fragment; more are not looked at.
const CANDIDATES_MAX: usize = 64;

/// An ICE fragment: credentials, and candidates with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceFragment {
    /// `a=ice-ufrag`; ties the fragment to a session's ICE generation.
    pub ufrag: Option<String>,
    /// `a=ice-pwd`.
    pub pwd: Option<String>,
    /// The first section named; the BUNDLE group's transport is all there is.
    pub mid: Option<Mid>,
    /// Whether the sender is ICE-lite, as the server is.
    pub is_lite: bool,
    /// UDP host candidates of component 1 with a literal address; others are left out.
    pub candidates: Vec<SocketAddr>,
    /// `a=end-of-candidates`.
    pub is_end: bool,
}

impl IceFragment {
    /// The server's fragment after an ICE restart.
    pub fn restarted(local: &IceCredentials, mid: Option<Mid>, candidates: &[SocketAddr]) -> Self {
        Self {
            ufrag: Some(local.ufrag.clone()),
            pwd: Some(local.pwd.clone()),
            mid,
            is_lite: true,
            candidates: candidates.to_vec(),
            is_end: true,
        }
    }

    /// Reads a fragment. Lines that are not known are skipped.
    ///
    /// # Errors
    ///
    /// When it is too large, has a line that is not SDP, or credentials of a wrong form.
    pub fn parse(text: &str) -> Result<Self, OfferError> {
        if text.len() > limits::SDP_BYTES_MAX {
            return Err(OfferError::TooLarge);
        }
        let mut fragment = Self::default();
        for (index, line) in text.split('\n').enumerate() {
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                continue;
            }
            let Some((letter, value)) =
                line.split_once('=').filter(|(letter, _)| letter.len() == 1)
            else {
                return Err(OfferError::Syntax {
                    line: Some(index + 1),
                });
            };
            if letter == "a" {
                fragment.read_attribute(value);
            }
        }
        // Their form is checked here; a ufrag alone is a plain trickle.
        credentials(fragment.ufrag.as_deref(), fragment.pwd.as_deref())?;
        Ok(fragment)
    }

    /// The endpoint's credentials, if the fragment has both halves.
    pub fn credentials(&self) -> Option<IceCredentials> {
        credentials(self.ufrag.as_deref(), self.pwd.as_deref())
            .ok()
            .flatten()
    }

    fn read_attribute(&mut self, attribute: &str) {
        let (key, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let value = value.trim();
        match key {
            // The first is the group's. RFC 8840 §4.2.
            "ice-ufrag" if self.ufrag.is_none() => self.ufrag = Some(value.to_owned()),
            "ice-pwd" if self.pwd.is_none() => self.pwd = Some(value.to_owned()),
            "mid" if self.mid.is_none() => self.mid = Mid::new(value),
            "ice-lite" => self.is_lite = true,
            "end-of-candidates" => self.is_end = true,
            "candidate" if self.candidates.len() < CANDIDATES_MAX => {
                self.candidates.extend(read_candidate(value));
            }
            _ => {}
        }
    }
}

/// `<foundation> <component> <transport> <priority> <address> <port> typ <type> …`. RFC 8839 §5.1.
fn read_candidate(value: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = value.split_ascii_whitespace().take(8).collect();
    let [_, "1", transport, _, address, port, "typ", "host"] = *words.as_slice() else {
        return None;
    };
    let is_udp = transport.eq_ignore_ascii_case("udp");
    let address: IpAddr = address.parse().ok()?;
    is_udp.then_some(SocketAddr::new(address, port.parse().ok()?))
}

impl fmt::Display for IceFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_lite {
            write!(f, "a=ice-lite\r\n")?;
        }
        if let Some(mid) = &self.mid {
            // The section is a pseudo one: only its mid means anything. RFC 8840 §4.3.
            write!(f, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n")?;
        }
        if let Some(ufrag) = &self.ufrag {
            write!(f, "a=ice-ufrag:{ufrag}\r\n")?;
        }
        if let Some(pwd) = &self.pwd {
            write!(f, "a=ice-pwd:{pwd}\r\n")?;
        }
        for (index, address) in self.candidates.iter().enumerate() {
            write!(f, "a=candidate:{}\r\n", candidate(index, *address))?;
        }
        if self.is_end {
            write!(f, "a=end-of-candidates\r\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
