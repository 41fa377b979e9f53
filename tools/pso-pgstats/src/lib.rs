//! `pso-pgstats`: what PostgreSQL says about one database, and what to do about it.
//!
//! Reads: one PostgreSQL database, over one read-only connection with a short `lock_timeout`, and `config/config.yaml`.
//! It changes nothing. With `--input FILE` it asks no server and reads what an earlier run wrote; only `--input -` touches stdin.
//!
//! Writes: one `pg.server`, then the sections: one `pg.<noun>` a row, `pg.advice`, and after each section one `pg.section` that
//! says how much there was and what could not be seen.
//!
//! Exit codes: 0 nothing to do · 1 an advice that should be followed · 2 one that cannot wait · 3 a section could not be
//! read, or the server could not be reached. The records are facts; only advice judges.
//!
//! ```text
//! pso-pgstats advice | jq -r 'select(.kind == "pg.advice") | .sql // empty'
//! ```
//!
//! | module | idea |
//! |---|---|
//! | `cli`, `settings` | flags; what the code works with, each limit in one place |
//! | `sections` | one file a section: its query's rows as records |
//! | `report` | what a section found, and how its end tells it |
//! | `records` | what was read, by kind; the snapshot that rules judge |
//! | `advice` | one file a rule: a pure function from the snapshot to advice |
//! | `baseline`, `changes` | the numbers of an earlier run, and what has changed since |
//! | `conclude` | the sections that follow from what the others read |
//! | `watch`, `row` | the connection, what can go wrong with a query; a row as a record |
//! | `worker` | the thread that asks, the deadline that bounds it, and the records that come of it |
//! | `replay` | the same from a saved run |

mod advice;
mod baseline;
mod changes;
mod cli;
mod conclude;
mod records;
mod replay;
mod report;
mod row;
mod sections;
mod settings;
mod watch;
mod worker;

use pso_common::record::{Kind as _, PgAdviceRecord, PgChangeRecord, PgSectionRecord, PgServerRecord, Severity};
use pso_common::{Io, Tool, run as frame};

pub use cli::Cli;
use settings::{Settings, Source};

macro_rules! kinds {
    ($($plural:ident: $record:ident,)*) => {
        &[
            PgServerRecord::KIND,
            PgSectionRecord::KIND,
            $(pso_common::record::$record::KIND,)*
            PgChangeRecord::KIND,
            PgAdviceRecord::KIND,
        ]
    };
}

/// This tool, as the frame of a run knows it.
pub const TOOL: Tool =
    Tool { name: "pso-pgstats", version: env!("CARGO_PKG_VERSION"), kinds: pso_common::pg_records!(kinds) };

/// Runs the tool and returns the worst severity that it wrote.
///
/// # Errors
/// When the configuration is wrong, the server cannot be reached, is older than PostgreSQL 13, or goes away meanwhile; when
/// stdout cannot be written; when a signal came.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    frame::session(&TOOL, &cli.common, io, |run| {
        let settings = Settings::resolve(&cli, run.config())?;
        if run.printed_config()? {
            return Ok(());
        }
        if cli.list {
            return sections::list(run);
        }
        match settings.source.clone() {
            Source::Server(pg) => worker::run(pg, &settings, run),
            Source::Saved(path) => replay::run(&path, &settings, run),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who looks for a name that a record or `--help` has must find it there.
    #[test]
    fn the_readme_names_every_section_rule_and_limit() {
        let readme = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));
        let sections = sections::SECTIONS.iter().map(|section| section.name);
        let limits = settings::Limits::default().shown().into_iter().map(|(name, _)| name);
        let named = |name: &&str| readme.contains(&format!("`{name}`"));
        let missing: Vec<&str> = sections
            .chain(advice::rules())
            .chain(limits)
            // A limit may stand there as its flag, or with a value.
            .filter(|name| {
                !named(name) && !readme.contains(&format!("`--{name}`")) && !readme.contains(&format!("`{name}: "))
            })
            .collect();
        assert_eq!(missing, [""; 0]);
    }
}
