//! The router of one room: who is there, what they may, and the calls by which it is driven.
//!
//! The work is in the submodules: [`ingress`] takes packets, [`cuts`] moves legs, [`pictures`] and
//! [`sound`] say where to, [`feedback`] reads RTCP, [`reports`] writes it, [`timers`] does what is due.

mod cuts;

mod feedback;
mod ingress;
mod pictures;
mod reports;
mod session;
mod setup;
mod sound;
mod timers;
mod view;

use std::collections::{BTreeMap, VecDeque};

use estrade_types::{MonoTime, ParticipantKey, Permits, SlotId, SourceKind, WallClock};

use self::pictures::Pictures;
use self::session::Session;
pub use self::setup::{AddSession, RouterConfig, RouterError, RouterSession};
use self::sound::Ranked;
use crate::audio_slots::AudioSlots;
use crate::bits::Bits;
use crate::leg::{LayerKey, Leg};
use crate::slab::Slab;
use crate::source::{Layer, Source};
use crate::{Egress, LegAddress, RouterCounters, RouterEvent};

/// A participant's permits and sources.
#[derive(Debug, Default)]
struct Participant {
    permits: Permits,
    /// Every source of theirs, of all their sessions.
    sources: Vec<u32>,
    /// The source that is heard or seen of each kind: the newest session's that sends.
    published: [Option<u32>; 3],
}

/// The place of a kind in a participant's table.
const fn kind_index(kind: SourceKind) -> usize {
    match kind {
        SourceKind::Microphone => 0,
        SourceKind::Camera => 1,
        SourceKind::Screen => 2,
    }
}

const fn permits(permits: Permits, kind: SourceKind) -> bool {
    match kind {
        SourceKind::Microphone => permits.microphone,
        SourceKind::Camera => permits.camera,
        SourceKind::Screen => permits.screen,
    }
}

/// The media of one room on one shard.
#[derive(Debug)]
pub struct RoomRouter {
    config: RouterConfig,
    counters: RouterCounters,
    participants: BTreeMap<ParticipantKey, Participant>,
    sessions: Slab<Session>,
    sources: Slab<Source>,
    legs: Slab<Leg>,
    /// Sessions that ever sent something: the only ones whose streams have timers.
    publishers: Vec<u32>,
    pictures: Pictures,
    audio: AudioSlots,
    active_speaker: Option<ParticipantKey>,
    /// What sessions with fewer audio slots than the room hear in their last.
    ranked: Ranked,
    are_pictures_dirty: bool,
    /// They are dirty, but a publisher could make them so with every packet: looked at with the tick.
    are_pictures_stale: bool,
    is_audio_dirty: bool,
    dirty_legs: Vec<u32>,
    early_reports: Vec<u32>,
    events: VecDeque<RouterEvent>,
    sessions_opened: u64,
    cached_pkts_left: u64,
    next_tick: Option<MonoTime>,
    ticks: u32,
    next_nack: Option<MonoTime>,
    next_arrivals: Option<MonoTime>,
    last_packet_at: MonoTime,
}

impl RoomRouter {
    /// A router without anybody.
    pub fn new(config: RouterConfig, now: MonoTime) -> Self {
        let audio = AudioSlots::new(config.audio_slots);
        Self {
            config,
            counters: RouterCounters::default(),
            participants: BTreeMap::new(),
            sessions: Slab::new(),
            sources: Slab::new(),
            legs: Slab::new(),
            publishers: Vec::new(),
            pictures: Pictures::default(),
            audio,
            active_speaker: None,
            ranked: Ranked::default(),
            are_pictures_dirty: false,
            are_pictures_stale: false,
            is_audio_dirty: false,
            dirty_legs: Vec::new(),
            early_reports: Vec::new(),
            events: VecDeque::new(),
            sessions_opened: 0,
            cached_pkts_left: cuts::CACHED_PKTS_PER_TICK,
            next_tick: None,
            ticks: 0,
            next_nack: None,
            next_arrivals: None,
            last_packet_at: now,
        }
    }

    /// Changes the number of audio slots, 1 to 5; in force with the next packet or timeout.
    pub fn set_audio_slots(&mut self, now: MonoTime, audio_slots: u8) {
        self.config.audio_slots = audio_slots;
        self.audio.set_len(audio_slots);
        self.is_audio_dirty = true;
        self.tick_now(now);
    }

    /// Takes a fresh reading of both clocks.
    pub fn set_wall_clock(&mut self, wall_clock: WallClock) {
        self.config.wall_clock = wall_clock;
    }

