//! `backups`: the newest archive with the database, how old and how large it is, and when one was last restored on trial.

mod archive;

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pso_common::config::{Config, ConfigValue as _, ListField};
use pso_common::io::elapsed_ms;
use pso_common::output::bytes;
use pso_common::record::{Component, HealthCheckRecord, Labels};
use pso_common::{Severity, Timestamp};
use serde::Deserialize;

use self::archive::{Archive, Found};
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits;

/// So many archives before the newest are what its size is compared with: a week of them.
const PREDECESSORS: usize = 7;

/// A clock may be a little off.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// `maintenance.health.backups`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BackupsSection {
    components: ListField,
}

impl BackupsSection {
    /// The components without which an archive does not count: the database, unless others are named.
    ///
    /// # Errors
    /// When one of them is no component.
    pub(crate) fn resolve(&self, config: &Config) -> anyhow::Result<Vec<Component>> {
        const KEY: &str = "maintenance.health.backups.components";
        let names: Vec<String> =
            config.pick(KEY).file_list(&self.components).or(vec![Component::Postgres.to_string()])?;
        names.iter().map(|name| name.parse().map_err(|reason| anyhow::anyhow!("{KEY}: {reason}"))).collect()
    }
}

pub(crate) struct Backups;

impl Check for Backups {
    fn name(&self) -> &str {
        "backups"
    }

    fn about(&self) -> Cow<'_, str> {
        "the newest archive with the database: age, size against those before it, verified; the newest rehearsal".into()
    }

    /// A disk that hangs says nothing about what lies on it.
    fn silence(&self) -> Severity {
        Severity::Unknown
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let started = Instant::now();
        let root = &context.settings.folders.backups;
        let folders = [root.join("daily"), root.join("weekly")];
        let looker = Looker { context, findings, started, shown: shown(&folders) };
        match Found::look(&folders, context.now) {
            Ok(found) => looker.tell(&found),
            Err((folder, error)) => {
                let message = format!("read the folder {}: {error}; what is in it is not known", folder.display());
                looker.check("backups", Severity::Unknown, message);
            }
        }
    }
}

fn shown(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" and ")
}

/// A span as people say it, in minutes.
fn span(span: Duration) -> String {
    Duration::from_secs(if span.as_secs() < 60 { span.as_secs() } else { span.as_secs() / 60 * 60 }).show()
}

struct Looker<'a> {
    context: &'a Context,
    findings: &'a Findings<'a>,
    started: Instant,
    /// The folders.
    shown: String,
}

