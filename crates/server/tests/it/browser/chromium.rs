//! Chromium through its driver.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use super::material::Material;

/// Flags of every browser: quiet, no network of its own, loopback candidates, no throttling.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
];

/// A driver process; its browsers die with it.
#[derive(Debug)]
pub(crate) struct Chromedriver {
    process: Child,
    address: String,
}

impl Chromedriver {
    /// Starts the driver on a free port.
    pub(crate) fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "chromedriver: {error}\nRun `cargo xtask setup` to install what the tests need."
                )
            });
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let port = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("started successfully on port ")?;
                rest.trim_end_matches('.').trim().parse::<u16>().ok()
            })
            .expect("chromedriver says its port");
        Self {
            process,
            address: format!("http://127.0.0.1:{port}"),
        }
    }

    /// Opens a browser whose microphone and camera play `material`.
    pub(crate) async fn browser(&self, material: Option<Material>, folder: &Path) -> Client {
        let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
        flags.push("--window-size=1280,800".to_owned());
        flags.push("--use-fake-device-for-media-stream".to_owned());
        if let Some(material) = material {
            let audio = material.audio(folder);
            let video = material.video(folder);
            flags.push(format!(
                "--use-file-for-fake-audio-capture={}",
                audio.display()
            ));
            flags.push(format!(
                "--use-file-for-fake-video-capture={}",
                video.display()
            ));
        }
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let serde_json::Value::Object(capabilities) = capabilities else {
            unreachable!()
        };
        ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.address)
            .await
            .expect("the driver opens a browser")
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        // The whole group: the driver's browsers do not end with it.
        let group = format!("-{}", self.process.id());
        let _ended = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _reaped = self.process.wait();
    }
}
