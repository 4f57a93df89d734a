//! One packet in, one per receiver out: open, parse, and for each leg write the header, copy the
//! payload and seal. Without the router's choices and without sockets.

use estrade_rtp::{EgressHeader, HeaderExtensions, RtpView};
use estrade_transport::{SRTP_OVERHEAD_MAX, SrtpRx, SrtpTx, TxStreamSlot};
use estrade_types::{ExtensionId, ExtensionMap, Mid, SeqNo, Ssrc};

use crate::packets::{PROFILES, SIZES, SSRC, packet, pair};
use crate::timing::median_ns;

const RECEIVERS: [usize; 3] = [1, 100, 1_000];

pub(crate) fn run() -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    // What browsers negotiate with us, which is the preferred profile.
    for (profile, name) in PROFILES.into_iter().take(1) {
        for size in SIZES {
            for receivers in RECEIVERS {
                let (mut tx, rx) = pair(profile);
                let mut path = Path::new(rx, (0..receivers).map(|_| pair(profile).0).collect());
                let mut index = 0;
                let ns = median_ns(
                    receivers,
                    || {
                        let mut sealed = packet(size, index);
                        let len = sealed.len() - SRTP_OVERHEAD_MAX;
                        let sealed_len = tx.seal_rtp(&mut sealed, len, index, TxStreamSlot(0));
                        sealed.truncate(sealed_len.unwrap_or_default());
                        index += 1;
                        (index - 1, sealed)
                    },
                    |(index, sealed)| {
                        assert!(path.forward(*index, sealed).is_some(), "it is authentic");
                    },
                );
                figures.push((format!("forward   {size:>4} B {name} to {receivers}"), ns));
            }
        }
    }
    figures
}

struct Path {
    rx: SrtpRx,
    legs: Vec<SrtpTx>,
    extensions: ExtensionMap,
    mid: Option<(ExtensionId, Mid)>,
    out: Vec<u8>,
}

impl Path {
    fn new(rx: SrtpRx, legs: Vec<SrtpTx>) -> Self {
        let id = ExtensionId::new;
        Self {
            rx,
            legs,
            extensions: ExtensionMap {
                mid: id(1),
                audio_level: id(2),
                transport_cc: id(3),
                ..ExtensionMap::default()
            },
            mid: id(1).zip(Mid::new("0")),
            out: vec![0; 1500],
        }
    }

    fn forward(&mut self, index: u64, sealed: &mut [u8]) -> Option<()> {
        let len = self.rx.open_rtp(sealed).ok()?;
        let view = RtpView::parse(sealed.get(..len)?).ok()?;
        let extensions = HeaderExtensions::read(&view, &self.extensions);
        let [.., s0, s1] = index.to_be_bytes();
        let sequence_number = SeqNo(u16::from_be_bytes([s0, s1]));
        for leg in &mut self.legs {
            let header = EgressHeader {
                payload_type: view.payload_type(),
                marker: view.marker(),
                sequence_number,
                timestamp: view.timestamp(),
                ssrc: Ssrc(SSRC),
                csrc: Some(view.ssrc()),
                mid: self.mid,
                audio_level: self.extensions.audio_level.zip(extensions.audio_level),
                video_orientation: None,
                transport_seq: self
                    .extensions
                    .transport_cc
                    .map(|id| (id, sequence_number.0)),
            };
            let header_len = header.write(&mut self.out)?;
            let payload = view.payload();
            let len = header_len + payload.len();
            self.out.get_mut(header_len..len)?.copy_from_slice(payload);
            leg.seal_rtp(&mut self.out, len, index, TxStreamSlot(0))
                .ok()?;
        }
        Some(())
    }
}
