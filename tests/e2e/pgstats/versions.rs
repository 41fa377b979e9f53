//! `pso-pgstats` on every version of PostgreSQL that is there, on a standby, and as whoever asks: a section may be unable to
//! show something, but then it says so, and nothing fails.
//!
//! `make test` has the installed version and the newest; `make test-pg-matrix` fetches and requires all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::JoinHandle;

use postgres::Client;
use pso_tests::pg::{self, Database, TempPg};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;

use super::{STATISTICS, database, major, text, tool};

/// Who asks: all see everything, the other sessions and statements, or nothing of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Superuser,
    Monitor,
    Nobody,
}

const ROLES: &str =
    "CREATE ROLE pgstats_monitor LOGIN PASSWORD 'monitor-watchword'; GRANT pg_monitor TO pgstats_monitor;
                     CREATE ROLE pgstats_nobody LOGIN PASSWORD 'nobody-watchword'";

impl Who {
    const ALL: [Self; 3] = [Self::Superuser, Self::Monitor, Self::Nobody];

    fn env(self, server: &TempPg) -> [(&'static str, String); 2] {
        let (user, password) = match self {
            Self::Superuser => ("postgres", server.admin_password()),
            Self::Monitor => ("pgstats_monitor", "monitor-watchword"),
            Self::Nobody => ("pgstats_nobody", "nobody-watchword"),
        };
        [("PGUSER", user.to_owned()), ("PGPASSWORD", password.to_owned())]
    }
}

/// A server on which there is something to say in every section.
struct Busy {
    database: Database,
    /// Holds a row that `blocked` waits for.
    blocker: Client,
    blocked: JoinHandle<()>,
}

const SCHEMA: &str = r#"
    CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text UNIQUE);
    CREATE TABLE child (id serial PRIMARY KEY, parent_id int REFERENCES parent, span int4range, EXCLUDE USING gist (span WITH &&));
    CREATE INDEX child_span ON child (parent_id, span); CREATE INDEX child_again ON child (parent_id);
    CREATE TABLE parts (id bigint, at timestamptz) PARTITION BY RANGE (id);
    CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (100000); CREATE INDEX ON parts (at);
    CREATE MATERIALIZED VIEW seen AS SELECT generate_series(1, 100) AS n; CREATE UNLOGGED TABLE unlogged (n int);
    CREATE SEQUENCE "Odd ""name" AS smallint MAXVALUE 300; SELECT nextval('"Odd ""name"') FROM generate_series(1, 299);
    INSERT INTO parent (code) SELECT n::text || repeat('x', 100) FROM generate_series(1, 5000) AS n;
    INSERT INTO child (parent_id, span) SELECT n, int4range(n, n + 1) FROM generate_series(1, 5000) AS n;
    INSERT INTO parts SELECT n, now() FROM generate_series(1, 5000) AS n;
    ANALYZE; DELETE FROM child WHERE id > 2500; SELECT * FROM child WHERE parent_id = 7;
    SELECT pg_sleep(0.05)"#;

impl Busy {
    fn on(server: &TempPg) -> Self {
        let database = server.database("pgstats_busy").expect("a database");
        database.execute_as_admin(ROLES).expect("the roles");
        database.enable_statements().expect("statements");
        database.execute(SCHEMA).expect("created");
        // Before any transaction is left open: a logical slot begins where all that were open have ended.
        database
            .execute_as_admin(
                "SELECT pg_create_physical_replication_slot('left_physical', true);
                 SELECT pg_create_logical_replication_slot('left_logical', 'pgoutput'); CREATE PUBLICATION everything FOR ALL TABLES",
            )
            .expect("slots");
        database
            .execute("BEGIN; INSERT INTO parent (code) VALUES ('prepared'); PREPARE TRANSACTION 'left'")
            .expect("prepared");
        let mut blocker = database.connect().expect("connected");
        blocker.batch_execute("BEGIN; UPDATE parent SET code = 'blocked' WHERE id = 1").expect("held");
        let mut waiting = database.connect().expect("connected");
        // Ends when the blocker does.
        let blocked =
            std::thread::spawn(move || drop(waiting.batch_execute("UPDATE parent SET code = '' WHERE id = 1")));
        let counted = "SELECT 1 FROM pg_stat_user_tables, pg_stat_activity
                       WHERE relname = 'child' AND n_dead_tup = 2500 AND wait_event_type = 'Lock' AND datname = current_database()";
        wait::until("the statistics and the blocked session", STATISTICS, || database.scalar(counted).ok())
            .expect("seen");
        Self { database, blocker, blocked }
    }

