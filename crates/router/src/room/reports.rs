//! Sender and receiver reports of one session, about once a second. RFC 3550 §6.4, §6.5.1.
//!
//! Driven by the tick; a session's streams share one compound as far as it fits, with the canonical
//! name once. Departs from RFC 3550 §6.3: the interval is fixed, because every endpoint is a unicast
//! peer and the cost is known (about 100 bytes a second).

use arrayvec::ArrayVec;
use estrade_rtp::rtcp::{ReportBlock, SenderInfo, Writer};
use estrade_types::{MonoTime, RtpTimestamp, limits};

use super::RoomRouter;
use crate::Egress;
use crate::bits::{low32, ticks, ticks_of};
use crate::leg::Leg;
use crate::source::Layer;

/// Bytes of a compound: leaves room for what SRTCP adds, on any path.
pub(super) const COMPOUND_BYTES_MAX: usize = 1_200;

/// A stream that sent nothing for this long is not reported on.
const IDLE: std::time::Duration = std::time::Duration::from_secs(5);

/// Report blocks of one session: every section with every encoding.
const BLOCKS_MAX: usize = limits::RX_SECTIONS_MAX * limits::ENCODINGS_MAX;

/// A publisher's clock that differs from its packets by more than this is not believed.
const CLOCK_ERROR_MAX: std::time::Duration = std::time::Duration::from_secs(5);

type Blocks = ArrayVec<ReportBlock, BLOCKS_MAX>;

impl RoomRouter {
    /// Sends a session its reports: on what we sent it, and on what we received from it.
    pub(super) fn report(&mut self, now: MonoTime, index: u32, egress: &mut impl Egress) {
        let Some(session) = self.sessions.get(index).filter(|s| s.is_connected) else {
            return;
        };
        let (slot, feedback_ssrc) = (session.slot, session.feedback_ssrc);
        let (legs, is_publisher) = (session.legs.clone(), session.is_publisher);
        let mut blocks = if is_publisher {
            self.report_blocks(now, index)
        } else {
            Blocks::new()
        };
        let mut buf = [0; COMPOUND_BYTES_MAX];
        let mut writer = Writer::new(&mut buf);
        let mut reporter = None;
        for leg in legs {
            let Some(info) = self.sender_info(now, leg) else {
                continue;
            };
            if writer.sender_report(&info, &blocks).is_err() {
                break; // The rest has its turn in a second.
            }
            blocks.clear();
            reporter.get_or_insert(info.ssrc);
            if let Some(leg) = self.legs.get_mut(leg) {
                leg.has_reported = true;
            }
        }
        if reporter.is_none() && !blocks.is_empty() {
            // Fits: twelve blocks are 296 bytes.
            let is_written = writer.receiver_report(feedback_ssrc, &blocks).is_ok();
            reporter = is_written.then_some(feedback_ssrc);
        }
        let Some(reporter) = reporter else {
            return;
        };
        let cname = name(&self.config.cname);
        // Without room for the name the compound is a reduced-size one. RFC 5506.
        if writer.sdes_cname(reporter, cname).is_ok() || !writer.is_empty() {
            egress.rtcp(slot, writer.written());
        }
    }

    fn report_blocks(&mut self, now: MonoTime, index: u32) -> Blocks {
        let mut blocks = Blocks::new();
        let Some(session) = self.sessions.get(index) else {
            return blocks;
        };
        for source in &session.sources {
            let Some(source) = self.sources.get_mut(*source) else {
                continue;
            };
            for (_, layer) in source.layers_mut() {
                let Some(ssrc) = layer.ssrc else {
                    continue;
                };
                if let Some(stats) = layer.stats_mut()
                    && !blocks.is_full()
                {
                    blocks.push(stats.report_block(now, ssrc));
                }
            }
        }
        blocks
    }

    /// What we say of a slot's stream; `None` if it is idle.
    fn sender_info(&self, now: MonoTime, index: u32) -> Option<SenderInfo> {
        let leg = self.legs.get(index)?;
        let (sent_at, sent) = leg.last_sent()?;
        if now.since(sent_at) > IDLE {
            return None;
        }
        let rtp_timestamp = self.timestamp_now(now, leg).unwrap_or_else(|| {
            let rate = match leg.slot.media_kind() {
                estrade_types::MediaKind::Audio => estrade_types::ClockRate::OPUS,
                estrade_types::MediaKind::Video => estrade_types::ClockRate::VIDEO,
            };
            RtpTimestamp(sent.0.wrapping_add(ticks_of(now.since(sent_at), rate)))
        });
        Some(SenderInfo {
            ssrc: leg.ssrc,
            ntp: self.config.wall_clock.at(now),
            rtp_timestamp,
            packet_count: low32(leg.packets),
            octet_count: low32(leg.bytes),
        })
    }

    /// The leg's timestamp of what its source captures now. All sources of a participant go by the
    /// same clock, so a receiver can play sound and picture together.
    fn timestamp_now(&self, now: MonoTime, leg: &Leg) -> Option<RtpTimestamp> {
        let key = leg.current?;
        let source = self.source(key)?;
        let layer = source.layer(key.layer)?;
        let session = self.sessions.get(source.session)?;
        let (newest, at) = layer.newest()?;
        let rate = layer.clock_rate();
        let by_arrival = newest.0.wrapping_add(ticks_of(now.since(at), rate));
        let by_clock = publisher_timestamp(now, layer, |ntp| session.local_ns(ntp));
        let error_max = ticks_of(CLOCK_ERROR_MAX, rate);
        let is_sane = |timestamp: &u32| {
            let error = timestamp.wrapping_sub(by_arrival).cast_signed();
            error.unsigned_abs() <= error_max
        };
        let timestamp = by_clock.filter(is_sane).unwrap_or(by_arrival);
        leg.out_timestamp(RtpTimestamp(timestamp))
    }
}

/// What the publisher's own sender report says its timestamp is now.
fn publisher_timestamp(
    now: MonoTime,
    layer: &Layer,
    local_ns: impl Fn(estrade_types::NtpTime) -> Option<u64>,
) -> Option<u32> {
    let clock = layer.stats()?.clock()?;
    let elapsed = now.0.wrapping_sub(local_ns(clock.ntp)?).cast_signed();
    let rate = layer.clock_rate();
    let moved = if elapsed >= 0 {
        ticks(elapsed.unsigned_abs(), rate)
    } else {
        ticks(elapsed.unsigned_abs(), rate).wrapping_neg()
    };
    let biased = clock.timestamp.0.wrapping_add(layer.timestamp_bias());
    Some(biased.wrapping_add(moved))
}

/// At most 32 bytes of the canonical name, whole characters.
fn name(cname: &str) -> &str {
    let mut len = cname.len().min(32);
    while !cname.is_char_boundary(len) {
        len -= 1;
    }
    cname.get(..len).unwrap_or_default()
}
