//! Test set-up, house rules and release chores.
fn main() {}
