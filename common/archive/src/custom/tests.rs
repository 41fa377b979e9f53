//! A dump written out by hand, as `pg_dump` of each version writes it.

use std::collections::BTreeMap;

use super::{Block, Blocks, Section, Toc};

fn int(value: i32) -> Vec<u8> {
    let mut bytes = vec![u8::from(value < 0)];
    bytes.extend(value.unsigned_abs().to_le_bytes());
    bytes
}

fn string(text: &str) -> Vec<u8> {
    [int(i32::try_from(text.len()).expect("short")), text.as_bytes().to_vec()].concat()
}

/// One entry: id, whether it has data, kind, name, section, definition, `COPY`.
type Line<'a> = (i32, bool, &'a str, &'a str, i32, &'a str, &'a str);

fn entry(minor: u8, (id, has_data, desc, tag, section, definition, copy): Line<'_>) -> Vec<u8> {
    let mut bytes =
        [int(id), int(i32::from(has_data)), string("1259"), string("16384"), string(tag), string(desc)].concat();
    bytes.extend([int(section), string(definition), string(""), string(copy), string("public"), int(-1)].concat());
    if minor >= 14 {
        bytes.extend(string("heap"));
    }
    if minor >= 16 {
        bytes.extend(int(i32::from(b'r')));
    }
    bytes.extend([string("sync_user"), string("false"), string("7"), string("8"), int(-1)].concat());
    // No offset was set.
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

const LINES: [Line<'_>; 4] = [
    (1, false, "ENCODING", "ENCODING", 2, "SET client_encoding = 'UTF8';\n", ""),
    (7, false, "TABLE", "plans", 2, "CREATE TABLE public.plans (id int);\n", ""),
    (9, true, "TABLE DATA", "plans", 3, "", "COPY public.plans (id) FROM stdin;\n"),
    (11, true, "BLOBS", "BLOBS", 3, "", ""),
];

/// Header and table of contents.
fn head(minor: u8) -> Vec<u8> {
    let mut bytes = [b"PGDMP".as_slice(), &[1, minor, 0, 4, 8, 1]].concat();
    bytes.extend(if minor >= 15 { vec![0] } else { int(0) });
    bytes.extend([int(1), int(2), int(3), int(22), int(10), int(126), int(0)].concat());
    bytes.extend([string("planning_sync"), string("15.18"), string("15.18 (Debian)")].concat());
    bytes.extend(int(4));
    LINES.iter().for_each(|line| bytes.extend(entry(minor, *line)));
    bytes
}

/// Two pieces of rows, then two large objects.
fn data() -> Vec<u8> {
    let mut bytes = [vec![1], int(9), string("1\n2\n"), string("3\n\\.\n\n\n"), int(0)].concat();
    bytes.extend([vec![3], int(11), int(16390), string("ab"), string("c"), int(0), int(-6), int(0), int(0)].concat());
    bytes
}

#[test]
fn every_version_is_read_to_its_end() {
    for minor in 12..=16 {
        let whole = [head(minor), data()].concat();
        let mut from = whole.as_slice();
        let toc = Toc::read(&mut from).unwrap_or_else(|error| panic!("1.{minor}: {error:#}"));
        assert_eq!(toc.bytes(), head(minor), "1.{minor}");
        assert_eq!((toc.encoding.as_str(), toc.entries.len()), ("UTF8", 4));
        let rows = toc.entry(9).expect("there");
        assert_eq!(
            (rows.copy.trim(), rows.section, rows.has_data),
            ("COPY public.plans (id) FROM stdin;", Section::Data, true)
        );
        assert_eq!((rows.namespace.as_str(), rows.owner.as_str()), ("public", "sync_user"));
        assert_eq!(rows.dependencies, [7, 8]);
        assert_eq!(rows.access_method, if minor >= 14 { "heap" } else { "" });
        let mut blocks = Blocks::new(from, &toc);
        let mut content = Vec::new();
        assert_eq!(blocks.next_block().expect("read"), Some(Block::Table(9)));
        assert!(!blocks.content().fill(&mut content, 100).expect("read"));
        assert_eq!(content, b"1\n2\n3\n\\.\n\n\n");
        assert_eq!(blocks.next_block().expect("read"), Some(Block::LargeObjects(11)));
        assert_eq!(blocks.large_object().expect("read"), Some(16390));
        content.clear();
        let mut object = blocks.content();
        assert!(object.fill(&mut content, 2).expect("read"), "there may be more");
        assert_eq!(content, b"ab");
        object.skip().expect("read");
        assert_eq!(blocks.large_object().expect("read"), Some(4_294_967_290), "half of all OIDs are negative in C");
        blocks.content().skip().expect("read");
        assert_eq!(blocks.large_object().expect("read"), None);
        assert_eq!(blocks.next_block().expect("read"), None);
    }
}

#[test]
fn what_is_cut_off_is_an_error_wherever_it_is_cut() {
    let (head, data) = (head(14), data());
    for cut in 0..head.len() {
        assert!(Toc::read(&head[..cut]).is_err(), "{cut}");
    }
    let toc = Toc::read(head.as_slice()).expect("whole");
    // Between two blocks there is nothing to tell a dump that is cut off from one that ends.
    for cut in (1..data.len()).filter(|cut| data[*cut] != 3 || data[*cut - 1] != 0) {
        let read_all = || -> anyhow::Result<()> {
            let mut blocks = Blocks::new(&data[..cut], &toc);
            while let Some(block) = blocks.next_block()? {
                match block {
                    Block::Table(_) => blocks.content().skip()?,
                    Block::LargeObjects(_) => {
                        while blocks.large_object()?.is_some() {
                            blocks.content().skip()?;
                        }
                    }
                }
            }
            Ok(())
        };
        assert!(read_all().is_err(), "{cut}");
    }
}

#[test]
fn what_is_not_known_is_left_to_pg_restore() {
    let with = |at: usize, byte: u8| {
        let mut bytes = head(15);
        bytes[at] = byte;
        Toc::read(bytes.as_slice()).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned())
    };
    for (at, byte, said) in [
        (0, b'X', "not a dump"),
        (6, 17, "version 1.17"),
        (6, 11, "version 1.11"),
        (8, 16, "16 bytes"),
        (10, 5, "format 5"),
        (11, 2, "method 2"),
    ] {
        assert!(with(at, byte).contains(said), "{}", with(at, byte));
    }
}

