//! Paths as they stand in messages, and in commands that can be run as they are.

use std::path::Path;

/// A path as it is shown: on one line, and two different paths never alike. Bytes that are not UTF-8, and control
/// characters, stand as `\xE9`.
pub(crate) fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
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

/// A path as a word for `sh`. In quotes everything but the quote itself stands for itself, line breaks too; bytes that no
/// text can hold are written by `printf`, because `$'…'` is not known to every `sh`.
pub(crate) fn quoted(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("'{}'", text.replace('\'', r"'\''")),
        Err(_) => {
            let octal = |byte: &u8| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => char::from(*byte).to_string(),
                byte => format!("\\{byte:03o}"),
            };
            // A `-` at the beginning would be an option of printf.
            let text: String = bytes.iter().map(octal).collect();
            format!("\"$(printf -- '{text}')\"")
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    use super::*;

    const NAMES: [&[u8]; 8] = [
        b"plain.log",
        b"it's $HOME `id` \"x\"\\ %s.ps1",
        b"two\nlines",
        "été 🎉".as_bytes(),
        b"-rf",
        b"caf\xe9 50% 'x'",
        b"-\xff\n$x",
        b"\\xE9",
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
    }
}
