//! `postgres`: what is open in a real server, that the fix closes it, and that what a role may not see is said.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use pso_tests::certificates::{Certificates, Kind};
use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::Value;

use super::{finding, findings, folder, section, text};

/// A reload takes effect a moment after it was asked for.
pub(super) const RELOAD: Duration = Duration::from_secs(20);

pub(super) fn tool(database: &Database, folder: &Path) -> Tool {
    let tool = Tool::new("pso-audit").expect("built").args(["--only", "postgres"]).folder(folder);
    tool.envs(database.env())
}

/// As a superuser.
pub(super) fn audit(database: &Database, server: &TempPg, folder: &Path) -> Outcome {
    let tool = tool(database, folder).env("PGUSER", "postgres").env("PGPASSWORD", server.admin_password());
    let outcome = tool.run().expect("ends");
    outcome.assert_quiet();
    outcome
}

fn major(database: &Database) -> u32 {
    let number = database.scalar("SHOW server_version_num").expect("asked");
    number.parse::<u32>().expect("a number") / 10_000
}

/// Runs what a fix says, each statement alone: ALTER SYSTEM takes no company.
pub(super) fn apply(database: &Database, fix: &str) {
    for statement in fix.split(";\n").filter(|statement| !statement.trim().starts_with("-- ")) {
        database.execute_as_admin(statement).unwrap_or_else(|error| panic!("{statement}: {error:#}"));
    }
}

/// The finding of that name, once it is there.
fn told(database: &Database, server: &TempPg, folder: &Path, name: &str) -> Value {
    wait::until(name, RELOAD, || finding(&audit(database, server, folder), name)).expect("told")
}

pub(super) fn told_no_more(database: &Database, server: &TempPg, folder: &Path, name: &str) {
    let gone = || finding(&audit(database, server, folder), name).is_none().then_some(());
    wait::until(&format!("no {name}"), RELOAD, gone).expect("gone");
}

/// A key and a certificate where the server looks for them.
pub(super) fn put_certificate(server: &TempPg) {
    let made = Certificates::new(Kind::Good).expect("a certificate");
    for (name, from) in [("server.crt", made.certificate_file()), ("server.key", made.key_file())] {
        let path = server.data_folder().join(name);
        fs::copy(from, &path).expect("copied");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
        std::os::unix::fs::chown(&path, server.runs_as(), None).expect("given to the server");
    }
}

