//! Media through the engine: who hears and sees whom, and what control is told.

use std::time::Duration;

use estrade_types::{
    CloseReason, CommandOutcome, DropReason, MediaRoomSettings, Permits, ProgrammeReason, RoomKey,
    ShardCommand, ShardEvent, SourceKind, SpeakerRule, StageRank, StageSeat,
};
use webrtc::peer_connection::SrtpProtectionProfile;

use crate::bench::{
    Bench, OPUS, ROOM, VP8, audio, key, open_session, read, session, set_room, speech, video,
};
use crate::client::Client;

/// A room with one speaker and one listener, connected.
fn stage() -> (Bench, Client, Client) {
    let mut bench = Bench::with_room();
    bench.seat(1);
    bench.listen(2);
    let speaker = bench.connect(1);
    let listener = bench.connect(2);
    (bench, speaker, listener)
}

const TICK: Duration = Duration::from_millis(20);

/// Sends `packets` audio packets from `first` on, 20 ms apart.
fn talk(bench: &mut Bench, speaker: &mut Client, listener: &mut Client, first: u16, packets: u16) {
    for n in first..first + packets {
        speaker.send_rtp(&audio(1, n, speech(n)));
        bench.run_for(TICK, &mut [&mut *speaker, &mut *listener]);
    }
}

fn payload_type(packet: &[u8]) -> u8 {
    packet[1] & 0x7f
}

fn sequence_numbers(packets: &[Vec<u8>], payload: u8) -> Vec<u16> {
    let of_kind = packets
        .iter()
        .filter(|packet| payload_type(packet) == payload);
    of_kind.map(|packet| read(packet).1).collect()
}

fn is_gapless(numbers: &[u16]) -> bool {
    numbers
        .windows(2)
        .all(|pair| pair[1] == pair[0].wrapping_add(1))
}

#[test]
fn a_listener_hears_the_speaker_under_its_slot_s_own_numbers() {
    let (mut bench, mut speaker, mut listener) = stage();
    talk(&mut bench, &mut speaker, &mut listener, 1, 50);
    let heard = &listener.rtp;
    assert!(heard.len() >= 45, "heard {} of 50", heard.len());
    assert_eq!(listener.unopened, 0);
    for packet in heard {
        let (ssrc, _, csrc, payload) = read(packet);
        assert_eq!(ssrc, 0x4000_0000 + 200);
        assert_eq!(csrc, Some(1), "the CSRC names the participant");
        assert_eq!(payload, [0x78; 100]);
    }
    assert!(is_gapless(&sequence_numbers(heard, OPUS)));
    assert!(speaker.rtp.is_empty(), "nobody hears itself");
    assert!(listener.rtcp.len() >= 2, "sender reports have come");
}

#[test]
fn both_srtp_profiles_carry_media_to_each_other() {
    let mut bench = Bench::with_room();
    bench.seat(1);
    bench.listen(2);
    let mut speaker = bench.connect(1);
    let profile = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;
    let mut listener = Client::with_profile(2, bench.epoch, profile);
    let server = bench.open(2, &listener);
    listener.check(&server);
    bench.pump(&mut [&mut listener]);
    listener.start_dtls();
    bench.pump(&mut [&mut listener]);
    talk(&mut bench, &mut speaker, &mut listener, 1, 20);
    assert!(listener.rtp.len() >= 15);
    assert_eq!(listener.unopened, 0);
}

#[test]
fn whoever_talks_becomes_the_active_speaker_and_control_is_told() {
    let (mut bench, mut speaker, mut listener) = stage();
    talk(&mut bench, &mut speaker, &mut listener, 1, 100);
    let room_events =
        |wanted: fn(&ShardEvent) -> bool| bench.events.iter().filter(move |e| wanted(e));
    let active: Vec<_> = room_events(|e| matches!(e, ShardEvent::ActiveSpeaker { .. })).collect();
    assert!(
        matches!(active.as_slice(), [ShardEvent::ActiveSpeaker { participant: Some(who), .. }] if *who == key(1)),
        "{active:?}"
    );
    let source = |e: &ShardEvent| {
        matches!(
            e,
            ShardEvent::SourceActive {
                source: SourceKind::Microphone,
                is_active: true,
                ..
            }
        )
    };
    assert_eq!(bench.events.iter().filter(|e| source(e)).count(), 1);
    let speaking = bench.events.iter().filter_map(|event| match event {
        ShardEvent::Speaking { speaking, .. } => Some(speaking.len()),
        _ => None,
    });
    assert!(speaking.clone().any(|n| n == 1));
    assert!(speaking.count() <= 21, "at most ten a second");
    assert_eq!(bench.engine.counters().speaker_switches, 1);
}

