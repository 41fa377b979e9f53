//! When an input was last written, which is what the years of its stamps are inferred from.

use std::path::Path;

use pso_common::Timestamp;
use time::OffsetDateTime;

use crate::stamps::calendar::{DAY, day_number};
use crate::stamps::marks::pair;
use crate::stamps::{Moment, SECOND};

/// How long after the day in its name a log may have been written: a monthly one bears its first day.
const MAX_DAYS_AFTER_NAME: i64 = 31;

/// The moment at which `path` was last written: its time of modification, but not later than a month after the date in
/// its name (`sync.log-20250612`), because a copy is newer than what it holds. `now` where the file tells nothing.
pub(crate) fn of_file(path: &Path, now: Timestamp) -> Moment {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    let modified = modified.map_or(now, |at| Timestamp::new(OffsetDateTime::from(at))).into();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let named = date_in(name.as_bytes()).map(|date| Moment((date + MAX_DAYS_AFTER_NAME) * DAY * SECOND));
    named.map_or(modified, |named| named.min(modified))
}

/// The days from 1970 to the last date in `name`, written as `20250612` or with marks between, of 1990 to 2099.
fn date_in(name: &[u8]) -> Option<i64> {
    (0..name.len()).rev().find_map(|start| {
        if start.checked_sub(1).is_some_and(|before| name[before].is_ascii_digit()) {
            return None;
        }
        let (y1, y2, y3, y4, m1, m2, d1, d2, end) = match name[start..] {
            [y1, y2, y3, y4, b'-' | b'.' | b'_', m1, m2, b'-' | b'.' | b'_', d1, d2, ..] => {
                (y1, y2, y3, y4, m1, m2, d1, d2, start + 10)
            }
            [y1, y2, y3, y4, m1, m2, d1, d2, ..] => (y1, y2, y3, y4, m1, m2, d1, d2, start + 8),
            _ => return None,
        };
        let year = i32::try_from(pair(y1, y2)? * 100 + pair(y3, y4)?).ok()?;
        let date = day_number(year, pair(m1, m2)?, pair(d1, d2)?)?;
        // `20250612093000` is such a date with a time.
        let digits = name[end..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        ((1990..2100).contains(&year) && matches!(digits, 0 | 2 | 4 | 6)).then_some(date)
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn dates_in_names_exist() {
        for (name, expected) in [
            ("sync.log-20250612", Some((2025, 6, 12))),
            ("sync.log-20250612.gz", Some((2025, 6, 12))),
            ("sync.log.2025-06-12_09:00", Some((2025, 6, 12))),
            ("sync-2025.06.12.log", Some((2025, 6, 12))),
            ("sync.log-20250612093000.zst", Some((2025, 6, 12))),
            ("2024_02_29", Some((2024, 2, 29))),
            ("20200101-sync.log-20250612", Some((2025, 6, 12))),
            ("sync.log-20250631", None),
            ("sync.log-2025061", None),
            ("sync.log-202506123", None),
            ("sync.log-18990612", None),
            ("sync.log.1", None),
            ("", None),
        ] {
            let expected = expected.and_then(|(year, month, day)| day_number(year, month, day));
            assert_eq!(date_in(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn a_file_was_written_when_it_says_but_not_long_after_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let now: Timestamp = "2025-06-12T09:00:00Z".parse().expect("a time");
        let second = 1_700_000_000;
        let reference = |name: &str| {
            let path = folder.path().join(name);
            let file = File::create(&path).expect("created");
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            file.set_times(FileTimes::new().set_modified(modified)).expect("set");
            of_file(&path, now).timestamp().expect("in range").to_string()
        };
        assert_eq!(reference("a.log"), "2023-11-14T22:13:20.000Z");
        assert_eq!(reference("a.log-20231114"), "2023-11-14T22:13:20.000Z");
        assert_eq!(reference("a.log-20240101"), "2023-11-14T22:13:20.000Z");
        assert_eq!(reference("a.log-20211231"), "2022-01-31T00:00:00.000Z");
        assert_eq!(of_file(&folder.path().join("none.log"), now), now.into());
    }
}
