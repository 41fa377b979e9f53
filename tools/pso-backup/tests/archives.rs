//! Archives over the days: listed, pinned, pruned, verified, copied, encrypted; with hooks around their making.

#![cfg(unix)]

mod common;

use std::fs;

use common::{Deployment, at, damage};
use pso_common::record::{Component, Decision, Severity};

/// Days at nine.
fn day(day: u32) -> String {
    format!("2026-11-{day:02}T09:00:00Z")
}

#[test]
fn prune_says_first_and_does_it_when_told() {
    let deployment = Deployment::new("    keep_days: 365\n");
    for number in 1..=20 {
        deployment.backup(&day(number));
    }
    let before = deployment.names("backups/daily");
    assert_eq!(before.len(), 60, "archive, hash and status of each: {before:?}");
    let now = "2026-11-20T12:00:00Z";
    assert_eq!(deployment.run(now, &["list"]).assert_code(0).archives[0].2.age_seconds, Some(3 * 3600));
    deployment.run(now, &["pin", "20261103_090000"]).assert_code(0);
    let flags = ["prune", "--keep-daily", "3", "--keep-weekly", "3"];
    // The year of the configuration keeps them all; the rules add up.
    assert!(deployment.run(now, &flags).assert_code(0).decided(Decision::Remove).is_empty());
    deployment.configure("    retention: {keep_daily: 3, minimum: 2}\n");
    let planned = deployment.run(now, &["prune", "--keep-weekly", "3"]);
    planned.assert_code(0).assert_said("nothing was removed; with --yes 14 would go");
    let kept = ["20", "19", "18", "15", "08", "03"].map(|day| format!("202611{day}_090000.zip")).to_vec();
    assert_eq!(planned.decided(Decision::Keep), kept, "{planned:#?}");
    assert_eq!(deployment.names("backups/daily").len(), 61, "and the pin");
    let done = deployment.run(now, &["prune", "--keep-weekly", "3", "--yes"]);
    assert_eq!(done.assert_code(0).decided(Decision::Removed).len(), 14);
    assert_eq!(done.decided(Decision::Removed), planned.decided(Decision::Remove));
    assert!(
        done.archives.iter().all(|(_, _, archive)| archive.pinned == archive.path.ends_with("20261103_090000.zip"))
    );
    let listed = deployment.run(now, &["list"]);
    assert_eq!(listed.archives.iter().map(|(_, name, _)| name.clone()).collect::<Vec<_>>(), kept);
    assert_eq!(deployment.names("backups/daily").len(), 6 * 3 + 1);
    deployment.run(now, &["unpin", "20261103_090000"]).assert_code(0);
    let after = deployment.run(now, &["prune", "--keep-weekly", "3", "--yes"]);
    assert_eq!(after.decided(Decision::Removed), ["20261103_090000.zip"]);
}

#[test]
fn a_policy_that_keeps_nothing_is_refused() {
    let deployment = Deployment::new("    keep_days: 365\n");
    deployment.backup(&day(1));
    deployment.configure("    retention: {keep_daily: 0}\n");
    for args in [&["prune", "--yes"][..], &["prune"], &[]] {
        deployment.run(&day(20), args).assert_code(3).assert_said("would keep nothing");
    }
    assert_eq!(deployment.run(&day(20), &["list"]).archives.len(), 1);
}

#[test]
fn only_what_is_verified_counts_and_create_prunes_by_the_same_rules() {
    let deployment = Deployment::new("    keep_days: 3\n");
    let [good, bad] = [1, 2].map(|number| deployment.backup(&day(number)));
    damage(&bad);
    let now = day(5);
    let outcome = deployment.run(&now, &["verify", "--all"]);
    outcome.assert_code(2);
    let severities: Vec<Severity> = outcome.archives.iter().map(|(severity, ..)| *severity).collect();
    assert_eq!(severities, [Severity::Critical, Severity::Ok], "newest first");
    assert_eq!(outcome.archives[0].2.verified_at, None);
    assert_eq!(outcome.archives[1].2.verified_at, Some(at(&now)));
    // A month of failures: the good one is all there is.
    let late = "2026-12-20T09:00:00Z";
    let outcome = deployment.run(late, &["prune", "--yes"]);
    assert!(outcome.assert_code(0).decided(Decision::Removed).is_empty(), "{outcome:#?}");
    // What cannot be read at all, and what nobody has looked at.
    fs::write(&bad, "no zip").expect("written");
    let unseen = deployment.backup(&day(4));
    fs::remove_file(unseen.with_extension("zip.json")).expect("removed");
    assert_eq!(deployment.run(late, &["list"]).assert_code(2).archives.len(), 3);
    assert!(deployment.run(late, &["prune", "--yes"]).decided(Decision::Removed).is_empty());
    // Until it is verified.
    deployment.run(late, &["verify", "latest"]).assert_code(0);
    let outcome = deployment.run(late, &["prune"]);
    let expected = [&bad, &good].map(|path| path.file_name().expect("a name").to_str().expect("UTF-8"));
    assert_eq!(outcome.decided(Decision::Remove), expected);
    // A new archive makes all of them superfluous.
    let outcome = deployment.run(late, &[]);
    outcome.assert_code(0);
    assert_eq!(outcome.decided(Decision::Removed).len(), 3);
    assert_eq!(deployment.names("backups/daily").len(), 3);
}

