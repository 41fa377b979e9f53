use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pso_common::record::{DeliveryState, IncidentState, Labels};
use pso_common::{Severity, Timestamp};

use super::*;
use crate::channel::{Channel, Digest, Named, Outcome};
use crate::evaluate::post;
use crate::notice::{Because, Notice};
use crate::store::{self, Standing};

/// What a channel got, message by message: the rules of its notices, the key, and how many are only counted.
type Got = Arc<Mutex<Vec<(Vec<String>, String, u64)>>>;

/// A channel that answers as it was told to, and takes all after that.
struct Scripted {
    got: Got,
    answers: Mutex<VecDeque<Outcome>>,
    /// A notice of this rule is refused, whatever else is in the message.
    refuses: Option<&'static str>,
    configured: &'static str,
    people: bool,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Channel for Scripted {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn capacity(&self) -> usize {
        4
    }

    fn is_for_people(&self) -> bool {
        self.people
    }

    fn fingerprint(&self) -> String {
        self.configured.to_owned()
    }

    fn send(&self, digest: &Digest<'_>, _: Duration) -> Outcome {
        let rules: Vec<String> = digest.notices.iter().map(|notice| notice.message.clone()).collect();
        let refused = self.refuses.is_some_and(|rule| rules.iter().any(|got| got == rule));
        let rest = digest.rest.map_or(0, |rest| rest.notices);
        lock(&self.got).push((rules, digest.key.to_owned(), rest));
        if refused {
            return Outcome::Refused { status: Some(400), reason: "bad".to_owned() };
        }
        lock(&self.answers).pop_front().unwrap_or(SENT)
    }
}

const SENT: Outcome = Outcome::Sent { status: None, said: String::new(), pause: Duration::ZERO, complaint: None };

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn again(after: u64) -> Outcome {
    Outcome::Again { status: Some(429), after: Duration::from_secs(after), reason: "busy".to_owned() }
}

fn unusable() -> Outcome {
    Outcome::Unusable { status: Some(404), reason: "gone".to_owned() }
}

/// A channel, and what it gets.
fn channel(name: &str, change: impl FnOnce(&mut Scripted)) -> (Arc<Named>, Got) {
    let got = Got::default();
    let mut scripted =
        Scripted { got: Arc::clone(&got), answers: Mutex::default(), refuses: None, configured: "one", people: true };
    change(&mut scripted);
    let (min_severity, send_resolved) = (Severity::Ok, true);
    (Arc::new(Named { name: name.to_owned(), channel: Box::new(scripted), min_severity, send_resolved }), got)
}

fn answering(name: &str, answers: impl IntoIterator<Item = Outcome>) -> (Arc<Named>, Got) {
    channel(name, |scripted| scripted.answers = Mutex::new(answers.into_iter().collect()))
}

fn alerts(channels: &[&Arc<Named>]) -> Alerts {
    Alerts { channels: channels.iter().map(|channel| Arc::clone(channel)).collect(), ..Alerts::default() }
}

fn say(store: &Store, alerts: &Alerts, incident: &str, because: Because) {
    say_at(store, alerts, incident, because, Severity::High, Timestamp::now());
}

fn say_at(store: &Store, alerts: &Alerts, incident: &str, because: Because, severity: Severity, now: Timestamp) {
    let state = if because == Because::Ended { IncidentState::Resolved } else { IncidentState::Firing };
    let by_hand = Notice::by_hand(severity, incident, Labels::new(), now);
    let notice = Notice { incident: incident.to_owned(), rule: "rule".to_owned(), because, state, ..by_hand };
    store.transaction(|transaction| post(transaction, alerts, &notice, now)).expect("posted");
}

/// Delivers as one run does, and returns its news.
fn deliver(store: &Store, alerts: Alerts, limits: Limits, deadline: Duration) -> (Vec<Event>, Vec<Change>) {
    let heard = Arc::new(Mutex::new((Vec::new(), Vec::new())));
    let hear = Arc::clone(&heard);
    let on_news: OnNews = Arc::new(move |news| match news {
        News::Event(event) => lock(&hear).0.push(event),
        News::Changes(changes) => lock(&hear).1.extend(changes),
    });
    let postman = Postman::start(&Arc::new(alerts), limits, store, &Cancel::default(), &on_news);
    postman.finish(Instant::now() + deadline);
    std::mem::take(&mut *lock(&heard))
}

const LONG: Duration = Duration::from_secs(30);

fn names(got: &Got) -> Vec<Vec<String>> {
    lock(got).iter().map(|(names, ..)| names.clone()).collect()
}

fn states(events: &[Event], channel: &str) -> Vec<(DeliveryState, u32)> {
    events.iter().filter(|event| event.channel == channel).map(|event| (event.state, event.attempt)).collect()
}

fn waits(store: &Store, channel: &str) -> u64 {
    store.read(|connection| store::backlog(connection, channel)).expect("read").0
}

#[test]
fn each_attempt_sends_the_same_under_the_same_key() {
    let (slack, got) = answering("slack", [again(0), again(0)]);
    let store = Store::in_memory().expect("memory");
    let alerts = alerts(&[&slack]);
    for name in ["a", "b"] {
        say(&store, &alerts, name, Because::Fired);
    }
    let (events, _) = deliver(&store, alerts, Limits::default(), LONG);
    let expected = [(DeliveryState::Retrying, 1), (DeliveryState::Retrying, 2), (DeliveryState::Sent, 3)];
    assert_eq!(states(&events, "slack"), expected);
    let got = lock(&got);
    assert!(got.len() == 3 && got.iter().all(|message| *message == got[0]), "{got:?}");
    assert_eq!((got[0].0.as_slice(), waits(&store, "slack")), (&["a".to_owned(), "b".to_owned()][..], 0));
}

#[test]
fn what_another_end_asks_for_holds_in_the_next_run() {
    let (slack, got) = answering("slack", [again(120)]);
    let store = Store::in_memory().expect("memory");
    say(&store, &alerts(&[&slack]), "a", Because::Fired);
    for run in 1..=2 {
        let began = Instant::now();
        let (events, _) = deliver(&store, alerts(&[&slack]), Limits::default(), LONG);
        assert!(began.elapsed() < Duration::from_secs(10), "it does not wait for what is beyond the deadline");
        let last = events.last().expect("said");
        assert_eq!((last.state, last.is_last, last.notices), (DeliveryState::Retrying, true, 1));
        assert!(last.message.starts_with("busy; 1 notice waits for the next attempt at 20"), "{}", last.message);
        assert_eq!((lock(&got).len(), events.len()), (1, 3 - run));
    }
    let standing = store.read(|connection| store::standing(connection, "slack")).expect("read");
    let wait = Timestamp::now().until(standing.not_before.expect("set"));
    assert!(wait > Duration::from_secs(100) && wait <= Duration::from_secs(120), "{wait:?}");
    // A clock that has gone back by a day.
    let ahead = Standing { not_before: Some(Timestamp::now().plus(Duration::from_secs(86_400))), ..standing };
    store.transaction(|transaction| store::put_standing(transaction, "slack", &ahead)).expect("written");
    deliver(&store, alerts(&[&slack]), Limits::default(), LONG);
    assert_eq!((lock(&got).len(), waits(&store, "slack")), (2, 0));
}

#[test]
fn of_a_refused_message_only_the_bad_notice_is_lost() {
    let (slack, got) = channel("slack", |scripted| scripted.refuses = Some("c"));
    let (mail, told) = answering("mail", []);
    let store = Store::in_memory().expect("memory");
    for name in ["a", "b", "c", "d"] {
        say(&store, &alerts(&[&slack]), name, Because::Fired);
    }
    let (events, changes) = deliver(&store, alerts(&[&slack, &mail]), Limits::default(), LONG);
    let expected = [&["a", "b", "c", "d"][..], &["a", "b"], &["c", "d"], &["c"], &["d"]];
    assert_eq!(names(&got), expected);
    let failed: Vec<&Event> = events.iter().filter(|event| event.state == DeliveryState::Failed).collect();
    assert_eq!((failed.len(), failed[0].notices, failed[0].message.as_str()), (1, 1, "bad"));
    // The other channel is told, this one not.
    assert_eq!(changes.len(), 1);
    assert_eq!(names(&told), [["the channel slack will not be told 1 notice: bad"]]);
    assert_eq!((waits(&store, "slack"), waits(&store, "mail")), (0, 0));
}

#[test]
fn a_channel_that_cannot_be_used_keeps_its_notices_and_the_others_are_told_so_and_when_it_is_over() {
    let (slack, got) = answering("slack", [unusable(), unusable()]);
    let (mail, told) = answering("mail", []);
    let store = Store::in_memory().expect("memory");
    say(&store, &alerts(&[&slack]), "a", Because::Fired);
    let both = || alerts(&[&slack, &mail]);
    let (events, changes) = deliver(&store, both(), Limits::default(), LONG);
    assert_eq!(states(&events, "slack"), [(DeliveryState::Failed, 1)]);
    assert_eq!((changes.len(), waits(&store, "slack")), (1, 1));
    assert_eq!(names(&told), [["the channel slack cannot be told: gone"]]);
    // It is not tried again with the same configuration, but said.
    let (events, changes) = deliver(&store, both(), Limits::default(), LONG);
    assert_eq!((states(&events, "slack"), changes.len()), (vec![(DeliveryState::Failed, 1)], 0));
    assert!(events[0].message.starts_with("gone; 1 notice waits until its configuration changes, or for 20"));
    assert_eq!(lock(&got).len(), 1);
    let (mended, got) = channel("slack", |scripted| scripted.configured = "two");
    let (events, changes) = deliver(&store, alerts(&[&mended, &mail]), Limits::default(), LONG);
    assert_eq!(states(&events, "slack"), [(DeliveryState::Sent, 2)]);
    assert_eq!((names(&got), waits(&store, "slack")), (vec![vec!["a".to_owned()]], 0));
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].incident.state, lock(&told).len()), (IncidentState::Resolved, 2));
}

