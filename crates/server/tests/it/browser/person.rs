//! One person: a browser on the demo page, joined to the room.

use std::time::{Duration, Instant};

use fantoccini::{Client, Locator};
use serde_json::{Value, json};

use super::material::Material;
use super::probe::PROBE;

/// How long anything may take before a test gives up. Long, because the machine is shared; nothing
/// waits for it when things work.
const PATIENCE: Duration = Duration::from_secs(45);

/// A person in the room.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) identity: String,
    pub(crate) material: Option<Material>,
    browser: Client,
}

impl Person {
    /// Opens the page by an invite link and joins by its button.
    pub(crate) async fn join(
        browser: Client,
        link: &str,
        identity: &str,
        material: Option<Material>,
    ) -> Self {
        browser.goto(link).await.expect("the page loads");
        let person = Self {
            identity: identity.to_owned(),
            material,
            browser,
        };
        let button = person
            .browser
            .find(Locator::Css("#join button"))
            .await
            .expect("a join button");
        button.click().await.expect("the button can be pressed");
        person
            .until(
                "is in the room",
                "return window.room?.peerConnection?.connectionState === 'connected'",
            )
            .await;
        person.probe().await;
        person
            .run("room.peerConnection.addEventListener('negotiationneeded', () => negotiations++)")
            .await;
        person
    }

    /// Opens the page and only looks at it.
    pub(crate) async fn visit(
        browser: Client,
        link: &str,
        identity: &str,
        material: Option<Material>,
    ) -> Self {
        browser.goto(link).await.expect("the page loads");
        Self {
            identity: identity.to_owned(),
            material,
            browser,
        }
    }

    /// Runs a classic script in the page.
    pub(crate) async fn inject(&self, script: &str) {
        self.browser
            .execute(script, Vec::new())
            .await
            .expect("a script runs");
    }

    /// Puts the tests' eyes and ears on the page.
    pub(crate) async fn probe(&self) {
        self.run(PROBE).await;
    }

    /// Runs a script that may `await`, and returns what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let wrapped = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(\
             (value) => done({{ value: value ?? null }}), (error) => done({{ error: String(error?.stack ?? error) }}));"
        );
        let outcome = self
            .browser
            .execute_async(&wrapped, Vec::new())
            .await
            .expect("a script runs");
        assert!(
            outcome.get("error").is_none(),
            "{}: {script}\n{outcome}",
            self.identity
        );
        outcome.get("value").cloned().unwrap_or(Value::Null)
    }

    /// Waits until a script returns true.
    pub(crate) async fn until(&self, what: &str, script: &str) {
        let mut last = Value::Null;
        self.until_with(what, script, |value| {
            last = value.clone();
            value == &json!(true)
        })
        .await;
    }

    /// Waits until what a script returns pleases, and says how long that took.
    pub(crate) async fn until_with(
        &self,
        what: &str,
        script: &str,
        mut pleases: impl FnMut(&Value) -> bool,
    ) -> Duration {
        let started = Instant::now();
        loop {
            // The pause is the page's: it keeps the asking from slowing what is asked about.
            let value = self
                .run(&format!(
                    "await new Promise((r) => setTimeout(r, 40)); {script}"
                ))
                .await;
            if pleases(&value) {
                return started.elapsed();
            }
            if started.elapsed() > PATIENCE {
                let log = self
                    .run("return document.body.innerText.slice(0, 600)")
                    .await;
                panic!(
                    "{} never {what}; last seen {value}; the page says {log}",
                    self.identity
                );
            }
        }
    }

    /// Publishes microphone (gated) and camera.
    pub(crate) async fn publish(&self) {
        self.run("await probe.publish()").await;
    }

    /// Opens or closes the gate of the microphone.
    pub(crate) async fn speak(&self, on: bool) {
        self.run(&format!("probe.speak({on})")).await;
    }

    /// Waits until exactly these pilots are heard.
    pub(crate) async fn hears(&self, pilots: &[u32]) -> Duration {
        let script = "return await probe.pilots([3100, 4300, 5300])";
        self.until_with(&format!("hears {pilots:?}"), script, |heard| {
            heard == &json!(pilots)
        })
        .await
    }

    /// Waits until the main picture has the color of `whom`.
    pub(crate) async fn sees(&self, whom: &Self) -> Duration {
        let rgb = whom.material.expect("has a camera").rgb;
        let what = format!("sees {}", whom.identity);
        self.until_with(&what, "return probe.picture()", |seen| is_color(seen, rgb))
            .await
    }

    /// How often the browser wanted to negotiate again.
    pub(crate) async fn negotiations(&self) -> u64 {
        self.run("return negotiations")
            .await
            .as_u64()
            .unwrap_or(u64::MAX)
    }

    /// Presses a button of the page.
    pub(crate) async fn press(&self, css: &str) {
        let button = self
            .browser
            .wait()
            .at_most(PATIENCE)
            .for_element(Locator::Css(css))
            .await;
        button
            .unwrap_or_else(|_| panic!("{css} is on the page"))
            .click()
            .await
            .expect("can be pressed");
    }

    /// A PNG of the page.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        self.browser.screenshot().await.expect("a screenshot")
    }

    /// Closes the browser.
    pub(crate) async fn close(self) {
        self.browser.close().await.expect("the browser closes");
    }
}

/// Whether an average color is nearer to `rgb` than compression and the white box explain away.
fn is_color(seen: &Value, rgb: [u8; 3]) -> bool {
    let Some(seen) = seen.as_array() else {
        return false;
    };
    seen.iter().zip(rgb).all(|(seen, wanted)| {
        let distance = seen.as_f64().unwrap_or(f64::MAX) - f64::from(wanted);
        distance.abs() < 70.0
    })
}
