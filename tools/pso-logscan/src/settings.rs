//! The values that the scan works with, resolved once.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use pso_common::Timestamp;
use pso_common::config::{Config, ConfigValue, Field, Paths, ToolSection};
use serde::Deserialize;

use crate::cli::Cli;
use crate::search::class::{Class, PerClass};
use crate::stamps;
use crate::stamps::window::{When, Window};

/// More events than this of a class are not kept: their lines would fill the memory.
const MAX_EVENTS: usize = 1000;

/// `maintenance.logscan`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LogscanSection {
    since: Field,
    tz: Field,
    max_errors: Field,
    events: Option<EventsSection>,
}

impl ToolSection for LogscanSection {
    const NAME: &'static str = "logscan";
}

/// `maintenance.logscan.events`: how many of each class.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EventsSection {
    error: Field,
    conflict: Field,
    validation: Field,
    security: Field,
}

/// What to read, and what to make of it.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) window: Window,
    pub(crate) zone: Zone,
    /// Errors above which their sum is `high`.
    pub(crate) max_errors: u64,
    /// Events to write of each class.
    pub(crate) events: PerClass<usize>,
}

/// The zone of stamps that name none, in seconds east of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zone(pub(crate) i32);

impl ConfigValue for Zone {
    const EXPECTED: &'static str = "UTC or an offset such as +02:00";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if ["utc", "gmt"].contains(&text.to_ascii_lowercase().as_str()) {
            return Some(Self(0));
        }
        stamps::offset(text.as_bytes()).filter(|&(_, end)| end == text.len()).map(|(seconds, _)| Self(seconds))
    }

    fn show(&self) -> String {
        if self.0 == 0 {
            return "UTC".to_owned();
        }
        let minutes = self.0.abs() / 60;
        format!("{}{:02}:{:02}", if self.0 < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
    }
}

impl Settings {
    /// Resolves all values from flags, environment, file and defaults.
    ///
    /// # Errors
    /// When a value is not what it should be; the message names its place.
    pub(crate) fn resolve(cli: &Cli, config: &Config, now: Timestamp) -> anyhow::Result<Self> {
        let section: LogscanSection = config.section()?;
        let tz = cli.tz.as_deref().map(|text| {
            Zone::parse(text).with_context(|| format!("--tz: expected {}, found {text:?}", Zone::EXPECTED))
        });
        let zone = config
            .pick("maintenance.logscan.tz")
            .flag(tz.transpose()?)
            .env("PSO_LOGSCAN_TZ")
            .file(&section.tz)
            .or(Zone(0))?;
        let since = config
            .pick("maintenance.logscan.since")
            .flag(cli.since.clone())
            .env("PSO_LOGSCAN_SINCE")
            .file(&section.since)
            .optional()?;
        let moment = |when: When| when.moment(now, zone.0);
        let window = Window { since: since.and_then(moment), until: cli.until.clone().and_then(moment) };
        if let (Some(since), Some(until)) = (window.since, window.until)
            && since >= until
        {
            bail!("--since is not before --until: nothing could be found between them");
        }
        let max_errors = config
            .pick("maintenance.logscan.max_errors")
            .flag(cli.max_errors)
            .env("PSO_LOGSCAN_MAX_ERRORS")
            .file(&section.max_errors)
            .or(50)?;
        let events = events(cli, config, &section.events.unwrap_or_default())?;
        let paths = if cli.paths.is_empty() { vec![Paths::resolve(config)?.logs] } else { cli.paths.clone() };
        Ok(Self { paths, window, zone, max_errors, events })
    }
}

