//! What an endpoint sends: one microphone, one camera, each on a schedule of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use estrade_types::{MediaKind, MonoTime, Ssrc};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::RTCPeerConnection;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters,
    RtpCodecKind,
};
use rtc::rtp_transceiver::{
    RTCRtpSenderId, RTCRtpTransceiverDirection, RTCRtpTransceiverId, RTCRtpTransceiverInit,
};
use rtc::sdp::extmap::AUDIO_LEVEL_URI;
use rtc::shared::error::Error;

use super::setup;
use crate::{AudioSource, SimRandom, VideoSource};

/// The microphone and the camera of an endpoint.
pub(super) struct Publishing {
    audio: Outlet<AudioSource>,
    video: Outlet<VideoSource>,
}

/// One stream that is sent, or could be.
struct Outlet<S> {
    sender: RTCRtpSenderId,
    ssrc: u32,
    payload_type: u8,
    next_seq: u16,
    /// Sequence number of the running source's first packet.
    first_seq: u16,
    /// Timestamp of the next frame.
    next_timestamp: u32,
    running: Option<Running<S>>,
}

struct Running<S> {
    source: S,
    next_at: MonoTime,
}

impl Publishing {
    /// Adds the two send-only sections.
    pub(super) fn add(connection: &mut RTCPeerConnection, seed: u64) -> Result<Self, Error> {
        let mut random = SimRandom::derive(seed, 1);
        let mut words = std::iter::repeat_with(|| (random.next_u64() >> 32, random.next_u64()));
        let mut word = || words.next().map_or(0, |(word, _)| low_u32(word)) | 1;
        let (audio_ssrc, video_ssrc, rtx_ssrc) = (word(), word(), word());
        let audio = RtpCodecKind::Audio;
        let video = RtpCodecKind::Video;
        let audio_sender = add_track(connection, audio, setup::opus(), audio_ssrc, None)?;
        let video_sender = add_track(connection, video, setup::vp8(), video_ssrc, Some(rtx_ssrc))?;
        Ok(Self {
            audio: Outlet::new(audio_sender, audio_ssrc, setup::OPUS, word()),
            video: Outlet::new(video_sender, video_ssrc, setup::VP8, word()),
        })
    }

    pub(super) fn start_audio(&mut self, now: MonoTime, source: AudioSource) {
        self.audio.start(now, source);
    }

    pub(super) fn stop_audio(&mut self) {
        self.audio.running = None;
    }

    pub(super) const fn set_voice(&mut self, voice: Option<u8>) {
        if let Some(running) = &mut self.audio.running {
            running.source.voice = voice;
        }
    }

    pub(super) fn start_video(&mut self, now: MonoTime, source: VideoSource) {
        self.video.start(now, source);
    }

    pub(super) fn stop_video(&mut self) {
        self.video.running = None;
    }

    pub(super) const fn request_keyframe(&mut self) {
        if let Some(running) = &mut self.video.running {
            running.source.request_keyframe();
        }
    }

    pub(super) const fn ssrcs(&self) -> (Ssrc, Ssrc) {
        (Ssrc(self.audio.ssrc), Ssrc(self.video.ssrc))
    }

    /// Which packet of the running source a packet on the wire is.
    pub(super) fn packet_number(&self, ssrc: Ssrc, seq: u16) -> Option<(MediaKind, u32)> {
        let (kind, first_seq) = if ssrc.0 == self.audio.ssrc {
            (MediaKind::Audio, self.audio.first_seq)
        } else if ssrc.0 == self.video.ssrc {
            (MediaKind::Video, self.video.first_seq)
        } else {
            return None;
        };
        Some((kind, u32::from(seq.wrapping_sub(first_seq))))
    }

    pub(super) fn next_deadline(&self) -> Option<MonoTime> {
        let audio = self.audio.running.as_ref().map(|running| running.next_at);
        let video = self.video.running.as_ref().map(|running| running.next_at);
        audio.into_iter().chain(video).min()
    }

