//! The ICE-lite agent. RFC 8445 §2.5, §7.3; consent by RFC 7675 §5.1.
//!
//! Fed by the transport with STUN; read by it for the address media goes to. We are controlled and
//! send no checks: an endpoint proves an address by an authenticated request from it, and chooses
//! it by USE-CANDIDATE. The latest choice wins, so that a phone which moves from one network to
//! another is followed without a restart.
//!
//! A NAT that rebinds moves an endpoint which does not know of it: its checks come from elsewhere
//! and choose nothing, as the choice was made before. Such an endpoint is followed when the address
//! it was heard from falls silent while another one is being checked.
//!
//! Invariants: an unauthenticated datagram changes nothing; a transaction that was seen before
//! proves no address and renews no consent, so that a request captured and sent again from
//! elsewhere moves no media. Media never moves because of media, and never moves away from an
//! address that is being heard from unless the endpoint nominates another.

mod credentials;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use arrayvec::ArrayVec;

use estrade_types::{DropReason, IceCredentials, MonoTime};

use crate::stun::{Reply, ReplyKind, Request, TransactionId};
use credentials::Credentials;

/// Addresses kept per endpoint; at the limit the one checked longest ago is given up.
pub(crate) const TUPLES_MAX: usize = 8;
/// Transactions remembered against replay; at the limit the oldest is forgotten.
const TRANSACTIONS_MAX: usize = 64;
/// Answers waiting to be sent; at the limit the oldest is dropped, and the endpoint asks again.
const REPLIES_MAX: usize = 16;
/// Consent lapses this long after the last proof that the endpoint is there. RFC 7675 §5.1.
const CONSENT_LIFETIME: Duration = Duration::from_secs(30);
/// The selected address gives way to another after this long without a sign of the endpoint.
///
/// Longer than the pauses of an endpoint that is there (it reports on what it receives about every
/// second, and checks every 2 to 6), shorter than the 5 s after which endpoints show their users
/// that the connection is disturbed. Where a check comes late, the move is as late as the check.
const SILENCE_MAX: Duration = Duration::from_secs(4);
/// How long a check from elsewhere waits for the selected address to contradict it.
///
/// Whoever sees the endpoint's checks pass can send a copy that arrives first, from an address of
/// its own; the original comes right behind and shows that the endpoint has not moved.
const CONTEST_TIME: Duration = Duration::from_millis(500);

/// What an authenticated check changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StunReply {
    /// The address was not among the validated ones before: add it to the address map.
    pub is_new: bool,
    /// Media now goes to this address, and did not before the check.
    pub nominated: bool,
    /// A validated address that was given up to make room: remove it from the address map.
    pub replaced: Option<SocketAddr>,
}

/// The agent of one endpoint.
#[derive(Debug)]
pub(crate) struct IceLite {
    current: Credentials,
    /// After a restart, until the endpoint first uses them. RFC 8445 §9.
    next: Option<Credentials>,
    tuples: ArrayVec<Tuple, TUPLES_MAX>,
    selected: Option<SocketAddr>,
    transactions: Transactions,
    replies: VecDeque<Reply>,
    /// The last proof that the endpoint is at the selected address.
    consent_at: MonoTime,
    /// The last sign from there: also a repeated request, which renews no consent, as anybody could
    /// forge its source and so keep us sending, but speaks against a move.
    heard_at: MonoTime,
}

/// An address the endpoint proved to receive at. Our side of the pair is the shard's one socket.
#[derive(Clone, Copy, Debug)]
struct Tuple {
    addr: SocketAddr,
    checked_at: MonoTime,
}

/// An address that was checked since the selected one was last heard from.
#[derive(Clone, Copy, Debug)]
struct Challenger {
    tuple: Tuple,
    /// When media moves to it, unless the selected address is heard from before.
    wins_at: MonoTime,
}

impl IceLite {
    /// Waits for checks under these credentials.
    pub(crate) fn new(local: &IceCredentials, remote: &IceCredentials, now: MonoTime) -> Self {
        Self {
            current: Credentials::new(local, remote),
            next: None,
            tuples: ArrayVec::new(),
            selected: None,
            transactions: Transactions::default(),
            replies: VecDeque::with_capacity(4),
            consent_at: now,
            heard_at: now,
        }
    }

