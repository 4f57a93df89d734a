//! Legs come and go on layers: attaching, waiting, and the cut itself. `product.md` §3.2.
//!
//! Driven by the room's decisions ([`super::pictures`], [`super::sound`]) and by completed keyframes.
//! A cut keeps the old picture until the new source's keyframe is complete in the ring, then switches
//! with a burst from it. However many legs wait for a layer, its publisher hears one request.

use std::time::Duration;

use estrade_rtp::rtcp::Writer;
use estrade_types::{DropReason, MediaKind, MonoTime, SlotId, Ssrc};

use super::RoomRouter;
use crate::Egress;
use crate::leg::{LayerKey, Shown, Wait, WaitStage};

/// A leg that waited this long for the layer it wants takes a lower one.
const LOWER_AFTER: Duration = Duration::from_secs(1);

/// A cut that took this long is given up.
const ABANDON_AFTER: Duration = Duration::from_secs(2);

/// A held keyframe with more packets after it than this is not worth the burst.
const CACHED_PKTS_MAX: u64 = 120;

/// Nor is one that is older.
const CACHED_AGE_MAX: Duration = Duration::from_secs(2);

/// Bursts from the cache between two ticks, in packets: for more legs one fresh keyframe is cheaper.
pub(super) const CACHED_PKTS_PER_TICK: u64 = 4_000;

/// A keyframe that has been arriving for longer than this has lost a packet for good.
const ARRIVING_MAX: Duration = Duration::from_millis(400);

/// Between requests while nobody waits eagerly.
const QUIET_RETRY: Duration = Duration::from_secs(3);

impl RoomRouter {
    /// Points a video leg at a source. What it shows stays until the cut, unless it may not.
    pub(super) fn aim(
        &mut self,
        now: MonoTime,
        index: u32,
        want: Option<u32>,
        egress: &mut impl Egress,
    ) {
        let Some(leg) = self.legs.get_mut(index) else {
            return;
        };
        leg.want = want;
        let (current, participant) = (leg.current, leg.participant);
        let cap = leg.layer_cap.unwrap_or(match leg.slot {
            SlotId::Thumbnail(_) => 0,
            SlotId::Main | SlotId::Second | SlotId::Audio(_) => u8::MAX,
        });
        let may_stay = want.is_some()
            && current.is_some_and(|key| {
                self.source(key)
                    .is_some_and(|source| source.is_permitted && source.participant != participant)
            });
        if !may_stay {
            self.detach(index);
        }
        let desired = want.and_then(|want| self.best_layer(want, cap, current));
        match desired {
            None => self.stop_waiting(index),
            Some(key) if may_stay && current == Some(key) => self.stop_waiting(index),
            Some(key) => self.wait_for(now, index, key, egress),
        }
    }

    /// The layer of a source that a leg, which shows `current`, should have.
    fn best_layer(&self, source: u32, cap: u8, current: Option<LayerKey>) -> Option<LayerKey> {
        let generation = self.sources.generation(source);
        let shown = current.filter(|key| (key.source, key.generation) == (source, generation));
        let shown = shown.map(|key| key.layer);
        let layer = self.sources.get(source)?.best_layer(cap, shown)?;
        Some(LayerKey {
            source,
            generation,
            layer,
        })
    }

    /// Lets a leg wait for a keyframe, or cuts at once if one is held.
    fn wait_for(&mut self, now: MonoTime, index: u32, key: LayerKey, egress: &mut impl Egress) {
        let codec = self.layer(key).and_then(|layer| layer.codec());
        let Some(leg) = self.legs.get_mut(index) else {
            return;
        };
        if leg.wait.is_some_and(|wait| wait.desired == key) {
            return;
        }
        if codec.is_some_and(|codec| !leg.takes(codec)) {
            let is_known = leg.mismatch.replace(key) == Some(key);
            if !is_known {
                self.counters.drops.count(DropReason::CodecMismatch);
            }
            self.stop_waiting(index);
            return;
        }
        self.stop_waiting(index);
        self.start_waiting(now, index, key, key, WaitStage::Eager, now);
        if self.has_cached_keyframe(now, key) {
            self.cut(now, index, key, egress);
        } else {
            self.want_keyframe(now, key, egress);
        }
    }

