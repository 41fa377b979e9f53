//! What retention must never do, tried on histories by hand and on many by chance.

use pso_common::Timestamp;
use pso_common::record::Component;

use super::policy::{Candidate, Policy, State, Verdict};

const DAYS_7: Policy =
    Policy { keep_days: 7, keep_daily: 0, keep_weekly: 0, keep_monthly: 0, minimum: 1, rehearsed_only: false };
const SLOTS: Policy =
    Policy { keep_days: 0, keep_daily: 3, keep_weekly: 2, keep_monthly: 2, minimum: 1, rehearsed_only: false };

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn whole(taken: &str) -> Candidate {
    let components = Component::ALL.to_vec();
    Candidate { taken_at: at(taken), state: State::Good, components, systems: vec!["1".to_owned()], pinned: false }
}

fn removed(policy: Policy, all: &[Candidate], now: &str) -> Vec<String> {
    let verdicts = policy.decide(all, at(now));
    let gone = all.iter().zip(&verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::Remove(_)));
    gone.map(|(archive, _)| archive.taken_at.compact()).collect()
}

#[test]
fn what_is_older_goes() {
    let all = [whole("2026-11-22T09:00:00Z"), whole("2026-11-15T09:00:00Z"), whole("2026-11-15T08:59:59Z")];
    assert_eq!(removed(DAYS_7, &all, "2026-11-22T09:00:00Z"), ["20261115_085959"]);
}

#[test]
fn the_newest_of_each_slot_stays() {
    let all: Vec<Candidate> = [
        "2026-11-22T21:00:00Z", // a Sunday
        "2026-11-22T09:00:00Z",
        "2026-11-21T09:00:00Z",
        "2026-11-20T09:00:00Z",
        "2026-11-19T09:00:00Z",
        "2026-11-14T09:00:00Z",
        "2026-11-13T09:00:00Z",
        "2026-10-31T09:00:00Z",
        "2026-10-30T09:00:00Z",
        "2026-09-30T09:00:00Z",
    ]
    .map(whole)
    .to_vec();
    let gone = removed(SLOTS, &all, "2026-11-22T22:00:00Z");
    let expected = ["20261122_090000", "20261119_090000", "20261113_090000", "20261030_090000", "20260930_090000"];
    assert_eq!(gone, expected);
}

#[test]
fn a_month_of_failures_costs_nothing() {
    let now = "2026-11-22T09:00:00Z";
    assert!(removed(DAYS_7, &[whole("2026-10-01T09:00:00Z")], now).is_empty());
    for state in [State::Unreadable, State::Damaged, State::Unverified, State::Unrehearsed] {
        let failed = Candidate { state, ..whole(now) };
        let all = [failed, whole("2026-10-01T09:00:00Z")];
        assert!(removed(DAYS_7, &all, now).is_empty(), "{state:?} does not replace a good one");
        assert!(removed(Policy { keep_daily: 1, keep_days: 0, ..DAYS_7 }, &all, now).is_empty());
    }
}

#[test]
fn a_wrong_clock_costs_nothing() {
    // It ran ahead while one was made, and is right again.
    let all = [whole("2031-01-01T00:00:00Z"), whole("2026-11-22T09:00:00Z"), whole("2026-11-01T09:00:00Z")];
    assert_eq!(removed(DAYS_7, &all, "2026-11-22T10:00:00Z"), ["20261101_090000"]);
    assert!(removed(DAYS_7, &all[..1], "2026-11-22T10:00:00Z").is_empty());
    let ahead = [all[0].clone(), all[2].clone()];
    assert!(removed(DAYS_7, &ahead, "2026-11-22T10:00:00Z").is_empty(), "one of the future counts for nothing");
    // It runs ahead now: the newest stays.
    assert_eq!(removed(DAYS_7, &all[1..], "2040-01-01T00:00:00Z"), ["20261101_090000"]);
    // It is behind: everything is of the future.
    assert!(removed(SLOTS, &all, "1999-01-01T00:00:00Z").is_empty());
}

