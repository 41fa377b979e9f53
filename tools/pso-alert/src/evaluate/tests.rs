use std::path::Path;
use std::time::Duration;

use pso_common::io::Env;
use pso_common::record::Labels;
use pso_common::{Severity, Timestamp};
use rusqlite::Connection;

use super::*;
use crate::finding::{Finding, Subject};

/// So many seconds after Saturday evening, 20:00 UTC.
fn at(second: i64) -> Timestamp {
    let begin: Timestamp = "2026-01-10T20:00:00Z".parse().expect("a time");
    Timestamp::from_unix_millis(begin.unix_millis() + second * 1_000)
}

fn alerts(text: &str) -> Alerts {
    let text = format!("alerts: {{stdout: {{enabled: true}}}}\n{text}");
    crate::alerts_file::parse(Path::new("alerts.yaml"), &text, &Env::default(), Path::new(".")).expect("valid")
}

fn finding(name: &str, severity: Severity, second: i64) -> Finding {
    let text = str::to_owned;
    let (kind, host, tool) = (text("health.check"), text("h"), text("t"));
    let subject = Subject { kind, host, tool, name: text(name), labels: crate::few_labels::FewLabels::default() };
    Finding::about(subject, "health.check", severity, "it says so", at(second))
}

struct World {
    store: Store,
    alerts: Alerts,
}

impl World {
    fn new(text: &str) -> Self {
        Self { store: Store::in_memory().expect("memory"), alerts: alerts(text) }
    }

    /// The state in memory knows no `for`, and none is used here.
    fn bad(&self, name: &str, severity: Severity, second: i64) -> Evaluated {
        let mut batch = Batch::default();
        batch.passed(at(second));
        batch.add(finding(name, severity, second));
        evaluate(&self.store, &batch, "stdin", &self.alerts, at(second)).expect("evaluated")
    }

    fn well(&self, name: &str, second: i64) -> Evaluated {
        let finding = finding(name, Severity::High, second);
        let mut batch = Batch::new(Known::from([(finding.subject.clone(), vec![finding.incident])]));
        batch.saw(&finding.subject, at(second), Vec::new());
        evaluate(&self.store, &batch, "stdin", &self.alerts, at(second)).expect("evaluated")
    }

    fn nothing(&self, second: i64) -> Evaluated {
        evaluate(&self.store, &Batch::default(), "stdin", &self.alerts, at(second)).expect("evaluated")
    }

    /// Name, and when it is due, in the order of the outbox.
    fn outbox(&self) -> Vec<(String, String)> {
        let rows = |connection: &Connection| {
            let mut all = connection.prepare("SELECT notice, due_at FROM outbox ORDER BY id")?;
            let rows = all.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        };
        let rows = self.store.read(rows).expect("read").into_iter();
        let name = |text: &str| serde_json::from_str::<Notice>(text).expect("a notice").labels["name"].clone();
        rows.map(|(text, due)| (name(&text), Timestamp::from_unix_millis(due).to_string()[11..19].to_owned())).collect()
    }
}

fn due(name: &str, time: &str) -> (String, String) {
    (name.to_owned(), time.to_owned())
}

const QUIET: &str = "quiet_hours: [{from: '22:00', to: '07:00', time_zone: UTC, below: critical}]\n";

#[test]
fn who_joins_a_group_is_told_with_its_first() {
    let world = World::new("notices: {group_wait: 60s, group_by: [severity]}\n");
    world.bad("a", Severity::High, 0);
    world.bad("b", Severity::High, 30);
    world.bad("c", Severity::Critical, 40);
    let expected = [due("a", "20:01:00"), due("b", "20:01:00"), due("c", "20:01:40")];
    assert_eq!(world.outbox(), expected);
    // The first should have been told long ago (its channel is down): nothing more waits for it.
    world.bad("d", Severity::High, 600);
    assert_eq!(world.outbox()[3], due("d", "20:10:00"));
}

