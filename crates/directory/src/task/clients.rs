//! The clients of one room, and what each of them is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use estrade_room::RoomView;
use estrade_types::{
    IceCredentials, LinkKind, Mid, MonoTime, ParticipantId, Permits, SessionId, SlotId, SourceKind,
};

use crate::notices::{Delivery, NoticeSender, Queued};
use crate::shard_link::lock;

/// Where a session stands on the shard.
#[derive(Debug)]
pub(super) enum Transport {
    /// Nothing has been offered yet.
    New,
    /// Open on the shard, or about to be.
    Open {
        /// The endpoint's credentials of the present ICE generation.
        remote_ice: Arc<RemoteIce>,
        /// ICE restarts asked of the shard, for [`RemoteIce::applied`].
        restarts: u64,
        /// The section that carries the transport.
        mid: Option<Mid>,
    },
    /// The shard has closed it.
    Closed,
}

/// The endpoint's credentials as the shard has applied them: what was asked for and not
/// acknowledged does not count, so that asking again is no trickle of candidates.
#[derive(Debug)]
pub(super) struct RemoteIce {
    /// With the number of the restart that brought them, 0 for the offer.
    present: Mutex<(u64, IceCredentials)>,
}

impl RemoteIce {
    pub(super) fn offered(credentials: IceCredentials) -> Arc<Self> {
        Arc::new(Self {
            present: Mutex::new((0, credentials)),
        })
    }

    pub(super) fn is(&self, credentials: &IceCredentials) -> bool {
        lock(&self.present).1 == *credentials
    }

    /// The shard has applied restart `number`; it applies them in order, but word of it may come
    /// here out of order.
    pub(super) fn applied(&self, number: u64, credentials: IceCredentials) {
        let mut present = lock(&self.present);
        if number > present.0 {
            *present = (number, credentials);
        }
    }
}

#[derive(Debug)]
pub(super) struct ClientRecord {
    pub(super) participant: ParticipantId,
    pub(super) link: LinkKind,
    pub(super) notices: NoticeSender,
    pub(super) transport: Transport,
    pub(super) is_connected: bool,
    pub(super) permits: Permits,
    pub(super) slots: BTreeMap<SlotId, Option<(ParticipantId, SourceKind)>>,
    pub(super) wants_video: bool,
    pub(super) pin: Option<ParticipantId>,
    pub(super) budget: DataBudget,
}

impl ClientRecord {
    /// Whether the client reads what happens in the room; WHIP and WHEP clients cannot.
    pub(super) fn is_interactive(&self) -> bool {
        self.link == LinkKind::WebSocket
    }

    /// Everything the client must know at this moment.
    pub(super) fn tell_all(&mut self, view: &Arc<RoomView>) {
        if self.is_interactive() {
            self.notices.push(Queued::Snapshot(Arc::clone(view)));
            self.notices.push(Queued::Permits(self.permits));
            for (slot, source) in &self.slots {
                self.notices.push(Queued::Slot(*slot, source.clone()));
            }
        }
        if self.is_connected {
            self.notices.push(Queued::Connected(true));
        }
    }
}

/// The room's clients by session.
#[derive(Debug, Default)]
pub(super) struct Clients {
    by_session: BTreeMap<SessionId, ClientRecord>,
}

impl Clients {
    pub(super) fn insert(&mut self, session: SessionId, record: ClientRecord) {
        self.by_session.insert(session, record);
    }

    pub(super) fn remove(&mut self, session: SessionId) -> Option<ClientRecord> {
        self.by_session.remove(&session)
    }

    pub(super) fn get_mut(&mut self, session: SessionId) -> Option<&mut ClientRecord> {
        self.by_session.get_mut(&session)
    }

    pub(super) fn len(&self) -> usize {
        self.by_session.len()
    }

    /// Takes everybody out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = ClientRecord> + use<> {
        std::mem::take(&mut self.by_session).into_values()
    }

    /// Tells every interactive client but one.
    pub(super) fn tell(&mut self, notice: &Queued, but: Option<SessionId>) -> Delivery {
        let mut delivery = Delivery::Complete;
        for (session, record) in &mut self.by_session {
            if record.is_interactive()
                && but != Some(*session)
                && record.notices.push(notice.clone()) == Delivery::Lagging
            {
                delivery = Delivery::Lagging;
            }
        }
        delivery
    }

    /// Gives the state anew to those who fell behind and have caught up since.
    pub(super) fn recover(&mut self, view: &Arc<RoomView>) -> Delivery {
        let mut delivery = Delivery::Complete;
        for record in self.by_session.values_mut() {
            if record.notices.recover() {
                record.tell_all(view);
            } else if record.notices.is_lagging() {
                delivery = Delivery::Lagging;
            }
        }
        delivery
    }
}

/// What one sender may still send: a bucket that holds [`Self::BURST`] and fills at [`Self::RATE`].
#[derive(Debug)]
pub(super) struct DataBudget {
    bytes: u64,
    at: MonoTime,
}

impl DataBudget {
    /// Bytes a second.
    const RATE: u64 = 64_000;

    /// Bytes at once: four messages of the largest size.
    const BURST: u64 = 65_536;

    pub(super) const fn full(now: MonoTime) -> Self {
        Self {
            bytes: Self::BURST,
            at: now,
        }
    }

    /// Takes `bytes`, or says how long to wait for them.
    pub(super) fn take(&mut self, now: MonoTime, bytes: u64) -> Result<(), Duration> {
        let millis = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        if millis > 0 {
            let earned = millis.saturating_mul(Self::RATE / 1_000);
            self.bytes = self.bytes.saturating_add(earned).min(Self::BURST);
            self.at = now;
        }
        match self.bytes.checked_sub(bytes) {
            Some(rest) => {
                self.bytes = rest;
                Ok(())
            }
            None => {
                let missing = bytes - self.bytes;
                Err(Duration::from_millis(missing.div_ceil(Self::RATE / 1_000)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_at_once_and_earned_over_time() {
        let mut budget = DataBudget::full(MonoTime::ZERO);
        assert_eq!(budget.take(MonoTime::ZERO, 65_536), Ok(()));
        assert_eq!(
            budget.take(MonoTime::ZERO, 6_400),
            Err(Duration::from_millis(100))
        );
        assert_eq!(budget.take(MonoTime::from_millis(100), 6_400), Ok(()));
    }
}
