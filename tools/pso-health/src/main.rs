//! Is every part up, fast and within limits. All of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    pso_common::run::main(&pso_health::TOOL, pso_health::run)
}
