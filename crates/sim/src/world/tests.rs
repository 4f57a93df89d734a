use super::*;
use crate::Loss;

/// Sends one numbered datagram every 10 ms to a peer, and remembers what it gets.
#[derive(Default)]
struct Ticker {
    peer: Option<SocketAddr>,
    next: Option<MonoTime>,
    sent: u8,
    got: Vec<(MonoTime, u8)>,
}

impl Ticker {
    fn to(peer: SocketAddr) -> Self {
        Self {
            peer: Some(peer),
            next: Some(MonoTime::ZERO),
            ..Self::default()
        }
    }
}

impl Node for Ticker {
    fn on_datagram(
        &mut self,
        now: MonoTime,
        _from: SocketAddr,
        datagram: &mut [u8],
        _out: &mut Outbox,
    ) {
        self.got.push((now, datagram[0]));
    }

    fn on_timeout(&mut self, now: MonoTime, out: &mut Outbox) {
        if let Some(peer) = self.peer {
            out.send(peer, &[self.sent]);
            self.sent += 1;
            self.next = (self.sent < 200).then(|| now.plus(Duration::from_millis(10)));
        }
    }

    fn next_deadline(&mut self) -> Option<MonoTime> {
        self.next
    }
}

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

fn run(seed: u64, config: LinkConfig) -> Vec<(MonoTime, u8)> {
    let mut world = World::new(seed);
    let (a, _) = world.add(addr(1), Ticker::to(addr(2)));
    let (b, listener) = world.add(addr(2), Ticker::default());
    world.set_link(a, b, config);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.counters(a, b).sent, 200);
    listener.borrow().got.clone()
}

#[test]
fn a_datagram_arrives_when_the_link_says() {
    let got = run(1, LinkConfig::default());
    assert_eq!(got.len(), 200);
    assert_eq!(got[3], (MonoTime::from_millis(40), 3));
}

#[test]
fn one_seed_gives_one_run_and_another_seed_another() {
    let config = LinkConfig {
        loss: Loss::Random(0.2),
        duplicate: 0.1,
        reorder: 0.1,
        jitter: Duration::from_millis(8),
        ..LinkConfig::default()
    };
    assert_eq!(run(7, config), run(7, config));
    assert_ne!(run(7, config), run(8, config));
}

#[test]
fn a_filter_takes_datagrams_off_the_path() {
    let mut world = World::new(1);
    let (a, _) = world.add(addr(1), Ticker::to(addr(2)));
    let (b, listener) = world.add(addr(2), Ticker::default());
    world.set_filter(a, b, |_, datagram| datagram[0] % 2 == 0);
    world.run_for(Duration::from_secs(1));
    world.clear_filter(a, b);
    assert!(
        listener
            .borrow()
            .got
            .iter()
            .all(|(_, number)| number % 2 == 0)
    );
    world.run_for(Duration::from_secs(4));
    assert!(
        listener
            .borrow()
            .got
            .iter()
            .any(|(_, number)| number % 2 == 1)
    );
}

#[test]
fn after_a_rebind_the_old_address_is_deaf() {
    let mut world = World::new(1);
    world.add(addr(1), Ticker::to(addr(2)));
    let (b, listener) = world.add(addr(2), Ticker::default());
    world.run_for(Duration::from_millis(105));
    world.rebind(b, addr(3));
    world.run_for(Duration::from_secs(5));
    // Ten had arrived, the eleventh was on its way.
    assert_eq!(listener.borrow().got.len(), 11);
    assert_eq!(world.unroutable(), 189);
}

#[test]
fn running_until_done_stops_at_the_event() {
    let mut world = World::new(1);
    world.add(addr(1), Ticker::to(addr(2)));
    let (_, listener) = world.add(addr(2), Ticker::default());
    assert!(world.run_until_done(Duration::from_secs(5), || listener.borrow().got.len() == 5));
    assert_eq!(world.now(), MonoTime::from_millis(50));
    assert!(!world.run_until_done(Duration::from_millis(20), || false));
    assert_eq!(world.now(), MonoTime::from_millis(70));
}