    fn end(self) {
        drop(self.blocker);
        self.blocked.join().expect("ends");
    }
}

/// Autovacuum would change between two runs what they see.
fn busy_server(major: u32) -> TempPg {
    let builder = TempPg::builder().version(major).setting("autovacuum", "off").setting("wal_level", "logical");
    // Nothing that a test does may wait for ever.
    builder.setting("max_prepared_transactions", "4").setting("statement_timeout", "60s").start().expect("PostgreSQL")
}

/// All sections, with limits that let what was just made be judged.
fn run(server: &TempPg, database: &Database, who: Who) -> Outcome {
    let args = ["--min-stats-age", "0s", "--min-mean", "20ms", "--deadline", "50s"];
    tool(database, &args).envs(who.env(server)).run().expect("ends")
}

/// The names of all sections, as the tool itself lists them, but the one that is shown only with a baseline.
fn listed() -> Vec<String> {
    let outcome =
        Tool::new("pso-pgstats").expect("built").arg("--list").folder(std::env::temp_dir()).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    let mut names: Vec<_> =
        outcome.records_of_kind("pg.section").iter().map(|section| text(section, "name").to_owned()).collect();
    names.retain(|name| name != "changes");
    assert!(names.len() >= 6, "{outcome}");
    names
}

/// What a section showed.
#[derive(Default)]
struct Shown {
    severity: String,
    message: String,
    rows: usize,
    /// Of each kind, what its records tell at all.
    fields: BTreeMap<String, BTreeSet<String>>,
}

/// Cuts a run's records into sections, each of which ends with its `pg.section`.
fn sections(outcome: &Outcome) -> Vec<(String, Shown)> {
    let (mut sections, mut shown) = (Vec::new(), Shown::default());
    for record in outcome.records() {
        match text(&record, "kind") {
            "run.start" | "run.end" | "pg.server" => {}
            "pg.section" => {
                let mut ended = std::mem::take(&mut shown);
                (ended.severity, ended.message) = (text(&record, "severity").into(), text(&record, "message").into());
                sections.push((text(&record, "name").to_owned(), ended));
            }
            kind => {
                shown.rows += 1;
                let told =
                    record.as_object().expect("an object").keys().filter(|field| !FLEETING.contains(&field.as_str()));
                shown.fields.entry(kind.to_owned()).or_default().extend(told.cloned());
            }
        }
    }
    sections
}

/// What comes and goes with what the server does, whoever looks: PostgreSQL measures no lag where nothing is written.
const FLEETING: [&str; 3] = ["write_lag_ms", "flush_lag_ms", "replay_lag_ms"];

/// All sections as everybody: nothing is `unknown`, the superuser is not sent for rights, and where others see less they are told.
fn everybody_is_told(server: &TempPg, database: &Database, place: &str) {
    let names = listed();
    let mut all: Vec<(String, Shown)> = Vec::new();
    for who in Who::ALL {
        let outcome = run(server, database, who);
        let scene = format!("{who:?} on {place}\n{outcome}");
        assert!(outcome.stderr.is_empty() && matches!(outcome.code, Some(0..=2)), "{scene}");
        outcome.assert_no_secret(&[
            server.admin_password(),
            database.password(),
            "monitor-watchword",
            "nobody-watchword",
        ]);
        let failed = outcome.records().into_iter().find(|record| record["severity"] == "unknown");
        assert!(failed.is_none(), "{failed:?}\n{scene}");
        let sections = sections(&outcome);
        assert_eq!(sections.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names, "{scene}");
        if who == Who::Superuser {
            let sent = sections.iter().find(|(_, shown)| shown.message.contains("GRANT"));
            assert!(sent.is_none(), "a superuser is asked for rights\n{scene}");
            all = sections;
            continue;
        }
        for ((name, shown), (_, whole)) in sections.iter().zip(&all) {
            let missing: Vec<_> = whole
                .fields
                .iter()
                .filter_map(|(kind, fields)| {
                    let told = shown.fields.get(kind)?;
                    let hidden: Vec<_> = fields.difference(told).collect();
                    (!hidden.is_empty()).then(|| format!("{kind}: {hidden:?}"))
                })
                .collect();
            let less = shown.rows < whole.rows || !missing.is_empty();
            let said = shown.severity == "info" && !shown.message.is_empty();
            let rows = (shown.rows, whole.rows);
            assert!(
                !less || said,
                "section {name} hides something and does not say so: {rows:?} rows, {missing:?}\n{scene}"
            );
        }
    }
}

