//! The scripts that make archives, clean, and put archives back.

use std::fs;
use std::time::{Duration, SystemTime};

use super::{Deployment, Shell, assert_ran, count, ends};

#[test]
fn a_backup_goes_where_it_is_told_and_old_ones_go() {
    let deployment = Deployment::start("script_backup");
    for shell in Shell::all() {
        let outcome = deployment.run(shell, "backup-daily", &[]);
        assert_ran(&outcome, &["pso-backup", "pso-alert"]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let archive = outcome.records_of_kind("backup.archive").pop().expect("an archive");
        assert!(archive["path"].as_str().expect("a path").contains("backups/daily/"), "{outcome}");
        let kept = fs::read_to_string(deployment.parts.path("logs/backup.log")).expect("the log of backups");
        assert!(kept.lines().last().expect("a line").contains("success"), "{kept}");

        let outcome =
            deployment.run(shell, "backup-daily", &[("backup-path", "./my backups"), ("retention-days", "3")]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let archive = outcome.records_of_kind("backup.archive").pop().expect("an archive");
        let path = archive["path"].as_str().expect("a path");
        assert!(path.contains("my backups/") && deployment.parts.path(path).exists(), "{outcome}");
    }
    assert_eq!(deployment.webhook.requests().len(), 0, "nothing is wrong");
}

#[test]
fn a_backup_that_fails_is_told() {
    let deployment = Deployment::start("script_backup_fails");
    let database = &deployment.parts.database;
    database.execute_as_admin(&format!("ALTER DATABASE {} CONNECTION LIMIT 0", database.name())).expect("altered");
    for shell in Shell::all() {
        let outcome = deployment.run(shell, "backup-daily", &[]);
        assert_ran(&outcome, &["pso-backup", "pso-alert"]);
        assert_eq!(outcome.code, Some(3), "{outcome}");

        // No good backup, no cleaning.
        let outcome = deployment.run(shell, "weekly-maintenance", &[]);
        let records = outcome.records();
        let tools: Vec<&str> = ends(&records).into_iter().map(|(tool, _)| tool).collect();
        assert_eq!(tools, ["pso-backup", "pso-backup", "pso-alert"], "{outcome}");
        outcome.assert_stderr_has("nothing was cleaned, for there is no good backup of today");
        assert_eq!(outcome.code, Some(3), "{outcome}");
    }
    let told = deployment.webhook.wait_for(1, crate::parts::LIMIT).expect("a notice");
    assert!(told.iter().any(|request| request.text().contains("pso-backup")), "{told:?}");
}

#[test]
fn the_weekly_maintenance_cleans_behind_a_good_backup() {
    let deployment = Deployment::start("script_weekly");
    let database = &deployment.parts.database;
    let old = |days: u32| {
        let sql = format!("SELECT count(*) FROM sync_operations WHERE started_at < now() - interval '{days} days'");
        database.scalar(&sql).expect("a count")
    };
    let log = deployment.parts.path("logs/ancient.log");
    for shell in Shell::all() {
        fs::write(&log, "2025-06-12T09:00:00Z INFO started\n").expect("written");
        let ancient = SystemTime::now() - Duration::from_secs(70 * 86_400);
        fs::File::options().append(true).open(&log).and_then(|file| file.set_modified(ancient)).expect("a time");
        database
            .execute(
                "INSERT INTO sync_operations (operation_type, plan_id, status, started_at)
                 SELECT operation_type, plan_id, status, now() - make_interval(days => CASE WHEN n > 4 THEN 45 ELSE 90 END)
                 FROM generate_series(1, 9) AS n, (SELECT * FROM sync_operations LIMIT 1) AS one",
            )
            .expect("old rows");
        let tools = ["pso-backup", "pso-backup", "pso-prune", "pso-alert"];
        let outcome = deployment.run(shell, "weekly-maintenance", &[("retention-days", "60")]);
        assert_ran(&outcome, &tools);
        let archive = outcome.records_of_kind("backup.archive").pop().expect("an archive");
        assert!(archive["path"].as_str().expect("a path").contains("backups/weekly/"), "{outcome}");
        assert_eq!(old(60), "0", "{outcome}");
        assert_ne!(old(30), "0", "{outcome}");
        assert!(!log.exists(), "{outcome}");
        let steps = outcome.records_of_kind("prune.step");
        for part in ["logs", "rows", "vacuum", "qdrant"] {
            let done = steps.iter().any(|step| step["component"] == part && step["state"] == "done");
            assert!(done, "{part}\n{outcome}");
        }

        let outcome = deployment.run(shell, "weekly-maintenance", &[]);
        assert_ran(&outcome, &tools);
        assert_eq!(old(30), "0", "{outcome}");
    }
}

#[test]
fn an_archive_is_put_back_whole_or_in_part_or_not_at_all() {
    let deployment = Deployment::start("script_restore");
    let parts = &deployment.parts;
    let archive = parts.archive();
    let archive = archive.to_str().expect("UTF-8");
    for shell in Shell::all() {
        let before = parts.content();
        parts.damage();
        let damaged = parts.content();

        let outcome = deployment.run(shell, "restore-backup", &[("backup-path", archive), ("dry-run", "")]);
        assert_ran(&outcome, &["pso-restore"]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert_eq!(count(&outcome, "restore.plan"), 1, "{outcome}");
        damaged.assert_same(&parts.content());

        let part = [("backup-path", "latest"), ("components", "plans,config")];
        let outcome = deployment.run(shell, "restore-selective", &part);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let now = parts.content();
        damaged.rows.assert_same(&now.rows);
        damaged.points.assert_same(&now.points);
        // config, scripts, plans
        before.files[0].assert_same(&now.files[0]);
        damaged.files[1].assert_same(&now.files[1]);
        before.files[2].assert_same(&now.files[2]);

        let plan = [("backup-path", archive), ("dry-run", "")];
        let outcome = deployment.run(shell, "restore-selective", &plan);
        let steps = outcome.records_of_kind("restore.step");
        let components: std::collections::BTreeSet<&str> =
            steps.iter().filter_map(|step| step["component"].as_str()).collect();
        assert!(!components.contains("scripts"), "the specification's four are the default\n{outcome}");
        for component in ["postgres", "qdrant", "config", "plans"] {
            assert!(components.contains(component), "{component}\n{outcome}");
        }

        let outcome = deployment.run(shell, "restore-backup", &[("backup-path", archive)]);
        assert_ran(&outcome, &["pso-restore"]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        before.assert_same(&parts.content());

        let outcome = deployment.run(shell, "restore-backup", &[("backup-path", "./backups/none.zip")]);
        outcome.assert_stderr_has("none.zip");
        assert_eq!(outcome.code, Some(3), "{outcome}");
    }
}
