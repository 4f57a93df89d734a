//! Sealing and opening one RTP packet in place.

use estrade_transport::{SRTP_OVERHEAD_MAX, TxStreamSlot};

use crate::packets::{PROFILES, SIZES, packet, pair};
use crate::timing::{ROUND_PKTS, median_ns};

pub(crate) fn run() -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    for (profile, name) in PROFILES {
        for size in SIZES {
            let (mut tx, _) = pair(profile);
            let mut next = 0_u64;
            let protect = median_ns(
                ROUND_PKTS,
                || batch(size, &mut next),
                |packets| {
                    for (index, packet) in packets {
                        let len = packet.len() - SRTP_OVERHEAD_MAX;
                        let sealed = tx.seal_rtp(packet, len, *index, TxStreamSlot(0));
                        assert!(sealed.is_ok(), "every index is fresh");
                    }
                },
            );
            figures.push((format!("protect   {size:>4} B {name}"), protect));

            let (mut tx, mut rx) = pair(profile);
            let mut next = 0_u64;
            let unprotect = median_ns(
                ROUND_PKTS,
                || {
                    let mut packets = batch(size, &mut next);
                    for (index, packet) in &mut packets {
                        let len = packet.len() - SRTP_OVERHEAD_MAX;
                        let sealed = tx.seal_rtp(packet, len, *index, TxStreamSlot(0));
                        packet.truncate(sealed.unwrap_or_default());
                    }
                    packets
                },
                |packets| {
                    for (_, packet) in packets {
                        assert!(rx.open_rtp(packet).is_ok(), "every packet is authentic");
                    }
                },
            );
            figures.push((format!("unprotect {size:>4} B {name}"), unprotect));
        }
    }
    figures
}

fn batch(size: usize, next: &mut u64) -> Vec<(u64, Vec<u8>)> {
    (0..ROUND_PKTS)
        .map(|_| {
            let index = *next;
            *next += 1;
            (index, packet(size, index))
        })
        .collect()
}
