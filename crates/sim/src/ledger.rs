//! What an endpoint received, stream by stream, and the promises every receiver is made.
//!
//! Fed with decrypted packets in the order of their arrival, before anything of the endpoint
//! reorders or hides them. Retransmissions are filed under the stream they repair.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use estrade_types::{ExtSeqNo, MediaKind, MonoTime, RtpTimestamp, SeqExtender, SeqNo, Ssrc};

use crate::MediaTag;

/// One packet that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// When.
    pub at: MonoTime,
    /// Its number in the stream, unwrapped; of a retransmission the original's.
    pub seq: ExtSeqNo,
    /// Its timestamp.
    pub timestamp: RtpTimestamp,
    /// The marker bit.
    pub marker: bool,
    /// The payload type.
    pub payload_type: u8,
    /// Whose media the server says it is.
    pub csrc: Option<Ssrc>,
    /// Whether it came as a retransmission.
    pub is_repair: bool,
    /// Which of a source's packets it is; `None` for payloads that no source made.
    pub tag: Option<MediaTag>,
    /// The payload, without the retransmission header.
    pub payload: Vec<u8>,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// A sequence number arrived twice on the stream itself, past the endpoint's replay window.
    Twice(ExtSeqNo),
    /// A sequence number came with other bytes than before.
    Changed(ExtSeqNo),
    /// A sequence number is missing although no link lost it.
    Gap(ExtSeqNo),
    /// A timestamp is before that of an earlier sequence number.
    TimestampBack(ExtSeqNo),
    /// A packet is not one that a source made.
    Foreign(ExtSeqNo),
    /// A source's packets come out of its order.
    TagBack(ExtSeqNo),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(seq) => write!(f, "{} arrived twice", seq.0),
            Self::Changed(seq) => write!(f, "{} came with other bytes", seq.0),
            Self::Gap(seq) => write!(f, "{} is missing and was not lost", seq.0),
            Self::TimestampBack(seq) => write!(f, "the timestamp steps back at {}", seq.0),
            Self::Foreign(seq) => write!(f, "{} is no source's packet", seq.0),
            Self::TagBack(seq) => write!(f, "the source steps back at {}", seq.0),
        }
    }
}

impl std::error::Error for Broken {}

/// What a stream that keeps its promises amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamSummary {
    /// Sequence numbers from the first to the last.
    pub span: u64,
    /// Of these, how many arrived in any way.
    pub arrived: u64,
    /// Of these, how many arrived as retransmissions only.
    pub repaired: u64,
    /// How many never arrived, all of them lost by a link: to the endpoint, or before the server.
    pub missing: u64,
    /// How often the source changed, seen in the order of sequence numbers.
    pub cuts: u64,
}

/// What links lost, as an excuse for gaps.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    /// Sequence numbers of the checked stream lost on the way to the endpoint.
    pub downlink: BTreeSet<u16>,
    /// Packets of the sources lost on the way to the server: source and [`MediaTag::packet`].
    pub uplink: BTreeSet<(u8, u32)>,
}

impl Losses {
    /// Whether a number missing between two packets that arrived was lost by a link. Between cuts
    /// the numbers of a stream and of its source's packets run in step.
    fn explain(&self, missing: ExtSeqNo, previous: &Received, next: &Received) -> bool {
        let behind = previous.tag.and_then(|tag| {
            let step = u32::try_from(missing.0 - previous.seq.0).ok()?;
            Some((tag.source, tag.packet.checked_add(step)?))
        });
        let ahead = next.tag.and_then(|tag| {
            let step = u32::try_from(next.seq.0 - missing.0).ok()?;
            Some((tag.source, tag.packet.checked_sub(step)?))
        });
        let mut in_step = behind.into_iter().chain(ahead);
        self.downlink.contains(&missing.wire().0)
            || in_step.any(|packet| self.uplink.contains(&packet))
    }
}

/// Everything that arrived on one stream, in the order of arrival.
#[derive(Clone, Debug, Default)]
pub struct StreamRecord {
    /// Audio or video, by the payload type.
    pub kind: Option<MediaKind>,
    /// The packets.
    pub packets: Vec<Received>,
    extender: Option<SeqExtender>,
}

/// Everything an endpoint received.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    streams: BTreeMap<Ssrc, StreamRecord>,
}

impl Ledger {
    /// The streams, by SSRC.
    pub fn streams(&self) -> impl Iterator<Item = (Ssrc, &StreamRecord)> {
        self.streams.iter().map(|(ssrc, record)| (*ssrc, record))
    }

    /// One stream.
    pub fn stream(&self, ssrc: Ssrc) -> Option<&StreamRecord> {
        self.streams.get(&ssrc)
    }