impl Looker<'_> {
    fn check(&self, name: &str, severity: Severity, message: String) {
        let record = HealthCheckRecord { elapsed_ms: elapsed_ms(self.started), ..HealthCheckRecord::default() };
        self.findings.push(Finding::check(severity, name, message, record));
    }

    fn metric(&self, quantity: &limits::Quantity, value: f64, detail: &str) {
        let elapsed_ms = elapsed_ms(self.started);
        let limits = &self.context.settings.limits;
        self.findings.push(limits.judge(quantity, value, detail, elapsed_ms, Labels::new()));
    }

    fn tell(&self, found: &Found) {
        let now = self.context.now;
        let wanted = &self.context.settings.backup_components;
        let whole = || found.archives.iter().filter(|archive| archive.holds(wanted));
        // One that a wrong clock has dated must not be the newest for years, and hide that there are no others.
        let newest = whole().find(|archive| !is_ahead(archive, now)).or_else(|| whole().next());
        let Some(newest) = newest else {
            let (severity, message) = if found.archives.is_empty() {
                (Severity::Warning, format!("there is no archive in {} yet; `pso-backup` makes one", self.shown))
            } else {
                let wanted = wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                (
                    Severity::High,
                    format!("no archive in {} holds {wanted}; `pso-backup` makes one that does", self.shown),
                )
            };
            self.check("backups", severity, message);
            return self.left_over(found);
        };
        self.metric(&limits::BACKUP_AGE, newest.taken_at.until(now).as_secs_f64(), &newest.name);
        self.size(newest, found);
        let mut doubts = doubts(newest, now);
        if let Some(ahead) = whole().find(|archive| is_ahead(archive, now) && archive.name != newest.name) {
            let from_now = span(now.until(ahead.taken_at));
            doubts.push(format!("{} was taken {from_now} from now: a clock is wrong, or was", ahead.name));
        }
        let severity = if doubts.is_empty() { Severity::Ok } else { Severity::Warning };
        let mut message = format!("{} archives; {}, {}", found.archives.len(), newest.name, bytes(newest.size));
        for said in verified(newest, now).into_iter().chain(doubts) {
            message = format!("{message}; {said}");
        }
        self.check("backups", severity, message);
        self.left_over(found);
        self.rehearsal(found, now);
    }

    /// A backup that has shrunk has lost something, or what it holds has.
    fn size(&self, newest: &Archive, found: &Found) {
        let older = found.archives.iter().filter(|one| one.taken_at < newest.taken_at && one.is_like(newest));
        let mut sizes: Vec<u64> = older.map(|one| one.size).take(PREDECESSORS).collect();
        sizes.sort_unstable();
        let median = match sizes.len() {
            0 => return,
            count if count % 2 == 1 => sizes[count / 2],
            count => sizes[count / 2 - 1].midpoint(sizes[count / 2]),
        };
        #[expect(clippy::cast_precision_loss, reason = "a share of bytes")]
        let ratio = newest.size as f64 / median.max(1) as f64;
        let detail =
            format!("{}; half of the {} before it have more than {}", bytes(newest.size), sizes.len(), bytes(median));
        self.metric(&limits::BACKUP_SIZE_RATIO, ratio, &detail);
    }

    fn left_over(&self, found: &Found) {
        if let [first, rest @ ..] = found.left_over.as_slice() {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let message = format!(
                "{first}{more}: a backup was not finished and nobody has written to it for an hour; if none is running, the \
                 next `pso-backup` removes it"
            );
            self.check("backups.unfinished", Severity::Warning, message);
        }
    }

    fn rehearsal(&self, found: &Found, now: Timestamp) {
        let rehearsed =
            found.archives.iter().filter_map(|one| Some((one.note.as_ref().ok()?.rehearsed_at?, &one.name)));
        match rehearsed.max() {
            Some((at, name)) => self.metric(&limits::REHEARSAL_AGE, at.until(now).as_secs_f64(), name),
            None => {
                let message = "no archive has been restored on trial yet".to_owned();
                self.check("backups.rehearsal", Severity::Info, message);
            }
        }
    }
}

/// When it was compared with what it should hold.
fn verified(archive: &Archive, now: Timestamp) -> Option<String> {
    let at = archive.note.as_ref().ok()?.verified_at?;
    Some(format!("verified {} ago", span(at.until(now))))
}

fn is_ahead(archive: &Archive, now: Timestamp) -> bool {
    now.until(archive.taken_at) > CLOCK_TOLERANCE
}

/// What speaks against relying on it.
fn doubts(archive: &Archive, now: Timestamp) -> Vec<String> {
    let mut doubts = Vec::new();
    if is_ahead(archive, now) {
        doubts.push(format!("it was taken {} from now: a clock is wrong", span(now.until(archive.taken_at))));
    }
    let verify = "`pso-backup verify latest` does";
    match &archive.note {
        Ok(note) => {
            if note.verified_at.is_none() {
                doubts.push(format!("nobody has verified it; {verify}"));
            }
            if !note.missing.is_empty() {
                // There are five components; a note may say anything.
                let missing: Vec<_> = note.missing.iter().take(5).map(|name| crate::finding::shown(name)).collect();
                doubts.push(format!("it lacks {}, which failed", missing.join(", ")));
            }
        }
        Err(reason) => doubts.push(format!("whether it was verified is not known: {reason}; {verify}")),
    }
    doubts
}

#[cfg(test)]
mod tests {
    use pso_common::config::ToolSection;
    use pso_common::io::Env;

    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Health {
        backups: BackupsSection,
    }

    impl ToolSection for Health {
        const NAME: &'static str = "health";
    }

    #[test]
    fn what_an_archive_must_hold() {
        let components = |text: &str| {
            let text = format!("maintenance: {{health: {{backups: {text}}}}}");
            let config = Config::from_text("c.yaml", text, Env::default()).expect("valid");
            let section: Health = config.section().expect("valid");
            section.backups.resolve(&config).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(components("{}"), Ok(vec![Component::Postgres]));
        assert_eq!(components("{components: []}"), Ok(vec![]));
        assert_eq!(components("{components: [config, plans]}"), Ok(vec![Component::Config, Component::Plans]));
        assert!(components("{components: [stars]}").is_err_and(|error| error.contains("`stars` is not a component")));
    }
}
