//! WHIP and WHEP with a stack that nobody here wrote: aiortc, from Python.

use std::process::Stdio;
use std::time::Duration;

use estrade_server::{Config, Server};
use estrade_types::Role;
use serde_json::Value;

use crate::token::token;

/// The Python of the tests' own environment, which `cargo xtask setup` makes.
fn python() -> std::path::PathBuf {
    let venv = std::env::var_os("ESTRADE_TEST_VENV").map_or_else(
        || std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("../venv"),
        std::path::PathBuf::from,
    );
    let python = venv.join("bin/python3");
    assert!(
        python.exists(),
        "{} is missing: run `cargo xtask setup`",
        python.display()
    );
    python
}

async fn publish_and_play(codec: &str) -> Value {
    let server = Server::start(Config::dev().on_any_ports())
        .await
        .expect("the server starts");
    let room = format!("whip-{}", codec.to_lowercase());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/whip_whep.py");
    let output = tokio::process::Command::new(python())
        .arg(script)
        .args(["--url", &format!("http://{}", server.http_addr())])
        .args(["--room", &room, "--codec", codec])
        .args([
            "--publisher-token",
            &token(&room, "publisher", Role::Speaker),
        ])
        .args(["--player-token", &token(&room, "player", Role::Listener)])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .expect("Python runs");
    server.stop(Duration::from_secs(5)).await;
    assert!(
        output.status.success(),
        "the script failed: {}",
        output.status
    );
    let text = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn assert_content(played: &Value) {
    assert!(played["audio_frames"].as_u64() > Some(100), "{played}");
    assert!(played["video_frames"].as_u64() > Some(30), "{played}");
    assert!(
        played["loudest"].as_u64() > Some(2_000),
        "the tone is heard: {played}"
    );
    let blue = played["color"][2].as_u64();
    let red = played["color"][0].as_u64();
    assert!(
        blue > Some(180) && red < Some(60),
        "the picture is blue: {played}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn aiortc_publishes_by_whip_and_plays_by_whep_in_vp8() {
    assert_content(&publish_and_play("VP8").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn aiortc_publishes_by_whip_and_plays_by_whep_in_h264() {
    assert_content(&publish_and_play("H264").await);
}