#[test]
fn each_open_door_is_told_and_its_fix_closes_it() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("it's \"open\"").expect("a database");
    let folder = folder();
    let before: Vec<String> = findings(&audit(&database, &server, folder.path()));
    let quoted = "\"it's \"\"open\"\"\"";
    let untrusted = "CREATE FUNCTION plx_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'; \
                     REVOKE EXECUTE ON FUNCTION plx_handler() FROM PUBLIC; CREATE LANGUAGE plx HANDLER plx_handler";
    let mapping = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER \"far away\" FOREIGN DATA WRAPPER w; \
                   CREATE USER MAPPING FOR PUBLIC SERVER \"far away\" OPTIONS (\"user\" 'u', password 'hunter2secret'); \
                   CREATE USER MAPPING FOR sync_user SERVER \"far away\" OPTIONS (password 'hunter2secret')";
    let definer = "CREATE FUNCTION public.\"De f\"(a int) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'";
    let cases: &[(&str, &str, &str)] = &[
        ("CREATE ROLE \"A b\" SUPERUSER", "role_superuser:A b", "warning"),
        ("ALTER ROLE sync_user SUPERUSER", "role_superuser:sync_user", "high"),
        ("CREATE ROLE maker CREATEROLE", "role_createrole:maker", "warning"),
        ("CREATE ROLE passer BYPASSRLS", "role_bypassrls:passer", "warning"),
        ("CREATE ROLE copier REPLICATION", "role_replication:copier", "info"),
        ("CREATE ROLE filler CREATEDB", "role_createdb:filler", "info"),
        (
            "CREATE ROLE \"r'un\"; GRANT pg_execute_server_program TO \"r'un\"",
            "role_server_files:r'un pg_execute_server_program",
            "high",
        ),
        (
            "CREATE ROLE reader; GRANT pg_read_server_files TO reader",
            "role_server_files:reader pg_read_server_files",
            "warning",
        ),
        ("CREATE ROLE past LOGIN PASSWORD 'x' VALID UNTIL '2001-01-01'", "role_expired:past", "info"),
        ("CREATE ROLE naked LOGIN", "role_without_password:naked", "info"),
        (
            "CREATE SCHEMA \"Op en\"; GRANT CREATE ON SCHEMA \"Op en\" TO PUBLIC",
            "schema_public_create:Op en",
            "warning",
        ),
        ("CREATE TABLE t (a int, b int); GRANT SELECT (b) ON t TO PUBLIC", "table_public:public.t", "warning"),
        ("CREATE SEQUENCE q; GRANT USAGE ON SEQUENCE q TO PUBLIC", "table_public:public.q", "warning"),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE sync_user IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC",
            "default_privileges_public:tables of sync_user in schema public",
            "warning",
        ),
        (definer, "definer_without_search_path:public.\"De f\"(a integer)", "warning"),
        ("SELECT 1", "definer_superuser_public:public.\"De f\"(a integer)", "high"),
        (untrusted, "function_untrusted:public.plx_handler()", "info"),
        (
            "CREATE FUNCTION harmless() RETURNS int LANGUAGE plx AS 'BEGIN RETURN 1;END'",
            "function_untrusted:public.harmless()",
            "warning",
        ),
        (mapping, "user_mapping_password:PUBLIC on far away", "warning"),
        ("SELECT 1", "user_mapping_password:sync_user on far away", "info"),
        ("ALTER SYSTEM SET password_encryption = 'md5'", "password_encryption:password_encryption", "warning"),
        ("ALTER SYSTEM SET log_statement = 'ddl'", "log_statement:log_statement", "info"),
        (
            "CREATE TABLE \"R s\" (a int); CREATE POLICY own ON \"R s\" USING (a = 1)",
            "policies_off:public.\"R s\"",
            "warning",
        ),
    ];
    for (make, name, severity) in cases {
        apply(&database, &make.replace("; ", ";\n"));
        database.execute_as_admin("SELECT pg_reload_conf()").expect("reloaded");
        let told = told(&database, &server, folder.path(), name);
        assert_eq!(text(&told, "severity"), *severity, "{told}");
        // The handler is needed by what comes after it; dropping it would be refused.
        if !name.starts_with("function_untrusted:public.plx") {
            apply(&database, text(&told, "fix"));
            // A routine with less for everybody is still one in such a language.
            if name.starts_with("function_untrusted") {
                let less = finding(&audit(&database, &server, folder.path()), name).expect("told");
                assert_eq!(text(&less, "severity"), "info", "{less}");
                apply(&database, text(&less, "fix"));
            }
            told_no_more(&database, &server, folder.path(), name);
        }
    }
    // What a fresh server has: PostgreSQL's own defaults.
    let connections = "log_connections:log_connections".to_owned();
    assert!(
        before.contains(&connections) && before.contains(&"log_disconnections:log_disconnections".to_owned()),
        "{before:?}"
    );
    for name in ["log_connections:log_connections", "log_disconnections:log_disconnections"] {
        apply(&database, text(&told(&database, &server, folder.path(), name), "fix"));
        told_no_more(&database, &server, folder.path(), name);
    }
    let name = "database_public:it's \"open\"";
    let told = told(&database, &server, folder.path(), name);
    assert_eq!(text(&told["evidence"], "rights"), "CONNECT, TEMPORARY", "{told}");
    let connect = format!("GRANT CONNECT, TEMPORARY ON DATABASE {quoted} TO postgres, sync_user;\n");
    assert!(text(&told, "fix").starts_with(&connect), "{told}");
    apply(&database, text(&told, "fix"));
    told_no_more(&database, &server, folder.path(), name);
    audit(&database, &server, folder.path()).assert_no_secret(&["hunter2secret", server.admin_password()]);
}

#[test]
fn a_sound_server_has_only_what_postgresql_comes_with() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    let outcome = audit(&database, &server, folder.path());
    let mut expected = vec![
        "database_public:planning_sync",
        "log_connections:log_connections",
        "log_disconnections:log_disconnections",
        "ssl_off:ssl",
    ];
    if major(&database) < 15 {
        expected.push("schema_public_create:public");
    }
    let mut names = findings(&outcome);
    names.sort();
    expected.sort_unstable();
    assert_eq!(names, expected, "{outcome}");
    outcome.assert_code(i32::from(major(&database) < 15));
    let end = section(&outcome, "postgres");
    assert!(end["examined"].as_u64().is_some_and(|examined| examined > 10) && end["severity"] == "ok", "{end}");
    assert!(text(&end, "message").contains("maintenance.audit.postgres.newest"), "{end}");
    if major(&database) < 15 {
        let told = told(&database, &server, folder.path(), "schema_public_create:public");
        apply(&database, text(&told, "fix"));
        told_no_more(&database, &server, folder.path(), "schema_public_create:public");
    }
}

