//! Errors as google.rpc.Status: a code, a sentence, a stable reason, and the failing fields.

use std::collections::HashMap;

use estrade_directory::DirectoryError;
use estrade_room::RoomError;
use estrade_types::CommandRefused;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::check::InvalidFields;

/// The `domain` of every ErrorInfo.
const DOMAIN: &str = "estrade.v1";

/// The `reason` of an ErrorInfo: part of the contract, named in `room_service.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    MissingApiKey,
    InvalidApiKey,
    InvalidField,
    RoomNotFound,
    RoomEnded,
    RoomExists,
    RoomFull,
    NodeFull,
    ParticipantNotFound,
    StageFull,
    HostPresent,
    NotAllowed,
    WrongState,
    MuteLocked,
    TooSoon,
    HandsFull,
    HandsOff,
    EventsGone,
    Unavailable,
    TimedOut,
    Internal,
}

impl Reason {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::MissingApiKey => "MISSING_API_KEY",
            Self::InvalidApiKey => "INVALID_API_KEY",
            Self::InvalidField => "INVALID_FIELD",
            Self::RoomNotFound => "ROOM_NOT_FOUND",
            Self::RoomEnded => "ROOM_ENDED",
            Self::RoomExists => "ROOM_EXISTS",
            Self::RoomFull => "ROOM_FULL",
            Self::NodeFull => "NODE_FULL",
            Self::ParticipantNotFound => "PARTICIPANT_NOT_FOUND",
            Self::StageFull => "STAGE_FULL",
            Self::HostPresent => "HOST_PRESENT",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::WrongState => "WRONG_STATE",
            Self::MuteLocked => "MUTE_LOCKED",
            Self::TooSoon => "TOO_SOON",
            Self::HandsFull => "HANDS_FULL",
            Self::HandsOff => "HANDS_OFF",
            Self::EventsGone => "EVENTS_GONE",
            Self::Unavailable => "UNAVAILABLE",
            Self::TimedOut => "TIMED_OUT",
            Self::Internal => "INTERNAL",
        }
    }
}

/// An error with its reason.
pub(crate) fn status(code: Code, reason: Reason, message: impl Into<String>) -> Status {
    Status::with_error_details(code, message, info(reason, HashMap::new()))
}

fn info(reason: Reason, metadata: HashMap<String, String>) -> ErrorDetails {
    ErrorDetails::with_error_info(reason.as_str(), DOMAIN, metadata)
}

fn with_fact(code: Code, reason: Reason, message: String, name: &str, value: String) -> Status {
    let metadata = HashMap::from([(name.to_owned(), value)]);
    Status::with_error_details(code, message, info(reason, metadata))
}

impl From<InvalidFields> for Status {
    fn from(invalid: InvalidFields) -> Self {
        let mut details = info(Reason::InvalidField, HashMap::new());
        let mut message = String::new();
        for violation in invalid.violations() {
            if !message.is_empty() {
                message.push_str("; ");
            }
            message.push_str(&violation.field);
            message.push_str(": ");
            message.push_str(&violation.description);
            details.add_bad_request_violation(&violation.field, &violation.description);
        }
        Self::with_error_details(Code::InvalidArgument, message, details)
    }
}

/// A call that reached its deadline, or the server's.
pub(crate) fn timed_out() -> Status {
    status(
        Code::DeadlineExceeded,
        Reason::TimedOut,
        "the call reached its deadline; it may or may not have taken effect",
    )
}

