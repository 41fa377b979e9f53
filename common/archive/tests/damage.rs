//! Archives that are broken, or made to do harm: told, and refused, before anything is written.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use pso_archive::verify::{Depth, Report, Sidecar, verify};
use pso_archive::{
    Archive, ArchiveWriter, Collection, Database, Manifest, NewEntry, Packing, Published, Recipients, SCHEMA,
    SnapshotSource, Status, ToolVersion, Versions, sidecar_path,
};
use pso_common::Timestamp;
use pso_common::io::Cancel;
use pso_common::record::Component;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const PLAN: &str = "# Plan de développement 🚀\n\nSynchronisation des phases, sauvegarde à chaud.\n";

fn at() -> Timestamp {
    "2026-11-22T09:00:00Z".parse().expect("a time")
}

fn manifest() -> Manifest {
    Manifest {
        schema: SCHEMA,
        tool: ToolVersion { name: "test".to_owned(), version: "0".to_owned() },
        host: "h".to_owned(),
        kind: "daily".to_owned(),
        taken_at: at(),
        finished_at: at(),
        consistency: String::new(),
        components: Component::ALL.to_vec(),
        versions: Versions::default(),
        globals: None,
        databases: vec![Database {
            name: "db".to_owned(),
            entry: "postgres/db.dump".to_owned(),
            server_version_num: 150_000,
            system_identifier: None,
            owner: "o".to_owned(),
            encoding: "UTF8".to_owned(),
            collate: "C".to_owned(),
            ctype: "C".to_owned(),
            locale_provider: "c".to_owned(),
            locale: None,
            rows: [("public.plans".to_owned(), 3)].into(),
            captured_at: at(),
        }],
        collections: vec![Collection {
            name: "plans".to_owned(),
            entry: "qdrant/plans.snapshot".to_owned(),
            points: 1,
            points_before: None,
            config: serde_json::json!({}),
            snapshot: SnapshotSource { name: "s".to_owned(), size: 1, sha256: None },
            captured_at: at(),
        }],
        aliases: Vec::new(),
        skipped: Vec::new(),
        missing: Vec::new(),
        entries: Vec::new(),
    }
}

fn contents() -> Vec<(&'static str, Component, Packing, Vec<u8>)> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o600);
    header.set_cksum();
    tar.append_data(&mut header, "config.json", &b"{}"[..]).expect("appended");
    let tar = tar.into_inner().expect("finished");
    let dump = [b"PGDMP".as_slice(), &[7; 300]].concat();
    vec![
        ("postgres/db.dump", Component::Postgres, Packing::Store, dump),
        ("qdrant/plans.snapshot", Component::Qdrant, Packing::Deflate, tar),
        ("config/config.yaml", Component::Config, Packing::Deflate, b"a: 1\n".to_vec()),
        ("scripts/a.ps1", Component::Scripts, Packing::Deflate, b"Write-Host\n".to_vec()),
        ("plans/\u{e9}t\u{e9}/plan.md", Component::Plans, Packing::Deflate, PLAN.repeat(5).into_bytes()),
    ]
}

fn entry(name: &str, component: Component, packing: Packing) -> NewEntry {
    NewEntry {
        name: name.to_owned(),
        component,
        source: format!("/srv/{name}"),
        captured_at: at(),
        modified_at: Some(at()),
        mode: Some(0o644),
        packing,
    }
}

fn publish(folder: &Path) -> Published {
    let mut writer = ArchiveWriter::create(folder, at(), &Recipients::default(), &Cancel::default()).expect("created");
    for (name, component, packing, content) in contents() {
        writer.add(entry(name, component, packing), |out| Ok(out.write_all(&content)?)).expect("added");
    }
    let (written, manifest) = writer.finish(manifest()).expect("finished");
    let (size, sha256) = pso_archive::hash_file(written.path(), &Cancel::default()).expect("readable");
    written.publish(folder, Status::new(&manifest, size, &sha256), at()).expect("published")
}

