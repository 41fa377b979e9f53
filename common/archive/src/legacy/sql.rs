//! A plain dump, statement by statement. What psql would do by itself, its commands that begin with a backslash, is
//! refused: such a file came from somewhere else.

use std::io::{BufRead as _, BufReader, Read};

use anyhow::{Context as _, bail, ensure};

use super::statement::Statement;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// Rows are handed on in pieces of about this size (bytes).
const PIECE: usize = 256 << 10;
/// How pg_dump ends a dump.
const COMPLETE: &str = "-- PostgreSQL database dump complete";

/// What comes next in a dump.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// A statement without rows.
    Statement(String),
    /// `COPY … FROM stdin`; its rows follow.
    Copy(String),
    /// Whole rows, each with its newline.
    Rows(Vec<u8>),
    /// The end of the rows.
    End,
}

/// Reads a dump that PowerShell's `Out-File` has written: a BOM, and every line feed turned into CRLF, those between
/// rows too. A carriage return in a value is written as `\r`, so none is lost by turning them back.
pub struct SqlReader<R> {
    from: BufReader<R>,
    begun: bool,
    complete: bool,
    in_rows: bool,
    /// The rows have ended, and that was not told yet.
    ended: bool,
    server: Option<String>,
    pg_dump: Option<String>,
    statement: Statement,
    /// What is left of the line.
    rest: Vec<u8>,
}

impl<R: Read> SqlReader<R> {
    /// Nothing is read yet.
    pub fn new(from: R) -> Self {
        Self {
            from: BufReader::with_capacity(PIECE, from),
            begun: false,
            complete: false,
            in_rows: false,
            ended: false,
            server: None,
            pg_dump: None,
            statement: Statement::default(),
            rest: Vec::new(),
        }
    }