    /// The only stream of a kind that carried anything; `None` when there is none, or several.
    pub fn only(&self, kind: MediaKind) -> Option<&StreamRecord> {
        let mut of_kind = self
            .streams
            .values()
            .filter(|record| record.kind == Some(kind));
        of_kind.next().filter(|_| of_kind.next().is_none())
    }

    /// Files a packet under the stream it belongs to; `received` makes it from its unwrapped number.
    pub(crate) fn file(
        &mut self,
        ssrc: Ssrc,
        kind: MediaKind,
        seq: SeqNo,
        received: impl FnOnce(ExtSeqNo) -> Received,
    ) {
        let record = self.streams.entry(ssrc).or_default();
        record.kind = Some(kind);
        let extender = record
            .extender
            .get_or_insert_with(|| SeqExtender::starting_at(seq));
        if let Some(seq) = extender.extend(seq) {
            record.packets.push(received(seq));
        }
    }
}

impl StreamRecord {
    /// Checks the promises every receiver is made: no sequence number twice or with other bytes, no
    /// gap but where a link lost the packet, timestamps that never step back, and each source's
    /// packets in their order.
    ///
    /// The last 50 numbers may have gaps: their repair may be on its way.
    ///
    /// # Errors
    ///
    /// The first promise that is broken, in the order of sequence numbers.
    pub fn check(&self, lost: &Losses) -> Result<StreamSummary, Broken> {
        let mut by_seq: BTreeMap<ExtSeqNo, Vec<&Received>> = BTreeMap::new();
        for packet in &self.packets {
            by_seq.entry(packet.seq).or_default().push(packet);
        }
        let (Some((&first, _)), Some((&last, _))) =
            (by_seq.first_key_value(), by_seq.last_key_value())
        else {
            return Ok(StreamSummary::default());
        };
        let mut summary = StreamSummary {
            span: last.0 - first.0 + 1,
            arrived: by_seq.len() as u64,
            ..StreamSummary::default()
        };
        let mut previous: Option<&Received> = None;
        for (&seq, copies) in &by_seq {
            let packet = check_copies(seq, copies)?;
            summary.repaired += u64::from(copies.iter().all(|copy| copy.is_repair));
            if let Some(previous) = previous {
                summary.cuts += u64::from(check_order(seq, previous, packet)?);
                summary.missing += seq.0 - previous.seq.0 - 1;
                for missing in (previous.seq.0 + 1..seq.0).map(ExtSeqNo) {
                    let is_explained = lost.explain(missing, previous, packet);
                    if !is_explained && missing.0 + 50 < last.0 {
                        return Err(Broken::Gap(missing));
                    }
                }
            }
            previous = Some(packet);
        }
        Ok(summary)
    }

    /// The frames of one source that arrived with all their packets.
    pub fn whole_frames(&self, source: u8) -> BTreeSet<u32> {
        let mut parts: BTreeMap<u32, (u8, BTreeSet<u8>)> = BTreeMap::new();
        for tag in self.packets.iter().filter_map(|packet| packet.tag) {
            if tag.source == source {
                let (_, seen) = parts
                    .entry(tag.frame)
                    .or_insert((tag.parts, BTreeSet::new()));
                seen.insert(tag.part);
            }
        }
        parts
            .into_iter()
            .filter(|(_, (parts, seen))| seen.len() == usize::from(*parts))
            .map(|(frame, _)| frame)
            .collect()
    }
}

/// All copies of one number carry the same, and at most one came on the stream itself.
fn check_copies<'a>(seq: ExtSeqNo, copies: &[&'a Received]) -> Result<&'a Received, Broken> {
    let (&first, others) = copies.split_first().ok_or(Broken::Gap(seq))?;
    if copies.iter().filter(|copy| !copy.is_repair).count() > 1 {
        return Err(Broken::Twice(seq));
    }
    let is_same = |other: &&&Received| {
        other.payload == first.payload
            && other.timestamp == first.timestamp
            && other.marker == first.marker
    };
    if !others.iter().all(|other| is_same(&other)) {
        return Err(Broken::Changed(seq));
    }
    if first.tag.is_none() {
        return Err(Broken::Foreign(seq));
    }
    Ok(first)
}

/// Whether the source changed between two packets that follow each other.
fn check_order(seq: ExtSeqNo, previous: &Received, packet: &Received) -> Result<bool, Broken> {
    let step = packet
        .timestamp
        .0
        .wrapping_sub(previous.timestamp.0)
        .cast_signed();
    if step < 0 {
        return Err(Broken::TimestampBack(seq));
    }
    let (Some(before), Some(after)) = (previous.tag, packet.tag) else {
        return Err(Broken::Foreign(seq));
    };
    if before.source != after.source {
        return Ok(true);
    }
    if (after.frame, after.part) <= (before.frame, before.part) {
        return Err(Broken::TagBack(seq));
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
