//! The DTLS server side of one endpoint: `rtc::dtls` behind a gate, with our own retransmission.
//! RFC 6347, RFC 5764.
//!
//! Fed by the transport with datagrams from validated addresses; read by it for datagrams to send
//! and for the keys. Whatever address the endpoint uses, the association is the same: ICE says where
//! it is.
//!
//! What the library does not do is done here. It takes the first SRTP profile of the *client's* list,
//! so we offer it GCM alone, and give the same ClientHello to a new one that offers AES-CM if that
//! finds no match. It keeps what a stranger's hello did to it, so until a client shows its cookie
//! another hello begins anew. And it loses its retransmission timer when a client repeats a
//! flight, so its timers are switched off and we send the last flight again ourselves, byte for
//! byte: what the client has already is a replay to it.

mod config;
mod gate;
mod hello;

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use bytes::BytesMut;
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::shared::TransportProtocol;
use rtc::shared::error::Error as RtcError;
use webrtc::peer_connection::crypto::RTCCrypto;

use estrade_types::{DropReason, Fingerprint, MonoTime};

use crate::certificate::Certificate;
use crate::srtp::SrtpProfile;
pub(crate) use config::SrtpKeys;
use config::{HandshakeFailed, server_config};
use gate::{Gate, Stage};
use hello::Hello;

/// The library tells associations apart by address; ours has one, whatever ICE says.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// ClientHellos refused before the session is given up.
const HELLOS_REFUSED_MAX: u32 = 4;
/// Datagrams of a flight; ours have at most three.
const FLIGHT_DATAGRAMS_MAX: usize = 8;
/// First wait for an answer to a flight; doubled each time. RFC 6347 §4.2.4.1 asks for 1 s, and
/// WebRTC endpoints use far less: what is lost is a join.
const RETRANSMIT_FIRST: Duration = Duration::from_millis(500);
const RETRANSMIT_LAST: Duration = Duration::from_secs(4);
/// Flights sent again, for both reasons together; after that the endpoint is left to its time-out.
const RETRANSMITS_MAX: u32 = 16;
/// Shortest time between two answers to a client that repeats itself.
const REPETITION_INTERVAL: Duration = Duration::from_millis(50);

/// How the association ended or began.
#[derive(Debug)]
pub(crate) enum DtlsEvent {
    /// The peer is who its offer said, and these are the keys.
    Connected(Box<SrtpKeys>),
    /// The handshake failed for good.
    Failed,
    /// The endpoint closed the association, authentically.
    ClosedByEndpoint,
}

/// The server side of one association.
pub(crate) struct DtlsServer {
    certificate: Arc<Certificate>,
    fingerprints: Arc<[Fingerprint]>,
    /// The instant of [`MonoTime::ZERO`].
    epoch: Instant,
    endpoint: Endpoint,
    profile: SrtpProfile,
    gate: Gate,
    progress: Progress,
    /// Whose hello was answered with a cookie.
    client: Option<[u8; 34]>,
    hellos_refused: u32,
    /// The last flight, to be sent again.
    flight: ArrayVec<BytesMut, FLIGHT_DATAGRAMS_MAX>,
    outgoing: VecDeque<BytesMut>,
    retransmits_left: u32,
    retransmit: Option<Retransmit>,
    sent_at: MonoTime,
}

/// How far the handshake got. RFC 6347 §4.2.4, figure 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing answered yet.
    AwaitingHello,
    /// HelloVerifyRequest was sent.
    AwaitingCookie,
    /// ServerHello to ServerHelloDone were sent.
    AwaitingFinished,
    /// Both sides are finished.
    Connected,
    /// Failed or closed.
    Closed,
}

#[derive(Clone, Copy, Debug)]
struct Retransmit {
    at: MonoTime,
    wait: Duration,
}

impl DtlsServer {
    pub(crate) fn new(
        certificate: Arc<Certificate>,
        fingerprints: &[Fingerprint],
        epoch: Instant,
        now: MonoTime,
    ) -> Result<Self, HandshakeFailed> {
        let fingerprints: Arc<[Fingerprint]> = fingerprints.into();
        let profile = SrtpProfile::AeadAes128Gcm;
        Ok(Self {
            endpoint: new_endpoint(&certificate, &fingerprints, profile)?,
            certificate,
            fingerprints,
            epoch,
            profile,
            gate: Gate::new(),
            progress: Progress::AwaitingHello,
            client: None,
            hellos_refused: 0,
            flight: ArrayVec::new(),
            outgoing: VecDeque::new(),
            retransmits_left: RETRANSMITS_MAX,
            retransmit: None,
            sent_at: now,
        })
    }

