//! `make demo`: a deployment is started, maintained, broken and restored, and its archive rehearsed, before your eyes.
//!
//! Everything runs on free ports of 127.0.0.1 and in a temporary folder, and ends with this program. What stays is
//! `target/demo/`: all records of the run, and the archive. With `--hold` (`make playground`) nothing happens to the
//! deployment: it stays up until Ctrl-C, to try the tools on.

mod chart;
mod scene;
mod stage;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use scene::{damage, maintenance, proof, rehearsal, restoration};
use stage::Stage;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when stderr is gone.
            let _ = writeln!(std::io::stderr(), "\npso-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut stage = Stage::set()?;
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--hold") => return stage.hold(),
        Some(other) => bail!("unknown argument {other:?}; the only one is --hold"),
    }
    let before = stage.fingerprints()?;
    maintenance(&mut stage)?;
    damage(&mut stage, &before)?;
    restoration(&mut stage)?;
    proof(&mut stage, &before)?;
    rehearsal(&mut stage)?;
    let kept = stage.keep(Path::new("target/demo")).context("keep the results in target/demo")?;
    stage.say(&format!(
        "\nLeft behind: {}\nLook at them:  jq -c 'select(.severity!=\"ok\")' target/demo/records.jsonl\n",
        kept.join(", ")
    ))
}
