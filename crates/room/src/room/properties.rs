//! What holds after every command, over random sequences of commands in virtual time.

use std::collections::BTreeMap;

use estrade_types::{Admission, LinkKind, ProgrammeReason, Role};
use proptest::prelude::*;

use super::participant::Place;
use super::*;
use crate::{JoinCommand, MuteKind};

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
const MAX_STAGE: u16 = 3;
const MAX_PARTICIPANTS: u32 = 6;

fn pid(n: usize) -> ParticipantId {
    ParticipantId::new(NAMES[n]).unwrap()
}

fn anyone() -> impl Strategy<Value = ParticipantId> {
    (0..NAMES.len()).prop_map(pid)
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(Role::ALL.to_vec())
}

fn kind() -> impl Strategy<Value = MuteKind> {
    prop::sample::select(vec![MuteKind::Audio, MuteKind::Video])
}

fn key() -> impl Strategy<Value = ParticipantKey> {
    (1_u32..12).prop_map(|n| ParticipantKey(NonZeroU32::new(n).unwrap()))
}

fn source() -> impl Strategy<Value = SourceKind> {
    prop::sample::select(vec![
        SourceKind::Microphone,
        SourceKind::Camera,
        SourceKind::Screen,
    ])
}

fn reason() -> impl Strategy<Value = CloseReason> {
    prop::sample::select(vec![
        CloseReason::Left,
        CloseReason::ConsentExpired,
        CloseReason::ConnectTimeout,
    ])
}

fn link() -> impl Strategy<Value = LinkKind> {
    prop_oneof![
        6 => Just(LinkKind::WebSocket),
        1 => Just(LinkKind::Whip),
        1 => Just(LinkKind::Whep),
    ]
}

/// A join; its session is filled in when it is applied.
fn join() -> impl Strategy<Value = Command> {
    (anyone(), role(), link(), 0_u64..60).prop_map(|(identity, role, link, issued_at_s)| {
        Command::Join(JoinCommand {
            admission: Admission {
                room: RoomId::new("r").unwrap(),
                identity,
                role,
                name: String::new(),
                attributes: BTreeMap::new(),
                issued_at_s: Some(issued_at_s),
            },
            session: SessionId(0),
            link,
        })
    })
}

fn moderation() -> impl Strategy<Value = Command> {
    prop_oneof![
        (anyone(), role()).prop_map(|(participant, role)| Command::Promote { participant, role }),
        anyone().prop_map(|participant| Command::Demote { participant }),
        (anyone(), kind(), any::<bool>()).prop_map(|(participant, kind, lock)| Command::Mute {
            participant,
            kind,
            lock
        }),
        (anyone(), kind()).prop_map(|(participant, kind)| Command::Unlock { participant, kind }),
        (prop::collection::vec(role(), 0..2), any::<bool>())
            .prop_map(|(except, lock)| Command::MuteAll { except, lock }),
        anyone().prop_map(|participant| Command::RequestUnmute { participant }),
        anyone().prop_map(|participant| Command::Remove { participant }),
        anyone().prop_map(|participant| Command::ApproveHand { participant }),
        anyone().prop_map(|participant| Command::RejectHand { participant }),
        anyone().prop_map(|participant| Command::Invite { participant }),
        anyone().prop_map(|participant| Command::CancelInvite { participant }),
        prop::collection::vec(anyone(), 0..3)
            .prop_map(|participants| Command::Spotlight { participants }),
    ]
}

fn own() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => Just(Command::RaiseHand),
        1 => Just(Command::LowerHand),
        3 => Just(Command::AcceptInvite),
        1 => Just(Command::DeclineInvite),
        2 => (kind(), any::<bool>())
            .prop_map(|(kind, muted)| Command::SelfMute { kind, muted }),
    ]
}

fn fact() -> impl Strategy<Value = Command> {
    prop_oneof![
        (0_u64..30).prop_map(|n| Command::Connected {
            session: SessionId(n)
        }),
        (key(), source(), any::<bool>()).prop_map(|(key, source, is_active)| {
            Command::SourceActive {
                key,
                source,
                is_active,
            }
        }),
        prop::option::of(key()).prop_map(|key| Command::ActiveSpeaker { key }),
        prop::option::of((key(), source())).prop_map(|source| Command::Programme {
            source,
            reason: ProgrammeReason::Speaker
        }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        8 => join(),
        2 => (0_u64..30, reason())
            .prop_map(|(n, reason)| Command::Leave { session: SessionId(n), reason }),
        10 => moderation(),
        6 => own(),
        3 => fact(),
        3 => Just(Command::Tick),
    ]
}

/// Mostly participants act; sometimes the app or the server.
fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        5 => anyone().prop_map(Actor::Participant),
        2 => Just(Actor::App),
        2 => Just(Actor::Server),
    ]
}

fn check(room: &Room) {
    check_totals(room);
    check_places(room);
}

