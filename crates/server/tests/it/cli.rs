//! The real binary's command line.

use std::path::PathBuf;
use std::process::{Command, Output};

use estrade_server::{DEV_KEY, DEV_SECRET};
use estrade_signal::{ApiKey, Expiry, SignalConfig, verify};
use estrade_types::Role;

fn estrade(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_estrade"));
    command.args(args).output().unwrap()
}

/// Writes a file of this test's own.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_wrong_file_is_blamed_by_name_line_and_key_before_anything_is_bound() {
    let path = file("range.yaml", "keys: {}\nrooms:\n  max_stage: 51\n");
    let name = path.to_str().unwrap();
    for command in [
        vec!["config", "check", name],
        vec!["serve", "--config", name],
        vec!["config", "print", name],
    ] {
        let output = estrade(&command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert_eq!(text(&output.stdout), "", "{command:?}");
        let message = text(&output.stderr);
        assert!(message.contains(&format!("{name}:1: keys: ")), "{message}");
        assert!(
            message.contains(&format!("{name}:3: rooms.max_stage: ")),
            "{message}"
        );
    }
    let missing = estrade(&["config", "check", "/nowhere/estrade.yaml"]);
    assert!(text(&missing.stderr).contains("/nowhere/estrade.yaml: cannot be read"));
}

#[test]
fn the_printed_defaults_need_only_a_key_to_be_right() {
    let printed = estrade(&["config", "print"]);
    assert!(printed.status.success());
    let defaults = text(&printed.stdout);
    let with_key = defaults.replace("keys: {}", "keys:\n  app: 0123456789abcdef0123456789abcdef");
    assert_ne!(with_key, defaults);
    let path = file("printed.yaml", &with_key);
    let checked = estrade(&["config", "check", path.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert_eq!(text(&checked.stdout), "");
    let again = estrade(&["config", "print", path.to_str().unwrap()]);
    let again = text(&again.stdout);
    assert!(
        again.contains("app: <redacted>") && !again.contains("0123456789"),
        "{again}"
    );
}

#[test]
fn a_token_is_all_that_is_printed_and_it_lets_its_owner_in() {
    let output = estrade(&[
        "token",
        "--dev",
        "--room",
        "hall",
        "--identity",
        "ana",
        "--role",
        "cohost",
        "--name",
        "Ana Lima",
        "--ttl",
        "10m",
        "--attribute",
        "team=red",
        "--attribute",
        "seat=a=1",
    ]);
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
    let printed = text(&output.stdout);
    let token = printed.strip_suffix('\n').unwrap();
    assert!(!token.contains(char::is_whitespace));
    let config = SignalConfig {
        keys: vec![ApiKey {
            id: DEV_KEY.into(),
            secret: DEV_SECRET.into(),
        }],
        ..SignalConfig::default()
    };
    let admission = verify(&config, token, 0, Expiry::Ignored).unwrap();
    assert_eq!(admission.room.as_str(), "hall");
    assert_eq!(admission.identity.as_str(), "ana");
    assert_eq!(admission.role, Role::Cohost);
    assert_eq!(admission.name, "Ana Lima");
    assert_eq!(admission.attributes["team"], "red");
    assert_eq!(admission.attributes["seat"], "a=1");
}

#[test]
fn a_token_is_signed_by_the_configurations_key_that_is_asked_for() {
    let secrets = ["a".repeat(32), "b".repeat(32)];
    let yaml = format!("keys:\n  blue: {}\n  red: {}\n", secrets[0], secrets[1]);
    let path = file("token.yaml", &yaml);
    let common = ["--room", "hall", "--identity", "ana", "--role", "host"];
    let config = ["token", "--config", path.to_str().unwrap()];
    for (key, id, secret) in [
        (None, "blue", &secrets[0]),
        (Some(["--key", "red"]), "red", &secrets[1]),
    ] {
        let mut args: Vec<&str> = config.into_iter().chain(common).collect();
        args.extend(key.iter().flatten());
        let printed = text(&estrade(&args).stdout);
        let config = SignalConfig {
            keys: vec![ApiKey {
                id: id.into(),
                secret: secret.clone(),
            }],
            ..SignalConfig::default()
        };
        assert!(verify(&config, printed.trim(), 0, Expiry::Ignored).is_ok());
    }
    let mut args: Vec<&str> = config.into_iter().chain(common).collect();
    args.extend(["--key", "green"]);
    let refused = estrade(&args);
    assert!(
        text(&refused.stderr).contains("blue, red"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn wrong_arguments_are_explained() {
    for (args, word) in [
        (
            vec![
                "token",
                "--dev",
                "--room",
                "a/b",
                "--identity",
                "x",
                "--role",
                "host",
            ],
            "a/b",
        ),
        (
            vec![
                "token",
                "--dev",
                "--room",
                "a",
                "--identity",
                "x",
                "--role",
                "king",
            ],
            "listener",
        ),
        (
            vec!["token", "--room", "a", "--identity", "x", "--role", "host"],
            "--dev",
        ),
        (
            vec![
                "token",
                "--dev",
                "--room",
                "a",
                "--identity",
                "x",
                "--role",
                "host",
                "--ttl",
                "6",
            ],
            "6h",
        ),
        (vec!["serve"], "--config"),
    ] {
        let output = estrade(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            text(&output.stderr).contains(word),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn help_and_version_answer() {
    let version = estrade(&["--version"]);
    let line = format!("estrade {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&version.stdout), line);
    let help = text(&estrade(&["--help"]).stdout);
    assert!(
        help.contains("estrade config print > estrade.yaml"),
        "{help}"
    );
}
