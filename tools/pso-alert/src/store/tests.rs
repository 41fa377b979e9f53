use std::fs;
use std::path::Path;

use pso_common::record::Labels;
use pso_common::{Severity, Timestamp};
use rusqlite::Connection;

use super::*;
use crate::notice::Notice;

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_800_000_000_000 + second * 1_000)
}

fn post(store: &Store, message: &str) {
    let notice = Notice::by_hand(Severity::High, message, Labels::new(), at(0));
    let row = Row { channel: "slack", group: "", notice: &notice, made_at: at(0), due_at: at(0), expires_at: at(100) };
    store.transaction(|transaction| add(transaction, &row)).expect("added");
}

fn count(store: &Store) -> u64 {
    store.read(|connection| backlog(connection, "slack")).expect("read").0
}

/// Names beside the state file that speak of damage.
fn set_aside(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("read").map(|entry| entry.expect("read").file_name());
    let mut names: Vec<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.contains(".damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_written_is_there_in_the_next_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/state.db");
    let store = Store::open(&path).expect("made");
    post(&store, "one");
    drop(store);
    let store = Store::open(&path).expect("opened");
    assert!(store.is_lasting() && store.take_troubles().is_empty());
    assert_eq!(count(&store), 1);
    assert_eq!(store.read(waiting_channels).expect("read"), ["slack"]);
}

#[test]
fn garbage_is_set_aside_and_its_name_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    for (number, garbage) in [&b"not a database, whatever it says it is"[..], &[0xff; 8192]].iter().enumerate() {
        fs::write(&path, garbage).expect("written");
        fs::write(folder.path().join("state.db-wal"), b"nor a log").expect("written");
        let store = Store::open(&path).expect("a new one");
        post(&store, "one");
        assert!(store.is_lasting());
        assert_eq!(count(&store), 1);
        let names = set_aside(folder.path());
        assert_eq!(names.len(), number + 1);
        let said = store.take_troubles();
        assert!(
            said.iter().any(|said| names.iter().any(|name| said.text.contains(name.as_str()))),
            "{said:?} {names:?}"
        );
    }
}

#[test]
fn an_empty_file_is_a_new_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    fs::write(&path, b"").expect("written");
    post(&Store::open(&path).expect("opened"), "one");
    assert!(set_aside(folder.path()).is_empty());
}

#[test]
fn a_damaged_page_is_found_when_it_is_read_and_the_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let store = Store::open(&path).expect("made");
    for number in 0..200 {
        post(&store, &format!("{number} {}", "long ".repeat(200)));
    }
    drop(store);
    // All of it into the file itself.
    let plain = Connection::open(&path).expect("opened");
    plain.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("written back");
    drop(plain);
    let mut bytes = fs::read(&path).expect("read");
    assert!(bytes.len() > 100_000);
    bytes[40_000..].fill(0x5a);
    fs::write(&path, &bytes).expect("written");
    let store = Store::open(&path).expect("its first pages are whole");
    let other = store.clone();
    store.read(|connection| each_due(connection, "slack", at(0), |_, _| {})).expect("a new one");
    post(&store, "after");
    assert_eq!((count(&store), count(&other)), (1, 1));
    assert!(store.is_lasting());
    assert_eq!((set_aside(folder.path()).len(), store.take_troubles().len()), (1, 1));
    assert_eq!(count(&Store::open(&path).expect("opened")), 1);
}

#[test]
fn a_notice_that_makes_no_sense_is_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let store = Store::open(&path).expect("made");
    post(&store, "one");
    Connection::open(&path).expect("opened").execute("UPDATE outbox SET notice = '{'", []).expect("written");
    let found = store.read(|connection| notice(connection, 1));
    // The new file has no such notice.
    assert!(found.is_err());
    assert!(store.is_lasting());
    assert_eq!((set_aside(folder.path()).len(), count(&store)), (1, 0));
}

