//! `pso-audit`: is anything open in Planning Ecosystem Sync that should be closed.
//!
//! Reads: modes and owners of the deployment's files, their text where a secret may stand in it, the API token's state,
//! listening sockets, PostgreSQL's roles, rules and settings, Qdrant's door, and with `-` the security events of
//! `pso-logscan` on stdin. It changes nothing.
//!
//! Writes: `audit.finding` (what is open, the evidence, the way to close it) and `audit.section` (how much was looked at).
//! Secrets are named by their place and never shown.
//!
//! Exit codes: 0 nothing, or only what is good to know · 1 warning · 2 high or critical · 3 something could not be looked at,
//! or the tool could not do its job (usage, configuration). Accepted findings do not count.
//!
//! ```text
//! pso-logscan --since 7d --events security --last 100000 logs | pso-audit - | pso-alert
//! ```

mod accept;
mod access;
mod baseline;
mod cli;
mod conclude;
mod finding;
mod look;
mod sections;
mod settings;
mod shell;
mod unread;

use pso_common::record::{AuditFindingRecord, AuditSectionRecord, Kind as _};
use pso_common::{Io, Severity, Tool};

pub use cli::Cli;

/// What the frame of a run must know of this tool.
pub const TOOL: Tool = Tool {
    name: "pso-audit",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[AuditFindingRecord::KIND, AuditSectionRecord::KIND],
};

/// Looks at everything that was asked for and writes what is open.
///
/// # Errors
/// When the configuration is bad, a signal comes, or stdout cannot be written. What cannot be looked at is a record.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    let common = cli.common.clone();
    pso_common::run::session(&TOOL, &common, io, |run| {
        if cli.list {
            return sections::list(run);
        }
        let settings = settings::Settings::resolve(&cli, run.config())?;
        if run.printed_config()? {
            return Ok(());
        }
        look::look(settings, run)
    })
}
