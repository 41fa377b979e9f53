//! `pso-prune`: parses its flags, runs, and turns the outcome into an exit code.

fn main() -> std::process::ExitCode {
    pso_common::run::main(&pso_prune::TOOL, pso_prune::run)
}
