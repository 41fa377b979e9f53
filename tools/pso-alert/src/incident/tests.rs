//! The life of an incident, step by step.

use pso_common::Severity;
use pso_common::record::{IncidentState, Telling};

use super::testing::{World, at, finding, key, names, said, secs, silence, tellings};
use crate::notice::Because::{Again, Ended, Fired, Flapping, Worse};
use crate::policy::{Expectation, Inhibition, RuleOptions};

fn one(because: crate::notice::Because, episode: u32) -> Vec<super::testing::Said> {
    vec![("a".to_owned(), because, episode)]
}

#[test]
fn it_must_hold_before_it_is_told_and_be_well_before_its_end_is() {
    let mut world = World::new(RuleOptions { hold: secs(300), keep_firing_for: secs(120), ..RuleOptions::default() });
    world.bad("a", 0);
    assert_eq!(tellings(&world.evaluate(0)), [("a".to_owned(), Telling::Pending)]);
    // Only a record shows that it still holds.
    assert_eq!(world.said(400), []);
    world.bad("a", 299);
    assert_eq!(world.said(400), []);
    world.bad("a", 401);
    assert_eq!(world.said(401), one(Fired, 1));
    world.well("a", 500);
    assert_eq!(world.said(500), []);
    // Bad again within two minutes: the same episode, and nothing new.
    world.bad("a", 550);
    assert_eq!(tellings(&world.evaluate(550)), [("a".to_owned(), Telling::Already)]);
    world.well("a", 600);
    assert_eq!(world.said(600), []);
    assert_eq!(world.said(719), []);
    // Time alone ends it.
    assert_eq!(world.said(720), one(Ended, 1));
    assert_eq!(world.book.incidents[&key("a")].ended_at, Some(at(600)));
    assert!(world.evaluate(800).is_empty());
}

#[test]
fn what_was_pending_only_leaves_no_trace() {
    let mut world = World::new(RuleOptions { hold: secs(300), ..RuleOptions::default() });
    world.bad("a", 0);
    world.evaluate(0);
    world.well("a", 10);
    assert!(world.evaluate(10).is_empty() && world.book.incidents.is_empty());
    // The second time it leaves what was before.
    world.bad("a", 1_000);
    world.bad("a", 1_300);
    assert_eq!(world.said(1_300), one(Fired, 1));
    world.well("a", 1_400);
    assert_eq!(world.said(1_400), one(Ended, 1));
    world.bad("a", 2_000);
    assert_eq!(tellings(&world.evaluate(2_000)), [("a".to_owned(), Telling::Pending)]);
    world.well("a", 2_001);
    assert!(world.evaluate(2_001).is_empty());
    let left = &world.book.incidents[&key("a")];
    assert_eq!((left.state, left.episode, left.ended_at), (IncidentState::Resolved, 1, Some(at(1_400))));
}

#[test]
fn without_a_state_that_lasts_nothing_waits() {
    let mut world = World::new(RuleOptions { hold: secs(300), ..RuleOptions::default() });
    world.holds = false;
    world.bad("a", 0);
    assert_eq!(world.said(0), one(Fired, 1));
}

#[test]
fn all_moments_of_a_batch_are_told_in_their_order() {
    let mut world = World::new(RuleOptions::default());
    world.bad("a", 1);
    world.well("a", 2);
    world.record("health.check", "a", Severity::Critical, 3);
    world.record("health.check", "z", Severity::Critical, 3);
    let told = world.said(4);
    let moment = |because, episode| ("a".to_owned(), because, episode);
    let expected = [moment(Fired, 1), moment(Ended, 1), moment(Fired, 2), ("z".to_owned(), Fired, 1)];
    assert_eq!(told, expected);
}

#[test]
fn worse_is_told_at_once_and_better_when_it_is_told_again() {
    let mut world = World::new(RuleOptions { repeat: secs(100), repeat_limit: 2, ..RuleOptions::default() });
    let severity = |world: &mut World, severity, second| {
        world.record("health.check", "a", severity, second);
        world.said(second)
    };
    assert_eq!(severity(&mut world, Severity::Warning, 0), one(Fired, 1));
    assert_eq!(severity(&mut world, Severity::Critical, 10), one(Worse, 1));
    assert_eq!(severity(&mut world, Severity::Warning, 20), []);
    assert_eq!(severity(&mut world, Severity::Critical, 30), []);
    assert_eq!(severity(&mut world, Severity::Warning, 109), []);
    // Time alone is enough, twice at most.
    assert_eq!(world.said(110), one(Again, 1));
    assert_eq!(severity(&mut world, Severity::High, 120), one(Worse, 1));
    assert_eq!(world.said(220), one(Again, 1));
    assert_eq!(world.said(1_000), []);
}

