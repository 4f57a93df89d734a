//! WHIP and WHEP in the browser with other people's clients: Eyevinn's.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use estrade_types::Role;

use super::material::MATERIALS;
use super::studio::{Studio, scratch};
use crate::token::token;

const PATIENCE: Duration = Duration::from_secs(20);

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
    let output = Command::new(web.join("node_modules/.bin/esbuild"))
        .arg(&entry)
        .args(["--bundle", "--format=iife", "--log-level=error"])
        .env("NODE_PATH", web.join("node_modules"))
        .output()
        .expect("esbuild runs: `cargo xtask setup` installs it");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
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

    let publish_token = token(&room, "obs", Role::Host);
    publisher
        .run(&format!(
            "const stream = await navigator.mediaDevices.getUserMedia({{ video: true, audio: {{ noiseSuppression: false }} }});
             window.whip = new WHIPClient({{ endpoint: '{base}/whip/{room}', opts: {{ authkey: '{publish_token}', noTrickleIce: true }} }});
             await whip.ingest(stream);"
        ))
        .await;

    // The room is made by its host's joining, which the library does not wait for.
    publisher
        .until(
            "publishes",
            "return whip.peer?.connectionState === 'connected'",
        )
        .await;

    let play_token = token(&room, "viewer", Role::Listener);
    player
        .run(&format!(
            "const video = document.createElement('video');
             video.id = 'main-video'; document.getElementById('main-video')?.remove();
             Object.assign(video, {{ autoplay: true, playsInline: true }});
             document.body.append(video);
             const OwnConnection = RTCPeerConnection;
             window.RTCPeerConnection = class extends OwnConnection {{
               constructor(...rest) {{ super(...rest); window.connection = this; }}
             }};
             window.whep = new WebRTCPlayer({{ video, type: 'whep' }});
             await whep.load(new URL('{base}/whep/{room}'), 'Bearer {play_token}');"
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
    let directory = studio.server.directory();
    let id = estrade_types::RoomId::new(&room).expect("a room id");
    let gone = async {
        while !directory
            .room(&id)
            .await
            .expect("the room lives on")
            .stage
            .is_empty()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("the publisher's DELETE ends its session");
    publisher.close().await;
    player.close().await;
}
