//! The transport against the `rtc` crate's DTLS client, STUN and SRTP, in memory and virtual time.

mod endpoint;
mod handshake;
mod hostile;
mod media;
