//! Archives over the days: listed, pinned, verified, copied, encrypted; with hooks around their making.

use std::fs;

use crate::deployment::{Deployment, at, damage, day};
use pso_common::record::{Component, Severity};

#[test]
fn a_sample_reads_a_part_and_deep_reads_all() {
    let deployment = Deployment::new("");
    let archive = deployment.backup(&day(1));
    let verified = deployment.run(&day(2), &["list"]).archive().verified_at;
    assert_eq!(verified, Some(at(&day(1))), "when it was made");
    let sample = deployment.run(&day(2), &["verify", "--all", "--sample", "10%"]);
    sample.assert_code(0);
    assert!(sample.stdout.contains("a sample of"), "{sample:#?}");
    assert_eq!(deployment.run(&day(2), &["list"]).archive().verified_at, verified, "a sample says nothing of the rest");
    for args in [&["verify"][..], &["verify", "--deep"]] {
        let outcome = deployment.run(&day(3), args);
        assert_eq!(outcome.assert_code(0).archive().verified_at, Some(at(&day(3))));
        assert!(outcome.archive().sha256.is_some());
    }
    damage(&archive);
    for args in [&["verify"][..], &["verify", "--deep"], &["verify", "--sample", "100%"]] {
        deployment.run(&day(4), args).assert_code(2);
        assert_eq!(deployment.run(&day(4), &["list"]).archive().verified_at, None, "{args:?}");
    }
}

#[test]
fn a_second_place_gets_a_copy_or_the_backup_says_so() {
    let deployment = Deployment::new("    copy_to: nas\n    keep_days: 3\n");
    let outcome = deployment.run(&day(1), &[]);
    outcome.assert_code(1).assert_said("is the disk mounted?");
    assert_eq!(outcome.archives[0].0, Severity::Warning, "whoever reads records only learns it too");
    assert!(deployment.names("nas").is_empty());
    fs::create_dir(deployment.path("nas")).expect("created");
    let archive = deployment.backup(&day(2));
    let name = archive.file_name().expect("a name").to_str().expect("UTF-8");
    let copied = deployment.names("nas/daily");
    assert_eq!(copied, [name.to_owned(), format!("{name}.json"), format!("{name}.sha256")]);
    let copy = deployment.path("nas/daily").join(name);
    assert_eq!(fs::read(&copy).expect("readable"), fs::read(&archive).expect("readable"));
    let there = copy.display().to_string();
    deployment.run(&day(2), &["verify", &there, "--deep"]).assert_code(0);
    // What a killed copy left goes, and the rules hold there too.
    fs::write(deployment.path("nas/daily/.20261101_090000.zip.partial-99"), "half").expect("written");
    deployment.backup(&day(9));
    assert_eq!(deployment.names("nas/daily").len(), 3);
    // Another archive of that name is not replaced.
    fs::write(deployment.path("nas/daily/20261110_090000.zip"), "somebody else's").expect("written");
    let outcome = deployment.run(&day(10), &[]);
    outcome.assert_code(1).assert_said("is another archive");
    assert_eq!(fs::read(deployment.path("nas/daily/20261110_090000.zip")).expect("readable"), b"somebody else's");
    assert!(deployment.path("backups/daily/20261110_090000.zip").exists(), "the archive is published all the same");
}

#[test]
fn every_compression_is_read_back() {
    let deployment = Deployment::new("    compression: store\n");
    let size = |day: &str, args: &[&str]| {
        let outcome = deployment.run(day, args);
        outcome.assert_code(0).archives.last().expect("an archive").2.size_bytes
    };
    let stored = size(&day(1), &[]);
    let deflated = size(&day(2), &["--compression", "deflate"]);
    let zstd = size(&day(3), &["--compression", "zstd"]);
    assert!(stored > 4 * deflated && stored > 4 * zstd, "{stored} {deflated} {zstd}");
    deployment.run(&day(3), &["verify", "--all", "--deep"]).assert_code(0);
}

