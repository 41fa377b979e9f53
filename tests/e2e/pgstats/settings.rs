//! `settings`: what somebody has set on a real server, and the rules that judge it. Passwords in settings stay in the server.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::Outcome;
use pso_tests::wait;
use serde_json::Value;

use super::{STATISTICS, advised_no_more, message, names, of_rule, text, tool};

/// As a superuser, and with no advice accepted.
fn run(database: &Database, server: &TempPg, args: &[&str]) -> Outcome {
    let tool = tool(database, args).env("PGUSER", "postgres").env("PGPASSWORD", server.admin_password());
    tool.env("PSO_PGSTATS_ACCEPT", "").run().expect("ends")
}

/// The advice of the rule about this setting, once it is there, or gone.
fn judged(database: &Database, server: &TempPg, name: &str, wanted: bool) -> Option<Value> {
    wait::until(&format!("the advice {name}: {wanted}"), STATISTICS, || {
        let outcome = run(database, server, &["advice"]);
        let found = outcome.records_of_kind("pg.advice").into_iter().find(|advice| advice["name"] == name);
        (found.is_some() == wanted).then_some(found)
    })
    .expect("judged")
}

fn advised(database: &Database, server: &TempPg, name: &str) -> Value {
    judged(database, server, name, true).expect("advised")
}

/// ALTER SYSTEM runs outside of a transaction only, so each statement goes alone.
fn set(database: &Database, sql: &str) {
    database.execute_as_admin(sql).unwrap_or_else(|error| panic!("{sql}: {error:#}"));
    database.execute_as_admin("SELECT pg_reload_conf()").expect("reloaded");
}

/// One more line of the server's postgresql.conf.
fn add_line(server: &TempPg, line: &str) {
    let path = server.data_folder().join("postgresql.conf");
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("the file");
    writeln!(file, "{line}").expect("written");
}

/// What the files and the overrides say.
fn state(database: &Database, name: &str) -> String {
    let state = format!(
        "SELECT (SELECT reset_val || ' ' || source FROM pg_settings WHERE name = '{name}') || coalesce((
             SELECT string_agg(concat_ws(' ', setdatabase, setrole, c), ';' ORDER BY setdatabase, setrole, c) FROM pg_db_role_setting, unnest(setconfig) AS c), '')"
    );
    let mut admin = database.connect_as_admin().expect("connected");
    admin.query_one(&state, &[]).expect("asked").get(0)
}

/// The advice, what follows it, that it is gone, and the way back.
fn there_and_back(database: &Database, server: &TempPg, setting: &str, object: &str) -> Value {
    let name = format!("setting_dangerous:{object}");
    let advice = advised(database, server, &name);
    let before = state(database, setting);
    set(database, text(&advice, "sql"));
    judged(database, server, &name, false);
    assert_ne!(state(database, setting), before);
    set(database, text(&advice, "undo_sql"));
    advised(database, server, &name);
    assert_eq!(state(database, setting), before);
    advice
}