fn check(path: &Path) -> anyhow::Result<Report> {
    verify(&mut Archive::open(path)?, Depth::Packed, &Cancel::default())
}

/// What is wrong, in words; empty when nothing is.
fn damage(path: &Path) -> String {
    match check(path) {
        Ok(report) => report.summary().unwrap_or_default(),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn what_was_written_is_whole_and_private_and_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let published = publish(folder.path());
    let report = check(&published.path).expect("readable");
    assert_eq!((report.summary(), &report.sidecar), (None, &Sidecar::Matches));
    assert_eq!((report.size_bytes, &report.sha256), (published.size, &Some(published.sha256.clone())));
    assert_eq!(report.components.iter().map(|component| component.entries).collect::<Vec<_>>(), [1; 5]);
    let sidecar = fs::read_to_string(sidecar_path(&published.path)).expect("readable");
    assert_eq!(sidecar, format!("{}  20261122_090000.zip\n", published.sha256));
    let second = publish(folder.path());
    assert!(second.path.ends_with("20261122_090000_2.zip"), "an archive never takes another's place");
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    let stems = ["20261122_090000.zip", "20261122_090000_2.zip"];
    let mut expected: Vec<String> =
        stems.iter().flat_map(|stem| ["", ".json", ".sha256"].map(|end| format!("{stem}{end}"))).collect();
    expected.sort();
    assert_eq!(names, expected);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&published.path).expect("there").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn an_archive_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let cancel = Cancel::default();
    let mut writer = ArchiveWriter::create(folder.path(), at(), &Recipients::default(), &cancel).expect("created");
    let failed = writer.add(entry("plans/a.md", Component::Plans, Packing::Deflate), |out| {
        out.write_all(&[1; 100_000])?;
        cancel.cancel(15);
        Ok(out.write_all(b"x")?)
    });
    assert!(format!("{:#}", failed.expect_err("cancelled")).contains("SIGTERM"));
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
}

#[test]
fn every_truncation_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let published = publish(folder.path());
    let whole = fs::read(&published.path).expect("readable");
    let cut = folder.path().join("cut.zip");
    for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        fs::write(&cut, &whole[..length]).expect("written");
        assert!(Archive::open(&cut).is_err() || !damage(&cut).is_empty(), "{length} of {} bytes", whole.len());
    }
    let message = format!("{:#}", Archive::open(&cut).expect_err("cut off"));
    assert!(message.contains("cut off or damaged") && message.contains("take another archive"), "{message}");
}

#[test]
fn every_flipped_bit_is_told_or_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let published = publish(folder.path());
    let whole = fs::read(&published.path).expect("readable");
    let (with, without) = (folder.path().join("with.zip"), folder.path().join("without.zip"));
    fs::copy(sidecar_path(&published.path), sidecar_path(&with)).expect("copied");
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        // The hash of the whole file sees any; a few stand for all.
        if at % 16 == 0 {
            fs::write(&with, &flipped).expect("written");
            assert!(!damage(&with).is_empty(), "byte {at} with its hash file");
        }
        // Without it, what is not told (a time in a header) must at least not reach what is restored.
        fs::write(&without, &flipped).expect("written");
        if damage(&without).is_empty() {
            let mut archive = Archive::open(&without).expect("verified");
            for (name, _, _, content) in contents() {
                let entry = archive.manifest().entry(name).expect("listed").clone();
                let mut restored = Vec::new();
                archive.copy(&entry, &mut restored, &Cancel::default()).expect("verified");
                assert_eq!(restored, content, "byte {at}, {name}");
            }
        }
    }
}

/// A ZIP file of these entries, with a manifest that lists what `listed` says.
struct Forged {
    _folder: TempDir,
    path: PathBuf,
}

fn forge(build: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>), patch: impl FnOnce(&mut Vec<u8>)) -> Forged {
    forge_with(&manifest_of(&[]), build, patch)
}

fn manifest_of(entries: &[pso_archive::Entry]) -> Vec<u8> {
    let manifest = Manifest {
        globals: None,
        databases: Vec::new(),
        collections: Vec::new(),
        components: vec![Component::Config, Component::Plans],
        entries: entries.to_vec(),
        ..manifest()
    };
    serde_json::to_vec(&manifest).expect("JSON")
}

