//! Secrets in the commands that the server runs for its log: `pg_settings` shows them to every role.

use pso_common::Severity;
use serde::Deserialize;

use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// A row of `commands.sql`.
#[derive(Clone, Debug, Deserialize)]
struct Command {
    name: String,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    let commands: Vec<Command> = server.rows(include_str!("../../../queries/commands.sql"))?;
    found.examined += 1;
    found.findings.extend(commands.iter().map(judge));
    Ok(())
}

fn judge(command: &Command) -> Finding {
    let message = "a password or key seems to stand in this command: every role reads it (SHOW), the list of processes shows it while \
                   the command runs, and every backup of the configuration has it";
    let fix = format!(
        "put the secret into a file that only PostgreSQL's user may read, name that file in {}, reload, and make a new secret: \
         this one is known",
        command.name
    );
    Finding::new(Severity::High, "command_secret", &command.name, message).fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fix_names_the_setting() {
        let told = judge(&Command { name: "archive_command".to_owned() });
        assert_eq!(told.name(), "command_secret:archive_command");
        assert!(told.record.fix.contains("in archive_command, reload"), "{}", told.record.fix);
    }
}