    fn start_waiting(
        &mut self,
        now: MonoTime,
        index: u32,
        key: LayerKey,
        desired: LayerKey,
        stage: WaitStage,
        since: MonoTime,
    ) {
        let Some(leg) = self.legs.get_mut(index) else {
            return;
        };
        leg.wait = Some(Wait {
            layer: key,
            desired,
            since,
            stage,
        });
        if let Some(layer) = self
            .sources
            .get_mut(key.source)
            .and_then(|source| source.layer_mut(key.layer))
        {
            layer.waiting.push(&mut self.legs, index);
            if stage != WaitStage::Quiet {
                layer.eager_until = now.plus(ABANDON_AFTER);
            }
        }
        self.tick_soon(now);
    }

    pub(super) fn stop_waiting(&mut self, index: u32) {
        let Some(wait) = self.legs.get_mut(index).and_then(|leg| leg.wait.take()) else {
            return;
        };
        if let Some(layer) = self
            .sources
            .get_mut(wait.layer.source)
            .and_then(|source| source.layer_mut(wait.layer.layer))
        {
            layer.waiting.remove(&mut self.legs, index);
        }
    }

    /// Takes a leg off its layer; its slot is blank, or silent.
    pub(super) fn detach(&mut self, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else {
            return;
        };
        leg.unmap();
        let Some(key) = leg.current.take() else {
            return;
        };
        if let Some(layer) = self
            .sources
            .get_mut(key.source)
            .and_then(|source| source.layer_mut(key.layer))
        {
            layer.attached.remove(&mut self.legs, index);
        }
        self.note_shown(index);
    }

    /// Puts a leg, which is on none, on a layer.
    pub(super) fn attach(&mut self, index: u32, key: LayerKey) {
        let Some(layer) = self
            .sources
            .get_mut(key.source)
            .and_then(|source| source.layer_mut(key.layer))
        else {
            return;
        };
        layer.attached.push(&mut self.legs, index);
        if let Some(leg) = self.legs.get_mut(index) {
            leg.current = Some(key);
            if !leg.has_reported {
                self.report_early(index);
            }
        }
        self.note_shown(index);
    }

    /// Whether a held keyframe, with all that came after it, can be sent at once.
    fn has_cached_keyframe(&self, now: MonoTime, key: LayerKey) -> bool {
        let budget = self.cached_pkts_left;
        let Some(held) = self.layer(key).and_then(|layer| layer.complete_keyframe()) else {
            return false;
        };
        held.is_contiguous
            && held.packets <= CACHED_PKTS_MAX.min(budget)
            && now.since(held.started_at) <= CACHED_AGE_MAX
    }

    /// Cuts a waiting leg to a layer whose newest keyframe is complete.
    fn cut(&mut self, now: MonoTime, index: u32, key: LayerKey, egress: &mut impl Egress) {
        let waited = self.legs.get(index).and_then(|leg| leg.wait);
        self.stop_waiting(index);
        self.detach(index);
        let burst = self.burst(now, index, key, egress);
        self.cached_pkts_left = self.cached_pkts_left.saturating_sub(burst);
        self.attach(index, key);
        if let Some(leg) = self.legs.get_mut(index) {
            leg.mismatch = None;
            leg.cuts += 1;
        }
        self.counters.cuts += 1;
        let desired = waited.map(|wait| wait.desired);
        if let Some(desired) = desired.filter(|desired| *desired != key) {
            // The lower layer came first: the one that was wanted is taken when it comes.
            self.start_waiting(now, index, desired, desired, WaitStage::Quiet, now);
            if self.has_cached_keyframe(now, desired) {
                self.cut(now, index, desired, egress);
            }
        }
    }

