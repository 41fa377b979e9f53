//! `pso-pgstats`: what PostgreSQL says about one database, and what to do about it.
//!
//! Reads: one PostgreSQL database, over one read-only connection with a short `lock_timeout`, and `config/config.yaml`.
//! It never touches stdin and changes nothing.
//!
//! Writes: `pg.activity`, `pg.table`, `pg.size`, `pg.index`, `pg.statement`, `pg.advice`, and after each section one
//! `pg.section` that says how much there was and what could not be seen.
//!
//! Exit codes: 0 nothing to do · 1 an advice that should be followed · 3 a section could not be read, or the server could
//! not be reached. The records are facts; only advice judges.
//!
//! ```text
//! pso-pgstats advice | jq -r 'select(.kind == "pg.advice") | .sql // empty'
//! ```
//!
//! | module | idea |
//! |---|---|
//! | `sections` | one file a section: its query's rows as records |
//! | `advice` | one file a rule: situation in, advice out |
//! | `watch` | the connection, what is known of the server, what can go wrong with a query |
//! | `worker` | the thread that asks, the deadline that bounds it, and the records that come of it |

mod advice;
mod cli;
mod report;
mod sections;
mod settings;
mod watch;
mod worker;

use pso_common::record::{
    Kind as _, PgActivityRecord, PgAdviceRecord, PgIndexRecord, PgSectionRecord, PgSizeRecord, PgStatementRecord,
    PgTableRecord, Severity,
};
use pso_common::{Io, Tool, run as frame};

pub use cli::Cli;
use settings::Settings;

/// This tool, as the frame of a run knows it.
pub const TOOL: Tool = Tool {
    name: "pso-pgstats",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[
        PgSectionRecord::KIND,
        PgActivityRecord::KIND,
        PgTableRecord::KIND,
        PgSizeRecord::KIND,
        PgIndexRecord::KIND,
        PgStatementRecord::KIND,
        PgAdviceRecord::KIND,
    ],
};

/// Runs the tool and returns the worst severity that it wrote.
///
/// # Errors
/// When the configuration is wrong, the server cannot be reached, is older than PostgreSQL 10, or goes away meanwhile; when
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
        worker::run(settings, run)
    })
}
