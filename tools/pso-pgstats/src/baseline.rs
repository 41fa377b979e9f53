//! `--baseline`: the numbers of an earlier run, kept small: of each record what can be compared, and nothing else.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::Context as _;
use pso_common::Run;
use pso_common::io::Interruptible;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::schema::{self, KindInfo};
use pso_common::record::{
    AnyRecord, Kind as _, Label, Measure, PgSectionRecord, PgServerRecord, RunEndRecord, RunStartRecord, SCHEMA,
};
use serde_json::{Map, Number, Value};

use crate::TOOL;

/// What an earlier run said.
#[derive(Debug, Default)]
pub(crate) struct Baseline {
    /// Absent where the run did not come to it.
    pub(crate) server: Option<PgServerRecord>,
    /// The sections that it read.
    pub(crate) sections: BTreeSet<String>,
    /// What makes it worse than it should be, for the section's end.
    pub(crate) flaws: Vec<String>,
    entries: HashMap<(&'static str, String), Known>,
}

/// What is known of a record.
#[derive(Debug)]
enum Known {
    Once(Entry),
    /// Two records cannot be told apart: neither can be compared.
    Twice,
}

/// The numbers of one record.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    /// In the order of [`fields`].
    pub(crate) numbers: Box<[Option<Number>]>,
    /// Since when its counters count, where it says so itself.
    pub(crate) since: Option<String>,
}

