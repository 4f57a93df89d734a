//! One room on this shard: its router, its detector, its director, and the wires between them.
//!
//! Levels of accepted audio go to the detector; its verdict to the director, the router and
//! control; what the router says of sources to the director and control; the director's decision to
//! the router, which cuts. [`Room::settle`] runs these wires until nothing moves; it is called
//! after every input.
//!
//! *Invariant*: whoever is muted or has no seat is no candidate of the detector, from before the
//! command that said so is acknowledged.

use std::collections::HashMap;
use std::time::Duration;

use arrayvec::ArrayVec;
use estrade_router::{Egress, RoomRouter, RouterConfig, RouterEvent, RouterSession};
use estrade_speaker::{
    AnyDetector, Decision, Detector, Director, DirectorSettings, Mute, SpeakerEvent,
};
use estrade_types::limits::STAGE_MAX;
use estrade_types::{
    MediaRoomSettings, MonoTime, ParticipantKey, Permits, RoomKey, ShardEvent, SourceKind,
    StageSeat,
};

use crate::outbox::Outbox;
use crate::random::KeyedHash;
use crate::table::Slot;
use crate::timers::Scheduled;

/// Shortest time between two notices of who speaks: a display cannot show more.
const SPEAKING_EVERY: Duration = Duration::from_millis(100);

/// Shortest time between two calls of a router's timeout, as it asks for.
const ROUTER_EVERY: Duration = Duration::from_millis(10);

/// How often the wires are run for one input. Two is the most any chain needs; the rest is margin
/// against a loop between two machines.
const SETTLE_ROUNDS_MAX: u8 = 8;

/// A participant as the media plane knows it.
#[derive(Debug)]
pub(super) struct Participant {
    /// Its place on the stage.
    pub(super) seat: Option<StageSeat>,
    /// What is taken from it.
    pub(super) permits: Permits,
    /// Its open sessions, most often one.
    pub(super) sessions: Vec<Slot>,
}

/// A room.
#[derive(Debug)]
pub(super) struct Room {
    /// Its name on this node.
    pub(super) key: RoomKey,
    /// Its settings.
    pub(super) settings: MediaRoomSettings,
    /// Its streams.
    pub(super) router: RoomRouter,
    /// Everybody in it.
    pub(super) participants: HashMap<ParticipantKey, Participant, KeyedHash>,
    /// Its entry among the timers.
    pub(super) scheduled: Scheduled,
    detector: AnyDetector,
    director: Director,
    seated: usize,
    router_ran_at: Option<MonoTime>,
    speaking: SpeakingNotice,
    order_is_stale: bool,
    recent: ArrayVec<ParticipantKey, 32>,
    fallback: ArrayVec<ParticipantKey, 16>,
    /// Changes of the active speaker, to somebody.
    pub(super) switches: u64,
}

/// Whether control is owed a notice of who speaks, and from when it may be given.
#[derive(Clone, Copy, Debug, Default)]
struct SpeakingNotice {
    is_owed: bool,
    not_before: MonoTime,
}

impl Room {
    /// A room without anybody.
    pub(super) fn new(
        now: MonoTime,
        key: RoomKey,
        settings: MediaRoomSettings,
        router: RouterConfig,
        hash: KeyedHash,
    ) -> Self {
        Self {
            key,
            settings,
            router: RoomRouter::new(router, now),
            participants: HashMap::with_hasher(hash),
            scheduled: Scheduled::default(),
            detector: AnyDetector::new(settings.speaker_rule, STAGE_MAX),
            director: Director::new(STAGE_MAX, director_settings(&settings)),
            seated: 0,
            router_ran_at: None,
            speaking: SpeakingNotice::default(),
            order_is_stale: false,
            recent: ArrayVec::new(),
            fallback: ArrayVec::new(),
            switches: 0,
        }
    }

    /// Takes other settings, in force at once. Another detector starts without history.
    pub(super) fn set_settings(&mut self, now: MonoTime, settings: MediaRoomSettings) {
        let has_other_rule = settings.speaker_rule != self.settings.speaker_rule;
        self.settings = settings;
        self.router.set_audio_slots(now, settings.audio_slots);
        self.director
            .set_settings(now, director_settings(&settings));
        if has_other_rule {
            self.detector = AnyDetector::new(settings.speaker_rule, STAGE_MAX);
            // The new one will not take back what the old one told.
            self.speaking.is_owed = true;
            let mut seated: Vec<_> = self
                .participants
                .iter()
                .filter_map(|(key, p)| Some((p.seat?, *key, mute_of(p.permits))))
                .collect();
            seated.sort_unstable_by_key(|(seat, key, _)| (*seat, *key));
            for (_, key, mute) in seated {
                self.detector.add(now, key);
                self.detector.set_mute(now, key, mute);
            }
        }
    }

