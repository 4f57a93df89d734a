//! Finds the line of a key in YAML text.
//!
//! The YAML reader gives lines for what it cannot read, but not for values it could: a range error
//! would have no line. This scanner follows indentation through block mappings, which is how the
//! file is written; for a key inside a flow mapping (`{a: 1}`) it gives the line of the nearest
//! parent that it found. It only ever decides what a message points at.

/// The line, from 1, of the key at `path` (`media.port_base`), or of its nearest parent.
pub(super) fn line_of(text: &str, path: &str) -> Option<usize> {
    let mut wanted = path.split('.').peekable();
    // Keys deeper than this belong to the parent found last.
    let mut parent_indent: Option<usize> = None;
    let mut found = None;
    for (index, line) in text.lines().enumerate() {
        let Some(&key) = wanted.peek() else {
            break;
        };
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.len() - content.len();
        if parent_indent.is_some_and(|parent| indent <= parent) {
            break; // The parent ended without the key: a default, or a flow mapping.
        }
        if names(content, key) && (parent_indent.is_some() || indent == 0) {
            found = Some(index + 1);
            parent_indent = Some(indent);
            wanted.next();
        }
    }
    found
}

/// Whether a line of content is `key:`, quoted or not.
fn names(content: &str, key: &str) -> bool {
    let unquoted = content
        .strip_prefix('"')
        .or_else(|| content.strip_prefix('\''))
        .unwrap_or(content);
    let Some(rest) = unquoted.strip_prefix(key) else {
        return false;
    };
    rest.trim_start_matches(['"', '\''])
        .trim_start()
        .starts_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# bind: in a comment
http:
  bind: 0.0.0.0:7880

grpc:
  # bind: another comment
  bind: 127.0.0.1:7881
media: {bind: 0.0.0.0, port_base: 7900}
keys:
  'app': secret
bind: stray
";

    #[test]
    fn a_key_is_found_under_its_own_parent() {
        assert_eq!(line_of(TEXT, "http.bind"), Some(3));
        assert_eq!(line_of(TEXT, "grpc.bind"), Some(7));
        assert_eq!(line_of(TEXT, "keys.app"), Some(10));
        assert_eq!(line_of(TEXT, "bind"), Some(11));
    }

    #[test]
    fn a_key_that_cannot_be_found_is_blamed_on_its_parent() {
        assert_eq!(line_of(TEXT, "media.port_base"), Some(8));
        assert_eq!(line_of(TEXT, "http.cors_origins"), Some(2));
        assert_eq!(line_of(TEXT, "nothing.at.all"), None);
    }
}
