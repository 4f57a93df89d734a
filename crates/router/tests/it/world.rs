//! A room with scripted publishers, and receivers that hold the router to its invariants.
//!
//! Every payload says whose it is, and which packet of which frame, so that a receiver can check what
//! no wire format would tell.

mod sections;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use estrade_router::{
    AddSession, Egress, EgressPayload, LegAddress, MediaClass, RoomRouter, RouterConfig,
    RouterEvent, RouterSession, RtpAccepted, RtpRefused,
};
use estrade_rtp::rtcp::{Compound, Packet};
use estrade_rtp::{EgressHeader, vp8};
use estrade_types::{
    AudioLevel, Codec, ExtensionId, ExtensionMap, Mid, MonoTime, NegotiatedCodec, ParticipantKey,
    PayloadType, Permits, Rid, RtpTimestamp, RxMedia, SessionId, SlotId, SourceKind, Ssrc, TxMedia,
    WallClock,
};

pub(crate) use sections::*;

/// What a payload made here says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) owner: u8,
    pub(crate) layer: u8,
    pub(crate) frame: u32,
    pub(crate) index: u8,
    pub(crate) count: u8,
    pub(crate) is_key: bool,
}

impl Tag {
    fn write(self) -> Vec<u8> {
        let mut bytes = vec![u8::from(!self.is_key), self.owner, self.layer];
        bytes.extend(self.frame.to_be_bytes());
        bytes.extend([self.index, self.count, 0x55, 0xaa]);
        bytes
    }

    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let [
            tag,
            owner,
            layer,
            f0,
            f1,
            f2,
            f3,
            index,
            count,
            0x55,
            0xaa,
            ..,
        ] = *payload
        else {
            return None;
        };
        Some(Self {
            owner,
            layer,
            frame: u32::from_be_bytes([f0, f1, f2, f3]),
            index,
            count,
            is_key: tag == 0,
        })
    }
}

/// A packet that a receiver got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) header: EgressHeader,
    pub(crate) ext_seq: u64,
    pub(crate) payload: Vec<u8>,
    pub(crate) class: MediaClass,
}

impl Got {
    pub(crate) fn tag(&self) -> Option<Tag> {
        let skip = if self.class == MediaClass::Rtx { 2 } else { 0 };
        let payload = &self.payload[skip..];
        if self.class == MediaClass::Audio {
            return Tag::read(payload);
        }
        Tag::read(&payload[vp8::Descriptor::parse(payload)?.len..])
    }

    pub(crate) fn owner(&self) -> Option<u8> {
        self.tag().map(|tag| tag.owner)
    }
}

/// Everything that left the router.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) now: MonoTime,
    pub(crate) rtp: BTreeMap<(u32, u16, bool), Vec<Got>>,
    pub(crate) rtcp: Vec<(MonoTime, u32, Vec<u8>)>,
    used: std::collections::BTreeSet<(u32, u16, bool, u64)>,
}

impl Egress for Sent {
    fn rtp(
        &mut self,
        to: LegAddress,
        header: &EgressHeader,
        ext_seq: u64,
        payload: EgressPayload<'_>,
        class: MediaClass,
    ) {
        let is_rtx = class == MediaClass::Rtx;
        assert!(
            self.used.insert((to.session, to.stream, is_rtx, ext_seq)),
            "index {ext_seq} used twice on {to:?}"
        );
        assert_eq!(u64::from(header.sequence_number.0), ext_seq & 0xffff);
        let mut bytes = vec![0; payload.len()];
        assert_eq!(payload.write(&mut bytes), Some(payload.len()));
        self.rtp
            .entry((to.session, to.stream, is_rtx))
            .or_default()
            .push(Got {
                header: *header,
                ext_seq,
                payload: bytes,
                class,
            });
    }

    fn rtcp(&mut self, session: u32, compound: &[u8]) {
        assert!(compound.len() <= 1_200);
        assert!(
            Compound::parse(compound).is_ok(),
            "the router wrote broken RTCP"
        );
        self.rtcp.push((self.now, session, compound.to_vec()));
    }
}

/// One encoded stream of a publisher.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    pub(crate) ssrc: u32,
    pub(crate) seq: u16,
    pub(crate) timestamp: u32,
    pub(crate) picture_id: u16,
    pub tl0picidx: u8,
    pub(crate) frame: u32,
    pub(crate) rid: Option<&'static str>,
}

