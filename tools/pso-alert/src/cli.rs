//! Flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use pso_common::config::ConfigValue;
use pso_common::{CommonArgs, Severity, Timestamp};

const EXAMPLES: &str = "\
Examples:
  pso-health | pso-alert
  { pso-health; pso-logscan --since 24h logs; } | pso-alert --tee --format table
  pso-backup | pso-alert --exit-zero
  pso-alert send --severity High --message \"Disk replaced\" --label host=db1
  pso-alert check config/alerts.yaml
  pso-alert silence add --match host=db1 --for 2h --comment \"new disk\"
  pso-alert try --rules config/alerts.yaml < last-week.jsonl
  pso-alert status --format table

Limits: a record that its tool has judged (it has a limit, or a severity other than ok) is
taken at its word. The thresholds of config/alerts.yaml, then CPU 80 % (for 5 minutes),
memory 90 %, disk 85 %, error rate 5 %, sync duration 60 s, response time 2000 ms and
50 errors in the logs, are for records that come without a judgement.

What was told is remembered in the state file: trouble that is still reported is told again
after `repeat` only (4h), and its end once. What a channel does not take waits there, for the next run or
`pso-alert flush`.

Exit codes:
  0  all well, or told (send)
  1  a record is a warning, or a channel will be tried again later
  2  a record is high or critical, or a channel could not be told
  3  input that is no record, a bad configuration, a channel that cannot be used as configured,
     or a state file that cannot be used";

/// Turn records on stdin into few, timely notices, and deliver them to the channels of config/alerts.yaml
#[derive(Clone, Debug, Parser)]
#[command(name = "pso-alert", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// `-` passes all records through before the notices, as --tee does
    #[arg(value_name = "-", value_parser = ["-"], hide_possible_values = true)]
    pub(crate) input: Option<String>,

    /// Pass all records through to stdout before the notices
    #[arg(long)]
    pub(crate) tee: bool,

    /// Records without a rule of their own become notices from this severity up [default: high]
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) min_severity: Option<Severity>,

    /// Leave what the records say out of the exit code
    #[arg(long)]
    pub(crate) exit_zero: bool,

    /// Channels and thresholds [env: PSO_ALERTS_FILE] [default: config/alerts.yaml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) alerts: Option<PathBuf>,

    /// How long delivering may take at the end of the input; what is left waits in the state file [default: 10s]
    #[arg(long, global = true, value_name = "SPAN", value_parser = span)]
    pub(crate) delivery_deadline: Option<Duration>,

    /// What is remembered from run to run [env: PSO_ALERT_STATE] [default: .pso-alert/state.db]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// A name for this pipe, such as nightly: what a tool no longer mentions is over only where the same pipe reported it [env: PSO_ALERT_SOURCE] [default: stdin]
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// What to do instead of judging stdin.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Send one notice by hand to every enabled channel
    Send(SendArgs),
    /// Validate an alerts.yaml and show what is in effect
    Check {
        /// The file [default: the one that would be used]
        file: Option<PathBuf>,
    },
    /// Show what the records on stdin would fire, and when; nobody is told and nothing is remembered
    Try {
        /// Rules and policy to try [default: the alerts.yaml that would be used]
        #[arg(long, value_name = "FILE")]
        rules: Option<PathBuf>,
    },
    /// Send one marked test notice and say what the other end answered
    Test {
        /// The channel [default: every enabled one]
        channel: Option<String>,
    },
    /// Deliver what waits in the outbox, and let time act: for cron
    Flush,
    /// Show incidents, silences and channels as records; the exit code is that of the worst incident that is not over
    Status {
        /// What is over too, for a week
        #[arg(long)]
        all: bool,
    },
    /// Times in which nobody is told of some incidents
    #[command(subcommand)]
    Silence(SilenceCommand),
}

/// What to do with silences.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SilenceCommand {
    /// Make one
    Add(SilenceArgs),
    /// List those that hold or will hold
    List {
        /// Those that are over too
        #[arg(long)]
        all: bool,
    },
    /// End one now
    Expire {
        /// Its id, as `list` shows it
        id: String,
    },
}

/// A new silence.
#[derive(Args, Clone, Debug)]
pub(crate) struct SilenceArgs {
    /// What it covers: a label, or rule, severity, host, tool, name or kind; `*` fits anything. May be repeated: all must fit
    #[arg(long = "match", value_name = "KEY=PATTERN", value_parser = label, required = true)]
    pub(crate) matchers: Vec<(String, String)>,

    /// How long it holds
    #[arg(long = "for", value_name = "SPAN", value_parser = span, required_unless_present = "until", conflicts_with = "until")]
    pub(crate) hold: Option<Duration>,

    /// When it ends (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,

    /// When it begins (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,

    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) comment: String,

    /// Who [default: the user's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}

/// One notice by hand.
#[derive(Args, Clone, Debug)]
pub(crate) struct SendArgs {
    /// How bad it is; case does not count
    #[arg(long, default_value = "high")]
    pub(crate) severity: Severity,

    /// What people read
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: String,

    /// What it belongs to; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
}

impl Cli {
    /// Whether records are passed through.
    pub(crate) fn passes(&self) -> bool {
        self.tee || self.input.is_some()
    }

    /// Flags of the main task mean nothing to a subcommand; clap would take them in silence.
    pub(crate) fn refuse_misplaced_flags(&self) -> anyhow::Result<()> {
        let judging = self.passes() || self.exit_zero || self.min_severity.is_some() || self.source.is_some();
        anyhow::ensure!(
            self.command.is_none() || !judging,
            "`-`, --tee, --min-severity, --source and --exit-zero are for judging records; leave them out before a subcommand"
        );
        Ok(())
    }
}

fn span(text: &str) -> Result<Duration, String> {
    Duration::parse(text).filter(|span| !span.is_zero()).ok_or_else(|| format!("expected {}", Duration::EXPECTED))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "expected KEY=VALUE, such as host=db1".to_owned())?;
    if key.trim().is_empty() {
        return Err("the key before `=` is empty".to_owned());
    }
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
        let cli = |args: &[&str]| Cli::try_parse_from(std::iter::once("pso-alert").chain(args.iter().copied()));
        assert!(cli(&["-"]).expect("valid").passes());
        assert!(cli(&["--tee", "--format", "table"]).expect("valid").passes());
        assert!(cli(&["chekc"]).is_err() && cli(&["send", "--severity", "fatal", "--message", "x"]).is_err());
        assert!(cli(&["send", "--message", "x", "--label", "novalue"]).is_err());
        assert!(cli(&["--tee", "send", "--message", "x"]).expect("parsed").refuse_misplaced_flags().is_err());
        let Some(Command::Send(send)) = cli(&["send", "--severity", "CRITICAL", "--message", "x"]).expect("ok").command
        else {
            panic!("not send")
        };
        assert_eq!(send.severity, Severity::Critical);
    }
}
