//! Retention over the days: what goes, and what stays whatever was noted, upgraded or forged.

use std::fs;

use crate::deployment::{Deployment, at, damage, day};
use pso_common::record::{Component, Decision, Severity};

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
