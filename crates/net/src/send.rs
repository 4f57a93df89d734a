//! A batch of datagrams to send: written in place, sent by as few system calls as the kernel allows.
//!
//! The shard takes a slot, writes one datagram into it, commits it with its destination, and
//! flushes when the batch is full or the turn ends. [`Urgency::First`] leaves first, in its order;
//! the rest is grouped by destination, so that neighbours of equal size leave as one message that
//! the kernel cuts up again (UDP GSO; the last may be shorter). Without the grouping a fan-out,
//! which goes packet by packet over all endpoints, would have no neighbours.
//!
//! What the kernel has no room for stays in the batch and is told; what it refuses is counted and
//! never holds up the rest. Slots are fixed: nothing is allocated after construction.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use estrade_types::limits::{BATCH_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use socket2::SockAddr;

use crate::UdpSocket;

/// Bytes of one segmented message. UDP over IPv4 carries 65 507; a little less leaves room for IP
/// options and IPv6.
const RUN_BYTES_MAX: usize = 64_000;

/// Segments of one message: the limit of kernels before 6.9.
const RUN_DATAGRAMS_MAX: usize = 64;

/// Whether a datagram may be put behind others for the sake of grouping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Urgency {
    /// Leaves before all others, in its order.
    First,
    /// Leaves afterwards, in its order among those to the same destination.
    Grouped,
}

/// A batch of datagrams.
pub struct SendBatch {
    arena: Box<[[u8; DATAGRAM_BYTES_MAX]]>,
    /// What stands in the arena, place by place.
    slots: Vec<Slot>,
    /// Places in the order of sending, each behind what it is ordered by.
    order: Vec<(Urgency, u64, u32)>,
    /// Datagrams of `order` before this one are done with.
    head: usize,
    /// Datagrams before this one leave unsegmented: a run was refused, and the cause is being
    /// found.
    plain_until: usize,
    is_grouped: bool,
    /// Whether IPv4 destinations are written as mapped addresses, as an IPv6 socket wants them.
    maps_ipv4: bool,
}

struct Slot {
    to: SocketAddr,
    address: SockAddr,
    len: usize,
    urgency: Urgency,
}

/// What became of one [`SendBatch::flush`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Datagrams the kernel took.
    pub datagrams: u64,
    /// Bytes of those, UDP payload.
    pub bytes: u64,
    /// Messages they were sent as: fewer than datagrams where runs were segmented.
    pub messages: u64,
    /// Datagrams the kernel refused for good.
    pub failed: u64,
    /// The socket is full: the rest stays in the batch.
    pub is_blocked: bool,
}

impl std::fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendBatch")
            .field("datagrams", &self.len())
            .finish_non_exhaustive()
    }
}

impl SendBatch {
    /// An empty batch of at most `capacity` datagrams, to be sent through `socket`.
    pub fn new(socket: &UdpSocket, capacity: usize) -> Self {
        Self {
            maps_ipv4: socket.local_addr().is_ipv6(),
            arena: vec![[0; DATAGRAM_BYTES_MAX]; capacity].into_boxed_slice(),
            slots: Vec::with_capacity(capacity),
            order: Vec::with_capacity(capacity),
            head: 0,
            plain_until: 0,
            is_grouped: true,
        }
    }

    /// The next free slot, to be written in place and then given to [`Self::commit`]. `None` when
    /// the batch is full: flush it first.
    pub fn next_slot(&mut self) -> Option<&mut [u8; DATAGRAM_BYTES_MAX]> {
        self.arena.get_mut(self.slots.len())
    }

    /// Takes the first `len` bytes of the slot that [`Self::next_slot`] gave out as a datagram to
    /// `to`. Does nothing when the batch is full or `len` is over [`DATAGRAM_BYTES_MAX`].
    pub fn commit(&mut self, to: SocketAddr, len: usize, urgency: Urgency) {
        let Ok(place) = u32::try_from(self.slots.len()) else {
            return;
        };
        if self.slots.len() < self.arena.len() && len <= DATAGRAM_BYTES_MAX {
            let group = match urgency {
                Urgency::First => 0,
                Urgency::Grouped => group_of(to),
            };
            self.order.push((urgency, group, place));
            self.is_grouped = false;
            self.slots.push(Slot {
                to,
                address: SockAddr::from(self.on_wire(to)),
                len,
                urgency,
            });
        }
    }

    /// Datagrams not sent yet.
    pub fn len(&self) -> usize {
        self.order.len().saturating_sub(self.head)
    }

