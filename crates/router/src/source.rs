//! A participant's microphone, camera or screen as one session publishes it: its layers, lowest first.
//!
//! Fed by the room's ingress; read by legs, cuts and reports. A layer is one encoded stream with its
//! numbering, statistics, ring, keyframe and repair. Rings are made when a permitted packet first
//! comes and freed when the permit goes.

mod layer;

use std::time::Duration;

use arrayvec::ArrayVec;
use estrade_types::{MonoTime, ParticipantKey, SourceKind, limits};

pub(crate) use layer::{Layer, Stored};

use crate::audio_slots::Loudness;

/// A camera layer without packets for this long is gone: the encoder stopped it or the path is dead.
const CAMERA_LIVE: Duration = Duration::from_millis(700);

/// A screen may be still for seconds and send nothing.
const SCREEN_LIVE: Duration = Duration::from_secs(5);

/// A source without packets for this long is told to be inactive.
const ACTIVE: Duration = Duration::from_secs(2);

/// A published source of one session.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) session: u32,
    pub(crate) participant: ParticipantKey,
    pub(crate) kind: SourceKind,
    /// Negotiated encodings, at least one.
    pub(crate) layers_len: u8,
    layers: [Option<Box<Layer>>; limits::ENCODINGS_MAX],
    /// Whether the participant's permits take it.
    pub(crate) is_permitted: bool,
    /// Whether control has been told that packets flow.
    pub(crate) is_active: bool,
    /// When the last accepted packet with a payload came.
    pub(crate) last_packet_at: Option<MonoTime>,
    /// For microphones.
    pub(crate) loudness: Loudness,
}

impl Source {
    pub(crate) fn new(
        session: u32,
        participant: ParticipantKey,
        kind: SourceKind,
        layers_len: u8,
    ) -> Self {
        Self {
            session,
            participant,
            kind,
            layers_len,
            layers: [None, None, None],
            is_permitted: false,
            is_active: false,
            last_packet_at: None,
            loudness: Loudness::default(),
        }
    }

    /// A layer, made on its first packet. `None` for one that was not negotiated.
    pub(crate) fn layer_or_new(&mut self, layer: u8) -> Option<&mut Layer> {
        let kind = self.kind;
        let slot = self.layers.get_mut(usize::from(layer))?;
        Some(slot.get_or_insert_with(|| Box::new(Layer::new(kind))))
    }

    pub(crate) fn layer(&self, layer: u8) -> Option<&Layer> {
        self.layers.get(usize::from(layer))?.as_deref()
    }

    pub(crate) fn layer_mut(&mut self, layer: u8) -> Option<&mut Layer> {
        self.layers.get_mut(usize::from(layer))?.as_deref_mut()
    }

    /// The layers that ever had a packet, lowest first.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (u8, &Layer)> {
        (0..)
            .zip(&self.layers)
            .filter_map(|(index, layer)| Some((index, layer.as_deref()?)))
    }

    /// As [`Self::layers`], mutably.
    pub(crate) fn layers_mut(&mut self) -> impl Iterator<Item = (u8, &mut Layer)> {
        (0..)
            .zip(&mut self.layers)
            .filter_map(|(index, layer)| Some((index, layer.as_deref_mut()?)))
    }

    /// Brings the layers' liveness up to date. True if the choice of layers may have changed by it.
    pub(crate) fn update_liveness(&mut self, now: MonoTime) -> bool {
        let patience = match self.kind {
            SourceKind::Screen => SCREEN_LIVE,
            SourceKind::Camera | SourceKind::Microphone => CAMERA_LIVE,
        };
        let is_permitted = self.is_permitted;
        let mut is_changed = false;
        for (_, layer) in self.layers_mut() {
            let is_live = is_permitted
                && layer
                    .last_media_at
                    .is_some_and(|at| now.since(at) < patience);
            is_changed |= layer.update_liveness(now, is_live);
        }
        is_changed
    }

    /// Whether packets flow, as control is told.
    pub(crate) fn is_flowing(&self, now: MonoTime) -> bool {
        let patience = match self.kind {
            SourceKind::Screen => SCREEN_LIVE,
            SourceKind::Camera | SourceKind::Microphone => ACTIVE,
        };
        self.is_permitted
            && self
                .last_packet_at
                .is_some_and(|at| now.since(at) < patience)
    }

    /// The live layers, lowest first.
    pub(crate) fn live_layers(&self) -> ArrayVec<u8, { limits::ENCODINGS_MAX }> {
        self.layers()
            .filter_map(|(index, layer)| layer.is_live.then_some(index))
            .collect()
    }

    /// The highest live layer that is not above `cap` and steady, or the one that is `shown`; the
    /// lowest live one if there is none.
    pub(crate) fn best_layer(&self, cap: u8, shown: Option<u8>) -> Option<u8> {
        let live = self.live_layers();
        let is_steady = |index| self.layer(index).is_some_and(|layer| layer.is_steady);
        let may_be = |index: u8| index <= cap && (shown == Some(index) || is_steady(index));
        let best = live.iter().rev().find(|index| may_be(**index));
        best.or_else(|| live.first()).copied()
    }
}