    /// Feeds a datagram from a validated address.
    pub(crate) fn on_datagram(
        &mut self,
        now: MonoTime,
        datagram: &[u8],
    ) -> Result<Option<DtlsEvent>, DropReason> {
        let Some(stage) = self.stage() else {
            return Err(DropReason::NotConnected);
        };
        let passed = self.gate.sort(stage, datagram)?;
        if passed.is_repetition {
            self.answer_repetition(now);
        }
        for hello in passed.hellos {
            if let Some(event) = self.on_hello(now, &hello)? {
                return Ok(Some(event));
            }
        }
        if passed.records.is_empty() {
            return Ok(None);
        }
        Ok(self.feed(now, passed.records))
    }

    /// Sends the last flight again if it is time.
    pub(crate) fn on_timeout(&mut self, now: MonoTime) {
        let Some(retransmit) = self.retransmit.filter(|retransmit| retransmit.at <= now) else {
            return;
        };
        self.send_flight_again(now);
        let wait = (retransmit.wait * 2).min(RETRANSMIT_LAST);
        self.retransmit = (self.retransmits_left > 0).then(|| Retransmit {
            at: now.plus(wait),
            wait,
        });
    }

    /// Queues `close_notify`. Before the handshake is done there is nothing to close.
    pub(crate) fn close(&mut self, now: MonoTime) {
        if self.progress == Progress::Connected && self.endpoint.close(self.instant(now)).is_ok() {
            self.drain();
        }
        self.end();
    }

    pub(crate) fn next_deadline(&self) -> Option<MonoTime> {
        self.retransmit.map(|retransmit| retransmit.at)
    }

    /// The next datagram to send, if it fits.
    pub(crate) fn poll_transmit(&mut self, out: &mut [u8]) -> Option<usize> {
        let datagram = self.outgoing.pop_front()?;
        out.get_mut(..datagram.len())?.copy_from_slice(&datagram);
        Some(datagram.len())
    }

    /// The primitives the keys are made for.
    pub(crate) fn crypto(&self) -> &dyn RTCCrypto {
        self.certificate.provider().crypto()
    }

    /// `None` once it is over.
    const fn stage(&self) -> Option<Stage> {
        match self.progress {
            Progress::AwaitingHello | Progress::AwaitingCookie => Some(Stage::Hello),
            Progress::AwaitingFinished => Some(Stage::Handshaking),
            Progress::Connected => Some(Stage::Connected),
            Progress::Closed => None,
        }
    }

    /// Takes a whole ClientHello. RFC 6347 §4.2.1.
    fn on_hello(&mut self, now: MonoTime, hello: &Hello) -> Result<Option<DtlsEvent>, DropReason> {
        let identity = hello.identity().ok_or(DropReason::Malformed)?;
        let is_same_client = self.client == Some(identity);
        match (self.progress, hello.message_sequence) {
            (Progress::AwaitingHello, 0) => self.on_first_hello(now, hello),
            (Progress::AwaitingCookie, 0) if is_same_client => {
                self.answer_repetition(now);
                Ok(None)
            }
            (Progress::AwaitingCookie, 0) => {
                self.progress = Progress::AwaitingHello;
                self.profile = SrtpProfile::AeadAes128Gcm;
                match self.start_again() {
                    Ok(()) => self.on_first_hello(now, hello),
                    Err(HandshakeFailed) => Ok(self.refuse_hello()),
                }
            }
            (Progress::AwaitingCookie, _) if is_same_client => {
                let record = self.gate.frame(hello)?;
                Ok(self.feed(now, record))
            }
            _ => Err(DropReason::Malformed),
        }
    }

    /// Answers with a cookie, in the profile that the client has.
    fn on_first_hello(
        &mut self,
        now: MonoTime,
        hello: &Hello,
    ) -> Result<Option<DtlsEvent>, DropReason> {
        let record = self.gate.frame(hello)?;
        let mut read = self.endpoint.read(self.instant(now), PEER, None, record);
        if matches!(read, Err(RtcError::ErrServerNoMatchingSrtpProfile))
            && self.profile == SrtpProfile::AeadAes128Gcm
        {
            self.profile = SrtpProfile::Aes128CmHmacSha1_80;
            if self.start_again().is_ok() {
                let record = self.gate.frame(hello)?;
                read = self.endpoint.read(self.instant(now), PEER, None, record);
            }
        }
        match read {
            Ok(events) => {
                let event = self.advance(now, &events);
                if self.progress == Progress::AwaitingHello {
                    // The library could not even read it.
                    return Ok(self.refuse_hello());
                }
                self.client = hello.identity();
                Ok(event)
            }
            Err(_) => Ok(self.refuse_hello()),
        }
    }

