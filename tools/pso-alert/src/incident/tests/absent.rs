//! What is not mentioned any more, and clocks that are not right.

use pso_common::Severity;
use pso_common::record::IncidentState;

use super::super::Ground;
use super::{World, at, key, one, one_of, said, secs};
use crate::notice::Because::{Again, Ended, Fired, Worse};
use crate::policy::{Expectation, RuleOptions};

#[test]
fn an_event_is_over_when_a_run_does_not_mention_it_and_a_level_is_not() {
    let mut world = World::new(RuleOptions::default());
    for (kind, name) in [("audit.finding", "event"), ("health.check", "level"), ("backup.archive", "mentioned")] {
        world.record(kind, name, Severity::High, 10);
    }
    world.completed(5, 11);
    assert_eq!(world.said(12).len(), 3);
    world.record("backup.archive", "mentioned", Severity::High, 105);
    world.completed(100, 110);
    assert_eq!(world.said(112), [("event".to_owned(), Ended, 1)]);
    assert_eq!(world.book.incidents[&key("event")].ended_at, Some(at(110)));
    // An hour after its last record nothing is known of the level.
    assert_eq!(world.said(3_609), []);
    let changes = world.evaluate(3_610);
    assert_eq!(said(&changes), [("level".to_owned(), Worse, 1)]);
    assert_eq!(world.state("level"), Some(IncidentState::NoData));
    assert_eq!(
        changes[0].incident.message,
        "nothing is known of it since 2026-11-01T00:00:10.000Z; the last word was: it says so"
    );
    // The other was mentioned by the last run that ended.
    assert_eq!(world.state("mentioned"), Some(IncidentState::Firing));
    // It is heard of again: nothing new, until it is well.
    world.bad("level", 3_700);
    assert_eq!(world.said(3_700), []);
    assert_eq!(world.state("level"), Some(IncidentState::Firing));
    world.well("level", 3_800);
    assert_eq!(world.said(3_800), [("level".to_owned(), Ended, 1)]);
}

#[test]
fn what_the_runs_of_its_tool_do_not_mention_for_two_days_is_gone() {
    let mut world = World::new(RuleOptions { repeat: secs(100 * 86_400), ..RuleOptions::default() });
    // A target that is taken out of the configuration while it is down.
    world.record("health.check", "retired", Severity::Critical, 0);
    assert_eq!(world.said(0), one_of("retired", Fired));
    let (first, hour) = (600, 3_600);
    let mut told = Vec::new();
    for now in (first..4 * 86_400).step_by(300) {
        world.completed(now - 2, now);
        told.extend(world.said(now).into_iter().map(|(_, because, _)| (because, now)));
    }
    assert_eq!(told, [(Worse, hour), (Ended, first + 2 * 86_400)]);
}

#[test]
fn another_pipes_run_says_nothing() {
    let mut world = World::new(RuleOptions::default());
    world.record("audit.finding", "a", Severity::High, 10);
    world.completed(5, 11);
    assert_eq!(world.said(12), one(Fired, 1));
    world.completed(100, 110);
    let batch = std::mem::take(&mut world.batch);
    let ground = Ground { source: "other", policy: &world.policy, silences: &[], now: at(120), holds: true };
    assert!(world.book.evaluate(&batch, &ground).is_empty());
    assert_eq!(world.state("a"), Some(IncidentState::Firing));
}

#[test]
fn events_of_which_nobody_tells_the_end_are_over_after_a_while() {
    let mut world = World::new(RuleOptions { repeat: secs(1_000_000), ..RuleOptions::default() });
    world.record("log.event", "log", Severity::High, 0);
    world.record("later.kind", "script", Severity::High, 0);
    assert_eq!(world.said(1).len(), 2);
    assert_eq!(world.said(3_599), []);
    assert_eq!(world.said(3_600).len(), 2);
    // The runs of its tool come to their end: they will say it, and time does not; what is in a log passes all the same.
    world.completed(4_000, 4_001);
    world.record("log.event", "log", Severity::High, 4_000);
    world.record("later.kind", "script", Severity::High, 4_000);
    assert_eq!(world.said(4_001).len(), 2);
    assert_eq!(world.said(12_000), [("log".to_owned(), Ended, 2)]);
    // An old record is told as it is; only the next evaluation finds that nothing more came.
    world.record("log.event", "old", Severity::High, 0);
    assert_eq!(world.said(30_000), [("old".to_owned(), Fired, 1)]);
    assert_eq!(world.said(30_001), [("old".to_owned(), Ended, 1)]);
}