#[test]
fn a_clock_that_jumped_costs_nothing() {
    let deployment = Deployment::new("    keep_days: 3\n");
    deployment.backup(&day(1));
    let ahead = deployment.backup("2031-01-01T09:00:00Z");
    // The jump itself made the older one superfluous; what follows is dated before the newest.
    deployment.backup(&day(2));
    deployment.backup(&day(10));
    let names: Vec<String> =
        deployment.run(&day(10), &["list"]).archives.into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["20310101_090000.zip", "20261110_090000.zip"]);
    let outcome = deployment.run(&day(11), &["prune", "--yes"]);
    assert!(outcome.decided(Decision::Removed).is_empty());
    assert!(outcome.stdout.contains("dated in the future") && ahead.exists());
}

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
fn what_was_noted_of_an_archive_is_not_believed_before_another_goes() {
    let deployment = Deployment::new("    keep_days: 3\n");
    let [good, rotten] = [1, 2].map(|number| deployment.backup(&day(number)));
    // The disk forgets in silence: the size stays, and so do the notes.
    damage(&rotten);
    let now = day(20);
    assert_eq!(deployment.run(&now, &["list"]).archives[0].2.verified_at, Some(at(&day(2))));
    for args in [&["prune"][..], &["prune", "--yes"]] {
        let outcome = deployment.run(&now, args);
        outcome.assert_code(2).assert_said("20261102_090000.zip was noted as verified and is not what it was");
        assert_eq!(outcome.decided(Decision::Keep), ["20261102_090000.zip", "20261101_090000.zip"], "{outcome:#?}");
        assert!(outcome.archives[0].0 == Severity::Critical && outcome.archives[1].0 == Severity::Ok, "{outcome:#?}");
    }
    assert!(good.exists() && rotten.exists());
    // What is no archive at all, with notes that claim all of it.
    let status = |path: &std::path::Path| path.with_extension("zip.json");
    let claims = fs::read_to_string(status(&good)).expect("readable").replace(&day(1)[..10], "2026-11-10");
    for (name, text) in
        [("20261110_090000.zip", &b"no zip"[..]), ("20261110_100000.zip", &fs::read(&good).expect("read"))]
    {
        let forged = deployment.path("backups/daily").join(name);
        fs::write(&forged, text).expect("written");
        let size = fs::metadata(&good).expect("there").len().to_string();
        fs::write(status(&forged), claims.replace(&size, &text.len().to_string())).expect("written");
        let outcome = deployment.run(&now, &["prune", "--yes"]);
        assert!(outcome.decided(Decision::Removed).is_empty() && good.exists(), "{name} {outcome:#?}");
    }
}

