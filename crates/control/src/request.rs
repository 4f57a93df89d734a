//! Requests as typed commands. A request that passes here can only be refused by the room.

use estrade_directory::{DataMessage, StageFilter};
use estrade_room::Command;
use estrade_types::limits::{DATA_MESSAGE_BYTES_MAX, SPOTLIGHTS_MAX};
use estrade_types::{ParticipantId, Role, RoomId};

use crate::check::{Check, InvalidFields};
use crate::proto;

/// Bytes of a data message's topic.
const TOPIC_BYTES_MAX: usize = 64;

/// Bytes of a page token; ours are far shorter, and a longer one is not ours.
const PAGE_TOKEN_BYTES_MAX: usize = 512;

/// Something to do in a room.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) room: RoomId,
    pub(crate) command: Command,
}

/// Reads the two ids that most requests have, and builds the command from the second.
fn about_one(
    room_id: &str,
    participant_id: &str,
    command: impl FnOnce(ParticipantId) -> Command,
) -> Result<Act, InvalidFields> {
    let mut check = Check::default();
    let room = check.room(room_id);
    let participant = check.participant("participant_id", participant_id);
    match (room, participant) {
        (Some(room), Some(participant)) => Ok(Act {
            room,
            command: command(participant),
        }),
        _ => Err(check.invalid()),
    }
}

/// `TryFrom` for the requests that hold a room and a participant and nothing else.
macro_rules! act_about_one {
    ($($request:ident => $command:ident),+ $(,)?) => {$(
        impl TryFrom<proto::$request> for Act {
            type Error = InvalidFields;

            fn try_from(request: proto::$request) -> Result<Self, InvalidFields> {
                about_one(&request.room_id, &request.participant_id, |participant| {
                    Command::$command { participant }
                })
            }
        }
    )+};
}

act_about_one! {
    DemoteParticipantRequest => Demote,
    RequestUnmuteRequest => RequestUnmute,
    RemoveParticipantRequest => Remove,
    InviteToStageRequest => Invite,
    CancelInviteRequest => CancelInvite,
    ApproveHandRequest => ApproveHand,
    RejectHandRequest => RejectHand,
}

impl TryFrom<proto::PromoteParticipantRequest> for Act {
    type Error = InvalidFields;

    fn try_from(request: proto::PromoteParticipantRequest) -> Result<Self, InvalidFields> {
        let mut check = Check::default();
        let room = check.room(&request.room_id);
        let participant = check.participant("participant_id", &request.participant_id);
        let role = check.promotion(request.role);
        match (room, participant, role) {
            (Some(room), Some(participant), Some(role)) => Ok(Self {
                room,
                command: Command::Promote { participant, role },
            }),
            _ => Err(check.invalid()),
        }
    }
}

impl TryFrom<proto::MuteParticipantRequest> for Act {
    type Error = InvalidFields;

    fn try_from(request: proto::MuteParticipantRequest) -> Result<Self, InvalidFields> {
        let mut check = Check::default();
        let room = check.room(&request.room_id);
        let participant = check.participant("participant_id", &request.participant_id);
        let kind = check.mute_kind(request.kind);
        match (room, participant, kind) {
            (Some(room), Some(participant), Some(kind)) => Ok(Self {
                room,
                command: Command::Mute {
                    participant,
                    kind,
                    lock: request.lock,
                },
            }),
            _ => Err(check.invalid()),
        }
    }
}

impl TryFrom<proto::UnlockParticipantRequest> for Act {
    type Error = InvalidFields;

    fn try_from(request: proto::UnlockParticipantRequest) -> Result<Self, InvalidFields> {
        let mut check = Check::default();
        let room = check.room(&request.room_id);
        let participant = check.participant("participant_id", &request.participant_id);
        let kind = check.mute_kind(request.kind);
        match (room, participant, kind) {
            (Some(room), Some(participant), Some(kind)) => Ok(Self {
                room,
                command: Command::Unlock { participant, kind },
            }),
            _ => Err(check.invalid()),
        }
    }
}

impl TryFrom<proto::MuteAllRequest> for Act {
    type Error = InvalidFields;

    fn try_from(request: proto::MuteAllRequest) -> Result<Self, InvalidFields> {
        let mut check = Check::default();
        let room = check.room(&request.room_id);
        let mut except: Vec<Role> = Vec::new();
        // Four roles, each once: a fifth entry repeats one, so the walk ends early on any list.
        for (index, role) in request.except_roles.into_iter().enumerate() {
            let field = format!("except_roles[{index}]");
            match check.role(&field, role) {
                Some(role) if except.contains(&role) => {
                    check.fail::<()>(&field, "must not repeat a role");
                    break;
                }
                Some(role) => except.push(role),
                None => break,
            }
        }
        match room {
            Some(room) if check.is_clean() => Ok(Self {
                room,
                command: Command::MuteAll {
                    except,
                    lock: request.lock,
                },
            }),
            _ => Err(check.invalid()),
        }
    }
}

