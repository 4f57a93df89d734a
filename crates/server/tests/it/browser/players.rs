//! WHIP and WHEP in the browser with other people's clients: Eyevinn's.

use std::path::PathBuf;
use std::process::Command;

use estrade_types::Role;

use super::material::MATERIALS;
use super::studio::{Studio, scratch};

/// Puts both libraries on the page; the page itself takes no part.
const ENTRY: &str = r#"
import { WHIPClient } from "@eyevinn/whip-web-client";
import { WebRTCPlayer } from "@eyevinn/webrtc-player";
Object.assign(window, { WHIPClient, WebRTCPlayer });
"#;

/// One script with both libraries, made by esbuild.
fn bundle() -> String {
    let web = std::env::var_os("ESTRADE_TEST_WEB").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.ci/web")),
        PathBuf::from,
    );
    let entry = scratch().join("players.mjs");
    std::fs::write(&entry, ENTRY).expect("an entry file");
    let output = Command::new("node")
        .arg(web.join("node_modules/esbuild/bin/esbuild"))
        .arg(&entry)
        .args(["--bundle", "--format=iife", "--log-level=error"])
        .env("NODE_PATH", web.join("node_modules"))
        .output()
        .expect("esbuild runs: `cargo xtask setup` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a script")
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_whip_and_whep_clients_publish_and_play() {
    let bundle = bundle();
    let mut studio = Studio::open("players").await;
    let publisher = studio.visit("publisher", Some(MATERIALS[0])).await;
    let player = studio.visit("player", None).await;
    let base = format!("http://{}", studio.server.http_addr());
    let room = studio.room.clone();
    for page in [&publisher, &player] {
        page.inject(&bundle).await;
    }

    let token = studio.server.dev_token(&room, "obs", Role::Host);
    publisher
        .run(&format!(
            "const stream = await navigator.mediaDevices.getUserMedia({{ video: true, audio: {{ noiseSuppression: false }} }});
             window.whip = new WHIPClient({{ endpoint: '{base}/whip/{room}', opts: {{ authkey: '{token}', noTrickleIce: true }} }});
             await whip.ingest(stream);"
        ))
        .await;

    let token = studio.server.dev_token(&room, "viewer", Role::Listener);
    player
        .run(&format!(
            "const video = document.createElement('video');
             video.id = 'main-video'; document.getElementById('main-video')?.remove();
             Object.assign(video, {{ autoplay: true, muted: true, playsInline: true }});
             document.body.append(video);
             const OwnConnection = RTCPeerConnection;
             window.RTCPeerConnection = class extends OwnConnection {{
               constructor(...rest) {{ super(...rest); window.connection = this; }}
             }};
             window.whep = new WebRTCPlayer({{ video, type: 'whep' }});
             await whep.load(new URL('{base}/whep/{room}'), 'Bearer {token}');"
        ))
        .await;
    player.probe().await;
    player.sees(&publisher).await;
    player
        .until(
            "hears the publisher",
            "for (const report of (await connection.getStats()).values())
               if (report.type === 'inbound-rtp' && report.kind === 'audio' && report.totalAudioEnergy > 0.001) return true;
             return false;",
        )
        .await;

    publisher.run("await whip.destroy()").await;
    let rooms_empty = "return (await fetch('/healthz')).ok";
    player.until("still reaches the server", rooms_empty).await;
    publisher.close().await;
    player.close().await;
}
