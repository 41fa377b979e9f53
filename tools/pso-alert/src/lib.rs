//! `pso-alert`: records in, few and timely notices out, which arrive.
//!
//! **Reads** records (JSON lines) on stdin, to their end; `config/alerts.yaml` for channels, thresholds, rules and when to be
//! quiet. **Writes** an `alert.notice` for each incident that the input speaks of, an `alert.delivery` an attempt and channel;
//! with `-` or `--tee` all records of the input before them. **Changes** its state file: what is wrong, what was told of it,
//! and what waits for a channel.
//!
//! What becomes an incident: what a rule of the file says, a metric beyond its limit, a failed health check, too many errors
//! in the logs, any other record from `--min-severity` up, a tool that failed, a tool that began and never ended, input that
//! is no record, and no input at all. What was judged by the tool that found it (it has a `limit`, or a severity other than
//! `ok`) is not judged again: the thresholds of `config/alerts.yaml` and the 50 errors are for numbers that come without a
//! judgement. Records about the same thing are one incident, which is told when it begins, becomes worse, goes on for long,
//! and ends; what is due at the same time is one message a channel.
//!
//! **Exit codes**: 0 all well, 1 a warning, or a channel that will be tried again, 2 something is high or critical, or a
//! channel could not be told, 3 input that is no record, a bad configuration, a channel that cannot be used as it is
//! configured, or a state file that cannot be used. `--exit-zero` leaves out what the records say; `send` does so always.
//!
//! ```sh
//! { pso-health; pso-logscan --since 24h logs; pso-backup; } | pso-alert --tee --format table
//! ```

mod alerts_file;
mod batch;
mod channel;
mod cli;
mod command;
mod delivery;
mod evaluate;
mod few_labels;
mod finding;
mod heartbeat;
mod inbox;
mod incident;
mod notice;
mod pattern;
mod policy;
mod pulse;
mod rules;
mod settings;
mod store;
mod stream;
mod tell;
mod text;

use pso_common::record::{AlertChannelRecord, AlertDeliveryRecord, AlertNoticeRecord, AlertSilenceRecord, Kind};
use pso_common::run::session;
use pso_common::{Io, Severity, Tool};

pub use cli::Cli;
use cli::Command;

/// This tool, as the frame of a run must know it.
pub const TOOL: Tool = Tool {
    name: "pso-alert",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[AlertNoticeRecord::KIND, AlertDeliveryRecord::KIND, AlertSilenceRecord::KIND, AlertChannelRecord::KIND],
};

/// Judges the records on stdin, or does what a subcommand says.
///
/// # Errors
/// When the configuration is bad, or stdin cannot be read to its end. What the records say, and channels that could
/// not be told, are the severity that comes back.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    session(&TOOL, &cli.common, io, |run| {
        cli.refuse_misplaced_flags()?;
        match &cli.command {
            None => stream::run(run, &cli),
            Some(Command::Send(message)) => command::send::run(run, &cli, message),
            Some(Command::Check { file }) => command::check::run(run, &cli, file.as_deref()),
            Some(Command::Try { rules }) => command::try_rules::run(run, &cli, rules.as_deref()),
            Some(Command::Test { channel }) => command::test::run(run, &cli, channel.as_deref()),
            Some(Command::Flush) => command::flush::run(run, &cli),
            Some(Command::Status { all }) => command::status::run(run, &cli, *all),
            Some(Command::Silence(command)) => command::silence::run(run, &cli, command),
        }
    })
}
