//! Performs the room's effects, in their order: shard, clients, watchers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use estrade_room::{Effect, Event, EventKind, StageState};
use estrade_types::{
    CloseReason, MonoTime, ParticipantId, ParticipantKey, Permits, SessionId, ShardCommand,
};

use super::clients::Transport;
use super::{RECOVERY_INTERVAL, RoomTask};
use crate::notices::{Delivery, Queued};
use crate::shard_link::Acks;

/// Participants above which clients are not told of each listener that comes and goes.
const LISTENERS_TOLD_MAX: u32 = 200;

/// What one command's effects have in common.
#[derive(Debug, Default)]
struct Batch {
    acks: Acks,
    /// Who left the stage in it.
    left_stage: BTreeSet<ParticipantId>,
}

impl RoomTask {
    pub(super) fn perform(&mut self, effects: Vec<Effect>) -> Acks {
        let mut batch = Batch::default();
        let room = self.handle.key;
        for effect in effects {
            match effect {
                Effect::SetParticipant { key, seat, permits } => {
                    let command = ShardCommand::SetParticipant {
                        room,
                        participant: key,
                        seat,
                        permits,
                    };
                    batch.acks.add(self.outbox.push(command));
                    self.tell_permits(key, permits);
                }
                Effect::RemoveParticipant { key, reason } => {
                    let command = ShardCommand::RemoveParticipant {
                        room,
                        participant: key,
                        reason,
                    };
                    batch.acks.add_closing(self.outbox.push(command));
                }
                Effect::CloseSession { session, reason } => {
                    self.close_session(session, reason, &mut batch);
                }
                Effect::SetSpotlight { keys } => {
                    let command = ShardCommand::SetSpotlight {
                        room,
                        participants: keys,
                    };
                    batch.acks.add(self.outbox.push(command));
                }
                Effect::Publish(event) => self.publish(Arc::new(event), &mut batch),
                Effect::CloseRoom { reason } => self.close_room(reason, &mut batch),
                _ => {}
            }
        }
        let sessions = self.clients.len();
        self.handle.sessions.store(sessions, Ordering::Relaxed);
        batch.acks
    }

    /// Tells every interactive client but one; those who fall behind are looked at later.
    pub(super) fn tell(&mut self, notice: &Queued, but: Option<SessionId>) {
        if self.clients.tell(notice, but) == Delivery::Lagging {
            self.expect_recovery();
        }
    }

    /// Tells one client.
    pub(super) fn tell_one(&mut self, session: SessionId, notice: Queued) {
        let Some(record) = self.clients.get_mut(session) else {
            return;
        };
        if record.notices.push(notice) == Delivery::Lagging {
            self.expect_recovery();
        }
    }

    pub(super) fn recover_clients(&mut self, now: MonoTime) {
        let view = Arc::new(self.room.view());
        self.recovery = match self.clients.recover(&view) {
            Delivery::Lagging => Some(now.plus(RECOVERY_INTERVAL)),
            Delivery::Complete => None,
        };
    }

    fn expect_recovery(&mut self) {
        if self.recovery.is_none() {
            self.recovery = Some(self.clock.now().plus(RECOVERY_INTERVAL));
        }
    }

    fn tell_permits(&mut self, key: ParticipantKey, permits: Permits) {
        let session = self
            .room
            .id_of(key)
            .and_then(|participant| self.room.session_of(participant));
        let Some(session) = session else {
            return;
        };
        match self.clients.get_mut(session) {
            Some(record) if record.permits != permits => record.permits = permits,
            _ => return,
        }
        self.tell_one(session, Queued::Permits(permits));
    }

    fn close_session(&mut self, session: SessionId, reason: CloseReason, batch: &mut Batch) {
        let Some(record) = self.clients.remove(session) else {
            return;
        };
        if matches!(record.transport, Transport::Open { .. }) {
            let command = ShardCommand::CloseSession { session, reason };
            batch.acks.add_closing(self.outbox.push(command));
        }
        record.notices.close(reason);
    }

    fn close_room(&mut self, reason: CloseReason, batch: &mut Batch) {
        self.handle.is_over.store(true, Ordering::Release);
        let room = self.handle.key;
        let command = ShardCommand::CloseRoom { room, reason };
        batch.acks.add_closing(self.outbox.push(command));
        for record in self.clients.take() {
            record.notices.close(reason);
        }
        self.events.end();
    }

    fn publish(&mut self, event: Arc<Event>, batch: &mut Batch) {
        if let EventKind::StageLeft { participant, .. } = &event.kind {
            batch.left_stage.insert(participant.clone());
        }
        self.events.publish(&event);
        if self.is_told(&event.kind, batch) {
            self.tell(&Queued::Event(event), None);
        }
    }

    /// Whether clients are told of an event one by one.
    fn is_told(&self, kind: &EventKind, batch: &Batch) -> bool {
        if self.room.participant_count() <= LISTENERS_TOLD_MAX {
            return true;
        }
        let on_stage = |stage| matches!(stage, StageState::OnStage | StageState::Held);
        match kind {
            EventKind::ParticipantJoined { participant } => on_stage(participant.stage),
            EventKind::ParticipantLeft { participant, .. } => {
                batch.left_stage.contains(participant)
            }
            EventKind::ConnectionChanged { participant, .. } => self
                .room
                .participant(participant)
                .is_some_and(|view| on_stage(view.stage)),
            _ => true,
        }
    }
}
