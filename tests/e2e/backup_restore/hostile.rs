//! Archives that are damaged, cut off, or made to do harm: all are told before anything is touched.
//!
//! What is not told without `NAME.zip.sha256`, where nothing but the archive itself can speak: a change of what unzip does
//! not need (times, the versions and system of the maker, permissions, disk numbers, extra fields) or finds a second time in
//! the table of contents (the header before each entry). It changes nothing that is restored, which is shown here too.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use pso_archive::verify::{self, Depth};
use pso_archive::{Archive, Entry};
use pso_common::io::Cancel;
use pso_tests::deployment::{self, Spec};
use pso_tests::tool::{Outcome, Tool};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::raw_zip::{Field, Raw, fields, zip};
use crate::parts::{Parts, checked, walk};

const FLIPS: usize = 1_000;
/// Of these so many are looked at without the hash file too, where everything has to be read.
const FLIPS_ALONE: usize = 250;
const SEED: u64 = 4_711;

/// What is wrong with an archive, in words; empty when nothing is. Everything is read.
fn damage(path: &Path) -> String {
    damage_at(path, Depth::Content)
}

fn damage_at(path: &Path, depth: Depth) -> String {
    let mut archive = match Archive::open(path) {
        Ok(archive) => archive,
        Err(error) => return format!("{error:#}"),
    };
    match verify::verify(&mut archive, depth, &Cancel::default()) {
        Ok(report) => report.summary().unwrap_or_default(),
        Err(error) => format!("{error:#}"),
    }
}

/// Every entry's content, as a restore reads it.
fn content(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = Archive::open(path).expect("readable");
    let entries = archive.manifest().entries.clone();
    let mut read = |entry: &Entry| {
        let mut content = Vec::new();
        archive.copy(entry, &mut content, &Cancel::default()).expect("as it was stored");
        content
    };
    entries.iter().map(|entry| (entry.name.clone(), read(entry))).collect()
}

fn sidecar(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_flip_and_every_truncation_is_told_before_anything_is_touched() {
    let parts = Parts::start("br_flips");
    let archive = parts.archive();
    let whole = fs::read(&archive).expect("readable");
    let before = parts.content();
    let folder = tempfile::tempdir().expect("a folder");
    let (with, alone) = (folder.path().join("with.zip"), folder.path().join("alone.zip"));
    fs::copy(sidecar(&archive), sidecar(&with)).expect("copied");
    fs::write(&with, &whole).expect("written");
    assert_eq!(damage(&with), "", "as long as nothing is changed");

    let mut random = fastrand::Rng::with_seed(SEED);
    for number in 0..FLIPS {
        let (at, bit) = (random.usize(..whole.len()), 1 << random.u8(..8));
        let mut flipped = whole.clone();
        flipped[at] ^= bit;
        fs::write(&with, &flipped).expect("written");
        // As a restore and `pso-backup verify` look at it.
        assert_ne!(damage_at(&with, Depth::Packed), "", "byte {at}, bit {bit}");
        if number < FLIPS_ALONE {
            // Most bytes are content; every second one here is of a header.
            let layout = fields(&whole);
            let at = if number % 2 == 0 { at } else { layout[random.usize(..layout.len())].0 };
            told_or_harmless(&alone, &whole, at, bit);
        }
    }
    for length in (0..whole.len()).step_by(4096) {
        fs::write(&with, &whole[..length]).expect("written");
        fs::write(&alone, &whole[..length]).expect("written");
        assert!(!damage(&with).is_empty() && !damage(&alone).is_empty(), "{length} of {} bytes", whole.len());
    }

    // The tools say so too, of the archive in its place.
    let lengths = [0, 4096, whole.len() / 2 / 4096 * 4096].map(|length| whole[..length].to_vec());
    let flips = [1, whole.len() / 3, whole.len() - 30].map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        flipped
    });
    for (number, bytes) in lengths.iter().chain(&flips).enumerate() {
        fs::write(&archive, bytes).expect("written");
        refused(&parts, &format!("number {number}"));
    }
    fs::write(&archive, &whole).expect("written");
    fs::write(sidecar(&archive), format!("{}  {}\n", "0".repeat(64), "x.zip")).expect("written");
    refused(&parts, "the hash file");
    before.assert_same(&parts.content());
    assert!(!parts.path(".pso-restore").exists());
}

fn refused(parts: &Parts, what: &str) {
    let verified = parts.backup(&["verify"]);
    assert!(matches!(verified.code, Some(2 | 3)), "{what}\n{verified}");
    let record = verified.records_of_kind("backup.archive").pop().expect("a record");
    assert_eq!(record["severity"], "critical", "{what}\n{verified}");
    let planned = parts.restore(&["latest", "--dry-run"]);
    planned.assert_code(3).assert_stderr_has("take another archive");
    assert_eq!(planned.records_of_kind("restore.plan").len(), 0, "{what}\n{planned}");
}

