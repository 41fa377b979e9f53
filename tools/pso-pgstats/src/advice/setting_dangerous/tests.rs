use super::*;
use crate::advice::tests::{judged, snapshot};

fn server(name: &str, value: &str, source: &str) -> PgSettingRecord {
    PgSettingRecord {
        scope: "server".to_owned(),
        setting_name: Some(name.to_owned()),
        setting: Some(value.to_owned()),
        source: Some(source.to_owned()),
        ..PgSettingRecord::default()
    }
}

fn own(name: &str, value: &str, source: &str) -> PgSettingRecord {
    let role = source.contains("user").then(|| "r".to_owned());
    let alter = Some("ALTER …".to_owned());
    PgSettingRecord { scope: "override".to_owned(), rolname: role, alter, ..server(name, value, source) }
}

fn advised(setting: PgSettingRecord) -> Vec<Advice> {
    judged(&RULE, &snapshot(|records| records.settings = vec![setting])).advice
}

#[test]
fn each_danger_is_told_and_what_is_safe_is_not() {
    for danger in DANGERS {
        for bad in danger.bad {
            let advice = advised(server(danger.name, bad, "configuration file")).remove(0);
            assert_eq!((advice.severity, advice.object.as_str()), (danger.severity, danger.name));
            assert_eq!(advice.sql, Some(format!("ALTER SYSTEM SET {} = {}", danger.name, danger.good)));
        }
        assert_eq!(advised(server(danger.name, danger.good, "configuration file")), []);
        assert!(!danger.bad.contains(&danger.good) && !danger.why.ends_with('.'), "{}", danger.name);
    }
    assert_eq!(advised(server("work_mem", "off", "configuration file")), []);
    assert_eq!(advised(PgSettingRecord { setting: None, ..server("fsync", "off", "configuration file") }), []);
}

#[test]
fn what_was_there_is_brought_back_where_it_was() {
    let undo = |file: Option<&str>| {
        let sourcefile = file.map(str::to_owned);
        advised(PgSettingRecord { sourcefile, ..server("fsync", "off", "configuration file") }).remove(0).undo_sql
    };
    assert_eq!(undo(Some("/x/postgresql.conf")).as_deref(), Some("ALTER SYSTEM RESET fsync"));
    assert_eq!(undo(Some("/x/postgresql.auto.conf")).as_deref(), Some("ALTER SYSTEM SET fsync = off"));
    // Who may not see the file: the value comes back all the same.
    assert_eq!(undo(None).as_deref(), Some("ALTER SYSTEM SET fsync = off"));
}

#[test]
fn what_no_statement_can_change_has_none() {
    for source in ["command line", "environment variable"] {
        let advice = advised(server("fsync", "off", source)).remove(0);
        assert_eq!((advice.sql, advice.undo_sql), (None, None));
    }
    let mut closed = snapshot(|records| records.settings = vec![server("fsync", "off", "configuration file")]);
    closed.server.settings.insert("allow_alter_system".to_owned(), "off".to_owned());
    assert_eq!(judged(&RULE, &closed).advice[0].sql, None);
    let restart =
        PgSettingRecord { context: Some("postmaster".to_owned()), ..server("data_sync_retry", "on", "default") };
    assert!(advised(restart)[0].why.ends_with("from the next restart on"));
}

#[test]
fn an_override_is_told_once_and_only_where_it_is_no_purpose() {
    for source in ["global", "database", "user", "database user"] {
        assert_eq!(advised(server("zero_damaged_pages", "on", source)), []);
        let advice = advised(own("zero_damaged_pages", "TRUE", source)).remove(0);
        assert_eq!(advice.sql.as_deref(), Some("ALTER … RESET zero_damaged_pages"));
        assert_eq!(advice.undo_sql.as_deref(), Some("ALTER … SET zero_damaged_pages = 'TRUE'"));
    }
    let told = |name, value| {
        ["global", "database", "user", "database user"].map(|source| advised(own(name, value, source)).len())
    };
    assert_eq!(told("session_replication_role", "replica"), [1, 1, 0, 0]);
    assert_eq!(told("synchronous_commit", "off"), [1, 0, 0, 0]);
}

#[test]
fn a_standby_is_judged_by_what_matters_there() {
    let there = |name, value| {
        let mut snapshot = snapshot(|records| records.settings = vec![server(name, value, "configuration file")]);
        snapshot.server.in_recovery = true;
        judged(&RULE, &snapshot).advice.len()
    };
    assert_eq!((there("fsync", "off"), there("autovacuum", "off")), (1, 0));
}
