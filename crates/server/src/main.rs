//! The `estrade` command.
fn main() {}
