//! What of a DTLS datagram reaches the library. RFC 6347 §4.1, §4.2.2.
//!
//! Fed by [`super::DtlsServer`] with every datagram; what it lets through is well framed and counted.
//! It stands in front because the library keeps fragments of handshake messages without counting
//! the empty ones and joins them recursively: a stranger on a validated address could exhaust
//! memory or the stack.
//!
//! Rules: a datagram whose framing lies is dropped whole. Of the rest a record passes only if an
//! endpoint in this state would send it. Alerts count only when they are protected, so that nobody
//! without keys ends a session. We speak no application data over DTLS.

use bytes::BytesMut;

use estrade_types::DropReason;

use super::hello::{Assembly, Hello};

const RECORD_HEADER_LEN: usize = 13;
const HANDSHAKE_HEADER_LEN: usize = 12;
/// Records a handshake may bring; some ten are needed. Beyond it they are dropped.
const RECORDS_MAX: u32 = 256;
/// Bytes a handshake may bring; some three thousand are needed. Beyond it records are dropped.
const BYTES_MAX: usize = 64 * 1024;
/// Largest handshake message, which is a certificate chain; a longer one is dropped.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Protected records before the handshake is done: Finished, with its repetitions.
const PROTECTED_RECORDS_MAX: u32 = 16;
/// A protected Finished or alert, under any cipher: too short to hold many fragments.
const PROTECTED_BYTES_MAX: usize = 128;
/// Messages a client sends have numbers 0 to 5.
const MESSAGE_SEQUENCE_MAX: u16 = 7;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// The type of the client's messages 0 and 1, and of no other.
const CLIENT_HELLO: u8 = 1;

/// How far the handshake got, as the gate needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody proved anything: only ClientHellos count.
    Hello,
    /// The client has shown its cookie.
    Handshaking,
    /// The keys are installed.
    Connected,
}

/// What became of a datagram.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// ClientHellos that are whole now.
    pub(super) hellos: Vec<Hello>,
    /// The records for the library.
    pub(super) records: BytesMut,
    /// The endpoint repeats what we have answered: our last flight was lost. RFC 6347 §4.2.4.
    pub(super) is_repetition: bool,
}