/// The fields of a kind that can be compared, each once, and whether they count events.
pub(crate) fn fields(info: &KindInfo) -> Vec<(&'static str, bool)> {
    let mut fields: Vec<(&'static str, bool)> = Vec::new();
    for metric in info.metrics.fields.iter().filter(|metric| metric.compares()) {
        if !fields.iter().any(|(field, _)| *field == metric.field) {
            fields.push((metric.field, metric.measure == Measure::Counter));
        }
    }
    fields
}

impl Entry {
    /// What tells the record from others of its kind, and its numbers.
    pub(crate) fn of(info: &KindInfo, fields: &[(&'static str, bool)], record: &Map<String, Value>) -> (String, Self) {
        let mut key = String::new();
        for field in info.metrics.labels.iter().copied().filter_map(Label::field) {
            match record.get(field) {
                Some(Value::String(text)) => key.push_str(text),
                Some(value) => key.push_str(&value.to_string()),
                None => {}
            }
            // No name has it.
            key.push('\0');
        }
        let number = |field: &str| match record.get(field) {
            Some(Value::Number(number)) => Some(number.clone()),
            _ => None,
        };
        let since = info.metrics.since.and_then(|field| record.get(field)?.as_str().map(str::to_owned));
        (key, Self { numbers: fields.iter().map(|(field, _)| number(field)).collect(), since })
    }
}

impl Baseline {
    /// Reads the last run of the file that came to its end; if none did, the last one. So a file may be the baseline of the run
    /// that appends to it (`--records`).
    pub(crate) fn read(path: &Path, run: &mut Run<'_>) -> anyhow::Result<Self> {
        let shown = path.display();
        let file =
            Interruptible::open(path, run.cancel().clone()).with_context(|| format!("open {shown} (--baseline)"))?;
        let mut reader = RecordReader::new(file);
        let mut runs = Runs::default();
        while let Some(line) = reader.next_line().with_context(|| format!("read {shown} (--baseline)"))? {
            run.cancel().check()?;
            match line {
                Line::Record(record) => runs.take(&record, reader.line()),
                Line::Malformed(malformed) => runs.current.flaw(malformed.to_string()),
            }
        }
        Ok(runs.choose())
    }

    /// As if read from a file.
    #[cfg(test)]
    pub(crate) fn of<'a>(
        server: PgServerRecord,
        records: &crate::records::Records,
        sections: impl Iterator<Item = &'a str>,
    ) -> Self {
        let sections = sections.map(str::to_owned).collect();
        let mut baseline = Self { server: Some(server), sections, ..Self::default() };
        let taken = records.each_measured(&mut |kind, _, record| {
            let info = schema::find(kind).expect("a kind");
            let (key, entry) = Entry::of(info, &fields(info), &record);
            baseline.entries.insert((kind, key), Known::Once(entry));
        });
        taken.expect("records");
        baseline
    }

    /// Notes a flaw; of a file that is something else altogether the first few say enough.
    fn flaw(&mut self, flaw: String) {
        if self.flaws.len() < 3 {
            self.flaws.push(flaw);
        }
    }

    /// The numbers of a record, if it is there and can be told from others.
    pub(crate) fn find(&self, kind: &'static str, key: String) -> Option<&Entry> {
        match self.entries.get(&(kind, key)) {
            Some(Known::Once(entry)) => Some(entry),
            _ => None,
        }
    }
}

/// The runs of a file, one after the other.
#[derive(Default)]
struct Runs {
    /// The last that came to its end.
    ended: Option<Baseline>,
    current: Baseline,
    /// What can be compared, by kind.
    kinds: HashMap<&'static str, Vec<(&'static str, bool)>>,
    /// A `run.start` without its `run.end`.
    open: bool,
}

impl Runs {
    fn take(&mut self, record: &AnyRecord, line: u64) {
        let header = &record.header;
        if header.tool != TOOL.name {
            return;
        }
        if header.schema > SCHEMA {
            let flaw =
                format!("line {line} is of a newer pso-pgstats (schema {}, this one knows {SCHEMA})", header.schema);
            return self.current.flaw(flaw);
        }
        let taken = match header.kind.as_str() {
            RunStartRecord::KIND => {
                self.current = Baseline::default();
                self.open = true;
                Ok(())
            }
            RunEndRecord::KIND => {
                self.open = false;
                let ended = std::mem::take(&mut self.current);
                // A run that did not even reach its server is none to compare with.
                if ended.server.is_some() || self.ended.is_none() {
                    self.ended = Some(ended);
                }
                Ok(())
            }
            PgServerRecord::KIND => record.fields().map(|server| self.current.server = Some(server)),
            PgSectionRecord::KIND => record.fields().map(|section: PgSectionRecord| {
                if section.rows.is_some() {
                    self.current.sections.insert(header.name.clone());
                }
            }),
            _ => self.measured(record),
        };
        if let Err(error) = taken {
            self.current.flaw(format!("line {line}: {}: {error}", header.kind));
        }
    }

    fn measured(&mut self, record: &AnyRecord) -> Result<(), serde_json::Error> {
        let Some(info) = schema::find(&record.header.kind) else { return Ok(()) };
        let fields = self.kinds.entry(info.kind).or_insert_with(|| fields(info));
        if fields.is_empty() {
            return Ok(());
        }
        let (key, entry) = Entry::of(info, fields, &record.fields()?);
        self.current
            .entries
            .entry((info.kind, key))
            .and_modify(|known| *known = Known::Twice)
            .or_insert(Known::Once(entry));
        Ok(())
    }

    fn choose(mut self) -> Baseline {
        match self.ended {
            Some(ended) => ended,
            None => {
                if self.open && self.current.server.is_some() {
                    self.current.flaw("it has no end: what it did not come to cannot be compared".to_owned());
                }
                self.current
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = r#","version_num":150004,"version":"15.4","database":"app","role":"r","reads_all_stats":true,"is_superuser":false,"in_recovery":false,"now":"2026-11-22T09:00:00Z","started_at":"2026-11-22T08:00:00Z","stats_since_at":"2026-11-22T08:00:00Z","stats_source":"server start","settings":{}"#;

    fn record(kind: &str, name: &str, schema: u32, fields: &str) -> AnyRecord {
        let line = format!(
            r#"{{"schema":{schema},"kind":"{kind}","at":"2026-11-22T09:00:00Z","tool":"pso-pgstats","host":"h","severity":"ok","name":"{name}"{fields}}}"#
        );
        AnyRecord::parse(line).expect("a record")
    }

    fn size(relname: &str, bytes: u64) -> AnyRecord {
        let fields =
            format!(r#","schemaname":"s","relname":"{relname}","size_bytes":{bytes},"table_bytes":1,"index_bytes":0"#);
        record("pg.size", "x", 1, &fields)
    }

    fn chosen(records: &[AnyRecord]) -> Baseline {
        let mut runs = Runs::default();
        for (at, record) in (1..).zip(records) {
            runs.take(record, at);
        }
        runs.choose()
    }

    fn bytes(baseline: &Baseline, relname: &str) -> Option<Option<u64>> {
        let at = fields(schema::find("pg.size").expect("a kind")).iter().position(|(field, _)| *field == "size_bytes");
        let entry = baseline.find("pg.size", format!("s\0{relname}\0"))?;
        Some(entry.numbers[at.expect("compared")].as_ref().and_then(Number::as_u64))
    }

    #[test]
    fn the_last_run_that_came_to_its_end_counts() {
        let start = || record("run.start", "pso-pgstats", 1, r#","version":"1","pid":1"#);
        let end = || record("run.end", "pso-pgstats", 1, "");
        let server = || record("pg.server", "app", 1, SERVER);
        let one = [start(), server(), size("t", 1), end()];
        let two = [start(), server(), size("t", 2), end()];
        let open = [start(), server(), size("t", 3)];
        let failed = [start(), end()];
        assert_eq!(bytes(&chosen(&[one.as_slice(), &two, &open].concat()), "t"), Some(Some(2)));
        assert_eq!(bytes(&chosen(&[one.as_slice(), &failed, &[start()]].concat()), "t"), Some(Some(1)));
        let only = chosen(&open);
        assert_eq!((bytes(&only, "t"), only.flaws.len()), (Some(Some(3)), 1));
        assert!(only.flaws[0].contains("no end"), "{:?}", only.flaws);
        let nothing = chosen(&[start()]);
        assert!(nothing.server.is_none() && nothing.flaws.is_empty());
    }

    #[test]
    fn what_cannot_be_told_apart_or_is_newer_is_left_out() {
        let twice = chosen(&[size("t", 1), size("t", 2), size("u", 3)]);
        assert_eq!((bytes(&twice, "t"), bytes(&twice, "u")), (None, Some(Some(3))));
        let newer = chosen(&[record("pg.size", "x", 2, "")]);
        assert!(newer.flaws[0].contains("newer"), "{:?}", newer.flaws);
        let broken = chosen(&[record("pg.server", "x", 1, "")]);
        assert!(broken.flaws[0].starts_with("line 1: pg.server: missing field"), "{:?}", broken.flaws);
    }
}
