//! Which rows go, and which stay.

use pso_tests::schema;
use serde_json::Value;

use super::{Place, states};
use crate::parts::{Parts, checked};

/// What the maintenance plan's own three statements would delete.
const OLD: &str = "SELECT (SELECT count(*) FROM sync_operations WHERE started_at < now() - interval '30 days') || ' ' ||
                          (SELECT count(*) FROM conflicts WHERE status = 'resolved' AND resolved_at < now() - interval '7 days') || ' ' ||
                          (SELECT count(*) FROM performance_metrics WHERE timestamp < now() - interval '90 days')";

#[test]
fn the_rows_of_the_maintenance_plan_go_and_nothing_else() {
    let parts = Parts::start("prune_rows");
    // All three have something, and more than half of one table is old.
    parts
        .database
        .execute(
            "UPDATE performance_metrics SET timestamp = now() - interval '91 days' WHERE id <= 10;
             UPDATE conflicts SET status = 'resolved', resolved_at = now() - interval '8 days' WHERE id <= 3;
             UPDATE conflicts SET status = 'resolved', resolved_at = NULL WHERE id = 4;
             UPDATE conflicts SET status = 'ignored', resolved_at = now() - interval '80 days' WHERE id = 5;
             INSERT INTO sync_operations (operation_type, status, started_at)
             SELECT 'batch', 'completed', now() - interval '1 day' FROM generate_series(1, 500)",
        )
        .expect("prepared");
    let old = parts.database.scalar(OLD).expect("counts");
    let before = parts.content();

    let dry = checked(parts.tool("pso-prune", &["rows", "--dry-run"]));
    dry.assert_code(0).assert_quiet();
    let planned = rows_of(&dry.records_of_kind("prune.step"), "planned");
    assert_eq!(planned, old);
    before.assert_same(&parts.content());
    assert!(!parts.path(".pso-prune.lock").exists(), "a plan takes no lock");

    let done = checked(parts.tool("pso-prune", &["rows", "--yes", "--without-backup"]));
    done.assert_code(0).assert_quiet();
    let records = done.records_of_kind("prune.step");
    assert_eq!(rows_of(&records, "planned"), old, "the plan stands before what is done");
    assert_eq!(rows_of(&records, "done"), old);
    for record in &records {
        schema::conforms(record).expect("as the schema says");
    }
    assert_eq!(parts.database.scalar(OLD).expect("counts"), "0 0 0");
    let now = parts.content();
    for (table, rows) in before.rows.counts() {
        let gone = ["sync_operations", "conflicts", "performance_metrics"].iter().position(|name| *name == table);
        let gone = gone.map_or(0, |at| old.split(' ').nth(at).expect("three").parse::<usize>().expect("a number"));
        assert_eq!(now.rows.counts()[&table], rows - gone, "{table}");
    }
    // None that is there now was not there before.
    let news = now.rows.differences(&before.rows);
    assert!(news.iter().all(|line| line.contains(" new, ") && !line.contains("changed")), "{news:#?}");
    before.points.assert_same(&now.points);

    let again = checked(parts.tool("pso-prune", &["rows", "--yes"]));
    again.assert_code(0);
    let steps = states(&again);
    let skipped =
        ["sync_operations", "conflicts", "performance_metrics"].map(|table| format!("delete {table} skipped 0"));
    assert_eq!(steps, skipped, "with nothing to do it takes neither consent nor a backup");
}

/// The rows of the three tables.
fn rows_of(records: &[Value], state: &str) -> String {
    let of = |table: &str| {
        let of_table = |record: &&Value| record["object"] == table && record["state"] == state;
        records.iter().find(of_table).map_or_else(|| "-".to_owned(), |record| record["rows"].to_string())
    };
    ["sync_operations", "conflicts", "performance_metrics"].map(of).join(" ")
}

