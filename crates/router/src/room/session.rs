//! What a room keeps of one session.

use std::time::Duration;

use arrayvec::ArrayVec;
use estrade_types::{
    MonoTime, NtpTime, ParticipantKey, RxMedia, SessionId, SlotId, Ssrc, TxMedia, limits,
};

use crate::binding::Binding;
use crate::room::RouterError;
use crate::twcc::ArrivalRecorder;

/// SSRC of our feedback to a session that we send nothing to.
const FEEDBACK_SSRC: Ssrc = Ssrc(1);

/// A clock that differs from its own past by more than this was set, not slewed.
const CLOCK_STEP_NS: i64 = 1_000_000_000;

/// A session's streams.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) slot: u32,
    pub(crate) participant: ParticipantKey,
    /// Grows with each session of the room: the newest one's sources win.
    pub(crate) order: u64,
    pub(crate) binding: Binding,
    pub(crate) arrivals: ArrivalRecorder,
    /// Index of the source of each section in which we receive.
    pub(crate) sources: ArrayVec<u32, { limits::RX_SECTIONS_MAX }>,
    /// Index of the leg of each section in which we send.
    pub(crate) legs: ArrayVec<u32, { limits::TX_SECTIONS_MAX }>,
    /// Whom our feedback comes from.
    pub(crate) feedback_ssrc: Ssrc,
    pub(crate) is_connected: bool,
    pub(crate) is_video_wanted: bool,
    pub(crate) has_video: bool,
    /// Whether it ever sent a packet that was bound.
    pub(crate) is_publisher: bool,
    pub(crate) tells_slots: bool,
    /// Whether a report is to leave with the next tick.
    pub(crate) is_report_early: bool,
    pub(crate) pin: Option<ParticipantKey>,
    pub(crate) rtt: Option<Duration>,
    clock_offset_ns: Option<u64>,
}

impl Session {
    pub(crate) fn new(
        id: SessionId,
        slot: u32,
        participant: ParticipantKey,
        order: u64,
        rx: &[RxMedia],
        tx: &[TxMedia],
    ) -> Self {
        Self {
            id,
            slot,
            participant,
            order,
            binding: Binding::new(rx),
            arrivals: ArrivalRecorder::new(),
            sources: ArrayVec::new(),
            legs: ArrayVec::new(),
            feedback_ssrc: tx.first().map_or(FEEDBACK_SSRC, |media| media.ssrc),
            is_connected: false,
            is_video_wanted: true,
            has_video: tx
                .iter()
                .any(|media| !matches!(media.slot, SlotId::Audio(_))),
            is_publisher: false,
            tells_slots: false,
            is_report_early: false,
            pin: None,
            rtt: None,
            clock_offset_ns: None,
        }
    }

    /// Learns how the endpoint's wall clock lies to our time. All its streams share the offset, which
    /// is what keeps sound and picture together; the variation of the path is smoothed away.
    pub(crate) fn on_sender_clock(&mut self, now: MonoTime, ntp: NtpTime) {
        let seen = now.0.wrapping_sub(ntp_ns(ntp));
        self.clock_offset_ns = Some(match self.clock_offset_ns {
            Some(before) => {
                let change = seen.wrapping_sub(before).cast_signed();
                if change.unsigned_abs() > CLOCK_STEP_NS.unsigned_abs() {
                    seen
                } else {
                    before.wrapping_add_signed(change / 8)
                }
            }
            None => seen,
        });
    }

    /// When, in our time, the endpoint's clock showed `ntp`; modulo 2^64.
    pub(crate) fn local_ns(&self, ntp: NtpTime) -> Option<u64> {
        Some(ntp_ns(ntp).wrapping_add(self.clock_offset_ns?))
    }
}

/// Nanoseconds since 1900. Fits until the fields' own end.
fn ntp_ns(ntp: NtpTime) -> u64 {
    let fraction = ((ntp.0 & 0xffff_ffff) * 1_000_000_000) >> 32;
    (ntp.0 >> 32)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(fraction)
}

/// Refuses sections that contradict each other.
pub(crate) fn check(rx: &[RxMedia], tx: &[TxMedia]) -> Result<(), RouterError> {
    if rx.len() > limits::RX_SECTIONS_MAX || tx.len() > limits::TX_SECTIONS_MAX {
        return Err(RouterError::Full);
    }
    if rx
        .iter()
        .any(|media| media.rids.len() > limits::ENCODINGS_MAX)
    {
        return Err(RouterError::Full);
    }
    let is_empty =
        rx.iter().any(|media| media.codecs.is_empty()) || tx.iter().any(|m| m.codecs.is_empty());
    let rx_pairs = pairs(rx).any(|(a, b)| a.mid == b.mid || a.source == b.source);
    let tx_pairs = pairs(tx).any(|(a, b)| {
        a.mid == b.mid
            || a.slot == b.slot
            || a.ssrc == b.ssrc
            || Some(a.ssrc) == b.rtx_ssrc
            || a.rtx_ssrc == Some(b.ssrc)
            || (a.rtx_ssrc.is_some() && a.rtx_ssrc == b.rtx_ssrc)
    });
    let repairs_itself = tx.iter().any(|media| media.rtx_ssrc == Some(media.ssrc));
    if is_empty || rx_pairs || tx_pairs || repairs_itself {
        return Err(RouterError::Invalid);
    }
    Ok(())
}

fn pairs<T>(items: &[T]) -> impl Iterator<Item = (&T, &T)> {
    items
        .iter()
        .enumerate()
        .flat_map(|(at, a)| items.iter().skip(at + 1).map(move |b| (a, b)))
}
