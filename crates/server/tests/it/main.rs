//! A whole server in this process, or the real binary, driven from outside.

mod cli;
mod grpc;
mod lifecycle;
mod world;