    /// Adds a participant or changes its permits; in force for the next packet. A source whose permit
    /// is withdrawn leaves every slot at once; what takes its place follows with the next packet or
    /// timeout.
    pub fn set_participant(&mut self, now: MonoTime, who: ParticipantKey, new: Permits) {
        self.participants.entry(who).or_default().permits = new;
        self.apply_permits(now, who);
    }

    /// Forgets a participant. Its sessions must be removed by the caller too; until then nothing of
    /// theirs is taken.
    pub fn remove_participant(&mut self, now: MonoTime, who: ParticipantKey) {
        self.set_participant(now, who, Permits::NONE);
        self.participants.remove(&who);
        self.pictures.forget(who);
    }

    /// Adds a session's streams. Nothing is sent to it until [`Self::set_connected`].
    ///
    /// # Errors
    ///
    /// When the participant is unknown or the sections are refused.
    pub fn add_session(
        &mut self,
        now: MonoTime,
        add: AddSession<'_>,
    ) -> Result<RouterSession, RouterError> {
        if !self.participants.contains_key(&add.participant) {
            return Err(RouterError::UnknownParticipant);
        }
        session::check(add.rx, add.tx)?;
        self.sessions_opened += 1;
        let mut session = Session::new(
            add.session,
            add.slot,
            add.participant,
            self.sessions_opened,
            add.rx,
            add.tx,
        );
        session.tells_slots = add.tells_slots;
        let index = self.sessions.insert(session);
        let mut bits = Bits(add.seed);
        for media in add.rx {
            let encodings = media.rids.len().max(media.ssrcs.len()).max(1);
            let source = Source::new(
                index,
                add.participant,
                media.source,
                u8::try_from(encodings).unwrap_or(u8::MAX),
            );
            let source = self.sources.insert(source);
            if let Some(session) = self.sessions.get_mut(index) {
                session.sources.push(source);
            }
            if let Some(participant) = self.participants.get_mut(&add.participant) {
                participant.sources.push(source);
            }
        }
        let is_audio = |slot| matches!(slot, SlotId::Audio(_));
        let last_audio = add.tx.iter().map(|media| media.slot);
        let last_audio = last_audio.filter(|slot| is_audio(*slot)).max();
        for (stream, media) in (0..).zip(add.tx) {
            let address = LegAddress {
                session: add.slot,
                stream,
            };
            let mut leg = Leg::new(media, address, index, add.participant, &mut bits);
            leg.is_last = last_audio == Some(media.slot);
            let leg = self.legs.insert(leg);
            if let Some(session) = self.sessions.get_mut(index) {
                session.legs.push(leg);
            }
        }
        // Room for every leg to be told of and every session to be reported to, so that the media path
        // never has to make it.
        let legs = crate::bits::at(self.legs.end());
        self.dirty_legs
            .reserve(legs.saturating_sub(self.dirty_legs.len()));
        let sessions = crate::bits::at(self.sessions.end());
        self.early_reports
            .reserve(sessions.saturating_sub(self.early_reports.len()));
        self.publishers
            .reserve(sessions.saturating_sub(self.publishers.len()));
        self.apply_permits(now, add.participant);
        Ok(RouterSession {
            index,
            generation: self.sessions.generation(index),
        })
    }

    /// Tells that a session's transport can carry media (or no longer can). Until the first call with
    /// `true` nothing is sent to the session; then its slots start, video at a keyframe.
    pub fn set_connected(
        &mut self,
        now: MonoTime,
        session: RouterSession,
        is_connected: bool,
        egress: &mut impl Egress,
    ) {
        let Some(index) = self.index(session) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        session.is_connected = is_connected;
        for leg in session.legs.clone() {
            if let Some(leg) = self.legs.get_mut(leg) {
                leg.is_open = is_connected;
            }
            self.tune(leg);
        }
        self.aim_session(now, index, egress);
        self.settle(now, egress);
    }

    /// Removes a session: its sources leave every slot, its legs are gone.
    pub fn remove_session(&mut self, now: MonoTime, session: RouterSession) {
        let Some(index) = self.index(session) else {
            return;
        };
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        let (legs, sources) = (session.legs.clone(), session.sources.clone());
        let who = session.participant;
        for leg in legs {
            self.detach(leg);
            self.stop_waiting(leg);
            self.dirty_legs.retain(|dirty| *dirty != leg);
            self.legs.remove(leg);
        }
        for source in sources {
            self.withdraw(source);
            self.sources.remove(source);
            if let Some(participant) = self.participants.get_mut(&who) {
                participant.sources.retain(|theirs| *theirs != source);
            }
        }
        self.publishers.retain(|publisher| *publisher != index);
        self.early_reports.retain(|early| *early != index);
        self.sessions.remove(index);
        if self.are_pictures_dirty || self.is_audio_dirty {
            self.tick_now(now);
        }
    }

