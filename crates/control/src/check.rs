//! Checks of single fields; failures are gathered so that one answer names them all.

use std::time::Duration;

use estrade_room::MuteKind;
use estrade_types::{ParticipantId, Role, RoomId};

use crate::proto;

/// One failing field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Its path in the request, as in the contract.
    pub(crate) field: String,
    /// What it must be.
    pub(crate) description: String,
}

/// Failing fields of a request, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidFields(Vec<Violation>);

impl InvalidFields {
    pub(crate) fn one(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self(vec![Violation {
            field: field.into(),
            description: description.into(),
        }])
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.0
    }
}

/// Gathers failures while a request is read. Each check gives the typed value, or notes the field
/// and gives `None`.
#[derive(Debug, Default)]
pub(crate) struct Check(Vec<Violation>);

/// Entries in a page when the caller does not say.
const PAGE_SIZE_DEFAULT: usize = 50;

/// Entries in a page at most: a thousand participants with attributes are some hundred kilobytes.
const PAGE_SIZE_MAX: u32 = 1_000;

/// Bytes of an idempotency key; a UUID has 36.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

impl Check {
    /// Notes a failing field.
    pub(crate) fn fail<T>(&mut self, field: &str, description: impl Into<String>) -> Option<T> {
        self.0.push(Violation {
            field: field.to_owned(),
            description: description.into(),
        });
        None
    }

    /// What failed. Called where a check gave `None`, so something did.
    pub(crate) fn invalid(self) -> InvalidFields {
        InvalidFields(self.0)
    }

    /// Whether every check so far passed.
    pub(crate) fn is_clean(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn room(&mut self, room_id: &str) -> Option<RoomId> {
        match RoomId::new(room_id) {
            Ok(room) => Some(room),
            Err(error) => self.fail("room_id", error.to_string()),
        }
    }

    pub(crate) fn participant(&mut self, field: &str, id: &str) -> Option<ParticipantId> {
        match ParticipantId::new(id) {
            Ok(participant) => Some(participant),
            Err(error) => self.fail(field, error.to_string()),
        }
    }

    pub(crate) fn role(&mut self, field: &str, role: i32) -> Option<Role> {
        match proto::Role::try_from(role) {
            Ok(proto::Role::Host) => Some(Role::Host),
            Ok(proto::Role::Cohost) => Some(Role::Cohost),
            Ok(proto::Role::Speaker) => Some(Role::Speaker),
            Ok(proto::Role::Listener) => Some(Role::Listener),
            Ok(proto::Role::Unspecified) | Err(_) => self.fail(field, "must be a role"),
        }
    }

    /// A role to promote to: speaker when not said.
    pub(crate) fn promotion(&mut self, role: i32) -> Option<Role> {
        match proto::Role::try_from(role) {
            Ok(proto::Role::Unspecified | proto::Role::Speaker) => Some(Role::Speaker),
            Ok(proto::Role::Cohost) => Some(Role::Cohost),
            _ => self.fail("role", "must be ROLE_SPEAKER or ROLE_COHOST"),
        }
    }

    pub(crate) fn mute_kind(&mut self, kind: i32) -> Option<MuteKind> {
        match proto::MuteKind::try_from(kind) {
            Ok(proto::MuteKind::Audio) => Some(MuteKind::Audio),
            Ok(proto::MuteKind::Video) => Some(MuteKind::Video),
            _ => self.fail("kind", "must be MUTE_KIND_AUDIO or MUTE_KIND_VIDEO"),
        }
    }

    pub(crate) fn page_size(&mut self, page_size: u32) -> Option<usize> {
        match page_size {
            0 => Some(PAGE_SIZE_DEFAULT),
            1..=PAGE_SIZE_MAX => usize::try_from(page_size).ok(),
            _ => self.fail("page_size", format!("must be at most {PAGE_SIZE_MAX}")),
        }
    }

    /// An idempotency key; empty is none.
    pub(crate) fn idempotency_key(&mut self, key: String) -> Option<Option<String>> {
        if key.is_empty() {
            return Some(None);
        }
        if key.len() > IDEMPOTENCY_KEY_BYTES_MAX || key.chars().any(char::is_control) {
            return self.fail(
                "idempotency_key",
                format!(
                    "must be at most {IDEMPOTENCY_KEY_BYTES_MAX} bytes without control characters"
                ),
            );
        }
        Some(Some(key))
    }

    /// A duration that is not negative and well formed; its range is checked with the others.
    pub(crate) fn duration(
        &mut self,
        field: &str,
        duration: prost_types::Duration,
    ) -> Option<Duration> {
        match Duration::try_from(duration) {
            Ok(duration) => Some(duration),
            Err(_) => self.fail(field, "must be a duration that is not negative"),
        }
    }
}
