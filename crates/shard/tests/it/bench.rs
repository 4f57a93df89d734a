//! An engine in virtual time with endpoints around it.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use estrade_shard::{Certificate, DatagramClass, DatagramSink, Engine, EngineConfig};
use estrade_types::limits::DATAGRAM_BYTES_MAX;
use estrade_types::{
    Codec, CommandId, CommandOutcome, CommandRefused, DeclaredSsrc, ExtensionId, ExtensionMap,
    IceCredentials, MediaRoomSettings, Mid, MonoTime, NegotiatedCodec, OpenSession, ParticipantKey,
    PayloadType, Permits, RoomKey, RxMedia, SessionId, ShardCommand, ShardEvent, ShardIndex,
    SlotId, SourceKind, Ssrc, StageRank, StageSeat, TxMedia, WallClock,
};

use crate::client::Client;

pub const ROOM: RoomKey = RoomKey(7);
pub const OPUS: u8 = 111;
pub const VP8: u8 = 96;
pub const VP8_RTX: u8 = 97;

/// Keeps datagrams; reuses its memory, so that it does not count as an allocation of the engine's.
pub struct ListSink {
    slot: [u8; DATAGRAM_BYTES_MAX],
    arena: Vec<u8>,
    sent: Vec<(SocketAddr, usize, usize, DatagramClass)>,
}

impl ListSink {
    pub fn new() -> Self {
        Self {
            slot: [0; DATAGRAM_BYTES_MAX],
            arena: Vec::with_capacity(1 << 22),
            sent: Vec::with_capacity(1 << 14),
        }
    }

    pub fn len(&self) -> usize {
        self.sent.len()
    }

    pub fn clear(&mut self) {
        self.arena.clear();
        self.sent.clear();
    }

    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8], DatagramClass)> {
        let sent = self.sent.iter();
        sent.map(|&(to, at, len, class)| (to, &self.arena[at..at + len], class))
    }
}

impl DatagramSink for ListSink {
    fn slot(&mut self) -> &mut [u8; DATAGRAM_BYTES_MAX] {
        &mut self.slot
    }

    fn commit(&mut self, to: SocketAddr, len: usize, class: DatagramClass) {
        self.sent.push((to, self.arena.len(), len, class));
        self.arena.extend_from_slice(&self.slot[..len]);
    }
}

pub struct Bench {
    pub engine: Engine,
    pub sink: ListSink,
    pub now: MonoTime,
    pub epoch: Instant,
    pub events: Vec<ShardEvent>,
    commands: u64,
}

