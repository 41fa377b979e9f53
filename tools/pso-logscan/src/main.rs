//! The binary: flags, run, exit code.

fn main() -> std::process::ExitCode {
    pso_common::run::main(&pso_logscan::TOOL, pso_logscan::run)
}
