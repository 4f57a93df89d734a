//! The rules of `product.md` §4, one by one, and its races.

use std::collections::BTreeMap;
use std::time::Duration;

use estrade_types::{Admission, LinkKind, Role};

use super::*;
use crate::{HandClosed, HandPolicy, JoinCommand, MuteKind, StageLeft, StageState};

/// Wall time at the origin of the tests' clock.
const EPOCH_MS: u64 = 1_800_000_000_000;

pub(super) fn pid(name: &str) -> ParticipantId {
    ParticipantId::new(name).unwrap()
}

/// A room with a clock, a session counter, and the effects of the last command.
struct Stage {
    room: Room,
    now_ms: u64,
    sessions: u64,
    effects: Vec<Effect>,
}

impl Stage {
    fn new(settings: RoomSettings) -> Self {
        let mut effects = Vec::new();
        let id = RoomId::new("r").unwrap();
        let room = Room::new(id, settings, MonoTime::ZERO, EPOCH_MS, &mut effects).unwrap();
        Self {
            room,
            now_ms: 0,
            sessions: 0,
            effects,
        }
    }

    fn with(people: &[(&str, Role)]) -> Self {
        let mut stage = Self::new(RoomSettings::default());
        for (name, role) in people {
            stage.join(name, *role).unwrap();
        }
        stage
    }

    fn apply(&mut self, actor: &Actor, command: Command) -> Result<Applied, RoomError> {
        self.effects.clear();
        let now = MonoTime::from_millis(self.now_ms);
        let unix_ms = EPOCH_MS + self.now_ms;
        self.room
            .apply(now, unix_ms, actor, command, &mut self.effects)
    }

    fn by(&mut self, name: &str, command: Command) -> Result<Applied, RoomError> {
        self.apply(&Actor::Participant(pid(name)), command)
    }

    fn app(&mut self, command: Command) -> Result<Applied, RoomError> {
        self.apply(&Actor::App, command)
    }

    fn server(&mut self, command: Command) -> Result<Applied, RoomError> {
        self.apply(&Actor::Server, command)
    }

    fn join(&mut self, name: &str, role: Role) -> Result<Applied, RoomError> {
        let now_s = (EPOCH_MS + self.now_ms) / 1_000;
        self.join_with(name, role, LinkKind::WebSocket, Some(now_s))
    }

    fn join_with(
        &mut self,
        name: &str,
        role: Role,
        link: LinkKind,
        issued_at_s: Option<u64>,
    ) -> Result<Applied, RoomError> {
        self.sessions += 1;
        let join = JoinCommand {
            admission: Admission {
                room: RoomId::new("r").unwrap(),
                identity: pid(name),
                role,
                name: name.to_uppercase(),
                attributes: BTreeMap::new(),
                issued_at_s,
            },
            session: SessionId(self.sessions),
            link,
        };
        self.by(name, Command::Join(join))
    }

    fn advance(&mut self, span: Duration) {
        self.now_ms += u64::try_from(span.as_millis()).unwrap();
    }

    fn view(&self, name: &str) -> ParticipantView {
        self.room.participant(&pid(name)).unwrap()
    }

    fn place(&self, name: &str) -> StageState {
        self.view(name).stage
    }

