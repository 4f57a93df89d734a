//! Coming in: seats, roles, replacement, removal.

use super::*;

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
