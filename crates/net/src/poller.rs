//! What a shard sleeps in: readiness of its socket, a wake-up from other threads, or a deadline.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// Why [`Poller::wait`] returned; all false means the deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Datagrams wait in the socket.
    pub is_readable: bool,
    /// The socket has room again; told only when asked for.
    pub is_writable: bool,
    /// A [`Waker`] was used.
    pub is_woken: bool,
}

/// Ends another thread's [`Poller::wait`]. Wakes are merged: many before a wait count once.
#[derive(Clone, Debug)]
pub struct Waker {
    event: Arc<File>,
}

impl Waker {
    /// Wakes the poller, or makes its next wait return at once.
    pub fn wake(&self) {
        // A counter that is full is as awake as it can be; no other failure exists for an eventfd.
        drop((&*self.event).write(&1_u64.to_ne_bytes()));
    }
}

/// Waits for one socket and one waker (level-triggered epoll).
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
    event: Arc<File>,
    watched: RawFd,
    watches_writable: bool,
}

impl Poller {
    /// Watches `socket` for reading. The socket must stay open as long as the poller is used.
    ///
    /// # Errors
    ///
    /// When the process has no file descriptors left.
    pub fn new(socket: &impl AsFd) -> io::Result<Self> {
        let epoll = epoll_create()?;
        let event = File::from(eventfd()?);
        let poller = Self {
            watched: socket.as_fd().as_raw_fd(),
            epoll,
            event: Arc::new(event),
            watches_writable: false,
        };
        let readable = u32::try_from(libc::EPOLLIN).unwrap_or(0);
        poller.control(libc::EPOLL_CTL_ADD, poller.watched, readable, TOKEN_SOCKET)?;
        let event_fd = poller.event.as_raw_fd();
        poller.control(libc::EPOLL_CTL_ADD, event_fd, readable, TOKEN_WAKER)?;
        Ok(poller)
    }

    /// A waker for other threads.
    pub fn waker(&self) -> Waker {
        Waker {
            event: Arc::clone(&self.event),
        }
    }

    /// Sleeps until something is ready or `patience` is over (rounded up to a millisecond; `None`
    /// waits for ever). `wants_writable` asks for the socket's room too. A signal ends the wait
    /// early, with nothing ready.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, which means that a descriptor was closed under the poller.
    pub fn wait(
        &mut self,
        patience: Option<Duration>,
        wants_writable: bool,
    ) -> io::Result<Readiness> {
        self.watch_writable(wants_writable)?;
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 2];
        let timeout_ms = patience.map_or(-1, |patience| {
            i32::try_from(patience.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        let capacity = 2;
        // SAFETY: `events` has room for `capacity` entries and outlives the call.
        let ready = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                events.as_mut_ptr(),
                capacity,
                timeout_ms,
            )
        };
        let Ok(ready) = usize::try_from(ready) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::Interrupted => Ok(Readiness::default()),
                _ => Err(error),
            };
        };
        let mut readiness = Readiness::default();
        for event in events.iter().take(ready) {
            let (flags, token) = (event.events, event.u64);
            if token == TOKEN_WAKER {
                readiness.is_woken = true;
                self.rearm_waker();
            } else {
                // An error or a hang-up is found out by reading.
                readiness.is_readable |= flags & !EPOLLOUT != 0;
                readiness.is_writable |= flags & EPOLLOUT != 0;
            }
        }
        Ok(readiness)
    }

    fn rearm_waker(&self) {
        // Reading resets the counter; an empty one only means that another wait was faster.
        drop((&*self.event).read(&mut [0; 8]));
    }

    fn watch_writable(&mut self, wants_writable: bool) -> io::Result<()> {
        if self.watches_writable == wants_writable {
            return Ok(());
        }
        let readable = u32::try_from(libc::EPOLLIN).unwrap_or(0);
        let flags = if wants_writable {
            readable | EPOLLOUT
        } else {
            readable
        };
        self.control(libc::EPOLL_CTL_MOD, self.watched, flags, TOKEN_SOCKET)?;
        self.watches_writable = wants_writable;
        Ok(())
    }

    fn control(&self, operation: i32, fd: RawFd, flags: u32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: flags,
            u64: token,
        };
        // SAFETY: `event` is a valid epoll_event that the kernel copies before it returns.
        let result =
            unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &raw mut event) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

const TOKEN_SOCKET: u64 = 0;
const TOKEN_WAKER: u64 = 1;
const EPOLLOUT: u32 = 4;
const _: () = assert!(libc::EPOLLOUT == 4);

fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    own(fd)
}

fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    own(fd)
}

fn own(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Long enough for any machine; a test that reaches it has failed.
    const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

    pub(crate) fn wait_readable(socket: &impl AsFd) {
        let mut poller = Poller::new(socket).unwrap();
        assert!(poller.wait(PATIENCE, false).unwrap().is_readable);
    }

    #[test]
    fn wakes_from_another_thread_are_merged_and_then_gone() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut poller = Poller::new(&socket).unwrap();
        let waker = poller.waker();
        std::thread::spawn(move || {
            waker.wake();
            waker.wake();
        })
        .join()
        .unwrap();
        let woken = poller.wait(PATIENCE, false).unwrap();
        assert!(woken.is_woken && !woken.is_readable);
        let nothing = poller.wait(Some(Duration::ZERO), false).unwrap();
        assert_eq!(nothing, Readiness::default());
    }

    #[test]
    fn room_to_write_is_told_only_when_asked_for() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut poller = Poller::new(&socket).unwrap();
        assert!(poller.wait(PATIENCE, true).unwrap().is_writable);
        let nothing = poller.wait(Some(Duration::ZERO), false).unwrap();
        assert_eq!(nothing, Readiness::default());
    }

    #[test]
    fn a_datagram_makes_the_socket_readable() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut poller = Poller::new(&socket).unwrap();
        socket
            .send_to(b"x", socket.local_addr().unwrap())
            .expect("loopback takes a datagram");
        assert!(poller.wait(PATIENCE, false).unwrap().is_readable);
    }
}
