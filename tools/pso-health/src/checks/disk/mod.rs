//! `disk`: how full the file systems are that the deployment lies on, in bytes and in files, and whether they take writes.

mod looks;
mod paths;
mod place;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::io::elapsed_ms;
use pso_common::output::bytes;
use pso_common::record::{HealthCheckRecord, Labels};

use self::looks::{Looked, Looks, Trouble};
pub(crate) use self::paths::DiskPath;
use self::place::Place;
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits::{self, Limits};

/// One instance runs every round: it remembers which path hangs.
#[derive(Default)]
pub(crate) struct Disk {
    looks: Looks,
}

impl Check for Disk {
    fn name(&self) -> &str {
        "disk"
    }

    fn about(&self) -> Cow<'_, str> {
        "space and inodes of the file systems in use, each once, and whether logs and backups can be written".into()
    }

    /// A file system that hangs says nothing about how full it is.
    fn silence(&self) -> Severity {
        Severity::Unknown
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let started = Instant::now();
        let settings = &context.settings;
        let mut seen = Vec::new();
        let mut read_only_mounts = BTreeSet::new();
        let mut looked_at = 0;
        self.looks.at(&settings.paths, settings.timeout, place::look, |wanted, Looked { result, took }| match result {
            Ok(place) => {
                looked_at += 1;
                if place.read_only {
                    // Nobody can fill it, and an image such as squashfs always is full.
                    read_only_mounts.insert(place.mount.clone());
                } else if !seen.contains(&place.id) {
                    fill(&place, wanted, &settings.limits, millis(took), findings);
                    seen.push(place.id.clone());
                }
                if wanted.written && place.read_only {
                    findings.push(read_only(&place, wanted, millis(took)));
                }
            }
            Err(trouble) => findings.push(trouble_with(wanted, &trouble, took)),
        });
        let mut message = format!(
            "paths looked at: {looked_at} of {}, file systems they lie on: {}",
            settings.paths.len(),
            seen.len()
        );
        if !read_only_mounts.is_empty() {
            let mounts: Vec<_> = read_only_mounts.iter().map(|mount| mount.display().to_string()).collect();
            message = format!("{message}; and read-only, so that they cannot fill up: {}", mounts.join(", "));
        }
        let severity = if looked_at > 0 || settings.paths.is_empty() { Severity::Ok } else { Severity::Unknown };
        let record = HealthCheckRecord { elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
        findings.push(Finding::check(severity, "disk", message, record));
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn labels(wanted: &DiskPath, place: Option<&Place>) -> Labels {
    let mut labels = Labels::from([("path".to_owned(), wanted.path.display().to_string())]);
    if let Some(place) = place {
        labels.insert("mount".to_owned(), place.mount.display().to_string());
    }
    labels
}

/// How full it is.
fn fill(place: &Place, wanted: &DiskPath, limits: &Limits, elapsed_ms: u64, findings: &Findings<'_>) {
    let mount = place.mount.display();
    let detail = format!("{} are left on {mount}", bytes(place.space.available));
    let labels = labels(wanted, Some(place));
    findings.push(limits.judge(&limits::DISK_USAGE, place.space.percent(), &detail, elapsed_ms, labels.clone()));
    if let Some(inodes) = place.inodes {
        let detail = format!("room for {} more files on {mount}", inodes.available);
        findings.push(limits.judge(&limits::INODE_USAGE, inodes.percent(), &detail, elapsed_ms, labels));
    }
}

fn read_only(place: &Place, wanted: &DiskPath, elapsed_ms: u64) -> Finding {
    let message = format!(
        "{} takes no writes: {} is mounted read-only, as the system does it after an error of the disk",
        wanted.path.display(),
        place.mount.display()
    );
    let record = HealthCheckRecord {
        status: Some("read-only".to_owned()),
        elapsed_ms,
        labels: labels(wanted, Some(place)),
        ..HealthCheckRecord::default()
    };
    Finding::check(Severity::High, "disk.read_only", message, record)
}

fn trouble_with(wanted: &DiskPath, trouble: &Trouble, took: Duration) -> Finding {
    let path = wanted.path.display();
    let message = match trouble {
        Trouble::Io(error) => format!("{path}: {error}"),
        Trouble::Silent(limit) => format!("{path}: no answer within {}: its file system hangs", limit.show()),
        Trouble::StillSilent => {
            format!(
                "{path}: its file system still hangs, since {}; it is not asked again before it answers",
                shown(took)
            )
        }
    };
    let record =
        HealthCheckRecord { elapsed_ms: millis(took), labels: labels(wanted, None), ..HealthCheckRecord::default() };
    Finding::check(Severity::Unknown, "disk.path", message, record)
}

/// A span in whole seconds, or in milliseconds below one.
fn shown(span: Duration) -> String {
    let whole = Duration::from_secs(span.as_secs());
    if whole.is_zero() { Duration::from_millis(millis(span)).show() } else { whole.show() }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::place::{Id, Use};
    use super::*;
    use crate::finding::Body;

    fn wanted(path: &str) -> DiskPath {
        DiskPath { path: path.into(), named: true, written: true }
    }

    fn filled(inodes: Option<Use>) -> Vec<Finding> {
        let all = RefCell::new(Vec::new());
        let place = Place {
            id: Id(Default::default()),
            mount: "/m".into(),
            space: Use { used: 90 << 30, available: 10 << 30 },
            inodes,
            read_only: false,
        };
        fill(&place, &wanted("logs"), &Limits::default(), 1, &Findings::new(&|finding| all.borrow_mut().push(finding)));
        all.into_inner()
    }

    #[test]
    fn the_share_is_that_of_df() {
        let all = filled(None);
        assert_eq!(all.len(), 1, "a file system without a fixed number of files has no limit of them");
        assert_eq!(all[0].severity, Severity::Warning);
        assert_eq!(all[0].message, "90 %, beyond the limit of 85 % (10.0 GiB are left on /m)");
        assert!(matches!(&all[0].body, Body::Metric(record)
            if record.labels["path"] == "logs" && record.labels["mount"] == "/m"));
    }

    #[test]
    fn files_can_run_out_before_bytes_do() {
        let all = filled(Some(Use { used: 99, available: 1 }));
        assert_eq!((all[1].name.as_str(), all[1].severity), ("inode_usage", Severity::Warning));
        assert_eq!(all[1].message, "99 %, beyond the limit of 85 % (room for 1 more files on /m)");
    }

    #[test]
    fn what_hangs_says_for_how_long() {
        let message = |trouble, ms| trouble_with(&wanted("logs"), &trouble, Duration::from_millis(ms)).message;
        assert_eq!(
            message(Trouble::Silent(Duration::from_millis(500)), 503),
            "logs: no answer within 500ms: its file system hangs"
        );
        let still = "logs: its file system still hangs, since 1m 5s; it is not asked again before it answers";
        assert_eq!(message(Trouble::StillSilent, 65_300), still);
    }
}
