//! What becomes of each log.

use std::time::{Duration, SystemTime};

use pso_common::Severity;
use pso_common::output::bytes;

use super::find::Found;
use super::open::Held;
use super::settings::LogsSettings;

/// What was written so short a time ago is in use, whoever has it open: programs that open a file for each line, and close it
/// again, are seen in no list of open files.
const IN_USE: Duration = Duration::from_secs(3600);

/// A file to which something is to be done.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) file: Found,
    /// It is compressed.
    pub(super) pack: bool,
    /// It is removed; of one that is compressed too, only where that was not enough.
    pub(super) remove: Option<Why>,
}

/// Why a file is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is past its retention.
    Age,
    /// All logs together take too much.
    Size,
}

/// A file to which something would be done, were there not a reason.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) object: String,
    pub(super) severity: Severity,
    pub(super) reason: String,
}

/// What becomes of the logs.
pub(super) struct Choice {
    pub(super) items: Vec<Item>,
    pub(super) kept: Vec<Kept>,
    /// Bytes of all logs.
    pub(super) total: u64,
    /// Bytes that are above the cap whatever is done.
    pub(super) over: Option<u64>,
}

pub(super) fn choose(
    found: Vec<Found>,
    settings: &LogsSettings,
    retention: Duration,
    now: SystemTime,
    mut held: impl FnMut(&Found) -> Held,
) -> Choice {
    let age = |file: &Found| now.duration_since(file.identity.modified).unwrap_or_default();
    let total = found.iter().map(|file| file.identity.size).sum();
    let (mut items, mut others, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let mut left: u64 = total;
    for file in found {
        if age(&file) < IN_USE {
            continue;
        }
        let remove = (age(&file) > retention).then_some(Why::Age);
        let is_old = settings.compress_after.is_some_and(|after| age(&file) > after);
        let pack = remove.is_none() && is_old && !file.name.is_packed && file.identity.size > 0;
        if remove.is_none() && !pack {
            others.push(file);
            continue;
        }
        if let Some((severity, reason)) = obstacle(&file, &mut held) {
            kept.push(Kept { object: file.shown(), severity, reason });
            continue;
        }
        if remove.is_some() {
            left -= file.identity.size;
        }
        items.push(Item { file, pack, remove });
    }
    let most = settings.max_total_size.unwrap_or(u64::MAX);
    if left > most {
        // What was put aside goes before what a program may want to go on with.
        let packed = items.extract_if(.., |item| item.remove.is_none());
        let mut others: Vec<Item> =
            packed.chain(others.into_iter().map(|file| Item { file, pack: false, remove: None })).collect();
        others.sort_by_key(|item| (!item.file.name.is_rotated, item.file.identity.modified));
        for mut item in others {
            if left > most && (item.pack || obstacle(&item.file, &mut held).is_none()) {
                left -= item.file.identity.size;
                item.remove = Some(Why::Size);
            }
            if item.pack || item.remove.is_some() {
                items.push(item);
            }
        }
    }
    Choice { items, kept, total, over: Some(left).filter(|left| *left > most).map(|left| left - most) }
}

/// Why nothing is done to a file.
fn obstacle(file: &Found, held: &mut impl FnMut(&Found) -> Held) -> Option<(Severity, String)> {
    if file.links > 1 {
        let said = format!(
            "it has {} names (hard links), so that it would go on taking {}; remove it by hand",
            file.links,
            bytes(file.identity.size)
        );
        return Some((Severity::Info, said));
    }
    match held(file) {
        Held::No => None,
        Held::By(who) => Some((Severity::Info, format!("{who} has it open"))),
        Held::Perhaps(reason) => Some((Severity::Warning, reason.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::PathBuf;

    use super::super::identity::Identity;
    use super::super::name;
    use super::super::settings::Format;
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 20_000 * DAY
    }

    fn file(name: &str, age: Duration, size: u64) -> Found {
        Found {
            root: PathBuf::from("logs"),
            below: PathBuf::from(name),
            identity: Identity {
                #[cfg(unix)]
                inode: (1, size),
                size,
                modified: now() - age,
            },
            name: name::of(OsStr::new(name)).expect("a log"),
            links: 1,
            owner: 0,
        }
    }

    fn settings(compress_after: Option<Duration>, max_total_size: Option<u64>) -> LogsSettings {
        LogsSettings { folders: Vec::new(), compress_after, format: Format::Zstd, max_total_size }
    }

    fn chosen(choice: &Choice) -> Vec<(String, bool, Option<Why>)> {
        choice.items.iter().map(|item| (item.file.shown(), item.pack, item.remove)).collect()
    }

    #[test]
    fn age_decides() {
        let files = || {
            vec![
                file("a.log", 31 * DAY, 10),
                file("b.log.1", 30 * DAY, 20),
                file("c.log.2.gz", 8 * DAY, 30),
                file("d.log", 8 * DAY, 40),
                file("e.log", 8 * DAY, 0),
                file("f.log", DAY, 50),
            ]
        };
        let choice = choose(files(), &settings(None, None), 30 * DAY, now(), |_| Held::No);
        assert_eq!(chosen(&choice), [("logs/a.log".to_owned(), false, Some(Why::Age))]);
        assert_eq!((choice.total, choice.over), (150, None));
        let choice = choose(files(), &settings(Some(7 * DAY), None), 30 * DAY, now(), |_| Held::No);
        let expected =
            [("logs/a.log", false, Some(Why::Age)), ("logs/b.log.1", true, None), ("logs/d.log", true, None)];
        assert_eq!(chosen(&choice), expected.map(|(name, pack, why)| (name.to_owned(), pack, why)));
    }

    #[test]
    fn the_cap_takes_the_oldest_and_first_what_was_put_aside() {
        let files = vec![
            file("a.log", 20 * DAY, 10),
            file("b.log.1", 5 * DAY, 20),
            file("c.log.2.gz", 8 * DAY, 30),
            file("d.log", Duration::from_secs(60), 40),
        ];
        let of = |most| {
            let choice = choose(files.clone(), &settings(None, Some(most)), 30 * DAY, now(), |_| Held::No);
            (chosen(&choice).into_iter().map(|(name, ..)| name).collect::<Vec<_>>(), choice.over)
        };
        assert_eq!(of(100), (vec![], None));
        assert_eq!(of(99), (vec!["logs/c.log.2.gz".to_owned()], None));
        assert_eq!(of(50).0, ["logs/c.log.2.gz", "logs/b.log.1"]);
        assert_eq!(of(49).0, ["logs/c.log.2.gz", "logs/b.log.1", "logs/a.log"]);
        assert_eq!(of(30), (["logs/c.log.2.gz", "logs/b.log.1", "logs/a.log"].map(str::to_owned).to_vec(), Some(10)));
        let packing = settings(Some(7 * DAY), Some(95));
        let choice = choose(files.clone(), &packing, 30 * DAY, now(), |_| Held::No);
        let expected = [("logs/c.log.2.gz", false, Some(Why::Size)), ("logs/a.log", true, None)];
        assert_eq!(chosen(&choice), expected.map(|(name, pack, why)| (name.to_owned(), pack, why)));
    }

    #[test]
    fn what_is_in_use_stays() {
        let two = Found { links: 2, ..file("two.log", 40 * DAY, 5) };
        let files = vec![file("held.log", 40 * DAY, 10), two, file("young.log", Duration::from_secs(3599), 10)];
        let choice =
            choose(files, &settings(None, Some(1)), Duration::ZERO, now(), |file| match file.name().to_str() {
                Some("held.log") => Held::By("process 7".to_owned()),
                _ => Held::No,
            });
        assert_eq!(chosen(&choice), []);
        let kept: Vec<_> = choice.kept.iter().map(|kept| (kept.object.as_str(), kept.reason.as_str())).collect();
        assert_eq!(kept[0], ("logs/held.log", "process 7 has it open"));
        assert!(kept[1].1.contains("2 names"), "{kept:?}");
        assert_eq!((kept.len(), choice.over), (2, Some(24)));
    }
}
