//! An endpoint that is not ours: STUN, DTLS and SRTP of the `rtc` crate, without SDP.
//!
//! Sans-IO like the engine: datagrams in by [`Client::on_datagram`], out of [`Client::outgoing`].

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use estrade_types::{Fingerprint, IceCredentials};
use rtc::dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType};
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::peer_connection::certificate::CertificateParams;
use rtc::shared::TransportProtocol;
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;
use rtc::stun::attributes::{ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId};
use webrtc::peer_connection::crypto::{
    HashAlgorithm, RTCCryptoProvider, SignatureScheme, default_provider,
};
use webrtc::peer_connection::{CipherSuiteId, RTCCertificate, SrtpProtectionProfile};

/// The address the DTLS library is told; ICE decides the real one.
const PEER: &str = "192.0.2.200:9";

pub struct Client {
    pub addr: SocketAddr,
    pub ice: IceCredentials,
    pub fingerprint: Fingerprint,
    pub outgoing: VecDeque<Vec<u8>>,
    /// Plain RTP packets received.
    pub rtp: Vec<Vec<u8>>,
    /// Plain RTCP compounds received.
    pub rtcp: Vec<Vec<u8>>,
    /// Binding responses received.
    pub stun_answers: usize,
    /// Packets that could not be opened: seals of ours that are wrong.
    pub unopened: usize,
    pub is_closed: bool,
    certificate: RTCCertificate,
    profile: SrtpProtectionProfile,
    provider: Arc<dyn RTCCryptoProvider>,
    dtls: Endpoint,
    now: Instant,
    keys: Option<Keys>,
    transactions: u64,
}

struct Keys {
    seal: Context,
    open: Context,
}

impl Client {
    pub fn new(n: u16, epoch: Instant) -> Self {
        Self::with_profile(n, epoch, SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm)
    }

    pub fn with_profile(n: u16, epoch: Instant, profile: SrtpProtectionProfile) -> Self {
        let provider = default_provider().unwrap();
        let params = CertificateParams::new(vec!["endpoint".to_owned()]).unwrap();
        let scheme = SignatureScheme::EcdsaP256Sha256;
        let certificate = RTCCertificate::generate(provider.crypto(), scheme, params).unwrap();
        let leaf = &certificate.dtls_certificate.certificate[0];
        let hash = provider.crypto().hash(HashAlgorithm::Sha256, leaf).unwrap();
        Self {
            addr: SocketAddr::from(([198, 51, 100, 7], 20_000 + n)),
            ice: IceCredentials {
                ufrag: format!("client{n}"),
                pwd: format!("password-of-client-{n:06}"),
            },
            fingerprint: Fingerprint(hash.try_into().unwrap()),
            outgoing: VecDeque::new(),
            rtp: Vec::new(),
            rtcp: Vec::new(),
            stun_answers: 0,
            unopened: 0,
            is_closed: false,
            certificate,
            profile,
            dtls: Endpoint::new(PEER.parse().unwrap(), TransportProtocol::UDP, None),
            provider,
            now: epoch,
            keys: None,
            transactions: u64::from(n) << 32,
        }
    }

    pub fn is_connected(&self) -> bool {
        self.keys.is_some()
    }

    /// Sends a nominating check to a server with these credentials.
    pub fn check(&mut self, server: &IceCredentials) {
        let request = self.request(server, &server.pwd);
        self.outgoing.push_back(request);
    }

    /// A nominating check signed with `pwd`.
    pub fn request(&mut self, server: &IceCredentials, pwd: &str) -> Vec<u8> {
        self.transactions += 1;
        let mut id = [0; 12];
        id[4..].copy_from_slice(&self.transactions.to_be_bytes());
        let mut message = Message::new();
        BINDING_REQUEST.add_to(&mut message).unwrap();
        message.write_header();
        TransactionId(id).add_to(&mut message).unwrap();
        let username = format!("{}:{}", server.ufrag, self.ice.ufrag);
        message.add(ATTR_USERNAME, username.as_bytes());
        message.add(ATTR_PRIORITY, &[110, 0, 30, 255]);
        message.add(ATTR_USE_CANDIDATE, &[]);
        let crypto = self.provider.crypto();
        MessageIntegrity::new_short_term_integrity_with_provider(pwd.to_owned(), crypto)
            .add_to(&mut message)
            .unwrap();
        FINGERPRINT.add_to(&mut message).unwrap();
        message.raw
    }

