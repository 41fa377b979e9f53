//! An incident's beginnings and ends, and when they are told.

use pso_common::Severity;
use pso_common::record::{IncidentState, Telling};

use super::{World, at, key, one, said, secs, tellings};
use crate::notice::Because::{Again, Ended, Fired, Flapping, Worse};
use crate::policy::RuleOptions;

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
    // A new word of it is enough, when the time has come; twice at most.
    assert_eq!(world.said(110), one(Again, 1));
    assert_eq!(severity(&mut world, Severity::High, 120), one(Worse, 1));
    assert_eq!(severity(&mut world, Severity::High, 219), []);
    assert_eq!(world.said(220), one(Again, 1));
    assert_eq!(severity(&mut world, Severity::High, 1_000), []);
}

#[test]
fn what_a_weekly_run_found_is_told_again_by_the_next_one() {
    let mut world = World::new(RuleOptions::default());
    let (hour, week) = (3_600, 7 * 86_400);
    let mut told = Vec::new();
    // A flush every hour, and the run that finds it on Mondays; it takes a minute longer each time.
    for now in (0..4 * week).step_by(3_600) {
        if now % week == 0 {
            world.record("audit.finding", "a", Severity::High, now + now / week * 60);
        }
        let (now, begun) = (now + now / week * 60, now);
        if begun % week == 0 {
            world.completed(begun - hour, now);
        }
        told.extend(world.said(now).into_iter().map(|(_, because, _)| (because, begun / week)));
    }
    assert_eq!(told, [(Fired, 0), (Again, 1), (Again, 2), (Again, 3)]);
}

#[test]
fn where_a_channel_forgets_what_goes_on_is_told_again_by_the_clock() {
    let mut world = World::new(RuleOptions { repeat: secs(100), reminds: true, ..RuleOptions::default() });
    world.bad("a", 0);
    assert_eq!(world.said(0), one(Fired, 1));
    assert_eq!([world.said(99), world.said(100), world.said(200)], [vec![], one(Again, 1), one(Again, 1)]);
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