/// A scripted participant.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) who: ParticipantKey,
    pub(crate) session: RouterSession,
    pub(crate) slot: u32,
    pub(crate) microphone: Encoding,
    pub(crate) camera: Vec<Encoding>,
    pub(crate) transport_seq: u16,
    owner: u8,
}

/// A room under test.
pub(crate) struct World {
    pub(crate) now: MonoTime,
    pub(crate) router: RoomRouter,
    pub(crate) sent: Sent,
    pub(crate) people: Vec<Person>,
}

impl World {
    pub(crate) fn new(audio_slots: u8) -> Self {
        let config = RouterConfig {
            audio_slots,
            wall_clock: WallClock::default(),
            cname: "room".to_owned(),
        };
        let now = MonoTime::from_millis(10_000);
        Self {
            now,
            router: RoomRouter::new(config, now),
            sent: Sent::default(),
            people: Vec::new(),
        }
    }

    /// Adds somebody with all permits, and returns their index.
    pub(crate) fn join(&mut self, encodings: usize) -> usize {
        self.join_with(&rx_media(encodings), &tx_media(3, 2), Permits::ALL)
    }

    /// Adds a listener with three audio slots and one picture.
    pub(crate) fn listen(&mut self) -> usize {
        self.join_with(&[], &tx_media(3, 0), Permits::NONE)
    }

    pub(crate) fn join_with(&mut self, rx: &[RxMedia], tx: &[TxMedia], permits: Permits) -> usize {
        let index = self.people.len();
        let n = u32::try_from(index).unwrap() + 1;
        let who = key(n);
        self.router.set_participant(self.now, who, permits);
        let session = self
            .router
            .add_session(
                self.now,
                AddSession {
                    session: SessionId(u64::from(n)),
                    slot: n,
                    participant: who,
                    rx,
                    tx,
                    seed: u64::from(n) * 7_919,
                    tells_slots: true,
                },
            )
            .unwrap();
        self.router
            .set_connected(self.now, session, true, &mut self.sent);
        let rids = rx
            .iter()
            .find(|media| media.source == SourceKind::Camera)
            .map_or(0, |media| media.rids.len());
        let encoding = |at: u32, rid| Encoding {
            ssrc: n * 100 + at,
            seq: 65_000u16.wrapping_add(u16::try_from(n * 37 + at).unwrap()),
            timestamp: 0xffff_0000u32.wrapping_add(n * 77_777),
            picture_id: u16::try_from(n * 1_000 % 0x8000).unwrap(),
            tl0picidx: u8::try_from(n * 10 % 256).unwrap(),
            frame: 0,
            rid,
        };
        let camera = match rids {
            0 => vec![encoding(1, None)],
            some => (0..some)
                .map(|at| encoding(1 + u32::try_from(at).unwrap(), Some(RIDS[at])))
                .collect(),
        };
        self.people.push(Person {
            who,
            session,
            slot: n,
            microphone: encoding(0, None),
            camera,
            transport_seq: 65_500,
            owner: u8::try_from(n % 256).unwrap(),
        });
        index
    }

