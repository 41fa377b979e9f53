//! `plans`: whether the Markdown plans can be read, all of them, and how many there are.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Instant;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::io::elapsed_ms;
use pso_common::output::printable;
use pso_common::record::{HealthCheckRecord, Labels};
use walkdir::WalkDir;

use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits;

/// So many of what cannot be read are named.
const NAMED: usize = 5;

pub(crate) struct Plans;

/// What a walk through the folder came to.
#[derive(Debug, Default)]
struct Walked {
    plans: u64,
    /// Paths with the reason, the first ones only.
    unreadable: Vec<String>,
    unreadable_count: u64,
    /// Whether the time was over before the end.
    cut: bool,
}

impl Check for Plans {
    fn name(&self) -> &str {
        "plans"
    }

    fn about(&self) -> Cow<'_, str> {
        "whether the folder of the plans and every *.md in it can be read, and how many there are".into()
    }

    /// A disk that hangs says nothing about what lies on it.
    fn silence(&self) -> Severity {
        Severity::Unknown
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let started = Instant::now();
        let folder = &context.settings.folders.plans;
        let shown = folder.display();
        let record = || HealthCheckRecord { elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
        // Asked first: in a walk a folder that cannot be listed looks as an empty one.
        if let Err(error) = fs::read_dir(folder) {
            let hint = if error.kind() == io::ErrorKind::NotFound {
                "; it may be a disk that is not mounted. Check maintenance.paths.plans"
            } else {
                ""
            };
            let message = format!("the folder of the plans cannot be read: {shown}: {error}{hint}");
            return findings.push(Finding::check(Severity::High, "plans", message, record()));
        }
        let walked = walk(folder, started + context.settings.timeout);
        if !walked.cut {
            #[expect(clippy::cast_precision_loss, reason = "a count of files")]
            let count = walked.plans as f64;
            let detail = format!("plans in {shown}");
            let limits = &context.settings.limits;
            findings.push(limits.judge(&limits::PLAN_FILES, count, &detail, elapsed_ms(started), Labels::new()));
        }
        let (severity, message) = if walked.unreadable_count > 0 {
            let more = walked.unreadable_count - walked.unreadable.len() as u64;
            let more = if more == 0 { String::new() } else { format!("; and {more} more") };
            (Severity::High, format!("what cannot be read: {}{more}", walked.unreadable.join("; ")))
        } else if walked.cut {
            let limit = context.settings.timeout.show();
            (
                Severity::Unknown,
                format!("after {limit} not all of {shown} had been looked at; plans until then: {}", walked.plans),
            )
        } else {
            (Severity::Ok, format!("plans in {shown}, all of them readable: {}", walked.plans))
        };
        findings.push(Finding::check(severity, "plans", message, record()));
    }
}

/// Looks at everything below a folder until a moment. Links to folders are not followed: they may lead in circles.
fn walk(folder: &Path, deadline: Instant) -> Walked {
    let mut walked = Walked::default();
    let mut cannot = |path: &Path, error: &dyn std::fmt::Display| {
        walked.unreadable_count += 1;
        if walked.unreadable.len() < NAMED {
            walked.unreadable.push(format!("{}: {error}", printable(&path.display().to_string())));
        }
    };
    let mut plans = 0;
    let mut cut = false;
    for entry in WalkDir::new(folder).follow_links(false) {
        if Instant::now() >= deadline {
            cut = true;
            break;
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                cannot(error.path().unwrap_or(folder), &reason);
                continue;
            }
        };
        if entry.path().extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("md")) {
            continue;
        }
        // A link to a file is as good as the file; a folder or a pipe of that name is no plan.
        match fs::metadata(entry.path())
            .and_then(|data| if data.is_file() { File::open(entry.path()).map(Some) } else { Ok(None) })
        {
            Ok(Some(_)) => plans += 1,
            Ok(None) => {}
            Err(error) => cannot(entry.path(), &error),
        }
    }
    Walked { plans, cut, ..walked }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_walk_that_has_no_time_left_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.md"), "").expect("written");
        let walked = walk(folder.path(), Instant::now());
        assert!(walked.cut && walked.plans == 0, "{walked:?}");
        let walked = walk(folder.path(), Instant::now() + Duration::from_secs(60));
        assert!(!walked.cut && walked.plans == 1, "{walked:?}");
    }
}