    fn kinds(&self) -> Vec<EventKind> {
        let published = |effect: &Effect| match effect {
            Effect::Publish(event) => Some(event.kind.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(published).collect()
    }

    fn permits_told(&self, name: &str) -> Option<Permits> {
        let key = self.room.key_of(&pid(name)).unwrap();
        self.effects.iter().find_map(|effect| match effect {
            Effect::SetParticipant {
                key: k, permits, ..
            } if *k == key => Some(*permits),
            _ => None,
        })
    }

    fn lose(&mut self, name: &str) {
        let session = self.room.session_of(&pid(name)).unwrap();
        let reason = CloseReason::ConsentExpired;
        self.server(Command::Leave { session, reason }).unwrap();
    }
}

fn at(participant: &str) -> ParticipantId {
    pid(participant)
}

fn approve(who: &str) -> Command {
    Command::ApproveHand {
        participant: at(who),
    }
}

fn invite(who: &str) -> Command {
    Command::Invite {
        participant: at(who),
    }
}

fn demote(who: &str) -> Command {
    Command::Demote {
        participant: at(who),
    }
}

fn promote(who: &str, role: Role) -> Command {
    Command::Promote {
        participant: at(who),
        role,
    }
}

fn mute(who: &str, lock: bool) -> Command {
    Command::Mute {
        participant: at(who),
        kind: MuteKind::Audio,
        lock,
    }
}

fn self_mute(muted: bool) -> Command {
    Command::SelfMute {
        kind: MuteKind::Audio,
        muted,
    }
}

fn remove(who: &str) -> Command {
    Command::Remove {
        participant: at(who),
    }
}

fn spotlight(who: &[&str]) -> Command {
    Command::Spotlight {
        participants: who.iter().map(|name| at(name)).collect(),
    }
}

fn is_wrong_state(result: &Result<Applied, RoomError>) -> bool {
    matches!(result, Err(RoomError::WrongState { .. }))
}

const WITH_LISTENER: [(&str, Role); 3] = [
    ("host", Role::Host),
    ("co", Role::Cohost),
    ("lis", Role::Listener),
];

#[test]
fn a_stage_role_is_seated_open_and_a_listener_sends_nothing() {
    let mut stage = Stage::with(&WITH_LISTENER);
    assert_eq!(stage.permits_told("lis"), Some(Permits::NONE));
    stage.join("spk", Role::Speaker).unwrap();
    assert_eq!(stage.permits_told("spk"), Some(Permits::ALL));
    assert_eq!(stage.place("spk"), StageState::OnStage);
    assert_eq!(stage.room.audience_count(), 1);
    assert_eq!(stage.room.view().stage.len(), 3);
}

#[test]
fn there_is_one_host() {
    let mut stage = Stage::with(&WITH_LISTENER);
    assert_eq!(stage.join("other", Role::Host), Err(RoomError::HostPresent));
    let session = stage.room.session_of(&pid("host")).unwrap();
    let reason = CloseReason::Left;
    stage
        .by("host", Command::Leave { session, reason })
        .unwrap();
    assert!(stage.join("other", Role::Host).is_ok());
}

#[test]
fn the_same_identity_takes_over_its_seat_and_mutes() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("host", mute("co", true)).unwrap();
    stage.join("co", Role::Cohost).unwrap();
    assert!(matches!(
        stage.effects.first(),
        Some(Effect::CloseSession {
            session: SessionId(2),
            reason: CloseReason::Replaced
        })
    ));
    assert!(stage.view("co").audio_locked);
    assert_eq!(stage.room.stage_count(), 2);
    // Word of the old session's end comes late, and changes nothing.
    let late = Command::Leave {
        session: SessionId(2),
        reason: CloseReason::ClosedByEndpoint,
    };
    stage.server(late).unwrap();
    assert!(stage.effects.is_empty());
    assert_eq!(stage.place("co"), StageState::OnStage);
}

#[test]
fn a_player_has_no_seat_and_a_listener_may_not_publish() {
    let mut stage = Stage::new(RoomSettings::default());
    let iat = Some(EPOCH_MS / 1_000);
    stage
        .join_with("p", Role::Host, LinkKind::Whep, iat)
        .unwrap();
    assert_eq!(stage.view("p").permits, Permits::NONE);
    assert_eq!(stage.place("p"), StageState::Audience);
    assert!(matches!(
        stage.join_with("q", Role::Listener, LinkKind::Whip, iat),
        Err(RoomError::NotAllowed { act: "publish" })
    ));
}

#[test]
fn hands_are_approved_in_server_order_and_lowering_goes_to_the_end() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.join("two", Role::Listener).unwrap();
    stage.by("lis", Command::RaiseHand).unwrap();
    stage.by("two", Command::RaiseHand).unwrap();
    stage.by("lis", Command::LowerHand).unwrap();
    assert!(matches!(
        stage.by("lis", Command::RaiseHand),
        Err(RoomError::TooSoon { retry_after }) if retry_after == Duration::from_secs(5)
    ));
    stage.advance(Duration::from_secs(5));
    stage.by("lis", Command::RaiseHand).unwrap();
    let hands = stage.room.view().hands;
    let order: Vec<&str> = hands.iter().map(|h| h.participant.as_str()).collect();
    assert_eq!(order, ["two", "lis"]);
    stage.by("co", approve("two")).unwrap();
    assert_eq!(stage.view("two").permits, Permits::ALL);
    assert_eq!(stage.view("two").role, Role::Speaker);
}

