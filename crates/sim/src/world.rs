//! The world: nodes at addresses, links between them, and time.
//!
//! Time moves only in [`World::run_until`] and its kin, from one event to the next: the arrival of
//! a datagram, or the earliest deadline of a node. Events of one moment happen in the order in
//! which they were caused, nodes in the order in which they were added.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use estrade_types::{MonoTime, Ssrc};

use crate::link::Link;
use crate::{LinkConfig, LinkCounters, Node, Outbox, SeedNote, SimRandom};

/// Steps at one moment after which the world says that a node spins.
const STEPS_PER_MOMENT_MAX: u32 = 100_000;

/// A node of one world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

/// Looks at a datagram on its way and says whether it goes through.
type Filter = Box<dyn FnMut(MonoTime, &[u8]) -> bool>;

/// A datagram on its way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    at: MonoTime,
    /// Breaks ties by the order of sending.
    order: u64,
    to: NodeId,
    from: SocketAddr,
    datagram: Vec<u8>,
}

/// Nodes, links and time.
pub struct World {
    seed: SeedNote,
    now: MonoTime,
    nodes: Vec<Box<dyn Node>>,
    addrs: HashMap<SocketAddr, NodeId>,
    addr_of: Vec<SocketAddr>,
    links: BTreeMap<(NodeId, NodeId), Link>,
    filters: BTreeMap<(NodeId, NodeId), Filter>,
    default_link: LinkConfig,
    arrivals: BinaryHeap<Reverse<Arrival>>,
    sent: u64,
    reconfigured: u64,
    outbox: Outbox,
    steps_at_moment: u32,
    /// Datagrams to addresses where nobody is.
    unroutable: u64,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed.0)
            .field("now", &self.now)
            .field("nodes", &self.addr_of)
            .field("in_flight", &self.arrivals.len())
            .finish_non_exhaustive()
    }
}

impl World {
    /// An empty world at time zero. The seed is printed if the test fails while the world lives.
    pub fn new(seed: u64) -> Self {
        Self {
            seed: SeedNote(seed),
            now: MonoTime::ZERO,
            nodes: Vec::new(),
            addrs: HashMap::new(),
            addr_of: Vec::new(),
            links: BTreeMap::new(),
            filters: BTreeMap::new(),
            default_link: LinkConfig::default(),
            arrivals: BinaryHeap::new(),
            sent: 0,
            reconfigured: 0,
            outbox: Outbox::default(),
            steps_at_moment: 0,
            unroutable: 0,
        }
    }