    /// Authenticates a datagram and queues the answer; what it may change, it changes here.
    pub(crate) fn on_stun(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<StunReply, DropReason> {
        let request = Request::parse(datagram).ok_or(DropReason::StunInvalid)?;
        let is_next = self.authenticate(&request)?;
        let is_repeated = self.transactions.contains(request.transaction);
        if is_repeated && !self.is_validated(from) {
            // Captured on its way and sent again from elsewhere: that proves nothing.
            return Err(DropReason::StunAuthFailed);
        }
        if is_next && let Some(next) = self.next.take() {
            self.current = next;
        }
        if !request.unknown.is_empty() {
            self.answer(
                ReplyKind::UnknownAttributes(&request.unknown),
                &request,
                from,
            );
            return Ok(StunReply::default());
        }
        if request.is_controlled {
            self.answer(ReplyKind::RoleConflict, &request, from);
            return Ok(StunReply::default());
        }
        self.answer(ReplyKind::Success, &request, from);
        if is_repeated {
            if self.selected == Some(from) {
                self.heard_at = self.heard_at.max(now);
            }
            return Ok(StunReply::default());
        }
        self.transactions.push(request.transaction);
        Ok(self.validate(now, from, request.use_candidate))
    }

    /// Both sets are answered until the endpoint first uses the new one.
    pub(crate) fn restart(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        self.next = Some(Credentials::new(local, remote));
    }

    /// The endpoint sent something authentic other than a check. It counts for the selected address
    /// alone: what comes from elsewhere does not show that media arrives where it goes.
    pub(crate) fn on_alive(&mut self, now: MonoTime, from: SocketAddr) {
        if self.selected == Some(from) {
            self.consent_at = self.consent_at.max(now);
            self.heard_at = self.heard_at.max(now);
        }
    }

    /// Follows an endpoint that has moved without knowing, once that is due.
    pub(crate) fn on_timeout(&mut self, now: MonoTime) {
        if let Some(Challenger { tuple, wins_at }) = self.challenger()
            && wins_at <= now
        {
            self.selected = Some(tuple.addr);
            self.consent_at = self.consent_at.max(tuple.checked_at);
            self.heard_at = now;
        }
    }

    /// When [`Self::on_timeout`] is next due. Whatever the endpoint sends from the selected address
    /// only makes it later; a check from elsewhere may make it sooner.
    pub(crate) fn next_deadline(&self) -> Option<MonoTime> {
        self.challenger().map(|challenger| challenger.wins_at)
    }

    /// The next answer, as long as it fits.
    pub(crate) fn poll_transmit(&mut self, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let reply = self.replies.pop_front()?;
        let bytes = reply.bytes();
        out.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some((reply.to, bytes.len()))
    }

    /// Where media goes.
    pub(crate) const fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }

    pub(crate) fn is_validated(&self, addr: SocketAddr) -> bool {
        self.tuples.iter().any(|tuple| tuple.addr == addr)
    }

    pub(crate) fn validated(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.tuples.iter().map(|tuple| tuple.addr)
    }

    /// When consent lapses unless it is renewed.
    pub(crate) fn consent_until(&self) -> MonoTime {
        self.consent_at.plus(CONSENT_LIFETIME)
    }

    /// Whether the request is authentic, and then whether under the credentials of a restart.
    fn authenticate(&self, request: &Request<'_>) -> Result<bool, DropReason> {
        if self.current.accept(request) {
            return Ok(false);
        }
        match &self.next {
            Some(next) if next.accept(request) => Ok(true),
            _ => Err(DropReason::StunAuthFailed),
        }
    }

    fn answer(&mut self, kind: ReplyKind<'_>, request: &Request<'_>, to: SocketAddr) {
        if self.replies.len() == REPLIES_MAX {
            self.replies.pop_front();
        }
        self.replies.extend(Reply::new(
            kind,
            request.transaction,
            to,
            self.current.key(),
        ));
    }

    /// Notes that `from` was proved; follows its nomination.
    fn validate(&mut self, now: MonoTime, from: SocketAddr, use_candidate: bool) -> StunReply {
        let mut reply = StunReply::default();
        match self.tuples.iter_mut().find(|tuple| tuple.addr == from) {
            Some(tuple) => tuple.checked_at = now,
            None => {
                reply.is_new = true;
                reply.replaced = self.make_room();
                self.tuples.push(Tuple {
                    addr: from,
                    checked_at: now,
                });
            }
        }
        // Before any nomination the first proved address serves, or DTLS would wait a round trip.
        if (use_candidate || self.selected.is_none()) && self.selected != Some(from) {
            self.selected = Some(from);
            reply.nominated = true;
        }
        self.on_alive(now, from);
        reply
    }

    fn challenger(&self) -> Option<Challenger> {
        let selected = self.selected?;
        let tuple = *self
            .tuples
            .iter()
            .filter(|tuple| tuple.addr != selected && tuple.checked_at > self.heard_at)
            .max_by_key(|tuple| tuple.checked_at)?;
        let silent_at = self.heard_at.plus(SILENCE_MAX);
        let wins_at = silent_at.max(tuple.checked_at.plus(CONTEST_TIME));
        Some(Challenger { tuple, wins_at })
    }

    /// Gives up the address checked longest ago, but never the one media goes to.
    fn make_room(&mut self) -> Option<SocketAddr> {
        if !self.tuples.is_full() {
            return None;
        }
        let (oldest, _) = self
            .tuples
            .iter()
            .enumerate()
            .filter(|(_, tuple)| Some(tuple.addr) != self.selected)
            .min_by_key(|(_, tuple)| tuple.checked_at)?;
        Some(self.tuples.remove(oldest).addr)
    }
}

/// The latest authenticated transactions, by the last eight of their twelve random bytes.
#[derive(Debug, Default)]
struct Transactions {
    seen: ArrayVec<u64, TRANSACTIONS_MAX>,
    oldest: usize,
}

impl Transactions {
    fn contains(&self, transaction: TransactionId) -> bool {
        self.seen.contains(&Self::digest(transaction))
    }

    fn push(&mut self, transaction: TransactionId) {
        let digest = Self::digest(transaction);
        if self.seen.try_push(digest).is_err() {
            if let Some(oldest) = self.seen.get_mut(self.oldest) {
                *oldest = digest;
            }
            self.oldest = (self.oldest + 1) % TRANSACTIONS_MAX;
        }
    }

    const fn digest(transaction: TransactionId) -> u64 {
        let [_, _, _, _, tail @ ..] = transaction;
        u64::from_be_bytes(tail)
    }
}
