//! A shard that only notes what it is told, a directory over it, and shorthand for both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use estrade_room::{Command, EventKind, RoomSettings};
use estrade_shard::SubmitError;
use estrade_types::{
    Admission, CommandId, CommandOutcome, CommandRefused, Fingerprint, IceCredentials, LinkKind,
    ParticipantId, ParticipantKey, Role, RoomId, RoomKey, SessionId, SessionState, ShardCommand,
    ShardEvent, ShardIndex,
};
use tokio::sync::mpsc;

use crate::shard_link::{ShardDoor, lock};
use crate::{Client, ClientNotice, CreateOnJoin, CreateRoom, Directory, DirectoryConfig};

/// What the fake does with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Answers,
    /// Takes it and says nothing.
    Silent,
    Refuses(CommandRefused),
    /// Its queue is full.
    Full,
}

#[derive(Clone, Debug)]
pub(super) struct FakeShard {
    index: ShardIndex,
    candidates: Vec<SocketAddr>,
    events: mpsc::Sender<(ShardIndex, ShardEvent)>,
    state: Arc<Mutex<FakeState>>,
}

#[derive(Debug)]
struct FakeState {
    mood: Mood,
    commands: Vec<ShardCommand>,
    unanswered: Vec<CommandId>,
}

impl ShardDoor for FakeShard {
    fn submit(&self, id: CommandId, command: ShardCommand) -> Result<(), SubmitError> {
        let mut state = lock(&self.state);
        let outcome = match state.mood {
            Mood::Full => return Err(SubmitError::Full),
            Mood::Silent => {
                state.unanswered.push(id);
                state.commands.push(command);
                return Ok(());
            }
            Mood::Refuses(refused) => Err(refused),
            Mood::Answers => Ok(outcome(&command)),
        };
        state.commands.push(command);
        self.tell(ShardEvent::Applied { id, outcome });
        Ok(())
    }

    fn index(&self) -> ShardIndex {
        self.index
    }

    fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }
}

fn outcome(command: &ShardCommand) -> CommandOutcome {
    match command {
        ShardCommand::OpenSession(_) | ShardCommand::RestartIce { .. } => {
            CommandOutcome::SessionOpened {
                local_ice: IceCredentials {
                    ufrag: "serverfrag".to_owned(),
                    pwd: "serverpasswordserverpassword".to_owned(),
                },
            }
        }
        _ => CommandOutcome::Done,
    }
}

impl FakeShard {
    pub(super) fn set(&self, mood: Mood) {
        lock(&self.state).mood = mood;
    }

    pub(super) fn tell(&self, event: ShardEvent) {
        self.events.try_send((self.index, event)).unwrap();
    }

    /// Answers what was left unanswered.
    pub(super) fn catch_up(&self) {
        for id in std::mem::take(&mut lock(&self.state).unanswered) {
            let outcome = Ok(CommandOutcome::Done);
            self.tell(ShardEvent::Applied { id, outcome });
        }
    }

    /// The commands since the last look.
    pub(super) fn take(&self) -> Vec<ShardCommand> {
        std::mem::take(&mut lock(&self.state).commands)
    }

    pub(super) fn closed(&self, session: SessionId, reason: estrade_types::CloseReason) {
        self.session(session, SessionState::Closed(reason));
    }

    pub(super) fn session(&self, session: SessionId, state: SessionState) {
        self.tell(ShardEvent::Session {
            session,
            room: RoomKey(1),
            state,
        });
    }
}

pub(super) const FINGERPRINT: Fingerprint = Fingerprint([0xab; 32]);

/// A directory over `count` fake shards.
pub(super) fn directory_over(count: u16, config: DirectoryConfig) -> (Directory, Vec<FakeShard>) {
    let (sender, events) = Directory::event_channel();
    let shards: Vec<FakeShard> = (0..count)
        .map(|n| FakeShard {
            index: ShardIndex(n),
            candidates: vec![SocketAddr::from(([127, 0, 0, 1], 7_900 + n))],
            events: sender.clone(),
            state: Arc::new(Mutex::new(FakeState {
                mood: Mood::Answers,
                commands: Vec::new(),
                unanswered: Vec::new(),
            })),
        })
        .collect();
    let doors = shards
        .iter()
        .map(|shard| -> Box<dyn ShardDoor> { Box::new(shard.clone()) });
    let directory = Directory::over(config, FINGERPRINT, doors.collect(), events);
    (directory, shards)
}

/// A directory over one fake shard, in which joining makes rooms.
pub(super) fn directory() -> (Directory, FakeShard) {
    let config = DirectoryConfig {
        create_on_join: CreateOnJoin::Stage,
        ..DirectoryConfig::default()
    };
    let (directory, mut shards) = directory_over(1, config);
    (directory, shards.remove(0))
}

pub(super) fn rid(name: &str) -> RoomId {
    RoomId::new(name).unwrap()
}

pub(super) fn pid(name: &str) -> ParticipantId {
    ParticipantId::new(name).unwrap()
}

pub(super) fn key(n: u32) -> ParticipantKey {
    ParticipantKey(std::num::NonZeroU32::new(n).unwrap())
}

pub(super) fn create(id: &str) -> CreateRoom {
    CreateRoom {
        id: Some(rid(id)),
        settings: RoomSettings::default(),
        idempotency_key: None,
    }
}

pub(super) fn admission(room: &str, name: &str, role: Role) -> Admission {
    Admission {
        room: rid(room),
        identity: pid(name),
        role,
        name: String::new(),
        attributes: BTreeMap::new(),
        issued_at_s: None,
    }
}

pub(super) async fn join(directory: &Directory, name: &str, role: Role) -> Client {
    let admission = admission("r", name, role);
    directory
        .join(admission, LinkKind::WebSocket)
        .await
        .unwrap()
}

pub(super) fn mute(name: &str) -> Command {
    Command::Mute {
        participant: pid(name),
        kind: estrade_room::MuteKind::Audio,
        lock: false,
    }
}

/// Lets virtual time pass.
pub(super) async fn pass(span: Duration) {
    drop(tokio::time::timeout(span, std::future::pending::<()>()).await);
}

/// The next notice; one must be on its way.
pub(super) async fn notice(client: &mut Client) -> ClientNotice {
    let patience = Duration::from_secs(60);
    let next = tokio::time::timeout(patience, client.next_notice()).await;
    next.unwrap().unwrap()
}

/// Reads until a notice that `wanted` takes.
pub(super) async fn until<T>(
    client: &mut Client,
    wanted: impl Fn(&ClientNotice) -> Option<T>,
) -> T {
    loop {
        let notice = notice(client).await;
        if let Some(found) = wanted(&notice) {
            return found;
        }
        assert!(!matches!(notice, ClientNotice::Closed(_)), "{notice:?}");
    }
}

/// The event in a notice.
pub(super) fn event(notice: &ClientNotice) -> Option<&EventKind> {
    match notice {
        ClientNotice::Event(event) => Some(&event.kind),
        _ => None,
    }
}

/// Everything that is told within a minute of (virtual) silence.
pub(super) async fn drain(client: &mut Client) -> Vec<ClientNotice> {
    let mut notices = Vec::new();
    let patience = Duration::from_secs(5);
    while let Ok(Some(notice)) = tokio::time::timeout(patience, client.next_notice()).await {
        notices.push(notice);
    }
    notices
}