#[test]
fn dangerous_settings_are_advised_where_they_are_set() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("it's \"set\"").expect("a database");
    database.execute_as_admin("CREATE ROLE \"a \"\"role\"\"\"").expect("a role");
    // The harness gives these when it starts the server.
    for name in ["fsync", "full_page_writes"] {
        let advice = advised(&database, &server, &format!("setting_dangerous:{name}"));
        assert_eq!((&advice["severity"], advice.get("sql")), (&"high".into(), None), "{advice}");
        assert!(message(&advice).contains("given when the server was started"), "{advice}");
        assert_eq!(advice["evidence"]["source"], "command line", "{advice}");
    }
    run(&database, &server, &["advice"]).assert_code(2);
    let accepted = super::run(&database, &["advice"]);
    accepted.assert_code(0);
    assert_eq!(of_rule(&accepted, "setting_dangerous"), [""; 0], "{accepted}");

    // In postgresql.conf, by ALTER SYSTEM, and set to what is safe: the twin.
    add_line(&server, "ignore_checksum_failure = on");
    set(&database, "ALTER SYSTEM SET autovacuum = off");
    set(&database, "ALTER SYSTEM SET zero_damaged_pages = off");
    let line = there_and_back(&database, &server, "ignore_checksum_failure", "ignore_checksum_failure");
    assert_eq!(
        (&line["severity"], text(&line, "undo_sql")),
        (&"high".into(), "ALTER SYSTEM RESET ignore_checksum_failure")
    );
    assert!(text(&line["evidence"], "sourcefile").contains("postgresql.conf:"), "{line}");
    let system = there_and_back(&database, &server, "autovacuum", "autovacuum");
    assert_eq!(
        (&system["severity"], text(&system, "undo_sql")),
        (&"warning".into(), "ALTER SYSTEM SET autovacuum = off")
    );
    judged(&database, &server, "setting_dangerous:zero_damaged_pages", false);

    // Of a role, a database, both, and all.
    for (alter, object) in [
        ("ALTER DATABASE \"it's \"\"set\"\"\"", "zero_damaged_pages (database it's \"set\")"),
        ("ALTER ROLE \"a \"\"role\"\"\"", "zero_damaged_pages (role a \"role\")"),
        (
            "ALTER ROLE \"a \"\"role\"\"\" IN DATABASE \"it's \"\"set\"\"\"",
            "zero_damaged_pages (role a \"role\" in database it's \"set\")",
        ),
        ("ALTER ROLE ALL", "zero_damaged_pages (all roles)"),
    ] {
        set(&database, &format!("{alter} SET zero_damaged_pages = on; {alter} SET synchronous_commit = off"));
        let advice = there_and_back(&database, &server, "zero_damaged_pages", object);
        assert_eq!(text(&advice, "sql"), format!("{alter} RESET zero_damaged_pages"));
        let outcome = run(&database, &server, &["advice"]);
        // Of what the tool's own session has, the override is told and not the effect.
        let own: Vec<_> =
            of_rule(&outcome, "setting_dangerous").into_iter().filter(|name| name.contains("zero")).collect();
        assert_eq!(own, [format!("setting_dangerous:{object}")], "{outcome}");
        set(&database, &format!("{alter} RESET zero_damaged_pages; {alter} RESET synchronous_commit"));
    }
    assert_eq!(state(&database, "zero_damaged_pages"), "off configuration file");
}

#[test]
fn what_waits_for_a_restart_is_advised_until_it_came() {
    let mut server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("pgstats_pending").expect("a database");
    let name = "setting_pending:max_locks_per_transaction";
    assert_eq!(of_rule(&run(&database, &server, &["advice"]), "setting_pending"), [""; 0]);
    set(&database, "ALTER SYSTEM SET max_locks_per_transaction = 100");
    set(&database, "ALTER SYSTEM SET maintenance_work_mem = '5MB'");
    let advice = advised(&database, &server, name);
    assert_eq!(
        (&advice["severity"], &advice["evidence"]["pending_setting"]),
        (&"info".into(), &"100".into()),
        "{advice}"
    );
    assert!(message(&advice).contains("works with 64, and ") && message(&advice).contains(" says 100"), "{advice}");
    assert!(text(&advice["evidence"], "pending_source").contains("postgresql.auto.conf:"), "{advice}");
    let outcome = run(&database, &server, &["settings", "advice"]);
    assert_eq!(of_rule(&outcome, "setting_pending"), [name], "{outcome}");
    assert_eq!(of_rule(&outcome, "setting_invalid"), [""; 0], "{outcome}");
    assert_eq!(outcome.record("pg.section", "settings")["severity"], "ok", "{outcome}");
    let set = outcome.record("pg.setting", "maintenance_work_mem");
    let seen = (text(&set, "setting"), text(&set, "unit"), text(&set, "boot_val"), text(&set, "source"));
    assert_eq!(seen, ("5120", "kB", "65536", "configuration file"), "{set}");
    assert!(text(&set, "sourcefile").ends_with("postgresql.auto.conf") && set["sourceline"].is_u64(), "{set}");
    // Who may not see the files sees that something waits.
    let seen = super::advised(&database, &[], name);
    assert!(message(&seen).contains("say another one"), "{seen}");
    let end = super::run(&database, &["settings"]).record("pg.section", "settings");
    assert!(end["severity"] == "info" && message(&end).contains("GRANT pg_read_all_settings TO sync_user"), "{end}");
    server.stop().expect("stopped");
    server.start().expect("started");
    judged(&database, &server, name, false);
}

