//! Synthetic Opus and VP8: nothing a decoder would play, but headers as real ones have them, and a
//! tag in every payload by which a receiver knows source, frame and packet again.

use estrade_rtp::vp8;
use estrade_types::MediaKind;

/// Where a tag starts in an Opus payload, behind the TOC octet. RFC 6716 §3.1.
const OPUS_TAG_AT: usize = 1;

/// Bytes of a VP8 payload descriptor with everything in it.
const VP8_DESCRIPTOR_LEN: usize = 6;

/// Bytes of a VP8 keyframe's header. RFC 6386 §9.1.
const VP8_KEYFRAME_HEADER_LEN: usize = 10;

/// Which packet this is, as its payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaTag {
    /// The source's number, chosen by the test.
    pub source: u8,
    /// Running number of the packet, over all frames.
    pub packet: u32,
    /// Running number of the frame (of 20 ms of sound, or of a picture).
    pub frame: u32,
    /// Running number of the packet in its frame.
    pub part: u8,
    /// How many packets the frame has.
    pub parts: u8,
    /// Whether the frame is a keyframe; always true for sound.
    pub is_keyframe: bool,
}

impl MediaTag {
    const LEN: usize = 16;
    const MAGIC: [u8; 4] = *b"tag:";

    fn to_bytes(self) -> [u8; Self::LEN] {
        let [m0, m1, m2, m3] = Self::MAGIC;
        let [p0, p1, p2, p3] = self.packet.to_be_bytes();
        let [f0, f1, f2, f3] = self.frame.to_be_bytes();
        let (source, part, parts) = (self.source, self.part, self.parts);
        let key = u8::from(self.is_keyframe);
        [
            m0, m1, m2, m3, p0, p1, p2, p3, f0, f1, f2, f3, source, part, parts, key,
        ]
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let &[
            m0,
            m1,
            m2,
            m3,
            p0,
            p1,
            p2,
            p3,
            f0,
            f1,
            f2,
            f3,
            source,
            part,
            parts,
            key,
        ] = bytes.first_chunk()?;
        ([m0, m1, m2, m3] == Self::MAGIC).then_some(Self {
            source,
            packet: u32::from_be_bytes([p0, p1, p2, p3]),
            frame: u32::from_be_bytes([f0, f1, f2, f3]),
            part,
            parts,
            is_keyframe: key != 0,
        })
    }

    /// Reads the tag of a payload that one of our sources made; `None` for any other.
    pub fn read(kind: MediaKind, payload: &[u8]) -> Option<Self> {
        let at = match kind {
            MediaKind::Audio => OPUS_TAG_AT,
            MediaKind::Video if vp8::is_keyframe_start(payload) => {
                vp8::Descriptor::parse(payload)?.len + VP8_KEYFRAME_HEADER_LEN
            }
            MediaKind::Video => vp8::Descriptor::parse(payload)?.len + 1,
        };
        Self::from_bytes(payload.get(at..)?)
    }
}

/// How far below the voice's level each packet of a spoken phrase lies, in dB, over and over.
const SYLLABLES: [u8; 8] = [0, 6, 2, 9, 4, 11, 1, 7];

/// Packets in a second of talk: a breath, then a phrase.
const PHRASE_PACKETS: u32 = 50;

/// Packets of that which are breath.
const BREATH_PACKETS: u32 = 8;

/// A room in which nobody talks, in -dBov.
const ROOM_LEVEL: u8 = 80;

/// A microphone: 50 packets a second.
#[derive(Clone, Copy, Debug)]
pub struct AudioSource {
    /// The source's number in its tags.
    pub source: u8,
    /// The loudest syllable in -dBov while somebody talks; `None` while nobody does.
    pub voice: Option<u8>,
    next_frame: u32,
}

impl AudioSource {
    /// Ticks of the RTP timestamp in a packet: 20 ms.
    pub const FRAME_TICKS: u32 = 960;
    /// Bytes of a packet's payload: 32 kbit/s.
    const PAYLOAD_LEN: usize = 80;

    /// Somebody talking: phrases of uneven levels with breaths between them.
    pub const fn voice(source: u8, level: u8) -> Self {
        Self {
            source,
            voice: Some(level),
            next_frame: 0,
        }
    }

    /// A quiet room.
    pub const fn quiet(source: u8) -> Self {
        Self {
            source,
            voice: None,
            next_frame: 0,
        }
    }

    /// The octet of the audio level extension for the next packet. RFC 6464.
    pub(crate) fn level(&self) -> u8 {
        let in_phrase = self.next_frame % PHRASE_PACKETS;
        let syllable = SYLLABLES.iter().cycle().nth(in_phrase as usize);
        match (self.voice, syllable) {
            (Some(level), Some(below)) if in_phrase >= BREATH_PACKETS => 0x80 | (level + below),
            // Not quite the same each time, as rooms are.
            _ => ROOM_LEVEL + u8::from(self.next_frame.is_multiple_of(3)),
        }
    }

    /// The next packet's payload and its frame number.
    pub(crate) fn next_packet(&mut self) -> (u32, Vec<u8>) {
        let frame = self.next_frame;
        self.next_frame += 1;
        let tag = MediaTag {
            source: self.source,
            packet: frame,
            frame,
            part: 0,
            parts: 1,
            is_keyframe: true,
        };
        // CELT, 20 ms, mono, one frame.
        let mut payload = vec![0xf8];
        payload.extend(tag.to_bytes());
        payload.resize(Self::PAYLOAD_LEN, 0x55);
        (frame, payload)
    }
}