#[test]
fn leaving_does_not_shorten_the_cooldown_of_hands() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("lis", Command::RaiseHand).unwrap();
    let session = stage.room.session_of(&pid("lis")).unwrap();
    let reason = CloseReason::Left;
    stage.by("lis", Command::Leave { session, reason }).unwrap();
    stage.join("lis", Role::Listener).unwrap();
    assert!(matches!(
        stage.by("lis", Command::RaiseHand),
        Err(RoomError::TooSoon { .. })
    ));
}

#[test]
fn hands_can_be_off_and_stage_members_have_none() {
    let mut stage = Stage::new(RoomSettings {
        hand_policy: HandPolicy::Off,
        ..RoomSettings::default()
    });
    stage.join("lis", Role::Listener).unwrap();
    stage.join("spk", Role::Speaker).unwrap();
    assert_eq!(
        stage.by("lis", Command::RaiseHand),
        Err(RoomError::HandsOff)
    );
    assert!(is_wrong_state(&stage.by("spk", Command::RaiseHand)));
}

#[test]
fn race_two_moderators_approve_one_hand_and_get_the_same_answer() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("lis", Command::RaiseHand).unwrap();
    let first = stage.by("host", approve("lis")).unwrap();
    assert!(matches!(
        stage.kinds().first(),
        Some(EventKind::HandLowered {
            how: HandClosed::Approved,
            ..
        })
    ));
    let second = stage.by("co", approve("lis")).unwrap();
    assert_eq!(first, second);
    assert!(stage.effects.is_empty());
}

#[test]
fn race_approve_against_lower_has_one_winner() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("lis", Command::RaiseHand).unwrap();
    stage.by("lis", Command::LowerHand).unwrap();
    assert!(is_wrong_state(&stage.by("host", approve("lis"))));
    stage.advance(Duration::from_secs(6));
    stage.by("lis", Command::RaiseHand).unwrap();
    stage.by("host", approve("lis")).unwrap();
    assert!(is_wrong_state(&stage.by("lis", Command::LowerHand)));
    assert_eq!(stage.place("lis"), StageState::OnStage);
}

#[test]
fn race_accept_against_cancel_has_one_winner() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("host", invite("lis")).unwrap();
    let cancel = Command::CancelInvite {
        participant: at("lis"),
    };
    stage.by("co", cancel.clone()).unwrap();
    assert!(is_wrong_state(&stage.by("lis", Command::AcceptInvite)));
    stage.by("host", invite("lis")).unwrap();
    stage.by("lis", Command::AcceptInvite).unwrap();
    assert_eq!(stage.permits_told("lis"), Some(Permits::ALL));
    assert!(is_wrong_state(&stage.by("co", cancel)));
}

#[test]
fn race_demote_against_spotlight_leaves_no_spotlight_in_the_audience() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("host", spotlight(&["co", "host"])).unwrap();
    stage.by("host", demote("co")).unwrap();
    assert_eq!(stage.room.view().spotlight, [pid("host")]);
    assert_eq!(stage.permits_told("co"), Some(Permits::NONE));
    assert!(is_wrong_state(&stage.by("host", spotlight(&["co"]))));
    let host_key = stage.room.key_of(&pid("host")).unwrap();
    stage.by("host", spotlight(&[])).unwrap();
    stage.by("host", spotlight(&["host"])).unwrap();
    let keys = vec![host_key];
    assert!(stage.effects.contains(&Effect::SetSpotlight { keys }));
}

#[test]
fn race_removal_against_a_join_in_flight_refuses_the_old_token() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.advance(Duration::from_secs(100));
    stage.by("host", remove("lis")).unwrap();
    let removed_s = (EPOCH_MS + stage.now_ms) / 1_000;
    for issued in [None, Some(removed_s - 50), Some(removed_s)] {
        assert_eq!(
            stage.join_with("lis", Role::Listener, LinkKind::WebSocket, issued),
            Err(RoomError::TokenRevoked)
        );
    }
    let fresh = Some(removed_s + 1);
    assert!(
        stage
            .join_with("lis", Role::Listener, LinkKind::WebSocket, fresh)
            .is_ok()
    );
}

