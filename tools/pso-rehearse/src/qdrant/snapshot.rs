//! One unpacked snapshot: its files, its shards in the engine, its points.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use pso_common::io::elapsed_ms;
use qdrant_edge::CountRequest;
use serde_json::Value;

use super::beside;
use super::config::CollectionConfig;
use super::ids::Ids;
use super::limits;
use super::message::{Said, Work};
use super::points::{Seen, read_all};
use super::shard::Shard;
use super::unpack::{longest, taken, unpack};

/// What a snapshot is turned into, step by step; each step may find that it cannot be.
pub(super) struct Snapshot<'a> {
    pub(super) work: &'a Work,
    pub(super) folder: &'a Path,
    /// Whether this process does nothing else, and may be limited.
    pub(super) is_alone: bool,
    /// Tells the parent; an error means that nobody is there any more, or that we are to stop.
    pub(super) say: &'a mut dyn FnMut(Said) -> anyhow::Result<()>,
}

/// Whose fault an error is.
#[derive(Debug)]
pub(super) enum Fault {
    /// The snapshot as a file, whatever engine opens it.
    File(anyhow::Error),
    /// The engine does not take it, or what it reads does not hold.
    Engine(anyhow::Error),
    /// A server does not take it, whatever the engine as a library says.
    Server(anyhow::Error),
    /// Nobody can tell: the machine's, or we were told to stop.
    Other(anyhow::Error),
}

/// A file of the engine's may have this length whatever there is in the snapshot (bytes): it makes files of 32 MiB, and of
/// the log's capacity. One flipped bit made it work for minutes at one of many GiB.
const USUAL_FILE: u64 = 256 << 20;

type Found<T> = Result<T, Fault>;