/// A camera with a VP8 encoder: a keyframe at first and whenever one is asked for.
#[derive(Clone, Copy, Debug)]
pub struct VideoSource {
    /// The source's number in its tags.
    pub source: u8,
    /// Frames in a second.
    pub fps: u32,
    /// Packets in a frame between keyframes; a keyframe has three times as many.
    pub packets_per_frame: u8,
    next_frame: u32,
    next_packet: u32,
    tl0picidx: u8,
    keyidx: u8,
    wants_keyframe: bool,
}

impl VideoSource {
    /// Bytes of a packet's payload.
    const PAYLOAD_LEN: usize = 1_000;

    /// A camera of 640 by 360 pixels at 25 frames a second and two packets a frame: 400 kbit/s.
    pub const fn camera(source: u8) -> Self {
        Self {
            source,
            fps: 25,
            packets_per_frame: 2,
            next_frame: 0,
            next_packet: 0,
            tl0picidx: 0,
            keyidx: 0,
            wants_keyframe: true,
        }
    }

    /// The same camera with this many frames a second and packets a frame, at most 80.
    #[must_use]
    pub const fn with_rate(self, fps: u32, packets_per_frame: u8) -> Self {
        Self {
            fps,
            packets_per_frame,
            ..self
        }
    }

    /// Makes the next frame a keyframe.
    pub(crate) const fn request_keyframe(&mut self) {
        self.wants_keyframe = true;
    }

    /// The next frame's number and the payloads of its packets.
    pub(crate) fn next_frame(&mut self) -> (u32, Vec<Vec<u8>>) {
        let is_keyframe = std::mem::take(&mut self.wants_keyframe);
        let frame = self.next_frame;
        self.next_frame += 1;
        self.tl0picidx = self.tl0picidx.wrapping_add(1);
        if is_keyframe {
            self.keyidx = self.keyidx.wrapping_add(1) & 0x1f;
        }
        let parts = if is_keyframe {
            self.packets_per_frame * 3
        } else {
            self.packets_per_frame
        };
        let first_packet = self.next_packet;
        self.next_packet += u32::from(parts);
        let payloads = (0..parts)
            .map(|part| {
                let tag = MediaTag {
                    source: self.source,
                    packet: first_packet + u32::from(part),
                    frame,
                    part,
                    parts,
                    is_keyframe,
                };
                self.payload(tag)
            })
            .collect();
        (frame, payloads)
    }

    fn payload(&self, tag: MediaTag) -> Vec<u8> {
        let is_start = tag.part == 0;
        let [_, _, high, low] = (tag.frame & 0x7fff).to_be_bytes();
        let mut payload = Vec::with_capacity(Self::PAYLOAD_LEN);
        // X, and S in the first packet; I, L, T and K; 15-bit picture id; TID 0 and KEYIDX.
        let first = 0x80 | if is_start { 0x10 } else { 0 };
        payload.extend([first, 0xf0, 0x80 | high, low, self.tl0picidx, self.keyidx]);
        debug_assert_eq!(payload.len(), VP8_DESCRIPTOR_LEN);
        if is_start && tag.is_keyframe {
            // Frame tag with P = 0, start code, 640 by 360.
            payload.extend([0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01]);
        } else {
            payload.push(0x11);
        }
        payload.extend(tag.to_bytes());
        payload.resize(Self::PAYLOAD_LEN, 0xaa);
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_of_a_frame_is_known_again() {
        let mut camera = VideoSource::camera(3);
        let (_, keyframe) = camera.next_frame();
        let (_, interframe) = camera.next_frame();
        assert_eq!((keyframe.len(), interframe.len()), (6, 2));
        assert_eq!(vp8::dimensions(&keyframe[0]), Some((640, 360)));
        assert!(!vp8::is_keyframe_start(&keyframe[1]));
        assert!(!vp8::is_keyframe_start(&interframe[0]));
        for (part, payload) in (0..).zip(&keyframe) {
            let expected = MediaTag {
                source: 3,
                packet: part.into(),
                frame: 0,
                part,
                parts: 6,
                is_keyframe: true,
            };
            assert_eq!(MediaTag::read(MediaKind::Video, payload), Some(expected));
        }
        let tag = MediaTag::read(MediaKind::Video, &interframe[1]).unwrap();
        assert_eq!((tag.frame, tag.part, tag.packet), (1, 1, 7));
        camera.request_keyframe();
        assert_eq!(camera.next_frame().1.len(), 6);
    }

    #[test]
    fn talk_has_breaths_and_uneven_levels_and_a_room_is_quiet() {
        let mut voice = AudioSource::voice(1, 20);
        let levels: Vec<u8> = (0..100)
            .map(|_| {
                let level = voice.level();
                voice.next_packet();
                level
            })
            .collect();
        assert_eq!(levels.iter().filter(|level| **level >= 0x80).count(), 84);
        assert_eq!(levels.iter().min(), Some(&ROOM_LEVEL));
        assert_eq!(
            levels.iter().filter(|level| **level >= 0x80).min(),
            Some(&(0x80 | 20))
        );
        assert!(AudioSource::quiet(1).level() < 0x80);
    }

    #[test]
    fn sound_is_known_again() {
        let mut voice = AudioSource::voice(9, 20);
        voice.next_packet();
        let (frame, payload) = voice.next_packet();
        let tag = MediaTag::read(MediaKind::Audio, &payload).unwrap();
        assert_eq!((tag.source, tag.packet, frame), (9, 1, 1));
        assert_eq!(MediaTag::read(MediaKind::Audio, &[0; 40]), None);
    }
}
