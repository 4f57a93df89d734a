//! Finds keyframes in H.264 payloads. RFC 6184 §5.2 to §5.8.
//!
//! Read by the router. Only what packetization mode 1 allows is understood: single NAL units,
//! STAP-A and FU-A; anything else is not the start of a keyframe.

use crate::bytes::u16_at;

/// NAL unit types. RFC 6184 table 1, H.264 table 7-1.
const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Whether the payload holds an IDR slice's start or a sequence parameter set.
///
/// Several packets of one keyframe may say so (parameter sets, then each slice): the keyframe
/// starts at the first of those with one timestamp.
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    let Some((&indicator, rest)) = payload.split_first() else {
        return false;
    };
    match indicator & 0x1f {
        IDR | SPS => true,
        STAP_A => aggregate_has_key_unit(rest),
        // FU header: S in the top bit, then the fragmented unit's type.
        FU_A => rest
            .first()
            .is_some_and(|header| header & 0x80 != 0 && is_key_type(header & 0x1f)),
        _ => false,
    }
}

/// Walks `size | unit` pairs; stops at the first that passes the end.
fn aggregate_has_key_unit(mut rest: &[u8]) -> bool {
    while let Some(size) = u16_at(rest, 0) {
        let Some((unit, behind)) = rest
            .get(2..)
            .and_then(|units| units.split_at_checked(usize::from(size)))
        else {
            return false;
        };
        if unit
            .first()
            .is_some_and(|header| is_key_type(header & 0x1f))
        {
            return true;
        }
        rest = behind;
    }
    false
}

const fn is_key_type(nal_unit_type: u8) -> bool {
    matches!(nal_unit_type, IDR | SPS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn single_units_are_told_by_their_type() {
        assert!(is_keyframe_start(&[0x65, 1, 2]));
        assert!(is_keyframe_start(&[0x67, 1, 2]));
        assert!(!is_keyframe_start(&[0x41, 1, 2]));
        assert!(!is_keyframe_start(&[0x68, 1, 2]));
        assert!(!is_keyframe_start(&[]));
    }

    #[test]
    fn a_parameter_set_anywhere_in_a_stap_a_counts() {
        assert!(is_keyframe_start(&[0x78, 0, 1, 0x09, 0, 2, 0x67, 0x42]));
        assert!(!is_keyframe_start(&[0x78, 0, 1, 0x09, 0, 2, 0x41, 0x42]));
    }

    #[test]
    fn only_the_first_fragment_of_an_idr_counts() {
        assert!(is_keyframe_start(&[0x7c, 0x85, 0]));
        assert!(!is_keyframe_start(&[0x7c, 0x05, 0]));
        assert!(!is_keyframe_start(&[0x7c, 0x81, 0]));
    }

    #[test]
    fn hostile_34_truncated_aggregates_and_fragments_are_not_keyframes() {
        assert!(!is_keyframe_start(&[0x78]));
        assert!(!is_keyframe_start(&[0x78, 0]));
        assert!(!is_keyframe_start(&[0x78, 0, 9, 0x67]));
        assert!(!is_keyframe_start(&[0x78, 0, 0, 0, 0]));
        assert!(!is_keyframe_start(&[0x78, 0xff, 0xff, 0x67]));
        assert!(!is_keyframe_start(&[0x7c]));
    }

    proptest! {
        #[test]
        fn wrapping_a_unit_in_a_stap_a_does_not_change_the_verdict(
            unit in prop::collection::vec(any::<u8>(), 1..64)
        ) {
            let is_single = !matches!(unit[0] & 0x1f, STAP_A | FU_A);
            prop_assume!(is_single);
            let mut stap = vec![0x78];
            stap.extend(u16::try_from(unit.len()).unwrap().to_be_bytes());
            stap.extend(&unit);
            prop_assert_eq!(is_keyframe_start(&stap), is_keyframe_start(&unit));
        }
    }
}
