//! Lines of a log with what they mean, and a file of them.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::truth::{Form, LogEvent, LogFile};

/// One entry: a line, and the lines of its stack trace.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: OffsetDateTime,
    pub(super) form: Form,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG`.
    pub(super) level: &'static str,
    /// The type of an error.
    pub(super) error_type: Option<&'static str>,
    /// What comes after the level and the type, from `[component]` on.
    pub(super) text: String,
    pub(super) trace: Vec<String>,
    /// A line that is already written out, as `backup.log` has them.
    pub(super) whole: Option<String>,
}

impl Entry {
    fn line(&self) -> Result<String> {
        if let Some(whole) = &self.whole {
            return Ok(whole.clone());
        }
        let said = self.error_type.map_or_else(|| self.text.clone(), |kind| format!("{kind} {}", self.text));
        Ok(match self.form {
            Form::Text => format!("{} {} {said}", rfc3339(self.at)?, self.level),
            Form::Go => {
                let form = format_description!("[year]/[month]/[day] [hour]:[minute]:[second]");
                format!("{} {} {said}", self.at.format(form).context("write a time stamp")?, self.level)
            }
            Form::Json => {
                let mut line = json!({"time": rfc3339(self.at)?, "level": self.level.to_lowercase(), "msg": said});
                if !self.trace.is_empty() {
                    line["stack"] = self.trace.join("\n").into();
                }
                line.to_string()
            }
        })
    }

    /// What it means, from its making: the words are only in the text of entries that carry the meaning.
    fn event(&self, file: &str, line: u64) -> Option<LogEvent> {
        let event = LogEvent {
            file: file.to_owned(),
            line,
            at: self.at,
            form: self.form,
            error_type: self.error_type.map(str::to_owned),
            unresolved_conflict: self.text.contains(" unresolved "),
            validation_error: self.error_type == Some("ValidationError"),
            security_event: self.text.starts_with("[api] "),
        };
        let counts = event.error_type.is_some() || event.unresolved_conflict || event.security_event;
        counts.then_some(event)
    }
}

/// Writes entries in order of time, gives what they mean, and sets the file's time to the last of them.
pub(super) fn write(folder: &Path, name: &str, mut entries: Vec<Entry>, events: &mut Vec<LogEvent>) -> Result<LogFile> {
    for entry in entries.iter_mut().filter(|entry| entry.form == Form::Go) {
        // Go's log has whole seconds.
        entry.at = entry.at.replace_nanosecond(0).unwrap_or(entry.at);
    }
    entries.sort_by_key(|entry| entry.at);
    let mut text = String::new();
    let mut file = LogFile { lines: 0, unstamped_lines: 0, stamps: Vec::new(), size_bytes: 0 };
    for entry in &entries {
        file.lines += 1;
        file.stamps.push(entry.at);
        events.extend(entry.event(name, file.lines));
        text.push_str(&entry.line()?);
        text.push('\n');
        if entry.form != Form::Json {
            for line in &entry.trace {
                file.lines += 1;
                file.unstamped_lines += 1;
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    let path = folder.join(name);
    let bytes = if name.ends_with(".gz") { gzipped(&text)? } else { text.into_bytes() };
    file.size_bytes = bytes.len() as u64;
    fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
    if let Some(last) = entries.last() {
        let opened = File::options().write(true).open(&path);
        opened
            .and_then(|file| file.set_modified(last.at.into()))
            .with_context(|| format!("date {}", path.display()))?;
    }
    Ok(file)
}

pub(super) fn rfc3339(at: OffsetDateTime) -> Result<String> {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.format(form).context("write a time stamp")
}

fn gzipped(text: &str) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).context("compress a log")
}
