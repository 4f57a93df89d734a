//! Who may import whom: arrows point down only. docs/ARCHITECTURE.md draws the picture.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{cargo, root};

/// Each crate with its layer: a crate uses rows below its own, never its own row.
const LAYERS: &[(&str, u8)] = &[
    ("estrade-types", 0),
    ("estrade-rtp", 1),
    ("estrade-sdp", 1),
    ("estrade-telemetry", 1),
    ("estrade-net", 1),
    ("estrade-transport", 2),
    ("estrade-congestion", 2),
    ("estrade-router", 3),
    ("estrade-speaker", 3),
    ("estrade-room", 4),
    ("estrade-shard", 4),
    ("estrade-directory", 5),
    ("estrade-control", 6),
    ("estrade-signal", 6),
    ("estrade-cluster", 6),
    ("estrade-program", 6),
    ("estrade-server", 7),
];

/// Crates that never touch a clock, a socket, a thread or a lock.
const SANS_IO: &[&str] = &[
    "estrade-types",
    "estrade-rtp",
    "estrade-sdp",
    "estrade-transport",
    "estrade-congestion",
    "estrade-router",
    "estrade-speaker",
    "estrade-room",
];

/// What a sans-IO crate must not depend on directly.
const IO_CRATES: &[&str] = &[
    "tokio",
    "tokio-stream",
    "socket2",
    "libc",
    "mio",
    "parking_lot",
    "crossbeam",
];

/// What an edge must not reach past the directory for.
const MEDIA_CRATES: &[&str] = &[
    "estrade-router",
    "estrade-transport",
    "estrade-net",
    "estrade-shard",
    "estrade-speaker",
];

/// What must not reach the media side.
const EDGE_CRATES: &[&str] = &[
    "tonic",
    "axum",
    "async-nats",
    "serde_yaml",
    "prost",
    "hyper",
    "reqwest",
];

/// Lists every dependency that points the wrong way.
pub(super) fn check() -> Result<Vec<String>> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut breaches = Vec::new();
    for package in list(&metadata, "packages") {
        let name = word(package, "name");
        for dependency in list(package, "dependencies") {
            // `null` is the normal kind; tests and build scripts may reach further.
            if dependency.get("kind").is_none_or(Value::is_null) {
                let other = word(dependency, "name");
                breaches.extend(breach(name, other));
            }
        }
    }
    Ok(breaches)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn layer_of(name: &str) -> Option<u8> {
    LAYERS
        .iter()
        .find(|(each, _)| *each == name)
        .map(|(_, layer)| *layer)
}

fn breach(name: &str, other: &str) -> Option<String> {
    let own = layer_of(name)?;
    if let Some(below) = layer_of(other)
        && below >= own
    {
        return Some(format!(
            "{name} (layer {own}) depends on {other} (layer {below})"
        ));
    }
    if SANS_IO.contains(&name) && IO_CRATES.contains(&other) {
        return Some(format!("{name} is sans-IO and depends on {other}"));
    }
    if own == 6 && MEDIA_CRATES.contains(&other) {
        return Some(format!(
            "{name} is an edge and reaches past the directory to {other}"
        ));
    }
    if own <= 4 && EDGE_CRATES.contains(&other) {
        return Some(format!("{name} is below the edges and depends on {other}"));
    }
    if other == "estrade-sim" {
        return Some(format!("{name} depends on estrade-sim outside its tests"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_down_only() {
        assert!(breach("estrade-router", "estrade-rtp").is_none());
        assert!(breach("estrade-router", "estrade-speaker").is_some());
        assert!(breach("estrade-signal", "estrade-directory").is_none());
        assert!(breach("estrade-signal", "estrade-shard").is_some());
        assert!(breach("estrade-signal", "estrade-control").is_some());
        assert!(breach("estrade-room", "tokio").is_some());
        assert!(breach("estrade-shard", "tonic").is_some());
        assert!(breach("estrade-net", "libc").is_none());
    }
}