    /// Moves time on, doing what falls due.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now.plus(span);
        while let Some(due) = self.router.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.sent.now = self.now;
            self.router.on_timeout(self.now, &mut self.sent);
        }
        self.now = end;
        self.sent.now = end;
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    /// Gives a packet to the router.
    pub(crate) fn deliver(
        &mut self,
        from: usize,
        packet: &[u8],
    ) -> Result<Option<RtpAccepted>, RtpRefused> {
        self.sent.now = self.now;
        self.router
            .on_rtp(self.now, self.people[from].session, packet, &mut self.sent)
    }

    /// Makes and delivers one frame of a camera layer.
    pub(crate) fn frame(&mut self, from: usize, layer: usize, is_key: bool, packets: u8) {
        for packet in self.make_frame(from, layer, is_key, packets) {
            self.deliver(from, &packet).unwrap();
        }
    }

    /// Makes the packets of one camera frame.
    pub(crate) fn make_frame(
        &mut self,
        from: usize,
        layer: usize,
        is_key: bool,
        packets: u8,
    ) -> Vec<Vec<u8>> {
        let ticks = u32::try_from(self.now.as_millis() * 90 % (1 << 32)).unwrap();
        let person = &mut self.people[from];
        let owner = person.owner;
        let encoding = &mut person.camera[layer];
        encoding.frame += 1;
        encoding.picture_id = (encoding.picture_id + 1) & 0x7fff;
        encoding.tl0picidx = encoding.tl0picidx.wrapping_add(1);
        let timestamp = encoding.timestamp.wrapping_add(ticks);
        let mut made = Vec::new();
        for index in 0..packets {
            let [high, low] = encoding.picture_id.to_be_bytes();
            let start = if index == 0 { 0x10 } else { 0 };
            let mut payload = vec![
                0x80 | start,
                0xe0,
                0x80 | high,
                low,
                encoding.tl0picidx,
                0x20,
            ];
            let tag = Tag {
                owner,
                layer: u8::try_from(layer).unwrap(),
                frame: encoding.frame,
                index,
                count: packets,
                is_key,
            };
            payload.extend(tag.write());
            payload.resize(60 + usize::from(index), 0xcc);
            made.push(
                PacketBuilder {
                    pt: VP8,
                    marker: index + 1 == packets,
                    seq: encoding.seq,
                    timestamp,
                    ssrc: encoding.ssrc,
                    mid: Some("cam"),
                    rid: encoding.rid,
                    transport_seq: Some(person.transport_seq),
                    ..PacketBuilder::default()
                }
                .build(&payload),
            );
            encoding.seq = encoding.seq.wrapping_add(1);
            person.transport_seq = person.transport_seq.wrapping_add(1);
        }
        made
    }

    /// Makes one 20 ms packet of a microphone.
    pub(crate) fn make_voice(&mut self, from: usize, level: u8) -> Vec<u8> {
        let ticks = u32::try_from(self.now.as_millis() * 48 % (1 << 32)).unwrap();
        let person = &mut self.people[from];
        let encoding = &mut person.microphone;
        encoding.frame += 1;
        let tag = Tag {
            owner: person.owner,
            layer: 0,
            frame: encoding.frame,
            index: 0,
            count: 1,
            is_key: true,
        };
        let packet = PacketBuilder {
            pt: OPUS,
            seq: encoding.seq,
            timestamp: encoding.timestamp.wrapping_add(ticks),
            ssrc: encoding.ssrc,
            mid: Some("mic"),
            level: Some(level),
            transport_seq: Some(person.transport_seq),
            ..PacketBuilder::default()
        }
        .build(&tag.write());
        encoding.seq = encoding.seq.wrapping_add(1);
        person.transport_seq = person.transport_seq.wrapping_add(1);
        packet
    }

    /// Delivers one 20 ms packet of a microphone; `level` with the voice bit on top.
    pub(crate) fn voice(
        &mut self,
        from: usize,
        level: u8,
    ) -> Result<Option<RtpAccepted>, RtpRefused> {
        let packet = self.make_voice(from, level);
        self.deliver(from, &packet)
    }

    pub(crate) fn rtcp(&mut self, from: usize, compound: &[u8]) {
        self.sent.now = self.now;
        let session = self.people[from].session;
        self.router
            .on_rtcp(self.now, session, compound, &mut self.sent)
            .unwrap();
    }

    pub(crate) fn programme(&mut self, owner: Option<usize>) {
        let main = owner.map(|owner| (self.people[owner].who, SourceKind::Camera));
        self.router
            .set_programme(self.now, main, None, &mut self.sent);
    }

    /// What somebody got on a slot (by its position in `tx_media`).
    pub(crate) fn got(&self, who: usize, stream: u16) -> &[Got] {
        self.sent
            .rtp
            .get(&(self.people[who].slot, stream, false))
            .map_or(&[], Vec::as_slice)
    }

    pub(crate) fn got_rtx(&self, who: usize, stream: u16) -> &[Got] {
        self.sent
            .rtp
            .get(&(self.people[who].slot, stream, true))
            .map_or(&[], Vec::as_slice)
    }

    /// Keyframe requests that somebody got.
    pub(crate) fn plis(&self, who: usize) -> usize {
        self.rtcp_to(who)
            .filter(|packet| matches!(packet, Packet::Pli(_)))
            .count()
    }

    pub(crate) fn rtcp_to(&self, who: usize) -> impl Iterator<Item = Packet<'_>> {
        let slot = self.people[who].slot;
        self.sent
            .rtcp
            .iter()
            .filter(move |(_, to, _)| *to == slot)
            .flat_map(|(_, _, compound)| Compound::parse(compound).unwrap().packets())
    }

    pub(crate) fn events(&mut self) -> Vec<RouterEvent> {
        std::iter::from_fn(|| self.router.poll_event()).collect()
    }
}

/// The main picture's position in `tx_media(3, _)`.
pub(crate) const MAIN: u16 = 3;

