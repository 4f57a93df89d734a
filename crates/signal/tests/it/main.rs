//! The client edge over a real directory and a real shard, spoken to as clients do.

#[cfg(test)]
mod edge;
#[cfg(test)]
mod http;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod websocket;
#[cfg(test)]
mod whip;
