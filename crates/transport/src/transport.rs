//! The transport as the shard sees it: it joins ICE, DTLS and SRTP, and owns their order.
//!
//! Fed and read by the shard, one call at a time. Invariants: DTLS is heard only from addresses that
//! ICE validated (RFC 8827 §6.5), media only after the handshake verified the certificate, and
//! nothing is sent anywhere but to a validated address.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use estrade_types::{CloseReason, DropReason, Fingerprint, IceCredentials, MonoTime};

use crate::dtls::{DtlsEvent, DtlsServer, SrtpKeys};
use crate::ice::IceLite;
use crate::{Certificate, SrtpProfile, SrtpRx, SrtpTx, StunReply, TxStreamSlot};

/// What a transport is made from.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// Our credentials; the fragment from [`crate::encode_ufrag`].
    pub local_ice: IceCredentials,
    /// The endpoint's credentials.
    pub remote_ice: IceCredentials,
    /// The endpoint's certificate must hash to one of these. Never empty.
    pub fingerprints: Vec<Fingerprint>,
    /// Ours.
    pub certificate: Arc<Certificate>,
    /// The instant of [`MonoTime::ZERO`] on the owner's clock.
    pub epoch: Instant,
}

/// A transport could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// No fingerprint was given: nobody could ever connect.
    NoFingerprint,
    /// The DTLS library refused our configuration.
    Dtls,
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFingerprint => "no certificate fingerprint was signaled",
            Self::Dtls => "the DTLS configuration was refused",
        })
    }
}

impl std::error::Error for TransportError {}

/// What happened to the transport as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportEvent {
    /// ICE and DTLS are up and the keys installed: media may flow.
    Connected,
    /// It is dead; told once. What [`Transport::poll_transmit`] still holds should be sent.
    Closed(CloseReason),
}

/// An endpoint that has not completed ICE and DTLS by then is given up.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);

/// One endpoint's ICE-lite, DTLS and SRTP.
#[derive(Debug)]
pub struct Transport {
    ice: IceLite,
    dtls: DtlsServer,
    state: State,
    event: Option<TransportEvent>,
    /// The latest time heard, for [`Self::close`].
    now: MonoTime,
}

#[derive(Debug)]
enum State {
    Connecting { until: MonoTime },
    Connected(Box<Srtp>),
    Closed,
}

#[derive(Debug)]
struct Srtp {
    rx: SrtpRx,
    tx: SrtpTx,
}

impl Transport {
    /// Waits for the endpoint's checks; gives up 15 s after `now`.
    ///
    /// # Errors
    ///
    /// [`TransportError`], for a configuration with which nobody could connect.
    pub fn new(config: TransportConfig, now: MonoTime) -> Result<Self, TransportError> {
        if config.fingerprints.is_empty() {
            return Err(TransportError::NoFingerprint);
        }
        let TransportConfig {
            local_ice,
            remote_ice,
            fingerprints,
            certificate,
            epoch,
        } = config;
        Ok(Self {
            ice: IceLite::new(&local_ice, &remote_ice, now),
            dtls: DtlsServer::new(certificate, &fingerprints, epoch, now)
                .map_err(|_| TransportError::Dtls)?,
            state: State::Connecting {
                until: now.plus(CONNECT_TIME_MAX),
            },
            event: None,
            now,
        })
    }