    /// Turns a session's video slots on or off.
    ///
    /// # Errors
    ///
    /// When the session is unknown.
    pub fn set_video_wanted(
        &mut self,
        now: MonoTime,
        session: RouterSession,
        wanted: bool,
        egress: &mut impl Egress,
    ) -> Result<(), RouterError> {
        self.session_mut(session)?.is_video_wanted = wanted;
        self.aim_session(now, session.index, egress);
        Ok(())
    }

    /// Fixes a session's main picture to a participant's camera while it is live; `None` to follow the
    /// programme again.
    ///
    /// # Errors
    ///
    /// When the session is unknown.
    pub fn set_pin(
        &mut self,
        now: MonoTime,
        session: RouterSession,
        participant: Option<ParticipantKey>,
        egress: &mut impl Egress,
    ) -> Result<(), RouterError> {
        self.session_mut(session)?.pin = participant;
        self.aim_session(now, session.index, egress);
        Ok(())
    }

    /// Caps the layer a slot takes: 0 for the lowest; `None` for the slot's own rule (thumbnails the
    /// lowest, others the best that is live).
    ///
    /// # Errors
    ///
    /// When the session is unknown.
    pub fn set_layer_cap(
        &mut self,
        now: MonoTime,
        session: RouterSession,
        slot: SlotId,
        cap: Option<u8>,
        egress: &mut impl Egress,
    ) -> Result<(), RouterError> {
        for index in self.session_mut(session)?.legs.clone() {
            if let Some(leg) = self.legs.get_mut(index).filter(|leg| leg.slot == slot) {
                leg.layer_cap = cap;
            }
        }
        self.aim_session(now, session.index, egress);
        Ok(())
    }

    /// Moves the programme: what main slots show, and (while a screen is shared) second slots. The
    /// cut of each leg follows as soon as the new source's keyframe is complete.
    pub fn set_programme(
        &mut self,
        now: MonoTime,
        main: Option<(ParticipantKey, SourceKind)>,
        second: Option<(ParticipantKey, SourceKind)>,
        egress: &mut impl Egress,
    ) {
        self.are_pictures_dirty |= self.pictures.set_programme(main, second);
        self.settle(now, egress);
    }

    /// The order in which a main slot falls back for the programme's own owner, after the previous
    /// programmes: host, co-hosts, longest on stage. Those beyond the first 16 are ignored.
    pub fn set_fallback(
        &mut self,
        now: MonoTime,
        order: &[ParticipantKey],
        egress: &mut impl Egress,
    ) {
        self.are_pictures_dirty |= self.pictures.set_fallback(order);
        self.settle(now, egress);
    }

    /// Whom thumbnails show: recent speakers, most recent first. Those beyond the first 32 are
    /// ignored.
    pub fn set_recent(
        &mut self,
        now: MonoTime,
        recent: &[ParticipantKey],
        egress: &mut impl Egress,
    ) {
        self.are_pictures_dirty |= self.pictures.set_recent(recent);
        self.settle(now, egress);
    }

    /// Who holds the floor: always heard, and what a receiver with a single audio slot hears first.
    pub fn set_active_speaker(&mut self, now: MonoTime, who: Option<ParticipantKey>) {
        self.active_speaker = who;
        self.let_active_in(now);
    }

