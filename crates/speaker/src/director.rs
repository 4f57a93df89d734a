//! Whose picture is on: the director. `product.md` §3.1.
//!
//! The shard feeds it facts (who holds the floor, who sits on the stage, whose camera or screen
//! delivers packets) and the host's wishes (policy, spotlights); it gives back the programme and
//! the second slot as [`Decision`]s, which the router cuts to. Local pins stay with the router,
//! which asks [`Director::main_for`].
//!
//! Invariants: silence changes nothing, for ever; the owner of the programme sits on the stage;
//! nothing is allocated after construction.
//!
//! It does not know levels, packets or keyframes.

mod rules;
#[cfg(test)]
mod tests;
mod views;

use std::time::Duration;

use arrayvec::ArrayVec;
use estrade_types::limits::{SPOTLIGHTS_MAX, STAGE_MAX};
use estrade_types::{
    MonoTime, NoVideoPolicy, ParticipantKey, ProgrammeReason, SourceKind, StageRank, StageSeat,
    SwitchPolicy,
};

/// How many recent speakers, and recent owners of the programme, are remembered.
pub const RECENT_MAX: usize = 10;

/// A camera without packets for so long is off; a still screen may send nothing for longer.
const STALL: Duration = Duration::from_secs(1);

/// Bounds of [`DirectorSettings::min_dwell`].
const DWELL: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Whose picture, and which of them.
pub type Picture = (ParticipantKey, SourceKind);

/// What moves the picture, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectorSettings {
    /// What moves the main picture.
    pub switch_policy: SwitchPolicy,
    /// What it does while the active speaker has no camera.
    pub no_video_policy: NoVideoPolicy,
    /// Shortest time between two cuts that follow the speaker; kept within 1 to 5 s.
    pub min_dwell: Duration,
    /// Whether a spotlight stays on the main slot during a screen share.
    pub spotlight_over_share: bool,
    /// Whether a spotlight overrules viewers' own pins.
    pub force_programme: bool,
}

impl Default for DirectorSettings {
    fn default() -> Self {
        Self {
            switch_policy: SwitchPolicy::default(),
            no_video_policy: NoVideoPolicy::default(),
            min_dwell: Duration::from_secs(2),
            spotlight_over_share: false,
            force_programme: false,
        }
    }
}

/// More spotlights than [`SPOTLIGHTS_MAX`]; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotlightRefused;

impl std::fmt::Display for SpotlightRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "at most {SPOTLIGHTS_MAX} participants can be in the spotlight"
        )
    }
}

impl std::error::Error for SpotlightRefused {}

/// What is on the room's slots from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The main slot; `None` for no picture.
    pub programme: Option<Picture>,
    /// The second slot, in use during a screen share only.
    pub second: Option<Picture>,
    /// Why. [`ProgrammeReason::Speaker`] with no programme: clients draw the speaker's avatar.
    pub reason: ProgrammeReason,
    /// When it was decided.
    pub at: MonoTime,
}

/// One of a participant's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Video {
    /// Nothing to show.
    Off {
        /// Since when.
        since: MonoTime,
    },
    /// Packets flow.
    Live {
        /// Since when.
        since: MonoTime,
        /// Latest packet, once one was reported: what the stall guard runs from.
        packet: Option<MonoTime>,
    },
    /// Switched on, but no packet has come for [`STALL`]: as good as off where there is another
    /// picture.
    Stalled {
        /// Since when.
        since: MonoTime,
    },
}

