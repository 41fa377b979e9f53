//! Targets: anything else that is to be looked at. Named in `maintenance.health.targets`, or as `health.target` records on
//! stdin (`pso-health -`); each is a check of its own, `http.NAME`, `tcp.NAME` or `command.NAME`.

mod child;
mod command;
mod http;
mod perfdata;
mod piped;
mod section;
mod spec;
mod tcp;
mod withheld;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pso_common::Severity;
use pso_common::config::{CommandLine, Config, Paths};

pub(crate) use self::piped::{Piped, refuse};
pub(crate) use self::section::TargetSection;
use self::spec::Means;
pub(crate) use self::spec::SecurePort;
use crate::check::Check;

/// The targets of a run.
#[derive(Default)]
pub(crate) struct Targets {
    /// In the order in which they were named.
    pub(crate) checks: Vec<Arc<dyn Check>>,
    pub(crate) secure: Vec<SecurePort>,
    /// What came through the pipe and cannot be a target, one sentence each.
    pub(crate) refused: Vec<String>,
}

impl Targets {
    /// Resolves the targets of the file, and then those that came through the pipe.
    ///
    /// # Errors
    /// When one of the file's makes no sense, or two have one name. One of the pipe's is [`Targets::refused`] instead.
    pub(crate) fn resolve(
        config: &Config,
        sections: &[TargetSection],
        piped: Vec<Piped>,
        paths: &Paths,
    ) -> anyhow::Result<Self> {
        let mut targets = Self::default();
        let (mut means, mut names) = (Means::default(), HashSet::new());
        for (number, section) in sections.iter().enumerate() {
            let place = format!("maintenance.health.targets[{}]", number + 1);
            let made = section.spec(config, &place, paths)?.check(&mut means);
            targets.add(made, &mut names).with_context(|| place.clone())?;
        }
        for target in piped {
            let line = target.line;
            let made = target.spec(paths).and_then(|spec| spec.check(&mut means));
            if let Err(error) = targets.add(made, &mut names) {
                targets.refused.push(format!("line {line} of the input is no target: {error:#}"));
            }
        }
        Ok(targets)
    }

    fn add(
        &mut self,
        made: anyhow::Result<(Arc<dyn Check>, Option<SecurePort>)>,
        names: &mut HashSet<String>,
    ) -> anyhow::Result<()> {
        let (check, secure) = made?;
        let name = check.name().to_owned();
        ensure!(!names.contains(&name), "there are two targets {name}; give each a name of its own");
        names.insert(name);
        self.checks.push(check);
        self.secure.extend(secure);
        Ok(())
    }
}

/// A command as a record may hold it: without its arguments, which may be secret, and without variables set before it.
fn program(command: &CommandLine) -> String {
    let shown = command.to_string();
    let sets = |word: &str| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let program = shown.split_whitespace().find(|word| !sets(word)).unwrap_or_default();
    crate::finding::shown(program)
}

/// How bad it is that an answer took so long, and what is said about it.
fn too_slow(took: Duration, max: Option<Duration>) -> (Severity, String) {
    let ms = took.as_millis();
    match max.filter(|max| took > *max) {
        Some(max) => (Severity::Warning, format!(" in {ms} ms, beyond the limit of {} ms", max.as_millis())),
        None => (Severity::Ok, format!(" in {ms} ms")),
    }
}

#[cfg(test)]
mod tests;
