//! `webrtc::PeerConnection` as an independent peer: Rust clients over the client WebSocket that send
//! marked packets and note when each arrives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use estrade_server::{Config, Server};
use estrade_types::Role;
use futures_util::{SinkExt, StreamExt};
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MediaEngine};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState,
};

use crate::token::token;

const PATIENCE: Duration = Duration::from_secs(30);
const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const SSRC: u32 = 0x5EED_0001;

/// A packet that arrived: when, and the mark in its payload.
#[derive(Debug)]
struct Arrival {
    at: Instant,
    mark: u8,
    sequence_number: u16,
}

#[derive(Clone)]
struct Ears {
    arrivals: mpsc::UnboundedSender<Arrival>,
    states: mpsc::UnboundedSender<RTCPeerConnectionState>,
    gathered: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl PeerConnectionEventHandler for Ears {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _gone = self.gathered.send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let _gone = self.states.send(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let arrivals = self.arrivals.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event
                    && let Some(&mark) = packet.payload.first()
                {
                    let sequence_number = packet.header.sequence_number;
                    let _gone = arrivals.send(Arrival {
                        at: Instant::now(),
                        mark,
                        sequence_number,
                    });
                }
            }
        });
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One Rust client.
struct Peer {
    socket: Socket,
    connection: Box<dyn PeerConnection>,
    track: Arc<TrackLocalStaticRTP>,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    sequence_number: u16,
    mark: u8,
    next_id: u64,
}

impl Peer {
    async fn join(server: &Server, room: &str, identity: &str, role: Role, mark: u8) -> Self {
        let token = token(room, identity, role);
        let url = format!("ws://{}/v1/connect?token={token}", server.http_addr());
        let (socket, _) = connect_async(url).await.expect("the WebSocket opens");
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let (stated, mut states) = mpsc::unbounded_channel();
        let (gathered, mut gathering) = mpsc::unbounded_channel();
        let ears = Ears {
            arrivals: arrived,
            states: stated,
            gathered,
        };
        let connection = connection(ears).await;
        let track = outgoing();
        let receive = || {
            Some(RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                streams: Vec::new(),
                send_encodings: Vec::new(),
            })
        };
        for _ in 0..3 {
            let added = connection
                .add_transceiver_from_kind(RtpCodecKind::Audio, receive())
                .await;
            added.expect("a slot");
        }
        connection
            .add_track(Arc::clone(&track) as Arc<dyn TrackLocal>)
            .await
            .expect("a microphone");
        let mut peer = Self {
            socket,
            connection,
            track,
            arrivals,
            sequence_number: 1,
            mark,
            next_id: 1,
        };
        peer.negotiate(&mut gathering).await;
        let connected = async {
            while states.recv().await.expect("the connection lives")
                != RTCPeerConnectionState::Connected
            {}
        };
        tokio::time::timeout(PATIENCE, connected)
            .await
            .expect("the peer connects");
        peer
    }

    async fn negotiate(&mut self, gathering: &mut mpsc::UnboundedReceiver<()>) {
        let offer = self.connection.create_offer(None).await.expect("an offer");
        self.connection
            .set_local_description(offer)
            .await
            .expect("a local description");
        tokio::time::timeout(PATIENCE, gathering.recv())
            .await
            .expect("gathers in time");
        let offer = self.connection.local_description().await.expect("an offer");
        // The library offers what it sends as sendrecv; we hold to the protocol's one direction.
        let reply = self
            .request(json!({ "type": "offer", "sdp": one_way(&offer.sdp) }))
            .await;
        let sdp = reply["sdp"]
            .as_str()
            .unwrap_or_else(|| panic!("an answer: {reply}"))
            .to_owned();
        let answer =
            webrtc::peer_connection::RTCSessionDescription::answer(sdp).expect("an answer");
        self.connection
            .set_remote_description(answer)
            .await
            .expect("our answer is taken");
    }

    /// Sends a request and waits for its answer.
    async fn request(&mut self, mut message: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        message["id"] = json!(id);
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .expect("the socket is open");
        let answered = async {
            loop {
                let reply = self
                    .socket
                    .next()
                    .await
                    .expect("stays open")
                    .expect("a message");
                let Message::Text(text) = reply else { continue };
                let reply: Value = serde_json::from_str(&text).expect("JSON");
                if reply["id"] == json!(id) {
                    return reply;
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered)
            .await
            .expect("the server answers")
    }

    /// Sends one marked packet that claims to be loud.
    async fn speak(&mut self) {
        self.sequence_number = self.sequence_number.wrapping_add(1);
        let mut packet = rtc::rtp::Packet::default();
        packet.header.version = 2;
        packet.header.payload_type = 111;
        packet.header.sequence_number = self.sequence_number;
        packet.header.timestamp = u32::from(self.sequence_number) * 960;
        packet.header.ssrc = SSRC;
        packet.payload = bytes::Bytes::from(vec![self.mark; 60]);
        let level = rtc::rtp::extension::audio_level_extension::AudioLevelExtension {
            level: if self.sequence_number % 25 < 20 {
                20
            } else {
                60
            },
            voice: true,
        };
        let extension = rtc::rtp::extension::HeaderExtension::AudioLevel(level);
        self.track
            .write_rtp_with_extensions(packet, &[extension])
            .await
            .expect("the packet leaves");
    }

    fn drain(&mut self) -> Vec<Arrival> {
        std::iter::from_fn(|| self.arrivals.try_recv().ok()).collect()
    }
}

async fn connection(ears: Ears) -> Box<dyn PeerConnection> {
    let mut media = MediaEngine::default();
    media
        .register_codec(opus(), RtpCodecKind::Audio)
        .expect("Opus");
    let level = RTCRtpHeaderExtensionCapability {
        uri: AUDIO_LEVEL.to_owned(),
    };
    media
        .register_header_extension(level, RtpCodecKind::Audio, None)
        .expect("audio level");
    let registry =
        register_default_interceptors(Registry::new(), &mut media).expect("interceptors");
    let built = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(media)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(ears))
        .with_runtime(Arc::new(webrtc::runtime::TokioRuntime))
        .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
        .build()
        .await;
    Box::new(built.expect("a peer connection"))
}

