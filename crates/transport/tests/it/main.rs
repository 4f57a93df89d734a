//! The transport against the `rtc` crate's DTLS client, STUN and SRTP, in memory and virtual time.

#[cfg(test)]
mod endpoint;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod media;