/// Counts down what a handshake may still bring.
#[derive(Debug)]
pub(super) struct Gate {
    records_left: u32,
    bytes_left: usize,
    protected_left: u32,
    /// The first ClientHello and the one with the cookie.
    hellos: [Assembly; 2],
    /// Plaintext records are framed anew, one fragment each, so they are numbered anew.
    sequence_number: u32,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            hellos: Default::default(),
            records_left: RECORDS_MAX,
            bytes_left: BYTES_MAX,
            protected_left: PROTECTED_RECORDS_MAX,
            sequence_number: 0,
        }
    }

    /// Sorts the records of a datagram.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if the framing is wrong, [`DropReason::DtlsOverflow`] if a limit is
    /// reached; nothing is passed.
    pub(super) fn sort(&mut self, stage: Stage, datagram: &[u8]) -> Result<Passed, DropReason> {
        let mut passed = Passed::default();
        let mut rest = datagram;
        while !rest.is_empty() {
            let (record, after) = Record::split(rest).ok_or(DropReason::Malformed)?;
            rest = after;
            match (stage, record.content_type, record.epoch) {
                (Stage::Hello | Stage::Handshaking, HANDSHAKE, 0) => {
                    self.sort_fragments(stage, record.body, &mut passed)?;
                }
                (Stage::Handshaking, CHANGE_CIPHER_SPEC, 0) if record.body == [1] => {
                    self.pass_plain(CHANGE_CIPHER_SPEC, record.body, &mut passed.records)?;
                }
                (Stage::Handshaking, HANDSHAKE | ALERT, 1) | (Stage::Connected, ALERT, 1)
                    if record.body.len() <= PROTECTED_BYTES_MAX =>
                {
                    self.pass_protected(&record, &mut passed)?;
                }
                // We answer these ourselves; the library would keep them for good.
                (Stage::Connected, HANDSHAKE, _) => passed.is_repetition = true,
                _ => {}
            }
        }
        Ok(passed)
    }

    /// Sorts the fragments of a plaintext handshake record; from one that lies on, all are dropped.
    fn sort_fragments(
        &mut self,
        stage: Stage,
        mut body: &[u8],
        passed: &mut Passed,
    ) -> Result<(), DropReason> {
        while let Some((fragment, rest)) = Fragment::split(body) {
            body = rest;
            let hello = self.hellos.get_mut(usize::from(fragment.message_sequence));
            match (stage, hello) {
                (Stage::Hello, Some(assembly)) => {
                    passed.hellos.extend(assembly.add(
                        fragment.message_sequence,
                        fragment.message_len,
                        fragment.offset,
                        fragment.data,
                    ));
                    self.count(fragment.bytes.len())?;
                }
                (Stage::Hello, None) => {}
                (_, Some(_)) => passed.is_repetition = true,
                (_, None) => self.pass_plain(HANDSHAKE, fragment.bytes, &mut passed.records)?,
            }
        }
        Ok(())
    }

    /// Frames a whole ClientHello for the library.
    pub(super) fn frame(&mut self, hello: &Hello) -> Result<BytesMut, DropReason> {
        let mut record = BytesMut::new();
        self.pass_plain(HANDSHAKE, &hello.bytes, &mut record)?;
        Ok(record)
    }

    fn pass_plain(
        &mut self,
        content_type: u8,
        body: &[u8],
        records: &mut BytesMut,
    ) -> Result<(), DropReason> {
        self.count(body.len())?;
        let len = u16::try_from(body.len()).map_err(|_| DropReason::Malformed)?;
        let [s0, s1, s2, s3] = self.sequence_number.to_be_bytes();
        let [l0, l1] = len.to_be_bytes();
        self.sequence_number += 1;
        records.extend_from_slice(&[content_type, 0xfe, 0xfd, 0, 0, 0, 0, s0, s1, s2, s3, l0, l1]);
        records.extend_from_slice(body);
        Ok(())
    }

    fn pass_protected(
        &mut self,
        record: &Record<'_>,
        passed: &mut Passed,
    ) -> Result<(), DropReason> {
        self.count(record.body.len())?;
        self.protected_left = self
            .protected_left
            .checked_sub(1)
            .ok_or(DropReason::DtlsOverflow)?;
        passed.records.extend_from_slice(record.bytes);
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), DropReason> {
        let overflow = DropReason::DtlsOverflow;
        self.records_left = self.records_left.checked_sub(1).ok_or(overflow)?;
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(overflow)?;
        Ok(())
    }
}

/// One record, its length checked. RFC 6347 §4.1.
struct Record<'a> {
    content_type: u8,
    epoch: u16,
    body: &'a [u8],
    /// Header and body.
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    fn split(datagram: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let header = datagram.first_chunk::<RECORD_HEADER_LEN>()?;
        let [content_type, major, minor, e0, e1, _, _, _, _, _, _, l0, l1] = *header;
        let is_version_known = major == 0xfe && (minor == 0xff || minor == 0xfd);
        let len = RECORD_HEADER_LEN + usize::from(u16::from_be_bytes([l0, l1]));
        let (bytes, rest) = datagram.split_at_checked(len)?;
        let record = Self {
            content_type,
            epoch: u16::from_be_bytes([e0, e1]),
            body: bytes.get(RECORD_HEADER_LEN..)?,
            bytes,
        };
        (is_version_known && !record.body.is_empty()).then_some((record, rest))
    }
}

