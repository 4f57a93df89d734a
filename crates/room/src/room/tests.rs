//! The rules of `product.md` §4, one by one, and its races.

mod hands;
mod life;
mod mutes;
mod seats;

use std::collections::BTreeMap;
use std::time::Duration;

use estrade_types::{Admission, LinkKind, Role};

use super::*;
use crate::{HandClosed, HandPolicy, JoinCommand, MuteKind, StageLeft, StageState};

/// Wall time at the origin of the tests' clock.
const EPOCH_MS: u64 = 1_800_000_000_000;

pub(super) fn pid(name: &str) -> ParticipantId {
    ParticipantId::new(name).unwrap()
}

/// A room with a clock, a session counter, and the effects of the last command.
struct Stage {
    room: Room,
    now_ms: u64,
    sessions: u64,
    effects: Vec<Effect>,
}

impl Stage {
    fn new(settings: RoomSettings) -> Self {
        let mut effects = Vec::new();
        let id = RoomId::new("r").unwrap();
        let room = Room::new(id, settings, MonoTime::ZERO, EPOCH_MS, &mut effects).unwrap();
        Self {
            room,
            now_ms: 0,
            sessions: 0,
            effects,
        }
    }

    fn with(people: &[(&str, Role)]) -> Self {
        let mut stage = Self::new(RoomSettings::default());
        for (name, role) in people {
            stage.join(name, *role).unwrap();
        }
        stage
    }

    fn apply(&mut self, actor: &Actor, command: Command) -> Result<Applied, RoomError> {
        self.effects.clear();
        let now = MonoTime::from_millis(self.now_ms);
        let unix_ms = EPOCH_MS + self.now_ms;
        self.room
            .apply(now, unix_ms, actor, command, &mut self.effects)
    }

    fn by(&mut self, name: &str, command: Command) -> Result<Applied, RoomError> {
        self.apply(&Actor::Participant(pid(name)), command)
    }

    fn app(&mut self, command: Command) -> Result<Applied, RoomError> {
        self.apply(&Actor::App, command)
    }

    fn server(&mut self, command: Command) -> Result<Applied, RoomError> {
        self.apply(&Actor::Server, command)
    }

    fn join(&mut self, name: &str, role: Role) -> Result<Applied, RoomError> {
        let now_s = (EPOCH_MS + self.now_ms) / 1_000;
        self.join_with(name, role, LinkKind::WebSocket, Some(now_s))
    }

    fn join_with(
        &mut self,
        name: &str,
        role: Role,
        link: LinkKind,
        issued_at_s: Option<u64>,
    ) -> Result<Applied, RoomError> {
        self.sessions += 1;
        let join = JoinCommand {
            admission: Admission {
                room: RoomId::new("r").unwrap(),
                identity: pid(name),
                role,
                name: name.to_uppercase(),
                attributes: BTreeMap::new(),
                issued_at_s,
            },
            session: SessionId(self.sessions),
            link,
        };
        self.by(name, Command::Join(join))
    }

    fn advance(&mut self, span: Duration) {
        self.now_ms += u64::try_from(span.as_millis()).unwrap();
    }

    fn view(&self, name: &str) -> ParticipantView {
        self.room.participant(&pid(name)).unwrap()
    }

    fn place(&self, name: &str) -> StageState {
        self.view(name).stage
    }

    fn kinds(&self) -> Vec<EventKind> {
        let published = |effect: &Effect| match effect {
            Effect::Publish(event) => Some(event.kind.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(published).collect()
    }

    fn permits_told(&self, name: &str) -> Option<Permits> {
        let key = self.room.key_of(&pid(name)).unwrap();
        self.effects.iter().find_map(|effect| match effect {
            Effect::SetParticipant {
                key: k, permits, ..
            } if *k == key => Some(*permits),
            _ => None,
        })
    }

    fn lose(&mut self, name: &str) {
        let session = self.room.session_of(&pid(name)).unwrap();
        let reason = CloseReason::ConsentExpired;
        self.server(Command::Leave { session, reason }).unwrap();
    }
}

fn approve(who: &str) -> Command {
    Command::ApproveHand {
        participant: pid(who),
    }
}

fn invite(who: &str) -> Command {
    Command::Invite {
        participant: pid(who),
    }
}

fn demote(who: &str) -> Command {
    Command::Demote {
        participant: pid(who),
    }
}

fn promote(who: &str, role: Role) -> Command {
    Command::Promote {
        participant: pid(who),
        role,
    }
}

fn mute(who: &str, lock: bool) -> Command {
    Command::Mute {
        participant: pid(who),
        kind: MuteKind::Audio,
        lock,
    }
}

fn self_mute(muted: bool) -> Command {
    Command::SelfMute {
        kind: MuteKind::Audio,
        muted,
    }
}

fn remove(who: &str) -> Command {
    Command::Remove {
        participant: pid(who),
    }
}

fn spotlight(who: &[&str]) -> Command {
    Command::Spotlight {
        participants: who.iter().map(|name| pid(name)).collect(),
    }
}

fn is_wrong_state(result: &Result<Applied, RoomError>) -> bool {
    matches!(result, Err(RoomError::WrongState { .. }))
}

const WITH_LISTENER: [(&str, Role); 3] = [
    ("host", Role::Host),
    ("co", Role::Cohost),
    ("lis", Role::Listener),
];
