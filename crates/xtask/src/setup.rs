//! What the tests need beside Rust, and how to get it on Debian.

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{self, is_installed, output_of, root, target};

/// A program the tests run, and the Debian package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("firefox-esr", "firefox-esr"),
    ("espeak-ng", "espeak-ng"),
    ("ffmpeg", "ffmpeg"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3"),
];

/// Python packages of the independent WHIP and WHEP peer, and of the gRPC example.
const PYTHON_PACKAGES: &[&str] = &[
    "aiortc==1.16.0",
    "av==18.1.0",
    "aiohttp==3.14.5",
    "numpy==2.4.6",
    "grpcio==1.85.1",
    "grpcio-tools==1.85.1",
];

/// Installs what is missing, or says what is.
pub(crate) fn run_all() -> Result<()> {
    debian_packages()?;
    npm_packages()?;
    python_packages()
}

/// The chore.
pub(crate) fn run() -> Result<()> {
    run_all()?;
    println!("\nEverything the tests need is here.");
    Ok(())
}

fn missing_packages() -> Vec<&'static str> {
    let missing = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_installed(program));
    let mut packages: Vec<_> = missing.map(|(_, package)| *package).collect();
    if output_of("python3", &["-c", "import venv, ensurepip"]).is_none() {
        packages.push("python3-venv");
    }
    packages
}

fn debian_packages() -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    let is_root = output_of("id", &["-u"]).as_deref() == Some("0");
    if !is_root || !is_installed("apt-get") {
        bail!(
            "the tests need these Debian packages, and only root can install them:\n\n    \
             sudo apt-get install --no-install-recommends {wanted}\n"
        );
    }
    process::run(Command::new("apt-get").args(["update", "-q"]))?;
    process::run(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(&missing),
    )?;
    let still_missing = missing_packages();
    if !still_missing.is_empty() {
        bail!(
            "installed, but still not found: {}",
            still_missing.join(" ")
        );
    }
    Ok(())
}

fn npm_packages() -> Result<()> {
    let folder = root().join(".ci/web");
    let stamp = folder.join("node_modules/.package-lock.json");
    let is_fresh = match (
        stamp.metadata(),
        folder.join("package-lock.json").metadata(),
    ) {
        (Ok(installed), Ok(locked)) => match (installed.modified(), locked.modified()) {
            (Ok(installed), Ok(locked)) => installed >= locked,
            _ => false,
        },
        _ => false,
    };
    if is_fresh {
        return Ok(());
    }
    process::run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(folder),
    )
}

/// Where the Python peers' packages live.
pub(crate) fn venv() -> std::path::PathBuf {
    target().join("venv")
}

fn python_packages() -> Result<()> {
    let python = venv().join("bin/python3");
    let stamp = venv().join("installed");
    let wanted = PYTHON_PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(wanted.as_str()) {
        return Ok(());
    }
    process::run(Command::new("python3").args(["-m", "venv"]).arg(venv()))?;
    process::run(
        Command::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(PYTHON_PACKAGES),
    )?;
    std::fs::write(stamp, wanted)?;
    Ok(())
}
