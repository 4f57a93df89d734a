//! The directory over a shard that is not one (it notes commands and answers as it is told to),
//! and over a real one on loopback.

mod fake;
mod media;
mod real;
mod rooms;
mod trouble;
