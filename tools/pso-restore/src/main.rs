//! `pso-restore`: parses its flags, runs, and turns the outcome into an exit code.

fn main() -> std::process::ExitCode {
    pso_common::run::main(&pso_restore::TOOL, pso_restore::run)
}