    /// Starts the DTLS handshake, as the active side.
    pub fn start_dtls(&mut self) {
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&self.provider))
            .with_certificates(vec![self.certificate.dtls_certificate.clone()])
            .with_cipher_suites(vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256])
            .with_srtp_protection_profiles(vec![self.profile])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .with_flight_interval(Duration::from_secs(1))
            .build(true, None)
            .unwrap();
        let peer = PEER.parse().unwrap();
        self.dtls
            .connect(self.now, peer, Arc::new(config), None)
            .unwrap();
        self.drain_dtls();
    }

    pub fn close_dtls(&mut self) {
        self.dtls.close(self.now).unwrap();
        self.drain_dtls();
    }

    pub fn on_datagram(&mut self, datagram: &[u8]) {
        match datagram {
            [0..=3, ..] => {
                let mut message = Message::new();
                message.unmarshal_binary(datagram).unwrap();
                assert_eq!(message.typ, BINDING_SUCCESS);
                self.stun_answers += 1;
            }
            [20..=63, ..] => self.on_dtls(datagram),
            [128..=191, 192..=223, ..] => {
                let opened = self
                    .keys
                    .as_mut()
                    .map(|keys| keys.open.decrypt_rtcp(datagram));
                match opened {
                    Some(Ok(plain)) => self.rtcp.push(plain.to_vec()),
                    _ => self.unopened += 1,
                }
            }
            _ => {
                let opened = self
                    .keys
                    .as_mut()
                    .map(|keys| keys.open.decrypt_rtp(datagram));
                match opened {
                    Some(Ok(plain)) => self.rtp.push(plain.to_vec()),
                    _ => self.unopened += 1,
                }
            }
        }
    }

    pub fn send_rtp(&mut self, plain: &[u8]) {
        let sealed = self.seal_rtp(plain);
        self.outgoing.push_back(sealed);
    }

    pub fn seal_rtp(&mut self, plain: &[u8]) -> Vec<u8> {
        let keys = self.keys.as_mut().expect("connected");
        keys.seal.encrypt_rtp(plain).unwrap().to_vec()
    }

    pub fn send_rtcp(&mut self, plain: &[u8]) {
        let keys = self.keys.as_mut().expect("connected");
        let sealed = keys.seal.encrypt_rtcp(plain).unwrap().to_vec();
        self.outgoing.push_back(sealed);
    }

    /// Seals and sends what may not even be RTP; skips what the other implementation refuses.
    pub fn try_send_rtp(&mut self, plain: &[u8]) {
        let keys = self.keys.as_mut().expect("connected");
        let sealed = keys.seal.encrypt_rtp(plain);
        self.outgoing
            .extend(sealed.ok().map(|sealed| sealed.to_vec()));
    }

    /// Seals and sends what may not even be RTCP; skips what the other implementation refuses.
    pub fn try_send_rtcp(&mut self, plain: &[u8]) {
        let keys = self.keys.as_mut().expect("connected");
        let sealed = keys.seal.encrypt_rtcp(plain);
        self.outgoing
            .extend(sealed.ok().map(|sealed| sealed.to_vec()));
    }

    fn on_dtls(&mut self, datagram: &[u8]) {
        let peer = PEER.parse().unwrap();
        let bytes = BytesMut::from(datagram);
        for event in self
            .dtls
            .read(self.now, peer, None, bytes)
            .unwrap_or_default()
        {
            match event {
                EndpointEvent::HandshakeComplete => self.export_keys(),
                EndpointEvent::PeerClosed => self.is_closed = true,
                _ => {}
            }
        }
        self.drain_dtls();
    }

    fn drain_dtls(&mut self) {
        while let Some(message) = self.dtls.poll_transmit() {
            self.outgoing.push_back(message.message.to_vec());
        }
    }

    fn export_keys(&mut self) {
        let state = self
            .dtls
            .get_connection_state(PEER.parse().unwrap())
            .unwrap();
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            _ => ProtectionProfile::Aes128CmHmacSha1_80,
        };
        let (key, salt) = (profile.key_len(), profile.salt_len());
        let label = "EXTRACTOR-dtls_srtp";
        let material = state
            .export_keying_material(label, &[], 2 * (key + salt))
            .unwrap();
        let material: &[u8] = material.as_ref();
        let (keys, salts) = material.split_at(2 * key);
        let context = |key: &[u8], salt: &[u8]| {
            Context::new(key, salt, profile, None, None, self.provider.crypto()).unwrap()
        };
        self.keys = Some(Keys {
            seal: context(&keys[..key], &salts[..salt]),
            open: context(&keys[key..], &salts[salt..]),
        });
    }
}