#[test]
fn a_line_that_cannot_be_used_is_advised_and_its_value_is_not_told() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("pgstats_invalid").expect("a database");
    let path = server.data_folder().join("postgresql.conf");
    let before = fs::read(&path).expect("read");
    let invalid = || of_rule(&run(&database, &server, &["advice"]), "setting_invalid");
    add_line(&server, "work_mem = '7MB'");
    assert_eq!(invalid(), [""; 0]);
    let lines = String::from_utf8_lossy(&fs::read(&path).expect("read")).lines().count();
    add_line(&server, "maintenance_work_mem = 'hunter2'");
    let name = format!("setting_invalid:maintenance_work_mem ({}:{})", path.display(), lines + 1);
    assert_eq!(invalid(), [name.as_str()]);
    add_line(&server, "primary_coninfo = 'password=hunter2'");
    let outcome = run(&database, &server, &["settings", "advice"]);
    outcome.assert_code(2).assert_no_secret(&["hunter2"]);
    let unknown =
        outcome.records_of_kind("pg.advice").into_iter().find(|advice| message(advice).contains("primary_coninfo"));
    assert_eq!(unknown.map(|advice| advice["severity"].clone()), None, "the message names the line");
    assert!(of_rule(&outcome, "setting_invalid").iter().any(|name| name.contains("primary_coninfo (")), "{outcome}");
    // It runs, and says nothing more to who was not granted the view.
    let outcome = super::run(&database, &["settings"]);
    let end = outcome.record("pg.section", "settings");
    assert!(message(&end).contains("GRANT SELECT ON pg_catalog.pg_file_settings TO sync_user"), "{end}");
    let granted = message(&end).split("; ").filter_map(|part| part.find("GRANT").map(|at| &part[at..]));
    granted.for_each(|grant| database.execute_as_admin(grant).expect("granted"));
    let outcome = super::run(&database, &["settings", "advice"]);
    assert!(of_rule(&outcome, "setting_invalid").iter().any(|name| name.contains("primary_coninfo (")), "{outcome}");
    fs::write(&path, before).expect("corrected");
    assert_eq!(invalid(), [""; 0]);
}

#[test]
fn passwords_in_settings_stay_in_the_server() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("pgstats_secrets").expect("a database");
    for (name, value) in [
        ("primary_conninfo", "host=h password=hunter2-a"),
        ("archive_command", "curl -u me:hunter2-b ftp://h/%f"),
        ("restore_command", "curl -u me:hunter2-c ftp://h/%f"),
        ("ssl_passphrase_command", "echo hunter2-d"),
        ("archive_cleanup_command", "echo hunter2-e"),
        ("recovery_end_command", "echo hunter2-f"),
        ("log_line_prefix", "my secret is hunter2-g"),
        ("search_path", "hunter2-shown"),
    ] {
        set(&database, &format!("ALTER SYSTEM SET {name} = '{value}'"));
    }
    add_line(&server, "myapp.key = 'hunter2-h'");
    add_line(&server, "cluster_name = 'passwd-hunter2-i'");
    set(&database, "ALTER DATABASE pgstats_secrets SET myapp.other = 'hunter2-j'");
    set(&database, "ALTER ROLE sync_user SET myapp.third = 'hunter2-k'");
    set(&database, "ALTER ROLE sync_user SET application_name = 'postgres://me:hunter2-l@h/db'");
    wait::until("the settings", STATISTICS, || {
        run(&database, &server, &["settings"])
            .records_of_kind("pg.setting")
            .into_iter()
            .find(|r| r["name"] == "archive_command")
    })
    .expect("reloaded");
    let secrets: Vec<String> = ('a'..='l').map(|letter| format!("hunter2-{letter}")).collect();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    for format in ["jsonl", "table", "openmetrics", "nagios"] {
        run(&database, &server, &["--format", format]).assert_no_secret(&secrets);
        super::run(&database, &["--format", format]).assert_no_secret(&secrets);
    }
    // That they are set is shown, and what is no secret.
    let outcome = run(&database, &server, &["settings"]);
    let all = names(&outcome, "pg.setting");
    for name in ["primary_conninfo", "archive_command", "log_line_prefix", "myapp.third (role sync_user)"] {
        assert!(all.iter().any(|seen| seen == name), "{name} in {all:?}");
        let record = outcome.record("pg.setting", name);
        assert_eq!((&record["secret"], record.get("setting")), (&true.into(), None), "{record}");
    }
    let shown = outcome.record("pg.setting", "search_path");
    assert_eq!((&shown["secret"], text(&shown, "setting")), (&false.into(), "\"hunter2-shown\""), "{shown}");
    assert!(message(&outcome.record("pg.section", "settings")).contains("may hold a password"), "{outcome}");
}

