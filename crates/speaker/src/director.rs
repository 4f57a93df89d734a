//! Skeleton of the director: the API is final, the rules follow.
use std::time::Duration;

use estrade_types::{
    MonoTime, NoVideoPolicy, ParticipantKey, ProgrammeReason, SourceKind, StageSeat, SwitchPolicy,
};

/// How many recent speakers are remembered.
pub const RECENT_MAX: usize = 10;

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
    /// Whether viewers' own pins are overruled by spotlights.
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

/// More spotlights than [`estrade_types::limits::SPOTLIGHTS_MAX`]; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotlightRefused;

impl std::fmt::Display for SpotlightRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "too many spotlights")
    }
}

impl std::error::Error for SpotlightRefused {}

/// What is on the room's slots from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The main slot; `None` for no picture.
    pub programme: Option<Picture>,
    /// The second slot: the programme's speaker during a screen share.
    pub second: Option<Picture>,
    /// Why.
    pub reason: ProgrammeReason,
    /// When it was decided.
    pub at: MonoTime,
}

/// Decides whose picture is on. `product.md` §3.1.
#[derive(Clone, Debug)]
pub struct Director {
    settings: DirectorSettings,
}

impl Director {
    /// A director for a stage of at most `capacity` seats.
    pub fn new(_capacity: usize, settings: DirectorSettings) -> Self {
        Self { settings }
    }

    /// Takes other settings, in force at once.
    pub fn set_settings(&mut self, _now: MonoTime, settings: DirectorSettings) {
        self.settings = settings;
    }

    /// The detector's decision.
    pub fn on_active_speaker(&mut self, _now: MonoTime, _active: Option<ParticipantKey>) {}

    /// Whether a camera or screen delivers packets that can be shown.
    pub fn on_video(
        &mut self,
        _now: MonoTime,
        _participant: ParticipantKey,
        _source: SourceKind,
        _live: bool,
    ) {
    }

    /// A packet of a live picture: arms and feeds the 1 s stall guard of cameras.
    pub fn on_picture(
        &mut self,
        _now: MonoTime,
        _participant: ParticipantKey,
        _source: SourceKind,
    ) {
    }

    /// A participant's place on the stage, or `None` when it has none any more. `false` when full.
    pub fn on_seat(
        &mut self,
        _now: MonoTime,
        _participant: ParticipantKey,
        _seat: Option<StageSeat>,
    ) -> bool {
        true
    }

    /// Restricts the programme to these; empty to clear.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn set_spotlight(
        &mut self,
        _now: MonoTime,
        _participants: &[ParticipantKey],
    ) -> Result<(), SpotlightRefused> {
        Ok(())
    }

    /// Does what is due.
    pub fn on_timeout(&mut self, _now: MonoTime) {}

    /// When [`Self::on_timeout`] is wanted next.
    pub fn next_deadline(&self) -> Option<MonoTime> {
        None
    }

    /// The newest decision not yet taken.
    pub fn poll(&mut self) -> Option<Decision> {
        None
    }

    /// What is on now.
    pub fn programme(&self) -> Option<Picture> {
        None
    }

    /// The last speakers, newest first.
    pub fn recent(&self) -> &[ParticipantKey] {
        &[]
    }

    /// Live cameras in the order in which they stand in for the programme's own owner.
    pub fn fallbacks(&self) -> impl Iterator<Item = ParticipantKey> + '_ {
        self.recent().iter().copied()
    }

    /// The main picture of one viewer: pin, then the programme, and never its own picture.
    pub fn main_for(
        &self,
        _viewer: ParticipantKey,
        _pin: Option<ParticipantKey>,
    ) -> Option<Picture> {
        None
    }
}
