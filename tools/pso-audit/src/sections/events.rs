//! Security events of the logs: by kind, and bursts of failures from one source.

mod bursts;
mod collect;
mod line;
mod said;
mod settings;

pub(crate) use collect::Events;
pub(crate) use settings::{EventsSection, EventsSettings};

use pso_common::{Severity, Timestamp};
use time::OffsetDateTime;

use crate::finding::{Finding, Found};
use crate::sections::{Context, Section};
use bursts::Burst;
use collect::{Event, Source};

/// Its rules: without events on stdin nothing of them is looked for.
pub(crate) const RULES: [&str; 4] = ["burst", "guessed", "failures_without_time", "events_left_out"];

/// As many events of a class pso-logscan writes at most.
const MOST: u64 = 100_000;

/// So many times the count of a burst is high.
const HIGH: u64 = 10;

/// As many sources are told; the others are counted.
const MAX_FINDINGS: usize = 100;

pub(crate) struct EventsOfLogs;

impl Section for EventsOfLogs {
    fn name(&self) -> &'static str {
        "events"
    }

    fn about(&self) -> &'static str {
        "security events of the logs, by kind, and bursts of failures from one source (given by pso-logscan on stdin, with -)"
    }

    fn look(&self, context: &Context, found: &mut Found) -> anyhow::Result<()> {
        let Some(events) = &context.events else {
            found.note(
                "no events were given: pso-logscan --since 7d --events security --last 100000 logs | pso-audit -",
            );
            return Ok(());
        };
        judge(events, &context.settings.events, found);
        Ok(())
    }
}

