//! What a database may hold, and what files and a service may be like.

use std::fs;
use std::path::PathBuf;

use pso_tests::pg::TempPg;

use crate::parts::{Parts, checked, on_own_server};

/// What a database may hold beside plain tables.
const VARIETY: &str = r#"
    CREATE TABLE measured (at date NOT NULL, value int) PARTITION BY RANGE (at);
    CREATE TABLE measured_2025 PARTITION OF measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE measured_2026 PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO measured SELECT '2025-12-25'::date + n, n FROM generate_series(1, 20) AS n;
    CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent);
    INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3);
    CREATE SCHEMA "Été . 1"; CREATE TABLE "Été . 1"."a ""b""" (id int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (7 * 2) STORED);
    INSERT INTO "Été . 1"."a ""b""" DEFAULT VALUES;
    CREATE TABLE empty (); CREATE TABLE no_key (content text); INSERT INTO no_key VALUES ('x'), ('x'), (NULL), (E'tab\tback\\slash');
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM no_key;
    CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS one;
    -- An extension in a schema of its own, which has other things too.
    CREATE SCHEMA apart; CREATE EXTENSION citext SCHEMA apart;
    CREATE TABLE apart.cased (text apart.citext); INSERT INTO apart.cased VALUES ('Été');
    -- Made before what others made later are given.
    CREATE FUNCTION for_all() RETURNS int LANGUAGE sql AS 'SELECT 1';
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES IN SCHEMA apart GRANT SELECT, INSERT ON TABLES TO PUBLIC;
    CREATE FUNCTION for_few() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE TABLE apart.shared (id int);
"#;

