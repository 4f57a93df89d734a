//! Commands and sessions: opening, connecting, closing, refusals, hostile first packets.

use estrade_types::{
    CloseReason, CommandRefused, DropReason, SessionState, ShardCommand, ShardEvent,
};

use crate::bench::{Bench, ROOM, key, session};
use crate::client::Client;

#[test]
fn an_endpoint_connects_and_control_is_told_once() {
    let mut bench = Bench::with_room();
    bench.seat(1);
    let client = bench.connect(1);
    assert_eq!(client.stun_answers, 1);
    let connected = ShardEvent::Session {
        session: session(1),
        room: ROOM,
        state: SessionState::Connected,
    };
    assert_eq!(bench.events.iter().filter(|e| **e == connected).count(), 1);
    let counters = bench.engine.counters();
    assert_eq!((counters.sessions, counters.sessions_connected), (1, 1));
    assert_eq!(counters.handshakes_completed, 1);
}

#[test]
fn a_refused_command_changes_nothing() {
    let mut bench = Bench::with_room();
    let client = Client::new(1, bench.epoch);
    let open = Box::new(crate::bench::open_session(1, &client));
    let refused = bench.apply(ShardCommand::OpenSession(open.clone()));
    assert_eq!(refused, Err(CommandRefused::UnknownParticipant));
    bench.seat(1);
    let mut twice = open.clone();
    twice.tx[1].ssrc = twice.tx[0].ssrc;
    let refused = bench.apply(ShardCommand::OpenSession(twice));
    assert_eq!(refused, Err(CommandRefused::Invalid));
    let mut nobody = open.clone();
    nobody.fingerprints.clear();
    let refused = bench.apply(ShardCommand::OpenSession(nobody));
    assert_eq!(refused, Err(CommandRefused::Invalid));
    assert_eq!(bench.engine.counters().sessions, 0);
    assert!(bench.apply(ShardCommand::OpenSession(open.clone())).is_ok());
    let refused = bench.apply(ShardCommand::OpenSession(open));
    assert_eq!(refused, Err(CommandRefused::Invalid), "the id is in use");
    assert_eq!(bench.engine.counters().sessions, 1);
}

#[test]
fn an_endpoint_that_never_comes_is_given_up() {
    let mut bench = Bench::with_room();
    bench.seat(1);
    let client = Client::new(1, bench.epoch);
    bench.open(1, &client);
    bench.run_for(std::time::Duration::from_secs(16), &mut []);
    let closed = SessionState::Closed(CloseReason::ConnectTimeout);
    assert!(bench.events.iter().any(|event| matches!(
        event, ShardEvent::Session { state, .. } if *state == closed
    )));
    assert_eq!(bench.engine.counters().sessions, 0);
    assert_eq!(bench.engine.next_deadline(), None, "nothing is left to do");
}

#[test]
fn removing_a_participant_closes_its_session_and_tells_the_endpoint() {
    let mut bench = Bench::with_room();
    bench.seat(1);
    let mut client = bench.connect(1);
    bench.events.clear();
    bench
        .apply(ShardCommand::RemoveParticipant {
            room: ROOM,
            participant: key(1),
            reason: CloseReason::Removed,
        })
        .unwrap();
    bench.pump(&mut [&mut client]);
    assert!(client.is_closed, "close_notify has arrived");
    let closed = ShardEvent::Session {
        session: session(1),
        room: ROOM,
        state: SessionState::Closed(CloseReason::Removed),
    };
    assert_eq!(bench.events.iter().filter(|e| **e == closed).count(), 1);
    // Its address means nothing any more.
    let unknown = |bench: &Bench| bench.engine.counters().drops.get(DropReason::UnknownSource);
    let before = unknown(&bench);
    client.send_rtp(&crate::bench::audio(1, 1, 30));
    bench.pump(&mut [&mut client]);
    assert_eq!(unknown(&bench), before + 1);
}

