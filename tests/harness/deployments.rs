//! The generated deployment: the same every time, of the promised size, and lost when it is damaged.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use pso_tests::deployment::{self, Spec, TABLES};
use pso_tests::fingerprint;
use pso_tests::pg::TempPg;
use pso_tests::qdrant::TempQdrant;
use time::macros::datetime;

const NOW: time::OffsetDateTime = datetime!(2025-06-12 09:00:00 UTC);

#[test]
fn the_same_spec_gives_the_same_files() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let spec = Spec::small(NOW);
    for (folder, seed) in folders.iter().zip([1, 1, 2]) {
        deployment::write_files(&folder.path().join("d"), &Spec { seed, ..spec.clone() }).unwrap();
    }
    let [one, same, other] = folders.each_ref().map(|folder| fingerprint::files(&folder.path().join("d")).unwrap());
    one.assert_same(&same);
    assert_eq!(one.digest(), same.digest());
    assert_ne!(one.digest(), other.digest());
    assert!(one.differences(&other).iter().any(|line| line.contains("changed")), "{:?}", one.differences(&other));
}

#[test]
fn the_demo_has_the_promised_files() {
    let folder = tempfile::tempdir().unwrap();
    let truth = deployment::write_files(folder.path(), &Spec::demo(NOW)).unwrap();
    let plans = folder.path().join("roadmaps/plans");
    assert!(truth.plans.len() >= 40);
    let sizes: Vec<u64> = truth.plans.iter().map(|plan| std::fs::metadata(plans.join(plan)).unwrap().len()).collect();
    assert!(sizes.iter().all(|size| (5_000..=86_000).contains(size)), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<u64>(), truth.plans_bytes);
    assert_eq!(fingerprint::files(&plans).unwrap().total(), truth.plans.len());
    for part in ["é", "e\u{301}", "/", " ", "🚀"] {
        assert!(truth.plans.iter().any(|plan| plan.contains(part)), "no plan's path has {part:?}");
    }
    for name in ["config/api-token.txt", "config/config.yaml"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let spec =
        Spec { postgres: deployment::Postgres { password: "it's: #1".into(), ..spec_postgres() }, ..Spec::small(NOW) };
    deployment::write_files(folder.path(), &spec.with_maintenance("backup: {keep_days: 3}")).unwrap();
    let config = std::fs::read_to_string(folder.path().join("config/config.yaml")).unwrap();
    assert!(config.contains("\n    password: 'it''s: #1'\n"), "{config}");
    assert!(
        config.ends_with("\nmaintenance:\n  service:\n    url: http://127.0.0.1:8080\n  backup: {keep_days: 3}\n"),
        "{config}"
    );
}

fn spec_postgres() -> deployment::Postgres {
    Spec::small(NOW).postgres
}

#[test]
fn the_database_has_the_promised_rows_and_a_dump_brings_them_back() {
    let server = TempPg::shared().unwrap();
    let database = server.database("deployment").unwrap();
    let mut client = database.connect().unwrap();
    let start = std::time::Instant::now();
    let rows = deployment::fill_database(&mut client, &Spec::demo(NOW)).unwrap();
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    assert_eq!(rows.values().sum::<u64>(), 20_000);
    assert_eq!(rows.len(), TABLES.len());
    for (table, count) in &rows {
        assert_eq!(database.scalar(&format!("SELECT count(*) FROM {table}")).unwrap(), count.to_string(), "{table}");
    }
    let (data, schema) = (fingerprint::tables(&mut client).unwrap(), fingerprint::schema(&mut client).unwrap());
    assert_eq!(data.total(), 20_000);
    assert_eq!(schema.parts["sequences"]["sync_job_number"], "1742");
    for (part, items) in &schema.parts {
        assert!(!items.is_empty(), "no {part}");
    }

    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    let run = |program: &str, args: &[&str]| {
        let mut command = Command::new(server.programs().join(program));
        let output = command.env_clear().envs(database.env()).args(args).arg(&dump).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("pg_dump", &["--format=custom", "--file"]);
    database
        .execute("UPDATE plans SET title = title || 'x' WHERE id = (SELECT min(id::text)::uuid FROM plans); DROP TABLE conflicts CASCADE")
        .unwrap();
    let damaged = fingerprint::tables(&mut client).unwrap();
    let differences = data.differences(&damaged);
    assert!(differences[0].starts_with("conflicts: gone, with 1000 items"), "{differences:?}");
    assert!(differences[1].starts_with("plans: 1 changed, "), "{differences:?}");
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert!(!schema.differences(&fingerprint::schema(&mut client).unwrap()).is_empty());
    database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").unwrap();
    run("pg_restore", &["--exit-on-error", "--no-owner", "--dbname", database.name()]);
    data.assert_same(&fingerprint::tables(&mut client).unwrap());
    schema.assert_same(&fingerprint::schema(&mut client).unwrap());
}

#[test]
fn the_small_deployment_is_the_same_twice_and_wears_out() {
    let server = TempPg::shared().unwrap();
    let prints = ["twice_a", "twice_b"].map(|name| {
        let database = server.database(name).unwrap();
        let mut client = database.connect().unwrap();
        deployment::fill_database(&mut client, &Spec::small(NOW)).unwrap();
        let print = fingerprint::tables(&mut client).unwrap();
        deployment::wear_out(&mut client).unwrap();
        assert!(!print.differences(&fingerprint::tables(&mut client).unwrap()).is_empty());
        print
    });
    prints[0].assert_same(&prints[1]);
    let database = server.database("few").unwrap();
    assert!(
        deployment::fill_database(&mut database.connect().unwrap(), &Spec { rows: 19, ..Spec::small(NOW) }).is_err()
    );
    deployment::fill_database(&mut database.connect().unwrap(), &Spec { rows: 20, ..Spec::small(NOW) }).unwrap();
}

#[test]
fn the_vectors_are_there_and_a_loss_is_seen() {
    let store = TempQdrant::start().unwrap();
    let client = store.client();
    let points = deployment::fill_qdrant(&client, &Spec::small(NOW)).unwrap();
    assert_eq!((points["plans"], points["tasks"]), (18, 42));
    let print = fingerprint::points(&client).unwrap();
    assert_eq!(print.parts["aliases"]["plans_current"], "plans");
    assert_eq!(print.total(), 61);
    assert_eq!(client.points("plans").unwrap()["1"].vector.len(), 384);
    client.delete_collection("tasks").unwrap();
    let differences = print.differences(&fingerprint::points(&client).unwrap());
    assert_eq!(differences, ["tasks: gone, with 42 items"]);
}
