//! From text to the parser's own structure, within our limits.

use std::io::Cursor;

use estrade_types::limits;
use rtc::sdp::SessionDescription;

use super::SECTIONS_MAX;
use crate::OfferError;

/// Lines in one offer; browsers write about 150 per video section.
const LINES_MAX: usize = 4_096;

/// Bytes in one line; the longest seen from a browser are under 300.
const LINE_BYTES_MAX: usize = 2_048;

/// Parses `text`.
///
/// Only the lines we read reach the parser (`v o s t m a`): the others cannot then fail it, and
/// nothing in them matters to us. It has been read for panics: it indexes only what it has counted.
pub(super) fn parse(text: &str) -> Result<SessionDescription, OfferError> {
    if text.len() > limits::SDP_BYTES_MAX {
        return Err(OfferError::TooLarge);
    }
    let mut kept = String::with_capacity(text.len() + 16);
    let mut numbers = Vec::new();
    let mut sections = 0;
    let mut has_time = false;
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        if number > LINES_MAX {
            return Err(OfferError::TooMany {
                what: "lines",
                max: LINES_MAX,
            });
        }
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            continue;
        }
        let letter = check_line(line).ok_or(OfferError::Syntax { line: Some(number) })?;
        match letter {
            b'm' => sections += 1,
            b't' => has_time = true,
            b'v' | b'o' | b's' | b'a' => {}
            _ => continue,
        }
        if sections > SECTIONS_MAX {
            return Err(OfferError::TooMany {
                what: "media sections",
                max: SECTIONS_MAX,
            });
        }
        if !has_time && matches!(letter, b'a' | b'm') {
            // RFC 8866 §5.9 wants `t=`, and we have no use for it.
            has_time = true;
            kept.push_str("t=0 0\r\n");
            numbers.push(number);
        }
        kept.push_str(line);
        kept.push_str("\r\n");
        numbers.push(number);
    }
    let mut reader = Cursor::new(kept.as_bytes());
    SessionDescription::unmarshal(&mut reader).map_err(|_| {
        // The parser stops after the line that it refused.
        let read = usize::try_from(reader.position()).unwrap_or(usize::MAX);
        let lines = kept.bytes().take(read).filter(|b| *b == b'\n').count();
        OfferError::Syntax {
            line: numbers.get(lines.saturating_sub(1)).copied(),
        }
    })
}

/// The type letter of a well-formed line. RFC 8866 §5.
fn check_line(line: &str) -> Option<u8> {
    let [letter, b'=', ..] = *line.as_bytes() else {
        return None;
    };
    // A bare CR would let one line be two to a laxer reader of our answer.
    let is_clean = line.len() <= LINE_BYTES_MAX && !line.contains(['\r', '\0']);
    (letter.is_ascii_lowercase() && is_clean).then_some(letter)
}
