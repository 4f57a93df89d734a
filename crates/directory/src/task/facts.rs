//! Facts of the media plane and of clients' handles, made into commands and notices.

use std::sync::Arc;

use estrade_room::{Actor, Command};
use estrade_types::{
    CloseReason, MonoTime, ParticipantId, ParticipantKey, SessionId, SessionState, SlotId,
    SourceKind, SpeakingParticipant,
};

use super::clients::Transport;
use super::{AUDIENCE_INTERVAL, RoomTask, SPEAKING_INTERVAL};
use crate::SpeakingNotice;
use crate::inbox::Fact;
use crate::notices::Queued;

impl RoomTask {
    pub(super) fn on_fact(&mut self, fact: Fact) {
        match fact {
            Fact::Session(session, SessionState::Connected) => self.on_connected(session),
            Fact::Session(session, SessionState::Closed(reason)) => {
                if let Some(record) = self.clients.get_mut(session) {
                    record.transport = Transport::Closed;
                }
                self.by_server(Command::Leave { session, reason });
            }
            Fact::Source(key, source, is_active) => self.by_server(Command::SourceActive {
                key,
                source,
                is_active,
            }),
            Fact::ActiveSpeaker(key) => self.by_server(Command::ActiveSpeaker { key }),
            Fact::Programme(source, reason) => {
                self.by_server(Command::Programme { source, reason });
            }
            Fact::Speaking(speaking) => self.on_speaking(&speaking),
            Fact::Slot(session, slot, source) => self.on_slot(session, slot, source),
            Fact::SpeakingWhileMuted(key) => {
                let participant = self.room.id_of(key);
                if let Some(session) = participant.and_then(|id| self.room.session_of(id)) {
                    self.tell_one(session, Queued::SpeakingWhileMuted);
                }
            }
            Fact::ClientGone(session, reason) => {
                self.by_server(Command::Leave { session, reason });
            }
            Fact::Shutdown => self.by_server(Command::End {
                reason: CloseReason::ServerShutdown,
            }),
            Fact::ShardLost => self.by_server(Command::End {
                reason: CloseReason::InternalError,
            }),
        }
    }

    /// A fact about somebody who has left meanwhile is refused by the room, and that is right.
    fn by_server(&mut self, command: Command) {
        drop(self.apply(&Actor::Server, command));
    }

    fn on_connected(&mut self, session: SessionId) {
        if let Some(record) = self.clients.get_mut(session) {
            record.is_connected = true;
            self.tell_one(session, Queued::Connected(true));
        }
        self.by_server(Command::Connected { session });
    }

    fn on_slot(
        &mut self,
        session: SessionId,
        slot: SlotId,
        source: Option<(ParticipantKey, SourceKind)>,
    ) {
        // A source whose owner has left meanwhile shows nothing any more.
        let source: Option<(ParticipantId, SourceKind)> =
            source.and_then(|(key, kind)| Some((self.room.id_of(key)?.clone(), kind)));
        let Some(record) = self.clients.get_mut(session) else {
            return;
        };
        if !record.is_interactive() {
            return;
        }
        record.slots.insert(slot, source.clone());
        self.tell_one(session, Queued::Slot(slot, source));
    }

    fn on_speaking(&mut self, speaking: &[SpeakingParticipant]) {
        let told: Vec<SpeakingNotice> = speaking
            .iter()
            .filter_map(|speaking| {
                let participant = self.room.id_of(speaking.participant)?.clone();
                let volume = speaking.level.volume();
                Some(SpeakingNotice {
                    participant,
                    volume,
                })
            })
            .collect();
        self.speaking.untold = Some(Arc::new(told));
    }

    pub(super) fn speaking_due(&self) -> Option<MonoTime> {
        self.speaking.untold.as_ref()?;
        let told_at = self.speaking.told_at;
        Some(told_at.map_or(MonoTime::ZERO, |at| at.plus(SPEAKING_INTERVAL)))
    }

    pub(super) fn tell_speaking(&mut self, now: MonoTime) {
        if let Some(speaking) = self.speaking.untold.take() {
            self.speaking.told_at = Some(now);
            self.tell(&Queued::Speaking(speaking), None);
        }
    }

    pub(super) fn audience_due(&self) -> Option<MonoTime> {
        if self.room.audience_count() == self.audience.told {
            return None;
        }
        let told_at = self.audience.told_at;
        Some(told_at.map_or(MonoTime::ZERO, |at| at.plus(AUDIENCE_INTERVAL)))
    }

    pub(super) fn tell_audience(&mut self, now: MonoTime) {
        let count = self.room.audience_count();
        self.audience.told = count;
        self.audience.told_at = Some(now);
        self.tell(&Queued::AudienceCount(count), None);
    }
}
