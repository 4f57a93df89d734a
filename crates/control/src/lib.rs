//! The gRPC control plane.
