//! An interceptor next to the wire: tells the endpoint what came out of SRTP, and puts repairs in
//! their place.
//!
//! The `rtc` crate unwraps retransmissions only behind its interceptors, so its NACK generator would
//! go on asking for what has long come. Browsers unwrap them before they look for gaps; so does the
//! tap.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::setup;

/// What was seen.
pub(super) enum Tapped {
    /// A packet under the stream it belongs to, as it will be handed on.
    Rtp {
        packet: rtc::rtp::Packet,
        is_repair: bool,
    },
    KeyframeRequest {
        is_fir: bool,
    },
    Nack {
        packets: u64,
    },
    SenderReport,
}

/// Retransmission streams with the streams they repair; known once there is an answer.
pub(super) type Repairs = Arc<OnceLock<BTreeMap<u32, u32>>>;

pub(super) struct Tap {
    seen: mpsc::Sender<Tapped>,
    repairs: Repairs,
    read_queue: VecDeque<TaggedPacket>,
    write_queue: VecDeque<TaggedPacket>,
}

impl Tap {
    pub(super) const fn new(seen: mpsc::Sender<Tapped>, repairs: Repairs) -> Self {
        Self {
            seen,
            repairs,
            read_queue: VecDeque::new(),
            write_queue: VecDeque::new(),
        }
    }

    fn look(&self, packet: &mut Packet) -> Vec<Tapped> {
        match packet {
            Packet::Rtp(packet) => {
                let Some(is_repair) = self.put_in_place(packet) else {
                    return Vec::new();
                };
                let packet = packet.clone();
                vec![Tapped::Rtp { packet, is_repair }]
            }
            Packet::Rtcp(packets) => packets.iter().filter_map(look_at_rtcp).collect(),
            _ => Vec::new(),
        }
    }

    /// Turns a retransmission into what it repairs, and says whether it was one; `None` for padding
    /// that probes for bandwidth, which repairs nothing.
    fn put_in_place(&self, packet: &mut rtc::rtp::Packet) -> Option<bool> {
        let repairs = self.repairs.get();
        let Some(&primary) = repairs.and_then(|repairs| repairs.get(&packet.header.ssrc)) else {
            return Some(false);
        };
        let (original, rest) = estrade_rtp::rtx::unwrap(&packet.payload)?;
        packet.header.sequence_number = original.0;
        packet.payload = packet.payload.slice_ref(rest);
        packet.header.ssrc = primary;
        packet.header.payload_type = setup::VP8;
        Some(true)
    }
}

#[expect(
    clippy::borrowed_box,
    reason = "the form in which the crate hands them out"
)]
fn look_at_rtcp(packet: &Box<dyn rtc::rtcp::Packet>) -> Option<Tapped> {
    let packet = packet.as_any();
    if packet.is::<PictureLossIndication>() {
        return Some(Tapped::KeyframeRequest { is_fir: false });
    }
    if packet.is::<FullIntraRequest>() {
        return Some(Tapped::KeyframeRequest { is_fir: true });
    }
    if packet.is::<SenderReport>() {
        return Some(Tapped::SenderReport);
    }
    let nack = packet.downcast_ref::<TransportLayerNack>()?;
    let packets = nack
        .nacks
        .iter()
        .map(|pair| 1 + u64::from(pair.lost_packets.count_ones()));
    Some(Tapped::Nack {
        packets: packets.sum(),
    })
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Tap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        for seen in self.look(&mut packet.message.packet) {
            // Nobody listens any more once the endpoint is being dropped.
            drop(self.seen.send(seen));
        }
        self.read_queue.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read_queue.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.write_queue.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write_queue.pop_front()
    }
}

impl Interceptor for Tap {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
