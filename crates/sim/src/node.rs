//! What the world drives: anything with an address, a deadline and datagrams.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use estrade_types::MonoTime;

/// Datagrams a node sends, with where to.
#[derive(Debug, Default)]
pub struct Outbox {
    pub(crate) datagrams: Vec<(SocketAddr, Vec<u8>)>,
}

impl Outbox {
    /// Sends `datagram` to `to`, from the node's own address.
    pub fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.datagrams.push((to, datagram.to_vec()));
    }
}

/// One party of the world.
pub trait Node {
    /// Takes a datagram that arrived from `from`.
    fn on_datagram(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
        out: &mut Outbox,
    );

    /// Does what is due, and sends what was queued from outside since.
    fn on_timeout(&mut self, now: MonoTime, out: &mut Outbox);

    /// When [`Self::on_timeout`] is next to be called; a moment that has passed means at once.
    fn next_deadline(&mut self) -> Option<MonoTime>;
}

/// A node shared with the test that made it. The world borrows it only while it steps.
impl<N: Node> Node for Rc<RefCell<N>> {
    fn on_datagram(
        &mut self,
        now: MonoTime,
        from: SocketAddr,
        datagram: &mut [u8],
        out: &mut Outbox,
    ) {
        self.borrow_mut().on_datagram(now, from, datagram, out);
    }

    fn on_timeout(&mut self, now: MonoTime, out: &mut Outbox) {
        self.borrow_mut().on_timeout(now, out);
    }

    fn next_deadline(&mut self) -> Option<MonoTime> {
        self.borrow_mut().next_deadline()
    }
}
