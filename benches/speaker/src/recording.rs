//! Traces and labels that come from elsewhere: the CSV of levels, RTTM, and the events written.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::dialogue::{Row, Turn};
use crate::score::Change;

/// Names in order of first appearance; a participant is an index into them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    names: Vec<String>,
    index: HashMap<String, usize>,
}

impl Names {
    /// The index of `name`, new or known.
    fn of(&mut self, name: &str) -> usize {
        if let Some(index) = self.index.get(name) {
            return *index;
        }
        let index = self.names.len();
        self.names.push(name.to_owned());
        self.index.insert(name.to_owned(), index);
        index
    }

    fn name(&self, participant: usize) -> Option<&str> {
        self.names.get(participant).map(String::as_str)
    }
}

/// Reads `time_ms,participant,level,voice,rtp_timestamp,ptime_ms`, one packet per line as it
/// arrived, with or without that line as a head.
///
/// # Errors
///
/// When the file cannot be read or a line does not have that form.
pub(crate) fn read_levels(path: &Path, names: &mut Names) -> Result<Vec<Row>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let is_head = number == 0 && line.starts_with("time_ms");
        if line.is_empty() || line.starts_with('#') || is_head {
            continue;
        }
        let place = || format!("{}:{}", path.display(), number + 1);
        rows.push(read_row(line, names).with_context(place)?);
    }
    Ok(rows)
}

fn read_row(line: &str, names: &mut Names) -> Result<Row> {
    let mut fields = line.split(',').map(str::trim);
    let mut next = |name: &'static str| fields.next().with_context(|| format!("{name} is missing"));
    let time: f64 = next("time_ms")?.parse().context("time_ms")?;
    let participant = names.of(next("participant")?);
    let level: f64 = next("level")?.parse().context("level")?;
    let voice = next("voice")?;
    let timestamp: i64 = next("rtp_timestamp")?.parse().context("rtp_timestamp")?;
    let ptime = next("ptime_ms").unwrap_or_default();
    Ok(Row {
        time_ms: whole(time),
        participant,
        level: u8::try_from(whole(level).min(127)).unwrap_or(127),
        voice: matches!(voice, "1" | "true" | "True"),
        rtp_timestamp: u32::try_from(timestamp.rem_euclid(1 << 32)).unwrap_or(0),
        ptime_ms: match ptime {
            "" => None,
            text => u32::try_from(whole(text.parse().context("ptime_ms")?))
                .ok()
                .filter(|ms| *ms > 0),
        },
    })
}

/// Reads the SPEAKER lines of an RTTM file as turns.
///
/// # Errors
///
/// When the file cannot be read or a SPEAKER line has no times.
pub(crate) fn read_rttm(path: &Path, names: &mut Names) -> Result<Vec<Turn>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut turns = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let fields: Vec<_> = line.split_whitespace().collect();
        if fields.first() != Some(&"SPEAKER") {
            continue;
        }
        let field = |index: usize| {
            let place = || format!("{}:{}: field {index}", path.display(), number + 1);
            fields.get(index).copied().with_context(place)
        };
        let start: f64 = field(3)?.parse().context("start")?;
        let duration: f64 = field(4)?.parse().context("duration")?;
        turns.push(Turn {
            participant: names.of(field(7)?),
            start_ms: whole(start * 1e3),
            end_ms: whole((start + duration) * 1e3),
        });
    }
    turns.sort_by_key(|turn| turn.start_ms);
    Ok(turns)
}

#[derive(Serialize)]
struct Event<'a> {
    time_ms: u64,
    active: Option<&'a str>,
}

/// Writes one line per change.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write_events(
    out: &mut dyn std::io::Write,
    changes: &[Change],
    names: &Names,
) -> Result<()> {
    let mut out = std::io::BufWriter::new(out);
    for change in changes {
        let event = Event {
            time_ms: change.time_ms,
            active: change
                .active
                .and_then(|participant| names.name(participant)),
        };
        serde_json::to_writer(&mut out, &event)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// The nearest whole number; 0 for what is negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made non-negative; a cast saturates"
)]
fn whole(number: f64) -> u64 {
    number.max(0.0).round() as u64
}
