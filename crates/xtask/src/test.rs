//! The one command that says whether the tree is good.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::process::{self, cargo, root, target};
use crate::{setup, tidy};

/// Runs every check, in the order in which a failure is cheapest to learn of.
#[expect(
    clippy::disallowed_methods,
    reason = "times the run for the person who waits for it"
)]
pub(crate) fn run(only_tests: bool) -> Result<()> {
    let started = Instant::now();
    setup::run_all()?;
    if !only_tests {
        process::run(cargo().args(["fmt", "--all", "--check"]))?;
        tidy::run()?;
        sdk_types()?;
        process::run(cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))?;
        process::run(
            cargo()
                .args([
                    "doc",
                    "--workspace",
                    "--no-deps",
                    "--document-private-items",
                    "--quiet",
                ])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )?;
    }
    process::run(tests().args(["--workspace", "--exclude", "estrade-server"]))?;
    // Real browsers share the machine with the server under test: one scenario at a time.
    process::run(tests().args(["--package", "estrade-server", "--", "--test-threads=1"]))?;
    println!("\nAll checks passed in {} s.", started.elapsed().as_secs());
    Ok(())
}

fn tests() -> Command {
    let mut command = cargo();
    command.arg("test").env("ESTRADE_TEST_VENV", setup::venv());
    command.env("ESTRADE_TEST_WEB", root().join(".ci/web"));
    command.env("ESTRADE_TEST_TARGET", target());
    command
}

fn sdk_types() -> Result<()> {
    let folder = root().join(".ci/web");
    process::run(
        Command::new("node")
            .arg("node_modules/typescript/bin/tsc")
            .args(["-p", "tsconfig.json"])
            .current_dir(folder),
    )
}
