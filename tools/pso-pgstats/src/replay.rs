//! A saved run (JSON lines) instead of a server: its records pass as they came, and are judged anew. All that depends on
//! time stands in the records, so a rule sees the moment of the saved run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use pso_common::Run;
use pso_common::io::Interruptible;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{
    AnyRecord, Kind as _, PgAdviceRecord, PgChangeRecord, PgSectionRecord, PgServerRecord, RunEndRecord,
    RunStartRecord, SCHEMA, Severity,
};

use crate::TOOL;
use crate::conclude::Conclusions;
use crate::records::{Records, Snapshot};
use crate::report::{End, Ends};
use crate::sections::Section;
use crate::settings::Settings;
use crate::watch::Failure;

/// Shows the sections of the saved run.
pub(crate) fn run(path: &Path, settings: &Settings, run: &mut Run<'_>) -> anyhow::Result<()> {
    let conclusions = Conclusions::new(settings, run)?;
    let input = if path == Path::new("-") {
        run.take_stdin()
    } else {
        Interruptible::open(path, run.cancel().clone()).with_context(|| format!("open {} (--input)", path.display()))?
    };
    let saved = read(RecordReader::new(input), run).with_context(|| format!("read {} (--input)", path.display()))?;
    ensure!(
        saved.server.is_some() || !saved.lines.is_empty() || !saved.ends.is_empty(),
        "{} has no record of pso-pgstats; save some with pso-pgstats --format jsonl",
        path.display()
    );
    saved.show(&conclusions, run)
}

/// The last run of pso-pgstats in the input.
#[derive(Default)]
struct Saved {
    server: Option<(PgServerRecord, AnyRecord)>,
    records: Records,
    /// The records of the sections by kind, as they came.
    lines: BTreeMap<String, Vec<AnyRecord>>,
    ends: Ends,
    /// The ends as they came.
    end_lines: BTreeMap<&'static str, AnyRecord>,
    /// A `run.start` without its `run.end`: it is not known what is missing.
    open: bool,
    /// The version of the contract that it was written by, where that is newer than ours: nobody knows what has changed.
    newer: Option<u32>,
}

fn read(mut reader: RecordReader<Interruptible>, run: &mut Run<'_>) -> anyhow::Result<Saved> {
    let mut saved = Saved::default();
    let mut malformed = Flood::default();
    let mut unread = Flood::default();
    while let Some(line) = reader.next_line()? {
        run.cancel().check()?;
        let record = match line {
            Line::Record(record) => record,
            Line::Malformed(line) => {
                malformed.tell(&line, run);
                continue;
            }
        };
        if record.header.tool != TOOL.name {
            run.pass(&record)?;
            continue;
        }
        let number = reader.line();
        if let Err(error) = saved.take(record.clone()) {
            let kind = &record.header.kind;
            let reason = format!("line {number} of the input: {kind}: {error}");
            unread.tell(&reason, run);
            saved.distrust(kind, &reason);
        }
    }
    malformed.end("lines of the input are no records", run);
    unread.end("records of the input cannot be read", run);
    if let Some(schema) = saved.newer {
        bail!("it is of a newer pso-pgstats (schema {schema}, this one knows {SCHEMA}); read it with that one")
    }
    if saved.open {
        run.warn("the saved run has no end: what it did not come to is unknown");
        run.note(Severity::Unknown);
    }
    Ok(saved)
}

/// Complaints of one sort: the first few say what it is, the rest is counted.
#[derive(Default)]
struct Flood(u64);

impl Flood {
    const TOLD: u64 = 3;

    fn tell(&mut self, complaint: &impl fmt::Display, run: &mut Run<'_>) {
        self.0 += 1;
        if self.0 <= Self::TOLD {
            run.warn(complaint);
        }
        run.note(Severity::Unknown);
    }

    fn end(&self, of_what: &str, run: &mut Run<'_>) {
        if self.0 > Self::TOLD {
            run.warn(format_args!("{} more {of_what}", self.0 - Self::TOLD));
        }
    }
}

impl Saved {
    fn take(&mut self, record: AnyRecord) -> Result<(), serde_json::Error> {
        if record.header.schema > SCHEMA {
            self.newer = Some(record.header.schema);
            return Ok(());
        }
        match record.header.kind.as_str() {
            // A file may have several runs, one after the other (--records): the last one counts.
            RunStartRecord::KIND => *self = Self { open: true, ..Self::default() },
            RunEndRecord::KIND => self.open = false,
            PgServerRecord::KIND => self.server = Some((record.fields()?, record)),
            PgSectionRecord::KIND => {
                let body: PgSectionRecord = record.fields()?;
                if let Some(section) =
                    Section::find(&record.header.name).filter(|section| section.conclusion().is_none())
                {
                    let header = &record.header;
                    let (severity, message) = (header.severity, header.message.clone());
                    let end = End { severity, message, rows: body.rows, elapsed_ms: body.elapsed_ms };
                    self.ends.entry(section.name).or_insert(end);
                    self.end_lines.insert(section.name, record);
                }
            }
            // It is judged anew.
            PgAdviceRecord::KIND | PgChangeRecord::KIND => {}
            kind => {
                if self.records.take(&record)? {
                    self.lines.entry(kind.to_owned()).or_default().push(record);
                }
            }
        }
        Ok(())
    }