#[test]
fn when_all_channels_fail_nothing_goes_round_in_circles() {
    let failing = |name| answering(name, std::iter::repeat_n(unusable(), 50));
    let ((slack, slack_got), (mail, mail_got)) = (failing("slack"), failing("mail"));
    let store = Store::in_memory().expect("memory");
    say(&store, &alerts(&[&slack, &mail]), "a", Because::Fired);
    for _ in 0..5 {
        deliver(&store, alerts(&[&slack, &mail]), Limits::default(), LONG);
    }
    assert_eq!((lock(&slack_got).len(), lock(&mail_got).len()), (1, 1));
    // Its own notice, and that the other one fails.
    assert_eq!((waits(&store, "slack"), waits(&store, "mail")), (2, 2));
}

#[test]
fn a_channel_that_fails_for_long_is_reported_though_it_is_tried_on() {
    let (slack, _) = answering("slack", [again(0), again(0)]);
    let (mail, told) = answering("mail", []);
    let store = Store::in_memory().expect("memory");
    say(&store, &alerts(&[&slack]), "a", Because::Fired);
    let limits = Limits { report_after: Duration::from_millis(100), ..Limits::default() };
    let (events, changes) = deliver(&store, alerts(&[&slack, &mail]), limits, LONG);
    assert_eq!(states(&events, "slack").last(), Some(&(DeliveryState::Sent, 3)));
    let states: Vec<IncidentState> = changes.iter().map(|change| change.incident.state).collect();
    assert_eq!(states, [IncidentState::Firing, IncidentState::Resolved]);
    let told: Vec<String> = names(&told).concat();
    assert_eq!(told, ["the channel slack cannot be told: busy", "the channel slack cannot be told: busy"]);
}

