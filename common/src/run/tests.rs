use std::io;
use std::sync::{Arc, Mutex};

use super::*;
use crate::record::{AnyRecord, HealthCheckRecord};

const TOOL: Tool = Tool { name: "pso-test", version: "1", kinds: &["health.check"] };

/// What was written, or a reader that has gone.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>, bool);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn text(sink: &Sink) -> String {
    String::from_utf8(sink.0.lock().expect("not poisoned").clone()).expect("UTF-8")
}

fn check(run: &mut Run<'_>, severity: Severity) -> anyhow::Result<()> {
    run.emit(severity, "db", "", HealthCheckRecord::default())
}

#[test]
fn progress_stands_in_one_line_and_only_on_a_terminal() {
    for (terminal, expected) in [
        (true, "pso-test: 1 B\n\u{1b}[A\u{1b}[2Kpso-test: 2 B\npso-test: stop\npso-test: 3 B\n"),
        (false, "pso-test: stop\n"),
    ] {
        let err = Sink::default();
        let mut io = Io::for_test("", io::sink(), err.clone());
        io.stderr_is_terminal = terminal;
        let result = session(&TOOL, &CommonArgs::default(), &mut io, |run| {
            run.progress_again("1 B");
            run.progress_again("2 B");
            run.warn("stop");
            run.progress_again("3 B");
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(text(&err), expected);
    }
}

#[test]
fn a_failed_run_looks_failed_in_every_format() {
    for (format, expected) in [
        (Format::Jsonl, r#""severity":"unknown","name":"pso-test","message":"read x: gone""#),
        (Format::Nagios, "PSO-TEST UNKNOWN - pso-test: read x: gone\n"),
        (Format::Openmetrics, "pso_worst_severity{tool=\"pso-test\"} 5\n"),
        (Format::Table, "unknown   pso-test"),
    ] {
        let out = Sink::default();
        let mut io = Io::for_test("", out.clone(), io::sink());
        let args = CommonArgs { format, ..CommonArgs::default() };
        let result = session(&TOOL, &args, &mut io, |run| {
            check(run, Severity::Ok)?;
            Err(anyhow::anyhow!("gone").context("read x"))
        });
        assert_eq!(exit_code(&result), 3);
        assert!(text(&out).contains(expected), "{format:?}: {}", text(&out));
    }
}

#[test]
fn what_was_attempted_and_undone_ends_in_2() {
    let mut io = Io::for_test("", io::sink(), io::sink());
    let failed = |_: &mut Run<'_>| Err(anyhow::anyhow!("cut").context(Attempted("nothing was changed")));
    let result = session(&TOOL, &CommonArgs::default(), &mut io, failed);
    assert_eq!(exit_code(&result), 2);
}

#[test]
fn a_reader_that_has_gone_ends_the_run_quietly_and_the_copy_has_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("records.jsonl");
    let args = CommonArgs { records: Some(copy.clone()), ..CommonArgs::default() };
    let errors = Sink::default();
    let mut io = Io::for_test("", Sink(Arc::default(), true), errors.clone());
    let result = session(&TOOL, &args, &mut io, |run| check(run, Severity::High));
    assert_eq!((exit_code(&result), text(&errors)), (0, String::new()), "stopped before anything was found");
    let copy = std::fs::read_to_string(copy).expect("written");
    let kinds: Vec<String> = copy.lines().map(|line| AnyRecord::parse(line).expect("a record").header.kind).collect();
    assert_eq!(kinds, ["run.start", "health.check", "run.end"]);
}

#[test]
fn a_run_that_must_finish_does_so_without_a_reader() {
    let errors = Sink::default();
    let mut io = Io::for_test("", Sink(Arc::default(), true), errors.clone());
    let mut finished = false;
    let result = session(&TOOL, &CommonArgs::default(), &mut io, |run| {
        run.must_finish();
        check(run, Severity::Warning)?;
        finished = true;
        Ok(())
    });
    assert_eq!((exit_code(&result), finished, text(&errors)), (1, true, String::new()));
}

#[test]
fn an_answer_decides() {
    for (answer, code) in [("y\n", 0), ("n\n", 3), ("", 3)] {
        let mut io = Io::for_test(answer, io::sink(), io::sink());
        (io.stdin_is_terminal, io.stderr_is_terminal) = (true, true);
        let result = session(&TOOL, &CommonArgs::default(), &mut io, |run| {
            assert_eq!(Intent::of(false, false, run, false), Intent::Nobody);
            let intent = Intent::of(false, false, run, true);
            assert_eq!(intent, Intent::Ask);
            intent.confirm(run, "Replace everything?").map(drop)
        });
        assert_eq!(exit_code(&result), code, "{answer:?}: {result:?}");
    }
}