#[test]
fn only_authentic_stun_is_heard_from_strangers() {
    let mut bench = Bench::with_room();
    bench.seat(1);
    let mut client = Client::new(1, bench.epoch);
    let server = bench.open(1, &client);
    let mut forged = client.request(&server, "not-the-password-at-all");
    let unknown = estrade_types::IceCredentials {
        ufrag: "AAAAAAAAAAAAAAAAAAAA".to_owned(),
        pwd: server.pwd.clone(),
    };
    let mut lost = client.request(&unknown, &server.pwd);
    let (now, from) = (bench.now, client.addr);
    let mut others = [
        vec![22_u8; 40],
        vec![0x80; 40],
        vec![0x80, 200, 0, 0],
        vec![],
        vec![99],
    ];
    for datagram in others.iter_mut().chain([&mut forged, &mut lost]) {
        bench
            .engine
            .on_datagram(now, from, datagram, &mut bench.sink);
    }
    assert_eq!(bench.sink.len(), 0, "nobody is answered");
    let drops = bench.engine.counters().drops;
    assert_eq!(drops.get(DropReason::UnknownSource), 3);
    assert_eq!(drops.get(DropReason::Malformed), 2);
    assert_eq!(drops.get(DropReason::StunAuthFailed), 1);
    assert_eq!(drops.get(DropReason::StunUnknownUfrag), 1);
}

#[test]
fn an_endpoint_cannot_take_the_address_of_another_by_a_forged_source() {
    let mut bench = Bench::with_room();
    bench.seat(1);
    bench.seat(2);
    let mut victim = bench.connect(1);
    let mut thief = Client::new(2, bench.epoch);
    let server = bench.open(2, &thief);
    let mut claim = thief.request(&server, &server.pwd);
    bench
        .engine
        .on_datagram(bench.now, victim.addr, &mut claim, &mut bench.sink);
    bench.sink.clear();
    victim.send_rtp(&crate::bench::audio(1, 1, 30));
    bench.pump(&mut [&mut victim]);
    let drops = bench.engine.counters().drops;
    assert_eq!(drops.get(DropReason::NotConnected), 0);
    assert_eq!(drops.get(DropReason::AuthFailed), 0);
}

#[test]
fn handshakes_beyond_a_turn_s_budget_are_done_in_the_next_turns() {
    let mut bench = Bench::with_room();
    let mut clients: Vec<Client> = (1..=40_u32)
        .map(|n| {
            bench.listen(n);
            let mut client = Client::new(u16::try_from(n).unwrap(), bench.epoch);
            let server = bench.open(n, &client);
            client.check(&server);
            client
        })
        .collect();
    let mut all: Vec<&mut Client> = clients.iter_mut().collect();
    bench.pump(&mut all);
    for client in &mut all {
        client.start_dtls();
    }
    bench.pump(&mut all);
    assert!(clients.iter().all(Client::is_connected));
    let counters = bench.engine.counters();
    assert_eq!(counters.handshakes_completed, 40);
    assert_eq!(counters.drops.get(DropReason::DtlsOverflow), 0);
}

#[test]
fn closing_the_room_closes_everybody_with_the_reason() {
    let mut bench = Bench::with_room();
    for n in 1..=3 {
        bench.seat(n);
        let client = Client::new(u16::try_from(n).unwrap(), bench.epoch);
        bench.open(n, &client);
    }
    bench.events.clear();
    let reason = CloseReason::RoomEnded;
    bench
        .apply(ShardCommand::CloseRoom { room: ROOM, reason })
        .unwrap();
    let closed: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            ShardEvent::Session { session, state, .. } => Some((session.0, *state)),
            _ => None,
        })
        .collect();
    let state = SessionState::Closed(reason);
    assert_eq!(closed, [(1, state), (2, state), (3, state)]);
    let counters = bench.engine.counters();
    assert_eq!((counters.rooms, counters.sessions), (0, 0));
    let again = bench.apply(ShardCommand::CloseRoom { room: ROOM, reason });
    assert_eq!(again, Err(CommandRefused::UnknownRoom));
}

#[test]
fn a_hello_is_answered_although_what_follows_it_in_the_datagram_is_refused() {
    let mut bench = Bench::with_room();
    bench.seat(1);
    let mut client = Client::new(1, bench.epoch);
    let server = bench.open(1, &client);
    client.check(&server);
    bench.pump(&mut [&mut client]);
    client.start_dtls();
    let mut datagram = client.outgoing.pop_front().unwrap();
    // A hello of four bytes: whole, and no hello.
    datagram.extend([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 16]);
    datagram.extend([1, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 9, 9, 9, 9]);
    bench
        .engine
        .on_datagram(bench.now, client.addr, &mut datagram, &mut bench.sink);
    let drops = bench.engine.counters().drops;
    assert_eq!(drops.get(DropReason::Malformed), 1);
    assert_eq!(bench.sink.len(), 1);
    bench.pump(&mut [&mut client]);
    assert!(client.is_connected());
}