#[test]
fn a_camera_becomes_the_programme_and_is_seen_from_its_keyframe_on() {
    let (mut bench, mut speaker, mut listener) = stage();
    for n in 1..=50 {
        // The first packets are no keyframe: nothing may be seen of them.
        speaker.send_rtp(&video(1, n, n == 10));
        bench.run_for(2 * TICK, &mut [&mut speaker, &mut listener]);
    }
    let programme = bench.events.iter().find_map(|event| match event {
        ShardEvent::Programme { source, reason, .. } => Some((*source, *reason)),
        _ => None,
    });
    let camera = Some((key(1), SourceKind::Camera));
    assert_eq!(programme, Some((camera, ProgrammeReason::First)));
    let seen = &listener.rtp;
    assert!(seen.len() >= 38, "saw {} of 41", seen.len());
    assert_eq!(payload_type(&seen[0]), VP8);
    let (_, _, csrc, payload) = read(&seen[0]);
    assert_eq!(csrc, Some(1));
    assert_eq!(payload[4] & 1, 0, "the first picture is a keyframe");
    assert!(is_gapless(&sequence_numbers(seen, VP8)));
    let is_slot = |e: &&ShardEvent| matches!(e, ShardEvent::Slot { session: s, source, .. } if *s == session(2) && *source == camera);
    assert_eq!(bench.events.iter().filter(is_slot).count(), 1);
    assert!(
        speaker
            .rtcp
            .iter()
            .any(|rtcp| rtcp[1] == 206 || rtcp.windows(2).any(|w| w == [0x81, 206])),
        "a keyframe was asked for"
    );
}

#[test]
fn a_muted_microphone_is_silent_from_the_acknowledgement_on() {
    let (mut bench, mut speaker, mut listener) = stage();
    talk(&mut bench, &mut speaker, &mut listener, 1, 60);
    assert!(!listener.rtp.is_empty());
    let in_flight = speaker.seal_rtp(&audio(1, 61, 30));
    bench.seat_with(
        1,
        Permits {
            microphone: false,
            ..Permits::ALL
        },
    );
    listener.rtp.clear();
    speaker.outgoing.push_back(in_flight);
    talk(&mut bench, &mut speaker, &mut listener, 62, 100);
    assert!(
        listener.rtp.is_empty(),
        "heard {} after the mute",
        listener.rtp.len()
    );
    let drops = bench.engine.counters().drops;
    assert_eq!(drops.get(DropReason::NotPermitted), 101);
    let last_active = bench.events.iter().rev().find_map(|event| match event {
        ShardEvent::ActiveSpeaker { participant, .. } => Some(*participant),
        _ => None,
    });
    assert_eq!(last_active, Some(None), "nobody holds the floor");
    let is_hint = |e: &&ShardEvent| matches!(e, ShardEvent::SpeakingWhileMuted { .. });
    assert_eq!(
        bench.events.iter().filter(is_hint).count(),
        1,
        "one hint in 5 s"
    );
    // And back.
    bench.seat(1);
    talk(&mut bench, &mut speaker, &mut listener, 162, 20);
    assert!(listener.rtp.len() >= 15);
}

#[test]
fn a_demoted_speaker_who_keeps_sending_is_dropped_at_ingress() {
    let (mut bench, mut speaker, mut listener) = stage();
    talk(&mut bench, &mut speaker, &mut listener, 1, 20);
    bench.listen(1);
    listener.rtp.clear();
    talk(&mut bench, &mut speaker, &mut listener, 21, 20);
    assert!(listener.rtp.is_empty());
    assert_eq!(
        bench.engine.counters().drops.get(DropReason::NotPermitted),
        20
    );
}

