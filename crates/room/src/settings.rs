//! What an app sets when it creates a room. Every number has a default and a range.

use std::collections::BTreeMap;
use std::time::Duration;

use estrade_types::{MediaRoomSettings, limits};

use crate::RoomError;

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

impl RoomSettings {
    /// Checks every range.
    ///
    /// # Errors
    ///
    /// [`RoomError::InvalidField`] with the first field that is out of its range.
    pub fn check(&self) -> Result<(), RoomError> {
        let allowed = |ok: bool, field, allowed| {
            if ok {
                Ok(())
            } else {
                Err(RoomError::InvalidField { field, allowed })
            }
        };
        let seconds = |span: Duration, min, max| {
            Duration::from_secs(min) <= span && span <= Duration::from_secs(max)
        };
        let participants_max = u32::try_from(limits::PARTICIPANTS_PER_ROOM_MAX).unwrap_or(u32::MAX);
        allowed(
            (1..=limits::STAGE_MAX).contains(&usize::from(self.max_stage)),
            "max_stage",
            "from 1 to 50",
        )?;
        allowed(
            (1..=participants_max).contains(&self.max_participants),
            "max_participants",
            "from 1 to 100000",
        )?;
        allowed(
            self.attributes.len() <= limits::ATTRIBUTES_MAX
                && self.attributes.iter().all(|(key, value)| {
                    key.len() <= limits::ATTRIBUTE_BYTES_MAX
                        && value.len() <= limits::ATTRIBUTE_BYTES_MAX
                }),
            "attributes",
            "at most 64, keys and values of at most 1024 bytes",
        )?;
        allowed(
            seconds(self.invite_ttl, 1, 3_600),
            "invite_ttl",
            "from 1 s to 1 h",
        )?;
        allowed(
            seconds(self.hand_interval, 0, 600),
            "hand_interval",
            "from 0 to 10 min",
        )?;
        allowed(
            seconds(self.seat_grace, 0, 600),
            "seat_grace",
            "from 0 to 10 min",
        )?;
        allowed(
            seconds(self.empty_timeout, 1, 86_400),
            "empty_timeout",
            "from 1 s to 24 h",
        )?;
        allowed(
            (1..=5).contains(&self.media.audio_slots),
            "media.audio_slots",
            "from 1 to 5",
        )?;
        allowed(
            seconds(self.media.min_dwell, 1, 5),
            "media.min_dwell",
            "from 1 s to 5 s",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_the_field_out_of_range_is_named() {
        assert_eq!(RoomSettings::default().check(), Ok(()));
        let settings = RoomSettings {
            max_stage: 51,
            ..RoomSettings::default()
        };
        assert!(matches!(
            settings.check(),
            Err(RoomError::InvalidField {
                field: "max_stage",
                ..
            })
        ));
    }
}
