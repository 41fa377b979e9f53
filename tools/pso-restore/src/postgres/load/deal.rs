//! Cutting the rows of a table into pieces, between rows.

use std::io::Read;

use anyhow::Context as _;
use pso_archive::custom::Content;

/// The size of a piece in bytes, unless a row is larger: 64 pages of a table.
const PIECE: usize = 512 << 10;
/// What `pg_dump` writes after the last row. No row looks like that: a backslash in it is doubled.
const END: &[u8] = b"\\.\n\n\n";

/// Hands out everything but the end mark, in pieces of whole rows; the number of bytes.
pub(super) fn deal<R: Read>(
    content: &mut Content<'_, R>,
    mut take: impl FnMut(Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let (mut piece, mut most, mut size) = (Vec::new(), PIECE, 0);
    while content.fill(&mut piece, most)? {
        // The end mark must not be cut, and rows end in a newline, which is written `\n` inside of them.
        let searched = &piece[..piece.len() - END.len()];
        let Some(newline) = searched.iter().rposition(|byte| *byte == b'\n') else {
            most = piece.len() * 2;
            continue;
        };
        let mut rest = Vec::with_capacity(PIECE + PIECE / 8);
        rest.extend_from_slice(&piece[newline + 1..]);
        piece.truncate(newline + 1);
        size += piece.len() as u64;
        take(std::mem::replace(&mut piece, rest))?;
        most = PIECE;
    }
    let rows = piece.strip_suffix(END).context("the rows do not end as pg_dump ends them")?.len();
    piece.truncate(rows);
    if rows > 0 {
        take(piece)?;
    }
    Ok(size + rows as u64)
}
