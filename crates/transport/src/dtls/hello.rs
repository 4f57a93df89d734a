//! A ClientHello put together before the library sees it. RFC 6347 §4.2.3.
//!
//! Fed by the gate with fragments in any order; read by [`super::DtlsServer`]. The library takes the
//! first half of a second ClientHello for a repeated first one, and is stuck after a hello it cannot
//! read, so it gets whole ones only. Post-quantum key shares make two datagrams the common case.

use arrayvec::ArrayVec;
use bytes::BytesMut;

/// Longest ClientHello; browsers send some 1 700 bytes. A longer one is dropped.
pub(super) const HELLO_BYTES_MAX: usize = 8 * 1024;
/// Fragments of one; at the limit all are forgotten and the newest begins anew.
const FRAGMENTS_MAX: usize = 16;
const HEADER_LEN: usize = 12;
/// Version and random: what a client may not change in its second hello. RFC 6347 §4.2.1.
const IDENTITY_LEN: usize = 34;

/// A whole ClientHello, header included, as one fragment.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    /// 0 for the first, 1 for the one with the cookie.
    pub(super) message_sequence: u16,
    pub(super) bytes: BytesMut,
}

impl Hello {
    /// What tells one client's hello from another's; a stranger cannot guess it.
    pub(super) fn identity(&self) -> Option<[u8; IDENTITY_LEN]> {
        self.bytes.get(HEADER_LEN..)?.first_chunk().copied()
    }
}

/// The fragments of one hello so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    data: Vec<u8>,
    /// Ranges of `data` that have arrived.
    filled: ArrayVec<(usize, usize), FRAGMENTS_MAX>,
}

impl Assembly {
    /// Adds a fragment that was checked to lie within its message; the message once it is whole.
    ///
    /// One that contradicts the others in length begins anew: the newest is the likeliest to be true.
    pub(super) fn add(
        &mut self,
        message_sequence: u16,
        message_len: usize,
        offset: usize,
        data: &[u8],
    ) -> Option<Hello> {
        if message_len > HELLO_BYTES_MAX {
            return None;
        }
        if self.data.len() != message_len || self.filled.is_full() {
            self.data.clear();
            self.data.resize(message_len, 0);
            self.filled.clear();
        }
        let end = offset + data.len();
        self.data.get_mut(offset..end)?.copy_from_slice(data);
        self.filled.push((offset, end));
        if !self.is_whole() {
            return None;
        }
        let data = std::mem::take(self).data;
        let [_, l0, l1, l2] = u32::try_from(message_len).ok()?.to_be_bytes();
        let [s0, s1] = message_sequence.to_be_bytes();
        let mut bytes = BytesMut::with_capacity(HEADER_LEN + message_len);
        bytes.extend_from_slice(&[1, l0, l1, l2, s0, s1, 0, 0, 0, l0, l1, l2]);
        bytes.extend_from_slice(&data);
        Some(Hello {
            message_sequence,
            bytes,
        })
    }

    /// Whether the ranges leave no hole.
    fn is_whole(&mut self) -> bool {
        self.filled.sort_unstable();
        let reached = self.filled.iter().fold(0, |reached, &(start, end)| {
            if start <= reached {
                end.max(reached)
            } else {
                reached
            }
        });
        reached == self.data.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fragments_in_any_order_make_the_message(
            message in prop::collection::vec(any::<u8>(), 40..2000),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            seed: u64,
        ) {
            let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(message.len())).collect();
            at.extend([0, message.len()]);
            at.sort_unstable();
            at.dedup();
            let mut fragments: Vec<_> = at.windows(2).map(|cut| (cut[0], cut[1])).collect();
            fragments.sort_by_key(|&(start, _)| seed.rotate_left(u32::try_from(start % 64).unwrap()));
            let mut assembly = Assembly::default();
            let mut made = None;
            for (number, &(start, end)) in fragments.iter().enumerate() {
                made = assembly.add(1, message.len(), start, &message[start..end]);
                prop_assert_eq!(made.is_some(), number + 1 == fragments.len());
            }
            prop_assert_eq!(&made.unwrap().bytes[HEADER_LEN..], &message[..]);
        }
    }

    #[test]
    fn a_fragment_of_another_message_begins_anew() {
        let mut assembly = Assembly::default();
        assert!(assembly.add(0, 100, 0, &[1; 50]).is_none());
        assert!(assembly.add(0, 60, 0, &[2; 50]).is_none());
        let hello = assembly.add(0, 60, 50, &[2; 10]).unwrap();
        assert_eq!(hello.bytes[HEADER_LEN..], [2; 60]);
        assert!(assembly.add(0, HELLO_BYTES_MAX + 1, 0, &[0]).is_none());
    }
}