#[test]
fn what_is_not_ours_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("other.db");
    Connection::open(&path)
        .expect("made")
        .execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        .expect("ok");
    let before = fs::read(&path).expect("read");
    let error = format!("{:#}", Store::open(&path).expect_err("not ours"));
    assert!(error.contains("another program's database"), "{error}");
    let count = |sql: &str| Connection::open(&path).expect("opened").query_row(sql, [], |row| row.get::<_, i64>(0));
    assert_eq!(count("SELECT count(*) FROM sqlite_schema").expect("read"), 1);
    assert!(before.len() >= 4096 && set_aside(folder.path()).is_empty());

    let error = format!("{:#}", Store::open(folder.path()).expect_err("a folder"));
    assert!(error.contains("it is no file"), "{error}");

    let newer = folder.path().join("newer.db");
    drop(Store::open(&newer).expect("made"));
    Connection::open(&newer).expect("opened").pragma_update(None, "user_version", 99).expect("written");
    let error = format!("{:#}", Store::open(&newer).expect_err("newer"));
    assert!(error.contains("made by a newer pso-alert"), "{error}");
    assert!(set_aside(folder.path()).is_empty());
}

#[test]
fn a_lock_that_is_held_leads_into_memory_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let store = Store::open(&path).expect("made");
    post(&store, "before");
    let incident = "INSERT INTO incidents VALUES ('k', 1, 5, '{}')";
    store.transaction(|transaction| Ok(transaction.execute(incident, [])?)).expect("written");
    let other = Connection::open(&path).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    post(&store, "while it is locked");
    assert!(!store.is_lasting());
    // What is known and what waits is taken over: the lock may be there for long.
    let known: i64 = store
        .read(|connection| Ok(connection.query_row("SELECT count(*) FROM incidents", [], |row| row.get(0))?))
        .expect("read");
    assert_eq!((known, count(&store)), (1, 2));
    let said = store.take_troubles();
    assert!(said.len() == 1 && said[0].text.contains("database is locked"), "{said:?}");
    other.execute_batch("ROLLBACK").expect("unlocked");
    assert_eq!(count(&Store::open(&path).expect("opened")), 1);
}

#[cfg(unix)]
#[test]
fn a_file_that_is_removed_or_replaced_while_it_is_in_use_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let store = Store::open(&path).expect("made");
    post(&store, "one");
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        fs::remove_file(folder.path().join(name)).expect("removed");
    }
    post(&store, "two");
    let said = store.take_troubles();
    assert!(said.len() == 1 && said[0].text.contains("was removed or replaced while it was in use"), "{said:?}");
    assert!(store.is_lasting());
    assert_eq!(count(&Store::open(&path).expect("opened")), 2);
    // An older one is put back in its place.
    let other = folder.path().join("other.db");
    post(&Store::open(&other).expect("made"), "three");
    for suffix in ["", "-wal", "-shm"] {
        fs::rename(folder.path().join(format!("other.db{suffix}")), folder.path().join(format!("state.db{suffix}")))
            .expect("renamed");
    }
    assert_eq!(count(&store), 3);
    assert_eq!((count(&Store::open(&path).expect("opened")), store.take_troubles().len()), (3, 1));
}

#[test]
fn a_file_that_cannot_be_written_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    post(&Store::open(&path).expect("made"), "one");
    let store = Store::in_the_place_of(&path).expect("made");
    assert_eq!((count(&store), store.is_lasting()), (1, false));
    let store = Store::in_the_place_of(&folder.path().join("none.db")).expect("made");
    assert_eq!((count(&store), folder.path().join("none.db").exists()), (0, false));
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_made_private_and_that_is_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let mode = |name: &str| fs::metadata(folder.path().join(name)).expect("there").permissions().mode() & 0o777;
    let store = Store::open(&path).expect("made");
    post(&store, "one");
    assert_eq!((mode("state.db"), mode("state.db-wal"), mode("state.db-shm")), (0o600, 0o600, 0o600));
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
    let store = Store::open(&path).expect("opened");
    assert_eq!(mode("state.db"), 0o600);
    let said = store.take_troubles();
    assert!(said.len() == 1 && said[0].text.contains("could be read by others (mode 0644)"), "{said:?}");
    drop(store);
    // A link is followed, and what it leads to is private.
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(folder.path().join("target.db"), &link).expect("made");
    post(&Store::open(&link).expect("opened"), "one");
    assert_eq!(mode("target.db"), 0o600);
}

#[test]
fn many_threads_and_stores_write_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let store = Store::open(path).expect("opened");
                for number in 0..10 {
                    post(&store, &format!("{thread} {number}"));
                }
                assert!(store.is_lasting(), "{:?}", store.take_troubles());
            });
        }
    });
    assert_eq!(count(&Store::open(&path).expect("opened")), 80);
}
