//! The checks side by side: each in its thread, each with its time-out, the records in a fixed order.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pso_common::Severity;
use pso_common::http::{HttpClient, HttpSettings};
use pso_common::io::elapsed_ms;
use pso_common::record::HealthCheckRecord;
use pso_common::run::Run;

use crate::checks::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::settings::Settings;

/// How much longer than its time-out a check is waited for: its own message says at which layer it failed, ours cannot.
const GRACE: Duration = Duration::from_secs(1);

/// A longer answer of the service is a mistake or an attack.
const LONGEST_ANSWER: u64 = 1 << 20;

/// How often a signal is looked for while nothing comes.
const TICK: Duration = Duration::from_millis(50);

struct Probe {
    check: &'static dyn Check,
    thread: JoinHandle<()>,
    findings: Receiver<Finding>,
}

/// Runs the chosen checks and writes what they find.
pub(crate) fn side_by_side(settings: Settings, run: &mut Run<'_>) -> anyhow::Result<()> {
    let http = HttpClient::new(&HttpSettings {
        connect_timeout: settings.timeout.min(HttpSettings::default().connect_timeout),
        timeout: settings.timeout.min(settings.service.timeout),
        max_body_bytes: LONGEST_ANSWER,
        ..HttpSettings::default()
    });
    let (checks, timeout) = (settings.checks.clone(), settings.timeout);
    let context = Arc::new(Context { settings, http, now: run.now() });
    let started = Instant::now();
    let probes = checks.into_iter().map(|check| start(check, &context)).collect::<anyhow::Result<Vec<Probe>>>()?;
    for probe in probes {
        gather(probe, started, timeout, run)?;
    }
    Ok(())
}

fn start(check: &'static dyn Check, context: &Arc<Context>) -> anyhow::Result<Probe> {
    let (sender, findings) = mpsc::channel();
    let context = Arc::clone(context);
    let thread = thread::Builder::new()
        .name(check.name().to_owned())
        .spawn(move || check.run(&context, &Findings::new(sender)))
        .with_context(|| format!("start a thread for the check {}", check.name()))?;
    Ok(Probe { check, thread, findings })
}

/// Writes a check's findings as they come, until it ends or its time is over. A thread that is left behind ends with the
/// process.
fn gather(probe: Probe, started: Instant, timeout: Duration, run: &mut Run<'_>) -> anyhow::Result<()> {
    let Probe { check, thread, findings } = probe;
    loop {
        run.cancel().check()?;
        let left = (timeout + GRACE).saturating_sub(started.elapsed());
        match findings.recv_timeout(left.min(TICK)) {
            Ok(finding) => finding.emit(run)?,
            Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                let message = format!("no answer within {timeout:?}");
                return given_up(check.silence(), check, message, started).emit(run);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return match thread.join() {
                    Ok(()) => Ok(()),
                    Err(_) => {
                        let message = "the check itself failed; this is a mistake in pso-health".to_owned();
                        given_up(Severity::Unknown, check, message, started).emit(run)
                    }
                };
            }
        }
    }
}

fn given_up(severity: Severity, check: &dyn Check, message: String, started: Instant) -> Finding {
    let record = HealthCheckRecord { elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
    Finding::check(severity, check.name(), message, record)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use pso_common::{CommonArgs, Io};

    use super::*;
    use crate::checks::Selected;
    use crate::cli::Cli;

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
        fn name(&self) -> &'static str {
            "hangs"
        }

        fn about(&self) -> &'static str {
            "says one thing and hangs"
        }

        fn run(&self, _context: &Context, findings: &Findings) {
            findings.push(Finding::check(Severity::Ok, "hangs.first", "", HealthCheckRecord::default()));
            thread::sleep(Duration::from_secs(600));
        }
    }

    struct Panics;

    impl Check for Panics {
        fn name(&self) -> &'static str {
            "panics"
        }

        fn about(&self) -> &'static str {
            "panics"
        }

        fn run(&self, _context: &Context, _findings: &Findings) {
            panic!("on purpose");
        }
    }

    fn run(checks: &'static [&'static dyn Check], cancelled: bool) -> (anyhow::Result<Severity>, String, Duration) {
        let out = Written::default();
        let mut io = Io::for_test("", out.clone(), std::io::sink());
        if cancelled {
            io.cancel.cancel(15);
        }
        let cli = <Cli as clap::Parser>::try_parse_from(["pso-health", "--timeout", "50ms"]).expect("valid");
        let started = Instant::now();
        let result = pso_common::run::session(&crate::TOOL, &CommonArgs::default(), &mut io, |run| {
            let mut settings = Settings::resolve(&cli, run.config())?;
            settings.checks = checks.iter().map(|check| Selected(*check).0).collect();
            side_by_side(settings, run)
        });
        let text = String::from_utf8(out.0.lock().expect("whole").clone()).expect("UTF-8");
        (result, text, started.elapsed())
    }

    #[test]
    fn a_check_that_hangs_is_reported_and_what_it_found_before_is_kept() {
        let (result, text, took) = run(&[&Hangs, &Panics], false);
        let names: Vec<&str> =
            text.lines().filter_map(|line| line.split("\"name\":\"").nth(1)?.split('"').next()).collect();
        assert_eq!(names, ["pso-health", "hangs.first", "hangs", "panics", "pso-health"], "{text}");
        assert!(text.contains("no answer within 50ms") && text.contains("a mistake in pso-health"), "{text}");
        assert_eq!(result.expect("a run"), Severity::Unknown);
        assert!(took < Duration::from_secs(10), "{took:?}");
    }

    #[test]
    fn a_signal_ends_the_run() {
        let (result, text, took) = run(&[&Hangs], true);
        assert!(result.is_err() && text.contains("stopped by SIGTERM"), "{text}");
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}