#[test]
fn a_new_cluster_does_not_cost_the_last_of_the_old_one() {
    let old = whole("2026-10-01T09:00:00Z");
    let older = whole("2026-09-01T09:00:00Z");
    let new = |taken| Candidate { systems: vec!["2".to_owned()], ..whole(taken) };
    let all = [new("2026-11-22T09:00:00Z"), new("2026-11-01T09:00:00Z"), old.clone(), older];
    assert_eq!(removed(DAYS_7, &all, "2026-11-22T09:00:00Z"), ["20261101_090000", "20260901_090000"]);
    // Nor one that does not say which cluster it is.
    let silent = Candidate { systems: Vec::new(), ..whole("2026-11-22T09:00:00Z") };
    assert!(removed(DAYS_7, &[silent.clone(), old], "2026-11-22T09:00:00Z").is_empty());
    let older = Candidate { systems: Vec::new(), ..whole("2026-10-01T09:00:00Z") };
    assert_eq!(removed(DAYS_7, &[silent, older], "2026-11-22T09:00:00Z"), ["20261001_090000"]);
}

#[test]
fn an_archive_of_a_part_replaces_that_part_only() {
    let part = |taken| Candidate { components: vec![Component::Config], ..whole(taken) };
    let all = [part("2026-11-22T09:00:00Z"), part("2026-10-02T09:00:00Z"), whole("2026-10-01T09:00:00Z")];
    assert_eq!(removed(DAYS_7, &all, "2026-11-22T09:00:00Z"), ["20261002_090000"]);
    // Nor does it take the day of a whole one.
    let all = [part("2026-11-22T21:00:00Z"), whole("2026-11-22T09:00:00Z"), whole("2026-11-21T09:00:00Z")];
    let one_day = Policy { keep_days: 0, keep_daily: 1, ..DAYS_7 };
    assert_eq!(removed(one_day, &all, "2026-11-22T22:00:00Z"), ["20261121_090000"]);
}

#[test]
fn what_does_not_count_goes_when_it_is_replaced() {
    let now = "2026-11-22T10:00:00Z";
    for state in [State::Unreadable, State::Damaged, State::Unverified, State::Unrehearsed] {
        let bad = |taken| Candidate { state, ..whole(taken) };
        let all = [whole("2026-11-22T09:00:00Z"), bad("2026-11-21T09:00:00Z"), bad("2026-01-01T00:00:00Z")];
        assert_eq!(removed(DAYS_7, &all, now), ["20260101_000000"], "{state:?}");
        let two = Policy { minimum: 2, ..DAYS_7 };
        assert!(removed(two, &all, now).is_empty(), "{state:?}: one good one is not two");
    }
    let pinned = Candidate { pinned: true, state: State::Unreadable, ..whole("2026-01-01T00:00:00Z") };
    assert!(removed(DAYS_7, &[whole("2026-11-22T09:00:00Z"), pinned], now).is_empty());
}

#[test]
fn what_nobody_has_verified_stays_as_long_as_if_it_had_been() {
    let old = |taken| Candidate { state: State::Unverified, ..whole(taken) };
    let all: Vec<Candidate> = std::iter::once(whole("2026-11-22T09:00:00Z"))
        .chain(
            ["2026-11-21T09:00:00Z", "2026-10-31T09:00:00Z", "2026-10-01T09:00:00Z", "2026-09-30T09:00:00Z"].map(old),
        )
        .collect();
    let months = Policy { keep_days: 0, keep_monthly: 2, ..DAYS_7 };
    // The first one is of the second month; what is older goes, since a good one has all that is in it.
    assert_eq!(removed(months, &all, "2026-11-22T10:00:00Z"), ["20261001_090000", "20260930_090000"]);
    // It takes no month from a good one, however much newer it is.
    let all = [old("2026-11-22T09:00:00Z"), old("2026-10-22T09:00:00Z"), whole("2026-09-01T09:00:00Z")];
    assert!(removed(months, &all, "2026-11-22T10:00:00Z").is_empty());
    // What is known to be damaged would be kept by no rule.
    let damaged = Candidate { state: State::Damaged, ..whole("2026-10-31T09:00:00Z") };
    let all = [whole("2026-11-22T09:00:00Z"), damaged];
    assert_eq!(removed(months, &all, "2026-11-22T10:00:00Z"), ["20261031_090000"]);
}

