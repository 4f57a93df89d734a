//! The connection's codecs, extensions, interceptors, candidate and sections.

use std::time::Duration;

use rtc::interceptor::{NackGeneratorBuilder, NackResponderBuilder, Registry, Slot};
use rtc::peer_connection::configuration::interceptor_registry::{
    configure_rtcp_reports, configure_simulcast_extension_headers, configure_twcc,
};
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::RTCRtpTransceiverDirection;
use rtc::rtp_transceiver::RTCRtpTransceiverInit;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::sdp::extmap::AUDIO_LEVEL_URI;
use rtc::shared::error::Error;

use super::EndpointConfig;
use super::tap::Tap;

/// Payload type of Opus.
pub(super) const OPUS: u8 = 111;
/// Payload type of VP8.
pub(super) const VP8: u8 = 96;
/// Payload type of VP8's retransmissions.
const VP8_RTX: u8 = 97;

/// `urn:ietf:params:rtp-hdrext:sdes:mid`.
const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

pub(super) fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: vec![],
    }
}

pub(super) fn vp8() -> RTCRtpCodec {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback {
        typ: typ.to_owned(),
        parameter: parameter.to_owned(),
    };
    RTCRtpCodec {
        mime_type: MIME_TYPE_VP8.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: vec![
            feedback("ccm", "fir"),
            feedback("nack", ""),
            feedback("nack", "pli"),
        ],
    }
}

fn media_engine() -> Result<MediaEngine, Error> {
    let mut engine = MediaEngine::default();
    let rtx = RTCRtpCodec {
        mime_type: MIME_TYPE_RTX.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: format!("apt={VP8}"),
        rtcp_feedback: vec![],
    };
    for (rtp_codec, payload_type, kind) in [
        (opus(), OPUS, RtpCodecKind::Audio),
        (vp8(), VP8, RtpCodecKind::Video),
        (rtx, VP8_RTX, RtpCodecKind::Video),
    ] {
        let codec = RTCRtpCodecParameters {
            rtp_codec,
            payload_type,
        };
        engine.register_codec(codec, kind)?;
    }
    for (uri, kind) in [
        (AUDIO_LEVEL_URI, RtpCodecKind::Audio),
        (MID_URI, RtpCodecKind::Audio),
    ] {
        let uri = uri.to_owned();
        engine.register_header_extension(RTCRtpHeaderExtensionCapability { uri }, kind, None)?;
    }
    configure_simulcast_extension_headers(&mut engine)?;
    Ok(engine)
}

/// A connection without sections, with one host candidate.
pub(super) fn connection(config: &EndpointConfig, tap: Tap) -> Result<RTCPeerConnection, Error> {
    let mut engine = media_engine()?;
    // Wire-most, so that it sees what came, not what was made of it.
    let registry = Registry::new().with(Slot::from(500), tap);
    let registry = configure_twcc(registry, &mut engine)?;
    let nacks = NackGeneratorBuilder::new()
        .with_interval(Duration::from_millis(30))
        .with_max_nacks_per_packet(8);
    let registry = configure_rtcp_reports(registry)
        .with(Slot::NackResponder, NackResponderBuilder::new().build())
        .with(Slot::NackGenerator, nacks.build());
    // As browsers have it: the crate's 64 would drop what a repair brings 50 ms late.
    let settings = SettingEngineBuilder::new()
        .with_srtp_replay_protection_window(1_024)
        .build();
    let mut connection = RTCPeerConnectionBuilder::new()
        .with_setting_engine(settings)
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .build(config.epoch)?;
    let candidate = CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".to_owned(),
            address: config.addr.ip().to_string(),
            port: config.addr.port(),
            component: 1,
            ..CandidateConfig::default()
        },
        ..CandidateHostConfig::default()
    };
    let candidate = RTCIceCandidate::from(&candidate.new_candidate_host()?).to_json()?;
    connection.add_local_candidate(candidate)?;
    Ok(connection)
}

/// Adds the receive-only sections, audio first.
pub(super) fn add_slots(
    connection: &mut RTCPeerConnection,
    config: &EndpointConfig,
) -> Result<(), Error> {
    for (kind, slots) in [
        (RtpCodecKind::Audio, config.audio_slots),
        (RtpCodecKind::Video, config.video_slots),
    ] {
        for _ in 0..slots {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                streams: vec![],
                send_encodings: vec![],
            };
            connection.add_transceiver_from_kind(kind, Some(init))?;
        }
    }
    Ok(())
}
