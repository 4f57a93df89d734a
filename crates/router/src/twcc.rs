//! Arrival times of everything an endpoint sends, for its congestion control.
//! draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.
//!
//! Fed with every authenticated packet that carries a transport-wide number: bound or not, permitted
//! or not, retransmission or padding, since all of them crossed the path. Read by the feedback timer,
//! about every 50 to 100 ms. Without this feedback a browser never leaves its start rate.

use std::time::Duration;

use estrade_rtp::rtcp::{TRANSPORT_CC_WRITE_MAX, TransportCcHeader, Writer};
use estrade_types::{MonoTime, SeqExtender, SeqNo, Ssrc};

use crate::bits::at;

/// Between feedbacks on a quiet path. Longer slows the estimator, shorter costs bandwidth.
const INTERVAL: Duration = Duration::from_millis(100);

/// Between feedbacks on a busy one.
const INTERVAL_BUSY: Duration = Duration::from_millis(50);

/// Packets in one interval from which on a path is busy.
const BUSY_PKTS: usize = 20;

/// Records arrivals and writes feedback.
#[derive(Debug)]
pub(crate) struct ArrivalRecorder {
    extender: Option<SeqExtender>,
    /// Number of the first of `arrivals`.
    base: u64,
    arrivals: Box<[Option<MonoTime>]>,
    /// How many of `arrivals` are in use: one past the newest.
    len: usize,
    feedback_count: u8,
    due_at: Option<MonoTime>,
    was_busy: bool,
}

impl ArrivalRecorder {
    pub(crate) fn new() -> Self {
        Self {
            extender: None,
            base: 0,
            arrivals: Box::default(),
            len: 0,
            feedback_count: 0,
            due_at: None,
            was_busy: false,
        }
    }

    /// Records one arrival. A number before the last feedback's end is not reported again; one
    /// beyond the window drops what has not been reported, which only a hole of
    /// [`TRANSPORT_CC_WRITE_MAX`] numbers within one interval can cause.
    pub(crate) fn on_packet(&mut self, now: MonoTime, seq: u16) {
        if self.arrivals.is_empty() {
            // Once per endpoint that sends at all: most never do.
            self.arrivals = vec![None; TRANSPORT_CC_WRITE_MAX].into_boxed_slice();
        }
        let extender = self
            .extender
            .get_or_insert_with(|| SeqExtender::starting_at(SeqNo(seq)));
        let Some(ext) = extender.extend(SeqNo(seq)) else {
            return;
        };
        if self.len == 0 && (self.base == 0 || ext.0 > self.base + 512) {
            self.base = ext.0;
        }
        let Some(offset) = ext.0.checked_sub(self.base) else {
            return;
        };
        let mut offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if offset >= self.arrivals.len() {
            self.forget();
            self.base = ext.0;
            offset = 0;
        }
        if let Some(arrival) = self.arrivals.get_mut(offset) {
            arrival.get_or_insert(now);
        }
        self.len = self.len.max(offset + 1);
        let interval = if self.was_busy {
            INTERVAL_BUSY
        } else {
            INTERVAL
        };
        self.due_at.get_or_insert(now.plus(interval));
        if self.len * 4 >= self.arrivals.len() * 3 {
            self.due_at = Some(now);
        }
    }

    /// When feedback is due.
    pub(crate) const fn next_deadline(&self) -> Option<MonoTime> {
        self.due_at
    }

    /// Appends the feedback to a compound, as far as it fits; the rest stays for the next.
    pub(crate) fn write(&mut self, now: MonoTime, sender: Ssrc, media: Ssrc, out: &mut Writer<'_>) {
        let header = TransportCcHeader {
            sender_ssrc: sender,
            media_ssrc: media,
            base_sequence_number: SeqNo(crate::bits::low16(self.base)),
            feedback_count: self.feedback_count,
        };
        let pending = self.arrivals.get(..self.len).unwrap_or_default();
        let Ok(covered) = out.transport_cc(&header, pending) else {
            self.due_at = Some(now.plus(Duration::from_millis(5)));
            return;
        };
        if covered == 0 {
            self.due_at = None;
            return;
        }
        self.was_busy = covered >= BUSY_PKTS;
        self.feedback_count = self.feedback_count.wrapping_add(1);
        self.base += u64::try_from(covered).unwrap_or(0);
        let (done, rest) = (covered, self.len.saturating_sub(covered));
        self.arrivals.copy_within(done..self.len, 0);
        if let Some(freed) = self.arrivals.get_mut(rest..self.len) {
            freed.fill(None);
        }
        self.len = rest;
        self.due_at = (rest > 0).then_some(now);
    }

    fn forget(&mut self) {
        self.arrivals.fill(None);
        self.len = 0;
    }
}

const _: () = assert!(TRANSPORT_CC_WRITE_MAX <= at(u32::MAX));

#[cfg(test)]
mod tests {
    use estrade_rtp::rtcp::{Compound, Packet};

    use super::*;

    fn feedback(recorder: &mut ArrivalRecorder, now: MonoTime) -> (u16, Vec<bool>) {
        let mut buf = [0; 1_200];
        let mut writer = Writer::new(&mut buf);
        recorder.write(now, Ssrc(1), Ssrc(2), &mut writer);
        let compound = Compound::parse(writer.written()).unwrap();
        let Some(Packet::TransportCc(feedback)) = compound.packets().next() else {
            panic!("no transport feedback");
        };
        let got = feedback.statuses().map(|status| status.delta.is_some());
        (feedback.base_sequence_number.0, got.collect())
    }

    #[test]
    fn feedback_tells_arrivals_and_losses_across_the_wrap() {
        let mut recorder = ArrivalRecorder::new();
        for seq in [65_534, 65_535, 1] {
            recorder.on_packet(MonoTime::from_millis(10), seq);
        }
        assert_eq!(
            recorder.next_deadline(),
            Some(MonoTime::from_millis(10).plus(INTERVAL))
        );
        let now = MonoTime::from_millis(110);
        assert_eq!(
            feedback(&mut recorder, now),
            (65_534, vec![true, true, false, true])
        );
        assert_eq!(recorder.next_deadline(), None);
        recorder.on_packet(now, 4);
        assert_eq!(feedback(&mut recorder, now), (2, vec![false, false, true]));
    }

    #[test]
    fn a_number_that_was_reported_is_not_reported_again() {
        let mut recorder = ArrivalRecorder::new();
        recorder.on_packet(MonoTime(0), 7);
        assert_eq!(feedback(&mut recorder, MonoTime(0)).1.len(), 1);
        recorder.on_packet(MonoTime(1), 7);
        recorder.on_packet(MonoTime(1), 8);
        assert_eq!(feedback(&mut recorder, MonoTime(1)), (8, vec![true]));
    }

    #[test]
    fn a_jump_starts_a_new_window() {
        let mut recorder = ArrivalRecorder::new();
        recorder.on_packet(MonoTime(0), 7);
        recorder.on_packet(MonoTime(1), 20_000);
        assert_eq!(feedback(&mut recorder, MonoTime(1)), (20_000, vec![true]));
    }
}