#[test]
fn what_cannot_be_read_is_replaced_by_what_has_everything() {
    let now = "2026-11-22T10:00:00Z";
    let part = |taken| Candidate { components: vec![Component::Config], ..whole(taken) };
    let broken = Candidate { state: State::Unreadable, components: Vec::new(), ..whole("2026-09-01T09:00:00Z") };
    // There were archives of everything: it may be one.
    let all = [part("2026-11-22T09:00:00Z"), broken.clone(), whole("2026-08-01T09:00:00Z")];
    assert!(removed(DAYS_7, &all, now).is_empty());
    let all = [part("2026-11-22T09:00:00Z"), broken.clone()];
    assert_eq!(removed(DAYS_7, &all, now), ["20260901_090000"]);
    // One without a manifest is known to have everything, of whatever cluster.
    let old = Candidate { components: Component::ALL.to_vec(), systems: Vec::new(), ..broken };
    assert!(removed(DAYS_7, &[part("2026-11-22T09:00:00Z"), old.clone()], now).is_empty());
    assert_eq!(removed(DAYS_7, &[whole("2026-11-22T09:00:00Z"), old], now), ["20260901_090000"]);
}

#[test]
fn what_goes_relies_on_good_ones_that_stay() {
    let mut chance = fastrand::Rng::with_seed(23);
    for round in 0..300 {
        let ((all, now), policy) = (history(&mut chance), policy(&mut chance));
        let verdicts = policy.decide(&all, now);
        for at in (0..all.len()).filter(|&at| !kept(&verdicts, at)) {
            let relied_on = policy.relied_on(&all[at], &all, now);
            let needs = !all[at].components.is_empty();
            assert!(!needs || relied_on.len() >= policy.minimum as usize, "round {round}: {:?}", all[at]);
            assert!(relied_on.iter().all(|&on| all[on].state == State::Good && kept(&verdicts, on)), "round {round}");
        }
    }
}

#[test]
fn rules_that_keep_nothing_are_refused() {
    let empty = Policy { keep_days: 0, ..DAYS_7 };
    assert!(empty.check().expect_err("empty").to_string().contains("would keep nothing"));
    assert!(Policy { minimum: 0, ..DAYS_7 }.check().is_err());
    assert!(DAYS_7.check().is_ok() && SLOTS.check().is_ok());
}

/// A history of some hundred days, with everything that can go wrong in it.
fn history(chance: &mut fastrand::Rng) -> (Vec<Candidate>, Timestamp) {
    let now = at("2026-11-22T09:00:00Z");
    let count = chance.usize(0..30);
    let archive = |chance: &mut fastrand::Rng| {
        // Some of them a little in the future.
        let seconds = chance.i64(-10 * 86_400..200 * 86_400);
        let taken_at = Timestamp::new(now.to_utc() - time::Duration::seconds(seconds));
        let state = match chance.u8(0..10) {
            0 => State::Unreadable,
            1 => State::Damaged,
            2 => State::Unverified,
            3 => State::Unrehearsed,
            _ => State::Good,
        };
        let mut components = Component::ALL.to_vec();
        if chance.u8(0..3) == 0 {
            components.retain(|_| chance.bool());
        }
        if state == State::Unreadable {
            components.clear();
        }
        let systems = match chance.u8(0..6) {
            0 => Vec::new(),
            1 => vec!["2".to_owned()],
            _ => vec!["1".to_owned()],
        };
        Candidate { taken_at, state, components, systems, pinned: chance.u8(0..12) == 0 }
    };
    ((0..count).map(|_| archive(chance)).collect(), now)
}

fn policy(chance: &mut fastrand::Rng) -> Policy {
    let mut rule = |max: u32| if chance.bool() { 0 } else { chance.u32(0..max) };
    let (keep_days, keep_daily, keep_weekly, keep_monthly) = (rule(40), rule(8), rule(6), rule(6));
    Policy {
        keep_days: keep_days.max(1),
        keep_daily,
        keep_weekly,
        keep_monthly,
        minimum: chance.u32(1..4),
        rehearsed_only: false,
    }
}

fn kept(verdicts: &[Verdict], at: usize) -> bool {
    matches!(verdicts[at], Verdict::Keep(_))
}