    /// Adds a node at an address and shares it with the caller, who may use it between runs.
    ///
    /// # Panics
    ///
    /// When somebody is at that address.
    pub fn add<N: Node + 'static>(
        &mut self,
        addr: SocketAddr,
        node: N,
    ) -> (NodeId, Rc<RefCell<N>>) {
        let id = NodeId(self.nodes.len());
        let shared = Rc::new(RefCell::new(node));
        self.nodes.push(Box::new(Rc::clone(&shared)));
        self.addr_of.push(addr);
        assert!(self.addrs.insert(addr, id).is_none(), "{addr} is taken");
        (id, shared)
    }

    /// Moves a node to another address, as a NAT does: what is under way to the old one still
    /// arrives, what is sent there later does not.
    ///
    /// # Panics
    ///
    /// When somebody is at that address.
    pub fn rebind(&mut self, node: NodeId, addr: SocketAddr) {
        self.addrs.retain(|_, id| *id != node);
        assert!(self.addrs.insert(addr, node).is_none(), "{addr} is taken");
        if let Some(known) = self.addr_of.get_mut(node.0) {
            *known = addr;
        }
    }

    /// Sets what links are like that are not set by themselves, from their first datagram on.
    pub fn set_default_link(&mut self, config: LinkConfig) {
        self.default_link = config;
    }

    /// Sets what the path from one node to another is like from now on.
    pub fn set_link(&mut self, from: NodeId, to: NodeId, config: LinkConfig) {
        // Every setting has a stream of its own.
        self.reconfigured += 1;
        let seed = link_seed(self.seed.0, self.reconfigured << 32 | label(from, to));
        let now = self.now;
        self.link_mut(from, to).reconfigure(now, config, seed);
    }

    /// Sets both directions alike.
    pub fn set_path(&mut self, a: NodeId, b: NodeId, config: LinkConfig) {
        self.set_link(a, b, config);
        self.set_link(b, a, config);
    }

    /// Lets only those datagrams through for which `filter` says true, before anything else the
    /// link does to them.
    pub fn set_filter(
        &mut self,
        from: NodeId,
        to: NodeId,
        filter: impl FnMut(MonoTime, &[u8]) -> bool + 'static,
    ) {
        self.filters.insert((from, to), Box::new(filter));
    }

    /// Takes the filter off again.
    pub fn clear_filter(&mut self, from: NodeId, to: NodeId) {
        self.filters.remove(&(from, to));
    }

    /// Steps until `end`, whatever happens before.
    pub fn run_until(&mut self, end: MonoTime) {
        while self.step(end) {}
        self.now = self.now.max(end);
    }

    /// Steps for a time.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now.plus(span));
    }

    /// Steps until `done` says so, asked after every event; false when it did not within `limit`.
    pub fn run_until_done(&mut self, limit: Duration, mut done: impl FnMut() -> bool) -> bool {
        let end = self.now.plus(limit);
        loop {
            if done() {
                return true;
            }
            if !self.step(end) {
                self.now = self.now.max(end);
                return done();
            }
        }
    }

    /// The time.
    pub const fn now(&self) -> MonoTime {
        self.now
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed.0
    }

    /// What became of the datagrams from one node to another.
    pub fn counters(&self, from: NodeId, to: NodeId) -> LinkCounters {
        self.links
            .get(&(from, to))
            .map(|link| link.counters)
            .unwrap_or_default()
    }

    /// The RTP packets from one node to another that did not get through: SSRC and sequence number.
    pub fn lost_rtp(&self, from: NodeId, to: NodeId) -> BTreeSet<(Ssrc, u16)> {
        self.links
            .get(&(from, to))
            .map(|link| link.lost_rtp.clone())
            .unwrap_or_default()
    }

    /// Datagrams sent to addresses where nobody is.
    pub const fn unroutable(&self) -> u64 {
        self.unroutable
    }

    /// Does what happens next, if that is not after `end`.
    fn step(&mut self, end: MonoTime) -> bool {
        let arrival = self.arrivals.peek().map(|Reverse(arrival)| arrival.at);
        let due = (0..)
            .zip(&mut self.nodes)
            .filter_map(|(index, node)| Some((node.next_deadline()?.max(self.now), NodeId(index))))
            .min();
        // Arrivals first: a node that is due hears everything that reached it by then.
        let arrives_first = match (arrival, due) {
            (Some(arrival), Some((due, _))) => arrival <= due,
            (arrival, _) => arrival.is_some(),
        };
        if arrives_first {
            if arrival.is_none_or(|at| at > end) {
                return false;
            }
            if let Some(Reverse(arrival)) = self.arrivals.pop() {
                self.move_to(arrival.at);
                self.deliver(arrival);
            }
            return true;
        }
        let Some((at, id)) = due.filter(|(at, _)| *at <= end) else {
            return false;
        };
        self.move_to(at);
        let mut outbox = std::mem::take(&mut self.outbox);
        if let Some(node) = self.nodes.get_mut(id.0) {
            node.on_timeout(at, &mut outbox);
        }
        self.dispatch(id, outbox);
        true
    }

    fn move_to(&mut self, at: MonoTime) {
        if at > self.now {
            self.now = at;
            self.steps_at_moment = 0;
        }
        self.steps_at_moment += 1;
        assert!(
            self.steps_at_moment < STEPS_PER_MOMENT_MAX,
            "a node does not let time pass at {at:?}"
        );
    }

    fn deliver(&mut self, mut arrival: Arrival) {
        let mut outbox = std::mem::take(&mut self.outbox);
        if let Some(node) = self.nodes.get_mut(arrival.to.0) {
            node.on_datagram(self.now, arrival.from, &mut arrival.datagram, &mut outbox);
        }
        self.dispatch(arrival.to, outbox);
    }

    /// Puts what a node sent on its links.
    fn dispatch(&mut self, from: NodeId, mut outbox: Outbox) {
        for (to_addr, datagram) in outbox.datagrams.drain(..) {
            let Some(&to) = self.addrs.get(&to_addr) else {
                self.unroutable += 1;
                continue;
            };
            let now = self.now;
            if let Some(filter) = self.filters.get_mut(&(from, to))
                && !filter(now, &datagram)
            {
                self.link_mut(from, to).note_filtered(&datagram);
                continue;
            }
            let Some(&from_addr) = self.addr_of.get(from.0) else {
                continue;
            };
            let [first, second] = self.link_mut(from, to).carry(now, &datagram);
            for at in [first, second].into_iter().flatten() {
                self.sent += 1;
                self.arrivals.push(Reverse(Arrival {
                    at,
                    order: self.sent,
                    to,
                    from: from_addr,
                    datagram: datagram.clone(),
                }));
            }
        }
        self.outbox = outbox;
    }

    fn link_mut(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let (config, seed) = (self.default_link, self.seed.0);
        self.links
            .entry((from, to))
            .or_insert_with(|| Link::new(config, link_seed(seed, label(from, to))))
    }
}

/// A number of its own for each direction of each path.
const fn label(from: NodeId, to: NodeId) -> u64 {
    (from.0 as u64) << 16 | to.0 as u64
}

fn link_seed(seed: u64, label: u64) -> u64 {
    SimRandom::derive(seed, label).next_u64()
}

#[cfg(test)]
mod tests;
