//! Join tokens for the tests, by the command that the README names.

use std::process::Command;

use estrade_types::Role;

/// What `estrade token --dev` prints.
pub(crate) fn token(room: &str, identity: &str, role: Role) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_estrade"))
        .args(["token", "--dev", "--room", room, "--identity", identity])
        .args(["--name", identity, "--role", role.as_str()])
        .output()
        .expect("the command runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}
