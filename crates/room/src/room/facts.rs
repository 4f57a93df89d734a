//! Facts of the media plane, made into numbered events. Fed by the directory from shard events.

use estrade_types::{ParticipantKey, SessionId, SourceKind};

use super::{Room, Turn};
use crate::{Actor, Command, EventKind, RoomError};

impl Room {
    /// Takes a fact. One about somebody who has left meanwhile is refused and changes nothing.
    pub(super) fn fact(&mut self, turn: &mut Turn<'_>, fact: Command) -> Result<(), RoomError> {
        if *turn.actor != Actor::Server {
            return Err(RoomError::NotAllowed {
                act: "tell facts of the media plane",
            });
        }
        match fact {
            Command::Connected { session } => self.on_connected(turn, session),
            Command::SourceActive {
                key,
                source,
                is_active,
            } => self.on_source(turn, key, source, is_active),
            Command::ActiveSpeaker { key } => {
                let participant = key.map(|key| self.known(key)).transpose()?;
                self.active_speaker.clone_from(&participant);
                self.publish(turn, EventKind::ActiveSpeakerChanged { participant });
                Ok(())
            }
            Command::Programme { source, reason } => {
                let source = source
                    .map(|(key, kind)| self.known(key).map(|id| (id, kind)))
                    .transpose()?;
                self.programme.clone_from(&source);
                self.publish(turn, EventKind::ProgrammeChanged { source, reason });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_connected(&mut self, turn: &mut Turn<'_>, session: SessionId) -> Result<(), RoomError> {
        let id = self.by_session.get(&session).cloned();
        let id = id.ok_or(RoomError::UnknownParticipant)?;
        let Some(person) = self.people.get_mut(&id).filter(|p| !p.is_connected) else {
            return Ok(());
        };
        person.is_connected = true;
        let connected = EventKind::ConnectionChanged {
            participant: id,
            is_connected: true,
        };
        self.publish(turn, connected);
        Ok(())
    }

    fn on_source(
        &mut self,
        turn: &mut Turn<'_>,
        key: ParticipantKey,
        source: SourceKind,
        is_active: bool,
    ) -> Result<(), RoomError> {
        let participant = self.known(key)?;
        let Some(person) = self.people.get_mut(&participant) else {
            return Ok(());
        };
        let has_changed = if is_active {
            // A late word about a session that is gone must not light a camera.
            person.session.is_some() && person.sources.insert(source)
        } else {
            person.sources.remove(&source)
        };
        if has_changed {
            let changed = EventKind::SourceChanged {
                participant,
                source,
                is_active,
            };
            self.publish(turn, changed);
        }
        Ok(())
    }

    fn known(&self, key: ParticipantKey) -> Result<estrade_types::ParticipantId, RoomError> {
        self.id_of(key)
            .cloned()
            .ok_or(RoomError::UnknownParticipant)
    }
}
