//! The values that the scan works with, resolved once.

pub(crate) mod classes;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use pso_common::Timestamp;
use pso_common::config::{Config, ConfigValue, Field, Paths, RequiredField, ToolSection};
use serde::Deserialize;

use crate::cli::Cli;
use crate::scan::buckets::Buckets;
use crate::search::class::{Class, Classes, PerClass};
use crate::settings::classes::ClassesSection;
use crate::stamps::window::{When, Window};
use crate::stamps::zone::Zone;
use crate::stamps::zones::Zones;

/// More events than this of a class are not kept: their lines would fill the memory.
const MAX_EVENTS: usize = 100_000;

/// Events of a class that `--events` names: whoever names it wants more than a glance at the last few.
const NAMED_EVENTS: usize = 1_000;

/// `maintenance.logscan`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LogscanSection {
    since: Field,
    tz: Field,
    zones: Option<Vec<ZoneSection>>,
    max_errors: Field,
    events: Option<EventsSection>,
    classes: Option<ClassesSection>,
}

impl ToolSection for LogscanSection {
    const NAME: &'static str = "logscan";
}

/// One of `maintenance.logscan.zones`: the zone of some files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneSection {
    files: RequiredField,
    tz: RequiredField,
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
    /// Of stamps that name none, and of moments that are asked for.
    pub(crate) zones: Zones,
    /// Errors above which their sum is `high`.
    pub(crate) max_errors: u64,
    /// Events to write of each class.
    pub(crate) events: PerClass<usize>,
    /// The classes that are looked for.
    pub(crate) classes: Classes,
    /// Spans of time that are counted one by one.
    pub(crate) by: Option<Buckets>,
    /// Types of each class, and templates, that are written one by one: the most frequent.
    pub(crate) top: Option<usize>,
    /// Whether lines are grouped by what they have in common.
    pub(crate) templates: bool,
    /// Whether each record is written with its template.
    pub(crate) assign: bool,
    /// Where it stands what was read before.
    pub(crate) bookmark: Option<PathBuf>,
    /// Whether to go on with what is written from now on.
    pub(crate) follow: bool,
    /// Whether files in the order of time are read wholly too.
    pub(crate) whole: bool,
}

impl Settings {
    /// Resolves all values from flags, environment, file and defaults.
    ///
    /// # Errors
    /// When a value is not what it should be; the message names its place.
    pub(crate) fn resolve(cli: &Cli, config: &Config, now: Timestamp) -> anyhow::Result<Self> {
        let section: LogscanSection = config.section()?;
        let zones = zones(cli, config, &section.tz, section.zones)?;
        let since = config
            .pick("maintenance.logscan.since")
            .flag(cli.since.clone())
            .env("PSO_LOGSCAN_SINCE")
            .file(&section.since)
            .optional()?;
        let moment = |when: When| when.moment(now, &zones.default);
        let window = Window { since: since.and_then(moment), until: cli.until.clone().and_then(moment) };
        if let (Some(since), Some(until)) = (window.since, window.until)
            && since >= until
        {
            bail!("--since is not before --until: nothing could be found between them");
        }
        let max_errors = max_errors(cli, config, &section.max_errors)?;
        let in_file = section.classes.unwrap_or_default();
        let classes = classes::resolve(&cli.classes, config, &in_file)?;
        let events = events(cli, config, &section.events.unwrap_or_default(), &classes, &in_file)?;
        let paths = if cli.paths.is_empty() { vec![Paths::resolve(config)?.logs] } else { cli.paths.clone() };
        Ok(Self {
            paths,
            window,
            zones,
            max_errors,
            events,
            classes,
            by: cli.by,
            top: cli.top,
            templates: cli.templates || cli.assign,
            assign: cli.assign,
            bookmark: cli.bookmark.clone(),
            follow: cli.follow,
            whole: cli.whole,
        })
    }
}

/// What `merge` judges by.
#[derive(Debug)]
pub(crate) struct MergeSettings {
    /// Errors above which their sum is `high`.
    pub(crate) max_errors: u64,
    /// The classes whose thresholds are known here.
    pub(crate) classes: Classes,
}

