//! The rules of the picture: from the facts to what ought to be on, and when it may be.
//!
//! Called after every fact; works out the camera programme first, then lays a screen share over
//! it. `product.md` §3.1.
//!
//! Invariant: with unchanged facts a second call changes nothing.

use std::time::Duration;

use estrade_types::{
    MonoTime, NoVideoPolicy, ParticipantKey, ProgrammeReason, SourceKind, StageRank, SwitchPolicy,
};

use super::{Director, Picture, Video, put_first};

/// A to B to A within this is ping-pong.
const PING_PONG: Duration = Duration::from_secs(6);

/// The longest dwell the ping-pong guard makes of a shorter one.
const PING_PONG_DWELL_MAX: Duration = Duration::from_secs(4);

/// How long the active speaker must be without a camera before the host is shown.
const HOST_AFTER: Duration = Duration::from_secs(3);

/// How long a spotlight holds the slot of somebody whose camera is off.
const SPOTLIGHT_HOLD: Duration = Duration::from_secs(10);

/// What ought to be on, of cameras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// What is on.
    Keep,
    /// This camera, without delay.
    AtOnce(ParticipantKey, ProgrammeReason),
    /// This camera, or none, when the dwell allows.
    AfterDwell(Option<ParticipantKey>, ProgrammeReason),
    /// Nothing.
    Nothing(ProgrammeReason),
}

impl Director {
    /// Brings the programme into line with the facts. `cause` is set for what overrides the dwell
    /// and names the reason.
    pub(super) fn settle(&mut self, now: MonoTime, cause: Option<ProgrammeReason>) {
        self.note_speaker_camera(now);
        let had_share = self.shared_screen();
        let share = self.share();
        let has_share_ended = had_share.is_some() && share != had_share;
        let cause = cause.or(has_share_ended.then_some(ProgrammeReason::ShareEnded));
        let reason = self.settle_cameras(now, cause);
        self.lay_share(now, share, had_share, reason);
    }

    /// Keeps the time since when the active speaker has had no live camera.
    fn note_speaker_camera(&mut self, now: MonoTime) {
        let is_dark = self.active.is_some_and(|active| !self.has_camera(active));
        self.speaker_dark = match (is_dark, self.speaker_dark) {
            (true, None) => Some(now),
            (true, since) => since,
            (false, _) => None,
        };
    }

    /// Moves the camera programme; why it moved.
    fn settle_cameras(
        &mut self,
        now: MonoTime,
        cause: Option<ProgrammeReason>,
    ) -> Option<ProgrammeReason> {
        self.wait_until = None;
        let (wish, reason) = match self.wish(now) {
            Wish::Keep => return None,
            Wish::AtOnce(key, reason) => (Some(key), reason),
            Wish::Nothing(reason) => (None, reason),
            Wish::AfterDwell(key, reason) => {
                if cause.is_none()
                    && let Some(free) = self.dwell_end()
                    && now < free
                {
                    self.wait(free);
                    return None;
                }
                (key, reason)
            }
        };
        if wish == self.owner {
            return None;
        }
        // A picture that is gone is the better reason, whatever brought the rules up.
        let reason = match reason {
            ProgrammeReason::NoPicture | ProgrammeReason::OwnerGone => reason,
            _ => cause.unwrap_or(reason),
        };
        self.cut(now, wish, reason);
        Some(reason)
    }

    /// What ought to be on, of cameras.
    fn wish(&mut self, now: MonoTime) -> Wish {
        if self.settings.switch_policy == SwitchPolicy::None {
            return Wish::Nothing(ProgrammeReason::Policy);
        }
        if let Some(wish) = self.spotlight_wish(now) {
            return wish;
        }
        match self.settings.switch_policy {
            SwitchPolicy::Speaker => self.speaker_wish(now),
            SwitchPolicy::HostOnly => match self.host_with_camera() {
                Some(host) => Wish::AtOnce(host, ProgrammeReason::Policy),
                None if self
                    .stalled_owner()
                    .is_some_and(|owner| self.is_host(owner)) =>
                {
                    Wish::Keep
                }
                None => Wish::Nothing(ProgrammeReason::NoPicture),
            },
            SwitchPolicy::Manual | SwitchPolicy::None => Wish::Nothing(ProgrammeReason::Policy),
        }
    }

    /// As the spotlights have it; `None` when there are none or they fall through.
    fn spotlight_wish(&mut self, now: MonoTime) -> Option<Wish> {
        let lit = |key: &ParticipantKey| self.spotlights.contains(key) && self.has_camera(*key);
        let owner = self.owner.filter(lit);
        if let Some(speaker) = self.active.filter(lit) {
            return Some(match owner {
                Some(owner) if owner == speaker => Wish::Keep,
                Some(_) => Wish::AfterDwell(Some(speaker), ProgrammeReason::Speaker),
                None => Wish::AtOnce(speaker, ProgrammeReason::Spotlight),
            });
        }
        if owner.is_some() {
            return Some(Wish::Keep);
        }
        if let Some(first) = self.spotlights.iter().copied().find(lit) {
            return Some(Wish::AtOnce(first, ProgrammeReason::Spotlight));
        }
        let owner = self.owner.filter(|key| self.spotlights.contains(key))?;
        let dark = self.member(owner)?.camera.dark_since()?;
        let until = dark.plus(SPOTLIGHT_HOLD);
        if now > until {
            return None;
        }
        // One nanosecond on: off for *more* than the hold.
        self.wait(until.plus(Duration::from_nanos(1)));
        Some(Wish::Keep)
    }