    /// Whether another seat would be one too many.
    pub(super) fn stage_is_full_for(&self, who: ParticipantKey) -> bool {
        let is_seated = self
            .participants
            .get(&who)
            .is_some_and(|p| p.seat.is_some());
        !is_seated && self.seated >= STAGE_MAX
    }

    /// Adds a participant, or changes its seat and permits; in force when this returns.
    pub(super) fn set_participant(
        &mut self,
        now: MonoTime,
        who: ParticipantKey,
        seat: Option<StageSeat>,
        permits: Permits,
    ) {
        let participant = self.participants.entry(who).or_insert(Participant {
            seat: None,
            permits: Permits::NONE,
            sessions: Vec::new(),
        });
        let was_seated = participant.seat.is_some();
        participant.seat = seat;
        participant.permits = permits;
        self.router.set_participant(now, who, permits);
        if seat.is_some() {
            self.detector.add(now, who);
            self.detector.set_mute(now, who, mute_of(permits));
        } else if was_seated {
            self.detector.remove(now, who);
        }
        self.seated = self.seated + usize::from(seat.is_some()) - usize::from(was_seated);
        self.director.on_seat(now, who, seat);
        if seat.is_some() && !was_seated {
            // What it called active before, the router will not call so again.
            for source in [SourceKind::Camera, SourceKind::Screen] {
                let stats = self.router.source_stats(now, who, source);
                if stats.is_some_and(|stats| stats.is_active) {
                    self.director.on_video(now, who, source, true);
                }
            }
        }
        self.order_is_stale = true;
    }

    /// Forgets a participant whose sessions are closed.
    pub(super) fn remove_participant(&mut self, now: MonoTime, who: ParticipantKey) {
        let Some(participant) = self.participants.remove(&who) else {
            return;
        };
        if participant.seat.is_some() {
            self.seated -= 1;
            self.detector.remove(now, who);
        }
        self.director.on_seat(now, who, None);
        self.router.remove_participant(now, who);
        self.order_is_stale = true;
    }

    /// Restricts the programme. `false` when there are too many; nothing was changed then.
    pub(super) fn set_spotlight(&mut self, now: MonoTime, whom: &[ParticipantKey]) -> bool {
        self.order_is_stale = true;
        self.director.set_spotlight(now, whom).is_ok()
    }

    /// Takes one plain RTP packet of a session.
    pub(super) fn on_rtp(
        &mut self,
        now: MonoTime,
        from: RouterSession,
        packet: &[u8],
        legs: &mut impl Egress,
        outbox: &mut Outbox,
    ) {
        match self.router.on_rtp(now, from, packet, legs) {
            Ok(Some(taken)) => match taken.audio {
                Some(audio) if !taken.is_retransmission => self.detector.on_level(
                    now,
                    taken.participant,
                    audio.level,
                    taken.timestamp,
                    Some(audio.ptime),
                ),
                Some(_) => {}
                None => self
                    .director
                    .on_picture(now, taken.participant, taken.source),
            },
            Ok(None) => {}
            Err(refused) => {
                if let Some(muted) = refused.muted {
                    // Only for the hint: the detector knows that it is muted.
                    let (who, level) = (muted.participant, muted.level);
                    self.detector
                        .on_level(now, who, level, muted.timestamp, None);
                }
            }
        }
        self.settle(now, legs, outbox);
    }

    /// Does what is due.
    pub(super) fn on_timeout(
        &mut self,
        now: MonoTime,
        legs: &mut impl Egress,
        outbox: &mut Outbox,
    ) {
        if self.router_deadline().is_some_and(|due| due <= now) {
            self.router_ran_at = Some(now);
            self.router.on_timeout(now, legs);
        }
        if self.detector.next_deadline().is_some_and(|due| due <= now) {
            self.detector.on_timeout(now);
        }
        if self.director.next_deadline().is_some_and(|due| due <= now) {
            self.director.on_timeout(now);
        }
        self.settle(now, legs, outbox);
    }

