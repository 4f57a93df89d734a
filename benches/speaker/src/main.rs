//! Scores the speaker detectors: on synthetic dialogues with labelled turns, or on a recording.
//!
//! Without arguments it composes the scenarios from the committed traces with the held-out seeds
//! and writes table, JSON and plot to `benches/results/`. Detectors are tuned with
//! `--seeds tuning` only.

mod dialogue;
mod recording;
mod replay;
mod report;
mod rng;
mod scenario;
mod score;
mod traces;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};
use estrade_types::SpeakerRule;
use indicatif::{ProgressBar, ProgressStyle};

use recording::Names;
use report::{Line, Report};
use scenario::Scenario;
use score::{Metrics, Tally};

/// Length of one composed dialogue, s.
const DIALOGUE_S: f64 = 400.0;

/// Scores who-is-speaking detectors on labelled dialogues.
///
/// Without --levels: composes synthetic dialogues from the committed traces, scores the reference
/// rule and Estrade's own, prints the table and writes it with a plot. With --levels: runs one
/// detector over a recorded trace.
#[derive(Debug, Parser)]
#[command(
    name = "estrade-speaker-bench",
    version,
    args_conflicts_with_subcommands = true
)]
struct Args {
    /// CSV of packets as they arrived: time_ms,participant,level,voice,rtp_timestamp,ptime_ms
    /// (level 0 loudest to 127 silence; RTP time at 48 kHz; ptime_ms may be empty).
    #[arg(long, value_name = "FILE")]
    levels: Option<PathBuf>,

    /// RTTM whose SPEAKER lines are the turns that hold the floor; prints the score.
    #[arg(long, value_name = "FILE", requires = "levels")]
    rttm: Option<PathBuf>,

    /// The detector to run over --levels.
    #[arg(long, value_name = "NAME", value_enum, default_value_t = DetectorName::Evidence)]
    detector: DetectorName,

    /// Where to write one JSON line per change of the active speaker; else to standard output,
    /// unless a score is printed.
    #[arg(long, value_name = "FILE", requires = "levels")]
    events: Option<PathBuf>,

    /// Which seeds the dialogues are composed from.
    #[arg(long, value_enum, default_value_t = Seeds::HeldOut)]
    seeds: Seeds,

    /// Minutes of dialogue per scenario.
    #[arg(long, default_value_t = 80.0)]
    minutes: f64,

    /// Only scenarios whose name contains this.
    #[arg(long, value_name = "TEXT")]
    scenario: Option<String>,

    /// Where table, JSON and plot go.
    #[arg(long, value_name = "DIR", default_value = "benches/results")]
    out: PathBuf,

