//! Why an offer cannot be answered.

use std::fmt;

/// Why an offer cannot be answered, with the offending line where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferError {
    /// Longer than [`estrade_types::limits::SDP_BYTES_MAX`].
    TooLarge,
    /// Not SDP.
    Syntax {
        /// Line, from 1, where it is known.
        line: Option<usize>,
    },
    /// Something a session needs is missing.
    Missing {
        /// What, as SDP writes it: `a=ice-ufrag`.
        what: &'static str,
    },
    /// Something is there that we cannot take.
    Unsupported {
        /// What, in a few words.
        what: &'static str,
    },
    /// More of something than we take.
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most we take.
        max: usize,
    },
}

impl fmt::Display for OfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "longer than the limit"),
            Self::Syntax { line: Some(line) } => write!(f, "not SDP, at line {line}"),
            Self::Syntax { line: None } => write!(f, "not SDP"),
            Self::Missing { what } => write!(f, "{what} is missing"),
            Self::Unsupported { what } => write!(f, "{what} is not supported"),
            Self::TooMany { what, max } => write!(f, "more than {max} {what}"),
        }
    }
}

impl std::error::Error for OfferError {}
