//! A client that is not ours: ICE, DTLS, SRTP, SDP, NACK, reports and transport feedback by the
//! `rtc` crate's sans-IO peer connection, driven in virtual time.
//!
//! It offers, as our own clients do: a microphone and a camera if it may publish, then receive-only
//! sections for audio and video slots. Media starts and stops by script; keyframe requests are
//! obeyed; everything received is filed in a [`Ledger`] as it comes out of SRTP.

mod publish;
mod setup;
mod tap;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use estrade_types::{MediaKind, MonoTime, RtpTimestamp, SeqNo, Ssrc};
use rtc::peer_connection::RTCPeerConnection;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use crate::{AudioSource, Ledger, MediaTag, Node, Outbox, Received, VideoSource};
use publish::Publishing;
use tap::{Repairs, Tap, Tapped};

/// How an endpoint is set up.
#[derive(Clone, Copy, Debug)]
pub struct EndpointConfig {
    /// Its address.
    pub addr: SocketAddr,
    /// The instant of [`MonoTime::ZERO`]. Any will do, captured once by the test: the `rtc` crate
    /// tells time in [`Instant`]s, of which only distances count.
    pub epoch: Instant,
    /// Fixes its SSRCs, first sequence numbers and timestamps.
    pub seed: u64,
    /// Whether it offers a microphone and a camera.
    pub publishes: bool,
    /// Receive-only audio sections it offers.
    pub audio_slots: u8,
    /// Receive-only video sections it offers.
    pub video_slots: u8,
}

/// A keyframe asked of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyframeRequest {
    /// When it arrived.
    pub at: MonoTime,
    /// Whether it was a FIR rather than a PLI.
    pub is_fir: bool,
}

/// A scripted client on the `rtc` crate.
pub struct RtcEndpoint {
    config: EndpointConfig,
    connection: RTCPeerConnection,
    tapped: mpsc::Receiver<Tapped>,
    publishing: Option<Publishing>,
    state: RTCPeerConnectionState,
    was_connected: bool,
    ledger: Ledger,
    repairs: Repairs,
    keyframe_requests: Vec<KeyframeRequest>,
    nacked: u64,
    sender_reports: u64,
    /// Something was done from outside that has not been sent.
    is_dirty: bool,
    /// When the connection was last given the time.
    last_served: MonoTime,
    errors: Vec<Error>,
}

impl fmt::Debug for RtcEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtcEndpoint")
            .field("config", &self.config)
            .field("state", &self.state)
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}

impl RtcEndpoint {
    /// An endpoint that has not offered yet.
    ///
    /// # Errors
    ///
    /// When the `rtc` crate refuses the configuration.
    pub fn new(config: EndpointConfig) -> Result<Self, Error> {
        let (tap, tapped) = mpsc::channel();
        let repairs = Repairs::default();
        let tap = Tap::new(tap, Arc::clone(&repairs));
        let mut connection = setup::connection(&config, tap)?;
        let publishing = match config.publishes {
            true => Some(Publishing::add(&mut connection, config.seed)?),
            false => None,
        };
        setup::add_slots(&mut connection, &config)?;
        Ok(Self {
            config,
            connection,
            tapped,
            publishing,
            state: RTCPeerConnectionState::New,
            was_connected: false,
            ledger: Ledger::default(),
            repairs,
            keyframe_requests: Vec::new(),
            nacked: 0,
            sender_reports: 0,
            is_dirty: false,
            last_served: MonoTime::ZERO,
            errors: Vec::new(),
        })
    }

    /// Its offer.
    ///
    /// # Errors
    ///
    /// When the `rtc` crate cannot make one.
    pub fn offer(&mut self, now: MonoTime) -> Result<String, Error> {
        let offer = self.connection.create_offer(None)?;
        self.connection
            .set_local_description(self.instant(now), offer.clone())?;
        self.is_dirty = true;
        Ok(offer.sdp)
    }

