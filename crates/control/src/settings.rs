//! A room's settings, from and to the contract. What a request leaves out is the server's default.

use std::time::Duration;

use estrade_room::{HandPolicy, RoomError, RoomSettings};
use estrade_types::{MediaRoomSettings, NoVideoPolicy, SpeakerRule, SwitchPolicy};

use crate::check::Check;
use crate::proto;

/// Reads settings over `defaults`; failures are noted in `check`.
pub(crate) fn read(
    wire: proto::RoomSettings,
    defaults: &RoomSettings,
    check: &mut Check,
) -> RoomSettings {
    let media = read_media(&wire, &defaults.media, check);
    let mut settings = RoomSettings {
        media,
        ..defaults.clone()
    };
    if let Some(max) = wire.max_stage {
        // Beyond 16 bits is beyond the range as well, and is refused below.
        settings.max_stage = u16::try_from(max).unwrap_or(u16::MAX);
    }
    settings.max_participants = wire.max_participants.unwrap_or(defaults.max_participants);
    settings.hand_policy = match proto::HandPolicy::try_from(wire.hand_policy) {
        Ok(proto::HandPolicy::Unspecified) => defaults.hand_policy,
        Ok(proto::HandPolicy::Anyone) => HandPolicy::Anyone,
        Ok(proto::HandPolicy::Off) => HandPolicy::Off,
        Err(_) => unknown(check, "settings.hand_policy", defaults.hand_policy),
    };
    let mut span = |field: &str, wire: Option<prost_types::Duration>, default: Duration| {
        wire.map_or(Some(default), |wire| check.duration(field, wire))
            .unwrap_or(default)
    };
    settings.invite_ttl = span("settings.invite_ttl", wire.invite_ttl, defaults.invite_ttl);
    settings.hand_interval = span(
        "settings.hand_interval",
        wire.hand_interval,
        defaults.hand_interval,
    );
    settings.seat_grace = span("settings.seat_grace", wire.seat_grace, defaults.seat_grace);
    settings.empty_timeout = span(
        "settings.empty_timeout",
        wire.empty_timeout,
        defaults.empty_timeout,
    );
    settings.client_moderation = wire.client_moderation.unwrap_or(defaults.client_moderation);
    settings.data = wire.data.unwrap_or(defaults.data);
    if !wire.attributes.is_empty() {
        settings.attributes = wire.attributes.into_iter().collect();
    }
    if let Err(error) = settings.check() {
        note(&error, check);
    }
    settings
}

fn note(error: &RoomError, check: &mut Check) {
    match error {
        RoomError::InvalidField { field, allowed } => {
            // The contract has the media settings beside the others.
            let name = field.strip_prefix("media.").unwrap_or(field);
            check.fail::<()>(&format!("settings.{name}"), format!("must be {allowed}"));
        }
        other => {
            check.fail::<()>("settings", other.to_string());
        }
    }
}

fn read_media(
    wire: &proto::RoomSettings,
    defaults: &MediaRoomSettings,
    check: &mut Check,
) -> MediaRoomSettings {
    let speaker_rule = match proto::SpeakerRule::try_from(wire.speaker_rule) {
        Ok(proto::SpeakerRule::Unspecified) => defaults.speaker_rule,
        Ok(proto::SpeakerRule::Reference) => SpeakerRule::Reference,
        Ok(proto::SpeakerRule::Evidence) => SpeakerRule::Evidence,
        Err(_) => unknown(check, "settings.speaker_rule", defaults.speaker_rule),
    };
    let switch_policy = match proto::SwitchPolicy::try_from(wire.switch_policy) {
        Ok(proto::SwitchPolicy::Unspecified) => defaults.switch_policy,
        Ok(proto::SwitchPolicy::Speaker) => SwitchPolicy::Speaker,
        Ok(proto::SwitchPolicy::HostOnly) => SwitchPolicy::HostOnly,
        Ok(proto::SwitchPolicy::Manual) => SwitchPolicy::Manual,
        Ok(proto::SwitchPolicy::None) => SwitchPolicy::None,
        Err(_) => unknown(check, "settings.switch_policy", defaults.switch_policy),
    };
    let no_video_policy = match proto::NoVideoPolicy::try_from(wire.no_video_policy) {
        Ok(proto::NoVideoPolicy::Unspecified) => defaults.no_video_policy,
        Ok(proto::NoVideoPolicy::Keep) => NoVideoPolicy::Keep,
        Ok(proto::NoVideoPolicy::Host) => NoVideoPolicy::Host,
        Ok(proto::NoVideoPolicy::Avatar) => NoVideoPolicy::Avatar,
        Err(_) => unknown(check, "settings.no_video_policy", defaults.no_video_policy),
    };
    let min_dwell = wire
        .min_dwell
        .map_or(Some(defaults.min_dwell), |dwell| {
            check.duration("settings.min_dwell", dwell)
        })
        .unwrap_or(defaults.min_dwell);
    MediaRoomSettings {
        audio_slots: wire.audio_slots.map_or(defaults.audio_slots, |slots| {
            u8::try_from(slots).unwrap_or(u8::MAX)
        }),
        speaker_rule,
        switch_policy,
        no_video_policy,
        min_dwell,
    }
}

