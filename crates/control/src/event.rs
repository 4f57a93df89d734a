//! Events as the contract shows them.

use estrade_room::{Actor, Event, EventKind, HandClosed, MuteKind, StageLeft};
use estrade_types::{CloseReason, ProgrammeReason};

use crate::answer::{ids, optional_id, programme, role, source, timestamp};
use crate::proto;
use crate::proto::event::Kind;

impl From<Event> for proto::Event {
    fn from(event: Event) -> Self {
        Self {
            number: event.number,
            time: Some(timestamp(event.unix_ms)),
            actor: Some(event.actor.into()),
            kind: kind(event.kind),
        }
    }
}

impl From<Actor> for proto::Actor {
    fn from(actor: Actor) -> Self {
        let (kind, participant_id) = match actor {
            Actor::App => (proto::actor::Kind::App, String::new()),
            Actor::Participant(id) => (proto::actor::Kind::Participant, id.to_string()),
            Actor::Server => (proto::actor::Kind::Server, String::new()),
        };
        Self {
            kind: kind.into(),
            participant_id,
        }
    }
}

/// `None` for a kind that this contract does not have: the number is told all the same.
fn kind(kind: EventKind) -> Option<Kind> {
    stage_kind(&kind).or_else(|| room_kind(kind))
}

/// Kinds about the stage: seats, hands, invitations, mutes.
fn stage_kind(kind: &EventKind) -> Option<Kind> {
    Some(match kind {
        EventKind::RoleChanged {
            participant,
            role: to,
        } => Kind::RoleChanged(proto::RoleChanged {
            participant_id: participant.to_string(),
            role: role(*to).into(),
        }),
        EventKind::StageJoined {
            participant,
            role: joined_as,
            ..
        } => Kind::StageJoined(proto::StageJoined {
            participant_id: participant.to_string(),
            role: role(*joined_as).into(),
        }),
        EventKind::StageLeft { participant, how } => Kind::StageLeft(proto::StageLeft {
            participant_id: participant.to_string(),
            how: stage_left(*how).into(),
        }),
        EventKind::MuteChanged {
            participant,
            kind,
            self_muted,
            server_muted,
            locked,
        } => Kind::MuteChanged(proto::MuteChanged {
            participant_id: participant.to_string(),
            kind: mute_kind(*kind).into(),
            mute: Some(proto::Mute {
                self_muted: *self_muted,
                server_muted: *server_muted,
                locked: *locked,
            }),
        }),
        EventKind::UnmuteRequested { participant } => {
            Kind::UnmuteRequested(proto::UnmuteRequested {
                participant_id: participant.to_string(),
            })
        }
        EventKind::HandRaised { participant, order } => Kind::HandRaised(proto::HandRaised {
            participant_id: participant.to_string(),
            order: *order,
        }),
        EventKind::HandLowered { participant, how } => Kind::HandLowered(proto::HandLowered {
            participant_id: participant.to_string(),
            how: hand_closed(*how).into(),
        }),
        EventKind::StageInvited { participant } => Kind::StageInvited(proto::StageInvited {
            participant_id: participant.to_string(),
        }),
        EventKind::InviteClosed {
            participant,
            accepted,
        } => Kind::InviteClosed(proto::InviteClosed {
            participant_id: participant.to_string(),
            accepted: *accepted,
        }),
        _ => return None,
    })
}

/// Kinds about the room, its participants' connections and the media.
fn room_kind(kind: EventKind) -> Option<Kind> {
    Some(match kind {
        EventKind::RoomCreated => Kind::RoomCreated(proto::RoomCreated {}),
        EventKind::RoomEnded { reason } => Kind::RoomEnded(proto::RoomEnded {
            reason: close_reason(reason).into(),
        }),
        EventKind::ParticipantJoined { participant } => {
            Kind::ParticipantJoined(proto::ParticipantJoined {
                participant: Some(participant.into()),
            })
        }
        EventKind::ParticipantLeft {
            participant,
            reason,
        } => Kind::ParticipantLeft(proto::ParticipantLeft {
            participant_id: participant.to_string(),
            reason: close_reason(reason).into(),
        }),
        EventKind::ConnectionChanged {
            participant,
            is_connected,
        } => Kind::ConnectionChanged(proto::ConnectionChanged {
            participant_id: participant.to_string(),
            connected: is_connected,
        }),
        EventKind::SourceChanged {
            participant,
            source: changed,
            is_active,
        } => Kind::SourceChanged(proto::SourceChanged {
            participant_id: participant.to_string(),
            source: source(changed).into(),
            active: is_active,
        }),
        EventKind::ActiveSpeakerChanged { participant } => {
            Kind::ActiveSpeakerChanged(proto::ActiveSpeakerChanged {
                participant_id: optional_id(participant),
            })
        }
        EventKind::ProgrammeChanged { source, reason } => {
            Kind::ProgrammeChanged(proto::ProgrammeChanged {
                programme: source.map(programme),
                reason: programme_reason(reason).into(),
            })
        }
        EventKind::SpotlightChanged { participants } => {
            Kind::SpotlightChanged(proto::SpotlightChanged {
                participant_ids: ids(participants),
            })
        }
        _ => return None,
    })
}