#[test]
fn a_replayed_or_forged_packet_is_counted_and_goes_nowhere() {
    let (mut bench, mut speaker, mut listener) = stage();
    talk(&mut bench, &mut speaker, &mut listener, 1, 5);
    let sealed = speaker.seal_rtp(&audio(1, 6, 30));
    let mut forged = sealed.clone();
    *forged.last_mut().unwrap() ^= 1;
    speaker.outgoing.extend([forged, sealed.clone(), sealed]);
    listener.rtp.clear();
    bench.pump(&mut [&mut speaker, &mut listener]);
    assert_eq!(listener.rtp.len(), 1);
    let drops = bench.engine.counters().drops;
    assert_eq!(drops.get(DropReason::AuthFailed), 1);
    assert_eq!(drops.get(DropReason::Replayed), 1);
}

#[test]
fn an_endpoint_that_moves_keeps_its_media_after_an_authentic_check() {
    let (mut bench, mut speaker, mut listener) = stage();
    let restart = bench.apply(ShardCommand::RestartIce {
        session: session(2),
        remote_ice: listener.ice.clone(),
    });
    let Ok(CommandOutcome::SessionOpened { local_ice }) = restart else {
        panic!("no new credentials: {restart:?}");
    };
    listener.addr.set_port(40_000);
    listener.check(&local_ice);
    bench.pump(&mut [&mut listener]);
    assert_eq!(listener.stun_answers, 2);
    talk(&mut bench, &mut speaker, &mut listener, 1, 20);
    assert!(listener.rtp.len() >= 15);
    // An RTCP packet from the new address is its own.
    listener.send_rtcp(&[0x80, 201, 0, 1, 0, 0, 0, 9]);
    bench.pump(&mut [&mut listener]);
    assert_eq!(
        bench.engine.counters().drops.get(DropReason::UnknownSource),
        0
    );
}

#[test]
fn an_endpoint_that_says_goodbye_is_gone_and_its_source_too() {
    let (mut bench, mut speaker, mut listener) = stage();
    talk(&mut bench, &mut speaker, &mut listener, 1, 60);
    speaker.close_dtls();
    bench.pump(&mut [&mut speaker, &mut listener]);
    let closed = CloseReason::ClosedByEndpoint;
    assert!(bench.events.iter().any(|event| matches!(
        event,
        ShardEvent::Session { session: s, state: estrade_types::SessionState::Closed(reason), room }
            if *s == session(1) && *reason == closed && *room == ROOM
    )));
    assert!(bench.events.iter().any(|event| matches!(
        event,
        ShardEvent::SourceActive {
            is_active: false,
            ..
        }
    )));
}

#[test]
fn the_picture_follows_whoever_speaks() {
    let mut bench = Bench::with_room();
    let (mut a, mut b, mut viewer);
    bench.seat(1);
    bench.seat(2);
    bench.listen(3);
    a = bench.connect(1);
    b = bench.connect(2);
    viewer = bench.connect(3);
    let mut owners = Vec::new();
    for n in 1..=500_u16 {
        // The first speaks for 4 s, then the second; both cameras run at 25 a second.
        let (loud, quiet) = if n <= 200 { (1, 2) } else { (2, 1) };
        for (who, level) in [(loud, speech(n)), (quiet, 127)] {
            let client = if who == 1 { &mut a } else { &mut b };
            let mut packet = audio(who, n, level);
            if level == 127 {
                packet[17] = 127; // No voice bit.
            }
            client.send_rtp(&packet);
            if n % 2 == 0 {
                client.send_rtp(&video(who, n / 2, n % 50 == 0));
            }
        }
        bench.run_for(TICK, &mut [&mut a, &mut b, &mut viewer]);
        for packet in viewer.rtp.drain(..) {
            if payload_type(&packet) == VP8 {
                owners.push((read(&packet).1, read(&packet).2));
            }
        }
    }
    let numbers: Vec<u16> = owners.iter().map(|(seq, _)| *seq).collect();
    assert!(is_gapless(&numbers), "one continuous stream");
    assert_eq!(owners.last().and_then(|(_, csrc)| *csrc), Some(2));
    let mut changes = owners.iter().map(|(_, csrc)| *csrc).collect::<Vec<_>>();
    changes.dedup();
    assert_eq!(changes.last(), Some(&Some(2)));
    assert!(changes.len() <= 3, "no flicker: {changes:?}");
}

