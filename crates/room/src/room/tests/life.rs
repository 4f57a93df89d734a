//! Held seats, ends, facts, pages, and the table of rights.

use super::*;

#[test]
fn rights_follow_the_table() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.join("co2", Role::Cohost).unwrap();
    stage.join("spk", Role::Speaker).unwrap();
    let end = Command::End {
        reason: CloseReason::RoomEnded,
    };
    let refused = [
        ("co", mute("host", false)),
        ("co", demote("host")),
        ("co", demote("co2")),
        ("co", remove("co2")),
        ("co", remove("host")),
        ("co", promote("spk", Role::Cohost)),
        ("co", end.clone()),
        ("spk", mute("co", false)),
        ("spk", invite("lis")),
        ("spk", spotlight(&["spk"])),
        ("lis", demote("spk")),
        ("lis", remove("spk")),
        ("spk", end.clone()),
    ];
    for (actor, command) in refused {
        let before = stage.room.clone();
        let result = stage.by(actor, command.clone());
        assert!(
            matches!(result, Err(RoomError::NotAllowed { .. })),
            "{actor}: {command:?}: {result:?}"
        );
        assert_eq!(stage.room, before);
    }
    for (actor, command) in [
        ("co", mute("co2", false)),
        ("co", demote("spk")),
        ("host", demote("co2")),
        ("host", remove("co")),
        ("host", end),
    ] {
        assert!(stage.by(actor, command.clone()).is_ok(), "{command:?}");
    }
    assert!(stage.room.is_ended());
    assert_eq!(stage.server(Command::Tick), Err(RoomError::Ended));
}

#[test]
fn clients_do_not_moderate_where_the_app_alone_does() {
    let mut stage = Stage::new(RoomSettings {
        client_moderation: false,
        ..RoomSettings::default()
    });
    stage.join("host", Role::Host).unwrap();
    stage.join("spk", Role::Speaker).unwrap();
    assert!(matches!(
        stage.by("host", mute("spk", false)),
        Err(RoomError::NotAllowed { .. })
    ));
    assert!(stage.app(mute("spk", false)).is_ok());
    assert!(stage.by("spk", demote("spk")).is_ok());
}

#[test]
fn a_seat_is_held_through_a_lost_connection_and_given_up_after_the_grace() {
    let mut stage = Stage::with(&[("host", Role::Host), ("spk", Role::Speaker)]);
    stage.lose("spk");
    assert_eq!(stage.place("spk"), StageState::Held);
    assert_eq!(stage.room.session_of(&pid("spk")), None);
    stage.advance(Duration::from_secs(29));
    stage.server(Command::Tick).unwrap();
    stage.join("spk", Role::Speaker).unwrap();
    assert_eq!(stage.place("spk"), StageState::OnStage);
    stage.lose("spk");
    stage.advance(Duration::from_secs(30));
    stage.server(Command::Tick).unwrap();
    assert!(matches!(
        stage.kinds().as_slice(),
        [
            EventKind::StageLeft {
                how: StageLeft::Gone,
                ..
            },
            EventKind::ParticipantLeft {
                reason: CloseReason::ConsentExpired,
                ..
            }
        ]
    ));
    assert_eq!(stage.room.participant(&pid("spk")), None);
}

#[test]
fn a_listener_or_one_who_never_connected_is_gone_at_once() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.lose("lis");
    assert_eq!(stage.room.participant(&pid("lis")), None);
    let session = stage.room.session_of(&pid("co")).unwrap();
    let reason = CloseReason::ConnectTimeout;
    stage.server(Command::Leave { session, reason }).unwrap();
    assert_eq!(stage.room.participant(&pid("co")), None);
}

#[test]
fn an_empty_room_ends_after_its_time_and_not_before() {
    let mut stage = Stage::new(RoomSettings::default());
    stage.advance(Duration::from_secs(50));
    stage.join("lis", Role::Listener).unwrap();
    assert_eq!(stage.room.next_deadline(), None);
    stage.lose("lis");
    stage.advance(Duration::from_secs(59));
    stage.server(Command::Tick).unwrap();
    assert!(!stage.room.is_ended());
    stage.advance(Duration::from_secs(1));
    stage.server(Command::Tick).unwrap();
    assert!(stage.room.is_ended());
    assert_eq!(stage.room.next_deadline(), None);
}

#[test]
fn facts_become_numbered_events_and_stand_in_views() {
    let mut stage = Stage::with(&[("host", Role::Host)]);
    let key = stage.room.key_of(&pid("host")).unwrap();
    let session = stage.room.session_of(&pid("host")).unwrap();
    stage.server(Command::Connected { session }).unwrap();
    assert!(stage.view("host").is_connected);
    let lit = Command::SourceActive {
        key,
        source: SourceKind::Camera,
        is_active: true,
    };
    stage.server(lit.clone()).unwrap();
    let speaker = Command::ActiveSpeaker { key: Some(key) };
    stage.server(speaker.clone()).unwrap();
    let source = Some((key, SourceKind::Camera));
    let reason = estrade_types::ProgrammeReason::First;
    stage.server(Command::Programme { source, reason }).unwrap();
    let view = stage.room.view();
    assert_eq!(view.active_speaker, Some(pid("host")));
    assert_eq!(view.programme, Some((pid("host"), SourceKind::Camera)));
    assert_eq!(view.stage[0].active_sources, [SourceKind::Camera]);
    assert!(matches!(
        stage.by("host", speaker.clone()),
        Err(RoomError::NotAllowed { .. })
    ));
    stage
        .by(
            "host",
            Command::Leave {
                session,
                reason: CloseReason::Left,
            },
        )
        .unwrap();
    assert_eq!(stage.server(speaker), Err(RoomError::UnknownParticipant));
    assert_eq!(stage.server(lit), Err(RoomError::UnknownParticipant));
    assert_eq!(stage.room.view().active_speaker, None);
    assert_eq!(stage.room.view().programme, None);
}

#[test]
fn pages_are_in_order_of_identity_and_complete() {
    let mut stage = Stage::with(&[("h", Role::Host), ("s", Role::Speaker)]);
    for name in ["a", "b", "i", "z"] {
        stage.join(name, Role::Listener).unwrap();
    }
    let collect = |filter, size| {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let (page, has_more) = stage.room.page(filter, after.as_ref(), size);
            names.extend(page.iter().map(|view| view.id.as_str().to_owned()));
            after = page.last().map(|view| view.id.clone());
            if !has_more {
                return names.join("");
            }
        }
    };
    for size in 1..8 {
        assert_eq!(collect(StageFilter::All, size), "abhisz");
        assert_eq!(collect(StageFilter::Stage, size), "hs");
        assert_eq!(collect(StageFilter::Audience, size), "abiz");
    }
}

#[test]
fn a_hundred_thousand_listeners_join_and_leave() {
    let mut stage = Stage::new(RoomSettings::default());
    let name = |n: u32| format!("listener-{n}");
    for n in 0..100_000 {
        stage.join(&name(n), Role::Listener).unwrap();
    }
    assert_eq!(
        stage.join("one-more", Role::Listener),
        Err(RoomError::Full { max: 100_000 })
    );
    for n in 0..100_000 {
        stage.lose(&name(n));
    }
    assert_eq!(stage.room.participant_count(), 0);
}