    /// Takes the answer; the checks start.
    ///
    /// # Errors
    ///
    /// When the `rtc` crate does not accept it.
    pub fn accept(&mut self, now: MonoTime, answer: &str) -> Result<(), Error> {
        // There is one answer for life.
        self.repairs.get_or_init(|| repairs_of(answer));
        let answer = RTCSessionDescription::answer(answer.to_owned())?;
        self.connection
            .set_remote_description(self.instant(now), answer)?;
        self.is_dirty = true;
        Ok(())
    }

    /// Starts the microphone, or changes what it hears.
    pub fn start_audio(&mut self, now: MonoTime, source: AudioSource) {
        if let Some(publishing) = &mut self.publishing {
            publishing.start_audio(now, source);
        }
    }

    /// Stops the microphone; nothing more is sent.
    pub fn stop_audio(&mut self) {
        if let Some(publishing) = &mut self.publishing {
            publishing.stop_audio();
        }
    }

    /// Somebody starts to talk at this level in -dBov, or stops.
    pub fn set_voice(&mut self, voice: Option<u8>) {
        if let Some(publishing) = &mut self.publishing {
            publishing.set_voice(voice);
        }
    }

    /// Starts the camera, with a keyframe.
    pub fn start_video(&mut self, now: MonoTime, source: VideoSource) {
        if let Some(publishing) = &mut self.publishing {
            publishing.start_video(now, source);
        }
    }

    /// Stops the camera; nothing more is sent.
    pub fn stop_video(&mut self) {
        if let Some(publishing) = &mut self.publishing {
            publishing.stop_video();
        }
    }

    /// Closes the connection, telling the other side.
    pub fn close(&mut self) {
        let closed = self.connection.close();
        self.note(closed);
        self.publishing = None;
        self.is_dirty = true;
    }

    /// Whether ICE and DTLS are up.
    pub fn is_connected(&self) -> bool {
        self.state == RTCPeerConnectionState::Connected
    }

    /// Whether the other side has gone: closed, or lost beyond hope.
    pub fn is_closed(&self) -> bool {
        matches!(
            self.state,
            RTCPeerConnectionState::Closed | RTCPeerConnectionState::Failed
        )
    }

    /// What it received.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Keyframes asked of its camera, in order.
    pub fn keyframe_requests(&self) -> &[KeyframeRequest] {
        &self.keyframe_requests
    }

    /// Sequence numbers asked of it again.
    pub const fn nacked(&self) -> u64 {
        self.nacked
    }

    /// Sender reports it received.
    pub const fn sender_reports(&self) -> u64 {
        self.sender_reports
    }

    /// SSRCs of its microphone and its camera, if it publishes.
    pub fn published_ssrcs(&self) -> Option<(Ssrc, Ssrc)> {
        self.publishing.as_ref().map(Publishing::ssrcs)
    }

    /// Which packet of its microphone or camera a packet on the wire was, by [`MediaTag::packet`];
    /// sources that run longer than 65 536 packets are beyond this.
    pub fn packet_number(&self, ssrc: Ssrc, seq: u16) -> Option<(MediaKind, u32)> {
        self.publishing.as_ref()?.packet_number(ssrc, seq)
    }

    /// What the `rtc` crate complained about while it was driven.
    pub fn errors(&self) -> &[Error] {
        &self.errors
    }

    fn instant(&self, now: MonoTime) -> Instant {
        self.config.epoch + Duration::from_nanos(now.0)
    }

    fn mono(&self, at: Instant) -> MonoTime {
        MonoTime::ZERO.plus(at.saturating_duration_since(self.config.epoch))
    }

    /// From the first connection on until it is closed: as browsers do, also while checks go
    /// unanswered for a while.
    fn may_send(&self) -> bool {
        self.was_connected && !self.is_closed()
    }