impl Snapshot<'_> {
    /// Unpacks it, opens it, reads it.
    pub(super) fn examine(&mut self) -> Found<()> {
        let began = Instant::now();
        let unpacked = self.unpack()?;
        let config = self.config(&unpacked)?;
        if self.is_alone {
            let most = longest(&unpacked).max(config.log_capacity()).saturating_mul(2).max(USUAL_FILE);
            limits::limit_files(most).context("limit the files").map_err(Fault::Other)?;
        }
        let mut shards = self.open(&unpacked, &config)?;
        self.say(Said::Restored { ms: elapsed_ms(began), bytes: taken(&unpacked) })?;
        let seen = self.read(&shards, &config)?;
        let seen = self.with_log(&mut shards, &config, seen)?;
        self.judge(&shards, &config, &seen)?;
        for shard in shards {
            shard.close();
        }
        Ok(())
    }

    fn say(&mut self, said: Said) -> Found<()> {
        (self.say)(said).map_err(Fault::Other)
    }

    fn does(&mut self, what: impl Into<String>) -> Found<()> {
        self.say(Said::Does(what.into()))
    }

    fn unpack(&mut self) -> Found<PathBuf> {
        self.does("unpacking it")?;
        let (tar, unpacked) = (self.folder.join(&self.work.snapshot), self.folder.join("collection"));
        let mut files = 0_u64;
        let mut told = Ok(());
        unpack(&tar, &unpacked, || {
            files += 1;
            if told.is_ok() && files.is_multiple_of(16) {
                told = (self.say)(Said::Does("unpacking it".to_owned()));
            }
        })
        .map_err(Fault::File)?;
        told.map_err(Fault::Other)?;
        // It takes room that the engine may need.
        fs::remove_file(&tar).context("remove the snapshot").map_err(Fault::Other)?;
        Ok(unpacked)
    }

    /// Its configuration, which must be the manifest's in all that never changes.
    fn config(&mut self, unpacked: &Path) -> Found<CollectionConfig> {
        let value = read_json(&unpacked.join("config.json")).map_err(Fault::File)?;
        let config = CollectionConfig::parse(&value).context("config.json").map_err(Fault::Engine)?;
        let version = fs::read_to_string(unpacked.join("version.info"));
        let version = version.context("the snapshot has no version.info, as every one has").map_err(Fault::File)?;
        let mapping = unpacked.join("shard_key_mapping.json");
        let mapping = mapping.exists().then(|| read_json(&mapping)).transpose().map_err(Fault::File)?;
        let indexes = read_json(&unpacked.join("payload_index.json")).map_err(Fault::File)?;
        beside::check(&value, &version, mapping.as_ref(), &indexes).map_err(Fault::Server)?;
        match self.work.config.as_ref().map(CollectionConfig::parse) {
            None => {
                self.say(Said::Left("the archive has no configuration to compare the snapshot's with".to_owned()))?;
            }
            Some(Err(error)) => {
                self.say(Said::Unclear(format!("the manifest's configuration cannot be read: {error:#}")))?;
            }
            Some(Ok(manifest)) => {
                let differences = config.differences(&manifest);
                for difference in &differences {
                    self.say(Said::Broken(difference.clone()))?;
                }
            }
        }
        Ok(config)
    }

    fn open(&mut self, unpacked: &Path, config: &CollectionConfig) -> Found<Vec<Shard>> {
        let numbers = shard_numbers(unpacked).map_err(Fault::File)?;
        let expected: BTreeSet<u32> = match config.shards() {
            Some(count) => (0..count.min(1 << 16)).collect(),
            None => keyed_shards(unpacked).map_err(Fault::File)?,
        };
        let missing: Vec<String> = expected.difference(&numbers).map(u32::to_string).collect();
        if !missing.is_empty() {
            let (missing, of) = (missing.join(", "), expected.len());
            let error =
                anyhow::anyhow!("shard {missing} of {of} is not in the snapshot: a server refuses to restore it");
            return Err(Fault::File(error));
        }
        let mut shards = Vec::new();
        for number in numbers {
            self.does(format!("opening shard {number}"))?;
            let folder = unpacked.join(number.to_string());
            let is_here = beside::is_here(&folder).with_context(|| format!("shard {number}")).map_err(Fault::File)?;
            if !is_here {
                self.say(Said::Left(format!(
                    "shard {number} is another node's: a cluster's snapshot has the data of one node, and a single server \
                     refuses it"
                )))?;
                continue;
            }
            let shard = Shard::open(number, folder, self.folder, config)?;
            if shard.log.is_torn() {
                self.say(Said::Left(format!(
                    "the log (WAL) of shard {number} goes on behind its last whole change: a server does not see that, and \
                     whether it was one nobody can tell"
                )))?;
            }
            shards.push(shard);
        }
        Ok(shards)
    }

    fn read(&mut self, shards: &[Shard], config: &CollectionConfig) -> Found<Seen> {
        let shapes = config.shapes();
        let mut seen = Seen::default();
        let mut ids = Ids::new(self.folder, shards.len()).map_err(Fault::Other)?;
        for shard in shards {
            self.does(format!("reading shard {}", shard.number))?;
            let before = seen.points;
            let mut told = Ok(());
            let say = &mut self.say;
            let result = read_all(
                &shard.engine,
                &shapes,
                &mut seen,
                |read| {
                    told = say(Said::Read(read));
                    ensure!(told.is_ok(), "stopped");
                    Ok(())
                },
                |id| ids.add(id),
            );
            told.map_err(Fault::Other)?;
            result.with_context(|| format!("shard {}", shard.number)).map_err(engines)?;
            self.compare_count(shard, seen.points - before)?;
            ids.next_shard().map_err(Fault::Other)?;
        }
        let twice = ids.in_two_shards().map_err(Fault::Other)?;
        if twice > 0 && config.shards().is_some() {
            self.say(Said::Left(format!("{twice} points are in more than one shard; a server counts each of them")))?;
        }
        Ok(seen)
    }

    /// The engine's own count, which takes a point that is in two segments for two, against what was read.
    fn compare_count(&mut self, shard: &Shard, read: u64) -> Found<()> {
        let count = |filter| shard.engine.count(CountRequest { filter, exact: true });
        let counted = count(None).context("count the points").map_err(engines)? as u64;
        if counted == read {
            return Ok(());
        }
        let number = shard.number;
        let found = shard.instances().map_err(engines)?;
        if found == counted {
            return self.say(Said::Left(format!(
                "{} points of shard {number} are in two segments, as after an update: the newer counts",
                counted.saturating_sub(read)
            )));
        }
        self.say(Said::Refuted(format!("shard {number} counts {counted} points, and {read} of them can be read")))
    }

    /// What a server would find in the log (WAL) and apply again. It does so at every start, and all of it is in the
    /// segments already unless the snapshot was made while changes were on their way: so only where the number of points
    /// is not the manifest's.
    fn with_log(&mut self, shards: &mut [Shard], config: &CollectionConfig, seen: Seen) -> Found<Seen> {
        let entries: u64 = shards.iter().map(|shard| shard.log.entries()).sum();
        if entries == 0 {
            return Ok(seen);
        }
        if self.work.points.is_none_or(|(least, most)| (least..=most).contains(&seen.points)) {
            self.say(Said::Left(format!(
                "{} not applied once more, as a server does when it starts: the points are all there without",
                were(entries)
            )))?;
            return Ok(seen);
        }
        let mut applied = 0;
        for shard in &mut *shards {
            self.does(format!("applying the log of shard {}", shard.number))?;
            let say = &mut self.say;
            applied += shard.apply_log(|| say(Said::Does("applying the log".to_owned())))?;
        }
        let again = self.read(shards, config)?;
        self.say(Said::Left(format!(
            "{} applied, as a server does when it starts: {} points before and {} then",
            were(applied),
            seen.points,
            again.points
        )))?;
        Ok(again)
    }

    fn judge(&mut self, shards: &[Shard], config: &CollectionConfig, seen: &Seen) -> Found<()> {
        let points = seen.points;
        self.say(Said::Counted(points))?;
        for fault in &seen.faults {
            self.say(Said::Refuted(fault.clone()))?;
        }
        if seen.faulty > seen.faults.len() as u64 {
            self.say(Said::Refuted(format!("{} vectors and payloads are wrong altogether", seen.faulty)))?;
        }
        let segments: usize = shards.iter().map(|shard| shard.engine.info().segments_count).sum();
        self.say(Said::Proved(format!(
            "{} and {} open",
            counted(shards.len() as u64, "shard"),
            counted(segments as u64, "segment")
        )))?;
        match self.work.points {
            None => self.say(Said::Left(format!("it has {points} points; nobody counted them when it was made")))?,
            Some((least, most)) if (least..=most).contains(&points) => {
                let range = if least == most { String::new() } else { format!(", between {least} and {most}") };
                self.say(Said::Proved(format!("{} as in the manifest{range}", counted(points, "point"))))?;
            }
            Some((_, most)) if points > most && config.defers_points() => {
                self.say(Said::Unclear(format!(
                    "it has {points} points and the manifest {most}: with prevent_unoptimized a server shows some of them \
                     only once its optimiser has been there"
                )))?;
            }
            Some((least, most)) => {
                let range = if least == most { most.to_string() } else { format!("{least} to {most}") };
                self.say(Said::Refuted(format!("it has {points} points and should have {range}")))?;
            }
        }
        if seen.faulty == 0 {
            self.tell_vectors(config, seen)?;
            self.tell_payloads(shards, seen)?;
        }
        let indexed: usize = shards.iter().map(|shard| shard.engine.info().indexed_vectors_count).sum();
        if indexed > 0 {
            self.say(Said::Left(format!(
                "the search index of {} opens, and nothing was searched in it: a server can build it again",
                counted(indexed as u64, "vector")
            )))?;
        }
        self.tell_indexes(shards)
    }

    fn tell_vectors(&mut self, config: &CollectionConfig, seen: &Seen) -> Found<()> {
        if seen.points == 0 {
            return Ok(());
        }
        let mut read = Vec::new();
        let mut lacking = Vec::new();
        for (name, shape) in config.shapes() {
            let count = seen.vectors.get(&name).copied().unwrap_or_default();
            let called = if name.is_empty() { String::new() } else { format!(" {name:?}") };
            read.push(format!("{count}{called} {}", shape.in_words()));
            if count < seen.points {
                lacking.push(format!("{} points have no vector{called}", seen.points - count));
            }
            if let Some(zeros) = seen.zeros.get(&name) {
                self.say(Said::Odd(format!(
                    "{zeros} of {count} vectors{called} are zeros from end to end, as a hole in a file is: nothing finds them"
                )))?;
            }
        }
        self.say(Said::Proved(format!(
            "every vector was read and is finite ({}), and every payload",
            read.join(", ")
        )))?;
        if seen.vectors.is_empty() && !lacking.is_empty() {
            self.say(Said::Odd(format!("none of its {} points has a vector", seen.points)))?;
        } else if !lacking.is_empty() {
            self.say(Said::Left(format!(
                "{}: Qdrant allows that, and nobody counted them before",
                lacking.join(", ")
            )))?;
        }
        Ok(())
    }

    /// Points without payloads are nothing unusual, unless the collection has indexes on fields of them.
    fn tell_payloads(&mut self, shards: &[Shard], seen: &Seen) -> Found<()> {
        let has_indexes = shards.iter().any(|shard| !shard.indexed_fields.is_empty());
        match seen.points - seen.payloads {
            0 => Ok(()),
            all if all == seen.points && has_indexes => self.say(Said::Odd(format!(
                "none of its {all} points has a payload, and there are indexes on fields of payloads"
            ))),
            some => self.say(Said::Left(format!(
                "{} no payload: Qdrant allows that, and nobody counted them before",
                if some == 1 { "1 point has".to_owned() } else { format!("{some} points have") }
            ))),
        }
    }

    /// The indexes of payloads. A server makes those that a segment lacks when it starts.
    fn tell_indexes(&mut self, shards: &[Shard]) -> Found<()> {
        let mut lacking = BTreeMap::new();
        let mut there = BTreeSet::new();
        for shard in shards {
            let indexed = shard.engine.info().payload_schema;
            for field in &shard.indexed_fields {
                there.insert(field.clone());
                if !indexed.keys().any(|key| key.to_string() == *field) {
                    lacking.insert(field.clone(), shard.number);
                }
            }
        }
        for (field, number) in &lacking {
            self.say(Said::Left(format!(
                "the index of {field:?} is not in shard {number}; a server makes it again when it starts"
            )))?;
        }
        if !there.is_empty() && lacking.is_empty() {
            self.say(Said::Proved(format!("{} of payload fields open", counted_indexes(there.len()))))?;
        }
        Ok(())
    }
}

