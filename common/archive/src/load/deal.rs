//! Cutting the rows of a table into pieces, between rows.

use std::io::Read;

use anyhow::Context as _;

use crate::custom::Content;

/// The size of a piece in bytes: 16 pages of a table. The order of the rows changes within as many
/// pieces as there are sessions, so they are small.
const PIECE: usize = 128 << 10;
/// The first piece of a table is larger: so a small table is one piece, and stays in its order.
const FIRST: usize = 1 << 20;
/// What `pg_dump` writes after the last row. No row looks like that: a backslash in it is doubled.
const END: &[u8] = b"\\.\n\n\n";

/// Some of the rows of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Rows as they stand in the dump, in PostgreSQL's text format of COPY.
    pub bytes: Vec<u8>,
    /// Whether a row ends here. If not, it goes on in the next part: a row may be a GiB.
    pub is_whole: bool,
}

/// Hands out everything but the end mark, in parts of about the same size; the number of bytes.
///
/// # Errors
/// When the rows cannot be read to their end, or `take` fails.
pub fn deal<R: Read>(
    content: &mut Content<'_, R>,
    mut take: impl FnMut(Part) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let (mut piece, mut most, mut size) = (Vec::new(), FIRST, 0);
    while content.fill(&mut piece, most)? {
        // The end mark must not be cut, and rows end in a newline, which is written `\n` inside of them.
        let searched = piece.len() - END.len();
        let newline = piece[..searched].iter().rposition(|byte| *byte == b'\n');
        let end = newline.map_or(searched, |newline| newline + 1);
        let mut rest = Vec::with_capacity(PIECE + PIECE / 8);
        rest.extend_from_slice(&piece[end..]);
        piece.truncate(end);
        size += piece.len() as u64;
        take(Part { bytes: std::mem::replace(&mut piece, rest), is_whole: newline.is_some() })?;
        most = PIECE;
    }
    let rows = piece.strip_suffix(END).context("the rows do not end as pg_dump ends them")?.len();
    piece.truncate(rows);
    if rows > 0 {
        take(Part { bytes: piece, is_whole: true })?;
    }
    Ok(size + rows as u64)
}

#[cfg(test)]
mod tests {
    use crate::custom::{Block, Blocks, Toc};

    use super::*;

    /// A dump that holds nothing but its encoding, and one table's rows in pieces as `pg_dump` writes them.
    fn dealt(rows: &[u8], piece: usize) -> anyhow::Result<Vec<Part>> {
        let int = |value: usize| [vec![0], u32::try_from(value).expect("small").to_le_bytes().to_vec()].concat();
        let string = |text: &str| [int(text.len()), text.as_bytes().to_vec()].concat();
        let absent = || [vec![1], 1_u32.to_le_bytes().to_vec()].concat();
        let mut dump = [b"PGDMP".as_slice(), &[1, 13, 0, 4, 8, 1]].concat();
        (0..8).for_each(|_| dump.extend(int(0)));
        (0..3).for_each(|_| dump.extend(string("x")));
        dump.extend(
            [int(1), int(1), int(0), string("0"), string("0"), string("ENCODING"), string("ENCODING")].concat(),
        );
        dump.extend([int(2), string("SET client_encoding = 'UTF8';")].concat());
        (0..6).for_each(|_| dump.extend(string("")));
        dump.extend(absent());
        dump.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
        dump.extend([vec![1], int(9)].concat());
        for piece in rows.chunks(piece) {
            dump.extend([int(piece.len()), piece.to_vec()].concat());
        }
        dump.extend(int(0));
        let mut from = dump.as_slice();
        let toc = Toc::read(&mut from)?;
        let mut blocks = Blocks::new(from, &toc);
        assert_eq!(blocks.next_block()?, Some(Block::Table(9)));
        let mut pieces = Vec::new();
        let size = deal(&mut blocks.content(), |piece| {
            assert!(piece.bytes.len() <= FIRST);
            pieces.push(piece);
            Ok(())
        })?;
        assert_eq!(size as usize, pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>());
        Ok(pieces)
    }

    #[test]
    fn pieces_are_whole_rows_without_the_end_mark() {
        let mut random = 1_u32;
        for rows in [0, 1, 5000, 200_000] {
            let mut text = Vec::new();
            for row in 0..rows {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.extend(format!("{row}\t{}\n", "x".repeat((random >> 26) as usize)).into_bytes());
            }
            if rows == 5000 {
                text.extend([vec![b'y'; 3 << 20], b"\n\n\n".to_vec()].concat());
            }
            for piece in [37, 70_000] {
                let pieces = dealt(&[text.as_slice(), END].concat(), piece).expect("dealt");
                assert!(pieces.iter().all(|piece| piece.bytes.ends_with(b"\n") || !piece.is_whole), "{rows}");
                assert!(pieces.last().is_none_or(|piece| piece.is_whole), "{rows}");
                assert_eq!(pieces.iter().any(|piece| !piece.is_whole), rows == 5000, "{rows}");
                let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.iter().copied()).collect();
                assert!(all == text, "{rows} rows in pieces of {piece}");
                assert!(rows != 200_000 || pieces.len() > 20, "{}", pieces.len());
            }
        }
    }

    #[test]
    fn rows_that_break_off_are_an_error() {
        for text in ["1\n2\n", "1\n2", "", "1\n\\.\n"] {
            assert!(dealt(text.as_bytes(), 10).is_err(), "{text:?}");
        }
    }
}