impl TryFrom<proto::SpotlightRequest> for Act {
    type Error = InvalidFields;

    fn try_from(request: proto::SpotlightRequest) -> Result<Self, InvalidFields> {
        let mut check = Check::default();
        let room = check.room(&request.room_id);
        let mut participants: Vec<ParticipantId> = Vec::new();
        if request.participant_ids.len() > SPOTLIGHTS_MAX {
            let at_most = format!("must be at most {SPOTLIGHTS_MAX}");
            check.fail::<()>("participant_ids", at_most);
        } else {
            for (index, id) in request.participant_ids.iter().enumerate() {
                let field = format!("participant_ids[{index}]");
                match check.participant(&field, id) {
                    Some(participant) if participants.contains(&participant) => {
                        check.fail::<()>(&field, "must not repeat a participant");
                    }
                    Some(participant) => participants.push(participant),
                    None => {}
                }
            }
        }
        match room {
            Some(room) if check.is_clean() => Ok(Self {
                room,
                command: Command::Spotlight { participants },
            }),
            _ => Err(check.invalid()),
        }
    }
}

/// A room and one of its participants.
#[derive(Debug)]
pub(crate) struct OneParticipant {
    pub(crate) room: RoomId,
    pub(crate) participant: ParticipantId,
}

impl TryFrom<proto::GetParticipantRequest> for OneParticipant {
    type Error = InvalidFields;

    fn try_from(request: proto::GetParticipantRequest) -> Result<Self, InvalidFields> {
        let mut check = Check::default();
        let room = check.room(&request.room_id);
        let participant = check.participant("participant_id", &request.participant_id);
        match (room, participant) {
            (Some(room), Some(participant)) => Ok(Self { room, participant }),
            _ => Err(check.invalid()),
        }
    }
}

/// Reads the one id that a request has.
pub(crate) fn room(room_id: &str) -> Result<RoomId, InvalidFields> {
    let mut check = Check::default();
    check.room(room_id).ok_or_else(|| check.invalid())
}

/// Which page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) size: usize,
    pub(crate) token: Option<String>,
}

impl Page {
    pub(crate) fn read(size: u32, token: String) -> Result<Self, InvalidFields> {
        let mut check = Check::default();
        Self::check(&mut check, size, token).ok_or_else(|| check.invalid())
    }

    fn check(check: &mut Check, size: u32, token: String) -> Option<Self> {
        let size = check.page_size(size);
        if token.len() > PAGE_TOKEN_BYTES_MAX {
            return check.fail("page_token", "must be one that this call gave out");
        }
        Some(Self {
            size: size?,
            token: (!token.is_empty()).then_some(token),
        })
    }
}

/// A page of something in a room.
#[derive(Debug)]
pub(crate) struct PageOfRoom {
    pub(crate) room: RoomId,
    pub(crate) filter: StageFilter,
    pub(crate) page: Page,
}

impl TryFrom<proto::ListParticipantsRequest> for PageOfRoom {
    type Error = InvalidFields;

    fn try_from(request: proto::ListParticipantsRequest) -> Result<Self, InvalidFields> {
        use proto::list_participants_request::Filter;
        let mut check = Check::default();
        let room = check.room(&request.room_id);
        let page = Page::check(&mut check, request.page_size, request.page_token);
        let filter = match Filter::try_from(request.filter) {
            Ok(Filter::Unspecified) => Some(StageFilter::All),
            Ok(Filter::Stage) => Some(StageFilter::Stage),
            Ok(Filter::Audience) => Some(StageFilter::Audience),
            Err(_) => check.fail("filter", "must be one of the enum's values"),
        };
        match (room, page, filter) {
            (Some(room), Some(page), Some(filter)) => Ok(Self { room, filter, page }),
            _ => Err(check.invalid()),
        }
    }
}

impl TryFrom<proto::ListHandsRequest> for PageOfRoom {
    type Error = InvalidFields;

    fn try_from(request: proto::ListHandsRequest) -> Result<Self, InvalidFields> {
        let mut check = Check::default();
        let room = check.room(&request.room_id);
        let page = Page::check(&mut check, request.page_size, request.page_token);
        match (room, page) {
            (Some(room), Some(page)) => Ok(Self {
                room,
                filter: StageFilter::Audience,
                page,
            }),
            _ => Err(check.invalid()),
        }
    }
}

