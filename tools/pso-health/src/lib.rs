//! `pso-health`: is every part of Planning Ecosystem Sync up, fast and within its limits.
//!
//! Reads: planning-sync-server's `/health`, `/metrics` and token, PostgreSQL's own views, Qdrant's `/readyz` and collections,
//! TLS certificates, ports, this machine (memory, swap, load, clock, disks), what is noted of the archives, the times of the
//! logs, the folder of the plans, targets of the configuration, `config/config.yaml`, and the limits in `config/alerts.yaml`.
//! It changes nothing but the files of `--state`, `--records` and `--textfile`. With `-` it reads records from stdin, of which
//! `health.target` are targets; otherwise it never touches stdin.
//!
//! Writes: `health.check` (a part is up, or is not, and why), `health.metric` (a number with its limit), and with `--every`
//! `health.round` (the end of a round).
//!
//! Exit codes: 0 all is well · 1 warning · 2 high or critical · 3 something could not be told, or the tool could not do its
//! job (usage, configuration). A server that is down is a record (2), not an error of the tool.
//!
//! The checks run side by side, each within `--timeout`; one that hangs is reported and left behind. With `--every` they run
//! again and again, each round ending in a `health.round`, until a signal comes.
//!
//! ```text
//! { pso-health; pso-pgstats advice; pso-logscan --since 24h logs; } | pso-alert
//! ```

mod answer;
mod check;
mod checks;
mod cli;
mod finding;
mod history;
mod limits;
mod probe;
mod reading;
mod rounds;
mod selected;
mod settings;

use pso_common::record::{HealthCheckRecord, HealthMetricRecord, HealthRoundRecord, HealthTargetRecord, Kind as _};
use pso_common::{Io, Severity, Tool};

use crate::checks::targets::{self, Piped};

pub use cli::Cli;

/// What the frame of a run must know of this tool.
pub const TOOL: Tool = Tool {
    name: "pso-health",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[
        HealthCheckRecord::KIND,
        HealthMetricRecord::KIND,
        HealthRoundRecord::KIND,
        // Read, and passed on.
        HealthTargetRecord::KIND,
    ],
};

/// Runs the checks and writes what they find.
///
/// # Errors
/// When the configuration is bad, a signal comes, or stdout cannot be written. A part that is down is a record.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    let common = cli.common.clone();
    pso_common::run::session(&TOOL, &common, io, |run| {
        let piped = if cli.input.is_some() { Piped::read(run, cli.allow_commands)? } else { Vec::new() };
        let settings = settings::Settings::resolve(&cli, run.config(), piped)?;
        for refused in &settings.refused {
            targets::refuse(run, refused);
        }
        if cli.list {
            return selected::list(&settings, run);
        }
        if run.printed_config()? {
            return Ok(());
        }
        let checks = settings.checks.clone();
        let result = rounds::run(settings, run);
        checks.iter().for_each(|check| check.stop());
        result
    })
}
