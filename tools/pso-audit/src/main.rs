//! Is anything open that should be closed. All of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    pso_common::run::main(&pso_audit::TOOL, pso_audit::run)
}
