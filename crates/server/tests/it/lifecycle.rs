//! Starting and stopping, in this process and as the real binary.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use estrade_directory::ClientNotice;
use estrade_server::{Listener, Server, StartError};
use estrade_types::{CloseReason, Role};

use crate::world::{World, config, probe};

#[tokio::test]
async fn a_server_starts_and_stops_twice_in_one_process() {
    for _ in 0..2 {
        let world = World::start().await;
        assert_eq!(probe(&world.server, "/healthz").await.0, 200);
        assert_eq!(probe(&world.server, "/readyz").await.0, 200);
        let (_, page) = probe(&world.server, "/metrics").await;
        assert!(page.contains("estrade_build_info{version="), "{page}");
        assert_eq!(world.server.media_addrs().len(), 1);
        world.stop().await;
    }
}

#[tokio::test]
async fn ports_are_free_when_a_stop_returns() {
    let world = World::start().await;
    let tcp = [
        world.server.http_addr(),
        world.server.grpc_addr(),
        world.server.admin_addr(),
    ];
    let udp = world.server.media_addrs();
    world.stop().await;
    for addr in tcp {
        assert!(TcpListener::bind(addr).is_ok(), "{addr} is still taken");
    }
    for addr in udp {
        assert!(UdpSocket::bind(addr).is_ok(), "{addr} is still taken");
    }
}

#[tokio::test]
async fn a_stop_tells_every_client_why() {
    let mut world = World::start().await;
    world.room("hall").await;
    let mut ana = world.join("hall", "ana", Role::Host).await;
    world.stop().await;
    let mut last = None;
    while let Some(notice) = ana.next_notice().await {
        last = Some(notice);
    }
    assert_eq!(
        last,
        Some(ClientNotice::Closed(CloseReason::ServerShutdown))
    );
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out_and_nothing_is_left_running() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let mut clashing = config();
    clashing.grpc.bind = addr;
    let error = Server::start(clashing).await.unwrap_err();
    assert!(matches!(
        error,
        StartError::Bind {
            listener: Listener::Grpc,
            ..
        }
    ));
    let message = error.to_string();
    for part in [&addr.port().to_string(), "grpc.bind", "--grpc-port"] {
        assert!(message.contains(part), "{message}");
    }

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut clashing = config();
    clashing.media.port_base = taken.local_addr().unwrap().port();
    let message = Server::start(clashing).await.unwrap_err().to_string();
    assert!(message.contains("media.port_base"), "{message}");
}

#[tokio::test]
async fn a_config_made_in_code_is_checked_before_anything_is_bound() {
    let mut wrong = config();
    wrong.keys.clear();
    let error = Server::start(wrong).await.unwrap_err();
    assert!(matches!(error, StartError::Config(_)));
}

/// The real binary in development mode, on ports of the system's choice.
struct Process {
    child: Child,
    banner: String,
}

impl Process {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_estrade"))
            .args(["dev", "--shards", "1"])
            .args(["--http-port", "0", "--grpc-port", "0"])
            .args(["--admin-port", "0", "--media-port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("Ctrl-C") {
            assert_ne!(lines.read_line(&mut banner).unwrap(), 0, "{banner}");
        }
        Self { child, banner }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([format!("-{signal}"), self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// The first address of the banner between these two.
    fn addr(&self, before: &str, after: &str) -> SocketAddr {
        let mut addrs = self.banner.split(before).skip(1);
        let of = |text: &str| text.split(after).next()?.parse().ok();
        addrs.find_map(of).unwrap()
    }

    /// Waits for the exit, and says how long it took.
    fn wait(mut self) -> (Option<i32>, Duration) {
        let began = now();
        let status = self.child.wait().unwrap();
        (status.code(), now() - began)
    }
}

#[expect(clippy::disallowed_methods, reason = "a real process takes real time")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn the_banner_shows_a_page_a_token_and_a_grpc_call() {
    let process = Process::start();
    for part in [
        "http://127.0.0.1:",
        "/#token=eyJ",
        "grpcurl -plaintext -H 'x-api-key: devkey:",
        "estrade.v1.RoomService/ListRooms",
        "for development only",
    ] {
        assert!(
            process.banner.contains(part),
            "no {part:?} in {}",
            process.banner
        );
    }
    let admin = process.addr("http://", "/metrics");
    let probe = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_estrade"));
        command.args(["probe", &admin.to_string()]);
        command.stderr(Stdio::null()).status().unwrap().code()
    };
    assert_eq!(probe(), Some(0));
    process.signal("TERM");
    process.wait();
    assert_eq!(probe(), Some(1));
}

#[test]
fn a_signal_stops_the_process_in_bounded_time() {
    for signal in ["TERM", "INT"] {
        let process = Process::start();
        process.signal(signal);
        let (code, took) = process.wait();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[test]
fn an_open_connection_cannot_hold_up_the_exit() {
    let process = Process::start();
    let mut idle = TcpStream::connect(process.addr("http://", "/")).unwrap();
    process.signal("TERM");
    let (code, took) = process.wait();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(12), "{took:?}");
    drop(idle.read(&mut [0]));
}
