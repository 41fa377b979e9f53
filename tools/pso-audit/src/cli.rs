//! The flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use pso_common::CommonArgs;
use pso_common::config::flag_value;
use pso_common::postgres::PgArgs;

use crate::sections::{SECTIONS, Selected};

const AFTER_HELP: &str = "\
Examples:
  pso-audit                                            everything, for the deployment in this folder
  pso-audit --only files,token
  pso-logscan --since 7d --events security --last 100000 logs | pso-audit - | pso-alert
  pso-audit --records audit.jsonl; pso-audit --baseline audit.jsonl
  pso-audit | jq -r 'select(.kind == \"audit.finding\") | .fix'

Exit codes:
  0  nothing open, or accepted     1  warning
  2  high or critical              3  something could not be looked at, or usage or configuration is wrong

With --baseline only what is new, or worse than it was, counts.";

/// Is anything open that should be closed
///
/// Looks at files, token, secrets in plain text, ports, PostgreSQL, Qdrant and security events, and writes one record a
/// finding with its evidence and the way to close it. It changes nothing, and shows no secret.
#[derive(Clone, Debug, Parser)]
#[command(name = "pso-audit", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// `-`: read records from stdin, pass them on, and look at the security events among them
    #[arg(value_name = "-", value_parser = ["-"])]
    pub(crate) input: Option<String>,

    /// Look only at these sections, separated by commas [env: PSO_AUDIT_SECTIONS]
    #[arg(long, value_name = "SECTION", value_delimiter = ',', value_parser = selected())]
    pub(crate) only: Vec<Selected>,

    /// List the sections, and stop
    #[arg(long)]
    pub(crate) list: bool,

    /// How long each section may take, such as 30s or 5m [env: PSO_AUDIT_TIMEOUT] [default: 1m]
    #[arg(long, value_name = "SPAN", value_parser = flag_value::<Duration>)]
    pub(crate) timeout: Option<Duration>,

    /// Show only what is new or gone since the earlier run whose JSON lines are in FILE (`-`: stdin)
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Base URL of planning-sync-server [env: PSO_SERVICE_URL] [default: `http://localhost:8080`]
    #[arg(long, value_name = "URL")]
    pub(crate) service_url: Option<String>,

    /// Base URL of Qdrant [env: PSO_QDRANT_URL] [default: `http://localhost:6333`]
    #[arg(long, value_name = "URL")]
    pub(crate) qdrant_url: Option<String>,

    #[command(flatten)]
    pub(crate) pg: PgArgs,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

fn selected() -> impl TypedValueParser<Value = Selected> {
    PossibleValuesParser::new(SECTIONS.iter().map(|section| section.name()))
        .try_map(|name| flag_value::<Selected>(&name))
}