#[test]
fn race_the_last_seat_is_taken_once() {
    let mut stage = Stage::new(RoomSettings {
        max_stage: 2,
        ..RoomSettings::default()
    });
    stage.join("host", Role::Host).unwrap();
    for name in ["a", "b", "c"] {
        stage.join(name, Role::Listener).unwrap();
    }
    stage.by("a", Command::RaiseHand).unwrap();
    stage.by("b", Command::RaiseHand).unwrap();
    stage.by("host", invite("c")).unwrap();
    stage.by("host", approve("a")).unwrap();
    let full = Err(RoomError::StageFull { max: 2 });
    assert_eq!(stage.by("host", approve("b")), full);
    assert_eq!(stage.by("c", Command::AcceptInvite), full);
    assert_eq!(stage.app(promote("b", Role::Speaker)), full);
    assert_eq!(stage.join("d", Role::Speaker), full);
    assert_eq!(stage.place("b"), StageState::Requested);
    assert_eq!(stage.place("c"), StageState::Invited);
    stage.by("a", demote("a")).unwrap();
    assert!(stage.by("c", Command::AcceptInvite).is_ok());
}

#[test]
fn an_invitation_expires_and_is_over_when_due_even_before_the_timer() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("host", invite("lis")).unwrap();
    assert_eq!(
        stage.room.next_deadline(),
        Some(MonoTime::from_millis(60_000))
    );
    stage.advance(Duration::from_secs(60));
    assert!(is_wrong_state(&stage.by("lis", Command::AcceptInvite)));
    stage.server(Command::Tick).unwrap();
    assert!(matches!(
        stage.kinds().as_slice(),
        [EventKind::InviteClosed {
            accepted: false,
            ..
        }]
    ));
    assert_eq!(stage.place("lis"), StageState::Audience);
}

#[test]
fn only_the_app_forces_somebody_on_stage_and_then_silently() {
    let mut stage = Stage::with(&WITH_LISTENER);
    assert!(is_wrong_state(
        &stage.by("host", promote("lis", Role::Speaker))
    ));
    stage.app(promote("lis", Role::Speaker)).unwrap();
    assert_eq!(stage.view("lis").permits, Permits::NONE);
    assert!(stage.view("lis").audio_server_muted && !stage.view("lis").audio_locked);
    stage.by("lis", self_mute(false)).unwrap();
    let permits = stage.view("lis").permits;
    assert!(permits.microphone && !permits.camera);
}

#[test]
fn a_moderator_promotes_from_a_raised_hand_and_the_host_appoints_cohosts() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("lis", Command::RaiseHand).unwrap();
    assert!(matches!(
        stage.by("co", promote("lis", Role::Cohost)),
        Err(RoomError::NotAllowed { .. })
    ));
    stage.by("co", promote("lis", Role::Speaker)).unwrap();
    assert_eq!(stage.view("lis").permits, Permits::ALL);
    stage.by("host", promote("lis", Role::Cohost)).unwrap();
    assert_eq!(stage.view("lis").role, Role::Cohost);
    assert!(matches!(
        stage.app(promote("lis", Role::Host)),
        Err(RoomError::InvalidField { field: "role", .. })
    ));
}

