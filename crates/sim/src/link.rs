//! One direction of a path: delay, jitter, loss, reordering, duplication, a rate with a tail-drop
//! queue, and an MTU.
//!
//! Driven by the world, one call for each datagram, with numbers from the link's own random
//! streams: one for each kind of traffic, so that what happens to the n-th audio packet depends
//! neither on other links nor on how many checks and reports were sent meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use estrade_rtp::DatagramKind;
use estrade_types::{Bitrate, DataSize, MonoTime, SeqNo, Ssrc};

use crate::SimRandom;

/// How datagrams get lost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// None does.
    #[default]
    None,
    /// Each with this probability.
    Random(f64),
    /// Whole bursts: in the bad state everything is lost. Gilbert's model, in time.
    Bursts {
        /// Probability of entering the bad state, for each millisecond.
        enter: f64,
        /// Probability of leaving it, for each millisecond.
        leave: f64,
    },
}

/// What one direction of a path is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// Time on the way.
    pub delay: Duration,
    /// Up to this much more, at random; keeps the order.
    pub jitter: Duration,
    /// Loss on the way, behind the queue.
    pub loss: Loss,
    /// Probability that a datagram is held back by `reorder_delay`, so that later ones overtake it.
    pub reorder: f64,
    /// How long such a datagram is held back.
    pub reorder_delay: Duration,
    /// Probability that a datagram arrives twice.
    pub duplicate: f64,
    /// How much goes through; `None` for no limit.
    pub rate: Option<Bitrate>,
    /// How much waits for its turn when there is a rate; more is dropped.
    pub queue: DataSize,
    /// The largest datagram that passes, UDP payload.
    pub mtu: usize,
}

impl Default for LinkConfig {
    /// A perfect path of 10 ms.
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: Loss::None,
            reorder: 0.0,
            reorder_delay: Duration::from_millis(15),
            duplicate: 0.0,
            rate: None,
            queue: DataSize::from_bytes(128 * 1024),
            mtu: 1472,
        }
    }
}

impl LinkConfig {
    /// A path of this delay with this much random loss, a fifth as much reordering, and as much
    /// duplication.
    pub fn rough(delay: Duration, loss: f64) -> Self {
        Self {
            delay,
            jitter: delay / 4,
            loss: Loss::Random(loss),
            reorder: loss / 5.0,
            duplicate: loss / 5.0,
            ..Self::default()
        }
    }
}

/// What became of the datagrams given to a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Given to it.
    pub sent: u64,
    /// Bytes given to it.
    pub sent_bytes: u64,
    /// Lost on the way.
    pub lost: u64,
    /// Dropped at the tail of the queue.
    pub overflowed: u64,
    /// Longer than the MTU.
    pub too_long: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Held back behind later ones.
    pub reordered: u64,
}

/// One direction of a path.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) config: LinkConfig,
    pub(crate) counters: LinkCounters,
    /// Every RTP packet that did not get through, by the header in clear.
    pub(crate) lost_rtp: BTreeSet<(Ssrc, u16)>,
    seed: u64,
    streams: BTreeMap<u8, SimRandom>,
    is_in_burst: bool,
    /// The millisecond up to which the burst's state is known.
    burst_ms: u64,
    /// When the sender's last bit of everything accepted so far is on the line.
    line_free_at: MonoTime,
    /// Arrival of the latest datagram that kept its order.
    last_arrival: MonoTime,
}

impl Link {
    pub(crate) fn new(config: LinkConfig, seed: u64) -> Self {
        Self {
            config,
            counters: LinkCounters::default(),
            lost_rtp: BTreeSet::new(),
            seed,
            streams: BTreeMap::new(),
            is_in_burst: false,
            burst_ms: 0,
            line_free_at: MonoTime::ZERO,
            last_arrival: MonoTime::ZERO,
        }
    }

    /// Changes what the path is like; its random streams start anew, so that what follows does not
    /// depend on how many datagrams went before.
    pub(crate) fn reconfigure(&mut self, now: MonoTime, config: LinkConfig, seed: u64) {
        self.config = config;
        self.seed = seed;
        self.streams.clear();
        self.is_in_burst = false;
        self.burst_ms = now.as_millis();
    }

