//! What a client is told when something is refused: a status, a stable code, and what to do next.

use std::fmt::Display;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use estrade_directory::DirectoryError;
use estrade_room::RoomError;
use estrade_telemetry::JoinOutcome;
use estrade_types::CommandRefused;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::TokenError;

/// A refusal. Codes are stable; messages are for people and may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// After how long asking again may be granted, where that is known.
    pub(crate) retry_after: Option<Duration>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    /// Milliseconds to wait before asking again, rounded up: no sooner than it may be granted.
    pub(crate) fn retry_after_ms(&self) -> Option<u64> {
        let wait = self.retry_after?.as_micros().div_ceil(1_000);
        Some(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    /// The `Retry-After` field, in whole seconds (RFC 9110 §10.2.3), where there is one to give.
    fn retry_after_s(&self) -> Option<HeaderValue> {
        match self.retry_after_ms() {
            Some(wait) => Some(wait.div_ceil(1_000).max(1).into()),
            None if self.status == StatusCode::SERVICE_UNAVAILABLE => Some(2.into()),
            None => None,
        }
    }

    /// An error of ours, named after what failed and what the client can do.
    fn told(status: StatusCode, code: &'static str, error: &dyn Display, advice: &str) -> Self {
        let mut message = error.to_string();
        if let Some(first) = message.get(..1).map(str::to_ascii_uppercase) {
            message.replace_range(..1, &first);
        }
        let space = if advice.is_empty() { "" } else { " " };
        Self::new(status, code, format!("{message}.{space}{advice}"))
    }

    pub(crate) fn not_found() -> Self {
        let message = "There is nothing here. See docs/api for the paths.";
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn unknown_session() -> Self {
        let message = "There is no such session, or it is over. Make a new one by POST.";
        Self::new(StatusCode::NOT_FOUND, "unknown_session", message)
    }

    pub(crate) fn too_large() -> Self {
        let message = "The body is larger than 64 KiB. Offer fewer sections.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub(crate) fn busy() -> Self {
        let message = "The server holds as many sessions as it may. Try again later or elsewhere.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// How a join that failed so is counted.
    pub(crate) fn join_outcome(&self) -> JoinOutcome {
        match self.code {
            "token_expired" => JoinOutcome::TokenExpired,
            "token_wrong_room" | "token_role" | "token_revoked" => JoinOutcome::TokenRefused,
            code if code.starts_with("token_") => JoinOutcome::TokenInvalid,
            "unknown_room" | "room_ended" => JoinOutcome::RoomUnknown,
            "room_full" | "stage_full" => JoinOutcome::Full,
            "invalid_offer" | "too_large" | "unsupported_media_type" => JoinOutcome::OfferInvalid,
            "unavailable" | "timed_out" | "internal" => JoinOutcome::Unavailable,
            _ => JoinOutcome::Refused,
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let status = match error {
            TokenError::WrongRoom | TokenError::Role | TokenError::WrongSession => {
                StatusCode::FORBIDDEN
            }
            _ => StatusCode::UNAUTHORIZED,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<DirectoryError> for ApiError {
    fn from(error: DirectoryError) -> Self {
        const AGAIN: &str = "Try again later, or elsewhere.";
        let (status, code, advice) = match &error {
            DirectoryError::Room(error) => return Self::from(error.clone()),
            DirectoryError::UnknownRoom(_) => (
                StatusCode::NOT_FOUND,
                "unknown_room",
                "The app creates rooms; check the name.",
            ),
            DirectoryError::RoomExists(_) => (StatusCode::CONFLICT, "room_exists", ""),
            DirectoryError::UnknownSession => return Self::unknown_session(),
            DirectoryError::Offer(_) => (
                StatusCode::BAD_REQUEST,
                "invalid_offer",
                "See docs/api for what an offer needs.",
            ),
            DirectoryError::AlreadyNegotiated => (
                StatusCode::CONFLICT,
                "already_negotiated",
                "There is one offer per session.",
            ),
            DirectoryError::InvalidPageToken => (
                StatusCode::BAD_REQUEST,
                "invalid_field",
                "Start again without a page token.",
            ),
            DirectoryError::Shard(CommandRefused::Full | CommandRefused::Closing)
            | DirectoryError::Unavailable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", AGAIN)
            }
            DirectoryError::TimedOut => (
                StatusCode::GATEWAY_TIMEOUT,
                "timed_out",
                "Read the state before trying again.",
            ),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal", AGAIN),
        };
        Self::told(status, code, &error, advice)
    }
}

impl From<RoomError> for ApiError {
    fn from(error: RoomError) -> Self {
        let (status, code, advice) = match &error {
            RoomError::Ended => (StatusCode::NOT_FOUND, "room_ended", ""),
            RoomError::Full { .. } => (StatusCode::SERVICE_UNAVAILABLE, "room_full", ""),
            RoomError::StageFull { .. } => (
                StatusCode::CONFLICT,
                "stage_full",
                "Somebody has to leave the stage first.",
            ),
            RoomError::HostPresent => (
                StatusCode::CONFLICT,
                "host_present",
                "Come in with another role.",
            ),
            RoomError::UnknownParticipant => (StatusCode::NOT_FOUND, "unknown_participant", ""),
            RoomError::NotAllowed { .. } => (StatusCode::FORBIDDEN, "not_allowed", ""),
            RoomError::WrongState { .. } => (StatusCode::CONFLICT, "wrong_state", ""),
            RoomError::Locked => (
                StatusCode::FORBIDDEN,
                "locked",
                "Ask a moderator to unlock it.",
            ),
            RoomError::TooSoon { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_soon", ""),
            RoomError::HandsFull => (StatusCode::CONFLICT, "hands_full", "Try again later."),
            RoomError::HandsOff => (StatusCode::FORBIDDEN, "hands_off", ""),
            RoomError::TokenRevoked => (
                StatusCode::FORBIDDEN,
                "token_revoked",
                "Ask your app for a new one.",
            ),
            RoomError::InvalidField { .. } => (StatusCode::BAD_REQUEST, "invalid_field", ""),
            _ => (StatusCode::CONFLICT, "refused", ""),
        };
        let retry_after = match error {
            RoomError::TooSoon { retry_after } => Some(retry_after),
            _ => None,
        };
        Self {
            retry_after,
            ..Self::told(status, code, &error, advice)
        }
    }
}

#[derive(Serialize)]
struct Body {
    error: BodyError,
}

#[derive(Serialize)]
struct BodyError {
    code: &'static str,
    message: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after = self.retry_after_s();
        let body = Body {
            error: BodyError {
                code: self.code,
                message: self.message,
            },
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1 wants it on every 401, RFC 6750 §3 says how.
            let challenge = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(retry_after) = retry_after {
            headers.insert(header::RETRY_AFTER, retry_after);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use estrade_types::RoomId;

    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_what_to_do() {
        let error = ApiError::from(DirectoryError::UnknownRoom(RoomId::new("hall").unwrap()));
        assert_eq!(error.status, StatusCode::NOT_FOUND);
        assert_eq!(
            error.message,
            "No room \"hall\" is open here. The app creates rooms; check the name."
        );
        let error = ApiError::from(DirectoryError::Room(RoomError::HandsOff));
        assert_eq!(error.message, "Hands are switched off in this room.");
    }

    #[test]
    fn a_refusal_for_now_says_when_to_come_again() {
        let retry_after = Duration::from_micros(1_200_500);
        let error = ApiError::from(RoomError::TooSoon { retry_after });
        assert_eq!(error.retry_after_ms(), Some(1_201));
        let response = error.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        let response = ApiError::busy().into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        let response = ApiError::not_found().into_response();
        assert!(!response.headers().contains_key(header::RETRY_AFTER));
    }
}
