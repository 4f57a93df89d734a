//! The thread around the engine, over real sockets on loopback.

use std::net::UdpSocket;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use estrade_shard::{Certificate, EventSink, ShardConfig, ShardHandle, SubmitError, spawn};
use estrade_types::limits::{COMMAND_QUEUE_MAX, EVENT_QUEUE_MAX};
use estrade_types::{
    CommandId, CommandOutcome, IceCredentials, ParticipantKey, Permits, SessionState, ShardCommand,
    ShardEvent, ShardIndex, StageRank, StageSeat,
};

use crate::bench::{ROOM, audio, open_session, session, set_room, video};
use crate::client::Client;

/// Longer than any machine needs; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

struct Events(Sender<ShardEvent>);

impl EventSink for Events {
    fn offer(&mut self, event: ShardEvent) -> Result<(), ShardEvent> {
        self.0.send(event).map_err(|refused| refused.0)
    }
}

struct Running {
    shard: ShardHandle,
    events: Receiver<ShardEvent>,
    epoch: Instant,
    commands: u64,
}

impl Running {
    fn start() -> Self {
        let (sender, events) = channel();
        let config = ShardConfig::new(ShardIndex(0), "127.0.0.1:0".parse().unwrap());
        let epoch = config.epoch;
        let certificate = Arc::new(Certificate::generate().unwrap());
        let shard = spawn(config, certificate, Box::new(Events(sender))).unwrap();
        let mut running = Self {
            shard,
            events,
            epoch,
            commands: 0,
        };
        running.apply(set_room(ROOM));
        running
    }

    fn apply(&mut self, command: ShardCommand) -> CommandOutcome {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.shard.submit(id, command).unwrap();
        self.wait(|event| match event {
            ShardEvent::Applied { id: told, outcome } if told == id => Some(outcome.unwrap()),
            _ => None,
        })
    }

    fn wait<T>(&self, mut wanted: impl FnMut(ShardEvent) -> Option<T>) -> T {
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("an event");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }

    fn open(&mut self, participant: u32, client: &Client, is_seated: bool) -> IceCredentials {
        let seat = StageSeat {
            rank: StageRank::Host,
            order: u64::from(participant),
        };
        self.apply(ShardCommand::SetParticipant {
            room: ROOM,
            participant: ParticipantKey(NonZeroU32::new(participant).unwrap()),
            seat: is_seated.then_some(seat),
            permits: if is_seated {
                Permits::ALL
            } else {
                Permits::NONE
            },
        });
        let open = open_session(participant, client);
        match self.apply(ShardCommand::OpenSession(Box::new(open))) {
            CommandOutcome::SessionOpened { local_ice } => local_ice,
            other => panic!("no session: {other:?}"),
        }
    }
}

/// A client on a socket of its own.
struct OnWire {
    client: Client,
    socket: UdpSocket,
}

impl OnWire {
    fn connect(running: &mut Running, participant: u32, is_seated: bool) -> Self {
        let client = Client::new(u16::try_from(participant).unwrap(), running.epoch);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(running.shard.candidates()[0]).unwrap();
        let mut wire = Self { client, socket };
        let server = running.open(participant, &wire.client, is_seated);
        wire.client.check(&server);
        wire.exchange(|client| client.stun_answers == 1);
        wire.client.start_dtls();
        wire.exchange(Client::is_connected);
        let id = session(participant);
        running.wait(|event| match event {
            ShardEvent::Session { session, state, .. } if session == id => {
                assert_eq!(state, SessionState::Connected);
                Some(())
            }
            _ => None,
        });
        wire
    }

    fn send(&mut self) {
        while let Some(datagram) = self.client.outgoing.pop_front() {
            self.socket.send(&datagram).unwrap();
        }
    }

    /// Sends and receives until `is_done`.
    fn exchange(&mut self, is_done: impl Fn(&Client) -> bool) {
        let mut buf = [0; 2_000];
        self.send();
        while !is_done(&self.client) {
            let len = self.socket.recv(&mut buf).expect("an answer");
            self.client.on_datagram(&buf[..len]);
            self.send();
        }
    }
}

