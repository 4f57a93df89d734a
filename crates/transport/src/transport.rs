//! The transport as the shard sees it: it joins ICE, DTLS and SRTP, and owns their order.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use estrade_types::{CloseReason, DropReason, Fingerprint, IceCredentials, MonoTime};

use crate::{Certificate, SrtpProfile, StunReply, TxStreamSlot};

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

/// One endpoint's ICE-lite, DTLS and SRTP.
#[derive(Debug)]
pub struct Transport {
    config: TransportConfig,
}

impl Transport {
    /// Waits for the endpoint's checks; gives up 15 s after `now`.
    ///
    /// # Errors
    ///
    /// [`TransportError`], for a configuration with which nobody could connect.
    pub fn new(config: TransportConfig, now: MonoTime) -> Result<Self, TransportError> {
        let _ = now;
        Ok(Self { config })
    }

    /// Authenticates a STUN datagram and queues the answer. RFC 8445 §7.3.
    ///
    /// # Errors
    ///
    /// [`DropReason::StunInvalid`] or [`DropReason::StunAuthFailed`]: nothing was changed.
    pub fn on_stun(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<StunReply, DropReason> {
        let _ = (now, from, datagram);
        Err(DropReason::StunInvalid)
    }

    /// Feeds a DTLS datagram.
    ///
    /// # Errors
    ///
    /// [`DropReason::DtlsNotValidated`] when ICE has not validated `from`,
    /// [`DropReason::DtlsOverflow`] beyond the handshake's limits, [`DropReason::Malformed`] for
    /// records that no endpoint sends.
    pub fn on_dtls(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), DropReason> {
        let _ = (now, from, datagram);
        Err(DropReason::DtlsNotValidated)
    }

    /// Opens an SRTP packet in place; returns the plain length. RFC 3711 §3.3.
    ///
    /// # Errors
    ///
    /// [`DropReason::NotConnected`] before the keys, [`DropReason::RtpMalformed`],
    /// [`DropReason::Replayed`], [`DropReason::AuthFailed`], [`DropReason::SsrcLimit`]; nothing but
    /// `datagram` was changed.
    pub fn unprotect_rtp(
        &mut self,
        now: MonoTime,
        datagram: &mut [u8],
    ) -> Result<usize, DropReason> {
        let _ = (now, datagram);
        Err(DropReason::NotConnected)
    }

    /// Opens an SRTCP compound in place; returns the plain length. RFC 3711 §3.4.
    ///
    /// # Errors
    ///
    /// As [`Self::unprotect_rtp`], with [`DropReason::RtcpMalformed`].
    pub fn unprotect_rtcp(
        &mut self,
        now: MonoTime,
        datagram: &mut [u8],
    ) -> Result<usize, DropReason> {
        let _ = (now, datagram);
        Err(DropReason::NotConnected)
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
    pub fn protect_rtp(
        &mut self,
        buf: &mut [u8],
        len: usize,
        index: u64,
        tx: TxStreamSlot,
    ) -> Result<usize, DropReason> {
        let _ = (buf, len, index, tx);
        Err(DropReason::NotConnected)
    }

    /// Seals the RTCP compound in the first `len` bytes of `buf` in place; returns the new length,
    /// for which `buf` must have [`crate::SRTCP_OVERHEAD_MAX`] bytes of room.
    ///
    /// # Errors
    ///
    /// [`DropReason::NotConnected`], [`DropReason::RtcpMalformed`], or [`DropReason::IndexReused`]
    /// once all 2^31 indices are used.
    pub fn protect_rtcp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, DropReason> {
        let _ = (buf, len);
        Err(DropReason::NotConnected)
    }

    /// Takes the next datagram to send, if it fits `out` ([`estrade_types::limits::DATAGRAM_BYTES_MAX`]
    /// bytes always do).
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let _ = out;
        None
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        None
    }

    /// Does what is due at `now`.
    pub fn on_timeout(&mut self, now: MonoTime) {
        let _ = now;
    }

    /// Replaces the credentials. RFC 8445 §9.
    ///
    /// The old ones are answered, and media flows, until the first check under the new ones.
    pub fn restart_ice(&mut self, remote: IceCredentials, local: IceCredentials) {
        self.config.remote_ice = remote;
        self.config.local_ice = local;
    }

    /// Queues DTLS `close_notify`, if the handshake was done, and ends the session without an event.
    pub fn close(&mut self) {}

    /// When [`Self::on_timeout`] is next due; `None` once closed.
    pub fn next_deadline(&self) -> Option<MonoTime> {
        None
    }

    /// Where media goes: the address of the latest authenticated nomination.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// The addresses ICE has validated and not given up: those of the address map. At most eight.
    pub fn validated_addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        std::iter::empty()
    }

    /// Whether the keys are installed and the session is not closed.
    pub fn is_connected(&self) -> bool {
        false
    }

    /// The negotiated SRTP profile, once connected.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        None
    }
}
