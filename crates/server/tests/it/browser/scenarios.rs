//! The stories.

use std::process::Command;

use estrade_types::Role;

use super::firefox::Firefox;
use super::material::MATERIALS;
use super::person::Person;
use super::studio::{Studio, scratch};

/// Set inside the namespace that a test made for itself.
const IN_NAMESPACE: &str = "ESTRADE_TEST_NAMESPACE";

async fn turn(speaker: &Person, others: &[&Person]) {
    for other in others {
        other.speak(false).await;
    }
    speaker.speak(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_follows_the_voices_of_a_stage() {
    let mut studio = Studio::open("follow").await;
    let host = studio.join("host", Role::Host, Some(MATERIALS[0])).await;
    let ada = studio.join("ada", Role::Speaker, Some(MATERIALS[1])).await;
    let ben = studio.join("ben", Role::Speaker, Some(MATERIALS[2])).await;
    let first = studio.join("listener-1", Role::Listener, None).await;
    let second = studio.join("listener-2", Role::Listener, None).await;
    for speaker in [&host, &ada, &ben] {
        speaker.publish().await;
    }

    let stage = [&host, &ada, &ben];
    for (speaker, round) in [(&host, 1), (&ada, 1), (&ben, 1), (&ada, 2), (&host, 2)] {
        let others: Vec<_> = stage
            .into_iter()
            .filter(|each| each.identity != speaker.identity)
            .collect();
        turn(speaker, &others).await;
        let pilot = speaker.material.expect("a speaker has a voice").pilot_hz;
        for listener in [&first, &second] {
            let heard = listener.hears(&[pilot]).await;
            let seen = listener.sees(speaker).await;
            println!(
                "round {round}: {} hears {} after {heard:?}, sees it after {seen:?} more",
                listener.identity, speaker.identity
            );
        }
        // Those on stage hear the speaker too, and never see themselves.
        for other in others {
            other.hears(&[pilot]).await;
            other.sees(speaker).await;
        }
        let own = speaker.run("return room.slot('main').participant").await;
        assert_ne!(
            own,
            serde_json::json!(speaker.identity),
            "nobody gets their own picture"
        );
    }

    let picture = first.screenshot().await;
    std::fs::write(scratch().join("listener.png"), &picture).expect("a screenshot is kept");
    assert!(picture.len() > 10_000, "the page is drawn");

    for person in [host, ada, ben, first, second] {
        assert_eq!(
            person.negotiations().await,
            0,
            "{} never negotiates again",
            person.identity
        );
        person.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_hand_leads_on_stage_and_a_mute_to_silence() {
    let mut studio = Studio::open("hands").await;
    // The other tests send VP8.
    studio.query = "?codec=H264";
    let host = studio.join("host", Role::Host, Some(MATERIALS[0])).await;
    let guest = studio
        .join("guest", Role::Listener, Some(MATERIALS[1]))
        .await;
    let listener = studio.join("listener", Role::Listener, None).await;
    host.publish().await;
    host.speak(false).await;

    // A listener that sends anyway is not heard.
    guest.publish().await;
    guest.speak(true).await;
    guest.run("await probe.sendAnyway()").await;
    guest
        .until(
            "sends packets",
            "return (await probe.packetsSent('audio')) > 100",
        )
        .await;
    let heard = listener
        .run("return (await probe.pilots([4300])).length")
        .await;
    assert_eq!(
        heard,
        serde_json::json!(0),
        "a listener that sends is not heard"
    );

    guest.press("#hand").await;
    host.press("#hands-list button").await;
    guest
        .until("is on stage", "return room.self?.stage === 'onStage'")
        .await;
    listener.hears(&[MATERIALS[1].pilot_hz]).await;
    listener.sees(&guest).await;
    assert_eq!(
        guest.negotiations().await,
        0,
        "going on stage needs no new offer"
    );

    // The acknowledgement is awaited, so the silence that follows is the server's doing.
    host.run("await room.muteParticipant('guest', 'audio')")
        .await;
    listener.hears(&[]).await;
    guest.run("await room.mute('audio', false)").await;
    listener.hears(&[MATERIALS[1].pilot_hz]).await;

    host.run("await room.demote('guest')").await;
    guest.run("await probe.sendAnyway()").await;
    listener.hears(&[]).await;
    let shown = listener.run("return room.slot('main').participant").await;
    assert_ne!(
        shown,
        serde_json::json!("guest"),
        "a demoted participant is not seen"
    );
    for person in [host, guest, listener] {
        person.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn firefox_listens_and_watches() {
    if std::env::var_os(IN_NAMESPACE).is_none() {
        return in_own_namespace("browser::scenarios::firefox_listens_and_watches");
    }
    let mut studio = Studio::open_at("firefox", [192, 0, 2, 1].into()).await;
    let host = studio.join("host", Role::Host, Some(MATERIALS[2])).await;
    host.publish().await;
    host.speak(true).await;

    let mut firefox = Firefox::start(&scratch()).await;
    firefox.goto(&studio.link("fox", Role::Listener)).await;
    firefox
        .run("document.querySelector('#join button').click()")
        .await;
    firefox
        .run(
            super::probe::PROBE
                .replace("window.probe", "globalThis.probe")
                .as_str(),
        )
        .await;
    for (what, script) in [
        (
            "connects",
            "return globalThis.room?.peerConnection?.connectionState === 'connected'",
        ),
        (
            "decodes the picture",
            "return (await probe.freezes()).decoded > 30",
        ),
        (
            "sees blue",
            "const seen = probe.picture(); return seen !== null && seen[2] > 150 && seen[0] < 90",
        ),
        (
            "hears",
            "return (await probe.inbound('audio')).some((each) => each.totalAudioEnergy > 0.001)",
        ),
    ] {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(45);
        while firefox.run(script).await != serde_json::json!(true) {
            assert!(std::time::Instant::now() < deadline, "Firefox never {what}");
        }
    }
    host.close().await;
}

/// Runs one test again in a network namespace with an addressed interface: Firefox gathers no
/// loopback candidates, and tests reach no address outside this machine.
fn in_own_namespace(test: &str) {
    let name = format!("estrade-{}", std::process::id());
    let script = format!(
        "set -e; trap 'ip netns del {name}' EXIT; ip netns add {name}; \
         ip -n {name} link set lo up; ip -n {name} link add stage type veth peer name hall; ip -n {name} link set hall up; \
         ip -n {name} addr add 192.0.2.1/24 dev stage; ip -n {name} link set stage up; \
         ip -n {name} route add default dev stage; \
         ip netns exec {name} \"$0\" --exact {test} --nocapture"
    );
    let own = std::env::current_exe().expect("this test's program");
    let status = Command::new("bash")
        .args(["-c", &script])
        .arg(own)
        .env(IN_NAMESPACE, "1")
        .status()
        .expect("bash runs");
    assert!(
        status.success(),
        "{test} in a namespace of its own (which only root can make): {status}"
    );
}
