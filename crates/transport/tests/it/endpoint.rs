//! A scripted endpoint made of the `rtc` crate's parts, and the wire between it and a transport.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use estrade_transport::{
    Certificate, StunReply, Transport, TransportConfig, TransportEvent, UfragPlace,
    local_credentials,
};
use estrade_types::{DropReason, Fingerprint, IceCredentials, MonoTime, ShardIndex};
use rtc::crypto::{HashAlgorithm, RTCCryptoProvider, default_provider};
use rtc::dtls::config::{ConfigBuilder, ExtendedMasterSecretType};
use rtc::dtls::endpoint::{Endpoint as DtlsEndpoint, EndpointEvent};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::TransportProtocol;
use rtc::srtp::config::Config as SrtpConfig;
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;
use rtc::stun::attributes::{ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};

pub(crate) const GCM: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
pub(crate) const CM: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;

/// Whether a check chooses its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Plain,
    Nominating,
}

pub(crate) fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 9], port))
}

/// The address the library believes the server to be at.
fn server_addr() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 1], 443))
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant can only be had from the clock; what the tests use is its distance"
)]
fn epoch() -> Instant {
    Instant::now()
}

/// What the offer said of the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signaled {
    Truth,
    /// The truth, after the hash of another certificate.
    TruthAndOther,
    Other,
    Nothing,
}

/// What a test varies about the endpoint.
pub(crate) struct Setup {
    pub(crate) profiles: Vec<SrtpProtectionProfile>,
    pub(crate) mtu: usize,
    /// What the offer said of the certificate.
    pub(crate) signaled: Signaled,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            profiles: vec![GCM, CM],
            mtu: 1200,
            signaled: Signaled::Truth,
        }
    }
}

/// One transport, one endpoint, and the time of both.
pub(crate) struct Pair {
    pub(crate) transport: Transport,
    pub(crate) dtls: DtlsEndpoint,
    pub(crate) now: MonoTime,
    pub(crate) from: SocketAddr,
    pub(crate) local: IceCredentials,
    pub(crate) remote: IceCredentials,
    pub(crate) is_complete: bool,
    pub(crate) peer_closed: bool,
    epoch: Instant,
    provider: Arc<dyn RTCCryptoProvider>,
}

pub(crate) fn credentials(random: u8) -> IceCredentials {
    let place = UfragPlace {
        shard: ShardIndex(1),
        slot: 2,
        generation: 3,
    };
    local_credentials(place, [random; 23])
}

pub(crate) fn fingerprint(provider: &dyn RTCCryptoProvider, der: &[u8]) -> Fingerprint {
    let hash = provider.crypto().hash(HashAlgorithm::Sha256, der).unwrap();
    Fingerprint(hash.try_into().unwrap())
}

