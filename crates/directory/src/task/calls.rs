//! The calls on a room: reading it, watching it, acting in it.

use estrade_room::{Actor, Applied, Command, RoomError, StageFilter};
use estrade_types::{ParticipantId, SessionId};

use super::{ActCall, Page, PageCall, RoomCall, RoomTask};
use crate::DirectoryError;
use crate::shard_link::Acks;

impl RoomTask {
    pub(super) fn on_call(&mut self, call: RoomCall) {
        match call {
            RoomCall::View(reply) => drop(reply.send(Ok(self.room.view()))),
            RoomCall::Participant(id, reply) => {
                let view = self.room.participant(&id);
                drop(reply.send(view.ok_or(RoomError::UnknownParticipant.into())));
            }
            RoomCall::Page(call) => self.page(call),
            RoomCall::Watch(after, reply) => drop(reply.send(self.events.watch(after))),
            RoomCall::Act(call) => self.act(*call),
            RoomCall::Join(call) => self.join(*call),
            RoomCall::Leave(session, reply) => self.leave(session, reply),
            RoomCall::Open(call) => self.open(*call),
            RoomCall::Restart(call) => self.restart(call),
            RoomCall::WantVideo(session, wanted, reply) => self.want_video(session, wanted, reply),
            RoomCall::Pin(session, participant, reply) => self.pin(session, participant, reply),
            RoomCall::Data(call) => self.data(*call),
            #[cfg(test)]
            RoomCall::Crash => panic!("asked to"),
        }
    }

    fn page(&self, call: PageCall) {
        let (participants, has_more) = self.room.page(call.filter, call.after.as_ref(), call.count);
        let total = match call.filter {
            StageFilter::All => self.room.participant_count(),
            StageFilter::Stage => self.room.stage_count(),
            StageFilter::Audience => self.room.audience_count(),
        };
        drop(call.reply.send(Ok(Page {
            participants,
            has_more,
            total,
        })));
    }

    fn act(&mut self, call: ActCall) {
        let ActCall {
            actor,
            session,
            command,
            reply,
        } = call;
        match self.try_act(&actor, session, command) {
            Ok((applied, acks)) => self.answer(acks, reply, applied),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn try_act(
        &mut self,
        actor: &Actor,
        session: Option<SessionId>,
        command: Command,
    ) -> Result<(Applied, Acks), DirectoryError> {
        if let (Actor::Participant(id), Some(session)) = (actor, session)
            && self.room.session_of(id) != Some(session)
        {
            return Err(DirectoryError::UnknownSession);
        }
        if is_internal(&command) {
            return Err(DirectoryError::Room(RoomError::NotAllowed {
                act: "do what only the server does",
            }));
        }
        let subject = Subject::of(actor, &command);
        let (applied, acks) = self.apply(actor, command)?;
        if !acks.is_empty() {
            return Ok((applied, acks));
        }
        // Nothing changed here. That is no word of the shard that it has come as far, or that it
        // ever took the command that made it so.
        Ok((applied, self.retell(subject)))
    }

    fn retell(&mut self, subject: Subject) -> Acks {
        let effects = match subject {
            Subject::Nobody => return Acks::default(),
            Subject::One(id) => self.room.retell(&id).into_iter().collect(),
            Subject::Stage => {
                let (stage, _) = self.room.page(StageFilter::Stage, None, usize::MAX);
                let told = stage.iter().map(|seated| self.room.retell(&seated.id));
                told.flatten().collect()
            }
        };
        self.perform(effects)
    }
}

/// Whose seat and permits a command sets on the shard.
enum Subject {
    Nobody,
    One(ParticipantId),
    Stage,
}

impl Subject {
    fn of(actor: &Actor, command: &Command) -> Self {
        match (command, actor) {
            (
                Command::Promote { participant, .. }
                | Command::ApproveHand { participant }
                | Command::Mute { participant, .. },
                _,
            ) => Self::One(participant.clone()),
            (Command::SelfMute { .. }, Actor::Participant(id)) => Self::One(id.clone()),
            (Command::MuteAll { .. }, _) => Self::Stage,
            _ => Self::Nobody,
        }
    }
}

/// Commands that have a door of their own here.
const fn is_internal(command: &Command) -> bool {
    matches!(
        command,
        Command::Join(_)
            | Command::Leave { .. }
            | Command::Tick
            | Command::Connected { .. }
            | Command::SourceActive { .. }
            | Command::ActiveSpeaker { .. }
            | Command::Programme { .. }
    )
}
