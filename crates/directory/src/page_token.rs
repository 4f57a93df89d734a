//! Page tokens: the last id of a page, opaque and stable, refused when not ours.
//!
//! The checksum finds mistakes, not attacks: a token only says where to go on reading.

use crate::DirectoryError;

/// Which list a token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    Rooms,
    Participants,
}

impl ListKind {
    const fn octet(self) -> u8 {
        match self {
            Self::Rooms => b'r',
            Self::Participants => b'p',
        }
    }
}

/// Longest token, in characters: the longest id, its frame, in hexadecimal.
const TOKEN_LEN_MAX: usize = 2 * (4 + 128);

/// The token of a page that ended with `last`.
pub(crate) fn encode(kind: ListKind, last: &str) -> String {
    let sum = checksum(kind, last.as_bytes()).to_be_bytes();
    let octets = sum.iter().chain(last.as_bytes());
    octets.map(|octet| format!("{octet:02x}")).collect()
}

/// The id in a token.
pub(crate) fn decode(kind: ListKind, token: &str) -> Result<String, DirectoryError> {
    read(kind, token).ok_or(DirectoryError::InvalidPageToken)
}

fn read(kind: ListKind, token: &str) -> Option<String> {
    if token.len() > TOKEN_LEN_MAX {
        return None;
    }
    let (pairs, []) = token.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let octets: Option<Vec<u8>> = pairs
        .iter()
        .map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?))
        .collect();
    let octets = octets?;
    let (sum, last) = octets.split_first_chunk::<4>()?;
    let is_ours = u32::from_be_bytes(*sum) == checksum(kind, last);
    String::from_utf8(last.to_vec()).ok().filter(|_| is_ours)
}

const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// FNV-1a over the kind and the id.
fn checksum(kind: ListKind, id: &[u8]) -> u32 {
    let octets = std::iter::once(kind.octet()).chain(id.iter().copied());
    octets.fold(0x811c_9dc5, |sum, octet| {
        (sum ^ u32::from(octet)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_is_read_back_for_its_own_list_only(id in "\\PC{0,32}") {
            let token = encode(ListKind::Rooms, &id);
            prop_assert_eq!(decode(ListKind::Rooms, &token), Ok(id));
            prop_assert!(decode(ListKind::Participants, &token).is_err());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,300}") {
            drop(decode(ListKind::Rooms, &text));
        }
    }

    #[test]
    fn garbage_is_refused() {
        for garbage in ["", "0", "zz", "00000000", "0011223344"] {
            assert_eq!(
                decode(ListKind::Rooms, garbage),
                Err(DirectoryError::InvalidPageToken)
            );
        }
    }
}
