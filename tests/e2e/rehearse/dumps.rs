//! Surgery on dumps in pg_dump's custom format, as no program of PostgreSQL would do it.
//!
//! After the table of contents comes a block for each table: a byte for its kind, the number of the table's entry, then
//! length and bytes again and again until a length of 0 (`pg_backup_custom.c`).

use std::cell::Cell;
use std::io::Read;

use pso_archive::custom::{Block, Blocks, Toc};

/// Reads bytes and says how many were read.
struct Counted<'a> {
    left: &'a [u8],
    read: &'a Cell<usize>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.left.read(buffer)?;
        self.read.set(self.read.get() + read);
        Ok(read)
    }
}

/// The dump with the rows of one table (`tasks`) changed: they come as `COPY` writes them, with its end mark. `None`
/// takes the whole block away, while the table of contents goes on naming it.
pub(crate) fn with_rows(dump: &[u8], table: &str, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> Vec<u8> {
    let toc = Toc::read(dump).expect("a dump");
    let entry = toc.entries.iter().find(|entry| entry.desc == "TABLE DATA" && entry.tag == table);
    let id = entry.unwrap_or_else(|| panic!("the dump has no rows of {table}")).id;
    let start = toc.bytes().len();
    let read = Cell::new(start);
    let mut blocks = Blocks::new(Counted { left: &dump[start..], read: &read }, &toc);
    let mut from = start;
    while let Some(block) = blocks.next_block().expect("a block") {
        match block {
            Block::Table(of) => {
                let mut rows = Vec::new();
                blocks.content().read_to_end(&mut rows).expect("rows");
                if of == id {
                    let changed = change(rows).map(|rows| packed(id, &rows)).unwrap_or_default();
                    return [&dump[..from], &changed, &dump[read.get()..]].concat();
                }
            }
            Block::LargeObjects(_) => {
                while blocks.large_object().expect("a large object").is_some() {
                    blocks.content().skip().expect("its bytes");
                }
            }
        }
        from = read.get();
    }
    panic!("the dump has no block of {table}");
}

/// Where the rows of a table lie in the dump.
pub(crate) fn place_of(dump: &[u8], table: &str) -> usize {
    let mut length = 0;
    let without = with_rows(dump, table, |rows| {
        length = rows.len();
        None
    });
    let differs = without.iter().zip(dump).position(|(without, dump)| without != dump).unwrap_or(without.len());
    assert!(length > 0, "{table} is empty");
    differs
}

fn packed(id: u32, rows: &[u8]) -> Vec<u8> {
    // `WriteInt`: the sign, then four bytes.
    let int = |value: usize| [&[0_u8][..], &u32::try_from(value).expect("short").to_le_bytes()].concat();
    let mut block = vec![1];
    block.extend(int(id as usize));
    if !rows.is_empty() {
        block.extend(int(rows.len()));
        block.extend(rows);
    }
    block.extend(int(0));
    block
}

/// The first rows go.
pub(crate) fn without_first(rows: &[u8], count: usize) -> Vec<u8> {
    let lines: Vec<&[u8]> = rows.split_inclusive(|byte| *byte == b'\n').collect();
    assert!(!lines[..count].iter().any(|line| line.starts_with(b"\\.")), "there are not {count} rows");
    lines[count..].concat()
}