    fn note(&mut self, outcome: Result<(), Error>) {
        self.errors.extend(outcome.err());
    }

    /// Takes everything out of the connection: packets for the wire, state, what was tapped.
    fn drain(&mut self, now: MonoTime, out: &mut Outbox) {
        while let Some(packet) = self.connection.poll_write() {
            out.send(packet.transport.peer_addr, &packet.message);
        }
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.state = state;
                self.was_connected |= self.is_connected();
            }
        }
        // The tap has seen every packet before.
        while self.connection.poll_read().is_some() {}
        while let Ok(tapped) = self.tapped.try_recv() {
            match tapped {
                Tapped::Rtp { packet, is_repair } => self.file(now, packet, is_repair),
                Tapped::KeyframeRequest { is_fir } => {
                    self.keyframe_requests
                        .push(KeyframeRequest { at: now, is_fir });
                    if let Some(publishing) = &mut self.publishing {
                        publishing.request_keyframe();
                    }
                }
                Tapped::Nack { packets } => self.nacked += packets,
                Tapped::SenderReport => self.sender_reports += 1,
            }
        }
    }

    /// Files a packet that came out of SRTP.
    fn file(&mut self, now: MonoTime, packet: rtc::rtp::Packet, is_repair: bool) {
        let header = packet.header;
        let payload = packet.payload.to_vec();
        let (ssrc, seq) = (Ssrc(header.ssrc), SeqNo(header.sequence_number));
        let kind = match header.payload_type {
            setup::OPUS => MediaKind::Audio,
            _ => MediaKind::Video,
        };
        self.ledger.file(ssrc, kind, seq, |seq| Received {
            at: now,
            seq,
            timestamp: RtpTimestamp(header.timestamp),
            marker: header.marker,
            payload_type: header.payload_type,
            csrc: header.csrc.first().copied().map(Ssrc),
            is_repair,
            tag: MediaTag::read(kind, &payload),
            payload,
        });
    }
}

impl Node for RtcEndpoint {
    fn on_datagram(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
        out: &mut Outbox,
    ) {
        let taken = self.connection.handle_read(TaggedBytesMut {
            now: self.instant(now),
            transport: TransportContext {
                local_addr: self.config.addr,
                peer_addr: from,
                ecn: None,
                transport_protocol: TransportProtocol::UDP,
            },
            message: BytesMut::from(&*datagram),
        });
        self.note(taken);
        self.drain(now, out);
    }

    fn on_timeout(&mut self, now: MonoTime, out: &mut Outbox) {
        self.is_dirty = false;
        self.last_served = now;
        let instant = self.instant(now);
        let served = self.connection.handle_timeout(instant);
        self.note(served);
        if self.may_send()
            && let Some(publishing) = &mut self.publishing
        {
            let published = publishing.on_timeout(now, instant, &mut self.connection);
            self.note(published);
        }
        self.drain(now, out);
    }

    fn next_deadline(&mut self) -> Option<MonoTime> {
        if self.is_dirty {
            return Some(MonoTime::ZERO);
        }
        // It may go on asking for a moment that it has been served: not twice in a millisecond.
        let soonest = self.last_served.plus(Duration::from_millis(1));
        let connection = self.connection.poll_timeout();
        let connection = connection.map(|at| self.mono(at).max(soonest));
        let publishing = self.publishing.as_ref();
        let media = publishing
            .filter(|_| self.may_send())
            .and_then(Publishing::next_deadline);
        connection.into_iter().chain(media).min()
    }
}

/// The pairs of `a=ssrc-group:FID` in a description: retransmission stream to primary.
fn repairs_of(description: &str) -> BTreeMap<u32, u32> {
    description
        .lines()
        .filter_map(|line| line.strip_prefix("a=ssrc-group:FID "))
        .filter_map(|pair| {
            let (primary, repair) = pair.trim().split_once(' ')?;
            Some((repair.parse().ok()?, primary.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests;
