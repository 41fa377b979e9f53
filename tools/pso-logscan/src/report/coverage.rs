//! What was read of each input, and what was not.

use std::path::Path;

use pso_common::config::ConfigValue as _;
use pso_common::record::LogCoverageRecord;
use pso_common::{Run, Severity};

use crate::pass::reading::Read;
use crate::report::many;
use crate::scan::pipeline::Outcome;
use crate::scan::tally::FileTally;
use crate::settings::Settings;

/// The coverage of one input that was opened, and what is wrong with it.
///
/// # Errors
/// When stdout is closed or cannot be written.
pub(crate) fn coverage(run: &mut Run<'_>, path: String, read: &Read, settings: &Settings) -> anyhow::Result<Severity> {
    let (severity, mut message) = verdict(read, settings);
    if let Some(instead) = &read.instead {
        let mark = if message.is_empty() { "" } else { "; " };
        message = format!("rotation has moved it meanwhile: it was read from {instead}{mark}{message}");
    }
    let FileTally { unparsed, outside, format, zoneless, .. } = &read.outcome.tally;
    let body = LogCoverageRecord {
        path: path.clone(),
        size_bytes: read.size,
        read_bytes: read.read_bytes,
        lines: read.lines(),
        unparsed_lines: *unparsed,
        outside_lines: *outside,
        format: format.map(|format| format.name().to_owned()),
        zone: zoneless.then(|| settings.zones.of(Path::new(&path)).show()),
        from_offset: (read.from > 0).then_some(read.from),
        skipped_bytes: (read.skipped > 0).then_some(read.skipped),
        ..LogCoverageRecord::default()
    };
    run.emit(severity, path, message, body)?;
    Ok(severity)
}

fn verdict(read: &Read, settings: &Settings) -> (Severity, String) {
    let Outcome { tally, cut_lines, error, .. } = &read.outcome;
    if let Some(error) = error {
        return (Severity::Unknown, format!("it could be read only up to line {}: {error}", tally.lines));
    }
    if let Some((there, expected)) = read.shrunk {
        return (Severity::Unknown, format!("it shrank while it was read: {there} of {expected} bytes were there"));
    }
    if *cut_lines > 0 {
        let lines = many(*cut_lines, "line");
        return (Severity::Unknown, format!("{lines} longer than 1 MiB: of these only the first MiB was looked at"));
    }
    if read.is_binary() {
        return (Severity::Unknown, "it is no text: it has NUL bytes and no time stamps".to_owned());
    }
    if read.garbage > 0 {
        let bytes = many(read.garbage, "byte");
        return (
            Severity::Warning,
            format!("{bytes} behind the end of the packed data belong to nothing: passed over"),
        );
    }
    let left = match (read.left, read.lines()) {
        (0, _) => String::new(),
        (left, _) => format!("the last line is not finished: its {} are left for the next run", many(left, "byte")),
    };
    match (read.lines(), read.before) {
        (0, Some(_)) if left.is_empty() => (Severity::Ok, "nothing new was written to it".to_owned()),
        (0, None) if read.skipped > 0 => (Severity::Ok, "none of its lines is within the window".to_owned()),
        (0, None) if left.is_empty() => (Severity::Info, "it is empty".to_owned()),
        (0, _) => (Severity::Ok, left),
        _ if tally.format.is_none() && !settings.window.is_open() => {
            (Severity::Info, "no line has a time stamp: all of them were counted".to_owned())
        }
        _ => (Severity::Ok, left),
    }
}

/// The coverage of what was not read because its content is that of another input, or the beginning of it (`is_part`).
///
/// # Errors
/// When stdout is closed or cannot be written.
pub(crate) fn twin(
    run: &mut Run<'_>,
    path: String,
    size_bytes: Option<u64>,
    of: &Path,
    is_part: bool,
) -> anyhow::Result<()> {
    let of = of.display().to_string();
    let what = if is_part { "the beginning of what is in" } else { "that of" };
    let message = format!("its content is {what} {of}, and is counted there");
    let body =
        LogCoverageRecord { path: path.clone(), size_bytes, duplicate_of: Some(of), ..LogCoverageRecord::default() };
    run.emit(Severity::Info, path, message, body)
}

/// The coverage of what was not opened at all.
///
/// # Errors
/// When stdout is closed or cannot be written.
pub(crate) fn unread(
    run: &mut Run<'_>,
    path: String,
    size_bytes: Option<u64>,
    severity: Severity,
    reason: String,
) -> anyhow::Result<()> {
    let body = LogCoverageRecord { path: path.clone(), size_bytes, ..LogCoverageRecord::default() };
    run.emit(severity, path, reason, body)
}
