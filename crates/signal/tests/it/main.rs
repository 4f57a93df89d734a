//! The client edge over a real directory and a real shard, spoken to as clients do.

mod edge;
mod http;
mod websocket;
mod whip;
