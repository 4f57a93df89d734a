//! The one offer, ICE restarts, and facts from the shard.

use std::time::Duration;

use estrade_room::EventKind;
use estrade_types::{
    AudioLevel, CloseReason, CommandRefused, LinkKind, MonoTime, Permits, ProgrammeReason, Role,
    RoomKey, SessionState, ShardCommand, ShardEvent, SlotId, SourceKind, SpeakingParticipant,
};

use super::fake::*;
use crate::{Client, ClientNotice, Directory, DirectoryError};

const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

const TRANSPORT: &str = "a=ice-ufrag:cfrg\r\na=ice-pwd:clientpasswordclientpassw\r\n\
    a=fingerprint:sha-256 \
    00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F\
    \r\na=setup:actpass\r\na=rtcp-mux\r\n";

/// An offer with these sections: kind and direction.
pub(super) fn offer(sections: &[(&str, &str)]) -> String {
    let mids: Vec<String> = (0..sections.len()).map(|n| n.to_string()).collect();
    let mut text = format!("{HEAD}a=group:BUNDLE {}\r\n", mids.join(" "));
    for (mid, (kind, direction)) in sections.iter().enumerate() {
        let codec = match *kind {
            "audio" => "111\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n",
            _ => "96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 VP8/90000\r\n",
        };
        text.push_str(&format!(
            "m={kind} 9 UDP/TLS/RTP/SAVPF {codec}a=mid:{mid}\r\na={direction}\r\n{TRANSPORT}"
        ));
    }
    text
}

pub(super) const INTERACTIVE: [(&str, &str); 5] = [
    ("audio", "recvonly"),
    ("audio", "recvonly"),
    ("video", "recvonly"),
    ("audio", "sendonly"),
    ("video", "sendonly"),
];

/// The session that was opened among these commands.
fn opened(commands: &[ShardCommand]) -> Option<&estrade_types::OpenSession> {
    commands.iter().find_map(|command| match command {
        ShardCommand::OpenSession(open) => Some(&**open),
        _ => None,
    })
}

async fn join_by(directory: &Directory, name: &str, role: Role, link: LinkKind) -> Client {
    let admission = admission("r", name, role);
    directory.join(admission, link).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_one_offer_opens_a_session_and_its_answer_says_where() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    let answer = host.negotiate(&offer(&INTERACTIVE)).await.unwrap();
    for line in [
        "a=ice-ufrag:serverfrag",
        "a=ice-pwd:serverpasswordserverpassword",
        "a=fingerprint:sha-256 AB:AB:AB",
        "127.0.0.1 7900 typ host",
        "a=setup:passive",
    ] {
        assert!(answer.contains(line), "{line} in\n{answer}");
    }
    let commands = shard.take();
    let open = opened(&commands).unwrap();
    assert_eq!((open.room, open.participant), (RoomKey(1), key(1)));
    assert_eq!(open.session, host.session());
    let slots: Vec<SlotId> = open.tx.iter().map(|tx| tx.slot).collect();
    assert_eq!(slots, [SlotId::Audio(0), SlotId::Audio(1), SlotId::Main]);
    let sources: Vec<SourceKind> = open.rx.iter().map(|rx| rx.source).collect();
    assert_eq!(sources, [SourceKind::Microphone, SourceKind::Camera]);
    assert_eq!(
        host.negotiate(&offer(&INTERACTIVE)).await,
        Err(DirectoryError::AlreadyNegotiated)
    );
}