    /// Sends the newest keyframe and all after it to a leg. Returns the number of packets.
    fn burst(&mut self, now: MonoTime, index: u32, key: LayerKey, egress: &mut impl Egress) -> u64 {
        let Some(source) = self.sources.get(key.source) else {
            return 0;
        };
        let csrc = Ssrc(source.participant.0.get());
        let Some(layer) = source.layer(key.layer) else {
            return 0;
        };
        let (Some(held), Some(highest)) = (layer.complete_keyframe(), layer.highest()) else {
            return 0;
        };
        let Some(leg) = self.legs.get_mut(index) else {
            return 0;
        };
        let Some(first) = layer.packet(held.start) else {
            return 0;
        };
        let newest = layer
            .newest()
            .map_or(first.facts.timestamp, |(newest, _)| newest);
        leg.start_mapping(now, key, held.start, first.facts, newest);
        let mut sent = 0;
        for seq in held.start.0..=highest.0 {
            let seq = estrade_types::ExtSeqNo(seq);
            let Some(packet) = layer.packet(seq) else {
                continue; // Lost, and still asked for: its number stays free for it.
            };
            if leg.send(now, key, seq, &packet, csrc, egress) {
                sent += 1;
            }
        }
        self.counters.tx_rtp_packets += sent;
        sent
    }

    /// A layer's keyframe is complete: everybody who waits for it is cut over.
    pub(super) fn cut_waiting(&mut self, now: MonoTime, key: LayerKey, egress: &mut impl Egress) {
        let mut next = self.layer(key).and_then(|layer| layer.waiting.first());
        while let Some(index) = next {
            let Some(leg) = self.legs.get(index) else {
                return;
            };
            next = leg.links(crate::leg_list::Membership::Waiting).next();
            let codec = self.layer(key).and_then(|layer| layer.codec());
            if codec.is_some_and(|codec| leg.takes(codec)) {
                self.cut(now, index, key, egress);
            } else {
                self.counters.drops.count(DropReason::CodecMismatch);
                self.stop_waiting(index);
            }
        }
    }

    /// Another encoder feeds a layer from now on: the legs of a picture wait for its keyframe. What it
    /// sends before builds on pictures they never had.
    pub(super) fn recut(&mut self, now: MonoTime, key: LayerKey) {
        let is_video = self
            .layer(key)
            .is_some_and(|layer| layer.kind() == MediaKind::Video);
        while is_video && let Some(index) = self.layer(key).and_then(|layer| layer.attached.first())
        {
            self.detach(index);
            if self.legs.get(index).is_some_and(|leg| leg.wait.is_none()) {
                self.start_waiting(now, index, key, key, WaitStage::Eager, now);
            }
        }
    }

    /// Every leg leaves a layer: it is gone, or speaks another codec now.
    pub(super) fn evict(&mut self, key: LayerKey) {
        while let Some(index) = self.layer(key).and_then(|layer| layer.attached.first()) {
            self.detach(index);
        }
        while let Some(index) = self.layer(key).and_then(|layer| layer.waiting.first()) {
            self.stop_waiting(index);
        }
    }

    /// Somebody wants a layer's keyframe: asks the publisher if the throttle allows it now.
    pub(super) fn want_keyframe(&mut self, now: MonoTime, key: LayerKey, egress: &mut impl Egress) {
        let Some(layer) = self
            .sources
            .get_mut(key.source)
            .and_then(|source| source.layer_mut(key.layer))
        else {
            return;
        };
        let is_arriving = layer
            .keyframe_arriving_since()
            .is_some_and(|since| now.since(since) < ARRIVING_MAX);
        if !is_arriving {
            layer.request_keyframe(now);
        }
        self.send_keyframe_request(now, key, egress);
        self.tick_soon(now);
    }

