//! Our ICE user fragments say where their session lives: shard, slot and generation are inside.
//!
//! STUN from an address nobody knows is looked up by arithmetic, not in a table keyed by what a
//! stranger chose. The random part keeps a fragment from being guessed; the password authenticates.
//! RFC 8839 §5.4: 24 bits of randomness in the fragment, 128 in the password.

use estrade_types::{IceCredentials, ShardIndex};

/// Where a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UfragPlace {
    /// The shard.
    pub shard: ShardIndex,
    /// Index in the shard's session table.
    pub slot: u32,
    /// Generation of that slot.
    pub generation: u32,
}

/// Bytes inside a fragment: shard, slot, generation, 32 random bits, one bit group to spare.
const PLAIN_LEN: usize = 15;
/// Each three bytes become four ice-chars. RFC 8839 §5.4.
const UFRAG_LEN: usize = PLAIN_LEN / 3 * 4;
/// Random bytes of a password: 144 bits.
const PWD_PLAIN_LEN: usize = 18;
/// The 64 ice-chars.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Prints a place and 40 random bits as a fragment of 20 ice-chars.
pub fn encode_ufrag(place: UfragPlace, random: [u8; 5]) -> String {
    let [h0, h1] = place.shard.0.to_be_bytes();
    let [s0, s1, s2, s3] = place.slot.to_be_bytes();
    let [g0, g1, g2, g3] = place.generation.to_be_bytes();
    let [r0, r1, r2, r3, r4] = random;
    encode(&[h0, h1, s0, s1, s2, s3, g0, g1, g2, g3, r0, r1, r2, r3, r4])
}

/// Reads the place out of a fragment; `None` if we cannot have printed it. No allocation.
pub fn decode_ufrag(ufrag: &str) -> Option<UfragPlace> {
    let ufrag: &[u8; UFRAG_LEN] = ufrag.as_bytes().try_into().ok()?;
    let mut plain = [0; PLAIN_LEN];
    let (quads, _) = ufrag.as_chunks::<4>();
    let (triples, _) = plain.as_chunks_mut::<3>();
    for (triple, quad) in triples.iter_mut().zip(quads) {
        let mut bits = 0_u32;
        for &letter in quad {
            bits = (bits << 6) | u32::from(sextet(letter)?);
        }
        let [_, a, b, c] = bits.to_be_bytes();
        *triple = [a, b, c];
    }
    let [h0, h1, s0, s1, s2, s3, g0, g1, g2, g3, ..] = plain;
    Some(UfragPlace {
        shard: ShardIndex(u16::from_be_bytes([h0, h1])),
        slot: u32::from_be_bytes([s0, s1, s2, s3]),
        generation: u32::from_be_bytes([g0, g1, g2, g3]),
    })
}

/// Our credentials for a session at `place`, from 23 random bytes: 5 for the fragment, 18 for the
/// password, which becomes 24 ice-chars.
pub fn local_credentials(place: UfragPlace, random: [u8; 23]) -> IceCredentials {
    let [r0, r1, r2, r3, r4, pwd @ ..] = random;
    let pwd: [u8; PWD_PLAIN_LEN] = pwd;
    IceCredentials {
        ufrag: encode_ufrag(place, [r0, r1, r2, r3, r4]),
        pwd: encode(&pwd),
    }
}

fn encode(plain: &[u8]) -> String {
    let (triples, _) = plain.as_chunks::<3>();
    let mut text = String::with_capacity(triples.len() * 4);
    for &[a, b, c] in triples {
        let bits = u32::from_be_bytes([0, a, b, c]);
        for shift in [18, 12, 6, 0] {
            let sextet = usize::try_from((bits >> shift) & 0x3f).unwrap_or_default();
            text.push(char::from(
                ALPHABET.get(sextet).copied().unwrap_or_default(),
            ));
        }
    }
    text
}

const fn sextet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_survives_the_fragment(
            shard: u16, slot: u32, generation: u32, random: [u8; 5],
        ) {
            let place = UfragPlace { shard: ShardIndex(shard), slot, generation };
            let ufrag = encode_ufrag(place, random);
            prop_assert!(ufrag.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'+' || c == b'/'));
            prop_assert_eq!(decode_ufrag(&ufrag), Some(place));
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            let _place = decode_ufrag(&text);
        }
    }

    #[test]
    fn a_foreign_fragment_is_refused() {
        assert_eq!(decode_ufrag(""), None);
        assert_eq!(decode_ufrag("abcd"), None);
        assert_eq!(decode_ufrag("AAAAAAAAAAAAAAAAAAA:"), None);
        assert_eq!(decode_ufrag("AAAAAAAAAAAAAAAAAAAAA"), None);
    }

    #[test]
    fn a_password_is_long_enough_for_the_standard() {
        let place = UfragPlace {
            shard: ShardIndex(1),
            slot: 2,
            generation: 3,
        };
        let credentials = local_credentials(place, [7; 23]);
        assert_eq!((credentials.ufrag.len(), credentials.pwd.len()), (20, 24));
    }
}
