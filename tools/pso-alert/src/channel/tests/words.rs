//! The words of each moment, the same on every channel.

use super::*;
use crate::channel::lines::{headline, lines, more};

/// `SIGN WORD message (details)` of each line.
fn told(notices: &[Notice]) -> Vec<String> {
    let digest = digest(notices);
    let show = |line: &super::super::lines::Line<'_>| {
        format!("{} {} {} ({})", line.sign, line.word, line.message, line.details.join(" · "))
    };
    lines(&digest).iter().map(show).collect()
}

fn one(change: impl FnOnce(&mut Notice)) -> Vec<String> {
    let mut notice = notice(Severity::High, "m", 1);
    notice.labels = labels(&[("host", "web-1")]);
    notice.first_at = time("08:00:00");
    change(&mut notice);
    told(&[notice])
}

#[test]
fn every_moment_has_its_own_words() {
    assert_eq!(one(|_| {}), ["🟠 HIGH m (since 08:00 UTC)"]);
    assert_eq!(one(|n| n.because = Because::Worse), ["🟠 NOW HIGH m (since 08:00 UTC, for 1h 00m)"]);
    assert_eq!(one(|n| n.because = Because::Again), ["🟠 STILL HIGH m (since 08:00 UTC, for 1h 00m)"]);
    assert_eq!(
        one(|n| n.because = Because::ByHand),
        ["🟠 HIGH m (by hand, 08:00 UTC · host=web-1)"].map(|text| text.replace(" · host=web-1", ""))
    );
    assert_eq!(one(|n| n.because = Because::Test), ["🧪 TEST m (08:00 UTC)"]);
    assert_eq!(one(|n| n.state = IncidentState::NoData), ["🟠 NO DATA, HIGH m (since 08:00 UTC)"]);
    assert_eq!(one(|n| n.state = IncidentState::Unfinished), ["🟠 HIGH m (since 08:00 UTC)"]);
    let over = one(|n| {
        (n.because, n.state, n.ended_at) = (Because::Ended, IncidentState::Resolved, Some(time("08:00:45")));
    });
    assert_eq!(over, ["✅ RESOLVED m (08:00 – 08:00 UTC, for 45.0 s)"]);
    let long = one(|n| n.first_at = "2026-11-19T23:30:00Z".parse().expect("a time"));
    assert_eq!(long, ["🟠 HIGH m (since 2026-11-19 23:30 UTC)"]);
    assert_eq!(one(|n| n.message = " \n".to_owned()), ["🟠 HIGH (no message) (since 08:00 UTC)"]);
    // A clock that was set back.
    assert_eq!(
        one(|n| (n.because, n.first_at) = (Because::Again, time("09:30:00"))),
        ["🟠 STILL HIGH m (since 09:30 UTC, for 0 ms)"]
    );
}

#[test]
fn moments_of_one_episode_are_one_line_and_what_was_told_by_hand_is_not() {
    let fired = notice(Severity::High, "a", 1);
    let worse = Notice { because: Because::Worse, severity: Severity::Critical, ..fired.clone() };
    let over =
        Notice { because: Because::Ended, state: IncidentState::Resolved, ended_at: Some(at()), ..worse.clone() };
    let next = Notice { episode: 2, ..fired.clone() };
    let by_hand = Notice { because: Because::ByHand, ..notice(Severity::Info, "x", 1) };
    let again = Notice { message: "y".to_owned(), ..by_hand.clone() };
    let told = told(&[fired, worse, over, next, by_hand, again]);
    let expected = [
        "✅ RESOLVED a (09:00 – 09:00 UTC, for 0 ms)",
        "🟠 HIGH a (since 09:00 UTC)",
        "🔵 INFO x (by hand, 09:00 UTC)",
        "🔵 INFO y (by hand, 09:00 UTC)",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_headline_counts_and_names_the_worst() {
    let text = |notices: &[Notice], rest: Option<&Rest>| {
        let digest = Digest { rest, ..digest(notices) };
        headline(&digest, &lines(&digest))
    };
    let high = notice(Severity::High, "a", 1);
    let over = Notice { because: Because::Ended, state: IncidentState::Resolved, ..notice(Severity::Critical, "b", 1) };
    let test = Notice { because: Because::Test, ..notice(Severity::Info, "c", 1) };
    assert_eq!(text(std::slice::from_ref(&high), None), "🟠 high on h");
    assert_eq!(text(std::slice::from_ref(&over), None), "✅ resolved on h");
    assert_eq!(text(&[test], None), "🧪 test from h");
    assert_eq!(text(&[high.clone(), over.clone()], None), "🟠 2 notices on h, the worst high, 1 resolved");
    assert_eq!(text(&[over.clone(), Notice { episode: 2, ..over }], None), "✅ 2 resolved on h");
    assert_eq!(text(&[high], Some(&storm())), "🟠 581 notices from web-1, the worst high");
    assert_eq!(text(&[], None), "✅ 0 resolved from web-1");
    // Of several hosts, one of which tells.
    let elsewhere = Notice { labels: labels(&[("host", "db1")]), ..notice(Severity::High, "d", 1) };
    let own = Notice { labels: labels(&[]), ..notice(Severity::Info, "e", 1) };
    assert_eq!(text(&[elsewhere.clone(), own.clone()], None), "🟠 2 notices from web-1, the worst high");
    assert_eq!(text(std::slice::from_ref(&own), None), "🔵 info on web-1");
    assert_eq!(told(&[elsewhere, own]), ["🟠 HIGH d (since 09:00 UTC · host=db1)", "🔵 INFO e (since 09:00 UTC)"]);
}

#[test]
fn a_summary_names_the_rules_with_most() {
    let rest = storm();
    let with = Digest { rest: Some(&rest), ..digest(&[]) };
    assert_eq!(more(&with, 3).as_deref(), Some("and 583 more: 400 of log.errors, 180 of disk_usage"));
    let many = Rest { notices: 9, rules: (0..9).map(|rule| (format!("r{rule}"), 1)).collect() };
    let with = Digest { rest: Some(&many), ..digest(&[]) };
    let expected = "and 9 more: 1 of r0, 1 of r1, 1 of r2, 1 of r3, 1 of r4, …";
    assert_eq!(more(&with, 0).as_deref(), Some(expected));
    assert_eq!(more(&digest(&[]), 0), None);
}
