//! Paths as they stand in messages, and in commands that can be run as they are.

use std::path::Path;

/// A path as it is shown: on one line, and two different paths never alike. Bytes that are not UTF-8, and characters that
/// are not seen, stand as `\xE9`.
pub(crate) fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_unseen(c) {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| text.push_str(&hex(byte)));
            } else {
                text.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&hex(*byte)));
    }
    text
}

/// `./a` as `a`; `.` stays.
pub(crate) fn without_dot(path: &Path) -> &Path {
    path.strip_prefix(".").ok().filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(path)
}

fn hex(byte: u8) -> String {
    format!("\\x{byte:02X}")
}

/// Control characters, and those that hide or turn round what stands beside them (Unicode's UAX #9, and zero widths).
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A path as a word for `sh`. In quotes everything but the quote itself stands for itself; what is not seen, and bytes that
/// no text can hold, are written by `printf`, because `$'…'` is not known to every `sh`.
pub(crate) fn quoted(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    // What `$(…)` gives loses its line breaks at the end.
    let (body, ends) = bytes.split_at(bytes.len() - bytes.iter().rev().take_while(|byte| **byte == b'\n').count());
    let ends = if ends.is_empty() { String::new() } else { format!("'{}'", "\n".repeat(ends.len())) };
    match std::str::from_utf8(body) {
        Ok(text) if !text.contains(is_unseen) => format!("'{}'{ends}", text.replace('\'', r"'\''")),
        _ => {
            let octal = |byte: &u8| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => char::from(*byte).to_string(),
                byte => format!("\\{byte:03o}"),
            };
            // A `-` at the beginning would be an option of printf.
            let text: String = body.iter().map(octal).collect();
            format!("\"$(printf -- '{text}')\"{ends}")
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    use super::*;

    const NAMES: [&[u8]; 11] = [
        b"plain.log",
        b"it's $HOME `id` \"x\"\\ %s.ps1",
        b"two\nlines",
        "été 🎉".as_bytes(),
        b"-rf",
        b"caf\xe9 50% 'x'",
        b"-\xff\n$x",
        b"\\xE9",
        "a\u{202e}gpj.sh\u{1b}[2J".as_bytes(),
        b"ends\n\n",
        b"\xff ends\n",
    ];

    #[test]
    fn a_shell_reads_every_name_back() {
        for name in NAMES {
            let command = format!("printf '%s|' {}", quoted(Path::new(OsStr::from_bytes(name))));
            let output = Command::new("sh").args(["-c", &command]).output().expect("sh runs");
            assert_eq!(output.stdout, [name, b"|"].concat(), "{command}");
        }
    }

    #[test]
    fn what_is_shown_is_one_line_and_says_which() {
        let shown = |name: &[u8]| shown(Path::new(OsStr::from_bytes(name)));
        assert_eq!(shown(b"a/\xe9\n\x1b[1m"), r"a/\xE9\x0A\x1B[1m");
        assert_eq!(shown("été 🎉".as_bytes()), "été 🎉");
        assert_eq!(shown("a\u{202e}hs.\u{200b}".as_bytes()), r"a\xE2\x80\xAEhs.\xE2\x80\x8B");
    }
}
