//! A plain dump of the specification's script, executed statement by statement. No psql takes part, which would run
//! whatever follows a backslash.

use std::io::Write as _;

use anyhow::{Context as _, anyhow, ensure};
use pso_archive::legacy::{Piece, SqlReader, copied_table};
use pso_archive::{Archive, Entry, load};
use pso_common::io::Cancel;
use pso_common::postgres::{Client, PgSettings};

use super::target::APPLICATION;

/// `undefined_table`, `undefined_object`, `undefined_function`, `invalid_schema_name`, `undefined_column`: `--clean`
/// drops what a new database does not have; and `duplicate_schema`, of which `public` is one.
const ABSENT: [&str; 6] = ["42P01", "42704", "42883", "3F000", "42703", "42P06"];
/// `insufficient_privilege`.
const FORBIDDEN: &str = "42501";

/// Executes the dump in a new database.
///
/// # Errors
/// When the archive cannot be read, the server refuses a statement or a row, or the run is to stop.
pub(super) fn execute(own: &PgSettings, archive: &mut Archive, entry: &Entry, cancel: &Cancel) -> anyhow::Result<()> {
    let mut client = load::session(own, APPLICATION)?;
    let mut content = archive.entry(&entry.name)?;
    let mut reader = SqlReader::new(&mut content);
    while let Some(piece) = reader.next_piece()? {
        cancel.check()?;
        match piece {
            Piece::Statement(statement) => execute_one(&mut client, &statement)?,
            Piece::Copy(statement) => {
                let table = copied_table(&statement).unwrap_or_default();
                copy(&mut client, &statement, &mut reader, cancel)
                    .with_context(|| format!("load the rows of {table}"))?;
            }
            Piece::Rows(_) | Piece::End => return Err(anyhow!("the dump has rows of no table")),
        }
    }
    ensure!(reader.is_complete(), "the dump breaks off");
    drop(reader);
    content.finish(cancel)
}

fn execute_one(client: &mut Client, statement: &str) -> anyhow::Result<()> {
    match client.batch_execute(statement) {
        Err(error) if !error.code().is_some_and(|state| is_tolerable(statement, state.code())) => {
            let shown: String = statement.chars().take(80).collect();
            Err(load::said(&error)).with_context(|| format!("execute {:?}", shown.replace('\n', " ")))
        }
        _ => Ok(()),
    }
}

/// Whether the database is whole without the statement, which has failed with this SQLSTATE.
fn is_tolerable(statement: &str, code: &str) -> bool {
    let drops = statement.starts_with("DROP ")
        || statement.starts_with("ALTER ") && (statement.contains(" DROP ") || statement.contains(" DETACH "))
        // A newer pg_dump sets what an older server does not know.
        || statement.starts_with("SET ")
        || statement == "CREATE SCHEMA public;";
    // The comment of an extension belongs to the extension's owner; and the schema that every database begins with to a
    // superuser before PostgreSQL 15, whose pg_dump --clean drops and makes it again.
    let of_others = statement.starts_with("COMMENT ON EXTENSION ")
        || statement.starts_with("COMMENT ON SCHEMA public ")
        || matches!(statement, "DROP SCHEMA public;" | "DROP SCHEMA IF EXISTS public;");
    drops && ABSENT.contains(&code) || of_others && code == FORBIDDEN
}

fn copy(
    client: &mut Client,
    statement: &str,
    reader: &mut SqlReader<impl std::io::Read>,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    let mut copy = client.copy_in(statement).map_err(|error| load::said(&error))?;
    let mut written = Ok(());
    loop {
        cancel.check()?;
        match reader.next_piece()?.context("the dump breaks off")? {
            Piece::Rows(rows) if written.is_ok() => written = copy.write_all(&rows),
            Piece::Rows(_) => {}
            _ => break,
        }
    }
    // Where writing failed, the server has the reason.
    copy.finish().map_err(|error| load::said(&error))?;
    Ok(written?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_database_can_do_without_is_tolerated() {
        for (statement, code, tolerated) in [
            ("DROP TABLE public.plans;", "42P01", true),
            ("DROP TABLE public.plans;", FORBIDDEN, false),
            ("CREATE SCHEMA public;", "42P06", true),
            ("CREATE SCHEMA other;", "42P06", false),
            ("DROP SCHEMA public;", FORBIDDEN, true),
            ("COMMENT ON SCHEMA public IS 'standard public schema';", FORBIDDEN, true),
            ("COMMENT ON SCHEMA public2 IS 'x';", FORBIDDEN, false),
            ("COMMENT ON EXTENSION hstore IS 'x';", FORBIDDEN, true),
            ("COMMENT ON TABLE public.plans IS 'x';", FORBIDDEN, false),
            ("CREATE TABLE public.plans (id int);", "42P06", false),
        ] {
            assert_eq!(is_tolerable(statement, code), tolerated, "{statement} {code}");
        }
    }
}
