//! `estrade dev`: a server to try things with, and a banner that says how.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use estrade_types::{Admission, ParticipantId, Role, RoomId};

use super::{print, serve, token};
use crate::server::api_keys;
use crate::{Config, DEV_KEY, DEV_SECRET, Server};

/// How long the banner's tokens last: a day of work.
const TOKEN_TTL: Duration = Duration::from_secs(24 * 3_600);

/// Arguments of `estrade dev`.
#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// Port of the page, WHIP, WHEP and the WebSocket.
    #[arg(long, default_value_t = 7880, value_name = "PORT")]
    http_port: u16,
    /// Port of gRPC.
    #[arg(long, default_value_t = 7881, value_name = "PORT")]
    grpc_port: u16,
    /// Port of metrics and probes.
    #[arg(long, default_value_t = 7889, value_name = "PORT")]
    admin_port: u16,
    /// UDP port of the first media shard; 0 lets the system choose.
    #[arg(long, default_value_t = 7900, value_name = "PORT")]
    media_port: u16,
    /// Address of the media sockets: another one of this machine lets others on its network take
    /// part, once they reach the page through a tunnel or a proxy.
    #[arg(long, default_value = "127.0.0.1", value_name = "IP")]
    media_ip: IpAddr,
    /// Media shards; 0 for one per core.
    #[arg(long, default_value_t = 0, value_name = "N")]
    shards: u16,
}

pub(super) fn run(args: &DevArgs) -> anyhow::Result<()> {
    let mut config = Config::dev();
    config.http.bind.set_port(args.http_port);
    config.grpc.bind.set_port(args.grpc_port);
    config.admin.bind.set_port(args.admin_port);
    config.media.port_base = args.media_port;
    config.media.bind = args.media_ip;
    config.media.shards = args.shards;
    // The banner says it better; warnings still come through.
    config.log.level = "warn".to_owned();
    let token = host_token(&config)?;
    serve::run(config, |server| print(&banner(server, &token)))
}

fn host_token(config: &Config) -> anyhow::Result<String> {
    let keys = api_keys(config);
    let key = keys.first().context("the development key is missing")?;
    let admission = Admission {
        room: RoomId::new("demo")?,
        identity: ParticipantId::new("host")?,
        role: Role::Host,
        name: "Host".to_owned(),
        attributes: BTreeMap::new(),
        issued_at_s: None,
    };
    token::signed(key, &admission, TOKEN_TTL)
}

fn banner(server: &Server, token: &str) -> String {
    let http = server.http_addr();
    let grpc = server.grpc_addr();
    let admin = server.admin_addr();
    let media: Vec<String> = server
        .media_addrs()
        .iter()
        .map(ToString::to_string)
        .collect();
    let media = media.join(", ");
    format!(
        "
Estrade {version}, for development only: everybody knows its key, rooms live in memory.

  Open the page                 http://{http}/
  Or go straight on stage       http://{http}/#token={token}

  A token (host of room demo)   {token}
  Another one                   estrade token --dev --room demo --identity ana --role listener

  WHIP                          http://{http}/whip/demo   (Authorization: Bearer TOKEN)
  WHEP                          http://{http}/whep/demo
  Drive it over gRPC            grpcurl -plaintext -H 'x-api-key: {DEV_KEY}:{DEV_SECRET}' \\
                                  {grpc} estrade.v1.RoomService/ListRooms
  Metrics and probes            http://{admin}/metrics  /healthz  /readyz
  Media (UDP)                   {media}

Stop with Ctrl-C.

",
        version = env!("CARGO_PKG_VERSION"),
    )
}
