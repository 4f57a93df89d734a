//! Who may do what to whom. `product.md` §4.1, for host, co-host, speaker and listener.

use estrade_types::{ParticipantId, Role};

use super::{Room, Turn};
use crate::{Actor, RoomError};

/// An act on the room or on another participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Invite, approve, reject, cancel.
    Admit,
    Demote,
    /// Mute, lock, unlock, ask to unmute.
    Mute,
    Remove,
    AppointCohost,
    Spotlight,
    End,
}

impl Act {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "bring others on stage",
            Self::Demote => "take this participant off the stage",
            Self::Mute => "mute this participant",
            Self::Remove => "remove this participant",
            Self::AppointCohost => "appoint co-hosts",
            Self::Spotlight => "set the spotlight",
            Self::End => "end the room",
        }
    }

    const fn refused(self) -> RoomError {
        RoomError::NotAllowed { act: self.as_str() }
    }
}

impl Room {
    /// Whether the actor may do `act`, to somebody of role `target` where it has one.
    pub(super) fn check_right(
        &self,
        turn: &Turn<'_>,
        act: Act,
        target: Option<Role>,
    ) -> Result<(), RoomError> {
        let Actor::Participant(id) = turn.actor else {
            return Ok(()); // The app stands above all roles, and the server above the app.
        };
        let role = self.person(id)?.role;
        let allowed = self.settings.client_moderation
            && match (role, act) {
                (Role::Host, Act::Demote | Act::Remove) => target != Some(Role::Host),
                (Role::Host, _) => true,
                (Role::Cohost, Act::Admit | Act::Spotlight) => true,
                (Role::Cohost, Act::Mute) => target != Some(Role::Host),
                (Role::Cohost, Act::Demote | Act::Remove) => {
                    !matches!(target, Some(Role::Host | Role::Cohost))
                }
                (Role::Cohost, Act::AppointCohost | Act::End) => false,
                (Role::Speaker | Role::Listener, _) => false,
            };
        if allowed { Ok(()) } else { Err(act.refused()) }
    }

    /// The actor as a participant, for what only a participant can do.
    pub(super) fn acting_participant(
        turn: &Turn<'_>,
        act: &'static str,
    ) -> Result<ParticipantId, RoomError> {
        match turn.actor {
            Actor::Participant(id) => Ok(id.clone()),
            Actor::App | Actor::Server => Err(RoomError::NotAllowed { act }),
        }
    }
}