#[test]
fn sizes_become_offsets() {
    let toc = Toc::read(head(14).as_slice()).expect("whole");
    let (bytes, length) = toc.bytes_with_sizes(&BTreeMap::from([(9, 1000)]));
    let start = toc.bytes().len();
    assert_eq!((bytes.len(), length), (start, start as u64 + 1000));
    let differ: Vec<usize> = (0..start).filter(|at| bytes[*at] != toc.bytes()[*at]).collect();
    let first = differ[0];
    assert_eq!(bytes[first], 2, "the offset is set");
    assert_eq!(bytes[first + 1..first + 9], (start as u64).to_le_bytes());
    assert!(differ.iter().all(|at| (first..first + 9).contains(at)), "and nothing else was touched");
    assert_eq!(Toc::read(bytes.as_slice()).expect("still one").entries.len(), 4);
}

#[test]
fn what_pg_dump_has_packed_is_unpacked() {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, &b"1\n".repeat(10_000)).expect("packed");
    let packed = encoder.finish().expect("packed");
    let piece = |bytes: &[u8]| [int(i32::try_from(bytes.len()).expect("short")), bytes.to_vec()].concat();
    let mut whole = head(14);
    // Level -1, as pg_dump notes its own choice.
    whole.splice(11..16, int(-1));
    let toc_length = whole.len();
    whole.extend([vec![1], int(9), piece(&packed[..10]), piece(&packed[10..]), int(0)].concat());
    whole.extend([vec![1], int(9), piece(&packed), int(0)].concat());
    let mut from = whole.as_slice();
    let toc = Toc::read(&mut from).expect("read");
    assert_eq!(toc.bytes().len(), toc_length);
    let mut blocks = Blocks::new(from, &toc);
    assert_eq!(blocks.next_block().expect("read"), Some(Block::Table(9)));
    let mut content = Vec::new();
    assert!(!blocks.content().fill(&mut content, 1 << 20).expect("read"));
    assert_eq!(content, b"1\n".repeat(10_000));
    assert_eq!(blocks.next_block().expect("the next one"), Some(Block::Table(9)));
    blocks.content().skip().expect("skipped");
    assert_eq!(blocks.next_block().expect("read"), None);
}