    /// Whether the dump said at its end that it is complete.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The server's version and pg_dump's, as the dump names them.
    pub fn versions(&self) -> (Option<String>, Option<String>) {
        (self.server.clone(), self.pg_dump.clone())
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When it cannot be read, breaks off, or holds what pg_dump does not write.
    pub fn next_piece(&mut self) -> anyhow::Result<Option<Piece>> {
        if std::mem::take(&mut self.ended) {
            return Ok(Some(Piece::End));
        }
        if self.in_rows {
            return self.rows().map(Some);
        }
        loop {
            while !self.rest.is_empty() {
                let rest = std::mem::take(&mut self.rest);
                let used = self.statement.take(&rest)?;
                self.rest = rest.get(used.read..).unwrap_or_default().to_vec();
                let Some(statement) = used.whole else { continue };
                let statement = String::from_utf8(statement).context("a statement of the dump is not UTF-8")?;
                self.in_rows = statement.starts_with("COPY ") && statement.ends_with("FROM stdin;");
                if self.in_rows {
                    ensure!(self.rest.trim_ascii().is_empty(), "something follows {statement} in its line");
                    self.rest.clear();
                    return Ok(Some(Piece::Copy(statement)));
                }
                return Ok(Some(Piece::Statement(statement)));
            }
            let Some(line) = self.line()? else {
                ensure!(self.statement.is_blank(), "the dump breaks off in the middle of a statement");
                return Ok(None);
            };
            if !self.statement.is_blank() || !self.is_ours(&line)? {
                self.rest = line;
            }
        }
    }

    /// A line with its newline, and without the carriage return.
    fn line(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        self.from.read_until(b'\n', &mut line).context("read the dump")?;
        if line.is_empty() {
            return Ok(None);
        }
        if !std::mem::replace(&mut self.begun, true) {
            ensure!(
                !line.starts_with(b"\xff\xfe") && !line.starts_with(b"\xfe\xff"),
                "the dump is UTF-16: convert it to UTF-8 first"
            );
            if line.starts_with(BOM) {
                line.drain(..BOM.len());
            }
        }
        if line.ends_with(b"\r\n") {
            line.truncate(line.len() - 2);
            line.push(b'\n');
        }
        Ok(Some(line))
    }

    /// Takes a line between statements that is a comment, or a command of psql's that pg_dump writes.
    fn is_ours(&mut self, line: &[u8]) -> anyhow::Result<bool> {
        let text = line.trim_ascii();
        if let Some(comment) = text.strip_prefix(b"--") {
            let comment = String::from_utf8_lossy(comment);
            let version = |prefix: &str| Some(comment.trim().strip_prefix(prefix)?.trim().to_owned());
            self.server = self.server.take().or_else(|| version("Dumped from database version"));
            self.pg_dump = self.pg_dump.take().or_else(|| version("Dumped by pg_dump version"));
            self.complete |= text == COMPLETE.as_bytes();
            return Ok(true);
        }
        if text.starts_with(b"\\") {
            let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
            let is_known = matches!(words.as_slice(), [b"\\restrict" | b"\\unrestrict", key]
                if !key.is_empty() && key.iter().all(u8::is_ascii_alphanumeric));
            let shown: String = String::from_utf8_lossy(text).chars().take(40).collect();
            ensure!(is_known, "there is a command for psql in the dump, which pg_dump does not write: {shown:?}");
            return Ok(true);
        }
        Ok(text.is_empty())
    }

    fn rows(&mut self) -> anyhow::Result<Piece> {
        let mut rows = Vec::new();
        loop {
            let Some(line) = self.line()? else { bail!("the dump breaks off in the middle of the rows of a table") };
            if line == b"\\.\n" {
                self.in_rows = false;
                self.ended = !rows.is_empty();
                return Ok(if rows.is_empty() { Piece::End } else { Piece::Rows(rows) });
            }
            ensure!(line.ends_with(b"\n"), "the dump breaks off in the middle of a row");
            rows.extend_from_slice(&line);
            if rows.len() >= PIECE {
                return Ok(Piece::Rows(rows));
            }
        }
    }
}

/// The table that a `COPY` of pg_dump's fills, as it is written there: `public.plans`.
pub fn copied_table(statement: &str) -> Option<String> {
    let rest = statement.strip_prefix("COPY ")?;
    let mut quoted = false;
    let end = rest.find(|letter: char| {
        quoted ^= letter == '"';
        letter == ' ' && !quoted
    });
    Some(rest[..end?].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> anyhow::Result<(Vec<Piece>, bool)> {
        let mut reader = SqlReader::new(text.as_bytes());
        let mut pieces = Vec::new();
        while let Some(piece) = reader.next_piece()? {
            pieces.push(piece);
        }
        Ok((pieces, reader.is_complete()))
    }

    const DUMP: &str = "\u{feff}--\n-- PostgreSQL database dump\n--\n\n\\restrict abc123\n\n-- Dumped from database version 15.4 (Debian)\n\
        SET client_encoding = 'UTF8';\nDROP TABLE public.plans;\n\
        CREATE FUNCTION public.f() RETURNS text LANGUAGE plpgsql AS $_$\nBEGIN\n-- it's; a comment\nRETURN 'COPY x FROM stdin;';\nEND $_$;\n\
        CREATE FUNCTION public.g(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC\n SELECT CASE WHEN a > 1 THEN 1 ELSE 2 END;\n SELECT 2;\nEND;\n\
        COPY public.\"a b\" (id, text) FROM stdin;\n1\ta\\.b\n2\t\\\\!\n\\.\n\n\
        COPY public.empty (id) FROM stdin;\n\\.\n\n\
        COMMENT ON TABLE public.plans IS E'it''s \\'one\\'; no /* comment';\n\
        \\unrestrict abc123\n-- PostgreSQL database dump complete\n";

    #[test]
    fn a_dump_comes_in_pieces_whatever_ends_its_lines() {
        let (unix, complete) = pieces(DUMP).expect("read");
        assert!(complete);
        let crlf = DUMP.replace('\n', "\r\n");
        assert_eq!(pieces(&crlf).expect("read").0, unix);
        let statements: Vec<&str> = unix
            .iter()
            .filter_map(|piece| match piece {
                Piece::Statement(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(statements.len(), 5, "{statements:#?}");
        assert!(statements[2].contains("RETURN 'COPY x FROM stdin;'") && statements[3].ends_with("SELECT 2;\nEND;"));
        let rows: Vec<&Piece> = unix.iter().filter(|piece| !matches!(piece, Piece::Statement(_))).collect();
        assert_eq!(
            rows,
            [
                &Piece::Copy("COPY public.\"a b\" (id, text) FROM stdin;".to_owned()),
                &Piece::Rows(b"1\ta\\.b\n2\t\\\\!\n".to_vec()),
                &Piece::End,
                &Piece::Copy("COPY public.empty (id) FROM stdin;".to_owned()),
                &Piece::End
            ]
        );
    }

    #[test]
    fn what_pg_dump_does_not_write_is_refused() {
        for (text, said) in [
            ("\\! rm -rf /\n", "a command for psql"),
            ("\\copy x from '/etc/passwd'\n", "a command for psql"),
            ("  \\connect other\n", "a command for psql"),
            ("\\restrict a; \\! ls\n", "a command for psql"),
            ("SELECT 1 \\! ls\n;", "outside of a text"),
            ("SELECT 1 \\g /tmp/x\n", "outside of a text"),
            ("SELECT 1", "breaks off"),
            ("SELECT 'x;\n", "breaks off"),
            ("COPY a FROM stdin;\n1\n", "breaks off"),
            ("COPY a FROM stdin;\n1", "middle of a row"),
            ("COPY a FROM stdin; SELECT 1;\n", "follows"),
            ("\u{feff}SELECT '\u{0}", "breaks off"),
        ] {
            let error = pieces(text).map_or_else(|error| format!("{error:#}"), |pieces| format!("{pieces:?}"));
            assert!(error.contains(said), "{text:?}: {error}");
        }
        assert!(SqlReader::new(b"\xff\xfeS\0".as_slice()).next_piece().is_err(), "UTF-16");
    }

    #[test]
    fn tables_are_named_as_they_are_written() {
        assert_eq!(copied_table("COPY public.plans (id) FROM stdin;").as_deref(), Some("public.plans"));
        assert_eq!(copied_table("COPY public.\"a \"\"b\" FROM stdin;").as_deref(), Some("public.\"a \"\"b\""));
    }
}
