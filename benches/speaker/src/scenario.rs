//! The nineteen scenarios of `speaker.md` §8.

/// What a client lies about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// 0 dBov, always.
    Constant,
    /// 30 dB more than there is.
    Louder,
}

impl Lie {
    /// Whether `participant` of so many is the liar.
    pub(crate) const fn is_of(self, participant: usize, participants: usize) -> bool {
        match self {
            // The last one, who never talks.
            Self::Constant => participant + 1 == participants,
            Self::Louder => participant == 0,
        }
    }
}

/// What one kind of dialogue is made of.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Its name in tables.
    pub(crate) name: &'static str,
    /// How many microphones.
    pub(crate) participants: usize,
    /// Packet duration.
    pub(crate) ptime_ms: u32,
    /// Back-channels.
    pub(crate) interjections_per_min: f64,
    /// Short loud noises.
    pub(crate) bursts_per_min: f64,
    /// Long steady noises.
    pub(crate) hums_per_min: f64,
    /// Share of handovers in which the next talks over the last words.
    pub(crate) overlap: f64,
    /// Levels of talkers differ by up to this both ways.
    pub(crate) spread_db: f64,
    /// Noise of participant 0, if it is unusual.
    pub(crate) noisy_dbov: Option<f64>,
    /// Discontinuous transmission: a packet per 400 ms in silence.
    pub(crate) dtx: bool,
    /// Share of packets lost; half as many come 30 ms late.
    pub(crate) loss: f64,
    /// What one client lies about.
    pub(crate) lie: Option<Lie>,
    /// Two participants type.
    pub(crate) keyboard: bool,
    /// One talks for minutes.
    pub(crate) monologue: bool,
    /// The last participant only coughs.
    pub(crate) coughs: bool,
    /// Pauses of up to 40 s.
    pub(crate) long_silence: bool,
    /// Laughter of all.
    pub(crate) laughs_per_min: f64,
}

impl Scenario {
    /// Whether the last participant never takes a turn.
    pub(crate) const fn has_mute_member(&self) -> bool {
        self.coughs || matches!(self.lie, Some(Lie::Constant))
    }
}

/// Turns and nothing else.
const CLEAN: Scenario = Scenario {
    name: "clean turns",
    participants: 5,
    ptime_ms: 20,
    interjections_per_min: 0.0,
    bursts_per_min: 0.0,
    hums_per_min: 0.0,
    overlap: 0.0,
    spread_db: 0.0,
    noisy_dbov: None,
    dtx: false,
    loss: 0.0,
    lie: None,
    keyboard: false,
    monologue: false,
    coughs: false,
    long_silence: false,
    laughs_per_min: 0.0,
};

/// What the other scenarios vary: turns with some back-channels and noises.
const USUAL: Scenario = Scenario {
    interjections_per_min: 4.0,
    bursts_per_min: 2.0,
    ..CLEAN
};

/// All of them. Rates of back-channels and noises and lengths of overlaps, which `speaker.md` leaves
/// open, were set so that the reference rule scores about as its tables have it.
pub(crate) const ALL: [Scenario; 19] = [
    CLEAN,
    Scenario {
        name: "back-channels, bursts",
        interjections_per_min: 6.0,
        bursts_per_min: 6.0,
        ..CLEAN
    },
    Scenario {
        name: "40 % overlaps",
        overlap: 0.4,
        ..USUAL
    },
    Scenario {
        name: "noisy microphone -42",
        noisy_dbov: Some(-42.0),
        ..USUAL
    },
    Scenario {
        name: "noisy microphone -38",
        noisy_dbov: Some(-38.0),
        ..USUAL
    },
    Scenario {
        name: "levels ±12 dB",
        spread_db: 12.0,
        ..USUAL
    },
    Scenario {
        name: "2 participants",
        participants: 2,
        ..USUAL
    },
    Scenario {
        name: "13 participants",
        participants: 13,
        ..USUAL
    },
    Scenario {
        name: "DTX",
        dtx: true,
        ..USUAL
    },
    Scenario {
        name: "60 ms packets",
        ptime_ms: 60,
        ..USUAL
    },
    Scenario {
        name: "5 % loss",
        loss: 0.05,
        ..USUAL
    },
    Scenario {
        name: "10 % loss",
        loss: 0.10,
        ..USUAL
    },
    Scenario {
        name: "liar: constant 0 dBov",
        lie: Some(Lie::Constant),
        ..USUAL
    },
    Scenario {
        name: "liar: +30 dB",
        lie: Some(Lie::Louder),
        ..USUAL
    },
    Scenario {
        name: "keyboards",
        keyboard: true,
        ..USUAL
    },
    Scenario {
        name: "monologue",
        monologue: true,
        interjections_per_min: 12.0,
        ..USUAL
    },
    Scenario {
        name: "coughing guest",
        coughs: true,
        ..USUAL
    },
    Scenario {
        name: "long silence",
        long_silence: true,
        bursts_per_min: 4.0,
        hums_per_min: 3.0,
        ..USUAL
    },
    Scenario {
        name: "laughter of all",
        laughs_per_min: 2.0,
        ..USUAL
    },
];

/// Packets and loss of other sizes, beyond the nineteen: not in the mean.
pub(crate) const EXTRA: [Scenario; 3] = [
    Scenario {
        name: "10 ms packets",
        ptime_ms: 10,
        ..USUAL
    },
    Scenario {
        name: "2 % loss",
        loss: 0.02,
        ..USUAL
    },
    Scenario {
        name: "no back-channels",
        interjections_per_min: 0.0,
        ..USUAL
    },
];
