//! A simulated stage: one engine in a world of lossy links, with clients of the `rtc` crate around
//! it that join by offer and answer, as they would through the directory.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use estrade_sdp::{AnswerParams, Negotiated, Offer, Profile, negotiate};
use estrade_shard::{Certificate, DatagramClass, DatagramSink, Engine, EngineConfig};
use estrade_sim::{
    AudioSource, EndpointConfig, LinkConfig, Losses, Node, NodeId, Outbox, RtcEndpoint, SimRandom,
    StreamSummary, VideoSource, World,
};
use estrade_types::limits::DATAGRAM_BYTES_MAX;
use estrade_types::{
    CommandId, CommandOutcome, CommandRefused, LinkKind, MediaKind, MonoTime, OpenSession, Permits,
    ShardCommand, ShardEvent, ShardIndex, SlotId, Ssrc, StageRank, StageSeat, TxMedia, WallClock,
};

use crate::bench::{ROOM, key, session, set_room};

const SERVER: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    7_000,
);

/// The engine as a node of the world.
pub struct EngineNode {
    pub engine: Engine,
    pub events: Vec<ShardEvent>,
    queue: QueueSink,
    commands: u64,
}

/// Keeps what a command sent until the world comes by.
struct QueueSink {
    slot: [u8; DATAGRAM_BYTES_MAX],
    sent: Vec<(SocketAddr, Vec<u8>)>,
}

impl DatagramSink for QueueSink {
    fn slot(&mut self) -> &mut [u8; DATAGRAM_BYTES_MAX] {
        &mut self.slot
    }

    fn commit(&mut self, to: SocketAddr, len: usize, _class: DatagramClass) {
        self.sent.push((to, self.slot[..len].to_vec()));
    }
}

impl EngineNode {
    fn new(epoch: Instant, certificate: Arc<Certificate>) -> Self {
        let config = EngineConfig {
            index: ShardIndex(0),
            certificate,
            seed: [9; 32],
            epoch,
            wall_clock: WallClock::default(),
        };
        Self {
            engine: Engine::new(config),
            events: Vec::new(),
            queue: QueueSink {
                slot: [0; DATAGRAM_BYTES_MAX],
                sent: Vec::new(),
            },
            commands: 0,
        }
    }

    pub fn apply(
        &mut self,
        now: MonoTime,
        command: ShardCommand,
    ) -> Result<CommandOutcome, CommandRefused> {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.engine.apply(now, id, command, &mut self.queue);
        self.collect();
        match self.events.pop() {
            Some(ShardEvent::Applied { id: told, outcome }) if told == id => outcome,
            other => panic!("the acknowledgement is the last event, not {other:?}"),
        }
    }

    fn collect(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            self.events.push(event);
        }
    }

    fn end_turn(&mut self, now: MonoTime, out: &mut Outbox) {
        self.engine.on_timeout(now, &mut self.queue);
        self.collect();
        for (to, datagram) in self.queue.sent.drain(..) {
            out.send(to, &datagram);
        }
    }
}

impl Node for EngineNode {
    fn on_datagram(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
        out: &mut Outbox,
    ) {
        self.engine
            .on_datagram(now, from, datagram, &mut self.queue);
        self.end_turn(now, out);
    }

    fn on_timeout(&mut self, now: MonoTime, out: &mut Outbox) {
        self.end_turn(now, out);
    }

    fn next_deadline(&mut self) -> Option<MonoTime> {
        if self.queue.sent.is_empty() {
            self.engine.next_deadline()
        } else {
            Some(MonoTime::ZERO)
        }
    }
}

/// A client that has joined.
pub struct Guest {
    pub participant: u32,
    pub node: NodeId,
    pub endpoint: Rc<RefCell<RtcEndpoint>>,
    pub tx: Vec<TxMedia>,
}

