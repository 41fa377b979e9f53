//! What is held back: by silences, and by what it follows from.

use pso_common::Severity;
use pso_common::record::Telling;

use super::super::{built_in_inhibitions, inhibit};
use super::{World, at, finding, names, one, one_of, secs, silence, tellings};
use crate::finding::Finding;
use crate::notice::Because::{Ended, Fired};
use crate::policy::{Inhibition, RuleOptions};

#[test]
fn a_silence_holds_back_and_loses_nothing() {
    let mut world = World::new(RuleOptions::default());
    world.silences = vec![silence(&[("name", "a*"), ("host", "h")], 0, 100)];
    world.bad("a", 0);
    world.bad("b", 0);
    assert_eq!(tellings(&world.evaluate(0)), [("b".to_owned(), Telling::Now), ("a".to_owned(), Telling::Silenced)]);
    // It fires when the silence ends: then it is told, without a record.
    assert_eq!(world.said(99), []);
    assert_eq!(world.said(100), one(Fired, 1));
    // It ends within another one: its end is told after it.
    world.silences = vec![silence(&[("rule", "rule")], 200, 300)];
    world.well("a", 250);
    assert_eq!(world.said(250), []);
    assert_eq!(world.said(300), one(Ended, 1));
    // What began and ended within one is not told at all.
    world.silences = vec![silence(&[("severity", "high")], 400, 500)];
    world.bad("a", 410);
    world.well("a", 420);
    assert_eq!(world.said(430), []);
    assert_eq!(world.said(600), []);
    // A label that it does not have fits nothing.
    world.silences = vec![silence(&[("mount", "*")], 600, 700)];
    world.bad("a", 610);
    assert_eq!(world.said(610), one(Fired, 3));
}