    /// A section of which a record could not be read is not to be judged by the rest of them.
    fn distrust(&mut self, kind: &str, reason: &str) {
        if let Some(section) = crate::sections::SECTIONS.iter().find(|section| section.kind == kind) {
            self.ends.insert(section.name, End::failed(&Failure::Unknown(reason.to_owned()), None));
        }
    }

    fn show(mut self, conclusions: &Conclusions<'_>, run: &mut Run<'_>) -> anyhow::Result<()> {
        let settings = conclusions.settings;
        if let Some((_, line)) = &self.server {
            run.pass(line)?;
        }
        let missing = if self.open {
            Failure::Unknown("the saved run ended before it was read".to_owned())
        } else {
            Failure::Unavailable("the saved run does not have it; save all sections with pso-pgstats".to_owned())
        };
        for section in conclusions.order() {
            self.ends.entry(section.name).or_insert_with(|| End::failed(&missing, None));
        }
        let snapshot =
            self.server.take().map(|(server, _)| Snapshot { server, records: std::mem::take(&mut self.records) });
        for section in &settings.sections {
            if let Some(conclusion) = section.conclusion() {
                let end = match &snapshot {
                    Some(snapshot) => conclusions.write(conclusion, snapshot, &self.ends, 0, run)?,
                    None => {
                        End::failed(&Failure::Unknown("the saved run has no pg.server to judge by".to_owned()), None)
                    }
                };
                end.emit(section, run)?;
                continue;
            }
            let lines: Vec<&AnyRecord> = self.lines.get(section.kind).into_iter().flatten().collect();
            for line in &lines {
                run.pass(line)?;
                run.note(line.header.severity);
            }
            match (self.end_lines.get(section.name), self.ends.get(section.name)) {
                (Some(line), _) => {
                    run.pass(line)?;
                    run.note(line.header.severity);
                }
                // Of those that nobody asked for by name, the saved run has what it has.
                (None, Some(end)) if settings.named || self.open || !lines.is_empty() => end.emit(section, run)?,
                (None, _) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pso_common::record::Header;

    use super::*;

    fn record(kind: &str, name: &str, fields: &str) -> AnyRecord {
        let line = format!(
            r#"{{"schema":1,"kind":"{kind}","at":"2026-11-22T09:00:00Z","tool":"pso-pgstats","host":"h","severity":"ok","name":"{name}"{fields}}}"#
        );
        AnyRecord::parse(line).expect("a record")
    }

    fn taken(records: Vec<AnyRecord>) -> Saved {
        let mut saved = Saved::default();
        for record in records {
            let Header { kind, .. } = record.header.clone();
            if let Err(error) = saved.take(record) {
                saved.distrust(&kind, &error.to_string());
            }
        }
        saved
    }

    const SIZE: &str = r#","schemaname":"s","relname":"t","size_bytes":3,"table_bytes":2,"index_bytes":1"#;

    #[test]
    fn the_last_run_counts() {
        let start = || record("run.start", "pso-pgstats", r#","version":"1","pid":1"#);
        let end = || record("run.end", "pso-pgstats", "");
        let saved =
            taken(vec![start(), record("pg.size", "old", SIZE), end(), start(), record("pg.size", "new", SIZE)]);
        assert_eq!(saved.lines["pg.size"].iter().map(|line| line.header.name.as_str()).collect::<Vec<_>>(), ["new"]);
        assert_eq!(saved.records.sizes.len(), 1);
        assert!(saved.open);
        assert!(!taken(vec![start(), end()]).open);
    }

    #[test]
    fn a_section_with_a_bad_record_is_not_judged() {
        let section = || record("pg.section", "sizes", r#","rows":2"#);
        let good = taken(vec![record("pg.size", "a", SIZE), section()]);
        assert_eq!(good.ends["sizes"].rows, Some(2));
        let bad = taken(vec![record("pg.size", "a", SIZE), record("pg.size", "b", ""), section()]);
        assert_eq!((bad.ends["sizes"].rows, bad.ends["sizes"].severity), (None, Severity::Unknown));
    }
}