#[test]
fn whatever_the_history_the_last_good_ones_stay() {
    let mut chance = fastrand::Rng::with_seed(4711);
    let mut removed = 0;
    for round in 0..1000 {
        let (all, now) = history(&mut chance);
        let mut policy = policy(&mut chance);
        if round % 2 == 0 && policy.keep_daily + policy.keep_weekly + policy.keep_monthly > 0 {
            policy.keep_days = 0;
        }
        let verdicts = policy.decide(&all, now);
        removed += (0..all.len()).filter(|&at| !kept(&verdicts, at)).count();
        for (at, archive) in all.iter().enumerate() {
            if archive.pinned || archive.taken_at > now {
                assert!(kept(&verdicts, at), "round {round}: {archive:?}");
            }
        }
        // Of each thing that good archives hold, the last ones stay.
        for component in Component::ALL {
            for system in ["1", "2", ""] {
                let holds = |archive: &Candidate| {
                    let of_system = if system.is_empty() {
                        archive.systems.is_empty()
                    } else {
                        archive.systems.iter().any(|own| own == system)
                    };
                    archive.state == State::Good
                        && archive.taken_at <= now
                        && archive.components.contains(&component)
                        && (component != Component::Postgres || of_system)
                };
                let good: Vec<usize> = (0..all.len()).filter(|&at| holds(&all[at])).collect();
                let newest = good.iter().copied().max_by_key(|&at| all[at].taken_at);
                assert!(newest.is_none_or(|at| kept(&verdicts, at)), "round {round}: {component} of {system:?}");
                let left = good.iter().filter(|&&at| kept(&verdicts, at)).count();
                assert!(left >= good.len().min(policy.minimum as usize), "round {round}: {left} of {component}");
            }
        }
        // Where nothing counts, nothing goes.
        let counts = all.iter().any(|archive| archive.state == State::Good && archive.taken_at <= now);
        assert!(counts || (0..all.len()).all(|at| kept(&verdicts, at)), "round {round}");
        // What does not count changes nothing for what does.
        let only_good: Vec<Candidate> = all.iter().filter(|archive| archive.state == State::Good).cloned().collect();
        let of_good: Vec<Verdict> =
            (0..all.len()).filter(|&at| all[at].state == State::Good).map(|at| verdicts[at].clone()).collect();
        assert_eq!(policy.decide(&only_good, now), of_good, "round {round}");
        // Keeping more keeps more.
        let more = Policy { keep_days: policy.keep_days + 5, keep_daily: policy.keep_daily + 2, ..policy };
        let with_more = more.decide(&all, now);
        let good = |at: &usize| all[*at].state == State::Good;
        assert!((0..all.len()).filter(good).all(|at| !kept(&verdicts, at) || kept(&with_more, at)), "round {round}");
        // And what was pruned once is pruned: the second time nothing goes.
        let left: Vec<Candidate> = (0..all.len()).filter(|&at| kept(&verdicts, at)).map(|at| all[at].clone()).collect();
        let again = policy.decide(&left, now);
        assert!(
            (0..left.len()).filter(|&at| left[at].state == State::Good).all(|at| kept(&again, at)),
            "round {round}"
        );
    }
    assert!(removed > 1_500, "only {removed} were ever removed: the histories are too kind");
}

#[test]
fn what_nobody_has_rehearsed_replaces_nothing() {
    let now = "2026-11-22T10:00:00Z";
    let not = |taken| Candidate { state: State::Unrehearsed, ..whole(taken) };
    let policy = Policy { rehearsed_only: true, ..DAYS_7 };
    // None was rehearsed: everything stays.
    let none = [not("2026-11-22T09:00:00Z"), not("2026-10-01T09:00:00Z"), not("2026-01-01T09:00:00Z")];
    assert!(removed(policy, &none, now).is_empty());
    // The last rehearsed one stays, however old it is; what is older than it and never was goes.
    let all = [not("2026-11-22T09:00:00Z"), whole("2026-10-01T09:00:00Z"), not("2026-09-01T09:00:00Z")];
    assert_eq!(removed(policy, &all, now), ["20260901_090000"]);
    // A newer rehearsed one replaces both.
    let all = [whole("2026-11-22T09:00:00Z"), whole("2026-10-01T09:00:00Z"), not("2026-09-01T09:00:00Z")];
    assert_eq!(removed(policy, &all, now), ["20261001_090000", "20260901_090000"]);
    let verdicts = policy.decide(&none, at(now));
    let reasons: Vec<&str> = verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::Keep(reason) | Verdict::Remove(reason) => reason.as_str(),
        })
        .collect();
    assert!(reasons[0].contains("it was not rehearsed and does not count"), "{reasons:?}");
    assert!(reasons[1].contains("it was not rehearsed, and no newer good ones"), "{reasons:?}");
}