#[test]
fn more_than_max_share_is_refused_without_force_and_the_others_go_on() {
    let place = Place::new("prune_share");
    place.execute(
        "CREATE TABLE sync_operations (id int, started_at timestamptz);
         INSERT INTO sync_operations SELECT n, now() - CASE WHEN n <= 51 THEN interval '40 days' ELSE '1 day' END FROM generate_series(1, 100) AS n;
         CREATE TABLE performance_metrics (id int, timestamp timestamptz);
         INSERT INTO performance_metrics SELECT n, now() - CASE WHEN n <= 50 THEN interval '100 days' ELSE '1 day' END FROM generate_series(1, 100) AS n",
    );
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(2);
    let expected = [
        "delete sync_operations failed 51",
        "delete conflicts skipped -",
        "delete performance_metrics planned 50",
        "delete performance_metrics done 50",
    ];
    assert_eq!(states(&outcome), expected);
    let refused = outcome.record("prune.step", "rows:sync_operations");
    assert_eq!(refused["severity"], "high");
    let message = refused["message"].as_str().expect("a text");
    assert!(message.starts_with("51 of 100 rows (51.0 %) have a started_at before 20"), "{message}");
    assert!(message.ends_with("if that is right, run once with --force, which would delete them"), "{message}");
    assert_eq!(place.scalar("SELECT count(*) FROM sync_operations"), "100");

    let forced = place.prune(&["--yes", "--without-backup", "--force"]);
    forced.assert_code(0);
    assert_eq!(place.scalar("SELECT count(*) || ' ' || min(id) FROM sync_operations"), "49 52");
}