impl Video {
    const fn is_live(self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// When it ceased to be live; `None` while it is.
    const fn dark_since(self) -> Option<MonoTime> {
        match self {
            Self::Off { since } | Self::Stalled { since } => Some(since),
            Self::Live { .. } => None,
        }
    }
}

/// One participant on the stage.
#[derive(Clone, Copy, Debug)]
struct Member {
    key: ParticipantKey,
    seat: StageSeat,
    camera: Video,
    screen: Video,
}

/// Decides whose picture is on.
#[derive(Clone, Debug)]
pub struct Director {
    settings: DirectorSettings,
    /// In the order of their seats: host, co-hosts, then longest on stage.
    members: Vec<Member>,
    capacity: usize,
    spotlights: ArrayVec<ParticipantKey, SPOTLIGHTS_MAX>,
    active: Option<ParticipantKey>,
    /// Since when the active speaker has been without a live camera.
    speaker_dark: Option<MonoTime>,
    recent: ArrayVec<ParticipantKey, RECENT_MAX>,
    /// Recent owners of the camera programme, newest first.
    shown: ArrayVec<ParticipantKey, RECENT_MAX>,
    /// Whose camera is on the programme, or would be but for a screen share.
    owner: Option<ParticipantKey>,
    last_cut: Option<MonoTime>,
    /// The dwell in force: the settings', or longer under the ping-pong guard.
    dwell: Duration,
    /// Whom the last cut to a speaker left, and when.
    left: Option<(ParticipantKey, MonoTime)>,
    /// When the rules are to be gone through again: a dwell ends, a policy's delay is over.
    wait_until: Option<MonoTime>,
    on: (Option<Picture>, Option<Picture>),
    told: (Option<Picture>, Option<Picture>),
    why: (ProgrammeReason, MonoTime),
}

impl Director {
    /// A director for a stage of at most `capacity` seats, itself at most [`STAGE_MAX`].
    pub fn new(capacity: usize, settings: DirectorSettings) -> Self {
        let capacity = capacity.min(STAGE_MAX);
        let mut director = Self {
            settings,
            members: Vec::with_capacity(capacity),
            capacity,
            spotlights: ArrayVec::new(),
            active: None,
            speaker_dark: None,
            recent: ArrayVec::new(),
            shown: ArrayVec::new(),
            owner: None,
            last_cut: None,
            dwell: settings.min_dwell,
            left: None,
            wait_until: None,
            on: (None, None),
            told: (None, None),
            why: (ProgrammeReason::NoPicture, MonoTime::ZERO),
        };
        director.keep_dwell_in_bounds();
        director
    }

    /// Takes other settings, in force at once: the dwell is ignored for what they change.
    pub fn set_settings(&mut self, now: MonoTime, settings: DirectorSettings) {
        if self.settings == settings {
            return;
        }
        self.settings = settings;
        self.keep_dwell_in_bounds();
        self.settle(now, Some(ProgrammeReason::Policy));
    }

    /// The settings in force.
    pub const fn settings(&self) -> &DirectorSettings {
        &self.settings
    }

    /// Takes the detector's decision. `None` keeps the picture, as silence does.
    pub fn on_active_speaker(&mut self, now: MonoTime, active: Option<ParticipantKey>) {
        let active = active.filter(|active| self.member(*active).is_some());
        if self.active == active {
            return;
        }
        self.active = active;
        self.speaker_dark = None;
        if let Some(active) = active {
            put_first(&mut self.recent, active);
        }
        self.settle(now, None);
    }

    /// Learns whether a camera or a screen delivers packets that can be shown. For participants on
    /// the stage only: seat them first. `is_live` also disarms the stall guard until the next
    /// [`Self::on_picture`], for a source that the server itself has asked to pause.
    pub fn on_video(
        &mut self,
        now: MonoTime,
        participant: ParticipantKey,
        source: SourceKind,
        is_live: bool,
    ) {
        let Some(member) = self.member_mut(participant) else {
            return;
        };
        let video = match source {
            SourceKind::Camera => &mut member.camera,
            SourceKind::Screen => &mut member.screen,
            SourceKind::Microphone => return,
        };
        *video = match (*video, is_live) {
            (Video::Live { since, .. }, true) => Video::Live {
                since,
                packet: None,
            },
            (_, true) => Video::Live {
                since: now,
                packet: None,
            },
            (Video::Off { since } | Video::Stalled { since }, false) => Video::Off { since },
            (Video::Live { .. }, false) => Video::Off { since: now },
        };
        self.settle(now, None);
    }

    /// Notes a packet of a picture that is live. The first one arms the guard by which a camera
    /// without packets for 1 s counts as off; a packet after that brings it back. Feed it for
    /// every packet or frame of a camera, or never.
    pub fn on_picture(&mut self, now: MonoTime, participant: ParticipantKey, source: SourceKind) {
        if source != SourceKind::Camera {
            return;
        }
        let Some(member) = self.member_mut(participant) else {
            return;
        };
        match &mut member.camera {
            Video::Off { .. } => {}
            Video::Live { packet, .. } => *packet = Some(now),
            camera @ Video::Stalled { .. } => {
                *camera = Video::Live {
                    since: now,
                    packet: Some(now),
                };
                self.settle(now, None);
            }
        }
    }

