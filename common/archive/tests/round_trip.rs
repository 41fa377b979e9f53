//! Archives written and read back, whole, changed and encrypted.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use pso_archive::verify::{Depth, Sidecar, verify};
use pso_archive::{
    Archive, ArchiveWriter, Identities, Manifest, NewEntry, Packing, Published, Recipients, Status, sidecar_path,
    status_path,
};
use pso_common::Timestamp;
use pso_common::io::Cancel;
use pso_common::record::Component;

fn at() -> Timestamp {
    "2026-11-22T09:00:00Z".parse().expect("a time")
}

fn manifest() -> Manifest {
    serde_json::from_str(
        r#"{"schema": 1, "tool": {"name": "test", "version": "0"}, "host": "host", "kind": "daily",
            "taken_at": "2026-11-22T09:00:00Z", "finished_at": "2026-11-22T09:00:00Z", "consistency": "",
            "components": ["plans"], "versions": {}, "entries": []}"#,
    )
    .expect("a manifest")
}

fn entry(name: &str, packing: Packing) -> NewEntry {
    NewEntry {
        name: name.to_owned(),
        component: Component::Plans,
        source: name.to_owned(),
        captured_at: at(),
        modified_at: None,
        mode: Some(0o640),
        packing,
    }
}

/// Text that is nowhere the same, of some length.
fn text(length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 32);
    let mut number = 7_u64;
    while text.len() < length {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.extend_from_slice(format!("plan {} of {} ", number >> 50, number >> 60).as_bytes());
    }
    text.truncate(length);
    text
}

const LARGE: usize = 5 * (1 << 20) + 17;

fn publish(folder: &Path, packing: Packing, recipients: &Recipients, identities: &Identities) -> Published {
    let cancel = Cancel::default();
    let mut writer = ArchiveWriter::create(folder, at(), recipients, &cancel).expect("created");
    for (name, length) in [("plans/large", LARGE), ("plans/é.md", 40), ("plans/empty", 0), ("plans/block", 1 << 20)] {
        writer
            .add(entry(name, packing), |out| {
                // In pieces that fit no block.
                text(length).chunks(70_001).try_for_each(|piece| out.write_all(piece)).map_err(Into::into)
            })
            .expect("added");
    }
    let (written, _) = writer.finish(manifest()).expect("finished");
    let mut archive = Archive::open_with(written.path(), identities).expect("opens");
    let report = verify(&mut archive, Depth::Content, &cancel).expect("read");
    assert_eq!(report.summary(), None);
    let status = Status::new(archive.manifest(), report.size_bytes, &report.sha256.expect("hashed"));
    drop(archive);
    written.publish(folder, status, at()).expect("published")
}

#[test]
fn every_packing_comes_back() {
    for packing in [Packing::Store, Packing::Deflate, Packing::Zstd] {
        let folder = tempfile::tempdir().expect("a folder");
        let none = Identities::default();
        let published = publish(folder.path(), packing, &Recipients::default(), &none);
        assert!(packing == Packing::Store || published.size < LARGE as u64 / 2, "{}", published.size);
        let mut archive = Archive::open(&published.path).expect("opens");
        for entry in archive.manifest().entries.clone() {
            let length = usize::try_from(entry.size).expect("small");
            let mut content = Vec::new();
            archive.copy(&entry, &mut content, &Cancel::default()).expect("copied");
            assert!(content == text(length), "{}", entry.name);
            for offset in [0, 1, length / 2, length.saturating_sub(1), length].into_iter().filter(|&at| at <= length) {
                let mut tail = Vec::new();
                let mut range = archive.range(&entry.name, offset as u64).expect("a range");
                range.read_to_end(&mut tail).expect("read");
                assert!(tail == content.get(offset..).unwrap_or_default(), "{} from {offset}", entry.name);
            }
            assert!(archive.range(&entry.name, entry.size + 1).is_err());
        }
        for depth in [Depth::Packed, Depth::Content, Depth::Sample(10)] {
            let report = verify(&mut archive, depth, &Cancel::default()).expect("read");
            assert_eq!(report.summary(), None, "{depth:?}");
            let sampled = matches!(depth, Depth::Sample(_));
            assert_eq!(report.sidecar, if sampled { Sidecar::NotLooked } else { Sidecar::Matches });
            assert_eq!(report.read_bytes < report.size_bytes, sampled, "{depth:?}");
        }
        let status = Status::read(&published.path).expect("a status");
        assert_eq!((status.verified_at, status.size), (Some(at()), published.size));
    }
}

