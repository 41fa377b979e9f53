//! `scripts/daily-maintenance.sh`, and `.ps1` where there is PowerShell, end to end, on a healthy deployment, on a broken one, and on a machine without the tools.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pso_tests::deployment::{self, FilesTruth, Spec};
use pso_tests::pg::{Database, TempPg};
use pso_tests::qdrant::TempQdrant;
use pso_tests::schema;
use pso_tests::service::Service;
use pso_tests::smtp::{self, SmtpSink};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::webhook::WebhookSink;
use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::scripts::{Shell, path_with_tools};

struct Deployment {
    folder: TempDir,
    database: Database,
    _qdrant: TempQdrant,
    _service: Service,
    webhook: WebhookSink,
    mail: SmtpSink,
    truth: FilesTruth,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/daily-maintenance.sh")
}

fn deploy(name: &str) -> Deployment {
    let database = TempPg::shared().expect("PostgreSQL").database(name).expect("a database");
    let qdrant = TempQdrant::start().expect("Qdrant");
    let service = Service::start().expect("the service");
    let folder = tempfile::tempdir().expect("a folder");
    let mail = SmtpSink::start().expect("a mail server");
    let spec = Spec::small(OffsetDateTime::now_utc())
        .with_database(&database)
        .with_qdrant(&qdrant)
        .with_service(&service)
        .with_mail(&mail);
    let truth = deployment::write_files(folder.path(), &spec).expect("files");
    deployment::fill_database(&mut database.connect().expect("connected"), &spec).expect("rows");
    deployment::fill_qdrant(&qdrant.client(), &spec).expect("points");
    let webhook = WebhookSink::start().expect("a webhook");
    Deployment { folder, database, _qdrant: qdrant, _service: service, webhook, mail, truth }
}

/// Where rehearsals make their private folder, so that what they leave behind would be seen: nothing.
fn temp(deployment: &Deployment) -> PathBuf {
    let path = deployment.folder.path().join("tmp");
    std::fs::create_dir_all(&path).expect("a folder");
    // The scratch cluster runs as another user where the tests run as root, and has to get there.
    for folder in [deployment.folder.path(), &path] {
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o711)).expect("mode");
    }
    path
}

fn run(deployment: &Deployment, shell: Shell, parameters: &[(&str, &str)]) -> Outcome {
    shell
        .script("daily-maintenance", parameters)
        .env("PATH", path_with_tools())
        .env("HOME", deployment.folder.path())
        .env("TMPDIR", temp(deployment))
        .env("SLACK_WEBHOOK", deployment.webhook.slack_url())
        .env("SMTP_PASSWORD", smtp::PASSWORD)
        .folder(deployment.folder.path())
        .limit(Duration::from_secs(120))
        .run()
        .expect("ends")
}

fn ends(records: &[Value]) -> Vec<(&str, u64)> {
    let ends = records.iter().filter(|record| record["kind"] == "run.end");
    ends.map(|end| (end["tool"].as_str().expect("a tool"), end["exit_code"].as_u64().expect("a code"))).collect()
}

#[test]
fn the_whole_chain_tells_what_it_found_and_whom_it_told() {
    for shell in Shell::all() {
        nights(shell, &deploy(&format!("daily_healthy_{}", format!("{shell:?}").to_lowercase())));
    }
}

