//! Measurements for node_exporter's textfile collector: a file that is replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use super::openmetrics::OpenMetrics;
use super::{Render, View};
use crate::record::Severity;

/// What a run that was killed has left beside the file is removed when it is older than this.
const STALE: Duration = Duration::from_secs(3600);

/// The measurements since the last round, and where they go.
pub(super) struct Textfile {
    path: PathBuf,
    metrics: OpenMetrics,
    /// Rounds have ended: the end of the run adds nothing to what the last one has written.
    by_round: bool,
}

impl Textfile {
    pub(super) fn new(path: PathBuf, tool: &str) -> Self {
        Self { path, metrics: OpenMetrics::new(tool), by_round: false }
    }

    pub(super) fn record(&mut self, view: &View<'_>) {
        // It only gathers.
        let _ = self.metrics.record(&mut io::sink(), view);
    }

    /// Replaces the file by what was gathered since the last round.
    pub(super) fn end_round(&mut self, worst: Severity) -> anyhow::Result<()> {
        self.by_round = true;
        self.write(worst)
    }

    pub(super) fn finish(&mut self, worst: Severity) -> anyhow::Result<()> {
        if self.by_round { Ok(()) } else { self.write(worst) }
    }

    fn write(&mut self, worst: Severity) -> anyhow::Result<()> {
        let mut text = Vec::new();
        self.metrics.finish(&mut text, worst)?;
        replace(&self.path, &text).with_context(|| format!("write the metrics to {} (--textfile)", self.path.display()))
    }
}

/// Puts `text` in the place of a file, whole or not at all, readable by all: the collector is another user.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::other("it is no path of a file"))?.to_string_lossy();
    // The collector takes what ends in `.prom`, so this must not.
    let (prefix, suffix) = (format!(".{name}."), ".partial");
    remove_stale(folder, &prefix, suffix);
    let mut file = tempfile::Builder::new().prefix(&prefix).suffix(suffix).tempfile_in(folder)?;
    file.write_all(text)?;
    readable_by_all(file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(unix)]
fn readable_by_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_file: &File) -> io::Result<()> {
    Ok(())
}

fn remove_stale(folder: &Path, prefix: &str, suffix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let old = || {
            let changed = entry.metadata().and_then(|data| data.modified()).ok()?;
            SystemTime::now().duration_since(changed).ok().filter(|age| *age > STALE)
        };
        if name.starts_with(prefix) && name.ends_with(suffix) && old().is_some() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::AnyRecord;

    fn gather(textfile: &mut Textfile, value: f64) {
        let line = format!(
            r#"{{"schema":1,"kind":"health.metric","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"warning","name":"cpu_usage","message":"","value":{value},"unit":"percent","elapsed_ms":20}}"#
        );
        let record = AnyRecord::parse(line).expect("a record");
        let fields = record.fields().expect("fields");
        textfile.record(&View { header: &record.header, fields: &fields });
    }

    #[test]
    fn the_file_is_whole_readable_by_all_and_of_one_round() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pso.prom");
        let stale = folder.path().join(".pso.prom.abc.partial");
        let young = folder.path().join(".pso.prom.def.partial");
        for leftover in [&stale, &young] {
            fs::write(leftover, "x").expect("written");
        }
        let old = SystemTime::now() - 2 * STALE;
        File::options().write(true).open(&stale).expect("there").set_modified(old).expect("set");
        let mut textfile = Textfile::new(path.clone(), "pso-test");
        gather(&mut textfile, 91.0);
        textfile.end_round(Severity::Warning).expect("written");
        let text = fs::read_to_string(&path).expect("there");
        assert!(text.contains("pso_health_metric_value_percent{name=\"cpu_usage\"} 91\n"), "{text}");
        assert!(text.contains("pso_worst_severity{tool=\"pso-test\"} 2\n") && text.ends_with("# EOF\n"), "{text}");
        textfile.end_round(Severity::Ok).expect("written");
        let text = fs::read_to_string(&path).expect("there");
        assert!(!text.contains("cpu_usage") && text.contains("pso_worst_severity{tool=\"pso-test\"} 0\n"), "{text}");
        textfile.finish(Severity::Critical).expect("nothing to do");
        assert_eq!(fs::read_to_string(&path).expect("there"), text);
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).expect("readable").map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, [".pso.prom.def.partial", "pso.prom"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o644);
        }
        let error = Textfile::new(folder.path().join("no/such.prom"), "t").finish(Severity::Ok).expect_err("no folder");
        assert!(format!("{error:#}").contains("no/such.prom (--textfile)"), "{error:#}");
    }
}