fn forge_with(
    manifest: &[u8],
    build: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>),
    patch: impl FnOnce(&mut Vec<u8>),
) -> Forged {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    build(&mut zip);
    zip.start_file("manifest.json", SimpleFileOptions::default()).expect("begun");
    zip.write_all(manifest).expect("written");
    let mut bytes = zip.finish().expect("finished").into_inner();
    patch(&mut bytes);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("forged.zip");
    fs::write(&path, bytes).expect("written");
    Forged { _folder: folder, path }
}

fn file(zip: &mut ZipWriter<Cursor<Vec<u8>>>, name: &str, content: &[u8]) {
    zip.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)).expect("begun");
    zip.write_all(content).expect("written");
}

/// Replaces every occurrence.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    for at in 0..bytes.len() - from.len() {
        if &bytes[at..at + from.len()] == from {
            bytes[at..at + from.len()].copy_from_slice(to);
        }
    }
}

#[test]
fn hostile_names_are_refused() {
    for name in [
        "../../etc/cron.d/x",
        "plans/../../x",
        "/etc/passwd",
        "plans\\..\\..\\x",
        "C:/Windows/x",
        "plans/C:x",
        "plans//x",
        "plans/./x",
        "plans/a\u{0}b",
    ] {
        let forged = forge(|zip| file(zip, name, b"x"), |_| ());
        let message = damage(&forged.path);
        assert!(message.contains("is refused"), "{name:?}: {message}");
    }
}

#[test]
fn links_folders_and_doubles_are_refused() {
    let options = SimpleFileOptions::default;
    let link = forge(|zip| zip.add_symlink("plans/a", "/etc/passwd", options()).expect("added"), |_| ());
    assert!(damage(&link.path).contains("a link, a folder or a device"), "{}", damage(&link.path));
    let folder = forge(|zip| zip.add_directory("plans/a", options()).expect("added"), |_| ());
    assert!(damage(&folder.path).contains("refused"), "{}", damage(&folder.path));
    let two = |zip: &mut ZipWriter<_>| {
        file(zip, "plans/aaa.md", b"one");
        file(zip, "plans/bbb.md", b"two");
    };
    let double = forge(two, |bytes| replace(bytes, b"plans/bbb.md", b"plans/aaa.md"));
    assert!(damage(&double.path).contains("two entries of one name"), "{}", damage(&double.path));
    let nested = forge(
        |zip| {
            file(zip, "plans/a", b"one");
            file(zip, "plans/a/b", b"two");
        },
        |_| (),
    );
    assert!(damage(&nested.path).contains("a file and a folder"), "{}", damage(&nested.path));
    // The header before the entry has one name, the table of contents another: unzip would write the other.
    let two_names =
        forge(|zip| file(zip, "plans/aaa.md", b"one"), |bytes| bytes[30..42].copy_from_slice(b"../../aaa.md"));
    assert!(damage(&two_names.path).contains("headers of the entries differ"), "{}", damage(&two_names.path));
}

#[test]
fn what_the_manifest_does_not_know_and_what_is_not_there_are_told() {
    let listed = pso_archive::Entry {
        name: "plans/gone.md".to_owned(),
        component: Component::Plans,
        size: 1,
        sha256: "0".repeat(64),
        packed: None,
        source: String::new(),
        captured_at: at(),
        modified_at: None,
        mode: None,
    };
    let misplaced = pso_archive::Entry { name: "scripts/x".to_owned(), ..listed.clone() };
    let forged = forge_with(&manifest_of(&[listed, misplaced]), |zip| file(zip, "plans/more.md", b"x"), |_| ());
    let report = check(&forged.path).expect("readable");
    let told: Vec<String> = report.all_damages().map(ToString::to_string).collect();
    for expected in [
        "plans/gone.md: it is missing",
        "plans/more.md: the manifest does not list it",
        "scripts/x: it does not belong to plans",
    ] {
        assert!(told.iter().any(|told| told == expected), "{expected} is not in {told:?}");
    }
}