#[test]
fn what_is_too_old_is_given_up_and_that_is_said_everywhere() {
    let (slack, _) = answering("slack", [again(1_000)]);
    let (mail, told) = answering("mail", []);
    let store = Store::in_memory().expect("memory");
    let old = Timestamp::now().minus(Duration::from_secs(25 * 3_600));
    for name in ["a", "b"] {
        say_at(&store, &alerts(&[&slack]), name, Because::Fired, Severity::High, old);
    }
    say(&store, &alerts(&[&slack]), "c", Because::Fired);
    let (events, _) = deliver(&store, alerts(&[&slack, &mail]), Limits::default(), LONG);
    let expired: Vec<&Event> = events.iter().filter(|event| event.state == DeliveryState::Expired).collect();
    assert_eq!((expired.len(), expired[0].notices, expired[0].channel.as_str()), (1, 2, "slack"));
    assert_eq!(waits(&store, "slack"), 1);
    assert_eq!(names(&told), [["2 notices for the channel slack waited too long and will not be told: busy"]]);
    // A channel that takes messages gets what is old too: late is better than never.
    let (slack, got) = answering("slack", []);
    say_at(&store, &alerts(&[&slack]), "d", Because::Fired, Severity::High, old);
    store.transaction(|transaction| store::put_standing(transaction, "slack", &Standing::default())).expect("written");
    deliver(&store, alerts(&[&slack]), Limits::default(), LONG);
    assert_eq!(names(&got), [["c", "d"]]);
    // Of a channel that is not in use any more.
    say_at(&store, &alerts(&[&slack]), "e", Because::Fired, Severity::High, old);
    let events = expire_of_others(&store, &alerts(&[&mail])).expect("read");
    assert_eq!((events.len(), events[0].state, events[0].notices), (1, DeliveryState::Expired, 1));
    assert_eq!(waits(&store, "slack"), 0);
}