/// A data message to a room or to one participant.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) room: RoomId,
    pub(crate) to: Option<ParticipantId>,
    pub(crate) message: DataMessage,
}

impl TryFrom<proto::SendDataRequest> for Data {
    type Error = InvalidFields;

    fn try_from(request: proto::SendDataRequest) -> Result<Self, InvalidFields> {
        let mut check = Check::default();
        let room = check.room(&request.room_id);
        let to = if request.participant_id.is_empty() {
            None
        } else {
            check.participant("participant_id", &request.participant_id)
        };
        if request.topic.is_empty() || request.topic.len() > TOPIC_BYTES_MAX {
            check.fail::<()>("topic", format!("must be 1 to {TOPIC_BYTES_MAX} bytes"));
        }
        if request.payload.len() > DATA_MESSAGE_BYTES_MAX {
            let at_most = format!("must be at most {DATA_MESSAGE_BYTES_MAX} bytes");
            check.fail::<()>("payload", at_most);
        }
        match room {
            Some(room) if check.is_clean() => Ok(Self {
                room,
                to,
                message: DataMessage {
                    from: None,
                    topic: request.topic,
                    payload: request.payload,
                },
            }),
            _ => Err(check.invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(invalid: &InvalidFields) -> Vec<&str> {
        let violations = invalid.violations().iter();
        violations.map(|v| v.field.as_str()).collect()
    }

    #[test]
    fn a_mute_must_say_whom_and_what() {
        let request = proto::MuteParticipantRequest {
            room_id: "hall".into(),
            ..Default::default()
        };
        let invalid = Act::try_from(request).unwrap_err();
        assert_eq!(fields(&invalid), ["participant_id", "kind"]);
    }

    #[test]
    fn a_promotion_is_to_speaker_unless_said_and_never_to_host() {
        let mut request = proto::PromoteParticipantRequest {
            room_id: "hall".into(),
            participant_id: "ana".into(),
            role: 0,
        };
        let act = Act::try_from(request.clone()).unwrap();
        assert!(matches!(
            act.command,
            Command::Promote {
                role: Role::Speaker,
                ..
            }
        ));
        request.role = proto::Role::Host.into();
        assert_eq!(fields(&Act::try_from(request).unwrap_err()), ["role"]);
    }

    #[test]
    fn a_spotlight_is_bounded_and_has_no_repeats() {
        let spotlight = |ids: Vec<String>| {
            Act::try_from(proto::SpotlightRequest {
                room_id: "hall".into(),
                participant_ids: ids,
            })
        };
        assert!(spotlight(Vec::new()).is_ok());
        let repeated = spotlight(vec!["ana".into(), "ben".into(), "ana".into()]).unwrap_err();
        assert_eq!(fields(&repeated), ["participant_ids[2]"]);
        let many = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(fields(&spotlight(many).unwrap_err()), ["participant_ids"]);
    }

    #[test]
    fn excepted_roles_are_roles_and_have_no_repeats() {
        let mute_all = |except_roles: Vec<i32>| {
            Act::try_from(proto::MuteAllRequest {
                room_id: "hall".into(),
                except_roles,
                lock: false,
            })
        };
        assert!(mute_all(vec![1, 2, 3, 4]).is_ok());
        assert_eq!(
            fields(&mute_all(vec![1, 0]).unwrap_err()),
            ["except_roles[1]"]
        );
        assert_eq!(fields(&mute_all(vec![7]).unwrap_err()), ["except_roles[0]"]);
        let flood = mute_all(vec![1; 10_000]).unwrap_err();
        assert_eq!(fields(&flood), ["except_roles[1]"]);
    }

    #[test]
    fn a_page_has_a_size_and_an_empty_token_is_the_first() {
        let page = Page::read(0, String::new()).unwrap();
        assert_eq!((page.size, page.token), (50, None));
        let both = Page::read(1_001, "x".repeat(513)).unwrap_err();
        assert_eq!(fields(&both), ["page_size", "page_token"]);
    }

    #[test]
    fn a_data_message_has_a_topic_and_is_bounded() {
        let data = |topic: &str, payload: String| {
            Data::try_from(proto::SendDataRequest {
                room_id: "hall".into(),
                participant_id: String::new(),
                topic: topic.into(),
                payload,
            })
        };
        assert_eq!(data("chat", "hello".into()).unwrap().to, None);
        let invalid = data("", "x".repeat(DATA_MESSAGE_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(fields(&invalid), ["topic", "payload"]);
    }
}
