//! The same content under two names: a log that was rotated, and then packed or copied, counts once.
//!
//! Two files are compared when their first bytes are alike and they belong to the same log (by folder and name), or
//! hold [`MIN_FOREIGN`] bytes or more. They are compared to the end, byte by byte, so what is called a twin is one. If one
//! is the beginning of the other, then it is being packed or copied, or was left behind by that.
//!
//! No file is held open: there may be more of them than a process may open.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use pso_common::io::{Cancel, Cancelled};

use crate::input::decode::Decoded;
use crate::input::files::Found;
use crate::input::ladder::Ladder;
use crate::input::logfile::{Identity, LogFile, Seen, fill};
use crate::input::prints::PRINT_BYTES;
use crate::input::rotation;
use crate::stamps::Moment;
use crate::stamps::reader::Reader;
use crate::stamps::zone::Zone;

/// Shorter contents of files that do not belong together may well be alike by chance: `started`.
const MIN_FOREIGN: usize = 1 << 10;

/// Bytes that are compared at a time.
const PIECE: usize = 128 << 10;

/// What is known of a file before it is compared.
struct Candidate {
    /// Its place among the inputs.
    number: usize,
    path: PathBuf,
    identity: Identity,
    group: (PathBuf, String),
    head: Vec<u8>,
    /// Of its text, once it is asked for.
    ladder: OnceCell<Ladder>,
    /// What is read rather than another with the same content: plain files, and rather rotated ones, because a growing
    /// one may be truncated at any moment.
    rank: (bool, bool),
}

/// Turns files whose content another one holds into [`Found::Twin`]. Gives which file each path was at that moment: rotation
/// may give it to another one at any time. `None` for what is no file, or cannot be read.
///
/// # Errors
/// When a signal asked to stop. What cannot be read is left for the scan to tell.
pub(crate) fn mark(found: &mut [Found], cancel: &Cancel) -> Result<Vec<Option<Seen>>, Cancelled> {
    let mut kept: Vec<Candidate> = Vec::new();
    let (mut groups, mut heads) = (HashMap::<_, Vec<usize>>::new(), HashMap::<_, Vec<usize>>::new());
    let mut inodes = HashMap::<(u64, u64), usize>::new();
    let mut seen = vec![None; found.len()];
    for number in 0..found.len() {
        cancel.check()?;
        let Found::File(path) = &found[number] else { continue };
        let Some(candidate) = Candidate::of(number, path) else { continue };
        seen[number] = Some(Seen::new(candidate.identity, &candidate.head));
        let start = candidate.head.get(..MIN_FOREIGN).map(<[u8]>::to_vec);
        let mut alike: Vec<usize> = groups.get(&candidate.group).cloned().unwrap_or_default();
        let identity = candidate.identity;
        alike.extend(inodes.get(&(identity.device, identity.inode)));
        alike.extend(start.as_ref().and_then(|start| heads.get(start)).into_iter().flatten());
        alike.sort_unstable();
        alike.dedup();
        let mut is_twin = false;
        for at in alike {
            let other = &kept[at];
            if matches!(found[other.number], Found::Twin { .. }) {
                continue;
            }
            let (twin, of, is_part) = match candidate.compare(other, cancel)? {
                Relation::Different => continue,
                Relation::Equal if candidate.rank > other.rank => (other, &candidate, false),
                Relation::Equal => (&candidate, other, false),
                Relation::Beginning => (&candidate, other, true),
                Relation::Longer => (other, &candidate, true),
            };
            found[twin.number] = Found::Twin { path: twin.path.clone(), of: of.path.clone(), is_part };
            is_twin = twin.number == number;
            if is_twin {
                break;
            }
        }
        if !is_twin {
            inodes.insert((identity.device, identity.inode), kept.len());
            groups.entry(candidate.group.clone()).or_default().push(kept.len());
            if let Some(start) = start {
                heads.entry(start).or_default().push(kept.len());
            }
            kept.push(candidate);
        }
    }
    name_what_is_read(found);
    Ok(seen)
}

/// A twin of a twin is one of what is read in the end.
fn name_what_is_read(found: &mut [Found]) {
    let twins = found.iter().filter_map(|found| match found {
        Found::Twin { path, of, is_part } => Some((path.clone(), (of.clone(), *is_part))),
        _ => None,
    });
    let twins: HashMap<PathBuf, (PathBuf, bool)> = twins.collect();
    for found in found {
        if let Found::Twin { of, is_part, .. } = found {
            // Each step leads to a file that was found to be the better one, so there is an end.
            while let Some((better, part)) = twins.get(of) {
                of.clone_from(better);
                *is_part |= part;
            }
        }
    }
}

