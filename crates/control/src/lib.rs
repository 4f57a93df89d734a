//! The gRPC control plane: what an app does to rooms, with its API key.
//!
//! The contract is `proto/estrade/v1`, compiled into [`proto`]. A call's life: [`ApiKeys`] lets it
//! in, a `TryFrom` turns the generated message into a typed command (every range and format is
//! checked there, and a failing field is named), the directory runs it, and the answer or the error
//! becomes a generated message again. Generated types stop here. A call returns once the directory
//! did, which is once the media shard has applied the change.
//!
//! `server` calls [`serve()`] with a bound listener. This crate knows no shard, no YAML and no HTTP
//! of the client edge.

mod answer;
mod auth;
mod check;
mod event;
mod incoming;
mod request;
mod serve;
mod service;
mod settings;
mod status;

pub use auth::{ApiKeys, InvalidApiKey};
pub use serve::{ControlConfig, ServeError, serve};

/// Generated from `proto/estrade/v1`; the comments there say what everything means.
pub mod proto {
    #![expect(
        unused_qualifications,
        clippy::allow_attributes_without_reason,
        clippy::clone_on_ref_ptr,
        clippy::large_enum_variant,
        clippy::missing_errors_doc,
        clippy::too_many_lines,
        reason = "generated"
    )]
    tonic::include_proto!("estrade.v1");

    /// The contract's descriptors, as reflection serves them.
    pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("estrade.v1");
}
