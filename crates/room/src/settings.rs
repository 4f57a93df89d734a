//! What an app sets when it creates a room. Every number has a default and a range.

use std::collections::BTreeMap;
use std::time::Duration;

use estrade_types::{MediaRoomSettings, limits};

/// Who may raise a hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HandPolicy {
    /// Anyone in the audience.
    #[default]
    Anyone,
    /// Nobody.
    Off,
}

/// A room's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSettings {
    /// App-defined attributes, opaque to us.
    pub attributes: BTreeMap<String, String>,
    /// Host, co-hosts and speakers together, 1 to [`limits::STAGE_MAX`].
    pub max_stage: u16,
    /// Everybody, 1 to [`limits::PARTICIPANTS_PER_ROOM_MAX`].
    pub max_participants: u32,
    /// Who may raise a hand.
    pub hand_policy: HandPolicy,
    /// How long an invitation to the stage stands.
    pub invite_ttl: Duration,
    /// Shortest time between two raises by one participant.
    pub hand_interval: Duration,
    /// How long a seat on the stage is kept after its owner's connection was lost.
    pub seat_grace: Duration,
    /// How long an empty room lives.
    pub empty_timeout: Duration,
    /// Whether clients with a moderating role may moderate, beside the app.
    pub client_moderation: bool,
    /// Whether participants may send data messages.
    pub data: bool,
    /// The media side.
    pub media: MediaRoomSettings,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            max_stage: 13,
            max_participants: u32::try_from(limits::PARTICIPANTS_PER_ROOM_MAX).unwrap_or(u32::MAX),
            hand_policy: HandPolicy::default(),
            invite_ttl: Duration::from_secs(60),
            hand_interval: Duration::from_secs(5),
            seat_grace: Duration::from_secs(30),
            empty_timeout: Duration::from_secs(60),
            client_moderation: true,
            data: true,
            media: MediaRoomSettings::default(),
        }
    }
}
