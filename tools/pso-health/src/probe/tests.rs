use std::borrow::Cow;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use pso_common::record::Layer;
use pso_common::{CommonArgs, Io};

use super::*;
use crate::check::Check;
use crate::cli::Cli;
use crate::finding::Findings;

/// What went to stdout.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("whole").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Hangs;

impl Check for Hangs {
    fn name(&self) -> &str {
        "hangs"
    }

    fn about(&self) -> Cow<'_, str> {
        "says one thing and hangs".into()
    }

    fn run(&self, _context: &Context, findings: &Findings<'_>) {
        findings.push(Finding::check(Severity::Ok, "hangs.first", "", HealthCheckRecord::default()));
        thread::sleep(Duration::from_secs(600));
    }
}

struct Panics;

impl Check for Panics {
    fn name(&self) -> &str {
        "panics"
    }

    fn about(&self) -> Cow<'_, str> {
        "panics".into()
    }

    fn run(&self, _context: &Context, _findings: &Findings<'_>) {
        panic!("on purpose");
    }
}

/// Fails as often as it is told, then is well.
struct Recovers(AtomicU32);

impl Check for Recovers {
    fn name(&self) -> &str {
        "recovers"
    }

    fn about(&self) -> Cow<'_, str> {
        "fails at first".into()
    }

    fn retries(&self) -> Option<u32> {
        Some(2)
    }

    fn run(&self, _context: &Context, findings: &Findings<'_>) {
        let failing = self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let record = HealthCheckRecord { layer: failing.then_some(Layer::Read), ..HealthCheckRecord::default() };
        let severity = if failing { Severity::Critical } else { Severity::Ok };
        findings.push(Finding::check(severity, "recovers", "", record));
    }
}

/// Runs the checks in rounds and gives what was written.
fn rounds(checks: Vec<Arc<dyn Check>>, args: &[&str], cancelled: bool) -> (anyhow::Result<Severity>, String, Duration) {
    let out = Written::default();
    let mut io = Io::for_test("", out.clone(), std::io::sink());
    if cancelled {
        io.cancel.cancel(15);
    }
    let args = [&["pso-health", "--timeout", "50ms"], args].concat();
    let cli = <Cli as clap::Parser>::try_parse_from(args).expect("valid");
    let started = Instant::now();
    let result = pso_common::run::session(&crate::TOOL, &CommonArgs::default(), &mut io, |run| {
        let mut settings = Settings::resolve(&cli, run.config(), Vec::new())?;
        settings.checks = checks;
        crate::rounds::run(settings, run)
    });
    let text = String::from_utf8(out.0.lock().expect("whole").clone()).expect("UTF-8");
    (result, text, started.elapsed())
}

fn names(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split("\"name\":\"").nth(1)?.split('"').next()).collect()
}

#[test]
fn a_check_that_hangs_is_reported_and_what_it_found_before_is_kept() {
    let (result, text, took) = rounds(vec![Arc::new(Hangs), Arc::new(Panics)], &[], false);
    assert_eq!(names(&text), ["pso-health", "hangs.first", "hangs", "panics", "pso-health"], "{text}");
    assert!(text.contains("no answer within 50ms") && text.contains("a mistake in pso-health"), "{text}");
    assert_eq!(result.expect("a run"), Severity::Unknown);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_signal_ends_the_run() {
    let (result, text, took) = rounds(vec![Arc::new(Hangs)], &[], true);
    assert!(result.is_err() && text.contains("stopped by SIGTERM"), "{text}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    let (result, text, _) = rounds(vec![Arc::new(Hangs)], &["--every", "1h"], true);
    assert!(result.is_ok() && !text.contains("error"), "with --every it is how it ends: {text}");
}

#[test]
fn what_hangs_is_not_begun_again() {
    let (_, text, _) =
        rounds(vec![Arc::new(Hangs), Arc::new(Recovers(0.into()))], &["--every", "100ms", "--count", "2"], false);
    let expected =
        ["pso-health", "hangs.first", "hangs", "recovers", "round", "hangs", "recovers", "round", "pso-health"];
    assert_eq!(names(&text), expected, "{text}");
    let last = text.lines().rev().nth(1).expect("the second round");
    assert!(last.contains("\"round\":2,\"checks\":1,\"hanging\":1,\"missed\":"), "{last}");
    assert!(text.contains("an earlier round's probe still hangs, since 1s"), "{text}");
}

#[test]
fn checks_that_hang_leave_room_for_those_that_wait() {
    let (_, text, _) = rounds(vec![Arc::new(Hangs), Arc::new(Recovers(0.into()))], &["--jobs", "1"], false);
    assert_eq!(names(&text), ["pso-health", "hangs.first", "hangs", "recovers", "pso-health"], "{text}");
}

#[test]
fn a_probe_that_fails_is_tried_again_where_asked() {
    for (failures, severity, attempts) in
        [(0, "ok", None), (1, "ok", Some(2)), (2, "ok", Some(3)), (3, "critical", Some(3))]
    {
        let (_, text, _) = rounds(vec![Arc::new(Recovers(failures.into()))], &[], false);
        let line = text.lines().nth(1).expect("one finding");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(line.contains(&format!("\"severity\":\"{severity}\"")), "{failures}: {line}");
        let shown = attempts.map(|attempts: u32| format!("\"attempts\":{attempts}"));
        assert_eq!(shown.is_some_and(|shown| line.contains(&shown)), attempts.is_some(), "{failures}: {line}");
    }
}
