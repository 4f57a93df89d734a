//! One participant, and what follows from its role, its seat and its mutes.

use std::collections::{BTreeMap, BTreeSet};

use estrade_types::{
    CloseReason, LinkKind, MonoTime, ParticipantId, ParticipantKey, Permits, Role, SessionId,
    SourceKind, StageRank, StageSeat,
};

use crate::{MuteKind, ParticipantView, StageState};

/// Where a participant stands. `product.md` §4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Audience,
    /// In the audience with a raised hand.
    Requested {
        order: u64,
    },
    /// In the audience with an open invitation.
    Invited {
        until: MonoTime,
    },
    OnStage {
        order: u64,
    },
    /// On stage without a session.
    Held {
        order: u64,
        until: MonoTime,
        /// Why the session ended.
        reason: CloseReason,
    },
}

/// Who muted one kind of media. `product.md` §4.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mutes {
    pub(super) self_muted: bool,
    pub(super) server_muted: bool,
    /// Implies `server_muted`.
    pub(super) locked: bool,
}

impl Mutes {
    pub(super) const fn is_muted(self) -> bool {
        self.self_muted || self.server_muted || self.locked
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Participant {
    pub(super) key: ParticipantKey,
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
    /// `Listener` exactly in the audience.
    pub(super) role: Role,
    pub(super) place: Place,
    /// `None` exactly while the seat is held.
    pub(super) session: Option<SessionId>,
    pub(super) link: LinkKind,
    pub(super) is_connected: bool,
    pub(super) audio: Mutes,
    pub(super) video: Mutes,
    pub(super) sources: BTreeSet<SourceKind>,
    pub(super) joined_unix_ms: u64,
    /// When it was last asked to unmute.
    pub(super) asked_to_unmute: Option<MonoTime>,
    /// What the shard was told last.
    pub(super) told: Option<(Option<StageSeat>, Permits)>,
}

impl Participant {
    pub(super) const fn mutes(&self, kind: MuteKind) -> Mutes {
        match kind {
            MuteKind::Audio => self.audio,
            MuteKind::Video => self.video,
        }
    }

    pub(super) const fn mutes_mut(&mut self, kind: MuteKind) -> &mut Mutes {
        match kind {
            MuteKind::Audio => &mut self.audio,
            MuteKind::Video => &mut self.video,
        }
    }

    /// On stage, a held seat included.
    pub(super) const fn is_on_stage(&self) -> bool {
        matches!(self.place, Place::OnStage { .. } | Place::Held { .. })
    }

    pub(super) const fn seat(&self) -> Option<StageSeat> {
        let (Place::OnStage { order } | Place::Held { order, .. }) = self.place else {
            return None;
        };
        let rank = match self.role {
            Role::Host => StageRank::Host,
            Role::Cohost => StageRank::Cohost,
            Role::Speaker | Role::Listener => StageRank::Speaker,
        };
        Some(StageSeat { rank, order })
    }

    /// What the media plane takes: `role_allows and not locked and not server_muted and not
    /// self_muted`, for each kind.
    pub(super) const fn permits(&self) -> Permits {
        if !self.is_on_stage() || !self.role.is_on_stage() {
            return Permits::NONE;
        }
        let picture = !self.video.is_muted();
        Permits {
            microphone: !self.audio.is_muted(),
            camera: picture,
            screen: picture,
        }
    }

    pub(super) fn view(&self, id: &ParticipantId) -> ParticipantView {
        ParticipantView {
            id: id.clone(),
            name: self.name.clone(),
            attributes: self.attributes.clone(),
            role: self.role,
            stage: match self.place {
                Place::Audience => StageState::Audience,
                Place::Requested { .. } => StageState::Requested,
                Place::Invited { .. } => StageState::Invited,
                Place::OnStage { .. } => StageState::OnStage,
                Place::Held { .. } => StageState::Held,
            },
            link: self.link,
            is_connected: self.is_connected,
            audio_self_muted: self.audio.self_muted,
            audio_server_muted: self.audio.server_muted,
            audio_locked: self.audio.locked,
            video_self_muted: self.video.self_muted,
            video_server_muted: self.video.server_muted,
            video_locked: self.video.locked,
            permits: self.permits(),
            active_sources: self.sources.iter().copied().collect(),
            joined_unix_ms: self.joined_unix_ms,
        }
    }
}