fn counted_indexes(count: usize) -> String {
    if count == 1 { "1 index".to_owned() } else { format!("{count} indexes") }
}

fn were(changes: u64) -> String {
    format!("{} in the log (WAL) {}", counted(changes, "change"), if changes == 1 { "was" } else { "were" })
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// What the engine says, unless it is of the machine.
pub(super) fn engines(error: anyhow::Error) -> Fault {
    if super::blame::is_machines(&error) { Fault::Other(error) } else { Fault::Engine(error) }
}

/// The folders that are shards.
fn shard_numbers(unpacked: &Path) -> anyhow::Result<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(unpacked)? {
        let entry = entry?;
        if let Ok(number) = entry.file_name().to_string_lossy().parse()
            && entry.file_type()?.is_dir()
        {
            numbers.insert(number);
        }
    }
    Ok(numbers)
}

/// The shards of a collection in which keys decide: `[{"key": …, "shard_ids": […]}]`, or in older ones `{"key": […]}`.
fn keyed_shards(unpacked: &Path) -> anyhow::Result<BTreeSet<u32>> {
    let mapping = read_json(&unpacked.join("shard_key_mapping.json"))?;
    let mut found = BTreeSet::new();
    let mut collect = |ids: Option<&Value>| {
        let ids = ids.and_then(Value::as_array).into_iter().flatten();
        found.extend(ids.filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()));
    };
    match &mapping {
        Value::Array(keys) => keys.iter().for_each(|key| collect(key.get("shard_ids"))),
        Value::Object(keys) => keys.values().for_each(|ids| collect(Some(ids))),
        _ => {}
    }
    Ok(found)
}

/// A small file of JSON.
pub(super) fn read_json(path: &Path) -> anyhow::Result<Value> {
    let name = path.file_name().unwrap_or_default().display().to_string();
    let text = fs::read(path).with_context(|| format!("the snapshot has no {name} that can be read"))?;
    serde_json::from_slice(&text).with_context(|| format!("{name} of the snapshot is not JSON"))
}