fn opus() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
            rtcp_feedback: Vec::new(),
        },
        payload_type: 111,
    }
}

fn outgoing() -> Arc<TrackLocalStaticRTP> {
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
        "stream".to_owned(),
        "microphone".to_owned(),
        "microphone".to_owned(),
        RtpCodecKind::Audio,
        vec![RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(SSRC),
                ..Default::default()
            },
            codec: opus().rtp_codec,
            ..Default::default()
        }],
    )))
}

fn one_way(sdp: &str) -> String {
    sdp.replace("a=sendrecv", "a=sendonly")
}

async fn open() -> Server {
    Server::start(Config::dev().on_any_ports())
        .await
        .expect("the server starts")
}

/// Everybody sends a packet every 20 ms until `until` is over.
async fn talk(peers: &mut [&mut Peer], span: Duration) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let end = Instant::now() + span;
    while Instant::now() < end {
        ticks.tick().await;
        for peer in peers.iter_mut() {
            peer.speak().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mute_is_silence_within_50_ms_of_its_acknowledgement() {
    let server = open().await;
    let mut host = Peer::join(&server, "mute", "host", Role::Host, 1).await;
    let mut ada = Peer::join(&server, "mute", "ada", Role::Speaker, 2).await;
    let mut listener = Peer::join(&server, "mute", "listener", Role::Listener, 3).await;

    talk(&mut [&mut ada], Duration::from_millis(1_000)).await;
    let before = listener.drain();
    assert!(
        before.iter().filter(|each| each.mark == 2).count() > 20,
        "heard before: {before:?}"
    );
    assert!(
        before.windows(2).all(|pair| {
            let [a, b] = pair else { return true };
            b.sequence_number == a.sequence_number.wrapping_add(1)
        }),
        "one continuous stream: {before:?}"
    );

    // Ada keeps sending while she is muted, and after; what she sends after it has another mark.
    talk(&mut [&mut ada], Duration::from_millis(200)).await;
    let mute = json!({ "type": "mute", "participant": "ada", "kind": "audio", "lock": false });
    let reply = host.request(mute).await;
    let acknowledged = Instant::now();
    assert_eq!(reply["type"], "ok", "{reply}");
    ada.mark = 9;
    talk(&mut [&mut ada], Duration::from_millis(800)).await;
    let heard = listener.drain();
    assert!(
        heard.iter().all(|each| each.mark == 2),
        "nothing sent after the acknowledgement is heard: {heard:?}"
    );
    let last = heard.last().map(|each| each.at);
    let tail = last.map_or(Duration::ZERO, |at| {
        at.saturating_duration_since(acknowledged)
    });
    println!("the last packet arrived {tail:?} after the acknowledgement");
    assert!(
        tail <= Duration::from_millis(50),
        "silence within 50 ms, not {tail:?}"
    );

    let unmuted = ada
        .request(json!({ "type": "selfMute", "kind": "audio", "muted": false }))
        .await;
    assert_eq!(
        unmuted["type"], "ok",
        "a soft mute may be undone by its owner: {unmuted}"
    );
    talk(&mut [&mut ada], Duration::from_millis(800)).await;
    assert!(
        listener.drain().iter().any(|each| each.mark == 9),
        "heard again"
    );
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_sends_is_never_heard_and_nobody_hears_themselves() {
    let server = open().await;
    let mut host = Peer::join(&server, "listen", "host", Role::Host, 1).await;
    let mut listener = Peer::join(&server, "listen", "mallory", Role::Listener, 7).await;
    let mut other = Peer::join(&server, "listen", "other", Role::Listener, 8).await;

    talk(
        &mut [&mut host, &mut listener],
        Duration::from_millis(1_500),
    )
    .await;
    let heard = other.drain();
    assert!(heard.iter().any(|each| each.mark == 1), "the host is heard");
    assert!(heard.iter().all(|each| each.mark == 1), "and nobody else");
    assert!(
        host.drain()
            .iter()
            .all(|each| each.mark != 1 && each.mark != 7),
        "no echo, no listener"
    );
    server.stop(Duration::from_secs(5)).await;
}
