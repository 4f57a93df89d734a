//! Endpoints that move without choosing their new address, and strangers who pretend to be one.

use super::*;

const MOMENT: Duration = Duration::from_millis(20);

impl Bench {
    /// One second after the last event, `from` sends the same bytes the endpoint is about to send.
    fn race(&mut self, from: SocketAddr) -> Vec<u8> {
        let copy = sign(self.request());
        self.feed(from, &copy).unwrap();
        copy
    }

    /// Lets time pass without a word.
    fn pass(&mut self, span: Duration) {
        self.now = self.now.plus(span);
        self.agent.on_timeout(self.now);
    }
}

#[test]
fn an_endpoint_that_moved_unawares_is_followed_once_its_old_address_is_silent() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    let silent_at = bench.now.plus(SILENCE_MAX);
    let reply = bench.check(addr(2));
    let proved_at = bench.now;
    assert!(reply.is_new && !reply.nominated);
    assert_eq!(bench.agent.next_deadline(), Some(silent_at));
    bench.pass(SILENCE_MAX - SECOND - MOMENT);
    assert_eq!(bench.agent.selected(), Some(addr(1)));
    bench.pass(MOMENT);
    assert_eq!(bench.now, silent_at);
    assert_eq!(bench.agent.selected(), Some(addr(2)));
    assert_eq!(
        bench.agent.consent_until(),
        proved_at.plus(CONSENT_LIFETIME)
    );
    assert_eq!(bench.agent.next_deadline(), None);
}

#[test]
fn a_check_after_a_long_silence_waits_only_to_be_contested() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    bench.pass(SILENCE_MAX * 2);
    bench.check(addr(2));
    assert_eq!(bench.agent.selected(), Some(addr(1)));
    let wins_at = bench.now.plus(CONTEST_TIME);
    assert_eq!(bench.agent.next_deadline(), Some(wins_at));
    bench.pass(CONTEST_TIME);
    assert_eq!(bench.agent.selected(), Some(addr(2)));
}

#[test]
fn any_sign_from_the_selected_address_keeps_media_there() {
    let mut bench = Bench::new();
    let first = sign(bench.request().nominating());
    bench.feed(addr(1), &first).unwrap();
    let signs: [fn(&mut Bench, &[u8]); 3] = [
        |bench, _| bench.agent.on_alive(bench.now, addr(1)),
        |bench, _| {
            bench.check(addr(1));
        },
        |bench, first| {
            bench.feed(addr(1), first).unwrap();
        },
    ];
    for sign in signs {
        bench.check(addr(2));
        assert!(bench.agent.next_deadline().is_some());
        bench.now = bench.now.plus(SECOND);
        sign(&mut bench, &first);
        assert_eq!(bench.agent.next_deadline(), None);
        bench.pass(SILENCE_MAX * 2);
        assert_eq!(bench.agent.selected(), Some(addr(1)), "2 is as silent");
    }
}

#[test]
fn other_signs_of_life_from_elsewhere_move_nothing_and_renew_nothing() {
    let mut bench = Bench::new();
    bench.check(addr(2));
    bench.nominate(addr(1));
    let until = bench.agent.consent_until();
    for _ in 0..40 {
        bench.agent.on_alive(bench.now, addr(2));
        bench.pass(SECOND);
    }
    assert_eq!(bench.agent.selected(), Some(addr(1)));
    assert_eq!(bench.agent.consent_until(), until);
}

#[test]
fn a_copy_that_overtakes_its_original_moves_nothing_though_the_endpoint_was_silent() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    for _ in 0..20 {
        bench.pass(SILENCE_MAX * 2);
        let until = bench.agent.consent_until();
        let copy = bench.race(addr(66));
        bench.now = bench.now.plus(MOMENT);
        let repeated = bench.agent.on_stun(bench.now, addr(1), &copy);
        assert_eq!(repeated, Ok(StunReply::default()));
        assert_eq!(bench.agent.next_deadline(), None);
        assert_eq!(bench.agent.consent_until(), until);
    }
    bench.pass(SILENCE_MAX);
    assert_eq!(bench.agent.selected(), Some(addr(1)));
}

#[test]
fn of_several_addresses_the_one_checked_last_is_followed() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    bench.check(addr(3));
    bench.check(addr(2));
    bench.pass(SILENCE_MAX);
    assert_eq!(bench.agent.selected(), Some(addr(2)));
    // And back again, if that is where it comes from.
    bench.check(addr(1));
    bench.pass(SILENCE_MAX);
    assert_eq!(bench.agent.selected(), Some(addr(1)));
}

#[test]
fn a_nomination_does_not_wait_for_the_live_address_to_fall_silent() {
    let mut bench = Bench::new();
    bench.nominate(addr(1));
    bench.check(addr(2));
    bench.agent.on_alive(bench.now, addr(1));
    assert!(bench.nominate(addr(3)).nominated);
    assert_eq!(bench.agent.selected(), Some(addr(3)));
    assert_eq!(bench.agent.next_deadline(), None);
}
