//! The forwarding path with the router's choices in it: open, parse, `RoomRouter::on_rtp`, and for
//! each leg header, copy and seal. One talker, listeners with one audio slot. Without sockets.

use std::num::NonZeroU32;
use std::time::Duration;

use estrade_router::{
    AddSession, Egress, EgressPayload, LegAddress, MediaClass, RoomRouter, RouterConfig,
    RouterSession,
};
use estrade_rtp::EgressHeader;
use estrade_transport::{SRTP_OVERHEAD_MAX, SrtpRx, SrtpTx, TxStreamSlot};
use estrade_types::{
    Codec, DeclaredSsrc, ExtensionId, ExtensionMap, Mid, MonoTime, NegotiatedCodec, ParticipantKey,
    PayloadType, Permits, RxMedia, SessionId, SlotId, SourceKind, Ssrc, TxMedia, WallClock,
};

use crate::packets::{PROFILES, SSRC, packet, pair};
use crate::timing::median_ns;

const RECEIVERS: [usize; 4] = [1, 10, 100, 1_000];
/// Bytes of an Opus packet at about 32 kbit/s, RTP header included.
const AUDIO_BYTES: usize = 120;

pub(crate) fn run() -> Vec<(String, f64)> {
    RECEIVERS
        .into_iter()
        .filter_map(|receivers| Some((name(receivers), measure(receivers)?)))
        .collect()
}

fn name(receivers: usize) -> String {
    format!(
        "room      {AUDIO_BYTES:>4} B {} to {receivers}",
        PROFILES[0].1
    )
}

fn measure(receivers: usize) -> Option<f64> {
    let (mut tx, rx) = pair(PROFILES[0].0);
    let mut room = Room::new(rx, receivers)?;
    let mut index = 0;
    let ns = median_ns(
        receivers,
        || {
            let mut sealed = packet(AUDIO_BYTES, index);
            let len = sealed.len() - SRTP_OVERHEAD_MAX;
            let sealed_len = tx.seal_rtp(&mut sealed, len, index, TxStreamSlot(0));
            sealed.truncate(sealed_len.unwrap_or_default());
            index += 1;
            sealed
        },
        |sealed| room.forward(sealed),
    );
    assert!(
        room.legs.sent >= index * u64::try_from(receivers).ok()? / 2,
        "it is heard"
    );
    Some(ns)
}

/// Seals as the shard does, each receiver with its own key schedule.
struct Legs {
    keys: Vec<SrtpTx>,
    out: Vec<u8>,
    sent: u64,
}

impl Egress for Legs {
    fn rtp(
        &mut self,
        to: LegAddress,
        header: &EgressHeader,
        ext_seq: u64,
        payload: EgressPayload<'_>,
        _class: MediaClass,
    ) {
        let Some(head) = header.write(&mut self.out) else {
            return;
        };
        let Some(body) = self.out.get_mut(head..).and_then(|out| payload.write(out)) else {
            return;
        };
        let Some(keys) = usize::try_from(to.session)
            .ok()
            .and_then(|at| self.keys.get_mut(at))
        else {
            return;
        };
        if keys
            .seal_rtp(&mut self.out, head + body, ext_seq, TxStreamSlot(0))
            .is_ok()
        {
            self.sent += 1;
        }
    }

    fn rtcp(&mut self, _session: u32, _compound: &[u8]) {}
}

struct Room {
    router: RoomRouter,
    talker: RouterSession,
    rx: SrtpRx,
    legs: Legs,
    now: MonoTime,
}

impl Room {
    fn new(rx: SrtpRx, receivers: usize) -> Option<Self> {
        let now = MonoTime::from_millis(1_000);
        let config = RouterConfig {
            audio_slots: 3,
            wall_clock: WallClock::default(),
            cname: "bench".to_owned(),
        };
        let mut router = RoomRouter::new(config, now);
        let keys = (0..=receivers).map(|_| pair(PROFILES[0].0).0).collect();
        let mut legs = Legs {
            keys,
            out: vec![0; 1_500],
            sent: 0,
        };
        let mut talker = None;
        for n in 0..=u32::try_from(receivers).ok()? {
            let who = ParticipantKey(NonZeroU32::new(n + 1)?);
            let talks = n == 0;
            router.set_participant(now, who, if talks { Permits::ALL } else { Permits::NONE });
            let rx = talks
                .then(microphone)
                .into_iter()
                .collect::<Option<Vec<_>>>()?;
            let tx = (!talks)
                .then(|| slot(n))
                .into_iter()
                .collect::<Option<Vec<_>>>()?;
            let added = router.add_session(
                now,
                AddSession {
                    session: SessionId(u64::from(n)),
                    slot: n,
                    participant: who,
                    rx: &rx,
                    tx: &tx,
                    seed: u64::from(n) + 1,
                    tells_slots: false,
                },
            );
            let session = added.ok()?;
            router.set_connected(now, session, true, &mut legs);
            talker = talker.or(Some(session));
        }
        Some(Self {
            router,
            talker: talker?,
            rx,
            legs,
            now,
        })
    }

    fn forward(&mut self, sealed: &mut [u8]) {
        self.now = self.now.plus(Duration::from_millis(20));
        let Ok(len) = self.rx.open_rtp(sealed) else {
            return;
        };
        let Some(plain) = sealed.get(..len) else {
            return;
        };
        // Padding and refusals are told; neither is in these packets.
        let _accepted = self
            .router
            .on_rtp(self.now, self.talker, plain, &mut self.legs);
    }
}

fn opus() -> NegotiatedCodec {
    NegotiatedCodec {
        codec: Codec::Opus,
        payload_type: PayloadType::from_octet(96),
        rtx_payload_type: None,
    }
}

fn extensions() -> ExtensionMap {
    let id = ExtensionId::new;
    ExtensionMap {
        mid: id(1),
        audio_level: id(2),
        transport_cc: id(3),
        ..ExtensionMap::default()
    }
}

fn microphone() -> Option<RxMedia> {
    Some(RxMedia {
        mid: Mid::new("0")?,
        source: SourceKind::Microphone,
        codecs: vec![opus()],
        rids: Vec::new(),
        ssrcs: vec![DeclaredSsrc {
            ssrc: Ssrc(SSRC),
            rtx: None,
        }],
        extensions: extensions(),
    })
}

fn slot(n: u32) -> Option<TxMedia> {
    Some(TxMedia {
        mid: Mid::new("0")?,
        slot: SlotId::Audio(0),
        codecs: vec![opus()],
        ssrc: Ssrc(0x1000 + n),
        rtx_ssrc: None,
        extensions: extensions(),
    })
}
