//! A part of an archive, chosen by chance, for those who have no time for all of it.

use std::collections::BTreeSet;

use anyhow::Context as _;
use pso_common::io::Cancel;

use crate::manifest::Entry;
use crate::reader::Archive;

/// How many of `count` are so many percent, and one at least.
fn share(count: usize, percent: u8) -> usize {
    (count * usize::from(percent)).div_ceil(100).max(1)
}

fn is_of_many_blocks(entry: &Entry) -> bool {
    entry.packed.as_ref().is_some_and(|packed| packed.blocks.0.len() > 1)
}

/// The names of the entries that are looked at: all that have many blocks, of which some are chosen then, and a share of
/// the others.
pub(super) fn chosen(entries: &[Entry], percent: u8) -> BTreeSet<String> {
    let (large, small): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| is_of_many_blocks(entry));
    let wanted = share(small.len(), percent);
    let some = fastrand::choose_multiple(small, wanted);
    large.into_iter().chain(some).map(|entry| entry.name.clone()).collect()
}

/// Reads some of an entry's blocks; the bytes that it read.
pub(super) fn verify(archive: &mut Archive, entry: &Entry, percent: u8, cancel: &Cancel) -> anyhow::Result<u64> {
    let blocks = archive.blocks(&entry.name)?.context("it has no blocks")?;
    let mut handle = archive.container().open()?;
    let mut bytes = 0;
    let mut chosen = fastrand::choose_multiple(0..blocks.count(), share(blocks.count(), percent));
    chosen.sort_unstable();
    for block in chosen {
        cancel.check()?;
        bytes += blocks.packed(block, handle.as_mut())?.len() as u64;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use pso_common::Timestamp;
    use pso_common::record::Component;

    use super::*;
    use crate::manifest::{Block, Blocks, PackedEntry};

    #[test]
    fn a_share_of_the_small_ones_and_all_large_ones() {
        let entry = |number: usize, blocks: usize| Entry {
            name: format!("plans/{number}"),
            component: Component::Plans,
            size: 1,
            sha256: String::new(),
            packed: Some(PackedEntry {
                crc32: 0,
                size: 1,
                sha256: String::new(),
                blocks: Blocks(vec![Block { length: 1, crc32: 0 }; blocks]),
            }),
            source: String::new(),
            captured_at: Timestamp::now(),
            modified_at: None,
            mode: None,
        };
        let entries: Vec<Entry> = (0..1000).map(|number| entry(number, 1 + usize::from(number < 3))).collect();
        for (percent, expected) in [(1, 3 + 10), (10, 3 + 100), (100, 1000)] {
            let chosen = chosen(&entries, percent);
            assert_eq!(chosen.len(), expected);
            assert!((0..3).all(|number| chosen.contains(&format!("plans/{number}"))));
        }
        assert_eq!((chosen(&entries[3..4], 1).len(), chosen(&[], 50).len()), (1, 0));
    }
}
