//! `make demo`: a deployment is started, maintained, broken and restored, before your eyes.
//!
//! Everything runs on free ports of 127.0.0.1 and in a temporary folder, and ends with this program. What stays is
//! `target/demo/`: all records of the run, and the archive.

mod chart;
mod scene;
mod stage;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use scene::{damage, maintenance, proof, restoration};
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
    let before = stage.fingerprints()?;
    maintenance(&mut stage)?;
    damage(&mut stage, &before)?;
    restoration(&mut stage)?;
    proof(&mut stage, &before)?;
    let kept = stage.keep(Path::new("target/demo")).context("keep the results in target/demo")?;
    stage.say(&format!(
        "\nLeft behind: {}\nLook at them:  jq -c 'select(.severity!=\"ok\")' target/demo/records.jsonl\n",
        kept.join(", ")
    ))
}