fn judge(events: &Events, settings: &EventsSettings, found: &mut Found) {
    found.examined = events.seen;
    totals(events, found);
    let mut findings: Vec<Finding> = Vec::new();
    for of_source in events.events.chunk_by(|one, other| one.source == other.source) {
        let (source, users) = &events.sources[of_source[0].source as usize];
        let timed = &of_source[of_source.partition_point(|event| event.at_s == 0)..];
        if let Some(burst) = bursts::burst(timed, settings.burst_count, settings.span_s()) {
            findings.push(told(events, settings, source, users, &burst));
            continue;
        }
        let undated = of_source.iter().filter(|event| event.at_s == 0 && event.is_failure).count();
        if undated >= settings.burst_count as usize {
            let what =
                format!("{undated} failures from {source} without a time: whether they came in a burst cannot be told");
            findings.push(
                Finding::new(Severity::Warning, "failures_without_time", source.to_string(), what)
                    .with("failures", undated)
                    .with("examples", examples(events, &of_source[..undated.min(3)]))
                    .fix("name the format of these stamps to pso-logscan, or let the program write them"),
            );
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if findings.len() > MAX_FINDINGS {
        found.note(format!("{} more sources with bursts are not shown", findings.len() - MAX_FINDINGS));
        findings.truncate(MAX_FINDINGS);
    }
    findings.into_iter().for_each(|finding| found.push(finding));
}

fn totals(events: &Events, found: &mut Found) {
    let kinds: Vec<String> =
        events.kinds.iter().map(|(kind, (all, failed))| format!("{all} {kind} ({failed} failed)")).collect();
    found.note(if kinds.is_empty() { "no security events".to_owned() } else { kinds.join(", ") });
    if events.counted > events.seen {
        // Whoever tries passwords can write as many lines after them as it takes.
        let what = format!(
            "pso-logscan counted {} events and wrote only the last {}: bursts before these are not seen",
            events.counted, events.seen
        );
        let fix = if events.seen < MOST {
            format!("pso-logscan --since 7d --events security --last {MOST} logs | pso-audit -")
        } else {
            "look more often, with a shorter --since".to_owned()
        };
        found.push(
            Finding::new(Severity::Warning, "events_left_out", "stdin", what)
                .with("counted", events.counted)
                .with("seen", events.seen)
                .fix(fix),
        );
    }
    if events.left_out > 0 {
        found.unknown(format!(
            "{} events are beyond what can be looked at together; choose a shorter --since",
            events.left_out
        ));
    }
    if events.malformed > 0 {
        found.unknown(format!("{} records of events lack what one has", events.malformed));
    }
}

fn told(events: &Events, settings: &EventsSettings, source: &Source, users: &[String], burst: &Burst) -> Finding {
    let guessed = burst.success.as_ref();
    let (rule, severity) = match guessed {
        Some(_) => ("guessed", Severity::Critical),
        None if burst.peak >= HIGH * u64::from(settings.burst_count) => ("burst", Severity::High),
        None => ("burst", Severity::Warning),
    };
    let mut what = format!(
        "{} failures from {source}, up to {} within {}, from {} to {}",
        burst.failures,
        burst.peak,
        settings.span(),
        at(burst.first_s),
        at(burst.last_s)
    );
    if let Some(success) = guessed {
        what.push_str(&format!("; then a success at {}: the password may have been guessed", at(success.at_s)));
    }
    let fix = match (guessed, source) {
        (Some(_), _) => format!(
            "lock the account, change its password and tokens, and see what was done since {}",
            guessed.map(|success| at(success.at_s)).unwrap_or_default()
        ),
        (None, Source::Address(address)) => {
            format!("block {address} at the firewall, or find the client there that has an old password")
        }
        (None, _) => "find the client that has an old password, or let the program log the address".to_owned(),
    };
    let mut finding = Finding::new(severity, rule, source.to_string(), what)
        .with("failures", burst.failures)
        .with("peak", burst.peak)
        .with("first_at", at(burst.first_s))
        .with("last_at", at(burst.last_s))
        .with("examples", examples(events, &burst.examples))
        .fix(fix);
    if !users.is_empty() {
        finding = finding.with("users", users.join(", "));
    }
    match guessed {
        Some(success) => finding.with("success", events.place(success)),
        None => finding,
    }
}

fn examples(events: &Events, some: &[Event]) -> String {
    some.iter().map(|event| events.place(event)).collect::<Vec<_>>().join(", ")
}

fn at(seconds: u32) -> String {
    let at = OffsetDateTime::from_unix_timestamp(i64::from(seconds)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Timestamp::new(at).to_string()
}

#[cfg(test)]
mod tests {
    use pso_common::record::AnyRecord;

    use super::*;

    fn event(at: Option<&str>, line: u64, message: &str) -> AnyRecord {
        let at = at.map(|at| format!(r#","occurred_at":"{at}""#)).unwrap_or_default();
        let message = serde_json::to_string(message).expect("JSON");
        AnyRecord::parse(format!(
            r#"{{"schema":1,"kind":"log.event","at":"2026-11-22T09:00:00Z","tool":"pso-logscan","host":"h","severity":"info","name":"security.authentication","message":{message},"class":"security","type":"authentication","path":"logs/a.log","line":{line},"offset":0{at}}}"#
        ))
        .expect("a record")
    }

    #[test]
    fn a_line_of_two_classes_is_one_event() {
        let failed = event(Some("2026-11-22T09:05:00Z"), 3, "authentication failed from 203.0.113.7");
        assert_eq!(names(&looked(&[failed.clone(), failed.clone(), failed])), []);
    }

    fn looked(records: &[AnyRecord]) -> Found {
        let settings = EventsSettings { burst_count: 3, burst_minutes: 10, classes: vec!["security".to_owned()] };
        let mut events = Events::new(&settings.classes).expect("valid");
        records.iter().for_each(|record| events.take(record));
        events.sort();
        let mut found = Found::default();
        judge(&events, &settings, &mut found);
        found
    }

    fn names(found: &Found) -> Vec<(Severity, String)> {
        found.findings.iter().map(|finding| (finding.severity, finding.name())).collect()
    }

    #[test]
    fn records_out_of_order_make_a_burst_and_other_sources_do_not() {
        let failed = "authentication failed for user bob from 203.0.113.7";
        let found = looked(&[
            event(Some("2026-11-22T09:05:00Z"), 3, failed),
            event(Some("2026-11-22T09:00:00Z"), 1, failed),
            event(Some("2026-11-22T09:02:00Z"), 2, "authentication failed from 203.0.113.8"),
            event(Some("2026-11-22T09:04:00Z"), 9, failed),
            event(None, 10, failed),
        ]);
        assert_eq!(names(&found), [(Severity::Warning, "burst:203.0.113.7".to_owned())]);
        let finding = &found.findings[0];
        assert_eq!(finding.evidence()["examples"], "logs/a.log:1, logs/a.log:9, logs/a.log:3");
        assert_eq!(finding.evidence()["users"], "bob");
        assert_eq!(
            finding.message,
            "3 failures from 203.0.113.7, up to 3 within 10m 00s, from 2026-11-22T09:00:00.000Z to 2026-11-22T09:05:00.000Z"
        );
        assert_eq!((found.examined, found.notes.as_slice()), (5, &["5 authentication (5 failed)".to_owned()][..]));
    }

    #[test]
    fn a_success_after_a_burst_is_critical() {
        let failed = "authentication failed from 203.0.113.7";
        let mut records: Vec<AnyRecord> =
            (0..3).map(|at| event(Some(&format!("2026-11-22T09:00:0{at}Z")), at, failed)).collect();
        records.push(event(Some("2026-11-22T09:01:00Z"), 4, "authentication succeeded from 203.0.113.7"));
        assert_eq!(names(&looked(&records)), [(Severity::Critical, "guessed:203.0.113.7".to_owned())]);
    }

    #[test]
    fn failures_without_a_time_are_told_as_that() {
        let records: Vec<AnyRecord> = (1..=3).map(|line| event(None, line, "authorization denied")).collect();
        assert_eq!(
            names(&looked(&records)),
            [(Severity::Warning, "failures_without_time:(no source named)".to_owned())]
        );
        assert_eq!(names(&looked(&records[..2])), []);
    }

    #[test]
    fn a_million_events_fit() {
        assert_eq!(size_of::<Event>(), 16);
    }
}
