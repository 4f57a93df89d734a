//! A batch of datagrams to send: written in place, sent by as few system calls as the kernel allows.
//!
//! The shard takes a slot, writes one datagram into it, commits it with its destination, and
//! flushes when the batch is full or the turn ends. Neighbours of equal size to one destination
//! leave as one message that the kernel cuts up again (UDP GSO; the last may be shorter), so
//! datagrams of one burst to one endpoint should be committed one after the other.
//!
//! What the kernel has no room for stays in the batch and is told; what it refuses is counted and
//! never holds up the rest. Slots are fixed: nothing is allocated after construction.

use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use estrade_types::limits::{BATCH_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use socket2::SockAddr;

use crate::UdpSocket;

/// Bytes of one segmented message. UDP over IPv4 carries 65 507; a little less leaves room for IP
/// options and IPv6.
const RUN_BYTES_MAX: usize = 64_000;

/// Segments of one message: the limit of kernels before 6.9.
const RUN_DATAGRAMS_MAX: usize = 64;

/// A batch of at most [`BATCH_DATAGRAMS_MAX`] datagrams, each with a tag of the caller's.
pub struct SendBatch<T> {
    arena: Box<[[u8; DATAGRAM_BYTES_MAX]]>,
    slots: Vec<Slot<T>>,
    /// Slots before this one are done with.
    head: usize,
    /// Slots before this one leave unsegmented: a run was refused, and the cause is being found.
    plain_until: usize,
}

struct Slot<T> {
    to: SocketAddr,
    address: SockAddr,
    len: usize,
    tag: T,
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

impl<T> std::fmt::Debug for SendBatch<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendBatch")
            .field("datagrams", &self.slots.len())
            .finish_non_exhaustive()
    }
}

