//! What a line is.

/// A line without the carriage return that Windows puts before the line feed.
pub(crate) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