/// Without its hash file a flip is told, or is of a field that is not needed and changes nothing.
fn told_or_harmless(alone: &Path, whole: &[u8], at: usize, bit: u8) {
    let mut flipped = whole.to_vec();
    flipped[at] ^= bit;
    fs::write(alone, &flipped).expect("written");
    if !damage(alone).is_empty() {
        return;
    }
    let field = fields(whole).into_iter().find(|(offset, _)| *offset == at).map(|(_, field)| field);
    let harmless = [
        Field::Time,
        Field::Maker,
        Field::Needed,
        Field::Attributes,
        Field::Repeated,
        Field::Disk,
        Field::Extra,
        Field::Flags,
    ];
    assert!(field.is_some_and(|field| harmless.contains(&field)), "byte {at}, bit {bit}, {field:?} is not told");
    let original = alone.with_file_name("original.zip");
    fs::write(&original, whole).expect("written");
    assert!(content(alone) == content(&original), "byte {at}, bit {bit}, {field:?}: other content");
}

/// A deployment's folder without servers: plans need none.
struct Ground {
    folder: TempDir,
    manifest: Value,
}

impl Ground {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        deployment::write_files(folder.path(), &Spec::small(time::OffsetDateTime::now_utc())).expect("files");
        let ground = Self { folder, manifest: Value::Null };
        let made = ground.tool("pso-backup", &["--only", "plans"]);
        made.assert_code(0);
        let path = made.records_of_kind("backup.archive")[0]["path"].as_str().expect("a path").to_owned();
        let archive = Archive::open(&ground.folder.path().join(path)).expect("readable");
        let manifest = serde_json::to_value(archive.manifest()).expect("JSON");
        fs::remove_dir_all(ground.folder.path().join("backups")).expect("removed");
        Self { manifest, ..ground }
    }

    fn tool(&self, name: &str, args: &[&str]) -> Outcome {
        checked(Tool::new(name).expect("built").args(args).folder(self.folder.path()))
    }

    /// A manifest that lists these files as they claim to be.
    fn manifest(&self, entries: &[Raw]) -> Raw {
        let mut manifest = self.manifest.clone();
        let model = manifest["entries"][0].clone();
        let listed = entries.iter().map(|entry| {
            let mut listed = model.clone();
            listed["name"] = Value::from(String::from_utf8_lossy(&entry.name).into_owned());
            listed["component"] = json!("plans");
            listed["size"] = json!(entry.size);
            listed["sha256"] = json!(entry.sha256.clone().unwrap_or_else(|| sha256(&entry.data)));
            // As archives of 0.1 have it: an attacker chooses what is looked at least.
            listed.as_object_mut().expect("an entry").remove("packed");
            listed
        });
        manifest["entries"] = listed.collect();
        Raw::stored("manifest.json", manifest.to_string().as_bytes())
    }

    /// Writes a ZIP file of these entries and the manifest that fits them, with the right hash file.
    fn archive(&self, entries: Vec<Raw>, patch: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
        let manifest = self.manifest(&entries);
        self.archive_with(entries, manifest, patch)
    }

    fn archive_with(&self, mut entries: Vec<Raw>, manifest: Raw, patch: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
        entries.push(manifest);
        let mut bytes = zip(&entries);
        patch(&mut bytes);
        let path = self.folder.path().join("20261122_090000.zip");
        fs::write(&path, &bytes).expect("written");
        fs::write(sidecar(&path), format!("{}  20261122_090000.zip\n", sha256(&bytes))).expect("written");
        path
    }

    /// By the library, and by both tools, which leave everything as it is.
    #[track_caller]
    fn refuses(&self, what: &str, path: &Path) {
        let told = damage(path);
        assert_ne!(told, "", "{what} is not refused");
        // A restore that is asked to do it takes its lock before it looks, and what was found out is noted.
        let noted = |path: &String| path.ends_with("/.pso-restore/lock") || path.ends_with(".zip.json");
        let files = || walk(self.folder.path()).into_iter().filter(|path| !noted(path));
        let before: Vec<String> = files().collect();
        let name = path.to_str().expect("UTF-8");
        let verified = self.tool("pso-backup", &["verify", name]);
        assert!(matches!(verified.code, Some(2 | 3)), "{what}\n{verified}");
        let restored = self.tool("pso-restore", &[name, "--yes"]);
        restored.assert_code(3).assert_stderr_has("take another archive");
        let new: Vec<String> = files().filter(|path| !before.contains(path)).collect();
        assert_eq!((new, files().count()), (Vec::new(), before.len()), "{what}: {told}");
        for place in ["evil.md", "../evil.md", "../../evil.md"] {
            assert!(!self.folder.path().join("roadmaps/plans").join(place).exists(), "{what}: {place}");
        }
        assert!(!Path::new("/evil.md").exists(), "{what}");
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

#[test]
fn archives_that_are_made_to_do_harm_are_refused() {
    let ground = Ground::make();
    let good = || Raw::stored("plans/good.md", b"# Good\n");
    let path = ground.archive(vec![good()], |_| ());
    assert_eq!(damage(&path), "", "what is built here by hand is right otherwise");
    ground.tool("pso-restore", &[path.to_str().expect("UTF-8"), "--dry-run"]).assert_code(0);

    for name in [
        &b"plans/../../evil.md"[..],
        b"../evil.md",
        b"/evil.md",
        b"plans/..\\evil.md",
        b"C:/evil.md",
        b"plans/c:evil.md",
        b"plans//evil.md",
        b"plans/./evil.md",
        b"plans/evil\0.md",
        b"plans/evil\n.md",
        b"plans/evil.md/",
        b"plans/\xff\xfe.md",
        b"",
    ] {
        let what = String::from_utf8_lossy(name).into_owned();
        ground.refuses(&what, &ground.archive(vec![good(), Raw { name: name.to_vec(), ..good() }], |_| ()));
    }
    let long = Raw { name: format!("plans/{}evil.md", "x/".repeat(4000)).into_bytes(), ..good() };
    ground.refuses("a name of 8,000 bytes", &ground.archive(vec![long], |_| ()));
    // A link, a folder, two devices, a pipe, a socket.
    for kind in [0o120_777, 0o040_755, 0o020_666, 0o060_660, 0o010_644, 0o140_755] {
        let special = Raw { mode: kind, ..Raw::stored("plans/evil.md", b"/etc/passwd") };
        ground.refuses(&format!("a file of kind {kind:o}"), &ground.archive(vec![special], |_| ()));
    }
    ground.refuses("two of one name", &ground.archive(vec![good(), good()], |_| ()));
    let nested = vec![Raw::stored("plans/a", b"1"), Raw::stored("plans/a/b", b"2")];
    ground.refuses("a file that is a folder", &ground.archive(nested, |_| ()));
    let two_names = Raw { local_name: Some(b"plans/evil.md".to_vec()), ..good() };
    ground.refuses("two names of one entry", &ground.archive(vec![two_names], |_| ()));
    ground.refuses("an encrypted entry", &ground.archive(vec![Raw { flags: 1, ..good() }], |_| ()));
    ground.refuses("an unknown method", &ground.archive(vec![Raw { method: 12, ..good() }], |_| ()));
    ground.refuses("another offset", &ground.archive(vec![Raw { offset: Some(1 << 30), ..good() }], |_| ()));
    ground.refuses("bytes before it", &ground.archive(vec![good()], |bytes| drop(bytes.splice(0..0, *b"MZ\x90\0"))));
}

#[test]
fn bombs_and_entries_that_overlap_are_refused() {
    let ground = Ground::make();
    let zeros = vec![0; 70 << 20];
    let hash = sha256(&zeros);
    let packed = deflated(&zeros);
    assert!(zeros.len() / packed.len() > 200);
    let bomb = |size: u64| Raw {
        method: 8,
        size,
        crc: None,
        sha256: Some(hash.clone()),
        ..Raw::stored("plans/evil.md", &packed)
    };
    let honest = Raw { crc: Some(crc(&zeros)), ..bomb(zeros.len() as u64) };
    ground.refuses("a bomb", &ground.archive(vec![honest], |_| ()));
    ground.refuses("a bomb that claims to be small", &ground.archive(vec![bomb(10)], |_| ()));
    let manifest = Raw { name: b"manifest.json".to_vec(), crc: Some(crc(&zeros)), ..bomb(zeros.len() as u64) };
    ground.refuses("a manifest that is a bomb", &ground.archive_with(Vec::new(), manifest, |_| ()));

    // The second lies in the content of the first: each is as its hash says, and so is the file.
    let inner = Raw::stored("plans/inner.md", b"# Inner\n");
    let mut outer = Raw::stored("plans/outer.md", b"before");
    let local = inner.local_header();
    let at = outer.local_header().len() + outer.data.len();
    outer = Raw::stored("plans/outer.md", &[b"before".as_slice(), &local, &inner.data].concat());
    let inner = Raw { offset: Some(u32::try_from(at).expect("small")), without_data: true, ..inner };
    ground.refuses("an entry inside of another", &ground.archive(vec![outer, inner], |_| ()));
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
