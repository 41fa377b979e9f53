//! The flags.

use std::path::PathBuf;

use clap::Parser;
use pso_common::CommonArgs;
use pso_common::config::ConfigValue;

use crate::stamps::window::When;

const EXAMPLES: &str = "\
Classes, each as the specification greps for it (a line may belong to several):
  error       ERROR\\s+(\\w+), as it is written; the type is the word. Also a JSON line whose level, severity or lvl
              is error, fatal or worse; the type is the first word of its type, error, code, msg or message. Beyond
              the specification: ERROR as a word of its own (`ERROR: disk full`, `[ERROR] …`; not ERRORS, NO_ERROR)
              without a word to follow, unless a JSON line's level says otherwise; the type is (untyped), as it is for
              a JSON line without a word.
  conflict    conflict.*unresolved, in any case
  validation  ValidationError, in any case; the type is the word that follows, if one does
  security    authentication, authorization or security, in any case; the type is that word

Time: stamps are recognised at the beginning of a line (2025-06-12T09:00:00.123Z, 2025-06-12 09:00:00,123,
2025/06/12 09:00:00) and in JSON lines (time, ts, timestamp, @timestamp). A line without one belongs to the record
before it, as stack traces do; lines before a file's first stamp always count. Without --since and --until everything
counts.

Records: one log.coverage a file (what was read of it, and what was not), log.event for the last lines of each class,
log.count for each class and for each of its types.
  Severity: the errors' sum is high above --max-errors, unresolved conflicts are a warning, all else is ok (none) or
  info (some). What could not be read is unknown, and so is finding no log at all.

Exit codes: 0 ok or info, 1 warning, 2 high, 3 something was not read, or a usage or configuration error.

Examples:
  pso-logscan --since 24h
  pso-logscan --since 7d --events error --last 5 logs/sync-engine.log*
  journalctl -u planning-sync -o cat | pso-logscan -
  pso-logscan --since 1h logs | jq -r 'select(.kind==\"log.event\") | .message'
  pso-logscan --events none logs | jq -r 'select(.kind==\"log.count\" and .type) | \"\\(.count) \\(.type)\"'";

/// Say what the logs say: errors by type, unresolved conflicts, validation errors, security events, and how much was
/// read to find them
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "pso-logscan", version, after_help = EXAMPLES)]
pub struct Cli {
    /// Files, folders (*.log and rotations, .gz too), or `-` for lines on standard input [default: the logs folder]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Only what is not older: a span (24h, 7d) or a time (2025-06-12T09:00:00Z, 2025-06-12) [default: all]
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) since: Option<When>,

    /// Only what is older: a span or a time, as with --since
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) until: Option<When>,

    /// Zone of stamps that name none: UTC or an offset such as +02:00 [default: UTC]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub tz: Option<String>,

    /// More errors than this are high [default: 50]
    #[arg(long, value_name = "N")]
    pub max_errors: Option<u64>,

    /// Write events of these classes only (error,conflict,validation,security), or `none`
    #[arg(long, value_name = "CLASS,…", value_delimiter = ',')]
    pub events: Option<Vec<String>>,

    /// Write the last N events of each class [default: 20 error, 10 conflict, 15 validation, 10 security]
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,

    /// The flags that every tool has.
    #[command(flatten)]
    pub common: CommonArgs,
}

fn when(text: &str) -> Result<When, String> {
    When::parse(text).ok_or_else(|| format!("expected {}", When::EXPECTED))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }
}
