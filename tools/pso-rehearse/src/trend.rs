//! Results of earlier rehearsals: what has shrunk since is told. An empty dump restores without a fault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{Component, Record, RehearseResultRecord};
use pso_common::{Run, Severity, Timestamp};

use crate::proof::Proof;

/// The results in one file.
pub(crate) struct History {
    file: PathBuf,
    results: Vec<Record<RehearseResultRecord>>,
    /// The first lines that are no records, a sentence each.
    malformed: Vec<String>,
    /// How many more there are: any file can be given.
    more_malformed: u64,
}

/// So many lines that are no records are told one by one.
const NAMED: usize = 3;

impl History {
    /// Reads it. One that is not there is the first night's. Records of other kinds may be in it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(run: &mut Run<'_>, path: &Path) -> anyhow::Result<Self> {
        let mut history =
            Self { file: path.to_path_buf(), results: Vec::new(), malformed: Vec::new(), more_malformed: 0 };
        let context = || format!("read earlier results in {}", path.display());
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(history),
            // A pipe of that name would be waited for without end.
            Ok(is) if !is.is_file() => return Err(anyhow::anyhow!("it is not a file")).with_context(context),
            _ => {}
        }
        let mut reader = RecordReader::new(std::fs::File::open(path).with_context(context)?);
        while let Some(line) = reader.next_line().with_context(context)? {
            run.cancel().check()?;
            let (is, reason) = match line {
                Line::Record(record) => match record.as_kind::<RehearseResultRecord>() {
                    None => continue,
                    Some(Ok(result)) => {
                        history.results.push(result);
                        continue;
                    }
                    Some(Err(error)) => ("not whole", error.to_string()),
                },
                Line::Malformed(line) => ("not a record", line.reason.clone()),
            };
            if history.malformed.len() < NAMED {
                let (line, file) = (reader.line(), path.display());
                history.malformed.push(format!("line {line} of {file} is {is} and was left out: {reason}"));
            } else {
                history.more_malformed += 1;
            }
        }
        Ok(history)
    }

    /// Says what has shrunk by more than `max_shrink` percent since the last rehearsal of an older archive of the same
    /// deployment, in the components that hold: of another nobody knows what is in it.
    pub(crate) fn compare(
        &self,
        (now, held): (&RehearseResultRecord, &[Component]),
        max_shrink: f64,
        proof: &mut Proof,
    ) {
        self.malformed.iter().for_each(|line| proof.warn(line));
        if self.more_malformed > 0 {
            proof.warn(format!("{} more lines of {} were left out", self.more_malformed, self.file.display()));
        }
        let same: Vec<&Record<RehearseResultRecord>> =
            self.results.iter().filter(|earlier| is_of_same(&earlier.body, now)).collect();
        self.is_that_file(&same, now, proof);
        let mut compared = None;
        for (component, unit) in [(Component::Postgres, "rows"), (Component::Qdrant, "points")] {
            if !held.contains(&component) {
                continue;
            }
            let Some(earlier) = last(&same, now, component) else {
                proof.leave(format!(
                    "{component} was not compared: no earlier rehearsal of an older archive of it is in {}",
                    self.file.display()
                ));
                continue;
            };
            compared = compared.max(earlier.body.taken_at);
            let of_name = name(&earlier.body.path);
            for loss in shrunk(&counts(&earlier.body, component), &counts(now, component), max_shrink) {
                proof.warn(loss.told(unit, of_name));
            }
        }
        if let (Some(taken_at), true) = (compared, proof.warnings.is_empty()) {
            proof.prove(format!("nothing has shrunk by more than {max_shrink} % since the archive of {taken_at}"));
        }
    }

    /// An archive that was rehearsed before is the same file now.
    fn is_that_file(&self, same: &[&Record<RehearseResultRecord>], now: &RehearseResultRecord, proof: &mut Proof) {
        let known = same.iter().rev().find(|earlier| {
            earlier.body.taken_at == now.taken_at
                && place(&earlier.body.path) == place(&now.path)
                && earlier.body.sha256.is_some()
                // A copy that was bad then may have been replaced by a good one.
                && earlier.body.refuted.is_empty()
        });
        match known {
            Some(known) if known.body.sha256 != now.sha256 => proof.refute(format!(
                "it is not the file that was rehearsed at {}: that had the SHA-256 {}",
                known.header.at,
                known.body.sha256.as_deref().unwrap_or_default()
            )),
            Some(known) => proof.prove(format!("it is the file that was rehearsed at {}", known.header.at)),
            None => {}
        }
    }
}

