//! Keeping tokens and secrets out of log lines.

use std::borrow::Cow;
use std::fmt;

/// Query parameters whose values are never logged.
const SECRET_PARAMETERS: [&str; 3] = ["token", "access_token", "jwt"];

/// Stands in a log line for a secret: shows that there was one, and nothing of it.
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "<empty>"
        } else {
            "<redacted>"
        })
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A request's path and query as it may be logged: the values of parameters that carry tokens are
/// replaced. Borrows when there is nothing to hide.
pub fn redact_query(path_and_query: &str) -> Cow<'_, str> {
    let Some((path, query)) = path_and_query.split_once('?') else {
        return Cow::Borrowed(path_and_query);
    };
    if !query.split('&').any(is_secret) {
        return Cow::Borrowed(path_and_query);
    }
    let mut shown = String::with_capacity(path_and_query.len());
    shown.push_str(path);
    for (index, parameter) in query.split('&').enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        if is_secret(parameter) {
            let name = parameter.split('=').next().unwrap_or_default();
            shown.push_str(name);
            shown.push_str("=<redacted>");
        } else {
            shown.push_str(parameter);
        }
    }
    Cow::Owned(shown)
}

fn is_secret(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default();
    SECRET_PARAMETERS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_query_is_never_shown() {
        assert_eq!(
            redact_query("/v1/connect?a=1&Token=eyJhbGciOi&b=2"),
            "/v1/connect?a=1&Token=<redacted>&b=2"
        );
        assert_eq!(redact_query("/x?jwt"), "/x?jwt=<redacted>");
    }

    #[test]
    fn a_query_without_a_token_is_shown_as_it_is() {
        assert!(matches!(
            redact_query("/whip/hall?tokens=3"),
            Cow::Borrowed(_)
        ));
        assert!(matches!(redact_query("/whip/hall"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_redacted_secret_shows_only_that_there_was_one() {
        assert_eq!(Redacted("swordfish").to_string(), "<redacted>");
        assert_eq!(format!("{:?}", Redacted("swordfish")), "<redacted>");
        assert_eq!(Redacted("").to_string(), "<empty>");
    }
}
