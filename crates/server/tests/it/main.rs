//! A whole server in this process, or the real binary, driven from outside.
//!
//! Every module is marked as test code, so that helpers may unwrap as tests do.

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "real browsers run in real time")]
mod browser;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a real peer runs in real time")]
mod peer;
#[cfg(test)]
mod token;
#[cfg(test)]
mod whip_whep;
#[cfg(test)]
mod world;