    /// When [`Self::on_timeout`] is wanted next.
    pub(super) fn next_deadline(&self) -> Option<MonoTime> {
        let notice = self.speaking.is_owed.then_some(self.speaking.not_before);
        [
            self.router_deadline(),
            self.detector.next_deadline(),
            self.director.next_deadline(),
            notice,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Runs the wires until nothing moves.
    pub(super) fn settle(&mut self, now: MonoTime, legs: &mut impl Egress, outbox: &mut Outbox) {
        for _ in 0..SETTLE_ROUNDS_MAX {
            let mut is_quiet = true;
            while let Some(event) = self.router.poll_event() {
                is_quiet = false;
                self.on_router_event(now, event, outbox);
            }
            while let Some(event) = self.detector.poll() {
                is_quiet = false;
                self.on_speaker_event(now, event, outbox);
            }
            while let Some(decision) = self.director.poll() {
                is_quiet = false;
                self.on_decision(now, decision, legs, outbox);
            }
            if self.order_is_stale {
                is_quiet = false;
                self.order_is_stale = false;
                self.refresh_order(now, legs);
            }
            if is_quiet {
                break;
            }
        }
        if self.speaking.is_owed && now >= self.speaking.not_before {
            self.speaking = SpeakingNotice {
                is_owed: false,
                not_before: now.plus(SPEAKING_EVERY),
            };
            outbox.push(ShardEvent::Speaking {
                room: self.key,
                speaking: self.detector.speaking().to_vec(),
            });
        }
    }

    fn on_router_event(&mut self, now: MonoTime, event: RouterEvent, outbox: &mut Outbox) {
        match event {
            RouterEvent::Slot {
                session,
                slot,
                source,
            } => outbox.push(ShardEvent::Slot {
                session,
                room: self.key,
                slot,
                source,
            }),
            RouterEvent::SourceActive {
                participant,
                source,
                is_active,
            } => {
                if source != SourceKind::Microphone {
                    self.director.on_video(now, participant, source, is_active);
                    self.order_is_stale = true;
                }
                outbox.push(ShardEvent::SourceActive {
                    room: self.key,
                    participant,
                    source,
                    is_active,
                });
            }
            _ => {}
        }
    }

    fn on_speaker_event(&mut self, now: MonoTime, event: SpeakerEvent, outbox: &mut Outbox) {
        let room = self.key;
        match event {
            SpeakerEvent::Active { participant, at } => {
                self.switches += u64::from(participant.is_some());
                self.router.set_active_speaker(now, participant);
                self.director.on_active_speaker(now, participant);
                self.order_is_stale = true;
                outbox.push(ShardEvent::ActiveSpeaker {
                    room,
                    participant,
                    at,
                });
            }
            SpeakerEvent::Speaking { .. } => self.speaking.is_owed = true,
            SpeakerEvent::SpeakingWhileMuted { participant, .. } => {
                outbox.push(ShardEvent::SpeakingWhileMuted { room, participant });
            }
            // The router asks for a keyframe at the cut; nothing of ours is worth warming up.
            SpeakerEvent::Hint { .. } => {}
        }
    }

    fn on_decision(
        &mut self,
        now: MonoTime,
        decision: Decision,
        legs: &mut impl Egress,
        outbox: &mut Outbox,
    ) {
        let Decision {
            programme, second, ..
        } = decision;
        self.router.set_programme(now, programme, second, legs);
        self.order_is_stale = true;
        outbox.push(ShardEvent::Programme {
            room: self.key,
            source: programme,
            reason: decision.reason,
            at: decision.at,
        });
    }

    /// Tells the router who stands in for a viewer's own picture, and whom thumbnails show: recent
    /// speakers, then whoever else has a picture.
    fn refresh_order(&mut self, now: MonoTime, legs: &mut impl Egress) {
        let fallback: ArrayVec<_, 16> = self.director.fallbacks().take(16).collect();
        let mut recent = ArrayVec::<_, 32>::new();
        let speakers = self.director.recent().iter().copied();
        for who in speakers.chain(fallback.iter().copied()) {
            if !recent.contains(&who) && recent.try_push(who).is_err() {
                break;
            }
        }
        if fallback != self.fallback {
            self.router.set_fallback(now, &fallback, legs);
            self.fallback = fallback;
        }
        if recent != self.recent {
            self.router.set_recent(now, &recent, legs);
            self.recent = recent;
        }
    }

    fn router_deadline(&self) -> Option<MonoTime> {
        let due = self.router.next_deadline()?;
        let earliest = self.router_ran_at.map(|at| at.plus(ROUTER_EVERY));
        Some(earliest.map_or(due, |earliest| due.max(earliest)))
    }
}

const fn mute_of(permits: Permits) -> Mute {
    if permits.microphone {
        Mute::Unmuted
    } else {
        Mute::Muted
    }
}

fn director_settings(settings: &MediaRoomSettings) -> DirectorSettings {
    DirectorSettings {
        switch_policy: settings.switch_policy,
        no_video_policy: settings.no_video_policy,
        min_dwell: settings.min_dwell,
        ..DirectorSettings::default()
    }
}
