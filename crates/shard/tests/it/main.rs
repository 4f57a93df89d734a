//! The shard against endpoints that are not ours: their STUN, DTLS and SRTP are the `rtc` crate's.

#![expect(
    unreachable_pub,
    reason = "one binary: what its modules share is private anyway"
)]

#[cfg(test)]
mod bench;
#[cfg(test)]
mod client;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod media;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod no_alloc;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod thread;