impl MergeSettings {
    /// Resolves the values from flags, environment, file and defaults.
    ///
    /// # Errors
    /// When a value is not what it should be; the message names its place.
    pub(crate) fn resolve(cli: &Cli, config: &Config) -> anyhow::Result<Self> {
        let section: LogscanSection = config.section()?;
        let max_errors = max_errors(cli, config, &section.max_errors)?;
        let classes = classes::resolve(&cli.classes, config, &section.classes.unwrap_or_default())?;
        Ok(Self { max_errors, classes })
    }
}

fn max_errors(cli: &Cli, config: &Config, field: &Field) -> anyhow::Result<u64> {
    config.pick("maintenance.logscan.max_errors").flag(cli.max_errors).env("PSO_LOGSCAN_MAX_ERRORS").file(field).or(50)
}

/// The zone of all files where a flag or the environment names it; else those of the file, which go by file name, and
/// the file's own default.
fn zones(cli: &Cli, config: &Config, tz: &Field, zones: Option<Vec<ZoneSection>>) -> anyhow::Result<Zones> {
    let flag = cli
        .tz
        .as_deref()
        .map(|text| Zone::parse(text).with_context(|| format!("--tz: expected {}, found {text:?}", Zone::EXPECTED)));
    let pick = || config.pick::<Zone>("maintenance.logscan.tz");
    if let Some(default) = pick().flag(flag.transpose()?).env("PSO_LOGSCAN_TZ").optional()? {
        return Ok(Zones { default, by_file: Vec::new() });
    }
    let default = pick().file(tz).or(Zone::UTC)?;
    let mut by_file = Vec::new();
    for (number, ZoneSection { files, tz }) in zones.into_iter().flatten().enumerate() {
        let key = |field: &str| format!("maintenance.logscan.zones[{number}].{field}");
        let files = config.pick(key("files")).file(&Some(files)).optional()?;
        let tz = config.pick(key("tz")).file(&Some(tz)).optional()?;
        by_file.extend(files.zip(tz));
    }
    Ok(Zones { default, by_file })
}

/// How many events of each class: `--events` says of which, `--last` or the file how many.
fn events(
    cli: &Cli,
    config: &Config,
    section: &EventsSection,
    classes: &Classes,
    in_file: &ClassesSection,
) -> anyhow::Result<PerClass<usize>> {
    let wanted = cli.events.as_deref().map(|names| wanted(names, classes)).transpose()?;
    let mut events = PerClass::default();
    for class in classes.all() {
        let name = classes.name(class);
        let (key, field) = match class {
            Class::Error => ("events.error".to_owned(), &section.error),
            Class::Conflict => ("events.conflict".to_owned(), &section.conflict),
            Class::Validation => ("events.validation".to_owned(), &section.validation),
            Class::Security => ("events.security".to_owned(), &section.security),
            Class::Added(_) => {
                (format!("classes.{name}.events"), in_file.get(name).map_or(&None, |section| &section.events))
            }
        };
        let excluded = wanted.as_ref().is_some_and(|wanted| !wanted.contains(&class));
        let count = config
            .pick(format!("maintenance.logscan.{key}"))
            .flag(if excluded { Some(0) } else { cli.last })
            .file(field)
            .or(if wanted.is_some() { NAMED_EVENTS } else { class.default_events() })?;
        if count > MAX_EVENTS {
            bail!("{count} events of class {name} are more than can be kept; the most is {MAX_EVENTS}");
        }
        *events.get_mut(class) = count;
    }
    Ok(events)
}