#[test]
fn unzip_opens_what_is_deflated() {
    let folder = tempfile::tempdir().expect("a folder");
    let published = publish(folder.path(), Packing::Deflate, &Recipients::default(), &Identities::default());
    // As everybody else's program does it: one stream an entry, from front to back, with its CRC-32.
    let mut zip = zip::ZipArchive::new(fs::File::open(&published.path).expect("a file")).expect("a ZIP file");
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).expect("an entry");
        let mut content = Vec::new();
        file.read_to_end(&mut content).expect("its checksum is right");
        if file.name().expect("a name") != "manifest.json" {
            assert!(content == text(content.len()));
            assert_eq!(file.unix_mode(), Some(0o100_640));
        }
    }
}

fn keys(folder: &Path) -> (Recipients, Identities, PathBuf) {
    let key = age::x25519::Identity::generate();
    let file = folder.join("key.txt");
    fs::write(&file, key.to_string().expose_secret()).expect("written");
    let recipients = Recipients::parse([key.to_public().to_string().as_str()]).expect("a recipient");
    (recipients, Identities::read(&file).expect("a key"), file)
}

#[test]
fn an_encrypted_one_opens_with_its_key_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recipients, identities, _) = keys(folder.path());
    let published = publish(folder.path(), Packing::Deflate, &recipients, &identities);
    assert!(published.path.to_string_lossy().ends_with(".zip.age"));
    let bytes = fs::read(&published.path).expect("read");
    assert!(!bytes.windows(9).any(|window| window == b"plans/lar"), "names are not to be seen");
    let said = Archive::open(&published.path).map(drop).expect_err("no key").to_string();
    assert!(said.contains("--identity"), "{said}");
    let other = keys(&{
        let other = folder.path().join("other");
        fs::create_dir(&other).expect("created");
        other
    });
    let said = Archive::open_with(&published.path, &other.1).map(drop).expect_err("another key").to_string();
    assert!(said.contains("other keys"), "{said}");
    let mut archive = Archive::open_with(&published.path, &identities).expect("opens");
    let mut tail = String::new();
    archive.range("plans/é.md", 30).expect("a range").read_to_string(&mut tail).expect("text");
    assert_eq!(tail.as_bytes(), &text(40)[30..]);
    let listed = pso_archive::catalog::list(&[folder.path().to_path_buf()]).expect("listed");
    assert!(
        listed[0].encrypted && listed[0].content.as_ref().is_ok_and(|content| content.components == [Component::Plans])
    );
}

#[test]
fn a_flipped_byte_is_found_at_every_depth_that_reads_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let published = publish(folder.path(), Packing::Deflate, &Recipients::default(), &Identities::default());
    let good = fs::read(&published.path).expect("read");
    let damaged = folder.path().join("damaged.zip");
    fs::copy(sidecar_path(&published.path), sidecar_path(&damaged)).expect("copied");
    let is_found = |depth| match Archive::open(&damaged) {
        Err(_) => true,
        Ok(mut archive) => verify(&mut archive, depth, &Cancel::default()).expect("read").summary().is_some(),
    };
    for position in (0..good.len()).step_by(good.len() / 60) {
        let mut bad = good.clone();
        bad[position] ^= 0x10;
        fs::write(&damaged, &bad).expect("written");
        assert!(is_found(Depth::Packed), "a flip at {position}");
        assert!(is_found(Depth::Content), "a flip at {position}");
    }
    // Without the hash of the file, and inside of an entry: its own hash finds it.
    fs::remove_file(sidecar_path(&damaged)).expect("removed");
    let mut bad = good.clone();
    bad[1_000_000] ^= 0x10;
    fs::write(&damaged, &bad).expect("written");
    for depth in [Depth::Packed, Depth::Content, Depth::Sample(100)] {
        assert!(is_found(depth), "{depth:?}");
    }
}

#[test]
fn nothing_is_left_of_one_that_was_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let cancel = Cancel::default();
    for recipients in [Recipients::default(), keys(folder.path()).0] {
        let mut writer = ArchiveWriter::create(folder.path(), at(), &recipients, &cancel).expect("created");
        let failed = writer.add(entry("plans/x", Packing::Deflate), |out| -> anyhow::Result<()> {
            out.write_all(&text(LARGE))?;
            anyhow::bail!("the source is gone")
        });
        assert!(failed.is_err());
        drop(writer);
    }
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["key.txt"]);
}

#[test]
fn a_status_of_another_file_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let published = publish(folder.path(), Packing::Zstd, &Recipients::default(), &Identities::default());
    fs::OpenOptions::new().append(true).open(&published.path).expect("opens").write_all(b"x").expect("written");
    assert!(status_path(&published.path).exists() && Status::read(&published.path).is_none());
}