#[test]
fn nobody_waits_for_ever() {
    let mut world = World::new(RuleOptions { repeat: secs(100 * 86_400), ..RuleOptions::default() });
    world.bad("a", 0);
    assert_eq!(world.said(0), one(Fired, 1));
    // A tool that runs every week may be late by a day.
    assert_eq!(world.said(8 * 86_400 - 1), []);
    assert_eq!(world.said(8 * 86_400), one(Worse, 1));
    assert_eq!(world.said(16 * 86_400 - 1), []);
    assert_eq!(world.said(16 * 86_400), one(Ended, 1));
}

#[test]
fn a_run_without_its_end_is_a_state_of_its_own() {
    let mut world = World::new(RuleOptions::default());
    world.unfinished("a", 0);
    assert_eq!(world.said(0), one(Fired, 1));
    let incident = &world.book.incidents[&key("a")];
    // The finding says warning, the policy high.
    assert_eq!((incident.state, incident.severity), (IncidentState::Unfinished, Severity::High));
    world.record("run", "a", Severity::Ok, 10);
    assert_eq!(world.said(10), one(Ended, 1));
}

#[test]
fn who_is_expected_and_says_nothing_is_an_incident() {
    let mut world = World::new(RuleOptions::default());
    let expect = |source: Option<&str>, tool: Option<&str>, within| Expectation {
        source: source.map(str::to_owned),
        tool: tool.map(str::to_owned),
        host: None,
        within: secs(within),
        severity: Severity::Critical,
    };
    world.policy.expect = vec![expect(None, Some("t"), 3_600), expect(Some("nightly"), None, 7_200)];
    // The clock of the first begins with its first run, that of the other when it is first expected.
    world.completed(0, 10);
    assert_eq!(world.said(10), []);
    assert_eq!(world.said(3_600), []);
    let changes = world.evaluate(3_670);
    assert_eq!(said(&changes), [("t".to_owned(), Fired, 1)]);
    let incident = &changes[0].incident;
    assert_eq!((incident.state, incident.severity), (IncidentState::NoData, Severity::Critical));
    assert_eq!(
        incident.message,
        "nothing was heard of t since 2026-11-01T00:00:10.000Z: it should report every 1h 00m"
    );
    assert_eq!(world.said(7_270), [("nightly".to_owned(), Fired, 1)]);
    world.completed(8_000, 8_010);
    assert_eq!(world.said(8_010), [("t".to_owned(), Ended, 1)]);
    // Who is not expected any more is not missed either.
    world.policy.expect.clear();
    assert_eq!(world.said(8_020), [("nightly".to_owned(), Ended, 1)]);
}

#[test]
fn of_several_hosts_the_one_that_is_gone_is_missed() {
    let mut world = World::new(RuleOptions::default());
    let expect = |host: &str| Expectation {
        source: None,
        tool: Some("t".to_owned()),
        host: Some(host.to_owned()),
        within: secs(3_600),
        severity: Severity::High,
    };
    world.policy.expect = ["web-1", "web-2", "web-3"].map(expect).to_vec();
    for second in [10, 1_800, 3_000] {
        world.completed_on("web-1", second - 5, second);
        if second == 10 {
            world.completed_on("web-2", second - 5, second);
        }
        assert_eq!(world.said(second), []);
    }
    // One was never heard, one for an hour not.
    assert_eq!(world.said(3_671), [("t on web-2".to_owned(), Fired, 1), ("t on web-3".to_owned(), Fired, 1)]);
    world.completed_on("web-3", 3_700, 3_710);
    assert_eq!(world.said(3_710), [("t on web-3".to_owned(), Ended, 1)]);
}

#[test]
fn a_clock_that_goes_back_keeps_nothing_waiting() {
    let mut world = World::new(RuleOptions { repeat: secs(100), ..RuleOptions::default() });
    world.bad("a", 1_000_000);
    assert_eq!(world.said(1_000_000), one(Fired, 1));
    world.book.pull_back(at(0));
    world.bad("a", 99);
    assert_eq!(world.said(99), []);
    assert_eq!(world.said(100), one(Again, 1));
    world.well("a", 101);
    assert_eq!(world.said(101), one(Ended, 1));
}

#[test]
fn a_record_from_the_future_does_not_stay_there() {
    let mut world = World::new(RuleOptions::default());
    world.bad("a", 1_000_000_000);
    assert_eq!(world.said(10), one(Fired, 1));
    let incident = &world.book.incidents[&key("a")];
    assert_eq!((incident.since, incident.last_at, incident.seen_at), (at(10), at(10), at(10 + 86_400)));
}