impl<T: Copy> Default for SendBatch<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> SendBatch<T> {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            arena: vec![[0; DATAGRAM_BYTES_MAX]; BATCH_DATAGRAMS_MAX].into_boxed_slice(),
            slots: Vec::with_capacity(BATCH_DATAGRAMS_MAX),
            head: 0,
            plain_until: 0,
        }
    }

    /// The next free slot, to be written in place and then given to [`Self::commit`]. `None` when
    /// the batch is full: flush it first.
    pub fn next_slot(&mut self) -> Option<&mut [u8; DATAGRAM_BYTES_MAX]> {
        self.arena.get_mut(self.slots.len())
    }

    /// Takes the first `len` bytes of the slot that [`Self::next_slot`] gave out as a datagram to
    /// `to`. Does nothing when the batch is full or `len` is over [`DATAGRAM_BYTES_MAX`].
    pub fn commit(&mut self, to: SocketAddr, len: usize, tag: T) {
        if self.slots.len() < BATCH_DATAGRAMS_MAX && len <= DATAGRAM_BYTES_MAX {
            self.slots.push(Slot {
                to,
                address: SockAddr::from(to),
                len,
                tag,
            });
        }
    }

    /// Datagrams not sent yet.
    pub fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.head)
    }

    /// Whether nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The datagrams not sent yet, in their order.
    pub fn unsent(&self) -> impl Iterator<Item = (SocketAddr, &[u8], T)> {
        let waiting = self.slots.iter().zip(&self.arena).skip(self.head);
        waiting.filter_map(|(slot, bytes)| Some((slot.to, bytes.get(..slot.len)?, slot.tag)))
    }

    /// Forgets what has not been sent.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.head = 0;
        self.plain_until = 0;
    }

    /// Sends what waits. The batch is empty afterwards unless the socket is full.
    ///
    /// A refused datagram is counted and skipped. A refused run is tried again one by one; when
    /// that works, `socket` stops segmenting for good.
    pub fn flush(&mut self, socket: &mut UdpSocket) -> Flushed {
        let mut flushed = Flushed::default();
        while self.head < self.slots.len() {
            let is_plain = self.head < self.plain_until || !socket.segments_runs();
            let plan = Plan::new(&self.slots, self.head, is_plain.then_some(self.plain_until));
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

    fn count_sent(&mut self, plan: &Plan, messages: usize, flushed: &mut Flushed) {
        let datagrams: usize = plan.runs().iter().take(messages).sum();
        let sent = self.slots.iter().skip(self.head).take(datagrams);
        let bytes: usize = sent.map(|slot| slot.len).sum();
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
    fn send(&mut self, socket: &UdpSocket, plan: &Plan) -> io::Result<usize> {
        let mut pieces = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; BATCH_DATAGRAMS_MAX];
        let mut controls = [SegmentSize::default(); BATCH_DATAGRAMS_MAX];
        let mut messages = [zeroed_message(); BATCH_DATAGRAMS_MAX];
        let waiting = self.slots.iter().zip(&mut self.arena).skip(self.head);
        for (piece, (slot, bytes)) in pieces.iter_mut().zip(waiting) {
            piece.iov_base = bytes.as_mut_ptr().cast();
            piece.iov_len = slot.len;
        }
        let mut pieces = pieces.as_mut_slice();
        let mut slots = self.slots.get(self.head..).unwrap_or_default();
        let filled = messages.iter_mut().zip(&mut controls).zip(plan.runs());
        for ((message, control), &run) in filled {
            let (Some(first), Some((mine, rest))) =
                (slots.first(), pieces.split_at_mut_checked(run))
            else {
                break;
            };
            let header = &mut message.msg_hdr;
            header.msg_name = first.address.as_ptr().cast_mut().cast();
            header.msg_namelen = first.address.len();
            header.msg_iov = mine.as_mut_ptr();
            header.msg_iovlen = run as _;
            if run > 1 {
                control.set(first.len);
                header.msg_control = (&raw mut *control).cast();
                header.msg_controllen = size_of::<SegmentSize>() as _;
            }
            pieces = rest;
            slots = slots.get(run..).unwrap_or_default();
        }
        let count = u32::try_from(plan.runs().len()).unwrap_or(0);
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: the first `count` messages point to addresses in `self.slots`, pieces of
        // `self.arena` and entries of `controls`, all of which outlive the call.
        let sent = unsafe { libc::sendmmsg(fd, messages.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// How the waiting datagrams are grouped into messages.
struct Plan {
    runs: [usize; BATCH_DATAGRAMS_MAX],
    len: usize,
}

impl Plan {
    /// Groups the slots from `head` on. With `plain_until`, nothing is segmented, and slots from
    /// that one on are left out (unless it is behind already) so that the outcome is theirs alone.
    fn new<T>(slots: &[Slot<T>], head: usize, plain_until: Option<usize>) -> Self {
        let mut plan = Self {
            runs: [0; BATCH_DATAGRAMS_MAX],
            len: 0,
        };
        let end = match plain_until {
            Some(until) if until > head => until.min(slots.len()),
            _ => slots.len(),
        };
        let mut waiting = slots.get(head..end).unwrap_or_default();
        for run in &mut plan.runs {
            if waiting.is_empty() {
                break;
            }
            *run = match plain_until {
                Some(_) => 1,
                None => run_length(waiting),
            };
            waiting = waiting.get(*run..).unwrap_or_default();
            plan.len += 1;
        }
        plan
    }

    fn runs(&self) -> &[usize] {
        self.runs.get(..self.len).unwrap_or_default()
    }
}

/// How many of the first slots may leave as one segmented message; at least 1.
fn run_length<T>(slots: &[Slot<T>]) -> usize {
    let Some((first, others)) = slots.split_first() else {
        return 1;
    };
    let (mut run, mut bytes) = (1, first.len);
    if first.len == 0 {
        return run;
    }
    for slot in others.iter().take(RUN_DATAGRAMS_MAX - 1) {
        bytes += slot.len;
        let fits = slot.to == first.to && slot.len > 0 && slot.len <= first.len;
        if !fits || bytes > RUN_BYTES_MAX {
            break;
        }
        run += 1;
        if slot.len < first.len {
            break; // Only the last segment may be shorter.
        }
    }
    run
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
