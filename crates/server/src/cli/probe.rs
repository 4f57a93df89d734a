//! `estrade probe`: for health checks in images that have no other HTTP client.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// How long each step may take: a health check's own limit is a few seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of an answer that are looked at: a status line and some headers.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Asks the admin port at `addr` whether the server is ready, and fails when it is not.
pub(super) fn run(addr: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)
        .with_context(|| format!("nothing answers at {addr}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    bail!("not ready: {status}");
}
