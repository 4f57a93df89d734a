//! Serves HTTP/1.1 to anyone who can reach the port, within limits that hold before a token does.
//!
//! A head that trickles in, an idle connection and an unread answer each cost a bounded time, and
//! connections a bounded number. A connection that has become a WebSocket is no longer counted
//! here: the client edge bounds those.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::told;

/// Connections of clients at once, WebSockets aside; further ones wait in the kernel's queue.
pub(super) const CLIENTS_MAX: usize = 8_192;

/// Connections to the admin port at once: a few scrapers and probes.
pub(super) const PROBES_MAX: usize = 128;

/// How long a request's head may take to arrive, and a connection may be idle before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection takes further requests: bounds what a client that never reads holds.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(300);

/// How long the last request on a connection may take.
const LAST_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait when a connection could not be taken, for want of file descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Shortest time between two warnings, which anyone can bring about.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Serves `router`, to at most so many at a time, until `draining` is raised; then takes no more connections and returns once the
/// requests in progress are answered. Dropping the future cuts them.
pub(super) async fn serve(
    connections_max: usize,
    listener: TcpListener,
    router: Router,
    draining: watch::Receiver<bool>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(connections_max));
    let mut connections = JoinSet::new();
    let mut drained = pin!(told(draining.clone()));
    let mut warned_at: Option<Instant> = None;
    loop {
        tokio::select! {
            () = &mut drained => break,
            Some(_ended) = connections.join_next() => {}
            Some((stream, place)) = accept(&listener, &places) => {
                let connection = attend(stream, place, router.clone(), draining.clone());
                connections.spawn(connection);
                if places.available_permits() == 0
                    && warned_at.is_none_or(|at| at.elapsed() >= WARNING_INTERVAL)
                {
                    warned_at = Some(Instant::now());
                    tracing::warn!(
                        connections_max,
                        "as many HTTP connections as may be are open; further ones wait"
                    );
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// The next connection and its place. Cancel-safe.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, place)),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken; is the limit on open files too low?");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether an error concerns the connection that was about to be taken, and no other.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// One connection's life.
async fn attend(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    router: Router,
    draining: watch::Receiver<bool>,
) {
    // A latency of 40 ms is all that is lost without it.
    drop(stream.set_nodelay(true));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    // How a connection ends concerns its client alone.
    tokio::select! {
        _ended = &mut connection => return,
        () = told(draining) => {}
        () = sleep(CONNECTION_AGE_MAX) => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(timeout(LAST_REQUEST_TIMEOUT, connection).await);
    drop(place);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Serves "hello" to at most so many; ends with the sender.
    async fn served(connections_max: usize) -> (SocketAddr, watch::Sender<bool>, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "hello"));
        let (drain, draining) = watch::channel(false);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let served = serve(connections_max, listener, router, draining).await;
            assert!(served.is_ok());
        });
        (addr, drain, server)
    }

    /// Sends some bytes and reads until the server closes.
    async fn said(addr: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_arrive_costs_a_bounded_time() {
        let (addr, _drain, _server) = served(8).await;
        for head in ["", "GET", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
            let answer = said(addr, head).await;
            assert!(!answer.contains("hello"), "{head}: {answer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed_after_its_answer() {
        let (addr, _drain, _server) = served(8).await;
        let answer = said(addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.ends_with("hello"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_hold_every_place_make_others_wait_and_no_more() {
        let (addr, _drain, _server) = served(1).await;
        let _slow = TcpStream::connect(addr).await.unwrap();
        let answer = said(addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.ends_with("hello"), "{answer}");
    }

    #[tokio::test]
    async fn a_drain_closes_idle_connections_and_the_port() {
        let (addr, drain, mut server) = served(8).await;
        let mut idle = TcpStream::connect(addr).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let mut some = [0; 16];
        assert!(idle.read(&mut some).await.unwrap() > 0);
        drain.send_replace(true);
        server.join_next().await.unwrap().unwrap();
        assert!(TcpStream::connect(addr).await.is_err());
    }
}