impl Pair {
    pub(crate) fn new(setup: Setup) -> Self {
        let provider = default_provider().unwrap();
        let certificate = rtc::dtls::crypto::Certificate::generate_self_signed(
            vec!["endpoint".to_owned()],
            provider.crypto(),
        )
        .unwrap();
        let truth = fingerprint(provider.as_ref(), &certificate.certificate[0]);
        let other = Fingerprint([7; 32]);
        let fingerprints = match setup.signaled {
            Signaled::Truth => vec![truth],
            Signaled::TruthAndOther => vec![other, truth],
            Signaled::Other => vec![other],
            Signaled::Nothing => vec![],
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&provider))
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(setup.profiles)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .with_mtu(setup.mtu)
            .build(true, Some(server_addr()))
            .unwrap();
        let epoch = epoch();
        let mut dtls = DtlsEndpoint::new(addr(1), TransportProtocol::UDP, None);
        dtls.connect(epoch, server_addr(), Arc::new(config), None)
            .unwrap();
        let (local, remote) = (credentials(1), credentials(2));
        let now = MonoTime::from_millis(1_000);
        let transport = Transport::new(
            TransportConfig {
                local_ice: local.clone(),
                remote_ice: remote.clone(),
                fingerprints,
                certificate: Arc::new(Certificate::generate().unwrap()),
                epoch,
            },
            now,
        )
        .unwrap();
        Self {
            transport,
            dtls,
            now,
            from: addr(1),
            local,
            remote,
            is_complete: false,
            peer_closed: false,
            epoch,
            provider,
        }
    }

    /// A pair that has done its checks and its handshake.
    pub(crate) fn connected(setup: Setup) -> Self {
        let mut pair = Self::new(setup);
        pair.check(pair.from, Check::Nominating).unwrap();
        pair.run();
        assert_eq!(pair.transport.poll_event(), Some(TransportEvent::Connected));
        pair
    }

    pub(crate) fn check(
        &mut self,
        from: SocketAddr,
        check: Check,
    ) -> Result<StunReply, DropReason> {
        let datagram = self.check_datagram(check);
        self.transport.on_stun(self.now, from, &datagram)
    }

    /// A fresh, authentic request as the `rtc` crate prints it.
    pub(crate) fn check_datagram(&self, check: Check) -> Vec<u8> {
        let mut message = Message::new();
        BINDING_REQUEST.add_to(&mut message).unwrap();
        message.write_header();
        TransactionId::new().add_to(&mut message).unwrap();
        let username = format!("{}:{}", self.local.ufrag, self.remote.ufrag);
        message.add(ATTR_USERNAME, username.as_bytes());
        message.add(ATTR_PRIORITY, &[1, 2, 3, 4]);
        if check == Check::Nominating {
            message.add(ATTR_USE_CANDIDATE, &[]);
        }
        MessageIntegrity::new_short_term_integrity_with_provider(
            self.local.pwd.clone(),
            self.provider.crypto(),
        )
        .add_to(&mut message)
        .unwrap();
        FINGERPRINT.add_to(&mut message).unwrap();
        message.raw
    }

    /// The next DTLS datagram of the endpoint.
    pub(crate) fn endpoint_datagram(&mut self) -> Option<Vec<u8>> {
        Some(self.dtls.poll_transmit()?.message.to_vec())
    }

    /// The next datagram of the transport.
    pub(crate) fn transport_datagram(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        let mut out = [0; 1500];
        let (to, len) = self.transport.poll_transmit(&mut out)?;
        Some((to, out[..len].to_vec()))
    }

    /// Hands a datagram of the transport to the endpoint; its answers to checks are left out.
    pub(crate) fn deliver_to_endpoint(&mut self, datagram: &[u8]) {
        if datagram[0] < 20 {
            return;
        }
        let now = self.instant();
        let events = self
            .dtls
            .read(now, server_addr(), None, BytesMut::from(datagram));
        for event in events.unwrap_or_default() {
            match event {
                EndpointEvent::HandshakeComplete => self.is_complete = true,
                EndpointEvent::PeerClosed => self.peer_closed = true,
                EndpointEvent::ApplicationData(_) => {}
                _ => {}
            }
        }
    }

    /// Exchanges all there is at once, losing what `is_lost` says (by its number on the wire).
    pub(crate) fn exchange(&mut self, sent: &mut usize, is_lost: impl Fn(usize) -> bool) {
        loop {
            let mut is_quiet = true;
            while let Some(datagram) = self.endpoint_datagram() {
                is_quiet = false;
                if !is_lost(*sent) {
                    let _dropped = self.transport.on_dtls(self.now, self.from, &datagram);
                }
                *sent += 1;
            }
            while let Some((_, datagram)) = self.transport_datagram() {
                is_quiet = false;
                if !is_lost(*sent) {
                    self.deliver_to_endpoint(&datagram);
                }
                *sent += 1;
            }
            if is_quiet {
                return;
            }
        }
    }

    /// Exchanges without loss until it is quiet.
    pub(crate) fn run(&mut self) {
        self.exchange(&mut 0, |_| false);
    }

    /// Moves both clocks to the next deadline of either; `false` if there is none.
    pub(crate) fn step(&mut self) -> bool {
        let theirs = self
            .dtls
            .poll_timeout(&server_addr())
            .map(|at| MonoTime::ZERO.plus(at - self.epoch));
        let Some(next) = [theirs, self.transport.next_deadline()]
            .into_iter()
            .flatten()
            .min()
        else {
            return false;
        };
        self.now = self.now.max(next);
        let now = self.instant();
        let _failed = self.dtls.handle_timeout(server_addr(), now);
        self.transport.on_timeout(self.now);
        true
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        self.now = self.now.plus(span);
        self.transport.on_timeout(self.now);
    }

    /// The endpoint's SRTP: what it seals with, and what it opens with.
    pub(crate) fn srtp(&self, profile: ProtectionProfile) -> (Context, Context) {
        let mut config = SrtpConfig {
            profile,
            ..SrtpConfig::default()
        };
        let state = self.dtls.get_connection_state(server_addr()).unwrap();
        let material = state
            .export_keying_material("EXTRACTOR-dtls_srtp", &[], config.keying_material_len())
            .unwrap();
        config
            .set_session_keys_from_keying_material(material.as_ref(), true)
            .unwrap();
        let context = |key: &[u8], salt: &[u8]| {
            Context::new(key, salt, profile, None, None, self.provider.crypto()).unwrap()
        };
        let keys = &config.keys;
        (
            context(&keys.local_master_key, &keys.local_master_salt),
            context(&keys.remote_master_key, &keys.remote_master_salt),
        )
    }

    pub(crate) fn close_endpoint(&mut self) {
        let now = self.instant();
        self.dtls.close(now).unwrap();
    }

    fn instant(&self) -> Instant {
        self.epoch + Duration::from_nanos(self.now.0)
    }
}