/// What one text is to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Different,
    Equal,
    /// It is the beginning of the other.
    Beginning,
    /// The other is its beginning.
    Longer,
}

impl Candidate {
    /// `None` for what is no file, or cannot be read: the scan tells that.
    fn of(number: usize, path: &Path) -> Option<Self> {
        let log = LogFile::open(path).ok()?;
        let (head, _) = log.head().ok()?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let folder = folder.canonicalize().unwrap_or(folder);
        let rank = (!log.is_packed(), !rotation::may_grow(&name));
        let group = (folder, rotation::any(&name).0);
        let (path, identity) = (path.to_path_buf(), log.identity);
        Some(Self { number, path, identity, group, head, ladder: OnceCell::new(), rank })
    }

    /// Its text, as long as it is the same file.
    fn text(&self) -> Option<Decoded> {
        let log = LogFile::open(&self.path).ok().filter(|log| self.identity.is_same(&log.identity))?;
        log.text().ok()
    }

    fn ladder(&self) -> &Ladder {
        self.ladder.get_or_init(|| self.text().map(|decoded| Ladder::of(decoded.text)).unwrap_or_default())
    }

    /// Whether rotation calls both the same, but for the packing.
    fn is_packed_of(&self, other: &Self) -> bool {
        let name = |path: &Path| rotation::unpacked(&path.to_string_lossy()).to_owned();
        name(&self.path) == name(&other.path)
    }

    fn compare(&self, other: &Self, cancel: &Cancel) -> Result<Relation, Cancelled> {
        if self.identity.is_file(&other.identity) {
            return Ok(Relation::Equal);
        }
        let is_packed = self.is_packed_of(other);
        // Nothing has come out of the packer yet.
        let is_new = |new: &Self| is_packed && new.head.is_empty() && rotation::is_packed(&new.path.to_string_lossy());
        if is_new(self) {
            return Ok(Relation::Beginning);
        }
        if is_new(other) {
            return Ok(Relation::Longer);
        }
        let common = self.head.len().min(other.head.len());
        if common == 0 || self.head[..common] != other.head[..common] {
            return Ok(Relation::Different);
        }
        // Little is alike by chance: in files of different logs, and in one log if nothing says when it was written.
        let is_little = common < MIN_FOREIGN && !is_packed;
        if is_little && (self.group != other.group || !is_dated(&self.head[..common])) {
            return Ok(Relation::Different);
        }
        if common == PRINT_BYTES && !self.ladder().may_agree(other.ladder()) {
            return Ok(Relation::Different);
        }
        self.compare_texts(other, cancel)
    }

    /// Compares all of both. A text that breaks off is the beginning of one that goes on.
    fn compare_texts(&self, other: &Self, cancel: &Cancel) -> Result<Relation, Cancelled> {
        let (Some(own), Some(others)) = (self.text(), other.text()) else { return Ok(Relation::Different) };
        let (mut own, mut others) = (own.text, others.text);
        let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
        loop {
            cancel.check()?;
            let ((left_end, left_error), (right_end, right_error)) =
                (fill(&mut own, &mut left), fill(&mut others, &mut right));
            let common = left_end.min(right_end);
            if left[..common] != right[..common] {
                return Ok(Relation::Different);
            }
            match left_end.cmp(&right_end) {
                std::cmp::Ordering::Less => return Ok(Relation::Beginning),
                std::cmp::Ordering::Greater => return Ok(Relation::Longer),
                std::cmp::Ordering::Equal if left_end < PIECE => {
                    return Ok(match (left_error.is_some(), right_error.is_some()) {
                        (true, false) => Relation::Beginning,
                        (false, true) => Relation::Longer,
                        _ => Relation::Equal,
                    });
                }
                std::cmp::Ordering::Equal => {}
            }
        }
    }
}