    /// Sends what the throttle of a layer lets through.
    pub(super) fn send_keyframe_request(
        &mut self,
        now: MonoTime,
        key: LayerKey,
        egress: &mut impl Egress,
    ) {
        let Some(source) = self.sources.get_mut(key.source) else {
            return;
        };
        let Some(session) = self.sessions.get(source.session) else {
            return;
        };
        if !source.is_permitted || !session.is_connected {
            return;
        }
        let Some(layer) = source.layer_mut(key.layer) else {
            return;
        };
        let Some(ssrc) = layer.ssrc else {
            return;
        };
        if !layer.throttle.take_due(now) {
            return;
        }
        let mut buf = [0; 16];
        let mut writer = Writer::new(&mut buf);
        if writer.pli(session.feedback_ssrc, ssrc).is_ok() {
            egress.rtcp(session.slot, writer.written());
            self.counters.keyframe_requests_sent += 1;
        }
    }

    /// Repeats requests and gives up waiting, for one layer.
    pub(super) fn tend_waiting(&mut self, now: MonoTime, key: LayerKey, egress: &mut impl Egress) {
        let Some(layer) = self.layer(key) else {
            return;
        };
        if layer.waiting.is_empty() {
            return;
        }
        let is_eager = now < layer.eager_until;
        let retry = if is_eager {
            crate::keyframes::INTERVAL_MIN
        } else {
            QUIET_RETRY
        };
        let is_retry_due = layer
            .throttle
            .last_sent()
            .is_none_or(|at| now.since(at) >= retry);
        if is_retry_due && layer.is_live {
            self.want_keyframe(now, key, egress);
        }
        let mut next = self.layer(key).and_then(|layer| layer.waiting.first());
        while let Some(index) = next {
            let Some(leg) = self.legs.get(index) else {
                return;
            };
            next = leg.links(crate::leg_list::Membership::Waiting).next();
            if let Some(wait) = leg.wait {
                self.lose_patience(now, index, wait, egress);
            }
        }
    }

    fn lose_patience(&mut self, now: MonoTime, index: u32, wait: Wait, egress: &mut impl Egress) {
        let waited = now.since(wait.since);
        if wait.stage == WaitStage::Quiet {
            return;
        }
        if waited >= ABANDON_AFTER {
            self.counters.cuts_abandoned += 1;
            self.stop_waiting(index);
            let desired = wait.desired;
            self.start_waiting(now, index, desired, desired, WaitStage::Quiet, now);
            return;
        }
        if wait.stage == WaitStage::Eager && waited >= LOWER_AFTER {
            let current = self.legs.get(index).and_then(|leg| leg.current);
            let lower = wait
                .layer
                .layer
                .checked_sub(1)
                .and_then(|cap| self.best_layer(wait.layer.source, cap, current))
                .filter(|lower| lower.layer < wait.layer.layer && current != Some(*lower));
            if let Some(lower) = lower {
                self.stop_waiting(index);
                self.start_waiting(
                    now,
                    index,
                    lower,
                    wait.desired,
                    WaitStage::Lowered,
                    wait.since,
                );
                if self.has_cached_keyframe(now, lower) {
                    self.cut(now, index, lower, egress);
                } else {
                    self.want_keyframe(now, lower, egress);
                }
            }
        }
    }

    /// What a leg shows now.
    pub(super) fn shown(&self, index: u32) -> Shown {
        let key = self.legs.get(index)?.current?;
        let source = self.source(key)?;
        Some((source.participant, source.kind))
    }

    /// Queues what a leg shows, if its session wants to know.
    pub(super) fn note_shown(&mut self, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else {
            return;
        };
        let is_wanted = self
            .sessions
            .get(leg.session)
            .is_some_and(|session| session.tells_slots);
        if is_wanted && !leg.is_told_dirty {
            leg.is_told_dirty = true;
            self.dirty_legs.push(index);
        }
    }
}
