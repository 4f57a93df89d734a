//! Datagrams that a full socket did not take, bounded, in a fixed arena.
//!
//! The oldest video is dropped first, audio and control last. They leave in their order, audio and
//! control ([`Urgency::First`]) before video. Nothing is allocated after construction.

use std::collections::VecDeque;
use std::net::SocketAddr;

use estrade_net::Urgency;
use estrade_types::limits::DATAGRAM_BYTES_MAX;

/// Datagrams that may wait: about 40 ms of a shard at 100 000 packets a second, and a whole batch.
/// More would only deliver pictures that are late already; less would drop on a short stall.
pub(crate) const BACKLOG_DATAGRAMS_MAX: usize = 4_096;

/// The queue behind one socket.
#[derive(Debug)]
pub(crate) struct Backlog {
    arena: Box<[[u8; DATAGRAM_BYTES_MAX]]>,
    free: Vec<usize>,
    first: VecDeque<Waiting>,
    video: VecDeque<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    place: usize,
    len: usize,
    to: SocketAddr,
    urgency: Urgency,
}

impl Backlog {
    /// An empty backlog of at most `capacity` datagrams.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            arena: vec![[0; DATAGRAM_BYTES_MAX]; capacity].into_boxed_slice(),
            free: (0..capacity).rev().collect(),
            first: VecDeque::with_capacity(capacity),
            video: VecDeque::with_capacity(capacity),
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.video.is_empty()
    }

    /// Appends a datagram. Returns how many were dropped for it, itself included: 0 or 1.
    pub(crate) fn push(&mut self, to: SocketAddr, bytes: &[u8], urgency: Urgency) -> u64 {
        let mut dropped = 0;
        if self.free.is_empty() {
            dropped = 1;
            let victim = match (self.video.pop_front(), urgency) {
                (Some(oldest_video), _) => oldest_video,
                (None, Urgency::Grouped) => return dropped,
                (None, _) => match self.first.pop_front() {
                    Some(oldest) => oldest,
                    None => return dropped,
                },
            };
            self.free.push(victim.place);
        }
        let Some(place) = self.free.pop() else {
            return dropped;
        };
        let slot = self
            .arena
            .get_mut(place)
            .and_then(|s| s.get_mut(..bytes.len()));
        let Some(slot) = slot else {
            self.free.push(place);
            return dropped + 1;
        };
        slot.copy_from_slice(bytes);
        let queue = match urgency {
            Urgency::Grouped => &mut self.video,
            Urgency::First => &mut self.first,
        };
        queue.push_back(Waiting {
            place,
            len: bytes.len(),
            to,
            urgency,
        });
        dropped
    }

    /// Puts datagrams that were taken out and could not leave in front of all others, in their
    /// order.
    pub(crate) fn put_back<'a>(
        &mut self,
        unsent: impl Iterator<Item = (SocketAddr, &'a [u8], Urgency)>,
    ) {
        let (first_before, video_before) = (self.first.len(), self.video.len());
        for (to, bytes, urgency) in unsent {
            // There is room: their places were freed when they were taken out.
            self.push(to, bytes, urgency);
        }
        for (queue, before) in [
            (&mut self.first, first_before),
            (&mut self.video, video_before),
        ] {
            let added = queue.len().saturating_sub(before);
            queue.rotate_right(added);
        }
    }

    /// The datagrams in the order in which they should leave.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8], Urgency)> {
        self.first.iter().chain(&self.video).filter_map(|waiting| {
            let bytes = self.arena.get(waiting.place)?.get(..waiting.len)?;
            Some((waiting.to, bytes, waiting.urgency))
        })
    }

    /// Forgets the first `count` in the order of [`Self::iter`]: they have left.
    pub(crate) fn forget(&mut self, count: usize) {
        for _ in 0..count {
            let gone = self.first.pop_front().or_else(|| self.video.pop_front());
            self.free.extend(gone.map(|waiting| waiting.place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: &str = "192.0.2.1:9";

    fn push(backlog: &mut Backlog, byte: u8, urgency: Urgency) -> u64 {
        backlog.push(TO.parse().unwrap(), &[byte], urgency)
    }

    fn bytes(backlog: &Backlog) -> Vec<u8> {
        backlog.iter().map(|(_, bytes, _)| bytes[0]).collect()
    }

    #[test]
    fn the_oldest_video_is_dropped_first_and_audio_last() {
        let mut backlog = Backlog::new(3);
        assert_eq!(push(&mut backlog, 1, Urgency::Grouped), 0);
        assert_eq!(push(&mut backlog, 2, Urgency::First), 0);
        assert_eq!(push(&mut backlog, 3, Urgency::Grouped), 0);
        assert_eq!(bytes(&backlog), [2, 1, 3]);
        assert_eq!(push(&mut backlog, 4, Urgency::Grouped), 1);
        assert_eq!(bytes(&backlog), [2, 3, 4]);
        assert_eq!(push(&mut backlog, 5, Urgency::First), 1);
        assert_eq!(push(&mut backlog, 6, Urgency::First), 1);
        assert_eq!(bytes(&backlog), [2, 5, 6]);
        // Nothing but audio waits: new video goes, and of the audio the oldest.
        assert_eq!(push(&mut backlog, 7, Urgency::Grouped), 1);
        assert_eq!(bytes(&backlog), [2, 5, 6]);
        assert_eq!(push(&mut backlog, 8, Urgency::First), 1);
        assert_eq!(bytes(&backlog), [5, 6, 8]);
    }

    #[test]
    fn what_could_not_leave_goes_back_to_the_front() {
        let mut backlog = Backlog::new(8);
        for byte in 1..=4 {
            let urgency = [Urgency::Grouped, Urgency::First][usize::from(byte % 2)];
            push(&mut backlog, byte, urgency);
        }
        let taken: Vec<_> = backlog
            .iter()
            .take(3)
            .map(|(to, bytes, urgency)| (to, bytes.to_vec(), urgency))
            .collect();
        backlog.forget(3);
        assert_eq!(bytes(&backlog), [4]);
        let unsent = taken.iter().skip(1);
        backlog.put_back(unsent.map(|(to, bytes, urgency)| (*to, bytes.as_slice(), *urgency)));
        assert_eq!(bytes(&backlog), [3, 2, 4]);
    }

    #[test]
    fn what_has_left_makes_room() {
        let mut backlog = Backlog::new(2);
        push(&mut backlog, 1, Urgency::Grouped);
        push(&mut backlog, 2, Urgency::First);
        backlog.forget(1);
        assert_eq!(bytes(&backlog), [1]);
        assert_eq!(push(&mut backlog, 3, Urgency::Grouped), 0);
        backlog.forget(5);
        assert!(backlog.is_empty());
    }
}