#[test]
fn what_is_described_must_be_there() {
    let damage_of = |change: fn(&mut Manifest)| {
        let mut described: Manifest = serde_json::from_slice(&manifest_of(&[])).expect("a manifest");
        change(&mut described);
        damage(&forge_with(&serde_json::to_vec(&described).expect("JSON"), |_| (), |_| ()).path)
    };
    assert_eq!(damage_of(|_| ()), "");
    let told = damage_of(|manifest| manifest.globals = Some("postgres/globals.sql".to_owned()));
    assert_eq!(told, "postgres/globals.sql: it is described, but not listed");
    let told = damage_of(|manifest| manifest.components.push(Component::Postgres));
    assert_eq!(told, "postgres: it is said to be in the archive, but no database is");
    let of_two = damage_of(|described| {
        let collection = manifest().collections.remove(0);
        described.collections = vec![collection.clone(), Collection { name: "others".to_owned(), ..collection }];
    });
    assert!(of_two.contains("qdrant/plans.snapshot: it is described twice"), "{of_two}");
    // A collection that was taken out of the description, and is not missed.
    let nobodys = pso_archive::Entry {
        name: "qdrant/plans.snapshot".to_owned(),
        component: Component::Qdrant,
        size: 0,
        sha256: "0".repeat(64),
        packed: None,
        source: String::new(),
        captured_at: at(),
        modified_at: None,
        mode: None,
    };
    let told = damage(&forge_with(&manifest_of(&[nobodys]), |_| (), |_| ()).path);
    assert!(
        told.contains("qdrant/plans.snapshot: it is listed, but the manifest does not say what it is of"),
        "{told}"
    );
}

#[test]
fn bombs_are_refused() {
    // 65 MiB of zeros in 65 kB, deflated once.
    let mut packed = ZipWriter::new(Cursor::new(Vec::new()));
    file(&mut packed, "plans/bomb.md", &vec![0; 65 << 20]);
    let mut packed = packed.finish_into_readable().expect("finished");
    let mut add = |zip: &mut ZipWriter<_>| zip.raw_copy_file(packed.by_index_raw(0).expect("there")).expect("copied");
    let bomb = pso_archive::Entry {
        name: "plans/bomb.md".to_owned(),
        component: Component::Plans,
        size: 65 << 20,
        sha256: "0".repeat(64),
        packed: None,
        source: String::new(),
        captured_at: at(),
        modified_at: None,
        mode: None,
    };
    // One that claims to be small, too: reading it stops where it should have ended.
    let small = pso_archive::Entry { size: 10, ..bomb.clone() };
    let mut forged = forge_with(&manifest_of(std::slice::from_ref(&small)), &mut add, |_| ());
    let message = damage(&forged.path);
    assert!(message.contains("and the manifest says 10") && message.contains("as a bomb"), "{message}");
    let mut archive = Archive::open(&forged.path).expect("opened");
    let result = archive.copy(&small, &mut std::io::sink(), &Cancel::default());
    let message = format!("{:#}", result.expect_err("too long"));
    assert!(message.contains("longer than its 10 bytes"), "{message}");
    forged = forge_with(&manifest_of(&[bomb]), &mut add, |_| ());
    assert!(damage(&forged.path).contains("as a bomb"), "{}", damage(&forged.path));
}

#[test]
fn a_zip_that_is_not_ours_is_told_as_such() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    file(&mut zip, "postgres.sql", b"SELECT 1;");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("old.zip");
    fs::write(&path, zip.finish().expect("finished").into_inner()).expect("written");
    let message = format!("{:#}", Archive::open(&path).expect_err("no manifest"));
    assert!(message.contains("no manifest.json") && message.contains("not made by pso-backup"), "{message}");
    let message = format!("{:#}", Archive::open(&folder.path().join("none.zip")).expect_err("missing"));
    assert!(message.contains("none.zip"), "{message}");
}