const fn mute_kind(kind: MuteKind) -> proto::MuteKind {
    match kind {
        MuteKind::Audio => proto::MuteKind::Audio,
        MuteKind::Video => proto::MuteKind::Video,
    }
}

const fn stage_left(how: StageLeft) -> proto::stage_left::How {
    match how {
        StageLeft::Demoted => proto::stage_left::How::Demoted,
        StageLeft::SteppedDown => proto::stage_left::How::SteppedDown,
        StageLeft::Gone => proto::stage_left::How::Gone,
    }
}

const fn hand_closed(how: HandClosed) -> proto::hand_lowered::How {
    match how {
        HandClosed::Lowered => proto::hand_lowered::How::Lowered,
        HandClosed::Approved => proto::hand_lowered::How::Approved,
        HandClosed::Rejected => proto::hand_lowered::How::Rejected,
    }
}

const fn close_reason(reason: CloseReason) -> proto::CloseReason {
    match reason {
        CloseReason::Left => proto::CloseReason::Left,
        CloseReason::Removed => proto::CloseReason::Removed,
        CloseReason::RoomEnded => proto::CloseReason::RoomEnded,
        CloseReason::Replaced => proto::CloseReason::Replaced,
        CloseReason::ConnectTimeout => proto::CloseReason::ConnectTimeout,
        CloseReason::ConsentExpired => proto::CloseReason::ConsentExpired,
        CloseReason::HandshakeFailed => proto::CloseReason::HandshakeFailed,
        CloseReason::ClosedByEndpoint => proto::CloseReason::ClosedByEndpoint,
        CloseReason::ServerShutdown => proto::CloseReason::ServerShutdown,
        CloseReason::InternalError => proto::CloseReason::InternalError,
        _ => proto::CloseReason::Unspecified,
    }
}

const fn programme_reason(reason: ProgrammeReason) -> proto::programme_changed::Reason {
    use proto::programme_changed::Reason;
    match reason {
        ProgrammeReason::Speaker => Reason::Speaker,
        ProgrammeReason::First => Reason::First,
        ProgrammeReason::OwnerGone => Reason::OwnerGone,
        ProgrammeReason::Spotlight => Reason::Spotlight,
        ProgrammeReason::ShareStarted => Reason::ShareStarted,
        ProgrammeReason::ShareEnded => Reason::ShareEnded,
        ProgrammeReason::Policy => Reason::Policy,
        ProgrammeReason::NoPicture => Reason::NoPicture,
        _ => Reason::Unspecified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use estrade_types::{MonoTime, ParticipantId};

    #[test]
    fn an_event_keeps_its_number_its_time_and_its_actor() {
        let ana = ParticipantId::new("ana").unwrap();
        let event = proto::Event::from(Event {
            number: 7,
            at: MonoTime::ZERO,
            unix_ms: 5_000,
            actor: Actor::Participant(ana.clone()),
            kind: EventKind::HandRaised {
                participant: ana,
                order: 3,
            },
        });
        assert_eq!(event.number, 7);
        assert_eq!(event.time.unwrap().seconds, 5);
        let actor = event.actor.unwrap();
        assert_eq!(actor.kind(), proto::actor::Kind::Participant);
        assert_eq!(actor.participant_id, "ana");
        let Some(Kind::HandRaised(raised)) = event.kind else {
            panic!("not a raised hand: {:?}", event.kind);
        };
        assert_eq!((raised.participant_id.as_str(), raised.order), ("ana", 3));
    }
}
