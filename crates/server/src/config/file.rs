//! The YAML file as written: every section and key may be left out, an unknown one is refused.
//!
//! `Default` is that of [`Config`], so there is one source of defaults.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use estrade_directory::CreateOnJoin;
use estrade_room::{HandPolicy, RoomSettings};
use estrade_types::{MediaRoomSettings, NoVideoPolicy, SpeakerRule, SwitchPolicy};
use serde::{Deserialize, Serialize};

use super::span::Span;
use super::{
    AdminConfig, Config, GrpcConfig, HttpConfig, LogConfig, LogFormat, MediaConfig, RoomsConfig,
    Secret,
};

/// Shards at most: one port each, and more than any machine has cores for.
pub(super) const SHARDS_MAX: u16 = 256;

/// Stands for a secret that is not shown.
const HIDDEN: &str = "<redacted>";

/// Derives what every section needs, and takes its defaults from [`Config::default`].
macro_rules! section {
    ($(#[doc = $doc:literal])+ $name:ident { $($key:ident: $type:ty,)+ } from $part:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name {
            $(pub(super) $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                File::from(&Config::default()).$part
            }
        }
    };
}

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) dev: bool,
    pub(super) http: Http,
    pub(super) grpc: Grpc,
    pub(super) admin: Admin,
    pub(super) media: Media,
    pub(super) keys: BTreeMap<String, String>,
    pub(super) rooms: Rooms,
    pub(super) speaker: Speaker,
    pub(super) picture: Picture,
    pub(super) log: Log,
    pub(super) shutdown_grace: Span,
}

impl Default for File {
    fn default() -> Self {
        Self::from(&Config::default())
    }
}

section! {
    /// `http`.
    Http {
        bind: SocketAddr,
        cors_origins: Vec<String>,
        token_leeway: Span,
        websockets_max: usize,
        whip_whep_sessions_max: usize,
    } from http
}

section! {
    /// `grpc`.
    Grpc { bind: SocketAddr, reflection: bool, } from grpc
}

section! {
    /// `admin`.
    Admin { bind: SocketAddr, } from admin
}

section! {
    /// `media`.
    Media {
        bind: IpAddr,
        port_base: u16,
        shards: u16,
        advertise_ips: Vec<IpAddr>,
        socket_buffer_bytes: usize,
    } from media
}

section! {
    /// `rooms`.
    Rooms {
        create_on_join: Create,
        max_rooms: usize,
        max_stage: u16,
        max_participants: u32,
        hand_policy: Hands,
        invite_ttl: Span,
        hand_interval: Span,
        seat_grace: Span,
        empty_timeout: Span,
        client_moderation: bool,
        data: bool,
        audio_slots: u8,
    } from rooms
}

section! {
    /// `speaker`.
    Speaker { rule: Rule, } from speaker
}

section! {
    /// `picture`.
    Picture { switch_policy: Switch, no_video_policy: NoVideo, min_dwell: Span, } from picture
}

section! {
    /// `log`.
    Log { level: String, format: Format, } from log
}

/// A closed choice in the file, and the type it stands for.
macro_rules! choice {
    ($(#[doc = $doc:literal])+ $name:ident for $target:ident { $($variant:ident,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name {
            $($variant,)+
        }

        impl From<$name> for $target {
            fn from(choice: $name) -> Self {
                match choice {
                    $($name::$variant => Self::$variant,)+
                }
            }
        }

        impl From<$target> for $name {
            fn from(target: $target) -> Self {
                match target {
                    $($target::$variant => Self::$variant,)+
                }
            }
        }
    };
}

choice! {
    /// `rooms.create_on_join`.
    Create for CreateOnJoin { Never, Stage, Anyone, }
}

choice! {
    /// `rooms.hand_policy`.
    Hands for HandPolicy { Anyone, Off, }
}

choice! {
    /// `speaker.rule`.
    Rule for SpeakerRule { Reference, Evidence, }
}

choice! {
    /// `picture.switch_policy`.
    Switch for SwitchPolicy { Speaker, HostOnly, Manual, None, }
}

choice! {
    /// `picture.no_video_policy`.
    NoVideo for NoVideoPolicy { Keep, Host, Avatar, }
}

choice! {
    /// `log.format`.
    Format for LogFormat { Text, Json, }
}