    /// Whether nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The datagrams not sent yet, in the order of sending once [`Self::flush`] has run.
    pub fn unsent(&self) -> impl Iterator<Item = (SocketAddr, &[u8], Urgency)> {
        self.waiting().filter_map(|(slot, bytes)| {
            let bytes = bytes.get(..slot.len)?;
            Some((slot.to, bytes, slot.urgency))
        })
    }

    /// Forgets what has not been sent.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.order.clear();
        self.head = 0;
        self.plain_until = 0;
        self.is_grouped = true;
    }

    /// Sends what waits. The batch is empty afterwards unless the socket is full.
    ///
    /// A refused datagram is counted and skipped. A refused run is tried again one by one; when
    /// that works, `socket` stops segmenting for good.
    pub fn flush(&mut self, socket: &mut UdpSocket) -> Flushed {
        let mut flushed = Flushed::default();
        self.group();
        while !self.is_empty() {
            let is_plain = self.head < self.plain_until || !socket.segments_runs();
            let plan = self.plan(is_plain);
            match self.send(socket, &plan) {
                Ok(messages) => {
                    self.count_sent(&plan, messages, &mut flushed);
                    if self.plain_until > 0 && is_plain {
                        socket.stop_segmenting();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    flushed.is_blocked = true;
                    return flushed;
                }
                Err(error) => self.on_refusal(&error, &plan, &mut flushed),
            }
        }
        self.clear();
        flushed
    }

    /// A destination as the socket takes it.
    fn on_wire(&self, to: SocketAddr) -> SocketAddr {
        match to.ip() {
            IpAddr::V4(v4) if self.maps_ipv4 => (v4.to_ipv6_mapped(), to.port()).into(),
            _ => to,
        }
    }

    /// The datagrams to be sent, in their order.
    fn waiting(&self) -> impl Iterator<Item = (&Slot, &[u8; DATAGRAM_BYTES_MAX])> {
        let order = self.order.get(self.head..).unwrap_or_default();
        order.iter().filter_map(|&(_, _, place)| {
            let place = usize::try_from(place).ok()?;
            Some((self.slots.get(place)?, self.arena.get(place)?))
        })
    }

    fn group(&mut self) {
        if !self.is_grouped {
            // What was sent already keeps out of the way; a place is unique, so order is total.
            if let Some(waiting) = self.order.get_mut(self.head..) {
                waiting.sort_unstable();
            }
            self.is_grouped = true;
        }
    }

    /// Groups the datagrams from `head` on into the messages of one system call. Plain messages
    /// carry one datagram each; while a refused run is tried again, they end with it, so that the
    /// outcome is the run's alone.
    fn plan(&self, is_plain: bool) -> Plan {
        let mut plan = Plan::default();
        let limit = match self.plain_until.checked_sub(self.head) {
            Some(rest @ 1..) if is_plain => rest,
            _ => usize::MAX,
        };
        let mut waiting = self.waiting().map(|(slot, _)| slot).take(limit).peekable();
        for run in &mut plan.runs {
            let Some(first) = waiting.next() else {
                break;
            };
            *run = 1;
            plan.len += 1;
            plan.datagrams += 1;
            let (mut bytes, mut last) = (first.len, first.len);
            let room = RUN_DATAGRAMS_MAX.min(PIECES_MAX.saturating_sub(plan.datagrams) + 1);
            // Only the last segment may be shorter, and an empty one cannot be told apart.
            while !is_plain && *run < room && last == first.len && first.len > 0 {
                let fits = |next: &&Slot| {
                    next.to == first.to
                        && (1..=first.len).contains(&next.len)
                        && bytes + next.len <= RUN_BYTES_MAX
                };
                let Some(next) = waiting.next_if(fits) else {
                    break;
                };
                *run += 1;
                plan.datagrams += 1;
                bytes += next.len;
                last = next.len;
            }
            if plan.datagrams >= PIECES_MAX {
                break;
            }
        }
        plan
    }

    fn count_sent(&mut self, plan: &Plan, messages: usize, flushed: &mut Flushed) {
        let datagrams: usize = plan.runs().iter().take(messages).sum();
        let bytes: usize = self
            .waiting()
            .take(datagrams)
            .map(|(slot, _)| slot.len)
            .sum();
        self.head += datagrams;
        flushed.datagrams += datagrams as u64;
        flushed.bytes += bytes as u64;
        flushed.messages += messages as u64;
    }

    #[cold]
    fn on_refusal(&mut self, error: &io::Error, plan: &Plan, flushed: &mut Flushed) {
        let run = plan.runs().first().copied().unwrap_or(1);
        let may_be_segmentation =
            matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIO)) && run > 1;
        if may_be_segmentation {
            self.plain_until = self.head + run;
        } else {
            self.head += run;
            flushed.failed += run as u64;
            self.plain_until = if self.head < self.plain_until {
                self.plain_until
            } else {
                0
            };
        }
    }

    /// One `sendmmsg` over the planned messages; how many the kernel took.
    fn send(&self, socket: &UdpSocket, plan: &Plan) -> io::Result<usize> {
        let mut pieces = [NO_PIECE; PIECES_MAX];
        let mut controls = [SegmentSize::default(); BATCH_DATAGRAMS_MAX];
        let mut messages = [zeroed_message(); BATCH_DATAGRAMS_MAX];
        let mut waiting = self.waiting();
        let mut pieces = pieces.as_mut_slice();
        let filled = messages.iter_mut().zip(&mut controls).zip(plan.runs());
        for ((message, control), &run) in filled {
            let Some((mine, rest)) = pieces.split_at_mut_checked(run) else {
                break;
            };
            let header = &mut message.msg_hdr;
            let mut segment = 0;
            for (piece, (slot, bytes)) in mine.iter_mut().zip(&mut waiting) {
                piece.iov_base = bytes.as_ptr().cast_mut().cast(); // Only read.
                piece.iov_len = slot.len;
                segment = segment.max(slot.len); // The first is the longest.
                header.msg_name = slot.address.as_ptr().cast_mut().cast(); // The same for all.
                header.msg_namelen = slot.address.len();
            }
            header.msg_iov = mine.as_mut_ptr();
            header.msg_iovlen = run as _;
            if run > 1 {
                control.set(segment);
                header.msg_control = (&raw mut *control).cast();
                header.msg_controllen = size_of::<SegmentSize>() as _;
            }
            pieces = rest;
        }
        let count = u32::try_from(plan.runs().len()).unwrap_or(0);
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: the first `count` messages point to addresses in `self.slots`, bytes in
        // `self.arena` and entries of `pieces` and `controls`, all of which outlive the call, and
        // which the kernel only reads.
        let sent = unsafe { libc::sendmmsg(fd, messages.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Datagrams in one system call, over all its messages.
const PIECES_MAX: usize = 4 * BATCH_DATAGRAMS_MAX;

const NO_PIECE: libc::iovec = libc::iovec {
    iov_base: std::ptr::null_mut(),
    iov_len: 0,
};

/// How the next datagrams are grouped into the messages of one system call.
#[derive(Clone, Copy, Debug)]
struct Plan {
    runs: [usize; BATCH_DATAGRAMS_MAX],
    len: usize,
    datagrams: usize,
}

impl Plan {
    fn runs(&self) -> &[usize] {
        self.runs.get(..self.len).unwrap_or_default()
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            runs: [0; BATCH_DATAGRAMS_MAX],
            len: 0,
            datagrams: 0,
        }
    }
}

/// A number that is the same for equal destinations; others may share it, which costs a run and
/// nothing else.
fn group_of(to: SocketAddr) -> u64 {
    let port = u64::from(to.port());
    let bits = match to.ip() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let [high, low] = [bits >> 64, bits & u128::from(u64::MAX)];
    let [high, low] = [high, low].map(|half| u64::try_from(half).unwrap_or_default());
    high.rotate_left(32) ^ low.rotate_left(16) ^ port
}

/// The control message that asks for segmentation: `struct cmsghdr`, then the size of a segment.
#[repr(C)]
#[derive(Clone, Copy)]
struct SegmentSize {
    header: libc::cmsghdr,
    bytes: u16,
}

impl SegmentSize {
    fn set(&mut self, segment: usize) {
        self.header.cmsg_level = libc::SOL_UDP;
        self.header.cmsg_type = libc::UDP_SEGMENT;
        self.header.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<u16>()) as _;
        self.bytes = u16::try_from(segment).unwrap_or(u16::MAX);
    }
}

impl Default for SegmentSize {
    fn default() -> Self {
        // SAFETY: integers only, for which zero is a value.
        unsafe { std::mem::zeroed() }
    }
}

fn zeroed_message() -> libc::mmsghdr {
    // SAFETY: integers and nullable pointers only, for which zero is a value.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests;