/// How many events of each class: `--events` says of which, `--last` or the file how many.
fn events(cli: &Cli, config: &Config, section: &EventsSection) -> anyhow::Result<PerClass<usize>> {
    let wanted = cli.events.as_deref().map(wanted).transpose()?;
    let mut events = PerClass::default();
    for class in Class::ALL {
        let field = match class {
            Class::Error => &section.error,
            Class::Conflict => &section.conflict,
            Class::Validation => &section.validation,
            Class::Security => &section.security,
        };
        let excluded = wanted.as_ref().is_some_and(|wanted| !wanted.contains(&class));
        let count = config
            .pick(format!("maintenance.logscan.events.{}", class.name()))
            .flag(if excluded { Some(0) } else { cli.last })
            .file(field)
            .or(class.default_events())?;
        if count > MAX_EVENTS {
            bail!("{count} events of class {} are more than can be kept; the most is {MAX_EVENTS}", class.name());
        }
        *events.get_mut(class) = count;
    }
    Ok(events)
}

fn wanted(names: &[String]) -> anyhow::Result<Vec<Class>> {
    if names == ["none"] {
        return Ok(Vec::new());
    }
    names
        .iter()
        .map(|name| {
            Class::from_name(name.trim())
                .with_context(|| format!("--events: {name:?} is no class; there are {}, or none", Class::names()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use pso_common::io::Env;

    use super::*;

    fn resolve(flags: &[&str], text: &str) -> Result<Settings, String> {
        let cli = Cli::parse_from(std::iter::once(&"pso-logscan").chain(flags));
        let config = Config::from_text("config/config.yaml", text, Env::default()).map_err(|e| format!("{e:#}"))?;
        let now = "2025-06-12T09:00:00Z".parse().expect("a time");
        Settings::resolve(&cli, &config, now).map_err(|error| format!("{error:#}"))
    }

    fn events(settings: &Settings) -> [usize; 4] {
        Class::ALL.map(|class| *settings.events.get(class))
    }

    #[test]
    fn the_defaults_are_the_specifications() {
        let settings = resolve(&[], "").expect("valid");
        assert_eq!((settings.max_errors, events(&settings)), (50, [20, 10, 15, 10]));
        assert!(settings.window.is_open());
        assert_eq!(settings.paths, [PathBuf::from("logs")]);
    }

    #[test]
    fn flags_go_before_the_file() {
        let file = "maintenance:\n  logscan:\n    since: 24h\n    tz: +02:00\n    max_errors: 5\n    events:\n      error: 3\n";
        let settings = resolve(&["--events", "error,Security"], file).expect("valid");
        assert_eq!((settings.max_errors, events(&settings)), (5, [3, 0, 0, 10]));
        assert_eq!(settings.zone.show(), "+02:00");
        let since = settings.window.since.and_then(stamps::Moment::timestamp).map(|at| at.to_string());
        assert_eq!(since.as_deref(), Some("2025-06-11T09:00:00.000Z"));
        let settings = resolve(&["--last", "2", "--max-errors", "0", "--tz", "-0330", "x.log"], file).expect("valid");
        assert_eq!((settings.max_errors, events(&settings)), (0, [2; 4]));
        assert_eq!((settings.zone.show().as_str(), settings.paths.len()), ("-03:30", 1));
        assert_eq!(events(&resolve(&["--events", "none"], "").expect("valid")), [0; 4]);
    }

    #[test]
    fn a_bad_value_is_named() {
        for (flags, file, expected) in [
            (&["--tz", "Paris"][..], "", "--tz: expected UTC or an offset"),
            (&["--events", "errors"], "", "--events: \"errors\" is no class; there are error, conflict"),
            (&["--last", "5000"], "", "5000 events of class error are more than can be kept"),
            (&["--since", "1h", "--until", "2h"], "", "--since is not before --until"),
            (&[], "maintenance:\n  logscan:\n    max_error: 5\n", "config/config.yaml:3: unknown field `max_error`"),
            (
                &[],
                "maintenance:\n  logscan:\n    since: 24\n",
                "config/config.yaml:3: maintenance.logscan.since: expected a span",
            ),
        ] {
            let message = resolve(flags, file).expect_err("a bad value");
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