    /// Carries one datagram: when it arrives, and when a second time.
    pub(crate) fn carry(&mut self, now: MonoTime, datagram: &[u8]) -> [Option<MonoTime>; 2] {
        self.counters.sent += 1;
        self.counters.sent_bytes += datagram.len() as u64;
        self.move_burst(now);
        // All dice are thrown for each datagram, so that one outcome does not shift the others.
        let (config, is_in_burst) = (self.config, self.is_in_burst);
        let random = self.stream(traffic_of(datagram));
        let is_lost = match config.loss {
            Loss::Random(probability) => random.chance(probability),
            Loss::None | Loss::Bursts { .. } => is_in_burst,
        };
        let is_late = random.chance(config.reorder);
        let is_double = random.chance(config.duplicate);
        let jitter = random.up_to(config.jitter);
        let leaves = match self.enqueue(now, datagram.len()) {
            Some(leaves) if !is_lost => leaves,
            leaves => {
                self.counters.lost += u64::from(leaves.is_some());
                self.note_lost(datagram);
                return [None, None];
            }
        };
        let mut arrives = leaves.plus(self.config.delay).plus(jitter);
        if is_late {
            self.counters.reordered += 1;
            arrives = arrives.plus(self.config.reorder_delay);
        } else {
            arrives = arrives.max(self.last_arrival);
            self.last_arrival = arrives;
        }
        self.counters.duplicated += u64::from(is_double);
        let again = arrives.plus(Duration::from_millis(1));
        [Some(arrives), is_double.then_some(again)]
    }

    /// Notes a datagram that a filter took off the path.
    pub(crate) fn note_filtered(&mut self, datagram: &[u8]) {
        self.counters.sent += 1;
        self.counters.lost += 1;
        self.note_lost(datagram);
    }

    /// When a datagram is wholly on the line; `None` when it is too long or the queue is full.
    fn enqueue(&mut self, now: MonoTime, len: usize) -> Option<MonoTime> {
        if len > self.config.mtu {
            self.counters.too_long += 1;
            return None;
        }
        let Some(rate) = self.config.rate else {
            return Some(now);
        };
        let waiting = rate.over(self.line_free_at.since(now)).as_bytes();
        let len = len as u64;
        if waiting + len > self.config.queue.as_bytes() {
            self.counters.overflowed += 1;
            return None;
        }
        let line_ns = (len * 8).saturating_mul(1_000_000_000) / rate.as_bps().max(1);
        let starts = self.line_free_at.max(now);
        self.line_free_at = starts.plus(Duration::from_nanos(line_ns));
        Some(self.line_free_at)
    }

    /// Brings the burst's state up to now.
    fn move_burst(&mut self, now: MonoTime) {
        let Loss::Bursts { enter, leave } = self.config.loss else {
            return;
        };
        while self.burst_ms < now.as_millis() {
            self.burst_ms += 1;
            let turns = if self.is_in_burst { leave } else { enter };
            self.is_in_burst ^= self.stream(BURSTS).chance(turns);
        }
    }

    fn stream(&mut self, traffic: u8) -> &mut SimRandom {
        let seed = self.seed;
        self.streams
            .entry(traffic)
            .or_insert_with(|| SimRandom::derive(seed, u64::from(traffic)))
    }

    fn note_lost(&mut self, datagram: &[u8]) {
        // The RTP header is in clear under SRTP.
        if DatagramKind::of(datagram) == Some(DatagramKind::Rtp)
            && let Some(&[_, _, s0, s1, _, _, _, _, a, b, c, d]) = datagram.first_chunk()
        {
            let seq = SeqNo(u16::from_be_bytes([s0, s1]));
            self.lost_rtp
                .insert((Ssrc(u32::from_be_bytes([a, b, c, d])), seq.0));
        }
    }
}

/// The stream of the bursts' own dice.
const BURSTS: u8 = 255;