/// What a directory's refusal means to a caller.
pub(crate) fn refused(error: &DirectoryError) -> Status {
    let message = error.to_string();
    match error {
        DirectoryError::UnknownRoom(room) => with_fact(
            Code::NotFound,
            Reason::RoomNotFound,
            message,
            "room_id",
            room.to_string(),
        ),
        DirectoryError::RoomExists(room) => with_fact(
            Code::AlreadyExists,
            Reason::RoomExists,
            message,
            "room_id",
            room.to_string(),
        ),
        DirectoryError::Room(error) => refused_by_room(error),
        DirectoryError::InvalidPageToken => {
            InvalidFields::one("page_token", "must be one that this call gave out").into()
        }
        DirectoryError::Shard(refused) => refused_by_shard(*refused, message),
        DirectoryError::Unavailable { .. } => {
            status(Code::Unavailable, Reason::Unavailable, message)
        }
        DirectoryError::TimedOut => timed_out(),
        DirectoryError::EventsGone { oldest } => with_fact(
            Code::OutOfRange,
            Reason::EventsGone,
            message,
            "oldest",
            oldest.to_string(),
        ),
        // Sessions and offers belong to clients: no call here should meet these.
        _ => status(Code::Internal, Reason::Internal, message),
    }
}

fn refused_by_shard(refused: CommandRefused, message: String) -> Status {
    match refused {
        CommandRefused::Full => status(Code::ResourceExhausted, Reason::NodeFull, message),
        CommandRefused::Closing => status(Code::Unavailable, Reason::Unavailable, message),
        _ => status(Code::Internal, Reason::Internal, message),
    }
}

fn refused_by_room(error: &RoomError) -> Status {
    let message = error.to_string();
    let precondition = |reason| status(Code::FailedPrecondition, reason, error.to_string());
    match error {
        RoomError::Ended => precondition(Reason::RoomEnded),
        RoomError::Full { max } => with_fact(
            Code::ResourceExhausted,
            Reason::RoomFull,
            message,
            "max",
            max.to_string(),
        ),
        RoomError::StageFull { max } => with_fact(
            Code::FailedPrecondition,
            Reason::StageFull,
            message,
            "max",
            max.to_string(),
        ),
        RoomError::HostPresent => precondition(Reason::HostPresent),
        RoomError::UnknownParticipant => {
            status(Code::NotFound, Reason::ParticipantNotFound, message)
        }
        RoomError::NotAllowed { .. } => status(Code::PermissionDenied, Reason::NotAllowed, message),
        RoomError::WrongState { needs } => with_fact(
            Code::FailedPrecondition,
            Reason::WrongState,
            message,
            "needs",
            (*needs).to_owned(),
        ),
        RoomError::Locked => precondition(Reason::MuteLocked),
        RoomError::TooSoon { retry_after } => {
            let mut details = info(Reason::TooSoon, HashMap::new());
            details.set_retry_info(Some(*retry_after));
            Status::with_error_details(Code::ResourceExhausted, message, details)
        }
        RoomError::HandsFull => status(Code::ResourceExhausted, Reason::HandsFull, message),
        RoomError::HandsOff => precondition(Reason::HandsOff),
        RoomError::InvalidField { field, allowed } => {
            InvalidFields::one(*field, format!("must be {allowed}")).into()
        }
        _ => status(Code::Internal, Reason::Internal, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use estrade_types::RoomId;

    #[test]
    fn an_unknown_room_is_not_found_and_named() {
        let room = RoomId::new("hall").unwrap();
        let status = refused(&DirectoryError::UnknownRoom(room));
        assert_eq!(status.code(), Code::NotFound);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.reason, "ROOM_NOT_FOUND");
        assert_eq!(info.domain, "estrade.v1");
        assert_eq!(info.metadata["room_id"], "hall");
    }

    #[test]
    fn every_failing_field_is_named() {
        let mut check = crate::check::Check::default();
        assert!(check.room("").is_none());
        assert!(check.participant("participant_id", "a\nb").is_none());
        let status = Status::from(check.invalid());
        let violations = status.get_details_bad_request().unwrap().field_violations;
        let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["room_id", "participant_id"]);
        assert_eq!(
            status.get_details_error_info().unwrap().reason,
            "INVALID_FIELD"
        );
    }

    #[test]
    fn a_hasty_caller_is_told_how_long_to_wait() {
        let error = RoomError::TooSoon {
            retry_after: Duration::from_secs(3),
        };
        let status = refused(&DirectoryError::Room(error));
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(
            status.get_details_retry_info().unwrap().retry_delay,
            Some(Duration::from_secs(3))
        );
    }
}