#[test]
fn a_password_that_is_stored_as_md5_is_told_until_it_is_a_new_one() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    database
        .execute_as_admin("SET password_encryption = 'md5'; CREATE ROLE \"Old\" LOGIN PASSWORD 'hunter2old'")
        .expect("a role");
    let told = told(&database, &server, folder.path(), "role_md5_password:Old");
    assert!(text(&told, "fix").ends_with("\\password \"Old\""), "{told}");
    audit(&database, &server, folder.path()).assert_no_secret(&["hunter2old"]);
    // What psql's \password sends.
    database
        .execute_as_admin("SET password_encryption = 'scram-sha-256'; ALTER ROLE \"Old\" PASSWORD 'x'")
        .expect("changed");
    told_no_more(&database, &server, folder.path(), "role_md5_password:Old");
}

#[test]
fn settings_are_judged_and_set_by_the_fix() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    put_certificate(&server);
    let told_off = told(&database, &server, folder.path(), "ssl_off:ssl");
    assert_eq!(text(&told_off, "severity"), "info", "{told_off}");
    let (_, fix) = text(&told_off, "fix").split_once('\n').expect("after the comment");
    apply(&database, fix);
    told_no_more(&database, &server, folder.path(), "ssl_off:ssl");
    let name = "ssl_min_protocol_version:ssl_min_protocol_version";
    assert_eq!(finding(&audit(&database, &server, folder.path()), name), None);
    apply(&database, "ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1'");
    database.execute_as_admin("SELECT pg_reload_conf()").expect("reloaded");
    apply(&database, text(&told(&database, &server, folder.path(), name), "fix"));
    told_no_more(&database, &server, folder.path(), name);

    // A line that the server cannot use, and one that waits for a restart.
    let path = server.data_folder().join("postgresql.conf");
    let sound = fs::read_to_string(&path).expect("read");
    let lines = sound.lines().count();
    fs::write(&path, format!("{sound}\nmax_locks_per_transaction = 128\n")).expect("written");
    let files =
        |outcome: &Outcome| findings(outcome).into_iter().filter(|name| name.starts_with("settings_file")).collect();
    let none: Vec<String> = files(&audit(&database, &server, folder.path()));
    assert_eq!(none, [""; 0]);
    fs::write(&path, format!("{sound}work_mem = 'hunter2mem'\n")).expect("written");
    let outcome = audit(&database, &server, folder.path());
    let wrong: Vec<String> = files(&outcome);
    assert_eq!(wrong, [format!("settings_file_error:{}:{}", path.display(), lines + 1)], "{outcome}");
    outcome.assert_no_secret(&["hunter2mem"]);
    fs::write(&path, sound).expect("mended");
    let none: Vec<String> = files(&audit(&database, &server, folder.path()));
    assert_eq!(none, [""; 0]);
}

#[test]
fn a_server_that_listens_outside_and_an_open_data_folder() {
    // An address that is nobody's (RFC 5737): the server says so in its log and listens on loopback only.
    let server = TempPg::with_settings(&[("listen_addresses", "127.0.0.1,192.0.2.1")]).expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    let outcome = audit(&database, &server, folder.path());
    let off = finding(&outcome, "ssl_off:ssl").expect("told");
    assert_eq!(text(&off, "severity"), "high", "{off}");
    outcome.assert_code(2);

    let data = server.data_folder();
    let name = format!("data_folder_open:{}", data.display());
    assert_eq!(finding(&outcome, &name), None);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o750)).expect("set");
    assert_eq!(finding(&audit(&database, &server, folder.path()), &name), None);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("set");
    let told = finding(&audit(&database, &server, folder.path()), &name).expect("told");
    assert_eq!((text(&told, "severity"), text(&told["evidence"], "mode")), ("high", "0755"), "{told}");
    let status = std::process::Command::new("sh").args(["-c", text(&told, "fix")]).status().expect("run");
    assert!(status.success());
    assert_eq!(finding(&audit(&database, &server, folder.path()), &name), None);
}

#[test]
fn the_version_is_judged_by_the_configuration() {
    let server = TempPg::shared().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let version = database.scalar("SHOW server_version").expect("asked");
    let mut parts = version.split([' ', '.']);
    let (major, minor) = (parts.next().expect("15"), parts.next().expect("9").parse::<u32>().expect("a number"));
    let folder = folder();
    let with = |keys: String| {
        fs::write(folder.path().join("config.yaml"), format!("maintenance: {{audit: {{postgres: {{{keys}}}}}}}\n"))
            .expect("written");
        audit(&database, server, folder.path())
    };
    let judged = |outcome: &Outcome| findings(outcome).into_iter().find(|name| name.starts_with("version_"));
    let config = ["--config", "config.yaml"];
    let with = |keys: String| {
        with(keys);
        let tool = tool(&database, folder.path()).args(config);
        tool.run().expect("ends")
    };
    assert_eq!(judged(&with(format!("newest: [9.6, {major}.{minor}]"))), None);
    let outcome = with(format!("newest: [{major}.{}]", minor + 1));
    assert_eq!(judged(&outcome), Some(format!("version_outdated:PostgreSQL {major}")), "{outcome}");
    let outcome = with(format!("newest: [{major}.{minor}], unsupported: [{major}]"));
    assert_eq!(judged(&outcome), Some(format!("version_unsupported:PostgreSQL {major}")), "{outcome}");
    with("newest: [soon]".to_owned())
        .assert_code(3)
        .assert_stderr_has("expected a version of PostgreSQL such as 15.12");
}