    /// Authenticates a STUN datagram and queues the answer. RFC 8445 §7.3.
    ///
    /// # Errors
    ///
    /// [`DropReason::StunInvalid`] or [`DropReason::StunAuthFailed`]: nothing was changed.
    /// [`DropReason::NotConnected`] once closed.
    pub fn on_stun(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<StunReply, DropReason> {
        self.now = now;
        if matches!(self.state, State::Closed) {
            return Err(DropReason::NotConnected);
        }
        self.ice.on_stun(now, from, datagram)
    }

    /// Feeds a DTLS datagram.
    ///
    /// # Errors
    ///
    /// [`DropReason::DtlsNotValidated`] when ICE has not validated `from`,
    /// [`DropReason::DtlsOverflow`] beyond the handshake's limits, [`DropReason::Malformed`] for
    /// records whose framing is wrong, [`DropReason::NotConnected`] once closed.
    pub fn on_dtls(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), DropReason> {
        self.now = now;
        if !self.ice.is_validated(from) {
            return Err(DropReason::DtlsNotValidated);
        }
        match self.dtls.on_datagram(now, datagram)? {
            Some(DtlsEvent::Connected(keys)) => self.connect(now, from, &keys),
            Some(DtlsEvent::Failed) => self.end(CloseReason::HandshakeFailed),
            Some(DtlsEvent::ClosedByEndpoint) => self.end(CloseReason::ClosedByEndpoint),
            None => {}
        }
        Ok(())
    }

    /// Opens an SRTP packet in place; returns the plain length. RFC 3711 §3.3.
    ///
    /// Renews consent if `from` is [`Self::remote_addr`].
    ///
    /// # Errors
    ///
    /// [`DropReason::NotConnected`] before the keys, [`DropReason::Malformed`],
    /// [`DropReason::Replayed`], [`DropReason::AuthFailed`], [`DropReason::SsrcLimit`]; nothing but
    /// `datagram` was changed.
    #[inline]
    pub fn unprotect_rtp(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Result<usize, DropReason> {
        self.unprotect(now, from, |rx| rx.open_rtp(datagram))
    }

    /// Opens an SRTCP compound in place; returns the plain length. RFC 3711 §3.4.
    ///
    /// Renews consent if `from` is [`Self::remote_addr`].
    ///
    /// # Errors
    ///
    /// As [`Self::unprotect_rtp`].
    pub fn unprotect_rtcp(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Result<usize, DropReason> {
        self.unprotect(now, from, |rx| rx.open_rtcp(datagram))
    }

    /// Opens a packet by `open`; what is authentic renews consent. RFC 7675 §5.1.
    #[inline]
    fn unprotect(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        open: impl FnOnce(&mut SrtpRx) -> Result<usize, DropReason>,
    ) -> Result<usize, DropReason> {
        let State::Connected(srtp) = &mut self.state else {
            return Err(DropReason::NotConnected);
        };
        let len = open(&mut srtp.rx)?;
        self.ice.on_alive(now, from);
        Ok(len)
    }

    /// Seals the RTP packet in the first `len` bytes of `buf` in place; returns the length with the
    /// tag, for which `buf` must have [`crate::SRTP_OVERHEAD_MAX`] bytes of room.
    ///
    /// `index` is the 48-bit `ROC || SEQ` of RFC 3711 §3.3.1, its low bits the packet's own number.
    ///
    /// # Errors
    ///
    /// [`DropReason::NotConnected`]; [`DropReason::IndexReused`] when `index` was sealed before in
    /// `tx`, or is 1024 or more behind its highest, or `tx` belongs to another SSRC;
    /// [`DropReason::RtpMalformed`] when `buf` does not start with such a packet or lacks room.
    #[inline]
    pub fn protect_rtp(
        &mut self,
        buf: &mut [u8],
        len: usize,
        index: u64,
        tx: TxStreamSlot,
    ) -> Result<usize, DropReason> {
        match &mut self.state {
            State::Connected(srtp) => srtp.tx.seal_rtp(buf, len, index, tx),
            _ => Err(DropReason::NotConnected),
        }
    }

    /// Seals the RTCP compound in the first `len` bytes of `buf` in place; returns the new length,
    /// for which `buf` must have [`crate::SRTCP_OVERHEAD_MAX`] bytes of room.
    ///
    /// # Errors
    ///
    /// [`DropReason::NotConnected`], [`DropReason::RtcpMalformed`], or [`DropReason::IndexReused`]
    /// once all 2^31 indices are used.
    pub fn protect_rtcp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, DropReason> {
        match &mut self.state {
            State::Connected(srtp) => srtp.tx.seal_rtcp(buf, len),
            _ => Err(DropReason::NotConnected),
        }
    }

    /// Takes the next datagram to send; one that does not fit `out` is lost
    /// ([`estrade_types::limits::DATAGRAM_BYTES_MAX`] bytes always do).
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        if let Some(reply) = self.ice.poll_transmit(out) {
            return Some(reply);
        }
        let to = self.ice.selected()?;
        let len = self.dtls.poll_transmit(out)?;
        Some((to, len))
    }

    /// Takes the next event.
    pub const fn poll_event(&mut self) -> Option<TransportEvent> {
        self.event.take()
    }

    /// Does what is due at `now`; [`Self::remote_addr`] may change by it.
    pub fn on_timeout(&mut self, now: MonoTime) {
        self.now = now;
        self.ice.on_timeout(now);
        match self.state {
            State::Closed => {}
            State::Connecting { until } if until <= now => self.end(CloseReason::ConnectTimeout),
            State::Connecting { .. } => self.dtls.on_timeout(now),
            State::Connected(_) => {
                if self.ice.consent_until() <= now {
                    self.end(CloseReason::ConsentExpired);
                }
            }
        }
    }

    /// Replaces the credentials. RFC 8445 §9.
    ///
    /// The old ones are answered, and media flows, until the first check under the new ones; media
    /// moves when that endpoint nominates an address, or falls silent on the one it has.
    pub fn restart_ice(&mut self, remote: &IceCredentials, local: &IceCredentials) {
        self.ice.restart(local, remote);
    }

    /// Queues DTLS `close_notify`, if the handshake was done, and ends the session without an event.
    pub fn close(&mut self) {
        self.dtls.close(self.now);
        self.state = State::Closed;
        self.event = None;
    }

    /// When [`Self::on_timeout`] is next due; `None` once closed.
    pub fn next_deadline(&self) -> Option<MonoTime> {
        let (until, dtls) = match self.state {
            State::Closed => return None,
            State::Connecting { until } => (until, self.dtls.next_deadline()),
            State::Connected(_) => (self.ice.consent_until(), None),
        };
        let soonest = |until: MonoTime, at: Option<MonoTime>| at.map_or(until, |at| at.min(until));
        Some(soonest(soonest(until, dtls), self.ice.next_deadline()))
    }

    /// Where media goes: the address of the latest authenticated nomination, or one that was
    /// checked after that had fallen silent.
    pub const fn remote_addr(&self) -> Option<SocketAddr> {
        self.ice.selected()
    }

    /// The addresses ICE has validated and not given up: those of the address map. At most eight.
    pub fn validated_addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.ice.validated()
    }

    /// Whether the keys are installed and the session is not closed.
    pub const fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// The negotiated SRTP profile, while connected.
    pub const fn srtp_profile(&self) -> Option<SrtpProfile> {
        match &self.state {
            State::Connected(srtp) => Some(srtp.rx.profile()),
            _ => None,
        }
    }

    fn connect(&mut self, now: MonoTime, from: SocketAddr, keys: &SrtpKeys) {
        let SrtpKeys { profile, rx, tx } = keys;
        let crypto = self.dtls.crypto();
        let rx = SrtpRx::new(*profile, rx, crypto);
        let tx = SrtpTx::new(*profile, tx, crypto);
        match (rx, tx) {
            (Some(rx), Some(tx)) => {
                self.ice.on_alive(now, from);
                self.state = State::Connected(Box::new(Srtp { rx, tx }));
                self.event = Some(TransportEvent::Connected);
            }
            _ => self.end(CloseReason::HandshakeFailed),
        }
    }

    /// Ends the session, telling the endpoint if there is a way, and the shard by an event.
    fn end(&mut self, reason: CloseReason) {
        self.dtls.close(self.now);
        self.state = State::Closed;
        self.event = Some(TransportEvent::Closed(reason));
    }
}
