//! Parses the command line, serves, and turns the outcome into an exit code.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match qdrant_standin::run(&qdrant_standin::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr leaves nobody to tell.
            let _ = writeln!(std::io::stderr(), "qdrant-standin: {error:#}");
            ExitCode::from(3)
        }
    }
}
