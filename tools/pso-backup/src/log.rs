//! `logs/backup.log`, as the specification has it: one JSON object a run.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use pso_common::Timestamp;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct LogLine<'a> {
    timestamp: Timestamp,
    backup_path: String,
    size_mb: f64,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> LogLine<'a> {
    pub(crate) fn success(timestamp: Timestamp, path: &Path, size: u64) -> Self {
        // To two decimals, as the specification's script shows it; exact up to 2^53 bytes.
        #[expect(clippy::cast_precision_loss, reason = "two decimals of a size in MiB")]
        let size_mb = (size as f64 / 1_048_576.0 * 100.0).round() / 100.0;
        Self { timestamp, backup_path: path.display().to_string(), size_mb, status: "success", error: None }
    }

    pub(crate) fn failed(timestamp: Timestamp, folder: &Path, error: &'a str) -> Self {
        let backup_path = folder.display().to_string();
        Self { timestamp, backup_path, size_mb: 0.0, status: "failed", error: Some(error) }
    }

    /// Appends the line in one piece. The folder is created with the first success, not by a failure that may come
    /// from looking in the wrong place.
    pub(crate) fn append(&self, logs: &Path) -> anyhow::Result<()> {
        let path = logs.join("backup.log");
        let context = || format!("write to {}", path.display());
        if self.error.is_none() {
            std::fs::create_dir_all(logs).with_context(context)?;
        } else if !logs.is_dir() {
            return Ok(());
        }
        let mut line = serde_json::to_vec(self).with_context(context)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&path).with_context(context)?;
        file.write_all(&line).with_context(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_the_specification_has_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = folder.path().join("logs");
        let at: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
        LogLine::failed(at, Path::new("b/daily"), "down").append(&logs).expect("nothing to do");
        assert!(!logs.exists());
        LogLine::success(at, Path::new("b/daily/x.zip"), 1_590_000).append(&logs).expect("written");
        LogLine::failed(at, Path::new("b/daily"), "down").append(&logs).expect("written");
        let text = std::fs::read_to_string(logs.join("backup.log")).expect("readable");
        let expected = concat!(
            r#"{"timestamp":"2026-11-22T09:00:00.000Z","backup_path":"b/daily/x.zip","size_mb":1.52,"status":"success"}"#,
            "\n",
            r#"{"timestamp":"2026-11-22T09:00:00.000Z","backup_path":"b/daily","size_mb":0.0,"status":"failed","error":"down"}"#,
            "\n"
        );
        assert_eq!(text, expected);
    }
}
