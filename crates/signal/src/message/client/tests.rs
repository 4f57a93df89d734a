use super::*;

fn act(text: &str) -> Act {
    ClientMessage::parse(text).unwrap().act
}

fn code(text: &str) -> (Option<u64>, &'static str) {
    let error = ClientMessage::parse(text).unwrap_err();
    (error.id, error.code)
}

fn ada() -> ParticipantId {
    ParticipantId::new("ada").unwrap()
}

#[test]
fn every_known_type_is_of_the_wire_form_and_the_other_way_round() {
    for kind in TYPES {
        let error = serde_json::from_value::<Wire>(serde_json::json!({ "type": kind })).err();
        let is_unknown = error.is_some_and(|error| error.to_string().contains("unknown variant"));
        assert!(!is_unknown, "{kind}");
    }
    let error = serde_json::from_str::<Wire>(r#"{"type":"?"}"#).unwrap_err();
    assert_eq!(error.to_string().matches('`').count() / 2, TYPES.len() + 1);
}

#[test]
fn messages_become_typed_acts() {
    let table = [
        (
            r#"{"type":"selfMute","kind":"audio","muted":true}"#,
            Act::Room(Command::SelfMute {
                kind: MuteKind::Audio,
                muted: true,
            }),
        ),
        (
            r#"{"type":"mute","participant":"ada","kind":"video","lock":true,"new":1}"#,
            Act::Room(Command::Mute {
                participant: ada(),
                kind: MuteKind::Video,
                lock: true,
            }),
        ),
        (
            r#"{"type":"muteAll","exceptRoles":["host"]}"#,
            Act::Room(Command::MuteAll {
                except: vec![Role::Host],
                lock: false,
            }),
        ),
        (
            r#"{"type":"promote","participant":"ada","role":"cohost"}"#,
            Act::Room(Command::Promote {
                participant: ada(),
                role: Role::Cohost,
            }),
        ),
        (
            r#"{"type":"remove","participant":"ada"}"#,
            Act::Room(Command::Remove { participant: ada() }),
        ),
        (
            r#"{"type":"pin","participant":null}"#,
            Act::Pin { participant: None },
        ),
        (
            r#"{"type":"data","topic":"chat","payload":"hi"}"#,
            Act::Data {
                to: None,
                topic: "chat".to_owned(),
                payload: "hi".to_owned(),
            },
        ),
        (
            r#"{"type":"listParticipants","filter":"all","pageToken":"p"}"#,
            Act::List {
                filter: StageFilter::All,
                page_token: Some("p".to_owned()),
            },
        ),
        (r#"{"type":"ping"}"#, Act::Ping),
    ];
    for (text, expected) in table {
        assert_eq!(act(text), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_id() {
    assert_eq!(code("nonsense"), (None, "invalid_message"));
    assert_eq!(code("[1]"), (None, "invalid_message"));
    assert_eq!(code(r#"{"id":4}"#), (Some(4), "invalid_message"));
    assert_eq!(code(r#"{"type":"fly","id":4}"#), (Some(4), "unknown_type"));
    assert_eq!(
        code(r#"{"type":"offer","id":4}"#),
        (Some(4), "invalid_message")
    );
    for text in [
        r#"{"type":"mute","id":4,"participant":"","kind":"audio"}"#,
        r#"{"type":"mute","id":4,"participant":"ada","kind":"smell"}"#,
        r#"{"type":"promote","id":4,"participant":"ada","role":"king"}"#,
        r#"{"type":"listParticipants","id":4,"filter":"some"}"#,
        r#"{"type":"spotlight","id":4,"participants":["a","b","c","d","e","f","g","h","i","j"]}"#,
    ] {
        assert_eq!(code(text), (Some(4), "invalid_field"), "{text}");
    }
    let long = format!(
        r#"{{"type":"data","id":4,"topic":"t","payload":"{}"}}"#,
        "x".repeat(limits::DATA_MESSAGE_BYTES_MAX + 1)
    );
    assert_eq!(code(&long), (Some(4), "invalid_field"));
}
