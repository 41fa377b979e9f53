//! Results of earlier rehearsals: a table that has shrunk since the last one is told.

use std::path::Path;

use anyhow::Context as _;
use pso_common::Run;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{Record, RehearseResultRecord};

/// The last result in the file that counted something; `None` where there is none yet.
///
/// # Errors
/// When the file cannot be read. One that is not there is the first night's.
pub(crate) fn last(run: &mut Run<'_>, path: &Path) -> anyhow::Result<Option<Record<RehearseResultRecord>>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read earlier results in {}", path.display())),
    };
    let mut reader = RecordReader::new(std::io::BufReader::new(file));
    let mut last = None;
    while let Some(line) = reader.next_line().with_context(|| format!("read {}", path.display()))? {
        match line {
            Line::Record(record) => {
                if let Some(Ok(result)) = record.as_kind::<RehearseResultRecord>()
                    && result.body.rehearsed_at.is_some()
                {
                    last = Some(result);
                }
            }
            Line::Malformed(line) => run.warn(format_args!("{}: {line}", path.display())),
        }
    }
    Ok(last)
}

/// What has lost more than `max_shrink` percent since then, a sentence each.
pub(crate) fn shrunk(earlier: &RehearseResultRecord, now: &RehearseResultRecord, max_shrink: f64) -> Vec<String> {
    let tables = earlier.rows.iter().map(|(name, then)| (name, *then, now.rows.get(name).copied(), "rows"));
    let collections = earlier.points.iter().map(|(name, then)| (name, *then, now.points.get(name).copied(), "points"));
    let mut found = Vec::new();
    for (name, then, now, unit) in tables.chain(collections) {
        let now_or_none = now.unwrap_or_default();
        let lost = then.saturating_sub(now_or_none);
        if lost > 0 && lost as f64 * 100.0 > then as f64 * max_shrink {
            found.push(match now {
                Some(now) => format!("{name} had {then} {unit} at the last rehearsal and has {now}"),
                None => format!("{name} had {then} {unit} at the last rehearsal and is not there any more"),
            });
        }
    }
    found
}
