//! Names of logs and of what rotation makes of them.

use std::cmp::Reverse;

/// How a log was rotated; the order is from the oldest to the newest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rotation {
    /// `sync.log-20250612`, `sync.log.2025-06-12`, `sync-20250612.log`, `sync.log.1749686400`: by date, whose digits these
    /// are.
    Dated(String),
    /// `sync.log.2`: the higher, the older.
    Numbered(Reverse<u32>),
    /// `sync.log`.
    Current,
}

/// What names of packed files end in.
const PACKED: [&str; 5] = [".gz", ".zst", ".xz", ".bz2", ".zip"];

/// The log that a file belongs to (`sync.log`) and how it was rotated; `None` for what is no log by its name.
pub(crate) fn of(name: &str) -> Option<(String, Rotation)> {
    let (log, rotation) = any(name);
    (log.len() > 4 && log.ends_with(".log")).then_some((log, rotation))
}

/// The same for a file that was named, whatever its name is: `syslog.2.gz` belongs to `syslog`.
pub(crate) fn any(name: &str) -> (String, Rotation) {
    let name = name.to_ascii_lowercase();
    let plain = unpacked(&name);
    if let Some(stem) = plain.strip_suffix(".log")
        && let Some((log, digits)) = dated(stem)
    {
        return (format!("{log}.log"), Rotation::Dated(digits));
    }
    if let Some((log, digits)) = dated(plain) {
        return (log, Rotation::Dated(digits));
    }
    match numbered(plain) {
        Some((log, number)) => (log, Rotation::Numbered(Reverse(number))),
        None => (plain.to_owned(), Rotation::Current),
    }
}

/// Whether somebody may be writing to a plain file of this name: rotation gives no name that ends in `.log`, and a date
/// in front of that is the writer's own.
pub(crate) fn may_grow(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !is_packed(&name) && (name.ends_with(".log") || any(&name).1 == Rotation::Current)
}

/// Whether the name is one of a packed file.
pub(crate) fn is_packed(name: &str) -> bool {
    unpacked(name) != name
}

/// The name without what packing adds to it.
pub(crate) fn unpacked(name: &str) -> &str {
    PACKED.iter().find_map(|suffix| name.strip_suffix(suffix)).filter(|name| !name.is_empty()).unwrap_or(name)
}

/// `sync.log.12` as `sync.log` and 12; `sync.log.old` is the only one of its log.
fn numbered(name: &str) -> Option<(String, u32)> {
    let (log, digits) = name.rsplit_once('.')?;
    if digits == "old" && log.ends_with(".log") {
        return Some((log.to_owned(), 1));
    }
    let short = (1..6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (short && !log.is_empty()).then(|| digits.parse().ok().map(|number| (log.to_owned(), number)))?
}

/// `sync.log-2025-06-12_09:00` as `sync.log` and the digits of its date.
fn dated(name: &str) -> Option<(String, String)> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.' | b':' | b't' | b'z');
    let tail = name.bytes().rev().take_while(is_part).count();
    let begins = name.len() - tail;
    // The date begins behind a mark: `sync2.log-20250612` is of `sync2.log`.
    let from = name[begins..].find(['-', '_', '.'])? + begins;
    let digits: String = name[from..].chars().filter(char::is_ascii_digit).collect();
    let date = name[from + 1..].starts_with(|first: char| first.is_ascii_digit());
    let year = digits.get(..2).is_some_and(|century| matches!(century, "19" | "20")) && digits.len() >= 8;
    // Seconds since 1970, as Apache's rotatelogs writes them.
    let seconds = digits.len() == 10 && name.len() - from == 11;
    (from > 0 && date && (year || seconds)).then(|| (name[..from].to_owned(), digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_logs_by_their_names() {
        let mut names = [
            "sync.log",
            "sync.log.1",
            "sync.log.10.gz",
            "sync.log.2.gz",
            "sync.log.3.zst",
            "sync.log-20250612",
            "sync.log.2025-06-13",
            "sync.log-20250611.gz",
            "SYNC.LOG-20250610",
            "sync-20250609.log",
            "sync-2025-06-08.log.gz",
            "sync.log-20250612-0900",
            "sync.log.2025-06-13.1",
        ];
        names.sort_by_key(|name| of(name));
        assert_eq!(
            names,
            [
                "sync-2025-06-08.log.gz",
                "sync-20250609.log",
                "SYNC.LOG-20250610",
                "sync.log-20250611.gz",
                "sync.log-20250612",
                "sync.log-20250612-0900",
                "sync.log.2025-06-13",
                "sync.log.2025-06-13.1",
                "sync.log.10.gz",
                "sync.log.3.zst",
                "sync.log.2.gz",
                "sync.log.1",
                "sync.log"
            ]
        );
        for name in [
            "a.log.gz",
            "a.log.zst",
            "a.log.2025-06-12_09:00",
            "a.b.log",
            "app2.log.1",
            "a.log.1749686400",
            "a.log-1749686400.gz",
            "a.log.old",
        ] {
            assert!(of(name).is_some(), "{name}");
        }
        for name in ["sync.txt", "log", ".log", "sync.log.bak", "sync.logs", "catalog", ".log.1", "a.gz", "x.log-1"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn knows_what_named_files_belong_to() {
        for (name, log, grows) in [
            ("sync.log", "sync.log", true),
            ("sync-20250612.log", "sync.log", true),
            ("sync.log.1", "sync.log", false),
            ("sync.log-20250612", "sync.log", false),
            ("sync.log.gz", "sync.log", false),
            ("syslog", "syslog", true),
            ("syslog.2.gz", "syslog", false),
            ("messages-20250612", "messages", false),
            ("sync.log.old", "sync.log", false),
            ("sync.log.1749686400", "sync.log", false),
            ("part.1749686400.x", "part.1749686400.x", true),
            ("7-11.txt", "7-11.txt", true),
            ("12345678", "12345678", true),
        ] {
            assert_eq!((any(name).0.as_str(), may_grow(name)), (log, grows), "{name}");
        }
    }
}
