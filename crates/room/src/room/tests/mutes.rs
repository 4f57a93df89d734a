//! Mutes and locks. `product.md` §4.3.

use super::*;

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
        participant: pid("co"),
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
        participant: pid("co"),
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