#[test]
fn an_encrypted_archive_is_made_and_listed_without_the_private_key() {
    let key = age::x25519::Identity::generate();
    let secret = age::secrecy::ExposeSecret::expose_secret(&key.to_string()).to_owned();
    let deployment = Deployment::new(&format!("    encryption: {{recipients: [{}]}}\n", key.to_public()));
    let archive = deployment.backup(&day(1));
    assert!(archive.display().to_string().ends_with("20261101_090000.zip.age"));
    let content = fs::read(&archive).expect("readable");
    assert!(content.starts_with(b"age-encryption.org/v1") && !content.windows(6).any(|part| part == b"# Plan"));
    let listed = deployment.run(&day(2), &["list"]);
    let record = listed.assert_code(0).archive();
    assert!(record.encrypted && record.components == [Component::Config, Component::Plans], "{record:#?}");
    let file = deployment.path("key.txt").display().to_string();
    fs::write(&file, format!("{secret}\n")).expect("written");
    for args in [&["verify"][..], &["verify", "--deep", "--identity", &file]] {
        let outcome = deployment.run(&day(2), args);
        assert_eq!(outcome.assert_code(0).archive().verified_at, Some(at(&day(2))), "{args:?}");
        assert!(!outcome.stdout.contains(&secret) && !outcome.stderr.contains(&secret));
    }
    let other = deployment.path("other.txt").display().to_string();
    let stranger = age::x25519::Identity::generate();
    fs::write(&other, age::secrecy::ExposeSecret::expose_secret(&stranger.to_string())).expect("written");
    // Not to have the key is no damage.
    deployment.run(&day(2), &["verify", "--identity", &other]).assert_code(3).assert_said("for other keys");
    deployment.run(&day(2), &["verify", "--all", "--identity", &other]).assert_code(3);
    for asked in ["--deep", "--sample=10%"] {
        let outcome = deployment.run(&day(2), &["verify", asked]);
        outcome.assert_code(1);
        assert!(outcome.stdout.contains("could not be looked into without the key"), "{outcome:#?}");
    }
    let whole = fs::read(&archive).expect("readable");
    for at in [40, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&archive, &damaged).expect("written");
        for args in [&["verify", "--all"][..], &["verify", "--all", "--identity", &file]] {
            deployment.run(&day(3), args).assert_code(2);
            assert_eq!(deployment.run(&day(3), &["list"]).archive().verified_at, None, "{at} {args:?}");
        }
    }
    // A key that is none is told before anything is done.
    deployment.configure("    encryption: {recipients: [age1nothing]}\n");
    deployment.run(&day(4), &[]).assert_code(3).assert_said("age1nothing");
    assert!(!deployment.path("backups/daily/20261104_090000.zip").exists());
}