    /// Sends the frames that are due.
    pub(super) fn on_timeout(
        &mut self,
        now: MonoTime,
        instant: Instant,
        connection: &mut RTCPeerConnection,
    ) -> Result<(), Error> {
        if let Some(mut source) = self.audio.due(now, Duration::from_millis(20)) {
            let level = source.level();
            let (_, payload) = source.next_packet();
            self.audio
                .write(connection, instant, vec![payload], Some(level))?;
            self.audio.pass(AudioSource::FRAME_TICKS, source);
        }
        let interval = |source: &VideoSource| Duration::from_secs(1) / source.fps.max(1);
        let span = self
            .video
            .running
            .as_ref()
            .map(|running| interval(&running.source));
        if let Some(span) = span
            && let Some(mut source) = self.video.due(now, span)
        {
            let (_, payloads) = source.next_frame();
            self.video.write(connection, instant, payloads, None)?;
            self.video.pass(90_000 / source.fps.max(1), source);
        }
        Ok(())
    }
}

impl<S: Copy> Outlet<S> {
    const fn new(sender: RTCRtpSenderId, ssrc: u32, payload_type: u8, random: u32) -> Self {
        let [a, b, _, _] = random.to_be_bytes();
        Self {
            sender,
            ssrc,
            payload_type,
            next_seq: u16::from_be_bytes([a, b]),
            first_seq: u16::from_be_bytes([a, b]),
            next_timestamp: random.rotate_left(16),
            running: None,
        }
    }

    fn start(&mut self, now: MonoTime, source: S) {
        self.first_seq = self.next_seq;
        self.running = Some(Running {
            source,
            next_at: now,
        });
    }

    /// The source, when its next frame is due.
    fn due(&mut self, now: MonoTime, interval: Duration) -> Option<S> {
        let running = self
            .running
            .as_mut()
            .filter(|running| running.next_at <= now)?;
        running.next_at = running.next_at.plus(interval);
        Some(running.source)
    }

    /// Keeps the source's state and moves the timestamp on.
    fn pass(&mut self, ticks: u32, source: S) {
        self.next_timestamp = self.next_timestamp.wrapping_add(ticks);
        if let Some(running) = &mut self.running {
            running.source = source;
        }
    }

    /// Sends one frame, the marker on its last packet if it is a picture.
    fn write(
        &mut self,
        connection: &mut RTCPeerConnection,
        instant: Instant,
        payloads: Vec<Vec<u8>>,
        level: Option<u8>,
    ) -> Result<(), Error> {
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.into_iter().enumerate() {
            let mut sender = connection
                .rtp_sender(self.sender)
                .ok_or(Error::ErrRTPSenderNotExisted)?;
            let mut header = rtc::rtp::Header {
                version: 2,
                marker: level.is_none() && index == last,
                payload_type: self.payload_type,
                sequence_number: self.next_seq,
                timestamp: self.next_timestamp,
                ssrc: self.ssrc,
                ..rtc::rtp::Header::default()
            };
            let extensions = &sender.get_parameters().rtp_parameters.header_extensions;
            let id = extensions
                .iter()
                .find(|extension| extension.uri == AUDIO_LEVEL_URI);
            if let (Some(level), Some(id)) = (level, id) {
                let id = u8::try_from(id.id).unwrap_or_default();
                header.set_extension(id, Bytes::copy_from_slice(&[level]))?;
            }
            self.next_seq = self.next_seq.wrapping_add(1);
            let payload = Bytes::from(payload);
            sender.write_rtp(instant, rtc::rtp::Packet { header, payload })?;
        }
        Ok(())
    }
}

/// Adds a send-only section with one stream.
fn add_track(
    connection: &mut RTCPeerConnection,
    kind: RtpCodecKind,
    codec: RTCRtpCodec,
    ssrc: u32,
    rtx: Option<u32>,
) -> Result<RTCRtpSenderId, Error> {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx: rtx.map(|ssrc| RTCRtpRtxParameters { ssrc }),
            ..RTCRtpCodingParameters::default()
        },
        active: true,
        codec,
        ..RTCRtpEncodingParameters::default()
    };
    let name = format!("{ssrc:08x}");
    let track = MediaStreamTrack::new(
        name.clone(),
        name.clone(),
        name,
        kind,
        vec![encoding.clone()],
    );
    let init = RTCRtpTransceiverInit {
        direction: RTCRtpTransceiverDirection::Sendonly,
        streams: vec![],
        send_encodings: vec![encoding],
    };
    let id: RTCRtpTransceiverId = connection.add_transceiver_from_track(track, Some(init))?;
    connection
        .rtp_transceiver(id)
        .and_then(|transceiver| transceiver.sender())
        .ok_or(Error::ErrRTPSenderNotExisted)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is asked for")]
const fn low_u32(word: u64) -> u32 {
    word as u32
}
