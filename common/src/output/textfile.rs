//! Measurements for node_exporter's textfile collector: a file that is replaced as a whole.

use std::io;
use std::path::PathBuf;

use anyhow::Context as _;

use super::openmetrics::OpenMetrics;
use super::{Render, View};
use crate::io::{Readers, replace};
use crate::record::Severity;

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

    /// Writes the file at the end of a run that had no rounds, or of any that has failed: what its last round measured must not
    /// stand there as if somebody still looked.
    pub(super) fn finish(&mut self, worst: Severity, failed: bool) -> anyhow::Result<()> {
        if self.by_round && !failed { Ok(()) } else { self.write(worst) }
    }

    fn write(&mut self, worst: Severity) -> anyhow::Result<()> {
        let mut text = Vec::new();
        self.metrics.finish(&mut text, worst)?;
        // Readable by all: the collector is another user.
        replace(&self.path, &text, Readers::All)
            .with_context(|| format!("write the metrics to {} (--textfile)", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        let mut textfile = Textfile::new(path.clone(), "pso-test");
        gather(&mut textfile, 91.0);
        textfile.end_round(Severity::Warning).expect("written");
        let text = fs::read_to_string(&path).expect("there");
        assert!(text.contains("pso_health_metric_value_percent{name=\"cpu_usage\"} 91\n"), "{text}");
        assert!(text.contains("pso_worst_severity{tool=\"pso-test\"} 2\n") && text.ends_with("# EOF\n"), "{text}");
        textfile.end_round(Severity::Ok).expect("written");
        let text = fs::read_to_string(&path).expect("there");
        assert!(!text.contains("cpu_usage") && text.contains("pso_worst_severity{tool=\"pso-test\"} 0\n"), "{text}");
        textfile.finish(Severity::Critical, false).expect("nothing to do");
        assert_eq!(fs::read_to_string(&path).expect("there"), text);
        textfile.finish(Severity::Unknown, true).expect("written");
        let text = fs::read_to_string(&path).expect("there");
        assert!(text.contains("pso_worst_severity{tool=\"pso-test\"} 5\n"), "{text}");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o644);
        }
        let error =
            Textfile::new(folder.path().join("no/such.prom"), "t").finish(Severity::Ok, false).expect_err("no folder");
        assert!(format!("{error:#}").contains("no/such.prom (--textfile)"), "{error:#}");
    }
}