    /// As the active speaker has it.
    fn speaker_wish(&mut self, now: MonoTime) -> Wish {
        let policy = self.settings.no_video_policy;
        let stalled = self.stalled_owner();
        if policy == NoVideoPolicy::Avatar && self.speaker_dark.is_some() {
            if stalled.is_some() && stalled == self.active {
                return Wish::Keep;
            }
            let is_owner_there = self.owner.is_some_and(|owner| self.has_camera(owner));
            return if is_owner_there {
                Wish::AfterDwell(None, ProgrammeReason::Speaker)
            } else {
                Wish::Nothing(ProgrammeReason::Speaker)
            };
        }
        let Some(owner) = self.owner.filter(|owner| self.has_camera(*owner)) else {
            return match self.first_fallback() {
                Some(key) if self.owner.is_some() => Wish::AtOnce(key, ProgrammeReason::OwnerGone),
                Some(key) if self.active == Some(key) && !self.shown.is_empty() => {
                    Wish::AtOnce(key, ProgrammeReason::Speaker)
                }
                Some(key) => Wish::AtOnce(key, ProgrammeReason::First),
                None if stalled.is_some() => Wish::Keep,
                None => Wish::Nothing(ProgrammeReason::NoPicture),
            };
        };
        match (self.active, self.speaker_dark) {
            (Some(active), None) if active != owner => {
                Wish::AfterDwell(Some(active), ProgrammeReason::Speaker)
            }
            (Some(_), Some(dark)) if policy == NoVideoPolicy::Host => {
                let due = dark.plus(HOST_AFTER);
                match self.host_with_camera() {
                    Some(host) if host != owner && now >= due => {
                        Wish::AfterDwell(Some(host), ProgrammeReason::Policy)
                    }
                    Some(host) if host != owner => {
                        self.wait(due);
                        Wish::Keep
                    }
                    _ => Wish::Keep,
                }
            }
            _ => Wish::Keep,
        }
    }

    /// The owner, if its camera has merely stalled: it yields to a live picture, but a slot is not
    /// emptied for what the next packet may bring back.
    fn stalled_owner(&self) -> Option<ParticipantKey> {
        let owner = self.member(self.owner?)?;
        matches!(owner.camera, Video::Stalled { .. }).then_some(owner.key)
    }

    fn is_host(&self, key: ParticipantKey) -> bool {
        self.member(key)
            .is_some_and(|member| member.seat.rank == StageRank::Host)
    }

    /// Moves the camera programme to `owner` and keeps the books of dwell and history.
    fn cut(&mut self, now: MonoTime, owner: Option<ParticipantKey>, reason: ProgrammeReason) {
        let former = self.owner;
        self.dwell = self.settings.min_dwell;
        if reason == ProgrammeReason::Speaker {
            let is_ping_pong = self
                .left
                .is_some_and(|(who, at)| Some(who) == owner && now - at <= PING_PONG);
            if is_ping_pong {
                let doubled = (self.dwell * 2).min(PING_PONG_DWELL_MAX);
                self.dwell = self.dwell.max(doubled);
            }
            self.left = former.map(|former| (former, now));
        } else {
            self.left = None;
        }
        // The first picture is no cut: the first real speaker need not wait.
        self.last_cut = former.map(|_| now);
        if let Some(owner) = owner {
            put_first(&mut self.shown, owner);
        }
        self.owner = owner;
    }

    /// When the dwell of the last cut is over.
    fn dwell_end(&self) -> Option<MonoTime> {
        self.last_cut.map(|cut| cut.plus(self.dwell))
    }

    /// Asks for the rules to be gone through again at `at` at the latest.
    fn wait(&mut self, at: MonoTime) {
        self.wait_until = Some(self.wait_until.map_or(at, |other| other.min(at)));
    }

    /// The screen that is on one of the slots now.
    fn shared_screen(&self) -> Option<ParticipantKey> {
        let (main, second) = self.on;
        [main, second]
            .into_iter()
            .flatten()
            .find(|(_, source)| *source == SourceKind::Screen)
            .map(|(key, _)| key)
    }

    /// The screen that ought to be on: a host's before others', the one on before newer ones.
    fn share(&self) -> Option<ParticipantKey> {
        let is_allowed = |key: ParticipantKey| match self.settings.switch_policy {
            SwitchPolicy::None => false,
            SwitchPolicy::Manual => self.spotlights.contains(&key),
            SwitchPolicy::Speaker | SwitchPolicy::HostOnly => true,
        };
        let shares = self
            .members
            .iter()
            .filter_map(|member| match member.screen {
                Video::Live { since, .. } if is_allowed(member.key) => {
                    Some((member.seat.rank != StageRank::Host, since, member.key))
                }
                _ => None,
            });
        shares.min().map(|(_, _, key)| key)
    }

    /// Lays the screen share over the camera programme and notes what changed.
    fn lay_share(
        &mut self,
        now: MonoTime,
        share: Option<ParticipantKey>,
        had_share: Option<ParticipantKey>,
        reason: Option<ProgrammeReason>,
    ) {
        let camera: Option<Picture> = self.owner.map(|owner| (owner, SourceKind::Camera));
        let screen: Option<Picture> = share.map(|key| (key, SourceKind::Screen));
        let is_lit = self.owner.is_some_and(|key| self.spotlights.contains(&key));
        let on = if screen.is_none() || (self.settings.spotlight_over_share && is_lit) {
            (camera, screen)
        } else {
            (screen, camera)
        };
        if on == self.on {
            return;
        }
        let reason = match (share, had_share) {
            (Some(new), old) if Some(new) != old => ProgrammeReason::ShareStarted,
            (None, Some(_)) => ProgrammeReason::ShareEnded,
            _ => reason.unwrap_or(ProgrammeReason::Policy),
        };
        self.on = on;
        self.why = (reason, now);
    }
}
