//! The table, the JSON and the plot of a run.
#![expect(
    clippy::let_underscore_must_use,
    reason = "writing into a String does not fail"
)]

use std::fmt::Write as _;

use serde::Serialize;

use crate::score::Metrics;

/// One scenario under both rules.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// The scenario.
    pub(crate) scenario: &'static str,
    /// Jitsi's and mediasoup's rule.
    pub(crate) reference: Metrics,
    /// Ours.
    pub(crate) evidence: Metrics,
}

/// The results of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Which seeds: `tuning` or `held-out`.
    pub(crate) seeds: &'static str,
    /// Minutes of dialogue per scenario.
    pub(crate) minutes: f64,
    /// The scenarios.
    pub(crate) lines: Vec<Line>,
    /// Mean of the nineteen; missed turns summed.
    pub(crate) mean: Line,
    /// Scenarios beyond them, not in the mean.
    pub(crate) extra: Vec<Line>,
}

/// What a reader must know to judge the numbers.
const NOTES: &str = "\
## What was measured

- **Reference**: decisions every 300 ms; time without packets is filled with silence by elapsed time,
  as mediasoup does. Jitsi ships a fill at half speed, which under DTX is slower still (by about 70 ms at
  the median), so the stronger of the two stands here. It waits for voice before the first
  announcement, where both servers name whoever joined first: a mistake of theirs that is not held against
  the reference.
- **Speech**: eight espeak-ng voices brought to -26 dBov over their active frames, with the pauses espeak
  makes, and 0.08 to 1.1 s between sentences. Gaps between turns are normal with 0.25 s; turns are
  labelled from the first to the last audible frame, without the silence around it.
- **Back-channels** last at most 0.9 s, half of them in the holder's own pauses; 4 a minute usually, 6
  with 6 bursts of 20 to 400 ms at -20 dBov in that scenario, 12 in the monologue. Overlaps are 0.3 to 1.8 s.
- **Noise**: -70 to -60 dBov per microphone, 1.5 dB of jitter per packet. DTX: a packet per 400 ms.
- Earlier tables had words of up to 1.3 s among the back-channels, jitter per 10 ms (so less per packet),
  overlaps of up to 1.4 s and fewer back-channels; they do not compare with this one.
- Hums are rare in real rooms; `long silence` has three a minute, and most of the reference's false
  switches in the mean are there.
";

impl Report {
    /// The whole as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("# Who is speaking: the detectors, measured\n\n");
        let _ = writeln!(
            text,
            "Made by `cargo run --release -p estrade-speaker-bench -- --seeds {} --minutes {}`. \
             Synthetic dialogues of espeak-ng voices with labelled turns, {} minutes per scenario, \
             {} seeds. Reference: the rule of Jitsi and mediasoup at its 300 ms tick. Evidence: \
             Estrade's own at its default. Latency from the labelled onset of a turn, ms; false \
             switches per minute; missed turns of 1.5 s or more; time-weighted accuracy.\n",
            self.seeds, self.minutes, self.minutes, self.seeds
        );
        text.push_str(&self.table());
        let (reference, evidence) = (&self.mean.reference, &self.mean.evidence);
        let _ = writeln!(
            text,
            "\nOn the mean the evidence detector is {:.0} ms faster at the median and {:.0} ms at \
             p95, with {:.2} false switches per minute against {:.2}, and misses {:.0} turns \
             against {:.0}.\n",
            reference.p50_ms - evidence.p50_ms,
            reference.p95_ms - evidence.p95_ms,
            evidence.false_per_min,
            reference.false_per_min,
            evidence.missed,
            reference.missed
        );
        text.push_str("![Latency by scenario](speaker.svg)\n\n");
        text.push_str(NOTES);
        text
    }

    /// The table alone.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from(
            "| scenario | rule | p50 | p90 | p95 | false/min | missed | turns | accuracy |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        let all = self.lines.iter().chain([&self.mean]).chain(&self.extra);
        for line in all {
            for (rule, m) in [("reference", &line.reference), ("evidence", &line.evidence)] {
                let _ = writeln!(
                    text,
                    "| {} | {rule} | {:.0} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} | {:.3} |",
                    line.scenario,
                    m.p50_ms,
                    m.p90_ms,
                    m.p95_ms,
                    m.false_per_min,
                    m.missed,
                    m.turns,
                    m.accuracy
                );
            }
        }
        text
    }

    /// Latencies by scenario as bars: the median solid, p95 as a line.
    pub(crate) fn svg(&self) -> String {
        const ROW: f64 = 34.0;
        const LEFT: f64 = 190.0;
        const PX_PER_MS: f64 = 0.25;
        let all: Vec<_> = self
            .lines
            .iter()
            .chain([&self.mean])
            .chain(&self.extra)
            .collect();
        let height = ROW.mul_add(f64::from(u32::try_from(all.len()).unwrap_or(0)), 70.0);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"980\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" \
             fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"20\">latency from turn onset, ms: bar = \
             median, whisker = p95; at the right false switches per minute</text>\n"
        );
        for ms in [0.0, 500.0, 1000.0, 1500.0, 2000.0] {
            let x = PX_PER_MS.mul_add(ms, LEFT);
            let _ = writeln!(
                svg,
                "<line x1=\"{x}\" y1=\"42\" x2=\"{x}\" y2=\"{height}\" stroke=\"#ddd\"/>\
                 <text x=\"{x}\" y=\"38\" text-anchor=\"middle\" fill=\"#666\">{ms}</text>"
            );
        }
        let mut y = 50.0;
        for line in all {
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 16.0,
                line.scenario
            );
            let rules = [("#b0b0b0", &line.reference), ("#2a6fdb", &line.evidence)];
            for (color, metrics) in rules {
                let width = PX_PER_MS * metrics.p50_ms;
                let whisker = PX_PER_MS.mul_add(metrics.p95_ms, LEFT);
                let middle = y + 5.0;
                let _ = writeln!(
                    svg,
                    "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width}\" height=\"10\" \
                     fill=\"{color}\"/><line x1=\"{LEFT}\" y1=\"{middle}\" x2=\"{whisker}\" \
                     y2=\"{middle}\" stroke=\"{color}\" stroke-width=\"2\"/><text x=\"880\" \
                     y=\"{}\" fill=\"{color}\">{:.2}</text>",
                    y + 10.0,
                    metrics.false_per_min
                );
                y += 13.0;
            }
            y += ROW - 26.0;
        }
        svg.push_str("</svg>\n");
        svg
    }
}
