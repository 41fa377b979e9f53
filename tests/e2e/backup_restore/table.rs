//! Single tables, into a schema of their own beside what is there.

use pso_tests::fingerprint;

use crate::parts::Parts;

#[test]
fn a_table_is_put_beside_the_live_one() {
    let parts = Parts::start("br_table");
    parts
        .database
        .execute(
            r#"CREATE SCHEMA "Été . 1";
               CREATE TYPE mood AS ENUM ('sad', 'glad');
               CREATE TABLE "Été . 1"."a ""b""" (id int GENERATED ALWAYS AS IDENTITY, mood public.mood, twice int GENERATED ALWAYS AS (id * 2) STORED, CHECK (id > 0));
               INSERT INTO "Été . 1"."a ""b""" (mood) VALUES ('sad'), ('glad');
               CREATE UNIQUE INDEX "public.x ON y" ON "Été . 1"."a ""b""" (id) WHERE mood <> 'sad';
               ALTER TABLE "Été . 1"."a ""b""" ADD CONSTRAINT "the key" PRIMARY KEY (id);
               CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent);
               CREATE TABLE parted (id int) PARTITION BY LIST (id); CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1);
               INSERT INTO parted VALUES (1);"#,
        )
        .expect("filled");
    parts.backup(&["--only", "postgres"]).assert_code(0);
    let all = |sql: &str| parts.database.rows(sql).expect("rows");
    let tasks = all("SELECT t::text FROM tasks AS t ORDER BY id");
    let hard = all(r#"SELECT t::text FROM "Été . 1"."a ""b""" AS t ORDER BY id"#);
    parts.database.execute("DELETE FROM conflicts; DELETE FROM tasks").expect("damaged");
    let live = fingerprint::tables(&mut parts.database.connect().expect("connected")).expect("rows");
    let schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'pso_restored_%'";

    let wanted = [
        "latest",
        "--table",
        "public.tasks",
        "--table",
        r#"Été . 1.a "b""#,
        "--table",
        "public.part_1",
        "--table",
        "public.tasks",
    ];
    let outcome = parts.restore(&[wanted.as_slice(), &["--dry-run"]].concat());
    outcome.assert_code(0).assert_quiet();
    assert_eq!(outcome.records_of_kind("restore.step").len(), 3, "{outcome}");
    assert!(all(schemas).is_empty());
    parts.restore(&wanted).assert_code(3).assert_stderr_has("--yes");

    let outcome = parts.restore(&[wanted.as_slice(), &["--yes"]].concat());
    outcome.assert_code(0).assert_quiet().assert_no_secret(&[parts.database.password()]);
    let done = outcome.records_of_kind("restore.step").into_iter().find(|step| step["state"] == "done").expect("done");
    assert_eq!((&done["object"], &done["rows"]), (&"public.tasks".into(), &tasks.len().into()));
    let found = all(schemas);
    let schema = found[0][0].clone().expect("a name");
    assert_eq!(found.len(), 1);
    assert_eq!(all(&format!("SELECT t::text FROM {schema}.tasks AS t ORDER BY id")), tasks);
    assert_eq!(all(&format!(r#"SELECT t::text FROM {schema}."a ""b""" AS t ORDER BY id"#)), hard);
    assert_eq!(all(&format!("SELECT id::text FROM {schema}.part_1")), [[Some("1".to_owned())]]);
    // Indexes and constraints that need no other table.
    let of = |schema: &str, table: &str| {
        let sql = format!(
            "SELECT (SELECT string_agg(indexname, ',' ORDER BY indexname) FROM pg_indexes WHERE schemaname = '{schema}' AND tablename = '{table}'),
                    (SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE contype <> 'f' AND conrelid = (SELECT oid FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relname = '{table}'))"
        );
        all(&sql)
    };
    assert_eq!(of(&schema, "tasks"), of("public", "tasks"));
    let (index, key) = (of(&schema, "a \"b\"")[0][0].clone(), of(&schema, "a \"b\"")[0][1].clone());
    assert_eq!(index.as_deref(), Some("public.x ON y,the key"));
    assert_eq!(key.as_deref(), Some("a \"b\"_id_check,the key"));
    // Nothing else was touched: not the tables, and nobody inherits or is referred to.
    live.assert_same(&fingerprint::tables(&mut parts.database.connect().expect("connected")).expect("rows"));
    let touching = format!(
        "SELECT count(*) FROM pg_inherits WHERE inhrelid IN (SELECT oid FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r')"
    );
    assert_eq!(parts.database.scalar(&touching).expect("a count"), "0");
    parts.database.execute(&format!("DROP SCHEMA {schema} CASCADE")).expect("dropped");
    live.assert_same(&fingerprint::tables(&mut parts.database.connect().expect("connected")).expect("rows"));
    parts.assert_no_trace_of_restore();
}

#[test]
fn a_table_that_cannot_be_had_alone_is_refused() {
    let parts = Parts::start("br_no_table");
    parts
        .database
        .execute(
            "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE moody (mood mood); INSERT INTO moody VALUES ('sad');
             CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent);
             CREATE TABLE parted (id int) PARTITION BY LIST (id); CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1)",
        )
        .expect("filled");
    parts.backup(&["--only", "postgres"]).assert_code(0);
    for (table, said) in [
        ("public.nothing", "has no table public.nothing, but:"),
        ("tasks", "name it with its schema"),
        ("public.parted", "name its partitions"),
        ("public.child", "part of another table"),
    ] {
        parts.restore(&["latest", "--yes", "--table", table]).assert_code(3).assert_stderr_has(said);
    }
    parts.restore(&["latest", "--table", "public.tasks", "--only", "plans"]).assert_code(3);
    // What the server refuses in the middle leaves nothing.
    parts.database.execute("DROP TABLE moody; DROP TYPE mood").expect("dropped");
    let outcome = parts.restore(&["latest", "--yes", "--table", "public.tasks", "--table", "public.moody"]);
    outcome.assert_code(2).assert_stderr_has("everything is as it was before").assert_stderr_has("mood");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pso_restored_%'";
    assert_eq!(parts.database.scalar(schemas).expect("a count"), "0");
}
