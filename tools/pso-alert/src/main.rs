//! `pso-alert`: see the library of this package.

fn main() -> std::process::ExitCode {
    pso_common::run::main(&pso_alert::TOOL, pso_alert::run)
}