#[test]
fn conditions_hostile_names_and_all_types_of_time_are_taken_as_they_are() {
    let place = Place::new("prune_names");
    place.execute(
        r#"CREATE SCHEMA "o'1; DROP TABLE x --";
           CREATE TABLE "o'1; DROP TABLE x --"."Tab ""le"" é;" (id int PRIMARY KEY, "when at" timestamp, "a'b" char(3), n int);
           INSERT INTO "o'1; DROP TABLE x --"."Tab ""le"" é;" SELECT n, now() - interval '2 days', (ARRAY['old', 'new', '''', NULL])[n % 4 + 1], n FROM generate_series(1, 40) AS n;
           INSERT INTO "o'1; DROP TABLE x --"."Tab ""le"" é;" VALUES (41, NULL, 'old', 41), (42, now(), 'old', 42);
           CREATE TABLE days (d date, state text);
           INSERT INTO days SELECT current_date - n, CASE WHEN n % 2 = 0 THEN 'x' END FROM generate_series(0, 9) AS n;
           CREATE TYPE kind AS ENUM ('a', 'b');
           CREATE DOMAIN moment AS timestamptz;
           CREATE TABLE kinds (at moment, k kind);
           INSERT INTO kinds SELECT now() - interval '3 days', (ARRAY['a', 'b', NULL]::kind[])[n % 3 + 1] FROM generate_series(1, 9) AS n"#,
    );
    place.configure(
        r#"
    max_share: 100
    rows:
    - schema: "o'1; DROP TABLE x --"
      table: "Tab \"le\" é;"
      column: when at
      older_than: 1d
      where:
      - {column: "a'b", in: [old, "'", "much longer than three"]}
      - {column: n, is_not: 4}
    - {table: days, column: d, older_than: 5d, where: [{column: state, is_null: false}]}
    - {table: kinds, column: at, older_than: 1d, where: [{column: k, not_in: [a]}]}
"#,
    );
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(0);
    // Of 40: 10 each 'old' (n % 4 = 0) and quote (n % 4 = 2); not the one with n = 4. NULL is neither in nor out.
    let done: Vec<String> = states(&outcome).into_iter().filter(|step| step.contains(" done ")).collect();
    let expected = [r#"delete o'1; DROP TABLE x --.Tab "le" é; done 19"#, "delete days done 2", "delete kinds done 3"];
    assert_eq!(done, expected);
    let left = place.scalar(
        r#"SELECT (SELECT count(*) FROM "o'1; DROP TABLE x --"."Tab ""le"" é;") || ' ' || (SELECT string_agg((current_date - d)::text, ',' ORDER BY d DESC) FROM days)
           || ' ' || (SELECT count(*) FROM kinds WHERE k IS DISTINCT FROM 'b')"#,
    );
    assert_eq!(left, "23 0,1,2,3,4,5,7,9 6");
}

#[test]
fn a_known_table_may_be_missing_and_a_named_one_may_not() {
    let place = Place::new("prune_missing");
    place.execute("CREATE TABLE conflicts (id int, status text, resolved_on date); CREATE VIEW v AS SELECT now() AS at; CREATE TABLE t (at text)");
    let outcome = place.prune(&["--yes"]);
    outcome.assert_code(0);
    let expected =
        ["delete sync_operations skipped -", "delete conflicts skipped -", "delete performance_metrics skipped -"];
    assert_eq!(states(&outcome), expected);
    assert!(outcome.records_of_kind("prune.step").iter().all(|step| step["severity"] == "info"));
    place.configure(
        r"
    rows:
    - {table: nowhere, column: at, older_than: 1d}
    - {table: v, column: at, older_than: 1d}
    - {table: t, column: at, older_than: 1d}
    - {table: t, column: then, older_than: 1d}
    - {table: conflicts, column: resolved_on, older_than: 1d, where: [{column: id, is: many}]}
",
    );
    let outcome = place.prune(&["--yes"]);
    outcome.assert_code(3);
    let messages: Vec<String> = outcome
        .records_of_kind("prune.step")
        .iter()
        .filter(|step| step["state"] == "failed")
        .map(|step| step["message"].as_str().expect("a text").to_owned())
        .collect();
    for (message, expected) in messages.iter().zip([
        "there is no table nowhere; check maintenance.prune.rows",
        "v is no table whose rows can be deleted here (its kind is v)",
        "column \"at\" of t is of type text; give one of type timestamptz, timestamp or date",
        "table t has no column \"then\"",
        "invalid input syntax for type integer: \"many\"",
    ]) {
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(messages.len(), 5, "{messages:#?}");
}

#[test]
fn what_hides_rows_or_forbids_is_named_beforehand() {
    let place = Place::new("prune_rights");
    let user = place.database.user();
    place.admin(&format!(
        "CREATE TABLE performance_metrics (id int, timestamp timestamptz); GRANT SELECT ON performance_metrics TO {user};
         CREATE TABLE conflicts (id int, status text, resolved_at timestamptz);
         GRANT SELECT, DELETE, UPDATE ON conflicts TO {user};
         INSERT INTO conflicts SELECT n, 'resolved', now() - CASE WHEN n < 40 THEN interval '1 year' ELSE '1 hour' END FROM generate_series(1, 100) AS n;
         ALTER TABLE conflicts ENABLE ROW LEVEL SECURITY;
         CREATE POLICY even ON conflicts USING (id % 2 = 0);
         CREATE TABLE sync_operations (id int, started_at timestamptz); GRANT ALL ON sync_operations TO {user};
         INSERT INTO sync_operations SELECT n, now() - CASE WHEN n < 4 THEN interval '1 year' ELSE '1 hour' END FROM generate_series(1, 10) AS n;
         CREATE TABLE fired (id int); GRANT ALL ON fired TO {user};
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO fired VALUES (OLD.id); RETURN OLD; END';
         CREATE TRIGGER \"note it\" AFTER DELETE ON sync_operations FOR EACH ROW EXECUTE FUNCTION note()"
    ));
    let outcome = place.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(3);
    let message = |name: &str, state: &str| {
        let steps = outcome.records_of_kind("prune.step");
        let step = steps.iter().find(|step| step["object"] == name && step["state"] == state);
        step.unwrap_or_else(|| panic!("{name} {state}\n{outcome}"))["message"].as_str().expect("a text").to_owned()
    };
    let rights = "we may not prune table performance_metrics; GRANT DELETE, UPDATE (of one column, to lock rows)";
    assert_eq!(message("performance_metrics", "failed"), rights);
    let hidden = message("conflicts", "planned");
    assert!(hidden.ends_with("row security hides rows from us; they are neither counted nor deleted"), "{hidden}");
    let fires = message("sync_operations", "planned");
    assert!(fires.ends_with("; each row fires note it"), "{fires}");
    assert_eq!(place.admin_scalar("SELECT count(*) FROM conflicts"), "81");
    assert_eq!(place.scalar("SELECT string_agg(id::text, ',' ORDER BY id) FROM fired"), "1,2,3");
}
