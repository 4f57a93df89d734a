//! Builds transport feedback from arrival times: a pure function of its arguments.

use arrayvec::ArrayVec;
use estrade_types::{MonoTime, SeqNo, Ssrc};

use super::symbol;
use crate::bytes::Cursor;

/// The most packets that one written feedback covers: 100 ms of 5 000 packets/s.
pub const TRANSPORT_CC_WRITE_MAX: usize = 512;

/// Nanoseconds of one delta tick: 250 us.
const TICK_NS: u64 = 250_000;

/// Delta ticks in one unit of the reference time: 64 ms.
const TICKS_PER_REFERENCE: u64 = 256;

/// What transport feedback says apart from the arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportCcHeader {
    /// Who reports.
    pub sender_ssrc: Ssrc,
    /// Any stream of the transport.
    pub media_ssrc: Ssrc,
    /// The transport-wide sequence number of the first arrival given.
    pub base_sequence_number: SeqNo,
    /// One more than in the feedback before.
    pub feedback_count: u8,
}

/// A packet's symbol with its delta.
#[derive(Clone, Copy)]
struct Status {
    symbol: u8,
    delta: i16,
}

/// Writes what follows the RTCP header and returns how many arrivals it covers; `None` when it
/// does not fit.
pub(in crate::rtcp) fn write_body(
    out: &mut Cursor<'_>,
    header: &TransportCcHeader,
    arrivals: &[Option<MonoTime>],
) -> Option<usize> {
    let (reference, statuses) = statuses(arrivals);
    out.put_u32(header.sender_ssrc.0)?;
    out.put_u32(header.media_ssrc.0)?;
    out.put_u16(header.base_sequence_number.0)?;
    out.put_u16(u16::try_from(statuses.len()).ok()?)?;
    // The low 24 bits: the reference time wraps.
    out.put_u24(low_u32(reference))?;
    out.put_u8(header.feedback_count)?;
    let mut rest = statuses.as_slice();
    while !rest.is_empty() {
        let (chunk, covered) = next_chunk(rest);
        out.put_u16(chunk)?;
        rest = rest.get(covered..).unwrap_or_default();
    }
    for status in &statuses {
        let [high, low] = status.delta.to_be_bytes();
        match status.symbol {
            symbol::SMALL_DELTA => out.put_u8(low)?,
            symbol::LARGE_DELTA => out.put(&[high, low])?,
            _ => {}
        }
    }
    out.align()?;
    Some(statuses.len())
}

/// The reference time in units of 64 ms, and the packets up to the first whose delta does not fit
/// into 16 bits (8 s after, or before, the arrival in front of it).
fn statuses(arrivals: &[Option<MonoTime>]) -> (u64, ArrayVec<Status, TRANSPORT_CC_WRITE_MAX>) {
    let first = arrivals
        .iter()
        .flatten()
        .next()
        .copied()
        .unwrap_or_default();
    let reference = first.0 / TICK_NS / TICKS_PER_REFERENCE;
    // Deltas are differences of whole ticks, so that rounding does not add up.
    let mut previous = reference * TICKS_PER_REFERENCE;
    let mut statuses = ArrayVec::new();
    for arrival in arrivals.iter().take(TRANSPORT_CC_WRITE_MAX) {
        let mut status = Status {
            symbol: symbol::NOT_RECEIVED,
            delta: 0,
        };
        if let Some(arrival) = arrival {
            let tick = arrival.0 / TICK_NS;
            let Ok(delta) = i16::try_from(tick.wrapping_sub(previous).cast_signed()) else {
                break;
            };
            previous = tick;
            status.delta = delta;
            status.symbol = match delta {
                0..=255 => symbol::SMALL_DELTA,
                _ => symbol::LARGE_DELTA,
            };
        }
        statuses.push(status);
    }
    (reference, statuses)
}

/// The chunk that covers most of what is left, and how many packets it covers.
///
/// A run is taken when it is at least as long as the vector it competes with, or ends the list.
fn next_chunk(rest: &[Status]) -> (u16, usize) {
    let symbol = rest.first().map_or(0, |status| status.symbol);
    let run = rest
        .iter()
        .take(0x1fff)
        .take_while(|status| status.symbol == symbol)
        .count();
    let fits_one_bit = rest.iter().take(14).all(|status| status.symbol < 2);
    let vector_len = if fits_one_bit { 14 } else { 7 };
    if run >= vector_len.min(rest.len()) {
        let run_len = u16::try_from(run).unwrap_or(0x1fff);
        return (u16::from(symbol) << 13 | run_len, run);
    }
    let (head, width) = if fits_one_bit {
        (0x8000, 1)
    } else {
        (0xc000, 2)
    };
    let covered = rest.len().min(vector_len);
    let vector = (0..vector_len).fold(0, |bits, at| {
        bits << width | rest.get(at).map_or(0, |status| u16::from(status.symbol))
    });
    (head | vector, covered)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the reference time wraps at 24 bits, so its low bits are what is asked for"
)]
const fn low_u32(value: u64) -> u32 {
    value as u32
}
