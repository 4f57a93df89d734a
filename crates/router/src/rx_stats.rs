//! What a receiver must know of one SSRC to report on it: loss, jitter, the last sender report.
//! RFC 3550 §6.4.1, appendices A.3 and A.8.
//!
//! Fed by [`crate::source`] with every packet of a media SSRC, permitted or not; read when receiver
//! reports are written. Retransmissions have their own SSRC and do not count. RFC 4588 §4.

use estrade_rtp::rtcp::{ReportBlock, SenderInfo};
use estrade_types::{ClockRate, ExtSeqNo, MonoTime, NtpShort, NtpTime, RtpTimestamp, Ssrc};

use crate::bits::{low32, ticks};

/// The publisher's latest statement of what time its stream shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderClock {
    /// The publisher's wall clock: whatever it claims.
    pub(crate) ntp: NtpTime,
    /// The same moment in timestamp units, as the publisher sent it.
    pub(crate) timestamp: RtpTimestamp,
    /// When the report came.
    pub(crate) at: MonoTime,
}

/// Reception statistics of one SSRC.
#[derive(Debug)]
pub(crate) struct RxStats {
    rate: ClockRate,
    base: u64,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    jitter_x16: u32,
    last_transit: Option<u32>,
    clock: Option<SenderClock>,
}

impl RxStats {
    pub(crate) fn new(rate: ClockRate, first: ExtSeqNo) -> Self {
        Self {
            rate,
            base: first.0,
            highest: first.0,
            received: 0,
            expected_before: 0,
            received_before: 0,
            jitter_x16: 0,
            last_transit: None,
            clock: None,
        }
    }

    /// Feeds one packet.
    pub(crate) fn on_packet(&mut self, now: MonoTime, rx: ExtSeqNo, timestamp: RtpTimestamp) {
        self.received += 1;
        self.base = self.base.min(rx.0);
        self.highest = self.highest.max(rx.0);
        let transit = ticks(now.0, self.rate).wrapping_sub(timestamp.0);
        let Some(last) = self.last_transit.replace(transit) else {
            return; // A difference needs two packets.
        };
        let delta = transit.wrapping_sub(last).cast_signed().unsigned_abs();
        // Scaled by 16, as in appendix A.8, to keep the fraction in an integer.
        self.jitter_x16 = self
            .jitter_x16
            .saturating_add(delta)
            .saturating_sub(self.jitter_x16.saturating_add(8) >> 4);
    }

    /// Takes a sender report.
    pub(crate) fn on_sender_report(&mut self, now: MonoTime, info: &SenderInfo) {
        self.clock = Some(SenderClock {
            ntp: info.ntp,
            timestamp: info.rtp_timestamp,
            at: now,
        });
    }

    /// The publisher's latest sender report.
    pub(crate) const fn clock(&self) -> Option<SenderClock> {
        self.clock
    }

    /// The report block for the time since the last one.
    pub(crate) fn report_block(&mut self, now: MonoTime, ssrc: Ssrc) -> ReportBlock {
        let expected = self.highest - self.base + 1;
        let expected_now = expected.saturating_sub(self.expected_before);
        let received_now = self.received.saturating_sub(self.received_before);
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_now = expected_now.saturating_sub(received_now);
        // Duplicates may outnumber losses: then the loss is zero, not negative. Appendix A.3.
        let fraction = (lost_now * 256).checked_div(expected_now).unwrap_or(0);
        let lost = i64::try_from(expected).unwrap_or(i64::MAX)
            - i64::try_from(self.received).unwrap_or(i64::MAX);
        let (last_sr, delay) = self.clock.map_or((NtpShort(0), NtpShort(0)), |clock| {
            (clock.ntp.short(), short_span(now, clock.at))
        });
        ReportBlock {
            ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(lost).unwrap_or(if lost < 0 {
                i32::MIN
            } else {
                i32::MAX
            }),
            // Our extended numbers start one cycle up.
            highest_sequence_number: low32(self.highest.wrapping_sub(0x1_0000)),
            jitter: self.jitter_x16 >> 4,
            last_sr,
            delay_since_last_sr: delay,
        }
    }
}

/// The time between two moments in 1/65536 s.
fn short_span(now: MonoTime, then: MonoTime) -> NtpShort {
    let ns = now.0.saturating_sub(then.0);
    let seconds = (ns / 1_000_000_000) << 16;
    let fraction = ((ns % 1_000_000_000) << 16) / 1_000_000_000;
    NtpShort(low32(seconds | fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_lost_is_reported_as_a_quarter() {
        let mut stats = RxStats::new(ClockRate::VIDEO, ExtSeqNo(0x1_0000));
        for seq in (0..100u64).filter(|seq| seq % 4 != 2) {
            stats.on_packet(MonoTime(seq), ExtSeqNo(0x1_0000 + seq), RtpTimestamp(0));
        }
        let block = stats.report_block(MonoTime(0), Ssrc(1));
        assert_eq!((block.fraction_lost, block.cumulative_lost), (64, 25));
        assert_eq!(block.highest_sequence_number, 99);
        assert_eq!(stats.report_block(MonoTime(0), Ssrc(1)).fraction_lost, 0);
    }

    #[test]
    fn steady_packets_have_no_jitter_and_late_ones_have() {
        let mut stats = RxStats::new(ClockRate::OPUS, ExtSeqNo(0x1_0000));
        for n in 0..50u32 {
            let now = MonoTime::from_millis(u64::from(n) * 20);
            stats.on_packet(
                now,
                ExtSeqNo(0x1_0000 + u64::from(n)),
                RtpTimestamp(n * 960),
            );
        }
        assert_eq!(stats.report_block(MonoTime(0), Ssrc(1)).jitter, 0);
        for n in 50..200u32 {
            let late = if n % 2 == 0 { 10 } else { 0 };
            let now = MonoTime::from_millis(u64::from(n) * 20 + late);
            stats.on_packet(
                now,
                ExtSeqNo(0x1_0000 + u64::from(n)),
                RtpTimestamp(n * 960),
            );
        }
        let jitter = stats.report_block(MonoTime(0), Ssrc(1)).jitter;
        assert!((430..=480).contains(&jitter), "{jitter}");
    }

    #[test]
    fn the_delay_since_the_last_sender_report_is_in_65536ths() {
        let mut stats = RxStats::new(ClockRate::OPUS, ExtSeqNo(1));
        let info = SenderInfo {
            ssrc: Ssrc(1),
            ntp: NtpTime(0x1234_5678_9abc_def0),
            rtp_timestamp: RtpTimestamp(0),
            packet_count: 0,
            octet_count: 0,
        };
        stats.on_sender_report(MonoTime::from_millis(1_000), &info);
        let block = stats.report_block(MonoTime::from_millis(2_500), Ssrc(1));
        assert_eq!(block.last_sr, NtpShort(0x5678_9abc));
        assert_eq!(block.delay_since_last_sr, NtpShort(0x1_8000));
    }
}
