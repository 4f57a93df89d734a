//! Ways to the stage and off it, and their races. `product.md` §4.2.

use super::*;

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
        participant: pid("lis"),
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
