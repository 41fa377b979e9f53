//! Names of logs and of what rotation makes of them.

use std::cmp::Reverse;

/// How a log was rotated; the order is from the oldest to the newest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rotation {
    /// `sync.log-20250612`, `sync.log.2025-06-12`: by date.
    Dated(String),
    /// `sync.log.2`: the higher, the older.
    Numbered(Reverse<u32>),
    /// `sync.log`.
    Current,
}

/// The log that a file belongs to (`sync.log`) and how it was rotated; `None` for what is no log by its name.
pub(crate) fn of(name: &str) -> Option<(String, Rotation)> {
    let name = name.to_ascii_lowercase();
    let packed = [".gz", ".zst", ".xz", ".bz2"];
    let plain = packed.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
    if plain.ends_with(".log") && plain.len() > 4 {
        return Some((plain.to_owned(), Rotation::Current));
    }
    let end = plain.rfind(".log.").or_else(|| plain.rfind(".log-")).filter(|&at| at > 0)? + 4;
    let (log, suffix) = (&plain[..end], &plain[end + 1..]);
    if suffix.len() < 6
        && let Ok(number) = suffix.parse()
    {
        return Some((log.to_owned(), Rotation::Numbered(Reverse(number))));
    }
    let dated = suffix.starts_with(|first: char| first.is_ascii_digit())
        && suffix.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | ':' | 't' | 'z'));
    dated.then(|| (log.to_owned(), Rotation::Dated(suffix.to_owned())))
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
            "sync.log-20250612",
            "sync.log-20250611.gz",
            "SYNC.LOG-20250610",
        ];
        names.sort_by_key(|name| of(name));
        assert_eq!(
            names,
            [
                "SYNC.LOG-20250610",
                "sync.log-20250611.gz",
                "sync.log-20250612",
                "sync.log.10.gz",
                "sync.log.2.gz",
                "sync.log.1",
                "sync.log"
            ]
        );
        for name in ["sync-20250612.log", "a.log.gz", "a.log.zst", "a.log.2025-06-12_09:00"] {
            assert!(of(name).is_some(), "{name}");
        }
        for name in
            ["sync.txt", "log", ".log", "sync.log.bak", "sync.log.old", "sync.logs", "catalog", ".log.1", "a.gz"]
        {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
