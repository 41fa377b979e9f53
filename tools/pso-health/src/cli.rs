//! The flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use pso_common::CommonArgs;
use pso_common::config::flag_value;
use pso_common::postgres::PgArgs;

const AFTER_HELP: &str = "\
Examples:
  pso-health                                 every check, for the deployment in this folder
  pso-health --only service,disk --timeout 3s
  pso-health --format nagios                 one line with perfdata
  pso-health --every 5m --textfile /var/lib/node_exporter/pso.prom | pso-alert
  pso-health | pso-alert
  pso-health | jq -r 'select(.severity != \"ok\") | .message'

Limits: --limit, then maintenance.health.limits in config/config.yaml, then thresholds in
config/alerts.yaml, then the specification's (CPU 80 %, memory 90 %, disk 85 %, error rate 5 %,
sync duration 60 s, response time 2000 ms) and those of the other numbers. `pso-health
--print-config` shows them all; `off` is none.

Exit codes:
  0  all is well          1  warning
  2  high or critical     3  something could not be told, or usage or configuration is wrong";

/// Is every part up, fast and within its limits
///
/// Looks at planning-sync-server, PostgreSQL, Qdrant, the token, TLS certificates, ports, this machine and its disks, backups,
/// logs, plans and any target of the configuration, side by side, and writes one record a finding: `health.check` for a part,
/// `health.metric` for a number with its limit. It changes nothing.
#[derive(Clone, Debug, Parser)]
#[command(name = "pso-health", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// `-` reads records from stdin to their end, passes them all through, and looks at those of the kind `health.target` too
    #[arg(value_name = "-", value_parser = ["-"], hide_possible_values = true)]
    pub(crate) input: Option<String>,

    /// Run the commands of targets that come through stdin
    #[arg(long, requires = "input")]
    pub(crate) allow_commands: bool,

    /// Run only these checks, separated by commas: names that --list shows, or their first word [env: PSO_HEALTH_CHECKS]
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// List the checks, and stop
    #[arg(long)]
    pub(crate) list: bool,

    /// How long each check may take, such as 500ms or 10s [env: PSO_HEALTH_TIMEOUT] [default: 10s; 8s with --format nagios]
    #[arg(long, value_name = "SPAN", value_parser = flag_value::<Duration>)]
    pub(crate) timeout: Option<Duration>,

    /// How often a check whose probe fails is tried again, after a growing pause [env: PSO_HEALTH_RETRIES] [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) retries: Option<u32>,

    /// How many checks run at once [env: PSO_HEALTH_JOBS] [default: 128]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,

    /// Run the checks every SPAN, such as 5m, until a signal comes [env: PSO_HEALTH_EVERY]
    #[arg(long, value_name = "SPAN", value_parser = flag_value::<Duration>)]
    pub(crate) every: Option<Duration>,

    /// With --every: stop after N rounds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Keep counters in FILE between runs: for the error rate, the growth of the logs and killed processes of the last hour
    /// [env: PSO_HEALTH_STATE]
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Another limit, such as cpu_usage=70 or disk_usage=80:95 (warning:critical); may be given again
    #[arg(long, value_name = "NAME=LIMIT")]
    pub(crate) limit: Vec<String>,

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["pso-health", "--only", "disk,service", "--timeout", "500ms"]).expect("valid");
        assert_eq!(cli.only, ["disk", "service"]);
        assert_eq!(cli.timeout, Some(Duration::from_millis(500)));
    }
}
