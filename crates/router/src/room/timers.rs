//! What is due: a tick every 50 ms while the room is alive, and the finer deadlines of repair and
//! arrival feedback.
//!
//! A quiet room has no deadline at all. Reports are spread over the ticks of a second, so that a room
//! of thousands does not send them in one turn.

use std::time::Duration;

use estrade_rtp::rtcp::Writer;
use estrade_types::{MonoTime, SeqNo};

use super::RoomRouter;
use super::cuts::CACHED_PKTS_PER_TICK;
use super::feedback::RTT_DEFAULT;
use super::reports::COMPOUND_BYTES_MAX;
use crate::Egress;

/// Between two looks at layers, slots and waiting legs.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// Ticks between two reports to one session: a second.
const REPORT_TICKS: u32 = 20;

/// Reports outside their turn in one tick; the rest wait for their turn.
const EARLY_MAX: usize = 256;

/// The room ticks on for this long after the last packet: longer than anything it times out.
const AFTERGLOW: Duration = Duration::from_secs(12);

/// The finest step of a repair timer.
const STEP: Duration = Duration::from_millis(10);

impl RoomRouter {
    /// When [`Self::on_timeout`] wants to be called; `None` while the room is quiet.
    pub fn next_deadline(&self) -> Option<MonoTime> {
        [self.next_tick, self.next_nack, self.next_arrivals]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due: feedback and reports, repeated requests, layers and slots that went quiet.
    pub fn on_timeout(&mut self, now: MonoTime, egress: &mut impl Egress) {
        if self.next_nack.is_some_and(|at| at <= now) {
            self.ask_for_lost(now, egress);
        }
        if self.next_arrivals.is_some_and(|at| at <= now) {
            self.feed_arrivals_back(now, egress);
        }
        if self.next_tick.is_some_and(|at| at <= now) {
            self.tick(now, egress);
        }
        self.settle(now, egress);
    }

    fn tick(&mut self, now: MonoTime, egress: &mut impl Egress) {
        self.ticks = self.ticks.wrapping_add(1);
        let is_alive = now.since(self.last_packet_at) < AFTERGLOW;
        self.next_tick = is_alive.then(|| now.plus(TICK));
        self.cached_pkts_left = CACHED_PKTS_PER_TICK;
        self.are_pictures_dirty |= std::mem::take(&mut self.are_pictures_stale);
        for at in 0..self.publishers.len() {
            if let Some(publisher) = self.publishers.get(at).copied() {
                self.tend_publisher(now, publisher, egress);
            }
        }
        self.is_audio_dirty |= self.audio.expire(now);
        self.is_audio_dirty |= self.is_ranking_stale(now);
        self.settle(now, egress);
        for _ in 0..EARLY_MAX {
            let Some(index) = self.early_reports.pop() else {
                break;
            };
            if let Some(session) = self.sessions.get_mut(index) {
                session.is_report_early = false;
            }
            self.report(now, index, egress);
        }
        let turn = self.ticks % REPORT_TICKS;
        for index in (turn..self.sessions.end()).step_by(crate::bits::at(REPORT_TICKS)) {
            self.report(now, index, egress);
        }
    }

    fn tend_publisher(&mut self, now: MonoTime, publisher: u32, egress: &mut impl Egress) {
        let Some(session) = self.sessions.get(publisher) else {
            return;
        };
        for index in session.sources.clone() {
            let Some(source) = self.sources.get_mut(index) else {
                continue;
            };
            self.are_pictures_dirty |= source.update_liveness(now);
            if source.is_active && !source.is_flowing(now) {
                self.set_active(index, false);
            }
            for key in self.keys_of(index) {
                self.tend_waiting(now, key, egress);
                let Some(layer) = self
                    .sources
                    .get_mut(index)
                    .and_then(|source| source.layer_mut(key.layer))
                else {
                    continue;
                };
                if layer.nack.take_gave_up() && !layer.attached.is_empty() {
                    layer.request_keyframe(now);
                }
                self.send_keyframe_request(now, key, egress);
            }
        }
    }

    /// Asks publishers for what is missing. RFC 4585 §6.2.1.
    fn ask_for_lost(&mut self, now: MonoTime, egress: &mut impl Egress) {
        let mut earliest: Option<MonoTime> = None;
        for publisher in &self.publishers {
            let Some(session) = self.sessions.get(*publisher) else {
                continue;
            };
            let rtt = session.rtt.unwrap_or(RTT_DEFAULT);
            for source in &session.sources {
                let Some(source) = self.sources.get_mut(*source) else {
                    continue;
                };
                for (_, layer) in source.layers_mut() {
                    let Some(ssrc) = layer.ssrc.filter(|_| !layer.nack.is_empty()) else {
                        continue;
                    };
                    let mut lost = arrayvec::ArrayVec::<SeqNo, 128>::new();
                    layer.nack.on_timeout(now, rtt, |seq| {
                        if !lost.is_full() {
                            lost.push(seq.wire());
                        }
                    });
                    if let Some(at) = layer.nack.next_deadline() {
                        earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
                    }
                    if lost.is_empty() || !session.is_connected {
                        continue;
                    }
                    let mut buf = [0; COMPOUND_BYTES_MAX];
                    let mut writer = Writer::new(&mut buf);
                    let count = u64::try_from(lost.len()).unwrap_or(0);
                    if writer.nack(session.feedback_ssrc, ssrc, lost).is_ok() {
                        egress.rtcp(session.slot, writer.written());
                        self.counters.nacks_sent += count;
                    }
                }
            }
        }
        self.next_nack = earliest.map(|at| at.max(now.plus(STEP)));
    }

    /// Tells publishers when their packets arrived.
    fn feed_arrivals_back(&mut self, now: MonoTime, egress: &mut impl Egress) {
        let mut earliest: Option<MonoTime> = None;
        for publisher in &self.publishers {
            let Some(session) = self.sessions.get_mut(*publisher) else {
                continue;
            };
            if session
                .arrivals
                .next_deadline()
                .is_some_and(|due| due <= now)
            {
                let media = session.binding.any_ssrc().unwrap_or(session.feedback_ssrc);
                let mut buf = [0; COMPOUND_BYTES_MAX];
                let mut writer = Writer::new(&mut buf);
                session
                    .arrivals
                    .write(now, session.feedback_ssrc, media, &mut writer);
                if !writer.is_empty() && session.is_connected {
                    egress.rtcp(session.slot, writer.written());
                }
            }
            if let Some(at) = session.arrivals.next_deadline() {
                earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
            }
        }
        self.next_arrivals = earliest.map(|at| at.max(now.plus(Duration::from_millis(1))));
    }

    /// Lets a leg's session have its reports with the next tick.
    pub(super) fn report_early(&mut self, leg: u32) {
        let Some(session) = self.legs.get(leg).map(|leg| leg.session) else {
            return;
        };
        if let Some(found) = self.sessions.get_mut(session)
            && !found.is_report_early
        {
            found.is_report_early = true;
            self.early_reports.push(session);
        }
    }
}
