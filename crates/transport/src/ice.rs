//! The ICE-lite agent.

use std::net::SocketAddr;

/// What an authenticated check changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StunReply {
    /// The address was not among the validated ones before: add it to the address map.
    pub is_new: bool,
    /// Media now goes to this address, and did not before the check.
    pub nominated: bool,
    /// A validated address that was given up to make room: remove it from the address map.
    pub replaced: Option<SocketAddr>,
}