/// Whether one of the lines has a stamp.
fn is_dated(text: &[u8]) -> bool {
    let reader = Reader::new(Zone::UTC, Moment(0));
    text.split(|&byte| byte == b'\n').any(|line| reader.stamp_of_line(line).is_some())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn lines(from: u32, to: u32) -> Vec<u8> {
        (from..to)
            .flat_map(|n| format!("2025-06-12T09:00:00Z {n} {:x}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    /// Of files with these contents, what is not read, and why.
    fn twins(files: &[(&str, &[u8])]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut found = Vec::new();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            std::fs::write(&path, bytes).expect("written");
            found.push(Found::File(path));
        }
        mark(&mut found, &Cancel::default()).expect("not cancelled");
        let short = |path: &Path| path.strip_prefix(folder.path()).expect("below").display().to_string();
        let twins = found.iter().filter_map(|found| match found {
            Found::Twin { path, of, is_part } => {
                Some(format!("{} {} {}", short(path), if *is_part { "<" } else { "=" }, short(of)))
            }
            _ => None,
        });
        twins.collect()
    }

    #[test]
    fn the_same_content_is_read_once() {
        let long = lines(0, 20_000);
        let (short, packed, zst) = (lines(0, 3), gz(&long), zstd::encode_all(&long[..], 1).expect("in memory"));
        let mut other = long.clone();
        other[700_000] ^= 1;
        let none: [&str; 0] = [];
        // Rotated, then packed; a copy that is about to be truncated; packing under way, and just begun.
        assert_eq!(twins(&[("a.log.1", &long), ("a.log.1.gz", &packed)]), ["a.log.1.gz = a.log.1"]);
        assert_eq!(
            twins(&[("a.log.2.gz", &packed), ("a.log.1.zst", &zst), ("a.log", &long)]),
            ["a.log.2.gz = a.log", "a.log.1.zst = a.log"]
        );
        assert_eq!(twins(&[("a.log", &short), ("a.log.1", &short)]), ["a.log = a.log.1"]);
        assert_eq!(twins(&[("a.log.1", &long), ("a.log.1.gz", &packed[..packed.len() / 2])]), ["a.log.1.gz < a.log.1"]);
        assert_eq!(twins(&[("a.log.1.gz", &packed[..11]), ("a.log.1", &long)]), ["a.log.1.gz < a.log.1"]);
        assert_eq!(twins(&[("a.log.1.gz", b""), ("a.log.1", &long)]), ["a.log.1.gz < a.log.1"]);
        assert_eq!(twins(&[("a.log.1.gz", &packed[..packed.len() - 4]), ("a.log.1", &long)]), ["a.log.1.gz < a.log.1"]);
        assert_eq!(twins(&[("a.log.1", &long[..500_000]), ("a.log", &long)]), ["a.log.1 < a.log"]);
        // Alike at first, but not all of it.
        assert_eq!(twins(&[("a.log.1", &long), ("a.log", &other)]), none);
        assert_eq!(twins(&[("a.log.1", b"x\n"), ("a.log", b"y\n"), ("a.log.2", b""), ("a.log.3", b"")]), none);
        // Other names, and other folders.
        assert_eq!(twins(&[("a.log", &long), ("b.log", &long)]), ["b.log = a.log"]);
        assert_eq!(twins(&[("a.log", &long), ("old/a.log.gz", &packed)]), ["old/a.log.gz = a.log"]);
        assert_eq!(twins(&[("a.log", &short), ("b.log", &short), ("old/a.log", &short)]), none);
        // A line that is written after each rotation, and says nothing of when: only packing makes two of it.
        let started: &[u8] = b"ERROR started\n";
        assert_eq!(twins(&[("a.log.2", started), ("a.log.1", started), ("a.log", &[started, b"on\n"].concat())]), none);
        assert_eq!(twins(&[("a.log.1", started), ("a.log.1.gz", &gz(started))]), ["a.log.1.gz = a.log.1"]);
        // One content under many names.
        assert_eq!(
            twins(&[("a.log", &short), ("a.log.1", &long), ("a.log.2.gz", &packed)]),
            ["a.log < a.log.1", "a.log.2.gz = a.log.1"]
        );
    }

    #[test]
    fn files_that_begin_alike_for_long_are_told_apart() {
        let banner = b"# the licence\n".repeat(1000);
        let with = |text: &[u8]| [&banner[..], text].concat();
        let (one, two, more) = (with(b"one\n"), with(b"two\n"), with(b"one\nmore\n"));
        let files = [("a.log.3", &one[..]), ("a.log.2.gz", &gz(&two)), ("a.log.1.gz", &gz(&one)), ("a.log", &more)];
        assert_eq!(twins(&files), ["a.log.3 < a.log", "a.log.1.gz < a.log"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_hard_link_is_no_second_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, two) = (folder.path().join("a.log"), folder.path().join("b.log"));
        std::fs::write(&one, "short\n").expect("written");
        std::fs::hard_link(&one, &two).expect("linked");
        let mut found = [Found::File(one.clone()), Found::File(two.clone())];
        mark(&mut found, &Cancel::default()).expect("not cancelled");
        assert_eq!(found[1], Found::Twin { path: two, of: one, is_part: false });
    }
}