/// Which stream throws for a datagram: one for each payload type, one for each other protocol.
fn traffic_of(datagram: &[u8]) -> u8 {
    match (DatagramKind::of(datagram), datagram) {
        (Some(DatagramKind::Rtp), [_, second, ..]) => second & 0x7f,
        (Some(DatagramKind::Rtcp), _) => 128,
        (Some(DatagramKind::Dtls), _) => 129,
        (Some(DatagramKind::Stun), _) => 130,
        _ => 131,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(config: LinkConfig) -> Link {
        Link::new(config, 1)
    }

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_millis(ms)
    }

    #[test]
    fn a_perfect_path_only_delays() {
        let mut link = link(LinkConfig::default());
        assert_eq!(link.carry(at(5), &[0; 100]), [Some(at(15)), None]);
    }

    #[test]
    fn a_rate_spaces_datagrams_and_its_queue_drops_at_the_tail() {
        let mut link = link(LinkConfig {
            rate: Some(Bitrate::from_kbps(800)),
            queue: DataSize::from_bytes(250),
            ..LinkConfig::default()
        });
        // 100 bytes take 1 ms.
        assert_eq!(link.carry(at(0), &[0; 100]), [Some(at(11)), None]);
        assert_eq!(link.carry(at(0), &[0; 100]), [Some(at(12)), None]);
        assert_eq!(link.carry(at(0), &[0; 100]), [None, None]);
        assert_eq!(link.carry(at(1), &[0; 100]), [Some(at(13)), None]);
        assert_eq!(link.counters.overflowed, 1);
    }

    #[test]
    fn a_datagram_above_the_mtu_is_dropped() {
        let mut link = link(LinkConfig::default());
        assert_eq!(link.carry(at(0), &[0; 1473]), [None, None]);
        assert_eq!(link.counters.too_long, 1);
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let mut steady = link(LinkConfig {
            jitter: Duration::from_millis(30),
            ..LinkConfig::default()
        });
        let arrivals: Vec<_> = (0..100)
            .filter_map(|ms| steady.carry(at(ms), &[0])[0])
            .collect();
        assert_eq!(arrivals.len(), 100);
        assert!(arrivals.is_sorted());
        let mut shuffled = link(LinkConfig {
            reorder: 0.2,
            ..LinkConfig::default()
        });
        let arrivals: Vec<_> = (0..100)
            .filter_map(|ms| shuffled.carry(at(ms), &[0])[0])
            .collect();
        assert!(!arrivals.is_sorted());
        assert_eq!(arrivals.len(), 100);
    }

    #[test]
    fn bursts_lose_neighbours() {
        let mut link = link(LinkConfig {
            loss: Loss::Bursts {
                enter: 0.02,
                leave: 0.2,
            },
            ..LinkConfig::default()
        });
        let fates: Vec<_> = (0..5_000)
            .map(|ms| link.carry(at(ms), &[0])[0].is_some())
            .collect();
        let lost = fates.iter().filter(|arrived| !**arrived).count();
        let bursts = fates.windows(2).filter(|pair| pair[0] && !pair[1]).count();
        assert!((200..900).contains(&lost), "{lost}");
        assert!(lost > bursts * 3, "{lost} in {bursts} bursts");
    }

    #[test]
    fn other_traffic_does_not_change_what_is_lost() {
        let audio = [0x80, 111, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let fates = |with_checks: bool| -> Vec<bool> {
            let mut link = link(LinkConfig::rough(Duration::from_millis(20), 0.2));
            let mut carry = |ms| {
                if with_checks {
                    link.carry(at(ms), &[0, 1, 0, 0]);
                }
                link.carry(at(ms), &audio)[0].is_some()
            };
            (0..200).map(&mut carry).collect()
        };
        assert_eq!(fates(false), fates(true));
    }

    #[test]
    fn lost_rtp_is_remembered_by_its_header() {
        let mut link = link(LinkConfig {
            loss: Loss::Random(1.0),
            ..LinkConfig::default()
        });
        link.carry(at(0), &[0x80, 96, 1, 2, 0, 0, 0, 0, 0, 0, 0, 9, 7]);
        link.carry(at(0), &[0x80, 200, 1, 2, 0, 0, 0, 0, 0, 0, 0, 9, 7]);
        assert_eq!(
            link.lost_rtp.iter().collect::<Vec<_>>(),
            [&(Ssrc(9), 0x0102)]
        );
    }
}