#[test]
fn whatever_a_database_may_hold_is_back() {
    let parts = Parts::start("br_variety");
    // An extension of a superuser's, which the owner can neither drop nor create.
    parts.database.enable_statements().expect("an extension");
    parts.database.execute(VARIETY).expect("filled");
    let facts = || {
        let queries = [
            "SELECT tableoid::regclass::text, at::text, value::text FROM measured ORDER BY 2",
            "SELECT tableoid::regclass::text, id::text FROM parent ORDER BY 2",
            r#"SELECT id::text, twice::text FROM "Été . 1"."a ""b""""#,
            "SELECT n::text FROM counted",
            "SELECT encode(lo_get(oid), 'hex') FROM pg_largeobject_metadata",
            "SELECT extname::text FROM pg_extension ORDER BY 1",
            "SELECT text::text FROM apart.cased",
            "SELECT proname::text, (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(proacl) AS a) FROM pg_proc WHERE proname LIKE 'for\\_%' ORDER BY 1",
            "SELECT relname::text, (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(relacl) AS a) FROM pg_class WHERE relnamespace = 'apart'::regnamespace ORDER BY 1",
            "SELECT defaclnamespace::regnamespace::text, defaclobjtype::text, (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(defaclacl) AS a) FROM pg_default_acl ORDER BY 1, 2",
            "SELECT relname::text, relpersistence::text, pg_get_userbyid(relowner)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'pg_stat%' ORDER BY 1",
        ];
        queries.map(|query| parts.database.rows(query).expect("facts"))
    };
    let rows =
        parts.backup(&["--only", "postgres"]).assert_code(0).record("backup.component", "postgres")["rows"].clone();
    assert_eq!((&rows["public.parent"], &rows["public.child"]), (&1.into(), &2.into()));
    assert_eq!((&rows["public.measured_2026"], &rows[r#""Été . 1"."a ""b""""#]), (&14.into(), &1.into()));
    assert!(rows.get("public.measured").is_none() && rows.get("public.counted").is_none());
    let lose = r#"DROP TABLE measured, parent CASCADE; DROP SCHEMA "Été . 1" CASCADE; TRUNCATE no_key; SELECT lo_unlink(oid) FROM pg_largeobject_metadata"#;
    for by_superuser in [false, true] {
        if by_superuser {
            // In place they are refused: see below.
            parts.database.execute("SELECT lo_from_bytea(0, '\\xdeadbeef')").expect("a large object");
            parts.backup(&["--only", "postgres"]).assert_code(0);
        }
        let (before, facts_before) = (parts.content(), facts());
        parts.database.execute(lose).expect("damaged");
        let mut tool = parts.tool("pso-restore", &["latest", "--yes"]);
        if by_superuser {
            let pg = TempPg::shared().expect("PostgreSQL");
            tool = tool.env("PGUSER", "postgres").env("PGPASSWORD", pg.admin_password());
        }
        checked(tool).assert_code(0);
        before.assert_same(&parts.content());
        assert_eq!(facts(), facts_before, "by a superuser: {by_superuser}");
        if !by_superuser {
            continue;
        }
        let kept =
            parts.database.rows("SELECT datname::text FROM pg_database WHERE datname LIKE 'br_variety_before_%'");
        for name in kept.expect("databases").into_iter().flatten().flatten() {
            let admin = TempPg::shared().expect("PostgreSQL").admin("postgres");
            admin.expect("connected").batch_execute(&format!("DROP DATABASE \"{name}\"")).expect("dropped");
        }
    }
}

#[test]
fn a_service_that_is_not_well_is_a_warning_and_files_keep_their_owner() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let parts = Parts::start("br_service");
    let plans = parts.path("roadmaps/plans");
    let is_root = fs::metadata(&plans).expect("there").uid() == 0;
    if is_root {
        chown(&plans, Some(12345), Some(12346)).expect("given away");
    }
    parts.archive();
    let lost: PathBuf = fs::read_dir(&plans)
        .expect("plans")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_file())
        .expect("a plan");
    fs::remove_file(&lost).expect("removed");
    fs::remove_dir_all(plans.join("consolidated")).expect("removed");
    parts.service.set(|state| state.degrade("database.qdrant", "unhealthy"));
    let config = parts.path("config/config.yaml");
    let text = fs::read_to_string(&config).expect("readable");
    let patient = text.replace("\nmaintenance:\n", "\nmaintenance:\n  restore: {health_timeout: 1s}\n");
    assert_ne!(patient, text);
    fs::write(&config, patient).expect("written");
    let outcome = parts.restore(&["latest", "--yes", "--only", "plans"]);
    outcome.assert_code(1);
    let health = outcome.records_of_kind("restore.step").pop().expect("a step");
    assert_eq!(
        (&health["step"], &health["state"], &health["severity"]),
        (&"health".into(), &"failed".into(), &"warning".into())
    );
    if is_root {
        for path in [lost, plans.join("consolidated")] {
            let metadata = fs::metadata(&path).expect("back");
            assert_eq!((metadata.uid(), metadata.gid()), (12345, 12346), "{}", path.display());
        }
    }
}

#[test]
fn a_database_of_any_bytes_comes_back() {
    // Its statements are no text for others: on a server of its own they make nobody else's unreadable.
    let (pg, parts) = on_own_server("br_bytes");
    let create = "CREATE DATABASE br_any_bytes OWNER sync_user TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
    pg.admin("postgres").expect("connected").batch_execute(create).expect("created");
    let fill = "CREATE TABLE raw AS SELECT convert_from('\\xe9ff'::bytea, 'SQL_ASCII') AS bytes;
        DO $$ BEGIN EXECUTE 'COMMENT ON TABLE raw IS ' || quote_literal((SELECT bytes FROM raw)); END $$;
        ALTER TABLE raw OWNER TO sync_user";
    pg.admin("br_any_bytes").expect("connected").batch_execute(fill).expect("filled");
    let found = || -> (String, String) {
        let query = "SELECT encode(convert_to(bytes, 'SQL_ASCII'), 'hex'),
            encode(convert_to(obj_description('raw'::regclass), 'SQL_ASCII'), 'hex') FROM raw";
        let row = pg.admin("br_any_bytes").expect("connected").query_one(query, &[]).expect("a row");
        (row.get(0), row.get(1))
    };
    assert_eq!(found(), ("e9ff".to_owned(), "e9ff".to_owned()));
    let only = ["--only", "postgres", "--pg-dbname", "br_any_bytes"];
    let tool = |name: &str, args: &[&str]| parts.tool(name, args).envs(parts.database.env());
    checked(tool("pso-backup", &only)).assert_code(0);
    pg.admin("br_any_bytes").expect("connected").batch_execute("DROP TABLE raw").expect("lost");
    let tool = tool("pso-restore", &[&["latest", "--yes"], &only[..]].concat());
    let tool = tool.env("PGUSER", "postgres").env("PGPASSWORD", pg.admin_password());
    checked(tool).assert_code(0);
    assert_eq!(found(), ("e9ff".to_owned(), "e9ff".to_owned()));
}
