//! The calls of clients: coming in, the one offer, and what concerns a session alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use estrade_room::{Actor, Command, JoinCommand, RoomError};
use estrade_types::limits::DATA_MESSAGE_BYTES_MAX;
use estrade_types::{CloseReason, ParticipantId, SessionId, ShardCommand};

use super::clients::{ClientRecord, DataBudget, RemoteIce, Transport};
use super::{DataCall, JoinCall, OpenCall, Reply, RestartCall, Restarted, RoomTask};
use crate::DirectoryError;
use crate::inbox::Fact;
use crate::notices::Queued;
use crate::shard_link::Acks;

/// Bytes of a data message's topic.
const TOPIC_BYTES_MAX: usize = 64;

impl RoomTask {
    pub(super) fn join(&mut self, call: JoinCall) {
        let JoinCall {
            admission,
            session,
            link,
            notices,
            reply,
        } = call;
        let participant = admission.identity.clone();
        let actor = Actor::Participant(participant.clone());
        let command = Command::Join(JoinCommand {
            admission,
            session,
            link,
        });
        let acks = match self.apply(&actor, command) {
            Ok((_, acks)) => acks,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let view = self.room.participant(&participant);
        let mut record = ClientRecord {
            permits: view.map(|view| view.permits).unwrap_or_default(),
            participant,
            link,
            notices,
            transport: Transport::New,
            is_connected: false,
            slots: BTreeMap::new(),
            wants_video: true,
            pin: None,
            budget: DataBudget::full(self.clock.now()),
        };
        record.tell_all(&Arc::new(self.room.view()));
        // A caller that gave up before its call was read has said so already.
        let is_gone = record.notices.is_closed();
        self.clients.insert(session, record);
        let inbox = Arc::clone(&self.handle);
        if is_gone {
            inbox
                .inbox
                .push(Fact::ClientGone(session, CloseReason::Left));
        }
        let settled = self.settled(acks);
        tokio::spawn(async move {
            let result = settled.await.map(|_| ());
            if result.is_err() {
                let gone = Fact::ClientGone(session, CloseReason::Left);
                inbox.inbox.push(gone);
            }
            drop(reply.send(result));
        });
    }

    pub(super) fn leave(&mut self, session: SessionId, reply: Reply<()>) {
        let Some(record) = self.clients.get_mut(session) else {
            return drop(reply.send(Ok(())));
        };
        let actor = Actor::Participant(record.participant.clone());
        let reason = CloseReason::Left;
        match self.apply(&actor, Command::Leave { session, reason }) {
            Ok((_, acks)) => self.answer(acks, reply, ()),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    pub(super) fn open(&mut self, call: OpenCall) {
        let OpenCall {
            mut open,
            mid,
            reply,
        } = call;
        let session = open.session;
        let Some(record) = self.clients.get_mut(session) else {
            return drop(reply.send(Err(DirectoryError::UnknownSession)));
        };
        if !matches!(record.transport, Transport::New) {
            return drop(reply.send(Err(DirectoryError::AlreadyNegotiated)));
        }
        let Some(key) = self.room.key_of(&record.participant) else {
            return drop(reply.send(Err(DirectoryError::UnknownSession)));
        };
        record.transport = Transport::Open {
            remote_ice: RemoteIce::offered(open.remote_ice.clone()),
            restarts: 0,
            mid,
        };
        open.room = self.handle.key;
        open.participant = key;
        let mut acks = Acks::default();
        acks.add(self.outbox.push(ShardCommand::OpenSession(Box::new(open))));
        if !record.wants_video {
            let wanted = false;
            let command = ShardCommand::SetVideoWanted { session, wanted };
            acks.add(self.outbox.push(command));
        }
        let pinned = record.pin.as_ref().and_then(|id| self.room.key_of(id));
        if pinned.is_some() {
            let participant = pinned;
            let command = ShardCommand::SetPin {
                session,
                participant,
            };
            acks.add(self.outbox.push(command));
        }
        let settled = self.settled(acks);
        let handle = Arc::clone(&self.handle);
        tokio::spawn(async move {
            let opened = settled.await;
            let opened = opened.and_then(|local| local.ok_or(NO_CREDENTIALS));
            if opened.is_err() {
                // There is one offer per session and this was it: the client has to come in again,
                // and holds no seat until then.
                let gone = Fact::ClientGone(session, CloseReason::HandshakeFailed);
                handle.inbox.push(gone);
            }
            drop(reply.send(opened));
        });
    }

    pub(super) fn restart(&mut self, call: RestartCall) {
        let RestartCall {
            session,
            remote_ice,
            reply,
        } = call;
        let record = self.clients.get_mut(session);
        let Some(Transport::Open {
            remote_ice: known,
            restarts,
            mid,
        }) = record.map(|record| &mut record.transport)
        else {
            return drop(reply.send(Err(DirectoryError::UnknownSession)));
        };
        if known.is(&remote_ice) {
            return drop(reply.send(Ok(None)));
        }
        *restarts += 1;
        let (known, number, mid) = (Arc::clone(known), *restarts, *mid);
        let asked = remote_ice.clone();
        let mut acks = Acks::default();
        acks.add(self.outbox.push(ShardCommand::RestartIce {
            session,
            remote_ice,
        }));
        let settled = self.settled(acks);
        tokio::spawn(async move {
            let opened = settled.await;
            let restarted = opened.and_then(|local| {
                let local_ice = local.ok_or(NO_CREDENTIALS)?;
                known.applied(number, asked);
                Ok(Some(Restarted { local_ice, mid }))
            });
            drop(reply.send(restarted));
        });
    }

    pub(super) fn want_video(&mut self, session: SessionId, wanted: bool, reply: Reply<()>) {
        let Some(record) = self.clients.get_mut(session) else {
            return drop(reply.send(Err(DirectoryError::UnknownSession)));
        };
        record.wants_video = wanted;
        let mut acks = Acks::default();
        if matches!(record.transport, Transport::Open { .. }) {
            let command = ShardCommand::SetVideoWanted { session, wanted };
            acks.add(self.outbox.push(command));
        }
        self.answer(acks, reply, ());
    }

    pub(super) fn pin(
        &mut self,
        session: SessionId,
        participant: Option<ParticipantId>,
        reply: Reply<()>,
    ) {
        let key = participant.as_ref().and_then(|id| self.room.key_of(id));
        if participant.is_some() && key.is_none() {
            return drop(reply.send(Err(RoomError::UnknownParticipant.into())));
        }
        let Some(record) = self.clients.get_mut(session) else {
            return drop(reply.send(Err(DirectoryError::UnknownSession)));
        };
        record.pin = participant;
        let mut acks = Acks::default();
        if matches!(record.transport, Transport::Open { .. }) {
            acks.add(self.outbox.push(ShardCommand::SetPin {
                session,
                participant: key,
            }));
        }
        self.answer(acks, reply, ());
    }

    pub(super) fn data(&mut self, call: DataCall) {
        let DataCall {
            session,
            to,
            message,
            reply,
        } = call;
        drop(reply.send(self.try_data(session, to.as_ref(), message)));
    }

    fn try_data(
        &mut self,
        sender: Option<SessionId>,
        to: Option<&ParticipantId>,
        mut message: crate::DataMessage,
    ) -> Result<(), DirectoryError> {
        let invalid = |field, allowed| Err(RoomError::InvalidField { field, allowed }.into());
        if message.topic.len() > TOPIC_BYTES_MAX {
            return invalid("topic", "at most 64 bytes");
        }
        if message.payload.len() > DATA_MESSAGE_BYTES_MAX {
            return invalid("payload", "at most 16384 bytes");
        }
        if to.is_some_and(|id| self.room.key_of(id).is_none()) {
            return Err(RoomError::UnknownParticipant.into());
        }
        if let Some(session) = sender {
            if !self.room.settings().data {
                let act = "send data messages in this room";
                return Err(RoomError::NotAllowed { act }.into());
            }
            let now = self.clock.now();
            let record = self.clients.get_mut(session);
            let record = record.ok_or(DirectoryError::UnknownSession)?;
            message.from = Some(record.participant.clone());
            let bytes = message.topic.len().saturating_add(message.payload.len());
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            let taken = record.budget.take(now, bytes);
            taken.map_err(|retry_after| RoomError::TooSoon { retry_after })?;
        }
        let notice = Queued::Data(Arc::new(message));
        match to.map(|id| self.room.session_of(id)) {
            None => self.tell(&notice, sender),
            Some(Some(session)) => {
                let record = self.clients.get_mut(session);
                if record.is_some_and(|record| record.is_interactive()) {
                    self.tell_one(session, notice);
                }
            }
            // Its seat is held while it is away: it misses this.
            Some(None) => {}
        }
        Ok(())
    }
}

/// A shard that opens a session without saying at which credentials has not opened it.
const NO_CREDENTIALS: DirectoryError = DirectoryError::Unavailable {
    why: "the media shard gave no credentials",
};
