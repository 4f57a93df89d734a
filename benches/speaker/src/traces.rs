//! Level traces of speech: the committed ones, and how they are made from `espeak-ng`.
//!
//! A trace is one voice: sentences and short words (back-channels), each a row of levels per 10 ms,
//! in dB below full scale, after the voice's active speech was brought to -26 dBov. As text: one
//! line per piece, `s` or `w`, a space, two hexadecimal digits per level.
#![expect(
    clippy::let_underscore_must_use,
    reason = "writing into a String does not fail"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Level of active speech in the traces, dBov.
const SPEECH_DBOV: f64 = -26.0;

/// The longest back-channel, in 10 ms: `speaker.md` §8 has them last 0.3 to 0.9 s. What a voice says
/// more slowly is left out.
const WORD_FRAMES_MAX: usize = 90;

/// The committed voices.
const VOICES: [(&str, &str); 8] = [
    ("en-us", include_str!("../traces/en-us.txt")),
    ("en-gb-f2", include_str!("../traces/en-gb-f2.txt")),
    (
        "en-gb-scotland-m3",
        include_str!("../traces/en-gb-scotland-m3.txt"),
    ),
    ("de-m1", include_str!("../traces/de-m1.txt")),
    ("fr-f4", include_str!("../traces/fr-f4.txt")),
    ("es-m7", include_str!("../traces/es-m7.txt")),
    ("it-f3", include_str!("../traces/it-f3.txt")),
    ("en-us-f5", include_str!("../traces/en-us-f5.txt")),
];

/// One voice's pieces, levels in dB below full scale per 10 ms.
#[derive(Clone, Debug, Default)]
pub(crate) struct Voice {
    /// Sentences.
    pub(crate) sentences: Vec<Vec<u8>>,
    /// Back-channels: "mm", "right".
    pub(crate) words: Vec<Vec<u8>>,
}

/// Reads the committed voices.
pub(crate) fn committed() -> Result<Vec<Voice>> {
    VOICES
        .iter()
        .map(|(name, text)| parse(text).with_context(|| format!("trace {name}")))
        .collect()
}

fn parse(text: &str) -> Result<Voice> {
    let mut voice = Voice::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (kind, digits) = line
            .split_once(' ')
            .context("a line is a kind and levels")?;
        let levels = digits
            .as_bytes()
            .chunks_exact(2)
            .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
            .collect::<Result<Vec<u8>>>()?;
        match kind {
            "s" => voice.sentences.push(levels),
            "w" => voice.words.push(levels),
            _ => bail!("unknown kind of piece"),
        }
    }
    voice.words.retain(|word| word.len() <= WORD_FRAMES_MAX);
    if voice.sentences.is_empty() || voice.words.is_empty() {
        bail!("a voice has sentences and words");
    }
    Ok(voice)
}

const SENTENCES: [&str; 9] = [
    "Good evening everybody, and welcome to the second part of our conversation about the harbor.",
    "I think we should look at the numbers again before we promise anything to anyone.",
    "Well, that depends. If the weather holds, the team can start on Monday morning.",
    "Nobody asked me, but the old plan was simpler, cheaper and a good deal easier to explain.",
    "Could you say a little more about how the money was spent last year?",
    "We tried it twice. The first time it failed, and the second time it failed more slowly.",
    "There is a small village behind the mountain where they still ring the bell by hand.",
    "Yes, and what worries me most is not the delay but the silence that came with it.",
    "Let us take one more question from the audience and then come back to this point.",
];

const WORDS: [&str; 8] = [
    "mm",
    "right",
    "yeah",
    "okay",
    "uh huh",
    "I see",
    "sure, sure",
    "yes, exactly",
];

/// Speaks the texts with `espeak-ng` and writes one trace per voice into `out`.
///
/// # Errors
///
/// When `espeak-ng` is missing or a file cannot be written.
pub(crate) fn make(out: &Path) -> Result<()> {
    let espeak = [
        ("en-us", "en-us", 165),
        ("en-gb-f2", "en-gb+f2", 175),
        ("en-gb-scotland-m3", "en-gb-scotland+m3", 155),
        ("de-m1", "de+m1", 170),
        ("fr-f4", "fr-fr+f4", 180),
        ("es-m7", "es+m7", 185),
        ("it-f3", "it+f3", 160),
        ("en-us-f5", "en-us+f5", 190),
    ];
    for (file, voice, words_per_minute) in espeak {
        let mut text = format!("# espeak-ng -v {voice} -s {words_per_minute}; levels per 10 ms\n");
        let mut pieces = Vec::new();
        for (kind, said) in SENTENCES
            .iter()
            .map(|said| ('s', said))
            .chain(WORDS.iter().map(|said| ('w', said)))
        {
            pieces.push((kind, powers(&speak(voice, words_per_minute, said)?)));
        }
        let gain = gain_to_speech(&pieces);
        for (kind, powers) in pieces {
            let levels: Vec<u8> = powers.iter().map(|power| level(power * gain)).collect();
            let audible = |level: &u8| *level < 52;
            let first = levels.iter().position(audible).unwrap_or(0);
            let last = levels.iter().rposition(audible).unwrap_or(0);
            let _ = write!(text, "{kind} ");
            for level in levels.get(first..=last).unwrap_or_default() {
                let _ = write!(text, "{level:02x}");
            }
            text.push('\n');
        }
        std::fs::write(out.join(format!("{file}.txt")), text)?;
    }
    Ok(())
}

/// 16-bit mono samples at 22 050 Hz.
fn speak(voice: &str, words_per_minute: u32, said: &str) -> Result<Vec<i16>> {
    let speed = words_per_minute.to_string();
    let output = Command::new("espeak-ng")
        .args(["-v", voice, "-s", &speed, "--stdout", said])
        .output()
        .context("espeak-ng cannot be run")?;
    let samples = output.stdout.get(44..).context("espeak-ng said nothing")?;
    Ok(samples
        .chunks_exact(2)
        .filter_map(|pair| Some(i16::from_le_bytes(*pair.first_chunk()?)))
        .collect())
}

/// Mean power of each 10 ms, full scale 1.
fn powers(samples: &[i16]) -> Vec<f64> {
    samples
        .chunks(220)
        .map(|frame| {
            let sum: f64 = frame
                .iter()
                .map(|sample| (f64::from(*sample) / 32_768.0).powi(2))
                .sum();
            sum / 220.0
        })
        .collect()
}

/// Factor that brings the active speech of all pieces to [`SPEECH_DBOV`].
fn gain_to_speech(pieces: &[(char, Vec<f64>)]) -> f64 {
    let active = pieces
        .iter()
        .flat_map(|(_, powers)| powers)
        .filter(|p| **p > 1e-5);
    let (count, sum) = active.fold((0.0, 0.0), |(n, sum), power| (n + 1.0, sum + power));
    10_f64.powf(SPEECH_DBOV / 10.0) / (sum / f64::max(count, 1.0)).max(1e-9)
}

/// Level in dB below full scale, 0 to 127. RFC 6464 §3.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=127 before the cast"
)]
pub(crate) fn level(power: f64) -> u8 {
    (-10.0 * power.max(1e-13).log10()).round().clamp(0.0, 127.0) as u8
}