#[test]
fn hooks_stand_around_a_backup() {
    let hook = |name: &str| {
        format!(
            "      {name}: 'echo {name} $PSO_BACKUP_STATUS $PSO_BACKUP_ARCHIVE >> hooks.txt; echo said by {name}'\n"
        )
    };
    let hooks = ["before", "after_success", "after_failure"].map(hook).concat();
    let deployment = Deployment::new("");
    let text = deployment.path("hooks.txt");
    let hooks = hooks.replace("hooks.txt", &text.display().to_string());
    deployment.configure(&format!("    hooks:\n{hooks}"));
    let ran = || {
        let ran = fs::read_to_string(&text).unwrap_or_default();
        let _ = fs::remove_file(&text);
        ran.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let outcome = deployment.run(&day(1), &[]);
    outcome.assert_code(0).assert_said("hook before: said by before").assert_said("hook after_success: said by");
    assert!(!outcome.stdout.contains("said by"), "stdout is records only");
    let archive = deployment.path("backups/daily/20261101_090000.zip").display().to_string();
    assert_eq!(ran(), ["before starting".to_owned(), format!("after_success success {archive}")]);

    // What `before` does is seen, and what it breaks is a failure past it.
    let broken = format!(
        "    hooks:\n      before: 'rm -r {}'\n{hooks}",
        deployment.path("config/..").join("roadmaps").display()
    );
    let broken = broken.replacen("      before: 'echo", "      ignored: 'echo", 1);
    let broken: String =
        broken.lines().filter(|line| !line.contains("ignored")).map(|line| format!("{line}\n")).collect();
    deployment.configure(&broken);
    let outcome = deployment.run(&day(2), &[]);
    outcome.assert_code(2).assert_said("no archive was published").assert_said("does not exist");
    assert_eq!(ran(), ["after_failure failed"]);
    fs::create_dir_all(deployment.path("roadmaps/plans")).expect("created");

    // A hook that fails: `before` ends the backup, `after_success` does not.
    let failing = hooks.replace("'echo before", "'exit 7; echo before");
    deployment.configure(&format!("    hooks:\n{failing}"));
    let outcome = deployment.run(&day(3), &[]);
    outcome.assert_code(2).assert_said("the hook before failed (exit status: 7)");
    assert_eq!(ran(), ["after_failure failed"]);
    let failing = hooks.replace("'echo after_success", "'exit 8; echo after_success");
    deployment.configure(&format!("    hooks:\n{failing}"));
    let outcome = deployment.run(&day(4), &[]);
    outcome.assert_code(1).assert_said("the hook after_success failed (exit status: 8)");
    assert_eq!(ran(), ["before starting"]);

    // Words are no shell's; a program that is missing, and one that takes too long with what it has started.
    deployment.configure("    hooks: {before: [no-such-program, ';', 'true']}\n");
    deployment.run(&day(5), &[]).assert_code(2).assert_said("maintenance.backup.hooks.before");
    let started = std::time::Instant::now();
    for endless in ["sleep 60 & sleep 60", "yes"] {
        deployment.configure(&format!("    hooks: {{before: '{endless}', timeout: 200ms}}\n"));
        deployment.run(&day(6), &[]).assert_code(2).assert_said("did not end within 200ms");
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
    // What was not attempted has no hooks.
    deployment.configure(&format!("    hooks:\n{hooks}"));
    fs::remove_dir_all(deployment.path("roadmaps")).expect("removed");
    deployment.run(&day(7), &[]).assert_code(3);
    assert_eq!(ran(), [""; 0]);
}

#[test]
fn what_is_optional_is_told_where_it_is_missing() {
    let deployment = Deployment::new("    optional: [plans]\n");
    fs::remove_dir_all(deployment.path("roadmaps")).expect("removed");
    let outcome = deployment.run(&day(1), &[]);
    outcome.assert_code(1);
    let (severity, _, record) = outcome.archives.last().expect("an archive");
    assert_eq!((*severity, &record.components[..]), (Severity::Warning, &[Component::Config][..]));
    assert_eq!(record.missing, [Component::Plans]);
    assert!(outcome.stdout.contains("it is optional and not in the archive"), "{outcome:#?}");
    let listed = deployment.run(&day(1), &["list"]);
    assert_eq!(listed.assert_code(1).archive().missing, [Component::Plans]);
    assert_eq!(deployment.run(&day(1), &["verify"]).archive().missing, [Component::Plans]);
    // Nothing is left at all.
    deployment.configure("    optional: [plans, config]\n");
    let outcome = deployment.run(&day(2), &["--only", "plans"]);
    outcome.assert_code(3).assert_said("none of the components");
    assert_eq!(deployment.names("backups/daily").len(), 3);
}

#[test]
fn an_interrupted_restore_is_finished_first() {
    let deployment = Deployment::new("");
    fs::create_dir(deployment.path(".pso-restore")).expect("created");
    let line = "{\"event\":\"begun\",\"archive\":\"/a.zip\",\"at\":\"2026-11-22T09:00:00Z\",\"pid\":7}\n";
    fs::write(deployment.path(".pso-restore/journal.jsonl"), line).expect("written");
    deployment.run(&day(1), &[]).assert_code(3).assert_said("pso-restore --rollback");
    fs::remove_file(deployment.path(".pso-restore/journal.jsonl")).expect("removed");
    deployment.backup(&day(1));
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let deployment = Deployment::new("");
    let archive = deployment.backup(&day(1));
    let pipe = |path: &std::path::Path| {
        let _ = fs::remove_file(path);
        assert!(std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
    };
    pipe(&deployment.path("backups/daily/20261102_090000.zip"));
    pipe(&archive.with_extension("zip.json"));
    let listed = deployment.run(&day(3), &["list"]);
    assert_eq!(listed.assert_code(2).archives.len(), 2);
    assert!(listed.stdout.contains("it is not a file"), "{listed:#?}");
    pipe(&archive.with_extension("zip.sha256"));
    deployment.run(&day(3), &["verify", "20261101_090000"]).assert_code(2);
    deployment.run(&day(3), &["verify", "20261102_090000"]).assert_code(3);
    deployment.run(&day(3), &[]).assert_code(0);
}

#[test]
fn a_pin_is_not_put_beside_what_is_no_archive() {
    let deployment = Deployment::new("");
    let notes = deployment.path("roadmaps/notes.zip");
    fs::write(&notes, "x").expect("written");
    let outcome = deployment.run(&day(1), &["pin", notes.to_str().expect("UTF-8")]);
    outcome.assert_code(3).assert_said("has not the name of an archive");
    assert_eq!(deployment.names("roadmaps"), ["notes.zip", "plans"]);
    for args in [&["list"][..], &["verify"], &["prune", "--yes"], &["pin", "latest"]] {
        let outcome = deployment.run(&day(1), &[args, &["--to", "/nowhere/at/all"]].concat());
        outcome.assert_code(3).assert_said("is the disk mounted?");
    }
}

#[test]
fn a_name_that_no_archive_may_have_is_told_before_anything_is_done() {
    let deployment = Deployment::new("");
    for name in ["new\nline.md", "back\\slash.md"] {
        let path = deployment.path("roadmaps/plans").join(name);
        fs::write(&path, "x").expect("written");
        deployment.run(&day(1), &[]).assert_code(3).assert_said("rename it").assert_said("is refused");
        fs::remove_file(path).expect("removed");
    }
    assert!(!deployment.path("backups").exists());
}

#[test]
fn the_second_place_is_not_the_first_by_another_name() {
    let deployment = Deployment::new("    copy_to: nas\n");
    fs::create_dir_all(deployment.path("backups")).expect("created");
    std::os::unix::fs::symlink(deployment.path("backups"), deployment.path("nas")).expect("linked");
    deployment.run(&day(1), &[]).assert_code(1).assert_said("is the backup folder itself");
    assert_eq!(deployment.names("backups/daily").len(), 3);
}
