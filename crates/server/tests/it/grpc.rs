//! Every call of the control plane, right and wrong.

mod auth;
mod invalid;
mod rooms;
mod stage;
mod watch;