    /// The next thing to tell; `None` when there is nothing more.
    pub fn poll_event(&mut self) -> Option<RouterEvent> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        while let Some(index) = self.dirty_legs.pop() {
            let source = self.shown(index);
            let Some(leg) = self.legs.get_mut(index) else {
                continue;
            };
            leg.is_told_dirty = false;
            if std::mem::replace(&mut leg.told, source) == source {
                continue;
            }
            let slot = leg.slot;
            let Some(session) = self.sessions.get(leg.session) else {
                continue;
            };
            return Some(RouterEvent::Slot {
                session: session.id,
                slot,
                source,
            });
        }
        None
    }

    fn index(&self, session: RouterSession) -> Option<u32> {
        let is_current = self.sessions.generation(session.index) == session.generation;
        (is_current && self.sessions.get(session.index).is_some()).then_some(session.index)
    }

    fn session_mut(&mut self, session: RouterSession) -> Result<&mut Session, RouterError> {
        let index = self.index(session).ok_or(RouterError::UnknownSession)?;
        self.sessions
            .get_mut(index)
            .ok_or(RouterError::UnknownSession)
    }

    fn source(&self, key: LayerKey) -> Option<&Source> {
        let is_current = self.sources.generation(key.source) == key.generation;
        self.sources.get(key.source).filter(|_| is_current)
    }

    fn layer(&self, key: LayerKey) -> Option<&Layer> {
        self.source(key)?.layer(key.layer)
    }

    fn layer_key(&self, source: u32, layer: u8) -> LayerKey {
        LayerKey {
            source,
            generation: self.sources.generation(source),
            layer,
        }
    }

    /// The source that is heard or seen of a participant.
    fn published(&self, who: ParticipantKey, kind: SourceKind) -> Option<u32> {
        let participant = self.participants.get(&who)?;
        participant
            .published
            .get(kind_index(kind))
            .copied()
            .flatten()
    }

    /// Brings a participant's sources in line with its permits.
    fn apply_permits(&mut self, now: MonoTime, who: ParticipantKey) {
        let Some(participant) = self.participants.get(&who) else {
            return;
        };
        let allowed = participant.permits;
        for at in 0..participant.sources.len() {
            let index = self
                .participants
                .get(&who)
                .and_then(|participant| participant.sources.get(at).copied());
            let Some(index) = index else {
                return;
            };
            let Some(source) = self.sources.get_mut(index) else {
                continue;
            };
            let is_permitted = permits(allowed, source.kind);
            if source.is_permitted && !is_permitted {
                self.withdraw(index);
                self.tick_now(now);
            } else {
                source.is_permitted = is_permitted;
            }
        }
    }

    /// Takes a source off every slot and frees what it holds; nothing of it is taken any more.
    fn withdraw(&mut self, index: u32) {
        let Some(source) = self.sources.get_mut(index) else {
            return;
        };
        source.is_permitted = false;
        source.last_packet_at = None;
        let (who, kind, layers_len) = (source.participant, source.kind, source.layers_len);
        for layer in 0..layers_len {
            let key = self.layer_key(index, layer);
            self.evict(key);
            if let Some(layer) = self
                .sources
                .get_mut(index)
                .and_then(|source| source.layer_mut(layer))
            {
                layer.silence();
                layer.is_live = false;
            }
        }
        self.is_audio_dirty |= self.audio.remove(index);
        if let Some(published) = self
            .participants
            .get_mut(&who)
            .and_then(|participant| participant.published.get_mut(kind_index(kind)))
            && *published == Some(index)
        {
            *published = None;
            self.are_pictures_dirty |= kind != SourceKind::Microphone;
        }
        self.set_active(index, false);
    }

    /// Tells whether a source's packets flow, if that is news.
    fn set_active(&mut self, index: u32, is_active: bool) {
        let Some(source) = self.sources.get_mut(index) else {
            return;
        };
        if std::mem::replace(&mut source.is_active, is_active) == is_active {
            return;
        }
        let event = RouterEvent::SourceActive {
            participant: source.participant,
            source: source.kind,
            is_active,
        };
        let (who, kind) = (source.participant, source.kind);
        self.are_pictures_dirty |= kind != SourceKind::Microphone;
        // The newest word on a source replaces an older one, so that the queue is bounded.
        self.events.retain(|queued| {
            !matches!(queued, RouterEvent::SourceActive { participant, source, .. }
                if *participant == who && *source == kind)
        });
        self.events.push_back(event);
    }

    /// Brings slots in line with what changed.
    fn settle(&mut self, now: MonoTime, egress: &mut impl Egress) {
        if std::mem::take(&mut self.is_audio_dirty) {
            self.settle_audio(now);
        }
        if std::mem::take(&mut self.are_pictures_dirty) {
            self.settle_pictures(now, egress);
        }
    }

    /// Something waits to be looked after: within a tick.
    fn tick_soon(&mut self, now: MonoTime) {
        self.next_tick.get_or_insert(now.plus(timers::TICK));
    }

    /// Something waits to be looked after: at once.
    fn tick_now(&mut self, now: MonoTime) {
        self.next_tick = Some(self.next_tick.map_or(now, |at| at.min(now)));
    }
}
