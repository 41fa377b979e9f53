//! `postgres`: that a fix closes what it should and locks nobody out, and that secrets in the server's own commands are told.

use pso_tests::pg::TempPg;
use pso_tests::wait;

use super::postgres::{RELOAD, apply, audit, told_no_more, tool};
use super::{finding, folder, text};

/// REVOKE takes back what the owner has granted: what another has passed on is taken back as him.
#[test]
fn what_somebody_else_has_granted_is_closed_too() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    let mut admin = database.connect_as_admin().expect("connected");
    let odd = "\"it's \"\"\nodd 🎉\"";
    admin
        .batch_execute(&format!(
            "CREATE ROLE {odd}; CREATE ROLE member; CREATE SCHEMA s; CREATE TABLE s.t (a int);
             CREATE FUNCTION s.f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
             REVOKE EXECUTE ON FUNCTION s.f() FROM PUBLIC;
             GRANT ALL ON SCHEMA s TO {odd} WITH GRANT OPTION; GRANT SELECT ON s.t TO {odd} WITH GRANT OPTION;
             GRANT EXECUTE ON FUNCTION s.f() TO {odd} WITH GRANT OPTION; GRANT CREATE ON DATABASE planning_sync TO {odd} WITH GRANT OPTION;
             GRANT pg_read_server_files TO {odd} WITH ADMIN OPTION;
             SET ROLE {odd};
             GRANT CREATE ON SCHEMA s TO PUBLIC; GRANT SELECT ON s.t TO PUBLIC; GRANT EXECUTE ON FUNCTION s.f() TO PUBLIC;
             GRANT CREATE ON DATABASE planning_sync TO PUBLIC; GRANT pg_read_server_files TO member;
             RESET ROLE"
        ))
        .expect("granted");
    for name in [
        "schema_public_create:s",
        "table_public:s.t",
        "definer_superuser_public:s.f()",
        "database_public:planning_sync",
        "role_server_files:member pg_read_server_files",
        "role_server_files:it's \"\nodd 🎉 pg_read_server_files",
    ] {
        let told = finding(&audit(&database, &server, folder.path()), name).unwrap_or_else(|| panic!("{name}"));
        admin.batch_execute(text(&told, "fix")).unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(finding(&audit(&database, &server, folder.path()), name), None);
    }
}

#[test]
fn no_fix_locks_out_who_works_here() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    let standby = server.standby().expect("a standby");
    standby.catch_up(&server).expect("caught up");
    let copies = database.scalar("SELECT usename::text FROM pg_stat_replication").expect("asked");
    database
        .execute_as_admin("CREATE ROLE idle LOGIN PASSWORD 'x'; CREATE ROLE busy LOGIN PASSWORD 'x'; ALTER ROLE busy VALID UNTIL '2001-01-01'")
        .expect("roles");
    database.execute_as_admin("ALTER ROLE sync_user VALID UNTIL '2001-01-01' PASSWORD NULL").expect("made so");
    let outcome = audit(&database, &server, folder.path());
    let fix =
        |name: &str| text(&finding(&outcome, name).unwrap_or_else(|| panic!("{name}\n{outcome}")), "fix").to_owned();
    assert_eq!(fix("role_expired:busy"), "ALTER ROLE busy NOLOGIN");
    assert_eq!(fix("role_expired:sync_user"), "\\password sync_user\nALTER ROLE sync_user VALID UNTIL 'infinity'");
    assert_eq!(fix("role_without_password:sync_user"), "\\password sync_user");
    let everybody = finding(&outcome, "database_public:planning_sync").expect("told");
    assert!(text(&everybody["evidence"], "others_that_lose_it").contains("busy, idle"), "{everybody}");
    // The role by which the standby copies has its right for that.
    database
        .execute_as_admin(&format!("CREATE ROLE unused REPLICATION; ALTER ROLE \"{copies}\" REPLICATION"))
        .expect("so");
    let outcome = audit(&database, &server, folder.path());
    assert!(finding(&outcome, "role_replication:unused").is_some(), "{outcome}");
    assert_eq!(finding(&outcome, &format!("role_replication:{copies}")), None, "{outcome}");
}

#[test]
fn a_secret_in_a_command_of_the_server_is_told_and_not_shown() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    database.execute_as_admin("CREATE ROLE nobody LOGIN PASSWORD 'n'").expect("a role");
    let folder = folder();
    // Whoever gets in sees it.
    let told = || {
        let tool = tool(&database, folder.path()).env("PGUSER", "nobody").env("PGPASSWORD", "n");
        let outcome = tool.run().expect("ends");
        outcome.assert_no_secret(&["hunter2"]);
        finding(&outcome, "command_secret:archive_command")
    };
    let set = |command: &str| {
        database.execute_as_admin(&format!("ALTER SYSTEM SET archive_command = '{command}'")).expect("set");
        database.execute_as_admin("SELECT pg_reload_conf()").expect("reloaded");
        let quoted = command.replace('\'', "''");
        let sql = format!("SELECT 1 FROM pg_settings WHERE name = 'archive_command' AND reset_val = '{quoted}'");
        wait::until("the reload", RELOAD, || database.rows(&sql).ok().filter(|rows| !rows.is_empty()))
            .expect("reloaded");
    };
    for fine in [
        "test ! -f /a/%f && cp %p /a/%f",
        "PGPASSWORD=$PW push %p",
        "push --password-file /etc/secret %p",
        "rsync %p u@h:/a",
    ] {
        set(fine);
        assert_eq!(told(), None, "{fine}");
    }
    for secret in [
        "env PGPASSWORD=hunter2 push %p",
        "push --secret-key=hunter2 %p",
        "push --password hunter2 %p",
        "curl -T %p https://u:hunter2@h/",
    ] {
        set(secret);
        assert_eq!(told().map(|record| record["severity"].clone()), Some("high".into()), "{secret}");
    }
}

#[test]
fn what_is_set_for_a_database_or_a_role_is_reset_by_the_fix() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    let name = "password_encryption:password_encryption";
    for set in [
        "ALTER DATABASE planning_sync SET",
        "ALTER ROLE postgres SET",
        "ALTER ROLE postgres IN DATABASE planning_sync SET",
    ] {
        database.execute_as_admin(&format!("{set} password_encryption = 'md5'")).expect("set");
        let told = finding(&audit(&database, &server, folder.path()), name).unwrap_or_else(|| panic!("{set}"));
        apply(&database, text(&told, "fix"));
        told_no_more(&database, &server, folder.path(), name);
    }
}

#[test]
fn who_makes_tables_in_an_open_schema_may_go_on() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    database.execute_as_admin("CREATE SCHEMA made; GRANT ALL ON SCHEMA made TO PUBLIC").expect("a schema");
    database.execute("CREATE TABLE made.before (a int)").expect("made");
    let folder = folder();
    let name = "schema_public_create:made";
    let told = finding(&audit(&database, &server, folder.path()), name).expect("told");
    apply(&database, text(&told, "fix"));
    assert_eq!(finding(&audit(&database, &server, folder.path()), name), None);
    database.execute("CREATE TABLE made.after (a int)").expect("made");
}
