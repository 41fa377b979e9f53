//! `postgres`: lines of a real `pg_hba.conf`, each judged and then rewritten as its fix says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pso_tests::pg::TempPg;

use super::postgres::{audit, put_certificate, told_no_more};
use super::{finding, findings, folder, section, text};

#[test]
fn lines_of_pg_hba_are_judged_and_gone_when_they_are_rewritten() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    let path = server.data_folder().join("pg_hba.conf");
    let sound = fs::read_to_string(&path).expect("read");
    // Without TLS a line that asks for it never fits.
    fs::write(&path, format!("hostssl all all 10.1.0.0/16 scram-sha-256\n{sound}")).expect("written");
    let never = format!("hba_error:{}:1", path.display());
    let told_never = finding(&audit(&database, &server, folder.path()), &never).expect("told");
    assert_eq!(text(&told_never, "severity"), "info", "{told_never}");
    put_certificate(&server);
    database.execute_as_admin("ALTER SYSTEM SET ssl = on").expect("set");
    database.execute_as_admin("SELECT pg_reload_conf()").expect("reloaded");
    told_no_more(&database, &server, folder.path(), &never);
    for (line, rule, severity) in [
        ("host all all 10.1.0.0/16 trust", "hba_trust", "high"),
        ("host all all 10.1.0.0/16 password", "hba_plain_password", "high"),
        ("host all all 0.0.0.0/0 scram-sha-256", "hba_open_to_all", "warning"),
        ("host all all all md5", "hba_open_to_all", "warning"),
        ("host app,other bob 192.168.7.0/24 md5", "hba_md5", "warning"),
        ("host all all ::/0 ident", "hba_open_to_all", "high"),
        ("hostssl replication all 10.1.0.0/16 scram-sha-256", "hba_replication", "warning"),
    ] {
        fs::write(&path, format!("{line}\n{sound}")).expect("written");
        let outcome = audit(&database, &server, folder.path());
        let told = finding(&outcome, &format!("{rule}:{line}")).unwrap_or_else(|| panic!("{rule} {line}\n{outcome}"));
        assert_eq!(text(&told, "severity"), severity, "{told}");
        assert_eq!(text(&told["evidence"], "place"), format!("{}:1", path.display()), "{told}");
        let wanted = text(&told, "fix").split('`').nth(1).expect("a line").to_owned();
        fs::write(&path, format!("{wanted}\n{sound}")).expect("written");
        let outcome = audit(&database, &server, folder.path());
        assert!(!findings(&outcome).iter().any(|name| name.starts_with("hba_")), "{wanted}\n{outcome}");
    }
    // initdb's own lines come first and decide.
    fs::write(&path, format!("{sound}host all all 127.0.0.1/32 trust\nlocal replication all trust\n"))
        .expect("written");
    let outcome = audit(&database, &server, folder.path());
    let dead = finding(&outcome, "hba_trust:host all all 127.0.0.1/32 trust").expect("told");
    assert!(dead["severity"] == "info" && text(&dead["evidence"], "decided_by").contains("scram-sha-256"), "{dead}");
    fs::write(&path, format!("local all all trust\n{sound}")).expect("written");
    let told = finding(&audit(&database, &server, folder.path()), "hba_trust:local all all trust").expect("told");
    assert_eq!(text(&told, "severity"), "warning", "{told}");
    fs::write(&path, format!("host all all 10.1.0.0/16 ldap ldapserver=x ldapprefix=a ldapbindpasswd=hunter2ldap\nhost all all nonsense/99 trust\n{sound}"))
        .expect("written");
    let outcome = audit(&database, &server, folder.path());
    outcome.assert_no_secret(&["hunter2ldap"]);
    assert!(finding(&outcome, &format!("hba_error:{}:2", path.display())).is_some(), "{outcome}");
}

#[test]
fn names_and_certificates_of_a_line_are_kept_when_it_is_rewritten() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("planning_sync").expect("a database");
    let folder = folder();
    put_certificate(&server);
    fs::copy(server.data_folder().join("server.crt"), server.data_folder().join("root.crt")).expect("copied");
    std::os::unix::fs::chown(server.data_folder().join("root.crt"), server.runs_as(), None)
        .expect("given to the server");
    for set in ["ALTER SYSTEM SET ssl = on", "ALTER SYSTEM SET ssl_ca_file = 'root.crt'", "SELECT pg_reload_conf()"] {
        database.execute_as_admin(set).expect("set");
    }
    told_no_more(&database, &server, folder.path(), "ssl_off:ssl");
    let path = server.data_folder().join("pg_hba.conf");
    let sound = fs::read_to_string(&path).expect("read");
    let hba = |line: &str| {
        fs::write(&path, format!("{line}\n{sound}")).expect("written");
        let outcome = audit(&database, &server, folder.path());
        let told = outcome.records_of_kind("audit.finding").into_iter();
        told.filter(|record| text(record, "rule").starts_with("hba_")).collect::<Vec<_>>()
    };
    for (line, wanted) in [
        (
            "host \"my db\",app \"Al ice\",\"b,c\",\"q\"\"#\",+grp,+\"my grp\" 10.1.0.0/16 md5",
            "hostssl \"my db\",app \"Al ice\",\"b,c\",\"q\"\"#\",+grp,+\"my grp\" 10.1.0.0/16 scram-sha-256",
        ),
        (
            "hostssl all all 10.1.0.0/16 md5 clientcert=verify-ca",
            "hostssl all all 10.1.0.0/16 scram-sha-256 clientcert=verify-ca",
        ),
        (
            "hostssl all all 0.0.0.0/0 trust clientcert=verify-ca",
            "hostssl all all 0.0.0.0/0 scram-sha-256 clientcert=verify-ca",
        ),
    ] {
        let told = hba(line);
        assert!(told.len() == 1 && told[0]["severity"] == "warning", "{line}: {told:?}");
        assert_eq!(text(&told[0], "fix").split('`').nth(1), Some(wanted), "{line}");
        assert!(hba(wanted).is_empty(), "{wanted}");
    }
    // The certificate is the proof, and is the role's own.
    assert!(hba("hostssl all all 0.0.0.0/0 trust clientcert=verify-full").is_empty());
    // A file that the server may not read is no matter of the role's rights.
    fs::remove_file(&path).expect("removed");
    let outcome = audit(&database, &server, folder.path());
    outcome.assert_code(3);
    assert!(text(&section(&outcome, "postgres"), "message").starts_with("pg_hba.conf: could not"), "{outcome}");
    // One with nothing in it is no better than a wrong one.
    fs::write(&path, "# nothing\n").expect("written");
    let outcome = audit(&database, &server, folder.path());
    let told = finding(&outcome, &format!("hba_error:{}", path.display())).unwrap_or_else(|| panic!("{outcome}"));
    assert_eq!(text(&told, "severity"), "warning", "{told}");
    fs::write(&path, &sound).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("closed");
    let outcome = audit(&database, &server, folder.path());
    // Root's own server reads everything; a server runs as root nowhere.
    outcome.assert_code(3);
    assert!(text(&section(&outcome, "postgres"), "message").contains("ermission"), "{outcome}");
}
