//! Which files are logs, by their names alone.

use std::ffi::OsStr;

/// A log, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogName {
    /// It was put aside: `app.log.1`, `app.log-20261122`, or anything compressed. A program writes to the others.
    pub(super) is_rotated: bool,
    /// It is compressed.
    pub(super) is_packed: bool,
}

/// Understands `NAME.log`, `NAME.log.N`, `NAME.log-DATE`, `NAME.log.DATE`, and these compressed.
pub(super) fn of(name: &OsStr) -> Option<LogName> {
    let name = name.as_encoded_bytes().to_ascii_lowercase();
    let (stem, is_packed) = [".gz", ".zst", ".bz2", ".xz"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix.as_bytes()))
        .map_or((name.as_slice(), false), |stem| (stem, true));
    // What begins with a dot is somebody's temporary or private file: ours for one.
    if stem.starts_with(b".") {
        return None;
    }
    if stem.ends_with(b".log") {
        return Some(LogName { is_rotated: is_packed, is_packed });
    }
    // The last `.log` that something follows.
    let at = stem.windows(4).rposition(|window| window == b".log")?;
    let rest = stem[at + 4..].strip_prefix(b".").or_else(|| stem[at + 4..].strip_prefix(b"-"))?;
    let is_number_or_date = rest.first().is_some_and(u8::is_ascii_digit)
        && rest.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.' | b't' | b'z' | b':'));
    (at > 0 && is_number_or_date).then_some(LogName { is_rotated: true, is_packed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_and_what_looks_like_them() {
        let of = |name: &str| of(OsStr::new(name)).map(|log| (log.is_rotated, log.is_packed));
        for name in ["sync-engine.log", "-rf.log", "APP.LOG", "a\nb.log", "app-2026-11-22T09-00-00.000.log"] {
            assert_eq!(of(name), Some((false, false)), "{name}");
        }
        for name in ["app.log.1", "app.log-20261122", "app.log.2026-11-22", "app.log-20261122T090000Z", "a.log.log.12"]
        {
            assert_eq!(of(name), Some((true, false)), "{name}");
        }
        for name in ["app.log.gz", "app.log.1.gz", "app.log-20261122.zst", "app.log.2.xz"] {
            assert_eq!(of(name), Some((true, true)), "{name}");
        }
        for name in [
            "log",
            ".log",
            ".app.log",
            "app.logs",
            "app.log.bak",
            "app.log.1.txt",
            "app.log.",
            "app.log-",
            "catalog",
            "app.gz",
            "changelog.1",
            ".log.1",
            "app.log.conf",
            "records.jsonl",
            "app.log~",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_need_not_be_text() {
        use std::os::unix::ffi::OsStrExt as _;
        assert!(of(OsStr::from_bytes(b"caf\xe9.log.1")).is_some());
        assert!(of(OsStr::from_bytes(b"caf.log.\xe9")).is_none());
    }
}