impl Bench {
    #[expect(
        clippy::disallowed_methods,
        reason = "an origin; virtual time does the rest"
    )]
    pub fn new() -> Self {
        let epoch = Instant::now();
        let config = EngineConfig {
            index: ShardIndex(3),
            certificate: Arc::new(Certificate::generate().unwrap()),
            seed: [5; 32],
            epoch,
            wall_clock: WallClock::default(),
        };
        Self {
            engine: Engine::new(config),
            sink: ListSink::new(),
            now: MonoTime::from_millis(1_000),
            epoch,
            events: Vec::new(),
            commands: 0,
        }
    }

    /// A bench with an open room.
    pub fn with_room() -> Self {
        let mut bench = Self::new();
        bench.apply(set_room(ROOM)).unwrap();
        bench
    }

    /// Runs a command, and says what came of it. Other events are kept.
    pub fn apply(&mut self, command: ShardCommand) -> Result<CommandOutcome, CommandRefused> {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.engine.apply(self.now, id, command, &mut self.sink);
        self.collect();
        match self.events.pop() {
            Some(ShardEvent::Applied { id: told, outcome }) if told == id => outcome,
            other => panic!("the acknowledgement is the last event, not {other:?}"),
        }
    }

    pub fn seat(&mut self, participant: u32) {
        let seat = StageSeat {
            rank: StageRank::Speaker,
            order: u64::from(participant),
        };
        self.set(participant, Some(seat), Permits::ALL);
    }

    pub fn listen(&mut self, participant: u32) {
        self.set(participant, None, Permits::NONE);
    }

    pub fn set(&mut self, participant: u32, seat: Option<StageSeat>, permits: Permits) {
        self.apply(ShardCommand::SetParticipant {
            room: ROOM,
            participant: key(participant),
            seat,
            permits,
        })
        .unwrap();
    }

    /// Opens a session for `client` and gives our credentials.
    pub fn open(&mut self, participant: u32, client: &Client) -> IceCredentials {
        let open = open_session(participant, client);
        match self.apply(ShardCommand::OpenSession(Box::new(open))) {
            Ok(CommandOutcome::SessionOpened { local_ice }) => local_ice,
            other => panic!("no session: {other:?}"),
        }
    }

    /// A connected client of a participant that is set already.
    pub fn connect(&mut self, participant: u32) -> Client {
        let mut client = Client::new(u16::try_from(participant).unwrap(), self.epoch);
        let server = self.open(participant, &client);
        client.check(&server);
        self.pump(&mut [&mut client]);
        client.start_dtls();
        self.pump(&mut [&mut client]);
        assert!(client.is_connected(), "the handshake is done");
        client
    }

    /// Carries datagrams both ways until nobody has anything to say.
    pub fn pump(&mut self, clients: &mut [&mut Client]) {
        for _ in 0..64 {
            let mut is_quiet = true;
            for client in clients.iter_mut() {
                while let Some(mut datagram) = client.outgoing.pop_front() {
                    is_quiet = false;
                    let from = client.addr;
                    self.engine
                        .on_datagram(self.now, from, &mut datagram, &mut self.sink);
                }
            }
            self.engine.on_timeout(self.now, &mut self.sink);
            is_quiet &= self.sink.len() == 0;
            self.deliver(clients);
            if is_quiet {
                break;
            }
        }
        self.collect();
    }

    /// Lets time pass in steps of 5 ms, carrying datagrams.
    pub fn run_for(&mut self, span: Duration, clients: &mut [&mut Client]) {
        let end = self.now.plus(span);
        while self.now < end {
            self.now = self.now.plus(Duration::from_millis(5));
            self.pump(clients);
        }
    }

    pub fn collect(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            self.events.push(event);
        }
    }

    fn deliver(&mut self, clients: &mut [&mut Client]) {
        for (to, bytes, _) in self.sink.datagrams() {
            if let Some(client) = clients.iter_mut().find(|client| client.addr == to) {
                client.on_datagram(bytes);
            }
        }
        self.sink.clear();
    }
}

pub fn key(participant: u32) -> ParticipantKey {
    ParticipantKey(NonZeroU32::new(participant).unwrap())
}

pub fn session(participant: u32) -> SessionId {
    SessionId(u64::from(participant))
}

pub fn set_room(room: RoomKey) -> ShardCommand {
    ShardCommand::SetRoom {
        room,
        settings: MediaRoomSettings::default(),
    }
}

/// SSRC of a participant's microphone (0) or camera (1, RTX 2).
pub fn ssrc(participant: u32, stream: u32) -> u32 {
    participant * 100 + stream
}

pub fn extensions() -> ExtensionMap {
    let id = ExtensionId::new;
    ExtensionMap {
        mid: id(1),
        audio_level: id(2),
        transport_cc: id(3),
        ..ExtensionMap::default()
    }
}

