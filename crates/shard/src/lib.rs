//! The media thread: socket, transports, router, timers.