    /// Print the table only and write nothing.
    #[arg(long)]
    dry_run: bool,

    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Makes the committed traces anew; needs espeak-ng.
    Traces {
        /// Where they go.
        #[arg(long, default_value = "benches/speaker/traces")]
        out: PathBuf,
    },
    /// Writes one composed dialogue as levels.csv and turns.rttm, for use elsewhere.
    Export {
        /// The scenario: a part of its name.
        scenario: String,
        /// Its seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where the files go.
        #[arg(long, default_value = ".")]
        out: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DetectorName {
    /// Jitsi's and mediasoup's rule in its exact integer form.
    #[value(alias = "jitsi", alias = "mediasoup")]
    Reference,
    /// Estrade's own.
    #[value(alias = "estrade")]
    Evidence,
}

impl DetectorName {
    const fn rule(self) -> SpeakerRule {
        match self {
            Self::Reference => SpeakerRule::Reference,
            Self::Evidence => SpeakerRule::Evidence,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Seeds {
    /// For trying things out.
    Tuning,
    /// For results: never looked at while tuning.
    HeldOut,
}

impl Seeds {
    const fn first(self) -> u64 {
        match self {
            Self::Tuning => 1,
            Self::HeldOut => 1_000_001,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::HeldOut => "held-out",
        }
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    match (&args.command, &args.levels) {
        (Some(Task::Traces { out }), _) => traces::make(out),
        (
            Some(Task::Export {
                scenario,
                seed,
                out,
            }),
            _,
        ) => export(scenario, *seed, out),
        (None, Some(levels)) => score_recording(&args, levels),
        (None, None) => score_scenarios(&args),
    }
}

/// Runs one detector over a recording.
#[expect(clippy::print_stdout, reason = "the score is what was asked for")]
fn score_recording(args: &Args, levels: &Path) -> Result<()> {
    let mut names = Names::default();
    let rows = recording::read_levels(levels, &mut names)?;
    let replay = replay::replay(&rows, args.detector.rule());
    if let Some(events) = &args.events {
        let mut file = fs::File::create(events).with_context(|| events.display().to_string())?;
        recording::write_events(&mut file, &replay.changes, &names)?;
    } else if args.rttm.is_none() {
        recording::write_events(&mut std::io::stdout().lock(), &replay.changes, &names)?;
    }
    let Some(rttm) = &args.rttm else {
        return Ok(());
    };
    let turns = recording::read_rttm(rttm, &mut names)?;
    let last_packet = rows.last().map_or(0, |row| row.time_ms);
    let last_turn = turns.iter().map(|turn| turn.end_ms).max().unwrap_or(0);
    let length = last_packet.max(last_turn);
    let metrics = score::score(&replay.changes, &turns, length).metrics();
    println!("{}", serde_json::to_string_pretty(&metrics)?);
    if replay.refused > 0 {
        println!(
            "{} participants were beyond the stage's limit",
            replay.refused
        );
    }
    Ok(())
}

/// Runs both rules over all scenarios.
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
fn score_scenarios(args: &Args) -> Result<()> {
    let wanted = |scenario: &&Scenario| {
        let part = args.scenario.as_deref().unwrap_or_default();
        scenario.name.contains(part)
    };
    let standard: Vec<_> = scenario::ALL.iter().filter(wanted).collect();
    let extra: Vec<_> = scenario::EXTRA.iter().filter(wanted).collect();
    let all: Vec<_> = standard.iter().chain(&extra).copied().collect();
    let mut lines = run(args, &all)?;
    let extra = lines.split_off(standard.len());
    let of = |rule: fn(&Line) -> Metrics| {
        let each: Vec<_> = lines.iter().map(rule).collect();
        Metrics::mean(&each)
    };
    let mean = Line {
        scenario: "**mean** (missed: sum)",
        reference: of(|line| line.reference),
        evidence: of(|line| line.evidence),
    };
    let report = Report {
        seeds: args.seeds.name(),
        minutes: args.minutes,
        lines,
        mean,
        extra,
    };
    print!("{}", report.table());
    if !args.dry_run {
        fs::create_dir_all(&args.out)?;
        fs::write(args.out.join("speaker.md"), report.markdown())?;
        let mut json = serde_json::to_string_pretty(&report)?;
        json.push('\n');
        fs::write(args.out.join("speaker.json"), json)?;
        fs::write(args.out.join("speaker.svg"), report.svg())?;
    }
    Ok(())
}

/// Scores each scenario under both rules, on as many threads as there are cores.
fn run(args: &Args, scenarios: &[&Scenario]) -> Result<Vec<Line>> {
    let voices = traces::committed()?;
    let dialogues = dialogues_in(args.minutes);
    let jobs: Vec<(usize, u64)> = (0..scenarios.len())
        .flat_map(|scenario| (0..dialogues).map(move |n| (scenario, n)))
        .collect();
    let bar = ProgressBar::new(u64::try_from(jobs.len()).unwrap_or(0));
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} dialogues, {eta} left",
    )?);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((index, n)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(scenario) = scenarios.get(*index) else {
                continue;
            };
            // Each scenario has dialogues of its own.
            let seed = args.seeds.first() + 1_000 * u64::try_from(*index).unwrap_or(0) + n;
            let dialogue = dialogue::compose(scenario, &voices, seed, DIALOGUE_S);
            let tally = |rule| {
                let replay = replay::replay(&dialogue.rows, rule);
                score::score(&replay.changes, &dialogue.turns, dialogue.length_ms)
            };
            done.push((
                *index,
                tally(SpeakerRule::Reference),
                tally(SpeakerRule::Evidence),
            ));
            bar.inc(1);
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let done: Vec<_> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles
            .into_iter()
            .filter_map(|handle| handle.join().ok())
            .flatten()
            .collect()
    });
    bar.finish_and_clear();
    if done.len() != jobs.len() {
        anyhow::bail!("a worker failed");
    }
    let mut tallies = vec![(Tally::default(), Tally::default()); scenarios.len()];
    for (index, reference, evidence) in done {
        if let Some(sum) = tallies.get_mut(index) {
            sum.0.add(reference);
            sum.1.add(evidence);
        }
    }
    Ok(scenarios
        .iter()
        .zip(&tallies)
        .map(|(scenario, (reference, evidence))| Line {
            scenario: scenario.name,
            reference: reference.metrics(),
            evidence: evidence.metrics(),
        })
        .collect())
}

/// How many dialogues make so many minutes.
fn dialogues_in(minutes: f64) -> u64 {
    let mut dialogues = 1;
    while score::number(dialogues) * DIALOGUE_S < minutes * 60.0 && dialogues < 900 {
        dialogues += 1;
    }
    dialogues
}

#[expect(
    clippy::let_underscore_must_use,
    reason = "writing into a String does not fail"
)]
/// Writes one dialogue in the formats that `--levels` and `--rttm` read.
fn export(name: &str, seed: u64, out: &Path) -> Result<()> {
    use std::fmt::Write as _;
    let scenario = scenario::ALL
        .iter()
        .chain(&scenario::EXTRA)
        .find(|scenario| scenario.name.contains(name))
        .context("no scenario has that in its name")?;
    let dialogue = dialogue::compose(scenario, &traces::committed()?, seed, DIALOGUE_S);
    let mut levels = String::from("time_ms,participant,level,voice,rtp_timestamp,ptime_ms\n");
    for row in &dialogue.rows {
        let _ = writeln!(
            levels,
            "{},p{},{},{},{},{}",
            row.time_ms,
            row.participant,
            row.level,
            u8::from(row.voice),
            row.rtp_timestamp,
            row.ptime_ms.map(|ms| ms.to_string()).unwrap_or_default()
        );
    }
    let mut turns = String::new();
    for turn in &dialogue.turns {
        let start = score::number(turn.start_ms) / 1e3;
        let length = score::number(turn.end_ms - turn.start_ms) / 1e3;
        let _ = writeln!(
            turns,
            "SPEAKER dialogue 1 {start:.3} {length:.3} <NA> <NA> p{} <NA> <NA>",
            turn.participant
        );
    }
    fs::create_dir_all(out)?;
    fs::write(out.join("levels.csv"), levels)?;
    fs::write(out.join("turns.rttm"), turns)?;
    Ok(())
}
