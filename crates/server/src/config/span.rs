//! Durations as people write them: `500ms`, `10s`, `1m`, `6h`.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a duration must look like.
const FORM: &str = "a duration such as 500ms, 10s, 5m or 6h";

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`. `None` for anything else.
pub fn parse_span(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(unit_at)?;
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(amount)),
        "s" => Some(Duration::from_secs(amount)),
        "m" => amount.checked_mul(60).map(Duration::from_secs),
        "h" => amount.checked_mul(3_600).map(Duration::from_secs),
        _ => None,
    }
}

/// A duration in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    /// The largest unit that is exact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if self.0.subsec_nanos() > 0 {
            write!(f, "{}ms", self.0.as_millis())
        } else if seconds == 0 || !seconds.is_multiple_of(60) {
            write!(f, "{seconds}s")
        } else if !seconds.is_multiple_of(3_600) {
            write!(f, "{}m", seconds / 60)
        } else {
            write!(f, "{}h", seconds / 3_600)
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(FORM)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                parse_span(text)
                    .map(Span)
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_it_reads() {
        for text in ["0s", "1500ms", "10s", "5m", "24h", "90s"] {
            let span = parse_span(text).unwrap();
            assert_eq!(Span(span).to_string(), text);
        }
        assert_eq!(Span(Duration::from_secs(60)).to_string(), "1m");
    }

    #[test]
    fn anything_else_is_no_span() {
        for text in [
            "",
            "s",
            "10",
            "-1s",
            "1.5s",
            "10 s",
            "1d",
            "10S",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_span(text), None, "{text}");
        }
        assert_eq!(parse_span("18446744073709551615h"), None);
    }
}
