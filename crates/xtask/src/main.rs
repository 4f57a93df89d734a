//! Chores of the house: `cargo xtask test` is the one command that says whether the tree is good.
//!
//! `setup` installs what the tests need, `tidy` checks the house rules, `test` runs everything.

#![expect(clippy::print_stdout, reason = "a command-line tool talks to its user")]

mod process;
mod setup;
mod test;
mod tidy;

use clap::{Parser, Subcommand};

/// Chores of the Estrade workspace.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Runs every check: format, lints, tidy, SDK types, unit, simulated and browser tests.
    ///
    /// Installs what it needs first, as `setup` does. Fails, and says exactly what is missing, when
    /// it cannot: no test is ever left out silently.
    Test {
        /// Skips fmt, clippy, tidy and docs: only runs tests.
        #[arg(long)]
        only_tests: bool,
    },
    /// Installs what the tests need from Debian's packages, npm and PyPI (as root; says what is
    /// missing otherwise).
    Setup,
    /// Checks the house rules: who may import whom, file sizes, forbidden words, layout.
    Tidy,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::Test { only_tests } => test::run(only_tests),
        Chore::Setup => setup::run(),
        Chore::Tidy => tidy::run(),
    }
}