#[test]
fn what_no_channel_wants_and_ends_that_nobody_wants_are_not_told() {
    let mut world = World::new(RuleOptions { channels: Some(Vec::new()), ..RuleOptions::default() });
    world.bad("a", 0);
    assert_eq!(tellings(&world.evaluate(0)), [("a".to_owned(), Telling::Unwanted)]);
    let mut world = World::new(RuleOptions { resolved: false, ..RuleOptions::default() });
    world.bad("a", 0);
    assert_eq!(world.said(0), one(Fired, 1));
    world.well("a", 1);
    assert_eq!(tellings(&world.evaluate(1)), [("a".to_owned(), Telling::Unwanted)]);
    world.bad("a", 2);
    assert_eq!(world.said(2), one(Fired, 2));
}

#[test]
fn what_comes_and_goes_is_told_once_and_then_as_it_stands_when_it_is_calm() {
    let mut world = World::new(RuleOptions { repeat: secs(100_000), ..RuleOptions::default() });
    let mut told = Vec::new();
    for turn in 0..20 {
        world.bad("a", turn * 20);
        told.extend(world.evaluate(turn * 20));
        world.well("a", turn * 20 + 10);
        told.extend(world.evaluate(turn * 20 + 10));
    }
    // Six changes within the hour, and then the beginning that is one too many.
    let moment = |because, episode| ("a".to_owned(), because, episode);
    let three = (1..=3).flat_map(|episode| [moment(Fired, episode), moment(Ended, episode)]);
    assert_eq!(said(&told), three.chain([moment(Flapping, 4)]).collect::<Vec<_>>());
    let text = told.iter().find(|change| change.because == Some(Flapping)).expect("told");
    let message = text.incident.notice(Flapping, None).message;
    assert_eq!(message, "comes and goes (4 times by now); the next word is when it has calmed down: it says so");
    assert_eq!(world.said(390 + 1_799), []);
    assert_eq!(world.said(390 + 1_800), one(Ended, 20));
    // One that is bad when it calms down.
    for turn in 0..4 {
        world.bad("a", 10_000 + turn * 20);
        world.well("a", 10_010 + turn * 20);
    }
    world.bad("a", 10_100);
    assert_eq!(world.said(10_100).last(), Some(&moment(Flapping, 24)));
    // Worse is told all the same.
    world.record("health.check", "a", Severity::Critical, 10_200);
    assert_eq!(world.said(10_200), one(Worse, 25));
    assert_eq!(world.said(10_100 + 1_800), one(Again, 25));
    world.well("a", 20_000);
    assert_eq!(world.said(20_000), one(Ended, 25));
}

#[test]
fn a_silence_holds_back_and_loses_nothing() {
    let mut world = World::new(RuleOptions::default());
    world.silences = vec![silence(&[("name", "a*"), ("host", "h")], 0, 100)];
    world.bad("a", 0);
    world.bad("b", 0);
    assert_eq!(tellings(&world.evaluate(0)), [("a".to_owned(), Telling::Silenced), ("b".to_owned(), Telling::Now)]);
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
        // m2 was never told.
        assert_eq!(world.said(12), [("m1".to_owned(), Fired, 1), (cause.to_owned(), Ended, 1)]);
    }
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
    let built_in = super::built_in_inhibitions();
    let incident = |rule: &str, kind: &str, tool: &str, name: &str| {
        let mut world = World::new(RuleOptions::default());
        let mut finding = finding(kind, name, Severity::Critical, 0);
        finding.subject.tool = tool.to_owned();
        let labels = finding.labels.clone();
        let mut finding = crate::finding::Finding::about(finding.subject, rule, Severity::Critical, "m", at(0));
        finding.labels.extend(labels.into_iter().filter(|(key, _)| key == "host"));
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
    ];
    let following = super::inhibit::followers(all.iter().map(AsRef::as_ref), &built_in);
    assert_eq!(names(&following), ["ports.postgres", "pso-backup", "pso-pgstats", "service.database.postgres"]);
    // Without the cause all of them are told.
    assert!(super::inhibit::followers(all[1..].iter().map(AsRef::as_ref), &built_in).is_empty());
}

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
fn another_pipes_run_says_nothing() {
    let mut world = World::new(RuleOptions::default());
    world.record("audit.finding", "a", Severity::High, 10);
    world.completed(5, 11);
    assert_eq!(world.said(12), one(Fired, 1));
    world.completed(100, 110);
    let batch = std::mem::take(&mut world.batch);
    let ground = super::Ground { source: "other", policy: &world.policy, silences: &[], now: at(120), holds: true };
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
    assert_eq!(world.said(7 * 86_400 - 1), []);
    assert_eq!(world.said(7 * 86_400), one(Worse, 1));
    assert_eq!(world.said(14 * 86_400 - 1), []);
    assert_eq!(world.said(14 * 86_400), one(Ended, 1));
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
fn a_clock_that_goes_back_keeps_nothing_waiting() {
    let mut world = World::new(RuleOptions { repeat: secs(100), ..RuleOptions::default() });
    world.bad("a", 1_000_000);
    assert_eq!(world.said(1_000_000), one(Fired, 1));
    world.book.pull_back(at(0));
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