fn check_totals(room: &Room) {
    assert!(room.stage.len() <= usize::from(MAX_STAGE));
    assert!(room.people.len() <= usize::try_from(MAX_PARTICIPANTS).unwrap());
    assert_eq!(room.by_key.len(), room.people.len());
    let hosts: Vec<_> = room
        .people
        .iter()
        .filter(|(_, person)| person.role == Role::Host)
        .map(|(id, _)| id)
        .collect();
    assert!(hosts.len() <= 1, "two hosts");
    assert_eq!(hosts.first().copied(), room.host.as_ref());
    let known = |id: &ParticipantId| room.people.contains_key(id);
    assert!(room.active_speaker.as_ref().is_none_or(known));
    assert!(room.programme.as_ref().is_none_or(|(id, _)| known(id)));
    assert_eq!(room.empty_since.is_some(), room.people.is_empty());
}

fn check_places(room: &Room) {
    let (mut sessions, mut seats, mut hands, mut invites, mut held) = (0, 0, 0, 0, 0);
    for (id, person) in &room.people {
        assert_eq!(room.by_key.get(&person.key), Some(id));
        assert_eq!(person.told, Some((person.seat(), person.permits())), "told");
        assert_eq!(person.is_on_stage(), person.role.is_on_stage());
        assert_eq!(person.is_on_stage(), person.seat().is_some());
        assert!(!person.audio.locked || person.audio.server_muted);
        if !person.is_on_stage() {
            assert_eq!(
                person.permits(),
                Permits::NONE,
                "the audience sends nothing"
            );
            assert!(!room.spotlight.contains(id));
        }
        if let Some(session) = person.session {
            sessions += 1;
            assert_eq!(room.by_session.get(&session), Some(id));
        }
        match person.place {
            Place::Audience => {}
            Place::Requested { order } => {
                hands += 1;
                assert_eq!(room.hands.get(&order), Some(id));
            }
            Place::Invited { until } => {
                invites += 1;
                assert!(room.invites.contains(&(until, id.clone())));
            }
            Place::OnStage { order } => {
                seats += 1;
                assert_eq!(room.stage.get(&order), Some(id));
            }
            Place::Held { order, until, .. } => {
                seats += 1;
                held += 1;
                assert_eq!(room.stage.get(&order), Some(id));
                assert!(room.held.contains(&(until, id.clone())));
                assert_eq!(person.session, None);
                assert!(person.sources.is_empty());
            }
        }
        assert_eq!(
            person.session.is_none(),
            matches!(person.place, Place::Held { .. })
        );
    }
    assert_eq!(
        (sessions, seats, hands, invites, held),
        (
            room.by_session.len(),
            room.stage.len(),
            room.hands.len(),
            room.invites.len(),
            room.held.len()
        )
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_command_keeps_the_rooms_promises(
        script in prop::collection::vec((actor(), command(), 0_u64..4_000), 1..120)
    ) {
        let settings = RoomSettings {
            max_stage: MAX_STAGE,
            max_participants: MAX_PARTICIPANTS,
            ..RoomSettings::default()
        };
        let mut effects = Vec::new();
        let id = RoomId::new("r").unwrap();
        let mut room = Room::new(id, settings, MonoTime::ZERO, 0, &mut effects).unwrap();
        let mut told: BTreeMap<ParticipantKey, Permits> = BTreeMap::new();
        let mut number = 1;
        let mut now_ms = 0;
        let mut sessions = 0;
        for (mut actor, mut command, wait_ms) in script {
            now_ms += wait_ms;
            if let Command::Join(join) = &mut command {
                sessions += 1;
                join.session = SessionId(sessions);
                actor = Actor::Participant(join.admission.identity.clone());
            }
            effects.clear();
            let before = room.clone();
            let now = MonoTime::from_millis(now_ms);
            let result = room.apply(now, now_ms, &actor, command.clone(), &mut effects);
            match result {
                Ok(applied) => prop_assert_eq!(applied.revision, room.revision()),
                Err(_) => {
                    prop_assert_eq!(&room, &before);
                    prop_assert!(effects.is_empty());
                }
            }
            for effect in &effects {
                match effect {
                    Effect::Publish(event) => {
                        number += 1;
                        prop_assert_eq!(event.number, number);
                    }
                    Effect::SetParticipant { key, seat, permits } => {
                        prop_assert!(seat.is_some() || *permits == Permits::NONE);
                        told.insert(*key, *permits);
                    }
                    Effect::RemoveParticipant { key, .. } => {
                        prop_assert!(told.remove(key).is_some());
                    }
                    _ => {}
                }
            }
            if room.is_ended() {
                break;
            }
            check(&room);
            // What the shard was told is what the room means.
            prop_assert_eq!(told.len(), room.people.len());
            for person in room.people.values() {
                prop_assert_eq!(told.get(&person.key), Some(&person.permits()));
            }
        }
    }
}