#[test]
fn a_silence_that_nobody_can_mean_is_refused() {
    let refused = |matchers: &[(&str, &str)], from, to| {
        silence(matchers, from, to).check(at(0)).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(refused(&[("host", "h")], 0, 10), "");
    assert_eq!(refused(&[("host", "*"), ("mount", "*")], 0, 1_000_000), "");
    assert!(
        refused(&[("host", "h")], 20, 10).starts_with("it would end at 2026-11-01T00:00:10.000Z, before it begins")
    );
    assert!(refused(&[("host", "h")], -20, -10).starts_with("it would have ended already"));
    assert!(refused(&[], 0, 10).starts_with("it would cover nothing"));
    assert!(refused(&[("host", "")], 0, 10).starts_with("--match host= fits nothing"));
    assert!(refused(&[("host", "*"), ("name", "**")], 0, 86_401).starts_with("it would cover every incident"));
    assert_eq!(refused(&[("host", "*")], 0, 86_400), "");
}

/// While one fires, another is not told.
fn inhibits(when: &str, silences: &[&str]) -> Inhibition {
    let name = |name: &str| [("name".to_owned(), name.to_owned())].into();
    Inhibition {
        when: name(when),
        silences: silences.iter().map(|it| name(it)).collect(),
        equal: vec!["host".to_owned()],
    }
}

#[test]
fn what_follows_from_another_is_told_when_that_is_over() {
    // The cause sorts before and after what follows from it.
    for cause in ["a", "z"] {
        let mut world = World::new(RuleOptions::default());
        world.policy.inhibitions = vec![inhibits(cause, &["m*"])];
        world.bad("m1", 0);
        world.bad(cause, 1);
        world.bad("m2", 2);
        assert_eq!(world.said(3), [(cause.to_owned(), Fired, 1)]);
        world.well("m2", 10);
        world.well(cause, 11);
        // m2 was never told, and m1 may be over too: who reports it has not run since.
        assert_eq!(world.said(12), [(cause.to_owned(), Ended, 1)]);
        assert_eq!(world.said(12 + 3_599), []);
        assert_eq!(world.said(12 + 3_600), one_of("m1", Fired));
    }
}

#[test]
fn what_followed_is_told_when_it_is_said_again_and_not_when_it_is_over_too() {
    let mut world = World::new(RuleOptions::default());
    world.policy.inhibitions = vec![inhibits("cause", &["m*"])];
    ["cause", "m1", "m2"].iter().for_each(|name| world.bad(name, 0));
    assert_eq!(world.said(0), one_of("cause", Fired));
    world.well("cause", 100);
    // In the round in which the cause ends its consequences may still be there.
    world.bad("m1", 100);
    assert_eq!(world.said(100), one_of("cause", Ended));
    world.bad("m1", 219);
    world.well("m2", 219);
    assert_eq!(world.said(219), []);
    world.bad("m1", 220);
    assert_eq!(world.said(220), one_of("m1", Fired));
    world.well("m1", 300);
    assert_eq!(world.said(300), one_of("m1", Ended));
    // The next time has nothing to do with it.
    world.bad("m1", 310);
    assert_eq!(world.said(310), [("m1".to_owned(), Fired, 2)]);
}

#[test]
fn a_cause_that_time_ends_frees_what_followed_from_it_too() {
    let mut world = World::new(RuleOptions { keep_firing_for: secs(60), ..RuleOptions::default() });
    world.policy.inhibitions = vec![inhibits("cause", &["m"])];
    world.bad("cause", 0);
    world.bad("m", 0);
    assert_eq!(world.said(0), one_of("cause", Fired));
    world.well("cause", 10);
    assert_eq!(world.said(10), []);
    assert_eq!(world.said(70), one_of("cause", Ended));
    assert_eq!(world.said(71), []);
    assert_eq!(world.said(70 + 3_600), one_of("m", Fired));
}

#[test]
fn a_cause_that_came_and_went_within_a_batch_counts_for_it() {
    let mut world = World::new(RuleOptions::default());
    world.policy.inhibitions = vec![inhibits("cause", &["m"])];
    world.bad("cause", 1);
    world.bad("m", 2);
    world.well("m", 3);
    world.well("cause", 4);
    let expected = [("cause".to_owned(), Fired, 1), ("cause".to_owned(), Ended, 1)];
    assert_eq!(world.said(5), expected);
    // One that fired before, too.
    world.bad("cause", 10);
    assert_eq!(world.said(10), [("cause".to_owned(), Fired, 2)]);
    world.bad("m", 11);
    world.well("m", 12);
    world.well("cause", 13);
    assert_eq!(world.said(14), [("cause".to_owned(), Ended, 2)]);
}

#[test]
fn in_a_chain_the_first_is_told_and_in_a_circle_who_began_first() {
    let mut world = World::new(RuleOptions::default());
    world.policy.inhibitions = vec![inhibits("a", &["b"]), inhibits("b", &["c"])];
    ["c", "b", "a"].iter().for_each(|name| world.bad(name, 0));
    assert_eq!(world.said(0), one(Fired, 1));
    for first in ["a", "b"] {
        let mut world = World::new(RuleOptions::default());
        world.policy.inhibitions = vec![inhibits("a", &["b", "x"]), inhibits("b", &["a"])];
        world.bad(first, 0);
        ["a", "b", "x"].iter().for_each(|name| world.bad(name, 1));
        assert_eq!(world.said(1), [(first.to_owned(), Fired, 1)]);
    }
    // One that fits both sides does not silence itself.
    let mut world = World::new(RuleOptions::default());
    world.policy.inhibitions = vec![inhibits("*", &["*"])];
    world.bad("a", 0);
    assert_eq!(world.said(0), one(Fired, 1));
    world.bad("b", 1);
    assert_eq!(world.said(1), []);
}

#[test]
fn what_is_built_in_holds_back_what_follows_from_postgresql() {
    let built_in = built_in_inhibitions();
    let incident = |rule: &str, kind: &str, tool: &str, name: &str| {
        let mut world = World::new(RuleOptions::default());
        let finding = finding(kind, name, Severity::Critical, 0);
        let subject = crate::finding::Subject { tool: tool.to_owned(), ..finding.subject.as_ref().clone() };
        let finding = Finding::about(subject, rule, Severity::Critical, "m", at(0));
        world.batch.add(finding);
        world.evaluate(0);
        world.book.incidents.into_values().next().expect("an incident")
    };
    let health = |name: &str| incident("health.check", "health.check", "pso-health", name);
    let all = [
        health("postgres"),
        health("ports.postgres"),
        health("service.database.postgres"),
        health("service.database.qdrant"),
        health("service"),
        health("plans"),
        incident("run.failed", "run", "pso-pgstats", "pso-pgstats"),
        incident("run.failed", "run", "pso-backup", "pso-backup"),
        incident("run.failed", "run", "pso-rehearse", "pso-rehearse"),
        incident("record.severity", "audit.finding", "pso-audit", "port.postgres"),
        incident("record.severity", "audit.section", "pso-audit", "postgres"),
        incident("record.severity", "audit.section", "pso-audit", "qdrant"),
    ];
    let following = inhibit::followers(all.iter().map(AsRef::as_ref), &built_in);
    assert_eq!(
        names(&following),
        ["ports.postgres", "postgres", "pso-backup", "pso-pgstats", "service.database.postgres"]
    );
    // Without the cause all of them are told.
    let others = all[1..].iter().filter(|it| it.subject.name != "service");
    assert!(inhibit::followers(others.map(AsRef::as_ref), &built_in).is_empty());
}

#[test]
fn what_is_built_in_tells_once_that_the_service_is_down() {
    let mut world = World::new(RuleOptions::default());
    world.policy.inhibitions = built_in_inhibitions();
    // What `pso-health` writes then.
    for name in ["service", "metrics", "token", "ports.service"] {
        let finding = finding("health.check", name, Severity::Critical, 0);
        let finding = Finding::about(finding.subject.as_ref().clone(), "health.check", Severity::Critical, "m", at(0));
        world.batch.add(finding);
    }
    // It is told first, since it is why.
    let expected = ["service", "metrics", "ports.service", "token"]
        .map(|name| (name.to_owned(), if name == "service" { Telling::Now } else { Telling::Inhibited }));
    assert_eq!(tellings(&world.evaluate(0)), expected);
}
