//! The SDK's rules of state, run by Node; what needs a browser is tested in one, by the server.

use std::path::Path;
use std::process::Command;

#[test]
fn permits_follow_mutes_and_the_audience_is_bounded() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sdk.mjs");
    let ran = Command::new("node").arg(script).output();
    let ran = ran.expect("Node runs the SDK's tests: `cargo xtask setup` installs it");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}