fn unknown<T>(check: &mut Check, field: &str, default: T) -> T {
    check.fail::<()>(field, "must be one of the enum's values");
    default
}

/// Writes settings, every field present.
pub(crate) fn write(settings: RoomSettings) -> proto::RoomSettings {
    let media = settings.media;
    proto::RoomSettings {
        attributes: settings.attributes.into_iter().collect(),
        max_stage: Some(u32::from(settings.max_stage)),
        max_participants: Some(settings.max_participants),
        hand_policy: match settings.hand_policy {
            HandPolicy::Anyone => proto::HandPolicy::Anyone,
            HandPolicy::Off => proto::HandPolicy::Off,
        }
        .into(),
        invite_ttl: duration(settings.invite_ttl),
        hand_interval: duration(settings.hand_interval),
        seat_grace: duration(settings.seat_grace),
        empty_timeout: duration(settings.empty_timeout),
        client_moderation: Some(settings.client_moderation),
        data: Some(settings.data),
        audio_slots: Some(u32::from(media.audio_slots)),
        speaker_rule: match media.speaker_rule {
            SpeakerRule::Reference => proto::SpeakerRule::Reference,
            SpeakerRule::Evidence => proto::SpeakerRule::Evidence,
        }
        .into(),
        switch_policy: match media.switch_policy {
            SwitchPolicy::Speaker => proto::SwitchPolicy::Speaker,
            SwitchPolicy::HostOnly => proto::SwitchPolicy::HostOnly,
            SwitchPolicy::Manual => proto::SwitchPolicy::Manual,
            SwitchPolicy::None => proto::SwitchPolicy::None,
        }
        .into(),
        no_video_policy: match media.no_video_policy {
            NoVideoPolicy::Keep => proto::NoVideoPolicy::Keep,
            NoVideoPolicy::Host => proto::NoVideoPolicy::Host,
            NoVideoPolicy::Avatar => proto::NoVideoPolicy::Avatar,
        }
        .into(),
        min_dwell: duration(media.min_dwell),
    }
}

fn duration(span: Duration) -> Option<prost_types::Duration> {
    span.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_over_defaults(wire: proto::RoomSettings) -> (RoomSettings, Vec<String>) {
        let mut check = Check::default();
        let settings = read(wire, &RoomSettings::default(), &mut check);
        let fields = if check.is_clean() {
            Vec::new()
        } else {
            let invalid = check.invalid();
            invalid
                .violations()
                .iter()
                .map(|v| v.field.clone())
                .collect()
        };
        (settings, fields)
    }

    #[test]
    fn nothing_said_is_the_default() {
        let (settings, fields) = read_over_defaults(proto::RoomSettings::default());
        assert_eq!(settings, RoomSettings::default());
        assert_eq!(fields, Vec::<String>::new());
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut settings = RoomSettings {
            max_stage: 4,
            hand_policy: HandPolicy::Off,
            seat_grace: Duration::from_millis(1_500),
            data: false,
            ..RoomSettings::default()
        };
        settings
            .attributes
            .insert("title".into(), "Town hall".into());
        settings.media.speaker_rule = SpeakerRule::Reference;
        settings.media.switch_policy = SwitchPolicy::HostOnly;
        let (read, fields) = read_over_defaults(write(settings.clone()));
        assert_eq!(read, settings);
        assert_eq!(fields, Vec::<String>::new());
    }

    #[test]
    fn out_of_range_values_are_refused_by_name_and_never_wrap() {
        for (wire, field) in [
            (
                proto::RoomSettings {
                    max_stage: Some(65_536 + 13),
                    ..Default::default()
                },
                "settings.max_stage",
            ),
            (
                proto::RoomSettings {
                    audio_slots: Some(256 + 3),
                    ..Default::default()
                },
                "settings.audio_slots",
            ),
            (
                proto::RoomSettings {
                    invite_ttl: Some(prost_types::Duration {
                        seconds: -1,
                        nanos: 0,
                    }),
                    ..Default::default()
                },
                "settings.invite_ttl",
            ),
            (
                proto::RoomSettings {
                    switch_policy: 99,
                    ..Default::default()
                },
                "settings.switch_policy",
            ),
        ] {
            let (_, fields) = read_over_defaults(wire);
            assert_eq!(fields, [field]);
        }
    }
}