#[test]
fn a_flood_is_one_message_for_people_and_all_of_it_for_programs() {
    let (slack, got) = answering("slack", []);
    let (hook, all) = channel("hook", |scripted| scripted.people = false);
    let store = Store::in_memory().expect("memory");
    let alerts = alerts(&[&slack, &hook]);
    let now = Timestamp::now();
    for number in 0..50 {
        let severity = if number == 47 { Severity::Critical } else { Severity::Warning };
        say_at(&store, &alerts, &number.to_string(), Because::Fired, severity, now);
    }
    deliver(&store, alerts, Limits::default(), LONG);
    let got = lock(&got);
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].0.as_slice(), got[0].2), (&["47", "0", "1", "2"].map(str::to_owned)[..], 46));
    let mut all = names(&all).concat();
    all.sort_by_key(|name| name.parse::<u32>().expect("a number"));
    assert_eq!(all, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!((waits(&store, "slack"), waits(&store, "hook")), (0, 0));
}

#[test]
fn after_an_outage_people_are_told_a_pair_together_and_repeats_once() {
    let (slack, got) = answering("slack", []);
    let (hook, all) = channel("hook", |scripted| scripted.people = false);
    let store = Store::in_memory().expect("memory");
    let alerts = alerts(&[&slack, &hook]);
    for because in [Because::Fired, Because::Again, Because::Again, Because::Ended] {
        say(&store, &alerts, "a", because);
    }
    deliver(&store, alerts, Limits::default(), LONG);
    assert_eq!(names(&got), [["a", "a"]]);
    assert_eq!(names(&all), [["a", "a", "a", "a"]]);
}

#[test]
fn a_run_that_is_at_it_is_waited_for_and_one_that_was_killed_is_not() {
    let (slack, got) = answering("slack", []);
    let store = Store::in_memory().expect("memory");
    let held = |until: Duration| Standing {
        leased_until: Some(Timestamp::now().plus(until)),
        leased_by: "another".to_owned(),
        ..Standing::default()
    };
    let put = |standing: Standing| {
        store.transaction(|transaction| store::put_standing(transaction, "slack", &standing)).expect("written");
    };
    say(&store, &alerts(&[&slack]), "a", Because::Fired);
    put(held(Duration::from_secs(60)));
    let (events, _) = deliver(&store, alerts(&[&slack]), Limits::default(), Duration::from_millis(200));
    assert_eq!(states(&events, "slack"), [(DeliveryState::Retrying, 0)]);
    assert!(events[0].is_last && events[0].message.starts_with("another run is at it; 1 notice waits"));
    assert!(lock(&got).is_empty());
    put(held(Duration::from_millis(300)));
    deliver(&store, alerts(&[&slack]), Limits::default(), LONG);
    assert_eq!((lock(&got).len(), waits(&store, "slack")), (1, 0));
    // A clock that has gone back.
    say(&store, &alerts(&[&slack]), "b", Because::Fired);
    put(held(Duration::from_secs(100_000)));
    deliver(&store, alerts(&[&slack]), Limits::default(), LONG);
    assert_eq!(lock(&got).len(), 2);
}

#[test]
fn a_signal_ends_it_after_the_attempt_under_way() {
    let (slack, got) = answering("slack", [again(0)]);
    let store = Store::in_memory().expect("memory");
    let alerts = alerts(&[&slack]);
    say(&store, &alerts, "a", Because::Fired);
    let cancel = Cancel::default();
    let stop = cancel.clone();
    let on_news: OnNews = Arc::new(move |_| stop.cancel(15));
    let postman = Postman::start(&Arc::new(alerts), Limits::default(), &store, &cancel, &on_news);
    let began = Instant::now();
    postman.finish(began + LONG);
    assert!(began.elapsed() < LONG / 2);
    assert_eq!((lock(&got).len(), waits(&store, "slack")), (1, 1));
}
