//! Everything that is hard to keep: backed up, lost, restored, and compared row by row, point by point, byte by byte.

use std::fs;
use std::path::Path;
use std::process::Command;

use pso_tests::deployment::Spec;
use pso_tests::pg::{Database, TempPg};
use pso_tests::qdrant::Point;
use serde_json::json;

use crate::parts::{Parts, checked};

/// What a database may hold that is hard to bring back.
const HARD: &str = include_str!("hard.sql");

/// All that `pg_dump` knows of a database, as text: definitions, owners, rights, rows, sequences, large objects.
fn dump(pg: &TempPg, database: &Database) -> String {
    let output = Command::new(pg.programs().join("pg_dump"))
        .args(["--no-password", database.name()])
        .envs(database.env())
        .env("PGUSER", "postgres")
        .env("PGPASSWORD", pg.admin_password())
        .output()
        .expect("pg_dump");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // A word that is drawn each time.
    let is_random = |line: &&str| line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
    text.lines().filter(|line| !is_random(line)).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_same_dump(before: &str, after: &str) {
    if before != after {
        let pairs = before.lines().zip(after.lines());
        let first = pairs.enumerate().find(|(_, (before, after))| before != after);
        let cut = |line: &str| line.chars().take(300).collect::<String>();
        let first =
            first.map(|(number, (before, after))| format!("line {number}: {:?} is now {:?}", cut(before), cut(after)));
        panic!("{} and {} lines; {first:?}", before.lines().count(), after.lines().count());
    }
}

fn spec() -> Spec {
    Spec::small(time::OffsetDateTime::now_utc())
}

#[test]
fn a_hard_database_is_the_same_again() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let parts = Parts::on(&pg, "Été \"2026\" d'ici", spec());
    parts.database.execute_as_admin("CREATE ROLE alice; CREATE ROLE \"Zoé B.\"; GRANT alice, \"Zoé B.\" TO sync_user; ALTER ROLE sync_user CREATEDB").expect("roles");
    parts
        .database
        .execute_as_admin("CREATE EXTENSION btree_gist; GRANT ALL ON SCHEMA public TO alice, \"Zoé B.\"")
        .expect("an extension");
    parts.database.execute(HARD).expect("filled");
    let before = (dump(&pg, &parts.database), parts.content());
    let made = parts.backup(&["--only", "postgres"]);
    made.assert_code(0);
    parts.backup(&["verify"]).assert_code(0);
    parts
        .database
        .execute(
            "DROP TABLE odd, no_key CASCADE; TRUNCATE large_text; SELECT lo_unlink(oid) FROM pg_largeobject_metadata",
        )
        .expect("damaged");
    // Only a superuser can give things to others again.
    let superuser = [("PGUSER", "postgres"), ("PGPASSWORD", pg.admin_password())];
    checked(parts.tool("pso-restore", &["latest", "--yes"]).envs(superuser)).assert_code(0);
    before.1.assert_same(&parts.content());
    assert_same_dump(&before.0, &dump(&pg, &parts.database));
    let next = parts.database.scalar("INSERT INTO generated (name) VALUES ('après') RETURNING id").expect("a row");
    assert_eq!(next, "103", "the identity goes on where it was");
}

#[test]
fn an_empty_database_and_an_empty_collection_are_empty_again() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    let parts = Parts::on(&pg, "empty", spec());
    let mut admin = pg.admin("postgres").expect("connected");
    admin.batch_execute("DROP DATABASE empty WITH (FORCE)").expect("dropped");
    admin.batch_execute("CREATE DATABASE empty OWNER sync_user").expect("created");
    let client = parts.qdrant.client();
    for collection in client.collections().expect("collections") {
        client.delete_collection(&collection).expect("deleted");
    }
    client.create_collection("vide", 4).expect("created");
    let before = (dump(&pg, &parts.database), parts.content());
    parts.archive();
    parts.database.execute("CREATE TABLE later (id int); INSERT INTO later VALUES (1)").expect("changed");
    client.upsert("vide", &[Point { id: json!(1), vector: vec![0.5; 4], payload: json!({}) }]).expect("inserted");
    parts.restore(&["latest", "--yes"]).assert_code(0);
    before.1.assert_same(&parts.content());
    assert_same_dump(&before.0, &dump(&pg, &parts.database));
}

#[test]
fn many_files_long_paths_and_all_names_are_back() {
    let parts = Parts::start("br_files");
    let plans = parts.path("roadmaps/plans");
    let write = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        fs::write(path, text).expect("written");
    };
    for number in 0..10_000 {
        write(&plans.join(format!("lot {:03}/plan-{number}.md", number % 100)), &format!("# Plan {number} ✅\n"));
    }
    // 300 characters, not bytes.
    let mut long = String::new();
    while long.chars().count() < 296 {
        long.push_str(if long.chars().count() % 50 == 49 { "/" } else { "é" });
    }
    long.push_str("x.md");
    assert_eq!(long.chars().count(), 300);
    let odd = [
        "- rf.md",
        " vor & après .md",
        "$(touch x);`.md",
        "日本語/計画 📊.md",
        "e\u{301} und é.md",
        "%2e%2e.md",
        "...",
        "'\"*?<>|.md",
    ];
    for name in odd.iter().copied().chain([long.as_str()]) {
        write(&plans.join(name), name);
    }
    write(&plans.join("vide.md"), "");
    let before = parts.content();
    let points = parts.qdrant.client();
    let uuid = json!("5c56c793-69f3-4fbf-87e6-c4bf54c28c26");
    points.create_collection("été-🚀", 4).expect("created");
    points
        .upsert(
            "été-🚀",
            &[Point { id: uuid, vector: vec![0.5, -0.5, 0.5, -0.5], payload: json!({"é": [null, {"": "🇫🇷"}]}) }],
        )
        .expect("inserted");
    let collections = parts.content().points;
    let outcome = parts.backup(&["--only", "plans,qdrant"]);
    outcome.assert_code(0);
    assert_eq!(outcome.record("backup.component", "plans")["entries"], 10_000 + 12 + 9 + 1, "{outcome}");
    parts.backup(&["verify"]).assert_code(0);
    // Every fifth file has changed, and some are gone.
    for number in (0..10_000).step_by(5) {
        write(&plans.join(format!("lot {:03}/plan-{number}.md", number % 100)), "");
    }
    for name in ["lot 007", "日本語"] {
        fs::remove_dir_all(plans.join(name)).expect("removed");
    }
    fs::remove_file(plans.join(&long)).expect("removed");
    points.delete_collection("été-🚀").expect("deleted");
    parts.restore(&["latest", "--yes"]).assert_code(0);
    let now = parts.content();
    before.files[2].assert_same(&now.files[2]);
    collections.assert_same(&now.points);
}