#[tokio::test(start_paused = true)]
async fn a_bad_offer_is_an_error_and_a_good_one_may_follow() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    for bad in ["", "hello", HEAD] {
        assert!(matches!(
            host.negotiate(bad).await,
            Err(DirectoryError::Offer(_))
        ));
    }
    assert!(opened(&shard.take()).is_none());
    assert!(host.negotiate(&offer(&INTERACTIVE)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_the_shard_refuses_ends_the_session() {
    let (directory, shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    shard.set(Mood::Refuses(CommandRefused::Full));
    let refused = host.negotiate(&offer(&INTERACTIVE)).await;
    assert_eq!(refused, Err(DirectoryError::Shard(CommandRefused::Full)));
    shard.set(Mood::Answers);
    let reason = until(&mut host, |notice| match notice {
        ClientNotice::Closed(reason) => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::HandshakeFailed);
    assert!(
        directory
            .participant(&rid("r"), &pid("host"))
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn the_door_shapes_what_is_sent_and_received() {
    let (directory, shard) = directory();
    let _host = join(&directory, "host", Role::Host).await;
    let both = [("audio", "sendrecv"), ("video", "sendrecv")];
    let whip = join_by(&directory, "obs", Role::Speaker, LinkKind::Whip).await;
    whip.negotiate(&offer(&both)).await.unwrap();
    let commands = shard.take();
    let open = opened(&commands).unwrap();
    assert_eq!((open.rx.len(), open.tx.len()), (2, 0));
    let player = [
        ("audio", "recvonly"),
        ("video", "recvonly"),
        ("audio", "recvonly"),
    ];
    let whep = join_by(&directory, "player", Role::Speaker, LinkKind::Whep).await;
    whep.negotiate(&offer(&player)).await.unwrap();
    let commands = shard.take();
    let open = opened(&commands).unwrap();
    let slots: Vec<SlotId> = open.tx.iter().map(|tx| tx.slot).collect();
    assert_eq!(slots, [SlotId::Audio(0), SlotId::Main]);
    assert!(commands.iter().any(|command| matches!(
        command,
        ShardCommand::SetParticipant {
            seat: None,
            permits: Permits::NONE,
            ..
        }
    )));
}

#[tokio::test(start_paused = true)]
async fn new_credentials_restart_ice_and_candidates_alone_do_not() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    let fragment =
        |ufrag: &str| format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:clientpasswordclientpassw\r\n");
    assert_eq!(
        host.ice_fragment(&fragment("cfrg")).await,
        Err(DirectoryError::UnknownSession)
    );
    host.negotiate(&offer(&INTERACTIVE)).await.unwrap();
    shard.take();
    assert_eq!(host.ice_fragment(&fragment("cfrg")).await, Ok(None));
    assert_eq!(host.ice_fragment("a=end-of-candidates\r\n").await, Ok(None));
    assert!(shard.take().is_empty());
    let restarted = host.ice_fragment(&fragment("next")).await.unwrap().unwrap();
    assert!(restarted.contains("a=ice-ufrag:serverfrag"), "{restarted}");
    assert!(restarted.contains("a=mid:0"), "{restarted}");
    assert!(matches!(
        shard.take().as_slice(),
        [ShardCommand::RestartIce { .. }]
    ));
    assert!(matches!(
        host.ice_fragment("nonsense").await,
        Err(DirectoryError::Offer(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_was_not_acknowledged_is_asked_for_again() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    host.negotiate(&offer(&INTERACTIVE)).await.unwrap();
    shard.take();
    let fragment = "a=ice-ufrag:next\r\na=ice-pwd:clientpasswordclientpassw\r\n";
    shard.set(Mood::Silent);
    assert_eq!(
        host.ice_fragment(fragment).await,
        Err(DirectoryError::TimedOut)
    );
    shard.set(Mood::Answers);
    let restarted = host.ice_fragment(fragment).await.unwrap();
    assert!(restarted.is_some(), "taken for a trickle");
    assert_eq!(shard.take().len(), 2);
    assert_eq!(host.ice_fragment(fragment).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn what_is_wished_before_the_offer_is_told_with_it() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    let _spk = join(&directory, "spk", Role::Speaker).await;
    shard.take();
    host.want_video(false).await.unwrap();
    host.pin(Some(pid("spk"))).await.unwrap();
    assert!(host.pin(Some(pid("nobody"))).await.is_err());
    assert!(shard.take().is_empty());
    host.negotiate(&offer(&INTERACTIVE)).await.unwrap();
    let session = host.session();
    assert!(matches!(
        shard.take().as_slice(),
        [
            ShardCommand::OpenSession(_),
            ShardCommand::SetVideoWanted { wanted: false, .. },
            ShardCommand::SetPin { participant: Some(pinned), .. }
        ] if *pinned == key(2)
    ));
    host.pin(None).await.unwrap();
    let participant = None;
    assert_eq!(
        shard.take(),
        [ShardCommand::SetPin {
            session,
            participant
        }]
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_the_shard_closed_is_over_and_not_closed_twice() {
    let (directory, shard) = directory();
    let _host = join(&directory, "host", Role::Host).await;
    let mut obs = join_by(&directory, "obs", Role::Speaker, LinkKind::Whip).await;
    obs.negotiate(&offer(&[("audio", "sendonly")]))
        .await
        .unwrap();
    shard.session(obs.session(), SessionState::Connected);
    assert_eq!(notice(&mut obs).await, ClientNotice::Connected(true));
    shard.take();
    shard.closed(obs.session(), CloseReason::ConnectTimeout);
    assert_eq!(
        notice(&mut obs).await,
        ClientNotice::Closed(CloseReason::ConnectTimeout)
    );
    assert_eq!(obs.next_notice().await, None);
    let closing = |command: &ShardCommand| matches!(command, ShardCommand::CloseSession { .. });
    assert!(!shard.take().iter().any(closing));
    assert!(directory.participant(&rid("r"), &pid("obs")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn removing_somebody_closes_its_session_and_tells_why() {
    let (directory, shard) = directory();
    let host = join(&directory, "host", Role::Host).await;
    let mut spk = join(&directory, "spk", Role::Speaker).await;
    spk.negotiate(&offer(&INTERACTIVE)).await.unwrap();
    shard.take();
    let participant = pid("spk");
    let remove = estrade_room::Command::Remove { participant };
    host.act(remove).await.unwrap();
    let commands = shard.take();
    assert!(matches!(
        commands.as_slice(),
        [
            ShardCommand::CloseSession { .. },
            ..,
            ShardCommand::RemoveParticipant {
                reason: CloseReason::Removed,
                ..
            }
        ]
    ));
    let notices = drain(&mut spk).await;
    assert_eq!(
        notices.last(),
        Some(&ClientNotice::Closed(CloseReason::Removed))
    );
}

#[tokio::test(start_paused = true)]
async fn facts_become_events_and_notices_with_lasting_names() {
    let (directory, shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    drain(&mut host).await;
    let room = RoomKey(1);
    let source = Some((key(1), SourceKind::Camera));
    shard.tell(ShardEvent::SourceActive {
        room,
        participant: key(1),
        source: SourceKind::Camera,
        is_active: true,
    });
    shard.tell(ShardEvent::ActiveSpeaker {
        room,
        participant: Some(key(1)),
        at: MonoTime::ZERO,
    });
    shard.tell(ShardEvent::Programme {
        room,
        source,
        reason: ProgrammeReason::First,
        at: MonoTime::ZERO,
    });
    shard.tell(ShardEvent::Slot {
        session: host.session(),
        room,
        slot: SlotId::Main,
        source,
    });
    shard.tell(ShardEvent::SpeakingWhileMuted {
        room,
        participant: key(1),
    });
    // About somebody who is not there: nothing.
    shard.tell(ShardEvent::ActiveSpeaker {
        room: RoomKey(9),
        participant: Some(key(9)),
        at: MonoTime::ZERO,
    });
    let notices = drain(&mut host).await;
    let kinds: Vec<_> = notices.iter().filter_map(event).collect();
    assert!(matches!(
        kinds.as_slice(),
        [
            EventKind::SourceChanged {
                is_active: true,
                ..
            },
            EventKind::ActiveSpeakerChanged {
                participant: Some(_)
            },
            EventKind::ProgrammeChanged {
                source: Some(_),
                ..
            }
        ]
    ));
    let source = Some((pid("host"), SourceKind::Camera));
    let slot = SlotId::Main;
    assert!(notices.contains(&ClientNotice::Slot { slot, source }));
    assert!(notices.contains(&ClientNotice::SpeakingWhileMuted));
}

#[tokio::test(start_paused = true)]
async fn who_speaks_is_told_ten_times_a_second_at_most() {
    let (directory, shard) = directory();
    let mut host = join(&directory, "host", Role::Host).await;
    drain(&mut host).await;
    for level in 0..50 {
        shard.tell(ShardEvent::Speaking {
            room: RoomKey(1),
            speaking: vec![SpeakingParticipant {
                participant: key(1),
                level: AudioLevel::from_octet(level),
            }],
        });
        pass(Duration::from_millis(10)).await;
    }
    let notices = drain(&mut host).await;
    assert!((4..=7).contains(&notices.len()), "{}", notices.len());
    let Some(ClientNotice::Speaking(last)) = notices.last() else {
        panic!("{notices:?}");
    };
    assert_eq!(last[0].volume, 127 - 49);
}
