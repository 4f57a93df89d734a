//! The house rules, as a check: layers, sizes, words, layout.

mod layers;
mod text;

use anyhow::{Result, bail};

/// Checks every rule and lists every breach.
pub(crate) fn run() -> Result<()> {
    let mut breaches = layers::check()?;
    breaches.extend(text::check()?);
    if breaches.is_empty() {
        println!("tidy: the house is in order");
        return Ok(());
    }
    for breach in &breaches {
        println!("tidy: {breach}");
    }
    bail!("{} breaches of the house rules", breaches.len());
}
