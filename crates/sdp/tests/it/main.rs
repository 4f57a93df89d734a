//! Real endpoints' offers, and what we answer them.

#[cfg(test)]
mod bytes;
#[cfg(test)]
mod offers;
