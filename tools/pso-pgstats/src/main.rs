//! What PostgreSQL says, and what to do about it.

fn main() -> std::process::ExitCode {
    pso_common::run::main(&pso_pgstats::TOOL, pso_pgstats::run)
}