#[test]
fn quiet_hours_delay_and_what_is_worse_takes_what_was_said_before_with_it() {
    let world = World::new(QUIET);
    let evening = 2 * 3_600;
    world.bad("a", Severity::High, evening - 1);
    world.bad("b", Severity::High, evening);
    world.bad("c", Severity::Critical, evening);
    world.bad("d", Severity::High, evening);
    let expected = [due("a", "21:59:59"), due("b", "07:00:00"), due("c", "22:00:00"), due("d", "07:00:00")];
    assert_eq!(world.outbox(), expected);
    world.bad("b", Severity::Critical, evening + 60);
    // Its end is as urgent as the worst that was told of it.
    world.well("b", evening + 120);
    let b: Vec<_> = world.outbox().into_iter().filter(|row| row.0 == "b").collect();
    assert_eq!(b, [due("b", "22:01:00"), due("b", "22:01:00"), due("b", "22:02:00")]);
    assert_eq!(world.outbox()[2..4], expected[2..]);
}

#[test]
fn what_waits_for_the_morning_does_not_expire_in_the_night() {
    let world = World::new(&format!("notices: {{expire_after: 1h}}\n{QUIET}"));
    world.bad("a", Severity::High, 2 * 3_600);
    let expires = |connection: &Connection| {
        Ok(connection.query_row("SELECT expires_at FROM outbox", [], |row| row.get::<_, i64>(0))?)
    };
    let expires = Timestamp::from_unix_millis(world.store.read(expires).expect("read"));
    assert_eq!(expires.to_string(), "2026-01-11T08:00:00.000Z");
}

#[test]
fn a_notice_by_hand_does_not_wait() {
    let world = World::new(&format!("notices: {{group_wait: 1h}}\n{QUIET}"));
    let labels = Labels::from([("name".to_owned(), "by hand".to_owned())]);
    let notice = Notice::by_hand(Severity::High, "m", labels, at(3 * 3_600));
    world.store.transaction(|transaction| post(transaction, &world.alerts, &notice, at(3 * 3_600))).expect("posted");
    assert_eq!(world.outbox(), [due("by hand", "23:00:00")]);
}

#[test]
fn a_clock_that_went_back_is_said_once_and_nothing_waits_for_it() {
    let world = World::new("notices: {repeat: 1h, group_wait: 60s}\n");
    let day = 86_400;
    assert_eq!(world.bad("a", Severity::High, day).went_back, None);
    // Less than a minute is nothing.
    assert_eq!(world.nothing(day - 59).went_back, None);
    let evaluated = world.nothing(0);
    assert_eq!(evaluated.went_back, Some(Duration::from_secs(86_400)));
    assert_eq!(world.outbox(), [due("a", "20:01:00")]);
    assert_eq!(world.nothing(1).went_back, None);
    assert!(world.bad("a", Severity::High, 3_599).changes[0].because.is_none());
    assert_eq!(world.nothing(3_600).changes.len(), 1);
}

#[test]
fn what_is_long_over_is_forgotten_and_nothing_to_say_writes_nothing() {
    let world = World::new("");
    world.bad("a", Severity::High, 0);
    world.well("a", 10);
    let version = |world: &World| {
        let changes = |connection: &Connection| {
            Ok(connection.query_row("SELECT total_changes()", [], |row| row.get::<_, i64>(0))?)
        };
        world.store.read(changes).expect("read")
    };
    let count = |world: &World| {
        let count = |connection: &Connection| {
            Ok(connection.query_row("SELECT count(*) FROM incidents", [], |row| row.get::<_, i64>(0))?)
        };
        world.store.read(count).expect("read")
    };
    let before = version(&world);
    assert!(world.nothing(7 * 86_400 + 10).changes.is_empty());
    assert_eq!((version(&world), count(&world)), (before, 1));
    world.nothing(7 * 86_400 + 11);
    assert_eq!(count(&world), 0);
}

#[test]
fn an_incident_that_cannot_be_read_does_not_hide_the_others() {
    let world = World::new("");
    world.bad("a", Severity::High, 0);
    world.bad("b", Severity::High, 0);
    let spoil = |transaction: &Transaction<'_>| {
        Ok(transaction.execute("UPDATE incidents SET data = '{}' WHERE key LIKE '%/a'", [])?)
    };
    assert_eq!(world.store.transaction(spoil).expect("spoiled"), 1);
    assert_eq!(world.nothing(1).known.len(), 1);
    assert_eq!(world.bad("a", Severity::High, 2).changes[0].because, Some(Because::Fired));
}