#[test]
fn audio_and_video_cross_a_real_socket_from_one_endpoint_to_others() {
    let mut running = Running::start();
    let mut speaker = OnWire::connect(&mut running, 1, true);
    let mut listeners = [2, 3].map(|n| OnWire::connect(&mut running, n, false));
    // Sent until seen: what comes before the first keyframe is complete is not forwarded.
    for n in 1..=40 {
        speaker.client.send_rtp(&audio(1, n, 30));
        speaker.client.send_rtp(&video(1, n, true));
        speaker.send();
        for listener in &mut listeners {
            let wanted = usize::from(n);
            listener.exchange(|client| {
                client
                    .rtp
                    .iter()
                    .filter(|packet| packet[1] & 0x7f == 111)
                    .count()
                    >= wanted
            });
        }
    }
    for listener in &mut listeners {
        listener.exchange(|client| client.rtp.iter().any(|packet| packet[1] & 0x7f == 96));
        assert_eq!(listener.client.unopened, 0);
    }
    running.shard.stop();
    assert!(running.shard.join(PATIENCE));
    for listener in &mut listeners {
        listener.exchange(|client| client.is_closed);
    }
}

#[test]
fn a_panic_in_a_turn_does_not_end_the_shard() {
    struct Fragile(Sender<ShardEvent>, bool);
    impl EventSink for Fragile {
        fn offer(&mut self, event: ShardEvent) -> Result<(), ShardEvent> {
            if matches!(event, ShardEvent::Applied { .. }) && !std::mem::replace(&mut self.1, true)
            {
                panic!("a bug of control's, on purpose");
            }
            self.0.send(event).map_err(|refused| refused.0)
        }
    }
    let (sender, events) = channel();
    let config = ShardConfig::new(ShardIndex(0), "127.0.0.1:0".parse().unwrap());
    let certificate = Arc::new(Certificate::generate().unwrap());
    let shard = spawn(config, certificate, Box::new(Fragile(sender, false))).unwrap();
    shard.submit(CommandId(1), set_room(ROOM)).unwrap();
    shard.submit(CommandId(2), set_room(ROOM)).unwrap();
    let second = ShardEvent::Applied {
        id: CommandId(2),
        outcome: Ok(CommandOutcome::Done),
    };
    let mut told = events
        .iter()
        .filter(|e| matches!(e, ShardEvent::Applied { .. }));
    assert_eq!(told.next(), Some(second));
    shard.stop();
    assert!(shard.join(PATIENCE));
}

#[test]
fn a_control_that_does_not_read_gets_every_acknowledgement_later() {
    struct Gate(Sender<ShardEvent>, Arc<AtomicBool>);
    impl EventSink for Gate {
        fn offer(&mut self, event: ShardEvent) -> Result<(), ShardEvent> {
            if self.1.load(Ordering::Acquire) {
                self.0.send(event).map_err(|refused| refused.0)
            } else {
                Err(event)
            }
        }
    }
    let (sender, events) = channel();
    let is_open = Arc::new(AtomicBool::new(false));
    let config = ShardConfig::new(ShardIndex(0), "127.0.0.1:0".parse().unwrap());
    let certificate = Arc::new(Certificate::generate().unwrap());
    let gate = Gate(sender, Arc::clone(&is_open));
    let shard = spawn(config, certificate, Box::new(gate)).unwrap();
    // A few counters may take places in the outbox.
    let wanted = u64::try_from(EVENT_QUEUE_MAX + COMMAND_QUEUE_MAX - 64).unwrap();
    let mut submitted = 0;
    while submitted < wanted {
        match shard.submit(CommandId(submitted), set_room(ROOM)) {
            Ok(()) => submitted += 1,
            Err(SubmitError::Full) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    is_open.store(true, Ordering::Release);
    let mut acknowledged = 0;
    while acknowledged < wanted {
        let event = events.recv_timeout(PATIENCE).expect("an event");
        if let ShardEvent::Applied { id, .. } = event {
            assert_eq!(id, CommandId(acknowledged), "in order, none lost");
            acknowledged += 1;
        }
    }
    shard.stop();
    assert!(shard.join(PATIENCE));
}

#[test]
fn a_stopped_shard_tells_so_last_and_takes_no_more_commands() {
    let mut running = Running::start();
    let counters = running.wait(|event| match event {
        ShardEvent::Counters(counters) => Some(counters),
        _ => None,
    });
    assert_eq!(counters.shard, Some(ShardIndex(0)));
    let port = running.shard.candidates()[0].port();
    assert_ne!(port, 0);
    running.commands += 1;
    running.shard.stop();
    assert!(running.shard.join(PATIENCE));
    let id = CommandId(running.commands);
    assert_eq!(
        running.shard.submit(id, set_room(ROOM)),
        Err(SubmitError::Stopped)
    );
    let last = running.events.iter().last();
    assert_eq!(last, Some(ShardEvent::Stopped { was_asked: true }));
}
