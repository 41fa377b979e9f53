//! `disk`: how full the file systems are that the deployment lies on.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pso_common::Severity;
use pso_common::io::elapsed_ms;
use pso_common::output::bytes;
use pso_common::record::{HealthCheckRecord, Labels};

use crate::checks::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits::{Limits, Quantity};
use crate::settings::DiskPath;

pub(crate) struct Disk;

impl Check for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn about(&self) -> &'static str {
        "how full the file systems of the deployment's folders are; each file system once"
    }

    /// A file system that hangs says nothing about how full it is.
    fn silence(&self) -> Severity {
        Severity::Unknown
    }

    fn run(&self, context: &Context, findings: &Findings) {
        let started = Instant::now();
        let mut seen: Vec<PathBuf> = Vec::new();
        let mut problems = Vec::new();
        for wanted in &context.settings.paths {
            match look(wanted) {
                Ok(space) if seen.contains(&space.mount) => {}
                Ok(space) => {
                    findings.push(space.finding(&wanted.path, &context.settings.limits, elapsed_ms(started)));
                    seen.push(space.mount);
                }
                Err(error) => problems.push(format!("{}: {error}", wanted.path.display())),
            }
        }
        let (severity, message) = if problems.is_empty() {
            let (paths, mounts) = (context.settings.paths.len(), seen.len());
            (Severity::Ok, format!("paths: {paths}, file systems they lie on: {mounts}"))
        } else {
            (Severity::Unknown, problems.join("; "))
        };
        let record = HealthCheckRecord { elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
        findings.push(Finding::check(severity, "disk", message, record));
    }
}

/// The room on one file system, as `df` counts it.
#[derive(Debug)]
struct Space {
    mount: PathBuf,
    used: u64,
    /// For ordinary users: what is kept for root counts as neither used nor available.
    available: u64,
}

fn look(wanted: &DiskPath) -> io::Result<Space> {
    let place = place(wanted)?;
    let stats = fs4::statvfs(&place)?;
    let used = stats.total_space().saturating_sub(stats.free_space());
    let available = stats.available_space();
    if used == 0 && available == 0 {
        return Err(io::Error::other("its file system has no size"));
    }
    Ok(Space { mount: mount(&place)?, used, available })
}

/// The path itself, or, for a folder of the layout that has not been made yet, the nearest one above it: that is the file
/// system on which it will be.
fn place(wanted: &DiskPath) -> io::Result<PathBuf> {
    let path = std::path::absolute(&wanted.path)?;
    for folder in path.ancestors() {
        match folder.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !wanted.named => {}
            result => return result,
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The folder at which the file system of `path` is mounted: the topmost one on the same device.
#[cfg(unix)]
fn mount(path: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let device = path.metadata()?.dev();
    let same = |folder: &&Path| folder.metadata().is_ok_and(|data| data.dev() == device);
    Ok(path.ancestors().take_while(same).last().unwrap_or(path).to_path_buf())
}

/// The drive, or the share.
#[cfg(not(unix))]
fn mount(path: &Path) -> io::Result<PathBuf> {
    Ok(path.ancestors().last().unwrap_or(path).to_path_buf())
}

impl Space {
    fn percent(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share of bytes")]
        let (used, available) = (self.used as f64, self.available as f64);
        used / (used + available) * 100.0
    }

    fn finding(&self, path: &Path, limits: &Limits, elapsed_ms: u64) -> Finding {
        let detail = format!("{} are left on {}", bytes(self.available), self.mount.display());
        let labels = Labels::from([
            ("path".to_owned(), path.display().to_string()),
            ("mount".to_owned(), self.mount.display().to_string()),
        ]);
        limits.judge(Quantity::DiskUsage, self.percent(), &detail, elapsed_ms, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Body;

    fn wanted(path: impl Into<PathBuf>, named: bool) -> DiskPath {
        DiskPath { path: path.into(), named }
    }

    #[test]
    fn a_folder_that_is_yet_to_be_made_is_judged_by_the_one_above() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("backups/daily");
        let space = look(&wanted(&missing, false)).expect("the folder above");
        assert_eq!(space.mount, look(&wanted(folder.path(), true)).expect("there").mount);
        assert!(folder.path().canonicalize().expect("there").starts_with(&space.mount));
        assert!((0.0..=100.0).contains(&space.percent()), "{space:?}");
        let error = look(&wanted(&missing, true)).expect_err("it was named");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_without_a_size_is_not_judged() {
        assert!(look(&wanted("/proc", true)).expect_err("no size").to_string().contains("no size"));
    }

    #[test]
    fn the_share_is_that_of_df() {
        let space = Space { mount: "/m".into(), used: 90 << 30, available: 10 << 30 };
        let finding = space.finding(Path::new("logs"), &Limits::default(), 1);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.message, "90 %, beyond the limit of 85 % (10.0 GiB are left on /m)");
        assert!(matches!(finding.body, Body::Metric(record)
            if record.labels["path"] == "logs" && record.labels["mount"] == "/m"));
    }
}
