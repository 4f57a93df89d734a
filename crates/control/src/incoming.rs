//! Connections of the gRPC port, within limits that hold before a key does.
//!
//! Connections are of a bounded number; one that does not begin to speak HTTP/2 within a bounded
//! time is closed. From there on the server's pings tell a connection that is alive from one that
//! only takes a place. Read by [`crate::serve()`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// Connections at once; further ones wait in the kernel's queue.
pub(crate) const CONNECTIONS_MAX: usize = 1_024;

/// How long a client's connection preface may take to arrive. The server's pings begin after it.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the connection preface (RFC 9113 §3.4), without the settings that follow it.
const PREFACE_BYTES: usize = 24;

/// How long to wait when a connection could not be taken, for want of file descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// The connections that arrive on `listener`, at most so many at a time. Never ends.
pub(crate) fn incoming(
    listener: TcpListener,
    connections_max: usize,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(connections_max));
    stream::unfold((listener, places), async |(listener, places)| {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        let stream = accept(&listener).await;
        Some((Ok(Connection::new(stream, place)), (listener, places)))
    })
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no gRPC connection can be taken; is the limit on open files too low?");
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

/// A connection and its place.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    preface: Option<Preface>,
    _place: OwnedSemaphorePermit,
}

/// What is still to come before the server speaks HTTP/2 with the client.
#[derive(Debug)]
struct Preface {
    bytes_left: usize,
    timeout: Pin<Box<Sleep>>,
}

impl Connection {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        // A latency of 40 ms is all that is lost without it.
        drop(stream.set_nodelay(true));
        Self {
            stream,
            preface: Some(Preface {
                bytes_left: PREFACE_BYTES,
                timeout: Box::pin(sleep(PREFACE_TIMEOUT)),
            }),
            _place: place,
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(preface) = &mut this.preface
            && preface.timeout.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let read = buf.filled().len().saturating_sub(before);
        if let Some(preface) = &mut this.preface {
            preface.bytes_left = preface.bytes_left.saturating_sub(read);
            if preface.bytes_left == 0 {
                this.preface = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tonic::transport::Server;

    use super::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

    /// Serves health to at most so many.
    async fn served(connections_max: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (_, health) = tonic_health::server::health_reporter();
        let server = Server::builder().add_service(health);
        let connections = incoming(listener, connections_max);
        tokio::spawn(server.serve_with_incoming(connections));
        addr
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_begin_is_closed() {
        let addr = served(8).await;
        for begun in [&b""[..], b"PRI * HTTP/2.0\r\n"] {
            let mut client = TcpStream::connect(addr).await.unwrap();
            client.write_all(begun).await.unwrap();
            let mut answer = Vec::new();
            // Returns at all: the server closes.
            drop(client.read_to_end(&mut answer).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_hold_every_place_make_others_wait_and_no_more() {
        let addr = served(1).await;
        let _slow = TcpStream::connect(addr).await.unwrap();
        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(PREFACE).await.unwrap();
        client.write_all(SETTINGS).await.unwrap();
        let mut answer = [0; 9];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[3], 4, "the server's settings");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_begun_is_left_to_the_pings() {
        let addr = served(8).await;
        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(PREFACE).await.unwrap();
        client.write_all(SETTINGS).await.unwrap();
        let mut answer = vec![0; 1_024];
        let quiet = async { while client.read(&mut answer).await.unwrap() > 0 {} };
        let closed = tokio::time::timeout(PREFACE_TIMEOUT * 3, quiet).await;
        assert!(closed.is_err(), "closed");
    }
}
