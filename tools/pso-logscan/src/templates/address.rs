//! What is one parameter in spite of the marks within it.

use crate::templates::mask::{CLASS, Class};

/// Letters behind a colon from which on they are a digest and not a word: `SHA256:r4ndOm…`.
const MIN_DIGEST: usize = 20;

/// Length of what begins with `word` and is one parameter in spite of the marks within it: a URL, a path with what
/// follows it, a hardware address, an IPv6 address.
pub(super) fn address(rest: &[u8], word: &[u8]) -> Option<usize> {
    let after = &rest[word.len()..];
    let is_url = after.starts_with(b"://");
    if is_url || (word[0] == b'/' && word.len() > 1) {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"\"'<>()[]{}".contains(byte);
        let all = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
        // The sentence's marks are not the path's.
        let last = all.iter().rposition(|byte| !b".,;:!?=|".contains(byte))?;
        return Some(last + 1);
    }
    if after.first() == Some(&b':') && word.len() <= 4 && word.iter().all(u8::is_ascii_hexdigit) {
        return hexadecimal(rest);
    }
    None
}

/// Length of the hardware or IPv6 address with which `rest` begins, with its zone or the length of its prefix.
fn hexadecimal(rest: &[u8]) -> Option<usize> {
    let is_inside = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    let mut length = rest.iter().position(|byte| !is_inside(byte)).unwrap_or(rest.len());
    let all = &rest[..length];
    let colons = all.iter().filter(|byte| **byte == b':').count();
    if colons < 2 || all.last() == Some(&b':') || (colons < 5 && !all.iter().any(u8::is_ascii_digit)) {
        return None;
    }
    // `::ffff:10.0.0.1`, `fe80::1%eth0`, `2001:db8::1/64`.
    if let Some(b'.' | b'%' | b'/') = rest.get(length) {
        let is_tail = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'%' | b'/');
        length += rest[length..].iter().position(|byte| !is_tail(byte)).unwrap_or(rest.len() - length);
        // The sentence's dot is not the address's.
        length -= usize::from(rest[length - 1] == b'.');
    }
    let next = rest.get(length).map_or(Class::Blank, |byte| CLASS[usize::from(*byte)]);
    (matches!(next, Class::Blank | Class::Mark) || rest[length] == b'.').then_some(length)
}

/// Length of the IPv6 address with which `rest` begins, if that begins with its colons: `::1`, `[::]:80`.
pub(super) fn begins_with_colons(rest: &[u8]) -> Option<usize> {
    let after = rest.strip_prefix(b"::")?;
    if matches!(after, [b']' | b'/', ..]) {
        return Some(2);
    }
    hexadecimal(rest)
}

/// Length of the `=` with which base64 is filled up, and behind which nothing more of it may come; else 0.
pub(super) fn padding(rest: &[u8]) -> usize {
    let length = rest.iter().take_while(|byte| **byte == b'=').count();
    let ends = rest.get(length).is_none_or(|byte| byte.is_ascii_whitespace() || b"\"',;)]}".contains(byte));
    if length <= 2 && ends { length } else { 0 }
}

/// Length of a colon and the digest behind it, with which `rest` begins; else 0.
pub(super) fn digest(rest: &[u8]) -> usize {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let length = rest[1..].iter().take_while(|byte| is_inside(byte)).count();
    if length >= MIN_DIGEST { length + 1 } else { 0 }
}