    /// Gives a participant a place on the stage, changes it, or takes it away (`None`), and with
    /// it spotlight and history. `false` when the stage is full: nothing was changed.
    pub fn on_seat(
        &mut self,
        now: MonoTime,
        participant: ParticipantKey,
        seat: Option<StageSeat>,
    ) -> bool {
        let found = self.members.iter().position(|m| m.key == participant);
        let former = found.map(|index| self.members.remove(index));
        if let Some(seat) = seat {
            if former.is_none() && self.members.len() >= self.capacity {
                return false;
            }
            let dark = Video::Off { since: now };
            let member = Member {
                key: participant,
                seat,
                camera: former.map_or(dark, |former| former.camera),
                screen: former.map_or(dark, |former| former.screen),
            };
            let place = self.members.partition_point(|other| other.seat <= seat);
            self.members.insert(place, member);
        } else if former.is_some() {
            self.spotlights.retain(|key| *key != participant);
            self.recent.retain(|key| *key != participant);
            self.shown.retain(|key| *key != participant);
            if self.active == Some(participant) {
                self.active = None;
                self.speaker_dark = None;
            }
        }
        self.settle(now, None);
        true
    }

    /// Restricts the programme to these, in this order; empty to clear. Participants who are not
    /// on the stage are left out. The dwell is ignored.
    ///
    /// # Errors
    ///
    /// When there are more than [`SPOTLIGHTS_MAX`]; nothing is changed then.
    pub fn set_spotlight(
        &mut self,
        now: MonoTime,
        participants: &[ParticipantKey],
    ) -> Result<(), SpotlightRefused> {
        if participants.len() > SPOTLIGHTS_MAX {
            return Err(SpotlightRefused);
        }
        self.spotlights.clear();
        for key in participants {
            let is_new = self.member(*key).is_some() && !self.spotlights.contains(key);
            if is_new && !self.spotlights.is_full() {
                self.spotlights.push(*key);
            }
        }
        self.settle(now, Some(ProgrammeReason::Spotlight));
        Ok(())
    }

    /// Does what is due at `now`: the end of a dwell, a stalled camera, a delay of a policy.
    pub fn on_timeout(&mut self, now: MonoTime) {
        for member in &mut self.members {
            if let Video::Live {
                packet: Some(packet),
                ..
            } = member.camera
                && now - packet >= STALL
            {
                member.camera = Video::Stalled { since: now };
            }
        }
        self.settle(now, None);
    }

    /// When [`Self::on_timeout`] is wanted next; `None` when only an input can change anything.
    pub fn next_deadline(&self) -> Option<MonoTime> {
        let stall = self
            .members
            .iter()
            .filter_map(|member| match member.camera {
                Video::Live {
                    packet: Some(packet),
                    ..
                } => Some(packet.plus(STALL)),
                _ => None,
            });
        stall.chain(self.wait_until).min()
    }

    /// The newest decision not yet taken; one that was overtaken is never told.
    pub fn poll(&mut self) -> Option<Decision> {
        if self.told == self.on {
            return None;
        }
        self.told = self.on;
        let (programme, second) = self.on;
        let (reason, at) = self.why;
        Some(Decision {
            programme,
            second,
            reason,
            at,
        })
    }

    /// What is on the main slot.
    pub const fn programme(&self) -> Option<Picture> {
        self.on.0
    }

    /// What is on the second slot.
    pub const fn second(&self) -> Option<Picture> {
        self.on.1
    }

    /// The last active speakers who are still on the stage, newest first: for thumbnails.
    pub fn recent(&self) -> &[ParticipantKey] {
        &self.recent
    }

    /// Who is in the spotlight, in order.
    pub fn spotlights(&self) -> &[ParticipantKey] {
        &self.spotlights
    }

    fn member(&self, key: ParticipantKey) -> Option<&Member> {
        self.members.iter().find(|member| member.key == key)
    }

    fn member_mut(&mut self, key: ParticipantKey) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.key == key)
    }

    fn has_camera(&self, key: ParticipantKey) -> bool {
        self.member(key).is_some_and(|m| m.camera.is_live())
    }

    /// The host, if its camera is live.
    fn host_with_camera(&self) -> Option<ParticipantKey> {
        let mut hosts = self
            .members
            .iter()
            .filter(|m| m.seat.rank == StageRank::Host);
        hosts.find(|m| m.camera.is_live()).map(|m| m.key)
    }

    fn keep_dwell_in_bounds(&mut self) {
        let [least, most] = DWELL;
        self.settings.min_dwell = self.settings.min_dwell.clamp(least, most);
        self.dwell = self.settings.min_dwell;
    }
}

/// Puts `key` at the head of a history; the oldest falls off when it is full.
fn put_first(history: &mut ArrayVec<ParticipantKey, RECENT_MAX>, key: ParticipantKey) {
    history.retain(|other| *other != key);
    if history.is_full() {
        history.pop();
    }
    history.insert(0, key);
}