#[test]
fn demotion_is_not_undone_by_coming_in_again_with_the_same_token() {
    let mut stage = Stage::with(&[("host", Role::Host), ("spk", Role::Speaker)]);
    let old = Some(EPOCH_MS / 1_000);
    stage.advance(Duration::from_secs(10));
    stage.by("host", demote("spk")).unwrap();
    assert!(stage.kinds().iter().any(|kind| matches!(
        kind,
        EventKind::StageLeft {
            how: StageLeft::Demoted,
            ..
        }
    )));
    let websocket = LinkKind::WebSocket;
    stage
        .join_with("spk", Role::Speaker, websocket, old)
        .unwrap();
    assert_eq!(stage.view("spk").permits, Permits::NONE);
    let session = stage.room.session_of(&pid("spk")).unwrap();
    let reason = CloseReason::Left;
    stage.by("spk", Command::Leave { session, reason }).unwrap();
    stage
        .join_with("spk", Role::Speaker, websocket, old)
        .unwrap();
    assert_eq!(stage.view("spk").role, Role::Listener);
    assert!(
        stage
            .join_with("spk", Role::Speaker, LinkKind::Whip, old)
            .is_err()
    );
    let fresh = Some(EPOCH_MS / 1_000 + 11);
    stage
        .join_with("spk", Role::Speaker, websocket, fresh)
        .unwrap();
    assert_eq!(stage.view("spk").permits, Permits::ALL);
}

#[test]
fn promotion_survives_a_reload_with_a_listeners_token() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("lis", Command::RaiseHand).unwrap();
    stage.by("host", approve("lis")).unwrap();
    stage.join("lis", Role::Listener).unwrap();
    assert_eq!(stage.view("lis").role, Role::Speaker);
    assert_eq!(stage.view("lis").permits, Permits::ALL);
}

#[test]
fn a_soft_mute_is_the_owners_to_undo_and_a_locked_one_is_not() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.by("host", mute("co", false)).unwrap();
    assert!(!stage.permits_told("co").unwrap().microphone);
    assert!(stage.view("co").permits.camera);
    stage.by("co", self_mute(false)).unwrap();
    assert_eq!(stage.view("co").permits, Permits::ALL);
    stage.by("host", mute("co", true)).unwrap();
    assert_eq!(stage.by("co", self_mute(false)), Err(RoomError::Locked));
    let unlock = Command::Unlock {
        participant: at("co"),
        kind: MuteKind::Audio,
    };
    stage.by("host", unlock).unwrap();
    assert!(
        !stage.view("co").permits.microphone,
        "the server never opens"
    );
    stage.by("co", self_mute(false)).unwrap();
    assert!(stage.view("co").permits.microphone);
}

#[test]
fn a_lock_outlives_the_session_of_its_target() {
    let mut stage = Stage::with(&[("host", Role::Host), ("spk", Role::Speaker)]);
    stage.by("host", mute("spk", true)).unwrap();
    let session = stage.room.session_of(&pid("spk")).unwrap();
    let reason = CloseReason::Left;
    stage.by("spk", Command::Leave { session, reason }).unwrap();
    stage.join("spk", Role::Speaker).unwrap();
    assert_eq!(stage.by("spk", self_mute(false)), Err(RoomError::Locked));
    assert!(!stage.view("spk").permits.microphone);
}

#[test]
fn mute_all_spares_the_actor_excepted_roles_and_those_above() {
    let mut stage = Stage::with(&WITH_LISTENER);
    stage.join("spk", Role::Speaker).unwrap();
    let all = |except: Vec<Role>| Command::MuteAll {
        except,
        lock: false,
    };
    stage.by("co", all(Vec::new())).unwrap();
    assert!(stage.view("host").permits.microphone);
    assert!(stage.view("co").permits.microphone);
    assert!(!stage.view("spk").permits.microphone);
    stage.app(all(vec![Role::Host])).unwrap();
    assert!(stage.view("host").permits.microphone);
    assert!(!stage.view("co").permits.microphone);
    assert!(stage.by("spk", all(Vec::new())).is_err());
}

#[test]
fn asking_to_unmute_is_limited_and_opens_nothing() {
    let mut stage = Stage::with(&WITH_LISTENER);
    let ask = Command::RequestUnmute {
        participant: at("co"),
    };
    assert!(is_wrong_state(&stage.by("host", ask.clone())));
    stage.by("host", mute("co", false)).unwrap();
    stage.by("host", ask.clone()).unwrap();
    assert!(!stage.view("co").permits.microphone);
    stage.advance(Duration::from_secs(9));
    assert!(matches!(
        stage.app(ask.clone()),
        Err(RoomError::TooSoon { retry_after }) if retry_after == Duration::from_secs(1)
    ));
    stage.advance(Duration::from_secs(1));
    assert!(stage.app(ask).is_ok());
}

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