impl Guest {
    /// The SSRC of one of its slots.
    pub fn slot(&self, slot: SlotId) -> Ssrc {
        let tx = self.tx.iter().find(|tx| tx.slot == slot);
        tx.unwrap_or_else(|| panic!("{slot} was not negotiated"))
            .ssrc
    }
}

/// The world with a room in it.
pub struct Stage {
    pub world: World,
    pub server: NodeId,
    pub engine: Rc<RefCell<EngineNode>>,
    certificate: Arc<Certificate>,
    epoch: Instant,
    ssrcs: SimRandom,
    publishers: Vec<(u32, NodeId, Rc<RefCell<RtcEndpoint>>)>,
}

impl Stage {
    #[expect(
        clippy::disallowed_methods,
        reason = "an origin; virtual time does the rest"
    )]
    pub fn new(seed: u64) -> Self {
        let epoch = Instant::now();
        let certificate = Arc::new(Certificate::generate().unwrap());
        let mut world = World::new(seed);
        let node = EngineNode::new(epoch, Arc::clone(&certificate));
        let (server, engine) = world.add(SERVER, node);
        engine
            .borrow_mut()
            .apply(MonoTime::ZERO, set_room(ROOM))
            .unwrap();
        Self {
            world,
            server,
            engine,
            certificate,
            epoch,
            ssrcs: SimRandom::derive(seed, 2),
            publishers: Vec::new(),
        }
    }

    pub fn apply(&self, command: ShardCommand) -> Result<CommandOutcome, CommandRefused> {
        self.engine.borrow_mut().apply(self.world.now(), command)
    }

    /// A client that may publish, and receives too; connected over perfect links.
    pub fn speaker(&mut self, participant: u32) -> Guest {
        self.join(participant, true)
    }

    /// A client that receives; connected over perfect links.
    pub fn listener(&mut self, participant: u32) -> Guest {
        self.join(participant, false)
    }

    /// Starts a guest's microphone and camera, both tagged with its participant's number; `voice` is
    /// how loud it talks, if it does.
    pub fn publish(&self, guest: &Guest, voice: Option<u8>) {
        let now = self.world.now();
        let source = u8::try_from(guest.participant).unwrap();
        let mut endpoint = guest.endpoint.borrow_mut();
        endpoint.start_audio(now, AudioSource::quiet(source));
        endpoint.set_voice(voice);
        endpoint.start_video(now, VideoSource::camera(source));
    }

    /// Makes both directions between a guest and the server like this.
    pub fn set_path(&mut self, guest: &Guest, config: LinkConfig) {
        self.world.set_path(guest.node, self.server, config);
    }

    /// Checks the promises made to a guest on one slot, against what the links lost.
    pub fn check(&self, guest: &Guest, slot: SlotId) -> StreamSummary {
        let ssrc = guest.slot(slot);
        let lost = self.world.lost_rtp(self.server, guest.node);
        let downlink = lost.into_iter().filter(|(lost, _)| *lost == ssrc);
        let losses = Losses {
            downlink: downlink.map(|(_, seq)| seq).collect(),
            uplink: self.lost_uplink(slot.media_kind()),
        };
        let endpoint = guest.endpoint.borrow();
        match endpoint.ledger().stream(ssrc) {
            Some(record) => record.check(&losses).unwrap_or_else(|broken| {
                panic!("participant {} on {slot}: {broken}", guest.participant)
            }),
            None => StreamSummary::default(),
        }
    }

    /// The packets of every guest's microphone or camera that never reached the server.
    fn lost_uplink(&self, kind: MediaKind) -> BTreeSet<(u8, u32)> {
        let mut packets = BTreeSet::new();
        for (participant, node, endpoint) in &self.publishers {
            let source = u8::try_from(*participant).unwrap();
            for (ssrc, seq) in self.world.lost_rtp(*node, self.server) {
                if let Some((found, packet)) = endpoint.borrow().packet_number(ssrc, seq)
                    && found == kind
                {
                    packets.insert((source, packet));
                }
            }
        }
        packets
    }

    fn join(&mut self, participant: u32, publishes: bool) -> Guest {
        let now = self.world.now();
        let seat = publishes.then_some(StageSeat {
            rank: StageRank::Speaker,
            order: u64::from(participant),
        });
        let permits = if publishes {
            Permits::ALL
        } else {
            Permits::NONE
        };
        self.apply(ShardCommand::SetParticipant {
            room: ROOM,
            participant: key(participant),
            seat,
            permits,
        })
        .unwrap();
        let port = 20_000 + u16::try_from(participant).unwrap();
        let addr = SocketAddr::from(([198, 51, 100, 7], port));
        let endpoint = RtcEndpoint::new(EndpointConfig {
            addr,
            epoch: self.epoch,
            seed: self.world.seed() ^ u64::from(participant) << 40,
            publishes,
            audio_slots: 2,
            video_slots: 1,
        });
        let (node, endpoint) = self.world.add(addr, endpoint.unwrap());
        let offer = endpoint.borrow_mut().offer(now).unwrap();
        let negotiated = self.negotiate(&offer, publishes);
        let answer = self.open(participant, &negotiated);
        endpoint.borrow_mut().accept(now, &answer).unwrap();
        let is_up = || endpoint.borrow().is_connected();
        assert!(
            self.world.run_until_done(Duration::from_secs(5), is_up),
            "{:?}",
            endpoint.borrow()
        );
        if publishes {
            let shared = Rc::clone(&endpoint);
            self.publishers.push((participant, node, shared));
        }
        Guest {
            participant,
            node,
            endpoint,
            tx: negotiated.tx,
        }
    }

    fn negotiate(&mut self, offer: &str, may_publish: bool) -> Negotiated {
        let profile = Profile {
            link: LinkKind::WebSocket,
            audio_slots: 3,
            second: false,
            thumbnails: 0,
            may_publish,
        };
        let ssrcs = &mut self.ssrcs;
        let mut fresh = || Ssrc(u32::try_from(ssrcs.next_u64() >> 32).unwrap());
        negotiate(&Offer::parse(offer).unwrap(), profile, &mut fresh).unwrap()
    }

    fn open(&self, participant: u32, negotiated: &Negotiated) -> String {
        let outcome = self.apply(ShardCommand::OpenSession(Box::new(OpenSession {
            session: session(participant),
            room: ROOM,
            participant: key(participant),
            remote_ice: negotiated.remote_ice.clone(),
            fingerprints: negotiated.fingerprints.clone(),
            rx: negotiated.rx.clone(),
            tx: negotiated.tx.clone(),
        })));
        let Ok(CommandOutcome::SessionOpened { local_ice }) = outcome else {
            panic!("no session: {outcome:?}");
        };
        negotiated.answer(AnswerParams {
            local_ice: &local_ice,
            fingerprint: self.certificate.fingerprint(),
            candidates: &[SERVER],
            session_id: u64::from(participant),
            session_version: 1,
        })
    }
}

/// The tags' sources a guest saw on a slot, in the order of sequence numbers, repeats left out.
pub fn sources_in_order(guest: &Guest, slot: SlotId) -> Vec<u8> {
    let endpoint = guest.endpoint.borrow();
    let Some(record) = endpoint.ledger().stream(guest.slot(slot)) else {
        return Vec::new();
    };
    let mut packets: Vec<_> = record.packets.iter().collect();
    packets.sort_by_key(|packet| packet.seq);
    let mut sources: Vec<u8> = packets
        .iter()
        .filter_map(|packet| Some(packet.tag?.source))
        .collect();
    sources.dedup();
    sources
}

/// How many streams of a kind carried anything to a guest.
pub fn streams_of(guest: &Guest, kind: MediaKind) -> usize {
    let endpoint = guest.endpoint.borrow();
    let streams = endpoint.ledger().streams();
    streams
        .filter(|(_, record)| record.kind == Some(kind))
        .count()
}