/// The owners of the programme that control was told of.
fn programmes(bench: &Bench) -> Vec<Option<u32>> {
    let owner = |event: &ShardEvent| match event {
        ShardEvent::Programme { source, .. } => Some(source.map(|(who, _)| who.0.get())),
        _ => None,
    };
    bench.events.iter().filter_map(owner).collect()
}

#[test]
fn a_starved_camera_keeps_the_programme_while_there_is_no_other() {
    let mut bench = Bench::with_room();
    bench.seat(1);
    bench.listen(2);
    let mut camera = bench.connect(1);
    let mut viewer = bench.connect(2);
    for n in 1..=10 {
        camera.send_rtp(&video(1, n, true));
        bench.run_for(
            Duration::from_millis(1_500),
            &mut [&mut camera, &mut viewer],
        );
    }
    assert_eq!(programmes(&bench), [Some(1)]);
    assert!(viewer.rtp.len() >= 10);
    bench.run_for(
        Duration::from_millis(1_500),
        &mut [&mut camera, &mut viewer],
    );
    assert_eq!(programmes(&bench), [Some(1), None]);
}

#[test]
fn a_camera_that_halts_while_its_owner_is_seated_is_not_forgotten() {
    let mut bench = Bench::with_room();
    bench.set(1, None, Permits::ALL);
    let mut camera = bench.connect(1);
    camera.send_rtp(&video(1, 1, true));
    bench.run_for(Duration::from_millis(1_000), &mut [&mut camera]);
    bench.seat(1);
    for n in 2..=5 {
        camera.send_rtp(&video(1, n, true));
        bench.run_for(TICK, &mut [&mut camera]);
    }
    assert_eq!(programmes(&bench), [Some(1)]);
}

#[test]
fn another_detector_ends_what_was_told_of_the_speakers_before() {
    let (mut bench, mut speaker, mut listener) = stage();
    for n in 1..=50 {
        speaker.send_rtp(&audio(1, n, speech(n)));
        bench.run_for(TICK, &mut [&mut speaker, &mut listener]);
    }
    let speaking = |bench: &Bench| {
        let told = bench.events.iter().rev().find_map(|event| match event {
            ShardEvent::Speaking { speaking, .. } => Some(speaking.len()),
            _ => None,
        });
        told.unwrap_or(0)
    };
    assert_eq!(speaking(&bench), 1);
    let settings = MediaRoomSettings::default();
    let speaker_rule = match settings.speaker_rule {
        SpeakerRule::Evidence => SpeakerRule::Reference,
        SpeakerRule::Reference => SpeakerRule::Evidence,
    };
    bench
        .apply(ShardCommand::SetRoom {
            room: ROOM,
            settings: MediaRoomSettings {
                speaker_rule,
                ..settings
            },
        })
        .unwrap();
    bench.run_for(Duration::from_secs(1), &mut [&mut speaker, &mut listener]);
    assert_eq!(speaking(&bench), 0);
}

#[test]
fn one_room_never_hears_another() {
    let (mut bench, mut speaker, mut listener) = stage();
    let other = RoomKey(8);
    bench.apply(set_room(other)).unwrap();
    bench
        .apply(ShardCommand::SetParticipant {
            room: other,
            participant: key(3),
            seat: None,
            permits: Permits::NONE,
        })
        .unwrap();
    let mut stranger = Client::new(3, bench.epoch);
    let mut open = open_session(3, &stranger);
    open.room = other;
    let opened = bench.apply(ShardCommand::OpenSession(Box::new(open)));
    let Ok(CommandOutcome::SessionOpened { local_ice }) = opened else {
        panic!("no session: {opened:?}");
    };
    stranger.check(&local_ice);
    bench.pump(&mut [&mut stranger]);
    stranger.start_dtls();
    bench.pump(&mut [&mut stranger]);
    assert!(stranger.is_connected());
    for n in 1..=20 {
        speaker.send_rtp(&audio(1, n, speech(n)));
        bench.run_for(TICK, &mut [&mut speaker, &mut listener, &mut stranger]);
    }
    assert!(listener.rtp.len() >= 15);
    assert!(stranger.rtp.is_empty());
}

impl Bench {
    fn seat_with(&mut self, participant: u32, permits: Permits) {
        let seat = StageSeat {
            rank: StageRank::Speaker,
            order: u64::from(participant),
        };
        self.set(participant, Some(seat), permits);
    }
}