pub fn open_session(participant: u32, client: &Client) -> OpenSession {
    let codec = |codec, payload_type, rtx| NegotiatedCodec {
        codec,
        payload_type: PayloadType::from_octet(payload_type),
        rtx_payload_type: PayloadType::new(rtx).filter(|_| rtx != 0),
    };
    let opus = vec![codec(Codec::Opus, OPUS, 0)];
    let vp8 = vec![codec(Codec::Vp8, VP8, VP8_RTX)];
    let rx = |mid, source, codecs: &Vec<NegotiatedCodec>, stream, rtx| RxMedia {
        mid: Mid::new(mid).unwrap(),
        source,
        codecs: codecs.clone(),
        rids: Vec::new(),
        ssrcs: vec![DeclaredSsrc {
            ssrc: Ssrc(ssrc(participant, stream)),
            rtx,
        }],
        extensions: extensions(),
    };
    let tx = |mid, slot, codecs: &Vec<NegotiatedCodec>, n: u32, has_rtx: bool| TxMedia {
        mid: Mid::new(mid).unwrap(),
        slot,
        codecs: codecs.clone(),
        ssrc: Ssrc(0x4000_0000 + participant * 100 + n),
        rtx_ssrc: has_rtx.then_some(Ssrc(0x4000_0000 + participant * 100 + n + 50)),
        extensions: extensions(),
    };
    OpenSession {
        session: session(participant),
        room: ROOM,
        participant: key(participant),
        remote_ice: client.ice.clone(),
        fingerprints: vec![client.fingerprint],
        rx: vec![
            rx("0", SourceKind::Microphone, &opus, 0, None),
            rx(
                "1",
                SourceKind::Camera,
                &vp8,
                1,
                Some(Ssrc(ssrc(participant, 2))),
            ),
        ],
        tx: vec![
            tx("2", SlotId::Audio(0), &opus, 0, false),
            tx("3", SlotId::Audio(1), &opus, 1, false),
            tx("4", SlotId::Main, &vp8, 2, true),
        ],
    }
}

/// Levels as speech has them: a breath of 160 ms in every second, and syllables.
pub fn speech(n: u16) -> u8 {
    let syllables = [22, 28, 34, 26, 38, 30, 24, 36];
    match n % 50 {
        1..=8 => 75,
        _ => syllables[usize::from(n % 8)],
    }
}

/// The n-th audio packet of a participant, 20 ms each, at `level` (0 loudest) with voice.
pub fn audio(participant: u32, n: u16, level: u8) -> Vec<u8> {
    let mut packet = header(OPUS, false, n, u32::from(n) * 960, ssrc(participant, 0));
    packet[0] |= 0x10;
    packet.extend([0xbe, 0xde, 0, 1, 0x20, 0x80 | level, 0, 0]);
    packet.extend([0x78; 100]);
    packet
}

/// The n-th video packet of a participant: single-packet VP8 frames at 25 a second, the first of
/// every 50 a keyframe unless asked otherwise.
pub fn video(participant: u32, n: u16, is_keyframe: bool) -> Vec<u8> {
    let mut packet = header(VP8, true, n, u32::from(n) * 3_600, ssrc(participant, 1));
    // Descriptor: X, S; I with a 15-bit picture id. RFC 7741 §4.2.
    let [high, low] = (n & 0x7fff).to_be_bytes();
    packet.extend([0x90, 0x80, 0x80 | high, low]);
    // Payload header: P is the lowest bit, inverted; a keyframe has a start code and dimensions.
    packet.extend([
        u8::from(!is_keyframe),
        0,
        0,
        0x9d,
        0x01,
        0x2a,
        0x80,
        2,
        0x68,
        1,
    ]);
    packet.extend([n.to_be_bytes()[1]; 900]);
    packet
}

fn header(payload_type: u8, marker: bool, seq: u16, timestamp: u32, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
    packet.extend(seq.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet
}

/// What a received RTP packet says: SSRC, sequence number, first CSRC, payload.
pub fn read(packet: &[u8]) -> (u32, u16, Option<u32>, &[u8]) {
    let view = estrade_rtp::RtpView::parse(packet).unwrap();
    let csrc = view.csrcs().next();
    (
        view.ssrc().0,
        view.sequence_number().0,
        csrc.map(|c| c.0),
        view.payload(),
    )
}
