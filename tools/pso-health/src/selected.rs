//! Which checks run: those of every deployment and the targets of this one, chosen by name.

use std::sync::Arc;

use anyhow::ensure;
use pso_common::record::HealthCheckRecord;
use pso_common::{Run, Severity};

use crate::check::Check;
use crate::settings::Settings;

/// The kinds of targets: the first words of their names, which mean something even where there is no target.
const KINDS: [&str; 3] = ["http", "tcp", "command"];

/// So many names are listed to somebody who has named a wrong one.
const MOST_LISTED: usize = 30;

/// The checks of these names, in their own order. `http` stands for every `http.NAME` as well.
///
/// # Errors
/// When a name is that of no check, or no check is left.
pub(crate) fn of(all: Vec<Arc<dyn Check>>, names: Option<&[String]>) -> anyhow::Result<Vec<Arc<dyn Check>>> {
    let Some(names) = names else { return Ok(all) };
    let means = |name: &str, check: &dyn Check| {
        check.name().strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    for name in names {
        let known = || {
            let listed: Vec<_> = all.iter().take(MOST_LISTED).map(|check| check.name()).collect();
            let more = if all.len() > listed.len() { ", … (see --list)" } else { "" };
            format!("{}{more}", listed.join(", "))
        };
        ensure!(
            KINDS.contains(&name.as_str()) || all.iter().any(|check| means(name, check.as_ref())),
            "there is no check {name:?} (--only, PSO_HEALTH_CHECKS or maintenance.health.checks); there are {}",
            known()
        );
    }
    ensure!(!names.is_empty(), "maintenance.health.checks is empty: name at least one check");
    let chosen: Vec<_> = all.into_iter().filter(|check| names.iter().any(|name| means(name, check.as_ref()))).collect();
    ensure!(
        !chosen.is_empty(),
        "there is no target {} (maintenance.health.targets, or - for those on stdin): nothing would be looked at",
        names.join(" or ")
    );
    Ok(chosen)
}

/// Writes the names of the checks and what they look at.
pub(crate) fn list(settings: &Settings, run: &mut Run<'_>) -> anyhow::Result<()> {
    settings
        .checks
        .iter()
        .try_for_each(|check| run.emit(Severity::Ok, check.name(), check.about(), HealthCheckRecord::default()))
}