    /// Feeds what follows the first hello.
    fn feed(&mut self, now: MonoTime, records: BytesMut) -> Option<DtlsEvent> {
        let read = self.endpoint.read(self.instant(now), PEER, None, records);
        match (read, self.progress) {
            (Ok(events), _) => self.advance(now, &events),
            (Err(RtcError::ErrAlertFatalOrClose), Progress::Connected) => {
                self.drain();
                self.end();
                Some(DtlsEvent::ClosedByEndpoint)
            }
            // An authentic warning.
            (Err(_), Progress::Connected) => None,
            (Err(_), _) => {
                self.drain();
                self.end();
                Some(DtlsEvent::Failed)
            }
        }
    }

    /// Takes what the library queued and sees how far it got.
    fn advance(&mut self, now: MonoTime, events: &[EndpointEvent]) -> Option<DtlsEvent> {
        let is_closed = events
            .iter()
            .any(|event| matches!(event, EndpointEvent::PeerClosed));
        let is_complete = events
            .iter()
            .any(|event| matches!(event, EndpointEvent::HandshakeComplete));
        let before = self.outgoing.len();
        self.drain();
        if is_closed {
            let was_connected = self.progress == Progress::Connected;
            self.end();
            return Some(if was_connected {
                DtlsEvent::ClosedByEndpoint
            } else {
                DtlsEvent::Failed
            });
        }
        if self.outgoing.len() > before {
            self.note_flight(now, before);
        }
        is_complete.then(|| self.complete())
    }

    /// A flight was queued from `first` on: the handshake took a step.
    fn note_flight(&mut self, now: MonoTime, first: usize) {
        self.flight.clear();
        let flight = self.outgoing.iter().skip(first).take(FLIGHT_DATAGRAMS_MAX);
        self.flight.extend(flight.cloned());
        self.sent_at = now;
        self.progress = match self.progress {
            Progress::AwaitingHello => Progress::AwaitingCookie,
            Progress::AwaitingCookie => Progress::AwaitingFinished,
            later => later,
        };
        // A server repeats its HelloVerifyRequest only when asked. RFC 6347 §4.2.1.
        self.retransmit = (self.progress == Progress::AwaitingFinished).then(|| Retransmit {
            at: now.plus(RETRANSMIT_FIRST),
            wait: RETRANSMIT_FIRST,
        });
    }

    /// Verifies the peer once more and exports the keys.
    fn complete(&mut self) -> DtlsEvent {
        self.retransmit = None;
        let keys = self
            .endpoint
            .get_connection_state(PEER)
            .and_then(|state| config::export_keys(&self.certificate, &self.fingerprints, state));
        match keys {
            Some(keys) => {
                self.progress = Progress::Connected;
                DtlsEvent::Connected(Box::new(keys))
            }
            None => {
                self.outgoing.clear();
                self.end();
                DtlsEvent::Failed
            }
        }
    }

    /// A hello that cannot be served, perhaps not the endpoint's: forget it and wait for another.
    fn refuse_hello(&mut self) -> Option<DtlsEvent> {
        // The alert tells a client with no cipher in common why; it changes nothing here.
        self.drain();
        self.hellos_refused += 1;
        self.profile = SrtpProfile::AeadAes128Gcm;
        if self.hellos_refused < HELLOS_REFUSED_MAX && self.start_again().is_ok() {
            return None;
        }
        self.end();
        Some(DtlsEvent::Failed)
    }

    fn start_again(&mut self) -> Result<(), HandshakeFailed> {
        self.endpoint = new_endpoint(&self.certificate, &self.fingerprints, self.profile)?;
        Ok(())
    }

    fn answer_repetition(&mut self, now: MonoTime) {
        if now - self.sent_at >= REPETITION_INTERVAL {
            self.send_flight_again(now);
        }
    }

    fn send_flight_again(&mut self, now: MonoTime) {
        let Some(left) = self.retransmits_left.checked_sub(1) else {
            return;
        };
        self.retransmits_left = left;
        self.sent_at = now;
        self.outgoing.extend(self.flight.iter().cloned());
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.outgoing.push_back(transmit.message);
        }
    }

    fn end(&mut self) {
        self.progress = Progress::Closed;
        self.retransmit = None;
        self.flight.clear();
    }

    fn instant(&self, now: MonoTime) -> Instant {
        self.epoch
            .checked_add(Duration::from_nanos(now.0))
            .unwrap_or(self.epoch)
    }
}

impl fmt::Debug for DtlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsServer")
            .field("progress", &self.progress)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

fn new_endpoint(
    certificate: &Certificate,
    fingerprints: &Arc<[Fingerprint]>,
    profile: SrtpProfile,
) -> Result<Endpoint, HandshakeFailed> {
    let config = server_config(certificate, fingerprints, profile)?;
    Ok(Endpoint::new(
        PEER,
        TransportProtocol::UDP,
        Some(Arc::new(config)),
    ))
}