#[test]
fn an_extension_that_is_older_than_its_files_is_advised() {
    let database = super::database("pgstats_extension");
    database
        .execute_as_admin(
            "CREATE SCHEMA \"odd \"\"schema\"; CREATE EXTENSION hstore VERSION '1.4' SCHEMA \"odd \"\"schema\";
             CREATE EXTENSION citext",
        )
        .expect("created");
    let versions = "SELECT string_agg(extname || ' ' || extversion, ',' ORDER BY extname) FROM pg_extension
                    WHERE extname IN ('hstore', 'citext')";
    let before = database.scalar(versions).expect("asked");
    let outcome = super::run(&database, &["extensions", "advice"]);
    outcome.assert_code(0);
    assert_eq!(of_rule(&outcome, "extension_update"), ["extension_update:hstore"], "{outcome}");
    let record = outcome.record("pg.extension", "hstore");
    let seen =
        (text(&record, "installed_version"), text(&record, "schemaname"), &record["relocatable"], &record["trusted"]);
    assert_eq!(seen, ("1.4", "odd \"schema", &true.into(), &true.into()), "{record}");
    assert!(text(&record, "update_path").starts_with("1.4--1.5"), "{record}");
    let current = outcome.record("pg.extension", "citext");
    assert_eq!(current["installed_version"], current["default_version"], "{current}");
    assert_eq!(names(&outcome, "pg.extension")[0], "hstore", "the one that differs comes first");
    let advice = super::advised(&database, &[], "extension_update:hstore");
    // Nothing leads back from it.
    assert_eq!((&advice["severity"], advice.get("undo_sql")), (&"info".into(), None), "{advice}");
    database.execute_as_admin(text(&advice, "sql")).expect("updated");
    assert_ne!(database.scalar(versions).expect("asked"), before);
    advised_no_more(&database, &[], "extension_update:hstore");
}

#[test]
fn a_cluster_without_checksums_is_advised() {
    let mut server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("pgstats_checksums").expect("a database");
    let look = |database: &Database| {
        let outcome = super::run(database, &["checksums", "advice"]);
        outcome.assert_code(0);
        (outcome.record("pg.checksums", "checksums"), of_rule(&outcome, "checksums_off"))
    };
    let (record, advice) = look(&database);
    assert_eq!((&record["data_checksums"], &record["checksum_failures"], advice.len()), (&true.into(), &0.into(), 0));
    // The packages of other versions come without the program.
    let program = server.programs().join("pg_checksums");
    if !program.exists() {
        return;
    }
    let change = |server: &mut TempPg, option: &str| {
        server.stop().expect("stopped");
        let mut command = Command::new(&program);
        if let Some(uid) = server.runs_as() {
            command.uid(uid);
        }
        let output = command.arg(option).arg("-D").arg(server.data_folder()).output().expect("run");
        assert!(output.status.success(), "{output:?}");
        server.start().expect("started");
    };
    change(&mut server, "--disable");
    let (record, advice) = look(&database);
    assert_eq!(advice, ["checksums_off:data_checksums"]);
    assert_eq!((&record["data_checksums"], record.get("checksum_failures")), (&false.into(), None), "{record}");
    change(&mut server, "--enable");
    assert_eq!(look(&database).1, [""; 0]);
}
