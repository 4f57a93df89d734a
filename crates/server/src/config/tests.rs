use super::*;

const DOCUMENTED: &str = include_str!("../../../../config/estrade.yaml");
const DEVELOPMENT: &str = include_str!("../../../../config/estrade.dev.yaml");

/// A valid config with `more` beside its key.
fn parse(more: &str) -> Result<Config, ConfigError> {
    let text = format!("keys:\n  app: 0123456789abcdef0123456789abcdef\n{more}");
    Config::parse(&text, "test.yaml")
}

fn message(more: &str) -> String {
    parse(more).unwrap_err().to_string()
}

#[test]
fn the_documented_file_has_every_key_with_its_default() {
    let written: serde_yaml::Value = serde_yaml::from_str(DOCUMENTED).unwrap();
    let defaults = serde_yaml::to_value(file::File::default()).unwrap();
    assert_eq!(written, defaults);
}

#[test]
fn the_documented_file_lacks_only_an_api_key() {
    let error = Config::parse(DOCUMENTED, "estrade.yaml").unwrap_err();
    let keys: Vec<_> = error.problems().iter().map(|p| p.key.as_deref()).collect();
    assert_eq!(keys, [Some("keys")]);
    assert!(error.problems()[0].line.is_some());
}

#[test]
fn the_development_file_is_what_estrade_dev_runs() {
    assert_eq!(
        Config::parse(DEVELOPMENT, "estrade.dev.yaml").unwrap(),
        Config::dev()
    );
    assert_eq!(Config::dev().check(), Ok(()));
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_known_ones() {
    let text = message("http:\n  bnid: 0.0.0.0:1\n");
    assert!(
        text.starts_with("test.yaml:4: http: unknown field `bnid`"),
        "{text}"
    );
    assert!(text.contains("bind"), "{text}");
    let text = message("htpp: {}\n");
    assert!(
        text.starts_with("test.yaml:3: unknown field `htpp`"),
        "{text}"
    );
}

#[test]
fn a_value_of_the_wrong_form_is_refused_with_its_line_and_key() {
    for (more, start) in [
        ("http:\n  bind: nowhere\n", "test.yaml:4: http.bind: "),
        ("shutdown_grace: 10\n", "test.yaml:3: shutdown_grace: "),
        (
            "rooms:\n  max_stage: -1\n",
            "test.yaml:4: rooms.max_stage: ",
        ),
        ("speaker:\n  rule: loudest\n", "test.yaml:4: speaker.rule: "),
    ] {
        let text = message(more);
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn a_value_out_of_range_is_refused_with_its_line_and_key() {
    for (more, start) in [
        (
            "rooms:\n  # The stage.\n  max_stage: 51\n",
            "test.yaml:5: rooms.max_stage: must be from 1 to 50",
        ),
        (
            "picture:\n  min_dwell: 500ms\n",
            "test.yaml:4: picture.min_dwell: must be from 1 s to 5 s",
        ),
        (
            "media:\n  port_base: 65535\n  shards: 2\n",
            "test.yaml:4: media.port_base: ",
        ),
        (
            "media:\n  advertise_ips: [0.0.0.0]\n",
            "test.yaml:4: media.advertise_ips: 0.0.0.0",
        ),
        (
            "http:\n  cors_origins: [app.example]\n",
            "test.yaml:4: http.cors_origins: ",
        ),
        (
            "admin:\n  bind: 127.0.0.1:7881\n",
            "test.yaml:4: admin.bind: has the port of grpc",
        ),
        ("log:\n  level: '=!'\n", "test.yaml:4: log.level: "),
        (
            "shutdown_grace: 2h\n",
            "test.yaml:3: shutdown_grace: must be",
        ),
    ] {
        let text = message(more);
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let error = parse("rooms:\n  max_rooms: 0\nshutdown_grace: 0s\n").unwrap_err();
    assert_eq!(error.problems().len(), 2);
    assert_eq!(error.to_string().lines().count(), 2);
}

#[test]
fn a_short_secret_is_refused_without_being_shown() {
    let error = Config::parse("keys:\n  app: swordfish\n", "test.yaml").unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("test.yaml:2: keys.app: a secret must be at least 32"),
        "{text}"
    );
    assert!(!text.contains("swordfish"));
}

#[test]
fn what_everybody_knows_is_refused_off_loopback() {
    let mut config = Config::dev();
    config.http.bind.set_ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let error = config.check().unwrap_err();
    let keys: Vec<_> = error
        .problems()
        .iter()
        .filter_map(|p| p.key.as_deref())
        .collect();
    assert_eq!(keys, ["keys.devkey", "dev"]);
}

#[test]
fn a_config_prints_as_yaml_without_its_secrets() {
    let yaml = Config::dev().to_yaml().unwrap();
    assert!(yaml.contains("devkey: <redacted>"));
    assert!(!yaml.contains(DEV_SECRET));
    assert!(!format!("{:?}", Config::dev()).contains(DEV_SECRET));
    let defaults = Config::default().to_yaml().unwrap();
    let read: file::File = serde_yaml::from_str(&defaults).unwrap();
    assert_eq!(Config::from(read), Config::default());
}

#[test]
fn syntax_errors_have_a_line() {
    let text = message("http: [\n");
    assert!(text.starts_with("test.yaml:"), "{text}");
    assert!(
        text.split(':').nth(1).unwrap().parse::<usize>().is_ok(),
        "{text}"
    );
}