impl From<&Config> for File {
    fn from(config: &Config) -> Self {
        let keys = config.keys.keys();
        Self {
            dev: config.dev,
            http: Http {
                bind: config.http.bind,
                cors_origins: config.http.cors_origins.clone(),
                token_leeway: Span(config.http.token_leeway),
                websockets_max: config.http.websockets_max,
                whip_whep_sessions_max: config.http.whip_whep_sessions_max,
            },
            grpc: Grpc {
                bind: config.grpc.bind,
                reflection: config.grpc.reflection,
            },
            admin: Admin {
                bind: config.admin.bind,
            },
            media: Media {
                bind: config.media.bind,
                port_base: config.media.port_base,
                shards: config.media.shards,
                advertise_ips: config.media.advertise_ips.clone(),
                socket_buffer_bytes: config.media.socket_buffer_bytes,
            },
            keys: keys.map(|key| (key.clone(), HIDDEN.to_owned())).collect(),
            rooms: Rooms::from(&config.rooms),
            speaker: Speaker {
                rule: config.rooms.defaults.media.speaker_rule.into(),
            },
            picture: Picture {
                switch_policy: config.rooms.defaults.media.switch_policy.into(),
                no_video_policy: config.rooms.defaults.media.no_video_policy.into(),
                min_dwell: Span(config.rooms.defaults.media.min_dwell),
            },
            log: Log {
                level: config.log.level.clone(),
                format: config.log.format.into(),
            },
            shutdown_grace: Span(config.shutdown_grace),
        }
    }
}

impl From<&RoomsConfig> for Rooms {
    fn from(rooms: &RoomsConfig) -> Self {
        let defaults = &rooms.defaults;
        Self {
            create_on_join: rooms.create_on_join.into(),
            max_rooms: rooms.max_rooms,
            max_stage: defaults.max_stage,
            max_participants: defaults.max_participants,
            hand_policy: defaults.hand_policy.into(),
            invite_ttl: Span(defaults.invite_ttl),
            hand_interval: Span(defaults.hand_interval),
            seat_grace: Span(defaults.seat_grace),
            empty_timeout: Span(defaults.empty_timeout),
            client_moderation: defaults.client_moderation,
            data: defaults.data,
            audio_slots: defaults.media.audio_slots,
        }
    }
}

impl From<File> for Config {
    fn from(file: File) -> Self {
        let media = MediaRoomSettings {
            audio_slots: file.rooms.audio_slots,
            speaker_rule: file.speaker.rule.into(),
            switch_policy: file.picture.switch_policy.into(),
            no_video_policy: file.picture.no_video_policy.into(),
            min_dwell: file.picture.min_dwell.0,
        };
        let keys = file.keys.into_iter();
        Self {
            dev: file.dev,
            http: HttpConfig {
                bind: file.http.bind,
                cors_origins: file.http.cors_origins,
                token_leeway: file.http.token_leeway.0,
                websockets_max: file.http.websockets_max,
                whip_whep_sessions_max: file.http.whip_whep_sessions_max,
            },
            grpc: GrpcConfig {
                bind: file.grpc.bind,
                reflection: file.grpc.reflection,
            },
            admin: AdminConfig {
                bind: file.admin.bind,
            },
            media: MediaConfig {
                bind: file.media.bind,
                port_base: file.media.port_base,
                shards: file.media.shards,
                advertise_ips: file.media.advertise_ips,
                socket_buffer_bytes: file.media.socket_buffer_bytes,
            },
            keys: keys.map(|(key, secret)| (key, Secret(secret))).collect(),
            rooms: RoomsConfig {
                create_on_join: file.rooms.create_on_join.into(),
                max_rooms: file.rooms.max_rooms,
                defaults: room_settings(&file.rooms, media),
            },
            log: LogConfig {
                level: file.log.level,
                format: file.log.format.into(),
            },
            shutdown_grace: file.shutdown_grace.0,
        }
    }
}

fn room_settings(rooms: &Rooms, media: MediaRoomSettings) -> RoomSettings {
    RoomSettings {
        attributes: BTreeMap::new(),
        max_stage: rooms.max_stage,
        max_participants: rooms.max_participants,
        hand_policy: rooms.hand_policy.into(),
        invite_ttl: rooms.invite_ttl.0,
        hand_interval: rooms.hand_interval.0,
        seat_grace: rooms.seat_grace.0,
        empty_timeout: rooms.empty_timeout.0,
        client_moderation: rooms.client_moderation,
        data: rooms.data,
        media,
    }
}
