//! Rules that can be read off the files: layout, sizes, words.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::{output_of, root};

/// What may stand at the top level, beside hidden files.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "rustfmt.toml",
    "clippy.toml",
    "deny.toml",
    "crates",
    "config",
    "benches",
    "deploy",
    "docs",
];

/// Longest file, in lines.
const LINES_MAX: usize = 600;

/// Where a clock may be read.
const CLOCK_READERS: &[&str] = &[
    "crates/shard/",
    "crates/directory/",
    "crates/control/",
    "crates/signal/",
    "crates/server/",
    "crates/xtask/",
    "benches/",
];

/// Lists every breach in the files git knows.
pub(super) fn check() -> Result<Vec<String>> {
    let root = root();
    let listed = output_of(
        "git",
        &[
            "-C",
            &root.to_string_lossy(),
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
    )
    .context("git cannot list the files")?;
    let mut breaches = Vec::new();
    for name in listed.lines() {
        let top = name.split('/').next().unwrap_or(name);
        if !top.starts_with('.') && !TOP_LEVEL.contains(&top) {
            breaches.push(format!("{top} does not belong at the top level"));
        }
        breaches.extend(file(&root, name));
    }
    breaches.dedup();
    Ok(breaches)
}

fn file(root: &Path, name: &str) -> Vec<String> {
    let path: PathBuf = root.join(name);
    let is_source = [".rs", ".js", ".py", ".proto"]
        .iter()
        .any(|ending| name.ends_with(ending));
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Vec::new();
    };
    let mut breaches = Vec::new();
    if is_source {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            breaches.push(format!(
                "{name} has {lines} lines: does it hold more than one concept?"
            ));
        }
    }
    if name.starts_with("crates/xtask/") {
        return breaches; // It spells the words out.
    }
    for (index, line) in text.lines().enumerate() {
        if let Some(what) = forbidden(name, line) {
            breaches.push(format!("{name}:{}: {what}", index + 1));
        }
    }
    breaches
}

/// What is wrong with a line, if anything.
fn forbidden(name: &str, line: &str) -> Option<&'static str> {
    let has = |word: &str| line.contains(word);
    if name.ends_with(".rs") {
        if has("todo!") || has("unimplemented!") || has("FIXME") {
            return Some("left-over: finish it or file it");
        }
        if has("#[ignore") || has("#[allow(") || has("#![allow(") {
            return Some("no ignored tests, no allowed lints: use expect with a reason");
        }
        let is_code = !line.trim_start().starts_with("//");
        let declares_unsafe = has("unsafe {") || has("unsafe fn") || has("unsafe impl");
        if is_code
            && declares_unsafe
            && !name.starts_with("crates/net/")
            && !name.contains("/tests/")
        {
            return Some("unsafe outside crates/net");
        }
        let reads_clock = has("Instant::now()") || has("SystemTime::now()");
        let may_read = CLOCK_READERS.iter().any(|reader| name.starts_with(reader));
        if is_code && reads_clock && !may_read && !name.contains("/tests") {
            return Some("reads a clock: time is an argument here");
        }
        let is_test = name.contains("/tests/") || name.ends_with("tests.rs");
        if is_test && is_code && (has("thread::sleep") || has("time::sleep(")) {
            return Some("sleeps in a test: wait for a condition");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_do_not_belong_are_found() {
        assert!(forbidden("crates/router/src/a.rs", "let t = Instant::now();").is_some());
        assert!(forbidden("crates/shard/src/a.rs", "let t = Instant::now();").is_none());
        assert!(forbidden("crates/shard/tests/it/a.rs", "std::thread::sleep(d);").is_some());
        assert!(forbidden("crates/router/src/a.rs", "unsafe { x }").is_some());
        assert!(forbidden("crates/net/src/a.rs", "unsafe { x }").is_none());
    }
}