/// A name, and the folder it is in: `daily/20261122_090000.zip`, wherever that is mounted today.
fn place(path: &str) -> (Option<&str>, &str) {
    let mut parts = path.rsplit(['/', '\\']);
    let name = parts.next().unwrap_or(path);
    (parts.next(), name)
}

fn name(path: &str) -> &str {
    place(path).1
}

/// Whether two archives are of one deployment: made on one host or of one cluster, and with a database of the same name, where
/// they have any. The host alone changes with every container, and the cluster with every migration.
fn is_of_same(one: &RehearseResultRecord, other: &RehearseResultRecord) -> bool {
    let share = |one: &[String], other: &[String]| one.iter().any(|own| other.contains(own));
    let has_none = one.databases.is_empty() || other.databases.is_empty();
    (has_none || share(&one.databases, &other.databases))
        && (one.source_host == other.source_host || share(&one.system_identifiers, &other.system_identifiers))
}

/// The last result of the newest archive that is not newer than this one, where everything of a component was restored.
fn last<'a>(
    same: &[&'a Record<RehearseResultRecord>],
    now: &RehearseResultRecord,
    component: Component,
) -> Option<&'a Record<RehearseResultRecord>> {
    let counted = same.iter().filter(|earlier| {
        let body = &earlier.body;
        earlier.header.severity < Severity::High
            && body.components.contains(&component)
            && body.taken_at.is_some_and(|at| now.taken_at.is_some_and(|now| at <= now))
    });
    counted.max_by_key(|earlier| (earlier.body.taken_at, earlier.header.at) as (Option<Timestamp>, Timestamp)).copied()
}

/// Rows by table, or points by collection. Of one database the tables are named as of several, since there may be more now.
fn counts(of: &RehearseResultRecord, component: Component) -> BTreeMap<String, u64> {
    match (component, &of.databases[..]) {
        (Component::Postgres, [one]) => of.rows.iter().map(|(table, rows)| (format!("{one}:{table}"), *rows)).collect(),
        (Component::Postgres, _) => of.rows.clone(),
        _ => of.points.clone(),
    }
}

/// What has become less.
#[derive(Debug, PartialEq, Eq)]
struct Loss {
    name: String,
    then: u64,
    /// `None` where it is not there any more.
    now: Option<u64>,
}

impl Loss {
    fn told(&self, unit: &str, archive: &str) -> String {
        let Self { name, then, now } = self;
        match now {
            None => format!("{name} had {then} {unit} in {archive}, and is not there any more"),
            Some(0) => format!("{name} had {then} {unit} in {archive}, and is empty"),
            Some(now) => {
                let share = (then - now) as f64 * 100.0 / *then as f64;
                format!("{name} had {then} {unit} in {archive}, and has {now} ({share:.1} % less)")
            }
        }
    }
}

/// What has lost more than `max_shrink` percent. What has lost everything is told in any case: that is what an empty dump looks
/// like.
fn shrunk(then: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>, max_shrink: f64) -> Vec<Loss> {
    let losses = then.iter().map(|(name, then)| Loss { name: name.clone(), then: *then, now: now.get(name).copied() });
    let is_told = |loss: &Loss| match loss.now {
        // What had nothing in it, and is gone, was dropped.
        None | Some(0) => loss.then > 0,
        Some(now) => loss.then.saturating_sub(now) as f64 * 100.0 > loss.then as f64 * max_shrink,
    };
    losses.filter(is_told).collect()
}

#[cfg(test)]
mod tests;