/// One fragment of a handshake message, its lengths checked. RFC 6347 §4.2.2.
struct Fragment<'a> {
    message_sequence: u16,
    message_len: usize,
    offset: usize,
    data: &'a [u8],
    /// Header and data.
    bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// `None` at the end, and for a fragment that lies.
    fn split(body: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let header = body.first_chunk::<HANDSHAKE_HEADER_LEN>()?;
        let [kind, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2] = *header;
        let message_len = u24([l0, l1, l2]);
        let len = u24([f0, f1, f2]);
        let message_sequence = u16::from_be_bytes([s0, s1]);
        let offset = u24([o0, o1, o2]);
        let is_true = message_len <= MESSAGE_BYTES_MAX
            && message_sequence <= MESSAGE_SEQUENCE_MAX
            && (kind == CLIENT_HELLO) == (message_sequence < 2)
            && offset + len <= message_len
            && (len > 0 || message_len == 0);
        let (bytes, rest) = body.split_at_checked(HANDSHAKE_HEADER_LEN + len)?;
        is_true.then_some((
            Self {
                message_sequence,
                message_len,
                offset,
                data: bytes.get(HANDSHAKE_HEADER_LEN..)?,
                bytes,
            },
            rest,
        ))
    }
}

fn u24([a, b, c]: [u8; 3]) -> usize {
    (usize::from(a) << 16) | (usize::from(b) << 8) | usize::from(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Stage = Stage::Handshaking;

    fn record(content_type: u8, epoch: u16, body: &[u8]) -> Vec<u8> {
        let mut record = vec![content_type, 0xfe, 0xfd];
        record.extend(epoch.to_be_bytes());
        record.extend([0; 6]);
        record.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        record.extend(body);
        record
    }

    fn fragment(sequence: u16, len: u32, offset: u32, fragment_len: u32, data: &[u8]) -> Vec<u8> {
        let mut fragment = vec![if sequence < 2 { 1 } else { 11 }];
        fragment.extend(&len.to_be_bytes()[1..]);
        fragment.extend(sequence.to_be_bytes());
        fragment.extend(&offset.to_be_bytes()[1..]);
        fragment.extend(&fragment_len.to_be_bytes()[1..]);
        fragment.extend(data);
        record(HANDSHAKE, 0, &fragment)
    }

    fn passes(stage: Stage, datagram: &[u8]) -> bool {
        let passed = Gate::new().sort(stage, datagram).unwrap();
        assert!(passed.records.is_empty() || passed.records == datagram);
        !passed.records.is_empty()
    }

    /// The bodies of the records in `passed`.
    fn bodies(mut passed: &[u8]) -> Vec<&[u8]> {
        let mut bodies = Vec::new();
        while let Some((record, rest)) = Record::split(passed) {
            bodies.push(record.body);
            passed = rest;
        }
        bodies
    }

    proptest! {
        #[test]
        fn any_bytes_are_sorted_without_panic(
            content_type: u8, epoch in 0_u16..3, body: Vec<u8>, tail: Vec<u8>, connected: bool,
        ) {
            let stage = if connected { Stage::Connected } else { START };
            let _bare = Gate::new().sort(stage, &tail);
            let mut datagram = record(content_type, epoch, &body);
            datagram.extend(tail);
            let _framed = Gate::new().sort(stage, &datagram);
        }
    }

    #[test]
    fn whole_and_fragmented_messages_pass() {
        assert!(passes(START, &fragment(2, 4, 0, 4, b"abcd")));
        assert!(passes(START, &fragment(2, 4, 2, 2, b"cd")));
        assert!(passes(START, &fragment(5, 0, 0, 0, b"")));
    }

    #[test]
    fn fragments_that_lie_are_dropped() {
        for lie in [
            fragment(2, 4, 0, 0, b""),    // Empty, of a message that is not.
            fragment(2, 4, 2, 3, b"cde"), // Beyond the message.
            fragment(2, 4, 0, 4, b"abc"), // Beyond the record.
            fragment(2, 16 * 1024 * 1024 - 1, 0, 4, b"abcd"), // Of sixteen megabytes.
            fragment(8, 4, 0, 4, b"abcd"), // Of a message no client sends.
            record(HANDSHAKE, 0, b"short"),
        ] {
            assert!(!passes(START, &lie));
        }
    }

    #[test]
    fn fragments_that_share_a_record_are_handed_on_apart() {
        // The library would take the tail of one message to run over the message after it.
        let (tail, whole) = (fragment(2, 4, 2, 2, b"cd"), fragment(3, 2, 0, 2, b"ef"));
        let (tail, whole) = (&tail[RECORD_HEADER_LEN..], &whole[RECORD_HEADER_LEN..]);
        let passed = Gate::new().sort(START, &record(HANDSHAKE, 0, &[tail, whole].concat()));
        assert_eq!(bodies(&passed.unwrap().records), [tail, whole]);
    }

    #[test]
    fn framing_that_lies_drops_the_datagram() {
        let mut gate = Gate::new();
        let mut long = record(HANDSHAKE, 0, b"abc");
        long.pop();
        let mut trailing = fragment(0, 0, 0, 0, b"");
        trailing.extend(b"junk");
        for datagram in [
            &long[..],
            &trailing,
            b"\x16\xfe",
            &record(HANDSHAKE, 0, b""),
        ] {
            let sorted = gate.sort(START, datagram);
            assert!(matches!(sorted, Err(DropReason::Malformed)));
        }
    }

    #[test]
    fn plaintext_alerts_and_application_data_never_pass() {
        for stage in [START, Stage::Connected] {
            assert!(!passes(stage, &record(ALERT, 0, &[2, 40])));
            assert!(!passes(stage, &record(23, 0, b"data")));
            assert!(!passes(stage, &record(23, 1, b"data")));
            assert!(!passes(stage, &record(25, 1, b"cid")));
            assert!(!passes(stage, &record(ALERT, 2, &[0; 26])));
            assert!(passes(stage, &record(ALERT, 1, &[0; 26])));
        }
    }

    #[test]
    fn what_was_answered_already_is_a_repetition() {
        let sorted = Gate::new()
            .sort(START, &fragment(0, 2, 0, 2, b"ab"))
            .unwrap();
        assert!(sorted.is_repetition && sorted.records.is_empty());
        let sorted = Gate::new().sort(Stage::Connected, &record(HANDSHAKE, 1, &[0; 40]));
        assert!(sorted.unwrap().is_repetition);
    }

    #[test]
    fn only_whole_hellos_count_before_the_cookie() {
        let mut gate = Gate::new();
        for datagram in [
            fragment(0, 4, 2, 2, b"cd"),
            fragment(2, 4, 0, 4, b"abcd"),
            record(CHANGE_CIPHER_SPEC, 0, &[1]),
            record(HANDSHAKE, 1, &[0; 40]),
        ] {
            let sorted = gate.sort(Stage::Hello, &datagram).unwrap();
            assert!(sorted.hellos.is_empty() && sorted.records.is_empty());
        }
        let sorted = gate
            .sort(Stage::Hello, &fragment(0, 4, 0, 2, b"ab"))
            .unwrap();
        assert_eq!(sorted.hellos[0].bytes[HANDSHAKE_HEADER_LEN..], *b"abcd");
    }

    #[test]
    fn a_handshake_is_bounded_in_records_and_bytes() {
        let mut gate = Gate::new();
        let small = fragment(2, 16_000, 1, 1, b"x");
        let passed = (0..10_000)
            .filter(|_| gate.sort(START, &small).is_ok())
            .count();
        assert_eq!(passed, 256);
        let mut gate = Gate::new();
        let large = fragment(2, 16_000, 0, 1400, &[0; 1400]);
        let passed = (0..10_000)
            .filter(|_| gate.sort(START, &large).is_ok())
            .count();
        assert!(passed * (large.len() - RECORD_HEADER_LEN) <= BYTES_MAX);
        let mut gate = Gate::new();
        let sealed = record(HANDSHAKE, 1, &[0; 40]);
        let passed = (0..10_000)
            .filter(|_| gate.sort(START, &sealed).is_ok())
            .count();
        assert_eq!(passed, 16);
    }
}