fn wanted(names: &[String], classes: &Classes) -> anyhow::Result<Vec<Class>> {
    if names == ["none"] {
        return Ok(Vec::new());
    }
    names
        .iter()
        .map(|name| {
            let named = classes.named(name.trim());
            named.with_context(|| format!("--events: {name:?} is no class; there are {}, or none", classes.names()))
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
        Class::BUILT_IN.map(|class| settings.events.value(class))
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
        assert_eq!((settings.max_errors, events(&settings)), (5, [3, 0, 0, 1_000]));
        assert_eq!(settings.zones.default.show(), "+02:00");
        let since = settings.window.since.and_then(crate::stamps::Moment::timestamp).map(|at| at.to_string());
        assert_eq!(since.as_deref(), Some("2025-06-11T09:00:00.000Z"));
        let settings = resolve(&["--last", "2", "--max-errors", "0", "--tz", "-0330", "x.log"], file).expect("valid");
        assert_eq!((settings.max_errors, events(&settings)), (0, [2; 4]));
        assert_eq!((settings.zones.default.show().as_str(), settings.paths.len()), ("-03:30", 1));
        assert_eq!(events(&resolve(&["--events", "none"], "").expect("valid")), [0; 4]);
    }

    #[test]
    fn added_classes_have_events_too() {
        let file =
            "maintenance:\n  logscan:\n    classes:\n      oom: {pattern: x, events: 3}\n      disk: {pattern: y}\n";
        let added = |flags: &[&str]| {
            let settings = resolve(flags, file).expect("valid");
            [0, 1].map(|number| settings.events.value(Class::Added(number)))
        };
        assert_eq!(added(&[]), [3, 10]);
        assert_eq!(added(&["--events", "error,disk"]), [0, 1_000]);
        assert_eq!(added(&["--events", "oom"]), [3, 0]);
        assert_eq!(added(&["--events", "oom", "--last", "7"]), [7, 0]);
        let message = resolve(&["--events", "cpu"], file).expect_err("no class");
        let expected =
            "--events: \"cpu\" is no class; there are error, conflict, validation, security, oom, disk, or none";
        assert_eq!(message, expected);
    }

    #[test]
    fn files_have_zones_unless_one_is_named_for_all() {
        let file = "maintenance:\n  logscan:\n    tz: +02:00\n    zones:\n    - {files: \"app-*.log\", tz: Europe/Paris}\n    - {files: \"*.log\", tz: \"-0330\"}\n";
        let zones = |flags: &[&str]| {
            let settings = resolve(flags, file).expect("valid");
            ["logs/app-1.log.2.gz", "b.log", "-"].map(|path| settings.zones.of(path.as_ref()).show())
        };
        assert_eq!(zones(&[]), ["Europe/Paris", "-03:30", "+02:00"]);
        assert_eq!(zones(&["--tz", "Asia/Kolkata"]), ["Asia/Kolkata"; 3]);
    }

    #[test]
    fn a_bad_value_is_named() {
        for (flags, file, expected) in [
            (&["--tz", "Paris"][..], "", "--tz: expected UTC, an offset such as +02:00, a zone's IANA name"),
            (&["--events", "errors"], "", "--events: \"errors\" is no class; there are error, conflict"),
            (&["--last", "500000"], "", "500000 events of class error are more than can be kept; the most is 100000"),
            (&["--since", "1h", "--until", "2h"], "", "--since is not before --until"),
            (&[], "maintenance:\n  logscan:\n    max_error: 5\n", "config/config.yaml:3: unknown field `max_error`"),
            (
                &[],
                "maintenance:\n  logscan:\n    since: 24\n",
                "config/config.yaml:3: maintenance.logscan.since: expected a span",
            ),
            (
                &[],
                "maintenance:\n  logscan:\n    zones:\n    - files: a.log\n      tz: Paris\n",
                "config/config.yaml:5: maintenance.logscan.zones[0].tz: expected UTC, an offset",
            ),
            (
                &[],
                "maintenance:\n  logscan:\n    zones:\n    - {files: a.log, tz: UTC}\n    - {files: \"a[\", tz: UTC}\n",
                "config/config.yaml:5: maintenance.logscan.zones[1].files: expected a pattern of file names",
            ),
            (
                &[],
                "maintenance:\n  logscan:\n    zones:\n    - files: a.log\n",
                "config/config.yaml:4: missing field `tz`",
            ),
        ] {
            let message = resolve(flags, file).expect_err("a bad value");
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
