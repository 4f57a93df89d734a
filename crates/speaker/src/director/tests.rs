//! The rows of `product.md` §3.1, each by name, in virtual time.

mod following;
mod owners;
mod views;

use std::num::NonZeroU32;

use super::*;

struct Stage {
    director: Director,
    now: MonoTime,
    cuts: Vec<Decision>,
}

fn key(n: u32) -> ParticipantKey {
    ParticipantKey(NonZeroU32::new(n).expect("tests count from 1"))
}

const HOST: u32 = 1;
const COHOST: u32 = 2;

impl Stage {
    /// A stage of `seats`: 1 is the host, 2 a co-host, the rest speakers; nobody has a camera.
    fn of(seats: u32) -> Self {
        Self::with(seats, DirectorSettings::default())
    }

    fn with(seats: u32, settings: DirectorSettings) -> Self {
        let mut stage = Self {
            director: Director::new(STAGE_MAX, settings),
            now: MonoTime::from_millis(1_000),
            cuts: Vec::new(),
        };
        for n in 1..=seats {
            stage.seat(n);
        }
        stage
    }

    fn seat(&mut self, n: u32) {
        let rank = match n {
            HOST => StageRank::Host,
            COHOST => StageRank::Cohost,
            _ => StageRank::Speaker,
        };
        let seat = StageSeat {
            rank,
            order: u64::from(n),
        };
        assert!(self.director.on_seat(self.now, key(n), Some(seat)));
        self.drain();
    }

    fn unseat(&mut self, n: u32) {
        assert!(self.director.on_seat(self.now, key(n), None));
        self.drain();
    }

    fn camera(&mut self, n: u32, is_live: bool) {
        self.director
            .on_video(self.now, key(n), SourceKind::Camera, is_live);
        self.drain();
    }

    fn cameras(&mut self, seats: impl IntoIterator<Item = u32>) {
        for n in seats {
            self.camera(n, true);
        }
    }

    fn screen(&mut self, n: u32, is_live: bool) {
        self.director
            .on_video(self.now, key(n), SourceKind::Screen, is_live);
        self.drain();
    }

    fn packet(&mut self, n: u32) {
        self.director
            .on_picture(self.now, key(n), SourceKind::Camera);
        self.drain();
    }

    fn speaks(&mut self, n: u32) {
        self.director.on_active_speaker(self.now, Some(key(n)));
        self.drain();
    }

    fn spotlight(&mut self, seats: &[u32]) {
        let keys: Vec<_> = seats.iter().copied().map(key).collect();
        self.director
            .set_spotlight(self.now, &keys)
            .expect("few enough");
        self.drain();
    }

    /// Lets time pass, doing what is due when it is due.
    fn pass(&mut self, ms: u64) {
        let until = self.now.plus(Duration::from_millis(ms));
        while let Some(due) = self.director.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.director.on_timeout(self.now);
            self.drain();
            let next = self.director.next_deadline();
            assert_ne!(next, Some(due), "a deadline that was served is gone");
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(decision) = self.director.poll() {
            self.cuts.push(decision);
        }
    }

    /// Whose camera is on the main slot.
    fn shown(&self) -> Option<u32> {
        match self.director.programme() {
            Some((owner, SourceKind::Camera)) => Some(owner.0.get()),
            _ => None,
        }
    }

    fn main(&self) -> Option<(u32, SourceKind)> {
        self.director.programme().map(|(o, s)| (o.0.get(), s))
    }

    fn second(&self) -> Option<(u32, SourceKind)> {
        self.director.second().map(|(o, s)| (o.0.get(), s))
    }

    fn reason(&self) -> ProgrammeReason {
        self.cuts.last().expect("a decision was made").reason
    }

    fn view(&self, viewer: u32) -> Option<u32> {
        let picture = self.director.main_for(key(viewer), None);
        picture.map(|(owner, _)| owner.0.get())
    }

    fn view_pinned(&self, viewer: u32, pin: u32) -> Option<u32> {
        let picture = self.director.main_for(key(viewer), Some(key(pin)));
        picture.map(|(owner, _)| owner.0.get())
    }
}

fn settings(change: impl FnOnce(&mut DirectorSettings)) -> DirectorSettings {
    let mut settings = DirectorSettings::default();
    change(&mut settings);
    settings
}