#[test]
fn what_a_role_may_not_see_is_said_with_the_grant_that_shows_it() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    database
        .execute_as_admin(
            "CREATE ROLE watcher LOGIN PASSWORD 'w' IN ROLE pg_monitor; CREATE ROLE \"No body\" LOGIN PASSWORD 'n'",
        )
        .expect("roles");
    let as_role = |role: &str, password: &str| {
        let outcome =
            tool(&database, folder.path()).env("PGUSER", role).env("PGPASSWORD", password).run().expect("ends");
        outcome.assert_quiet().assert_code(i32::from(major(&database) < 15));
        (section(&outcome, "postgres"), outcome)
    };
    let (nobody, outcome) = as_role("No body", "n");
    assert_eq!(nobody["severity"], "ok", "{outcome}");
    let message = text(&nobody, "message");
    for part in [
        "superusers only",
        "pg_hba_file_rules TO \"No body\"",
        "pg_read_all_settings TO \"No body\"",
        "pg_file_settings TO \"No body\"",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let (watcher, _) = as_role("watcher", "w");
    assert!(!text(&watcher, "message").contains("pg_read_all_settings"), "{watcher}");
    // What the notes say can be run as it is.
    for grant in message.split("; ").filter(|part| part.starts_with("GRANT ")) {
        database.execute_as_admin(grant).unwrap_or_else(|error| panic!("{grant}: {error:#}"));
    }
    let (nobody, outcome) = as_role("No body", "n");
    assert!(!text(&nobody, "message").contains("GRANT"), "{outcome}");
}

#[test]
fn a_standby_is_looked_at_like_its_primary() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    database.execute_as_admin("CREATE ROLE maker CREATEROLE").expect("a role");
    let standby = server.standby().expect("a standby");
    standby.catch_up(&server).expect("caught up");
    let folder = folder();
    let outcome = audit(&standby.replica_of(&database), &standby, folder.path());
    outcome.assert_code(1);
    assert!(finding(&outcome, "role_createrole:maker").is_some(), "{outcome}");
    assert!(text(&section(&outcome, "postgres"), "message").contains("run on its primary"), "{outcome}");
}

#[test]
fn extensions_that_reach_out_are_told() {
    let server = TempPg::shared().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    // Those with libpq in them cannot be loaded from every installation that the tests use.
    let name = "extension_reaches_out:file_fdw";
    assert_eq!(finding(&audit(&database, server, folder.path()), name), None);
    database.execute_as_admin("CREATE EXTENSION file_fdw").expect("created");
    let outcome = audit(&database, server, folder.path());
    let told = finding(&outcome, name).expect("told");
    assert_eq!(text(&told, "severity"), "info", "{told}");
    // Its own functions, in C and for everybody, are not told one by one.
    assert!(!findings(&outcome).iter().any(|name| name.starts_with("function_")), "{outcome}");
    apply(&database, text(&told, "fix"));
    assert_eq!(finding(&audit(&database, server, folder.path()), name), None);
}

#[test]
fn what_another_session_holds_is_unknown_and_the_rest_is_told() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    let mut holder = database.connect_as_admin().expect("connected");
    holder.batch_execute("BEGIN; LOCK TABLE pg_catalog.pg_extension IN ACCESS EXCLUSIVE MODE").expect("held");
    let outcome = audit(&database, &server, folder.path());
    outcome.assert_code(3);
    let end = section(&outcome, "postgres");
    assert!(text(&end, "message").starts_with("extensions: another session holds"), "{end}");
    // What is looked at before it, and after it.
    assert!(finding(&outcome, "ssl_off:ssl").is_some(), "{outcome}");
    assert!(finding(&outcome, "log_connections:log_connections").is_some(), "{outcome}");
    holder.batch_execute("ROLLBACK").expect("let go");
    assert_eq!(section(&audit(&database, &server, folder.path()), "postgres")["severity"], "ok");
}

#[test]
fn a_server_that_does_not_answer_is_unknown_and_not_silent() {
    let mut server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    server.stop().expect("stopped");
    let outcome = tool(&database, folder.path()).run().expect("ends");
    outcome.assert_code(3).assert_no_secret(&[database.password()]);
    let end = section(&outcome, "postgres");
    assert!(end["severity"] == "unknown" && text(&end, "message").contains("connection refused"), "{end}");
    server.start().expect("started");
}