#[test]
fn notes_of_an_encrypted_archive_are_compared_with_all_that_can_be() {
    let key = age::x25519::Identity::generate();
    let encryption = format!("    encryption: {{recipients: [{}]}}\n", key.to_public());
    let deployment = Deployment::new(&format!("    keep_days: 3\n{encryption}"));
    let now = day(20);
    let whole = deployment.backup(&day(1));
    deployment.configure(&format!("    components: [config]\n    keep_days: 3\n{encryption}").replacen(
        "    components: [config]\n",
        "",
        1,
    ));
    let part = deployment.path("backups/daily/20261102_090000.zip.age");
    deployment.run(&day(2), &["--only", "config"]).assert_code(0);
    // The part says that it is the whole.
    let notes = part.with_extension("age.json");
    let forged = fs::read_to_string(&notes).expect("readable");
    let forged = forged.replace("\"config\"\n", "\"config\", \"plans\"\n");
    assert!(forged.contains("plans"), "{forged}");
    fs::write(&notes, &forged).expect("written");
    let file = deployment.path("key.txt");
    fs::write(&file, age::secrecy::ExposeSecret::expose_secret(&key.to_string())).expect("written");
    deployment.configure(&format!("    keep_days: 3\n    encryption: {{identity_file: {}}}\n", file.display()));
    let outcome = deployment.run(&now, &["prune", "--yes"]);
    outcome.assert_code(2).assert_said("says something else than its manifest");
    assert!(whole.exists(), "{outcome:#?}");
    // With the key it is told by a look into it, and noted as it is.
    deployment.run(&now, &["verify", "20261102_090000"]).assert_code(0);
    assert_eq!(deployment.run(&now, &["list"]).archives[0].2.components, [Component::Config]);
    // Without: notes of another file, and of another moment.
    deployment.configure("    keep_days: 3\n");
    let other = deployment.path("backups/daily/20261103_090000.zip.age");
    fs::copy(&whole, &other).expect("copied");
    fs::copy(whole.with_extension("age.json"), other.with_extension("age.json")).expect("copied");
    let mut rotten = fs::read(&part).expect("readable");
    *rotten.last_mut().expect("a byte") ^= 1;
    fs::write(&part, &rotten).expect("written");
    let outcome = deployment.run(&now, &["prune", "--yes"]);
    assert!(outcome.decided(Decision::Removed).is_empty() && whole.exists(), "{outcome:#?}");
}

#[test]
fn an_upgrade_costs_no_archive_that_the_rules_keep() {
    let deployment = Deployment::new("    keep_days: 365\n");
    for number in 1..=9 {
        // Version 0.1 noted nothing.
        fs::remove_file(deployment.backup(&day(number)).with_extension("zip.json")).expect("removed");
    }
    deployment.configure("    retention: {keep_daily: 3, keep_weekly: 2}\n");
    let outcome = deployment.run(&day(10), &[]);
    // The days 8 and 9 and the Sunday of the week before (the 8th) would be kept if they had been verified, and what is newer than these.
    assert_eq!(outcome.assert_code(0).decided(Decision::Removed).len(), 7, "{outcome:#?}");
    assert_eq!(deployment.names("backups/daily").len(), 3 + 2 * 2);
    deployment.run(&day(10), &["verify", "--all"]).assert_code(0);
    let planned = deployment.run(&day(10), &["prune"]);
    assert_eq!(planned.decided(Decision::Keep).len(), 3, "{planned:#?}");
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
fn the_second_place_is_not_the_first_by_another_name() {
    let deployment = Deployment::new("    copy_to: nas\n");
    fs::create_dir_all(deployment.path("backups")).expect("created");
    std::os::unix::fs::symlink(deployment.path("backups"), deployment.path("nas")).expect("linked");
    deployment.run(&day(1), &[]).assert_code(1).assert_said("is the backup folder itself");
    assert_eq!(deployment.names("backups/daily").len(), 3);
}

#[test]
fn an_archive_of_the_script_stays_until_all_of_it_is_in_another() {
    let deployment = Deployment::new("    keep_days: 3\n");
    deployment.backup(&day(1));
    let old = deployment.path("backups/daily/20260901_090000.zip");
    let name = "postgres.sql";
    // The smallest ZIP file with one stored entry, which is empty.
    let common = [&[10, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[0; 12], &[12, 0, 0, 0]].concat();
    let local = [&b"PK\x03\x04"[..], &common, name.as_bytes()].concat();
    let central = [&b"PK\x01\x02\x14\x00"[..], &common, &[0; 14], name.as_bytes()].concat();
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    for number in [central.len(), local.len()] {
        end.extend(u32::try_from(number).expect("small").to_le_bytes());
    }
    fs::write(&old, [&local[..], &central, &end, &[0, 0]].concat()).expect("written");
    assert!(pso_archive::legacy::is_legacy(&old));
    // Configuration and plans are not everything.
    deployment.backup(&day(20));
    assert!(old.exists());
    fs::write(&old, "no zip").expect("written");
    let outcome = deployment.run(&day(21), &["prune", "--yes"]);
    assert_eq!(outcome.decided(Decision::Removed), ["20260901_090000.zip"]);
}