/// A packet to be written by hand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PacketBuilder<'a> {
    pub(crate) pt: u8,
    pub(crate) marker: bool,
    pub(crate) seq: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) mid: Option<&'a str>,
    pub(crate) rid: Option<&'a str>,
    pub(crate) repaired_rid: Option<&'a str>,
    pub(crate) level: Option<u8>,
    pub(crate) transport_seq: Option<u16>,
}

impl PacketBuilder<'_> {
    pub(crate) fn build(&self, payload: &[u8]) -> Vec<u8> {
        let mut elements = Vec::new();
        let mut put = |id: u8, value: &[u8]| {
            elements.push(id << 4 | u8::try_from(value.len() - 1).unwrap());
            elements.extend(value);
        };
        if let Some(mid) = self.mid {
            put(1, mid.as_bytes());
        }
        if let Some(rid) = self.rid {
            put(2, rid.as_bytes());
        }
        if let Some(rid) = self.repaired_rid {
            put(3, rid.as_bytes());
        }
        if let Some(level) = self.level {
            put(4, &[level]);
        }
        if let Some(seq) = self.transport_seq {
            put(5, &seq.to_be_bytes());
        }
        elements.resize(elements.len().next_multiple_of(4), 0);
        let mut packet = vec![0x90, u8::from(self.marker) << 7 | self.pt];
        packet.extend(self.seq.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([0xbe, 0xde]);
        packet.extend(u16::try_from(elements.len() / 4).unwrap().to_be_bytes());
        packet.extend(elements);
        packet.extend(payload);
        packet
    }
}

/// Checks what holds for every stream whatever was lost on the way in: by extended sequence number,
/// timestamps never step back, and the first packets of another source are a whole keyframe.
pub(crate) fn check_stream(got: &[Got]) {
    let mut by_seq: Vec<&Got> = got.iter().collect();
    by_seq.sort_by_key(|got| got.ext_seq);
    for pair in by_seq.windows(2) {
        let step = pair[1]
            .header
            .timestamp
            .0
            .wrapping_sub(pair[0].header.timestamp.0);
        assert!(step.cast_signed() >= 0, "timestamp steps back: {pair:?}");
    }
    let mut source = None;
    for (at, got) in by_seq.iter().enumerate() {
        let Some(tag) = got.tag().filter(|_| got.class == MediaClass::Video) else {
            continue;
        };
        if source.replace((tag.owner, tag.layer)) != Some((tag.owner, tag.layer)) {
            assert!(
                tag.is_key && tag.index == 0,
                "a cut not at a keyframe: {tag:?}"
            );
            for index in 0..tag.count {
                let next = by_seq[at + usize::from(index)];
                assert_eq!(next.ext_seq, got.ext_seq + u64::from(index));
                let next = next.tag().unwrap();
                assert_eq!((next.frame, next.index), (tag.frame, index));
            }
        }
    }
}

/// Checks what holds when nothing was lost on the way in: no holes, every frame whole and after the
/// one it builds on, picture ids and TL0PICIDX without a jump.
pub(crate) fn check_decodable(got: &[Got]) {
    check_stream(got);
    let mut last: Option<(u64, Tag, vp8::Descriptor)> = None;
    for got in got {
        let tag = got.tag().unwrap();
        let descriptor = vp8::Descriptor::parse(&got.payload).unwrap();
        let picture_id = |d: &vp8::Descriptor| d.picture_id.unwrap().value();
        if let Some((seq, before, ids)) = last {
            assert_eq!(got.ext_seq, seq + 1, "a hole");
            let is_same = (tag.owner, tag.layer) == (before.owner, before.layer);
            if is_same && tag.frame == before.frame {
                assert_eq!(tag.index, before.index + 1);
                assert_eq!(descriptor.picture_id, ids.picture_id);
            } else {
                assert_eq!(tag.index, 0);
                if !tag.is_key {
                    assert_eq!(tag.frame, before.frame + 1);
                }
                assert_eq!(picture_id(&descriptor), (picture_id(&ids) + 1) & 0x7fff);
                assert_eq!(
                    descriptor.tl0picidx.unwrap(),
                    ids.tl0picidx.unwrap().wrapping_add(1)
                );
            }
        } else {
            assert!(tag.is_key && tag.index == 0);
        }
        last = Some((got.ext_seq, tag, descriptor));
    }
}

pub(crate) fn level(level: u8) -> AudioLevel {
    AudioLevel::from_octet(level)
}

pub(crate) const fn timestamp(got: &Got) -> RtpTimestamp {
    got.header.timestamp
}
