//! Archives that only one key opens.

use std::fs;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;

use crate::parts::Parts;

#[test]
fn an_encrypted_archive_comes_back_with_its_key_and_not_without() {
    let parts = Parts::start("br_encrypted");
    let (key, other) = (Identity::generate(), Identity::generate());
    for (name, key) in [("key.txt", &key), ("other.txt", &other)] {
        fs::write(parts.path(name), key.to_string().expose_secret()).expect("written");
    }
    // The private key is not known where the backup is made.
    parts.configure(&format!("backup: {{encryption: {{recipients: [{}]}}, compression: zstd}}", key.to_public()));
    let before = parts.content();
    let archive = parts.archive();
    assert!(archive.to_string_lossy().ends_with(".zip.age"), "{}", archive.display());
    let sealed = fs::read(&archive).expect("readable");
    for shown in ["manifest.json", "PGDMP", "planning"] {
        assert!(!sealed.windows(shown.len()).any(|window| window == shown.as_bytes()), "{shown} can be read in it");
    }
    parts.damage();
    let damaged = parts.content();
    for (args, said) in [
        (&["latest", "--yes"][..], "--identity"),
        (&["latest", "--yes", "--identity", "other.txt"], "encrypted for other keys"),
        (&["latest", "--yes", "--identity", "none.txt"], "none.txt"),
    ] {
        let outcome = parts.restore(args);
        outcome.assert_code(3);
        assert!(outcome.stderr.contains(said), "{said}: {outcome}");
        assert!(!outcome.stderr.contains("AGE-SECRET-KEY"), "{outcome}");
    }
    damaged.assert_same(&parts.content());
    parts.restore(&["latest", "--yes", "--identity", "key.txt"]).assert_code(0);
    // The restored configuration is the one that was backed up, so everything is as before.
    before.assert_same(&parts.content());
}
