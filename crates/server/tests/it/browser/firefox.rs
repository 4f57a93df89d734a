//! Firefox through WebDriver BiDi, which it speaks itself.

use std::path::Path;
use std::process::Stdio;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Fake devices without questions, plain addresses, no traffic of its own.
const PREFERENCES: &str = r#"
user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);
user_pref("media.peerconnection.ice.default_address_only", false);
user_pref("media.autoplay.default", 0);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("remote.active-protocols", 1);
"#;

/// A Firefox with one page.
#[derive(Debug)]
pub(crate) struct Firefox {
    _process: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    context: String,
    next_id: u64,
}

impl Firefox {
    /// Starts Firefox with an empty profile in `folder`.
    pub(crate) async fn start(folder: &Path) -> Self {
        let profile = folder.join("firefox");
        std::fs::create_dir_all(&profile).expect("a profile folder");
        std::fs::write(profile.join("user.js"), PREFERENCES).expect("preferences");
        let mut process = Command::new("firefox-esr")
            .args([
                "--headless",
                "--no-remote",
                "--remote-debugging-port=0",
                "--profile",
            ])
            .arg(&profile)
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "firefox-esr: {error}\nRun `cargo xtask setup` to install what the tests need."
                )
            });
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let address = loop {
            let line = lines
                .next_line()
                .await
                .expect("readable")
                .expect("Firefox says its address");
            if let Some((_, address)) = line.split_once("WebDriver BiDi listening on ") {
                break address.trim().to_owned();
            }
        };
        // Keeps its pipe from filling up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = connect_async(format!("{address}/session"))
            .await
            .expect("BiDi connects");
        let mut firefox = Self {
            _process: process,
            socket,
            context: String::new(),
            next_id: 1,
        };
        firefox
            .call("session.new", json!({ "capabilities": {} }))
            .await;
        let tree = firefox.call("browsingContext.getTree", json!({})).await;
        tree["contexts"][0]["context"]
            .as_str()
            .expect("one page")
            .clone_into(&mut firefox.context);
        firefox
    }

    /// Loads a page.
    pub(crate) async fn goto(&mut self, url: &str) {
        let context = self.context.clone();
        self.call(
            "browsingContext.navigate",
            json!({ "context": context, "url": url, "wait": "complete" }),
        )
        .await;
    }

    /// Runs a script that may `await`, and returns what it returns, by way of JSON.
    pub(crate) async fn run(&mut self, script: &str) -> Value {
        let expression =
            format!("(async () => {{ {script} }})().then((v) => JSON.stringify(v ?? null))");
        let target = json!({ "context": self.context });
        let parameters = json!({ "expression": expression, "target": target, "awaitPromise": true, "userActivation": true });
        let outcome = self.call("script.evaluate", parameters).await;
        let text = outcome["result"]["value"].as_str();
        let text = text.unwrap_or_else(|| panic!("{script}: {outcome}"));
        serde_json::from_str(text).expect("JSON comes back")
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let command = json!({ "id": id, "method": method, "params": params });
        self.socket
            .send(Message::text(command.to_string()))
            .await
            .expect("BiDi is open");
        loop {
            let message = self
                .socket
                .next()
                .await
                .expect("BiDi stays open")
                .expect("a message");
            let Message::Text(text) = message else {
                continue;
            };
            let reply: Value = serde_json::from_str(&text).expect("BiDi speaks JSON");
            if reply["id"] == json!(id) {
                assert_eq!(reply["type"], "success", "{method}: {reply}");
                return reply["result"].clone();
            }
        }
    }
}