fn nights(shell: Shell, deployment: &Deployment) {
    let kept = deployment.folder.path().join("records.jsonl");
    let outcome = run(deployment, shell, &[("records", "records.jsonl")]);
    let records = outcome.records();
    for record in &records {
        schema::conforms(record).unwrap_or_else(|error| panic!("{error:#}\n{outcome}"));
    }
    outcome.assert_no_secret(&[deployment.database.password(), smtp::PASSWORD, &deployment.webhook.slack_url()]);

    let tools: Vec<&str> = ends(&records).into_iter().map(|(tool, _)| tool).collect();
    assert_eq!(
        tools,
        ["pso-health", "pso-logscan", "pso-pgstats", "pso-backup", "pso-backup", "pso-rehearse", "pso-alert"],
        "{outcome}"
    );
    let truth = deployment.truth.logs.counts(Some(Duration::from_secs(86_400)));
    let errors = outcome.record("log.count", "error");
    assert_eq!(errors["count"], truth.errors_total());
    assert!(truth.errors_total() > 50, "the deployment has enough errors to alarm");
    assert_eq!(outcome.code, Some(2), "{outcome}");

    let told = deployment.webhook.wait_for(1, Duration::from_secs(10)).expect("a notice");
    assert!(told[0].text().contains("error"), "{}", told[0].text());
    let mails = deployment.mail.wait_for(1, Duration::from_secs(10)).expect("a mail");
    assert!(mails[0].encrypted && mails[0].text.contains("error"), "{}", mails[0].text);
    assert_eq!(
        outcome.records_of_kind("backup.archive").last().map(|archive| archive["severity"].clone()),
        Some("ok".into())
    );

    let lines = std::fs::read_to_string(&kept).expect("the records were kept");
    assert_eq!(lines, outcome.text());

    // The archive of this night was restored, and says so.
    let rehearsal = outcome.records_of_kind("rehearse.result").pop().expect("a rehearsal");
    let archive = outcome.records_of_kind("backup.archive").pop().expect("an archive");
    assert_eq!((&rehearsal["severity"], &rehearsal["sha256"]), (&"ok".into(), &archive["sha256"]), "{outcome}");
    assert!(rehearsal["rehearsed_at"].is_string() && rehearsal["restore_ms"].is_number(), "{outcome}");
    assert_eq!(std::fs::read_dir(temp(deployment)).expect("a folder").count(), 0, "nothing is left behind");

    // The next night most of a table is gone: the backup is good, and what it holds is told.
    let sql = "DELETE FROM sync_operations WHERE id % 10 <> 0";
    deployment.database.execute(sql).expect("deleted");
    let outcome = run(deployment, shell, &[("records", "records.jsonl")]);
    let rehearsal = outcome.records_of_kind("rehearse.result").pop().expect("a rehearsal");
    assert_eq!(rehearsal["severity"], "warning", "{outcome}");
    assert!(rehearsal["message"].as_str().expect("text").contains("sync_operations"), "{outcome}");

    let outcome = run(deployment, shell, &[("no-rehearsal", "")]);
    assert_eq!(outcome.records_of_kind("rehearse.result").len(), 0, "{outcome}");
    assert!(ends(&outcome.records()).iter().all(|(tool, _)| *tool != "pso-rehearse"), "{outcome}");
}

#[test]
fn a_backup_that_cannot_be_made_is_told_and_the_others_still_run() {
    let deployment = deploy("daily_broken");
    let full = format!("ALTER DATABASE {} CONNECTION LIMIT 0", deployment.database.name());
    deployment.database.execute_as_admin(&full).expect("altered");
    let outcome = run(&deployment, Shell::Bash, &[("hours-back", "1")]);
    let records = outcome.records();
    let codes = ends(&records);
    assert_eq!(codes.len(), 7, "{outcome}");
    assert_eq!(codes[3], ("pso-backup", 3), "{outcome}");
    assert_eq!(codes[5], ("pso-rehearse", 3), "there is no archive\n{outcome}");
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let told = deployment.webhook.wait_for(1, Duration::from_secs(10)).expect("a notice");
    assert!(told.iter().any(|request| request.text().contains("pso-backup")), "{outcome}");
}

#[test]
fn a_missing_tool_and_a_bad_argument_are_said_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = Tool::program(script()).env("PATH", "/usr/bin:/bin").folder(folder.path()).run().expect("ends");
    bare.assert_stderr_has("pso-health is not on the PATH");
    assert_eq!((bare.code, bare.stdout.len()), (Some(3), 0), "{bare}");
    for args in [
        ["--hours-back", "soon"],
        ["--retention-days", "0"],
        ["--hours-back", "99999999999999999999"],
        ["--records", ""],
        ["--frobnicate", "1"],
    ] {
        let outcome = Tool::program(script()).args(args).folder(folder.path()).run().expect("ends");
        outcome.assert_stderr_has(args[0]);
        assert_eq!(outcome.code, Some(3), "{outcome}");
    }
    let help = Tool::program(script()).arg("--help").run().expect("ends");
    assert!(help.text().contains("usage:") && help.code == Some(0), "{help}");
}
