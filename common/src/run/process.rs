//! A process that is one run: flags in, exit code out.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

use super::{CommonArgs, Generated, Tool, exit_code, session};
use crate::io::Io;
use crate::output::printable;
use crate::record::Severity;

/// The whole `main` of a tool: flags, signals, run, the one error message, exit code.
pub fn main<C: Parser>(tool: &Tool, run: impl FnOnce(C, &mut Io) -> anyhow::Result<Severity>) -> ExitCode {
    let mut io = Io::from_process();
    if let Some(generated) = Generated::asked_for(std::env::args_os()) {
        // A closed pipe is nobody's problem; a full disk leaves half a file, and that must be told.
        return match generated.write(C::command(), &mut io.stdout).and_then(|()| io.stdout.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                let _ = writeln!(io.stderr, "{}: write to stdout: {error}", tool.name);
                ExitCode::from(3)
            }
            _ => ExitCode::SUCCESS,
        };
    }
    let cli = match C::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe behind `--help | head` is nobody's problem.
            let _ = error.print();
            if !error.use_stderr() {
                return ExitCode::SUCCESS;
            }
            if !io.stdout_is_terminal {
                let _ = session(tool, &CommonArgs::default(), &mut io, |_| Err(usage(&error)));
            }
            // clap's own code for usage errors is 2, which in Nagios's terms would say "critical".
            return ExitCode::from(3);
        }
    };
    if let Err(error) = io.cancel.install() {
        let _ = writeln!(io.stderr, "{}: signals will not be handled: {error}", tool.name);
    }
    let result = run(cli, &mut io);
    if let Err(error) = &result {
        // One line, whatever names of tables and files are in it.
        let _ = writeln!(io.stderr, "{}: {}", tool.name, printable(&format!("{error:#}")));
    }
    let _ = io.stdout.flush();
    let _ = io.stderr.flush();
    hang_up();
    ExitCode::from(exit_code(&result))
}

/// Lets go of stdout and stderr. A thread that hangs within the system, on a disk whose server is gone, can keep the whole
/// process from ending; whoever reads our output must not wait with it.
#[cfg(unix)]
fn hang_up() {
    if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

#[cfg(not(unix))]
const fn hang_up() {}

/// A usage error as the `run.end` record has it: a pipe's reader must learn that the tool did not run.
fn usage(error: &clap::Error) -> anyhow::Error {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    anyhow::anyhow!("usage: {}; see --help", first.trim_start_matches("error: "))
}