#[test]
fn every_version_shows_everybody_what_it_can() {
    for major in pg::versions().expect("PostgreSQL") {
        let server = busy_server(major);
        let busy = Busy::on(&server);
        everybody_is_told(&server, &busy.database, &format!("PostgreSQL {major}"));
        let outcome = run(&server, &busy.database, Who::Nobody);
        for section in ["activity", "statements"] {
            let end = outcome.record("pg.section", section);
            assert!(end["severity"] == "info" && text(&end, "message").contains("GRANT"), "{major}: {end}");
        }
        busy.end();
    }
}

#[test]
fn the_newest_version_shows_a_superuser_everything() {
    let newest = pg::newest().expect("a version");
    let server = busy_server(newest);
    let busy = Busy::on(&server);
    for (name, shown) in sections(&run(&server, &busy.database, Who::Superuser)) {
        assert_eq!(shown.severity, "ok", "section {name}: {}", shown.message);
    }
    busy.end();
}

#[test]
fn a_standby_shows_everybody_what_it_can() {
    let newest = pg::newest().expect("a version");
    let server = busy_server(newest);
    let busy = Busy::on(&server);
    let standby = server.standby_with(&[("hot_standby_feedback", "on")]).expect("a standby");
    standby.catch_up(&server).expect("caught up");
    let replica = standby.replica_of(&busy.database);
    let mut open = replica.connect().expect("connected");
    open.batch_execute("BEGIN; SELECT * FROM parent").expect("read");
    everybody_is_told(&standby, &replica, &format!("a standby of PostgreSQL {newest}"));
    // And the primary that has one.
    everybody_is_told(&server, &busy.database, &format!("PostgreSQL {newest} with a standby"));
    drop(open);
    busy.end();
}

/// The statements as they stand there, except for what is for the reader to fill in, and for what this server has already.
#[test]
fn who_has_what_the_readme_grants_is_sent_for_nothing() {
    let readme = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let block = readme.split("```sql\n").find(|block| block.starts_with("CREATE ROLE watcher")).expect("a block");
    let sql = block.split("```").next().expect("an end").replace('…', "watcher-watchword");
    let sql = sql.replace("CREATE EXTENSION", "CREATE EXTENSION IF NOT EXISTS");
    // The packages of npm have no pgstattuple.
    let installed = major(&database("pgstats_readme"));
    let server = busy_server(installed);
    let busy = Busy::on(&server);
    for line in sql.lines() {
        busy.database.execute_as_admin(line).unwrap_or_else(|error| panic!("{line}: {error:#}"));
    }
    let watching = tool(&busy.database, &["--exact", "--deadline", "50s"]);
    let outcome = watching.env("PGUSER", "watcher").env("PGPASSWORD", "watcher-watchword").run().expect("ends");
    for (name, shown) in sections(&outcome) {
        assert!(!shown.message.contains("GRANT"), "section {name}: {}", shown.message);
    }
    assert!(outcome.records_of_kind("pg.bloat").iter().any(|record| record["estimated"] == false), "{outcome}");
    busy.end();
}

/// Only `make test-pg-matrix` fetches such versions, and then requires them.
#[test]
fn a_version_that_is_too_old_is_refused() {
    for major in pg::refused_versions().expect("a list") {
        let server = TempPg::of_version(major).expect("PostgreSQL");
        let database = server.database("pgstats_old").expect("a database");
        let outcome = run(&server, &database, Who::Superuser);
        outcome.assert_code(3).assert_stderr_has(&format!("this is PostgreSQL {major}."));
        outcome.assert_stderr_has("pso-pgstats reads PostgreSQL 13 and newer");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
        assert_eq!(outcome.records().len(), 2, "{outcome}");
    }
}
