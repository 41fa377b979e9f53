//! Names: of entries, which must stay inside, and of archives, by which ours are told from everybody else's.

use std::path::Path;

use crate::encryption::SUFFIX;
use anyhow::bail;
use pso_common::Timestamp;
use time::{Date, Month, PrimitiveDateTime, Time};

/// The longest entry name in bytes: what a path may have on Linux.
const MAX_NAME_BYTES: usize = 4096;

/// Refuses a name under which something could be written outside the folder it is meant for, or that means different
/// things to different readers.
///
/// # Errors
/// Says what is wrong with the name.
pub fn check_entry_name(name: &str) -> anyhow::Result<()> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX_NAME_BYTES {
        "it is too long"
    } else if name.starts_with('/') {
        "it is absolute"
    } else if name.contains('\\') {
        "it has a backslash, which is a separator on Windows"
    } else if name.chars().any(char::is_control) {
        "it has a control character"
    } else if has_drive(name) {
        "it begins with a drive letter"
    } else if name.split('/').any(|part| part == "..") {
        "it leads outside (`..`)"
    } else if name.split('/').any(|part| part.is_empty() || part == ".") {
        "it has an empty part"
    } else if cfg!(windows)
        && let Some(reason) = name.split('/').find_map(unfit_for_windows)
    {
        reason
    } else {
        return Ok(());
    };
    bail!("the name {name:?} is refused: {reason}");
}

/// `C:` at the beginning of a part, which makes a path absolute on Windows wherever it stands.
fn has_drive(name: &str) -> bool {
    name.split('/').any(|part| matches!(part.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()))
}

/// Why Windows cannot have a file of that name, or would write somewhere else: to a device, to a stream of another file,
/// to a file without the dots and spaces at the end.
fn unfit_for_windows(part: &str) -> Option<&'static str> {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = part.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port = |name: &str| {
        let mut rest = name.strip_prefix("COM").or_else(|| name.strip_prefix("LPT")).unwrap_or_default().chars();
        matches!((rest.next(), rest.next()), (Some('1'..='9' | '¹' | '²' | '³'), None))
    };
    if part.contains([':', '<', '>', '"', '|', '?', '*']) {
        Some("it has a character that no file on Windows may have")
    } else if part.ends_with(['.', ' ']) {
        Some("it ends in a dot or a space, which Windows drops")
    } else if DEVICES.contains(&stem.as_str()) || is_port(&stem) {
        Some("it is the name of a device on Windows")
    } else {
        None
    }
}

/// A name of any characters as one part of an entry name: what is not a letter, digit, `-`, `_` or `.` is
/// percent-encoded.
#[must_use]
pub fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        // A leading dot would make `.` and `..` possible.
        if plain(byte) || (byte == b'.' && at > 0) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// A file name that archives have: `YYYYMMDD_HHMMSS.zip`, or `YYYYMMDD_HHMMSS_2.zip` for the second of a second.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedArchive {
    /// The moment in the name (UTC).
    pub at: Timestamp,
    /// Which one of that second, from 1.
    pub number: u32,
}

impl NamedArchive {
    /// The name of the `number`th archive of a moment.
    #[must_use]
    pub fn file_name(at: Timestamp, number: u32) -> String {
        let stem = at.compact();
        if number <= 1 { format!("{stem}.zip") } else { format!("{stem}_{number}.zip") }
    }

    /// Understands a file name, with `.age` at its end too; `None` for one that is not an archive's.
    #[must_use]
    pub fn parse(file_name: &str) -> Option<Self> {
        let file_name = file_name.strip_suffix(SUFFIX).unwrap_or(file_name);
        let stem = file_name.strip_suffix(".zip")?;
        let (moment, number) = match stem.as_bytes().get(15) {
            None => (stem, 1),
            Some(b'_') => (&stem[..15], stem[16..].parse().ok().filter(|&n| n > 1)?),
            Some(_) => return None,
        };
        let at = moment_of(moment)?;
        // Only the form that we write counts: `parse` takes `+2` and `02` too.
        (Self::file_name(at, number) == file_name).then_some(Self { at, number })
    }

    /// As [`NamedArchive::parse`], from a path.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        Self::parse(path.file_name()?.to_str()?)
    }
}

/// `YYYYMMDD_HHMMSS`.
fn moment_of(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 15 || bytes[8] != b'_' || !text.is_ascii() {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<u16>().ok();
    let two = |at: usize| number(at..at + 2).and_then(|n| u8::try_from(n).ok());
    let date = Date::from_calendar_date(i32::from(number(0..4)?), Month::try_from(two(4)?).ok()?, two(6)?).ok()?;
    let time = Time::from_hms(two(9)?, two(11)?, two(13)?).ok()?;
    Some(Timestamp::new(PrimitiveDateTime::new(date, time).assume_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "",
            "/etc/passwd",
            "../x",
            "plans/../../x",
            "plans/..",
            "plans//x",
            "plans/./x",
            "plans/x/",
            "plans\\..\\x",
            "C:/x",
            "plans/c:x",
            "plans/a\0b",
            "plans/a\nb",
            "\\\\host\\share",
        ] {
            assert!(check_entry_name(name).is_err(), "{name:?}");
        }
        let anywhere = ["plans/é 🚀/plan v2..md", "postgres/planning_sync.dump"];
        let unix = ["plans/é 🚀/plan : v2..md", "plans/...", "a/12:30.md"];
        for name in anywhere.iter().chain(unix.iter().filter(|_| cfg!(unix))) {
            assert!(check_entry_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn names_that_windows_cannot_have() {
        for name in ["a:b", "x?", "a.", "a ", "nul", "NUL.txt", "con .md", "com1", "LPT9.log", "COM¹", "conin$"] {
            assert!(unfit_for_windows(name).is_some(), "{name:?}");
        }
        for name in ["a.b", "nuller", "com", "com10", "com0", "lpt", "console.md", "é 🚀.md", ".hidden"] {
            assert!(unfit_for_windows(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn encoded_names_are_one_part() {
        assert_eq!(encoded("planning_sync"), "planning_sync");
        assert_eq!(encoded("../é/.x"), "%2E.%2F%C3%A9%2F.x");
        assert_eq!(encoded(".."), "%2E.");
    }

    #[test]
    fn archive_names() {
        let at: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
        assert_eq!(NamedArchive::file_name(at, 1), "20261122_090000.zip");
        for number in [1, 2, 10] {
            let name = NamedArchive::file_name(at, number);
            assert_eq!(NamedArchive::parse(&name), Some(NamedArchive { at, number }));
            assert_eq!(NamedArchive::parse(&format!("{name}.age")), Some(NamedArchive { at, number }));
        }
        for name in [
            "20261122_090000.zip.sha256",
            "20261122_090000_1.zip",
            "20261122_090000_02.zip",
            "20261322_090000.zip",
            "weekly_20261122_090000.zip",
            "notes.zip",
            "2026112_0900000.zip",
            "é0261122_09000.zip",
        ] {
            assert_eq!(NamedArchive::parse(name), None, "{name}");
        }
    }
}
