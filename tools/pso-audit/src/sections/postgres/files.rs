//! Lines of the configuration files that are not in effect, so that a door which somebody closed in a file is still open.

use std::collections::BTreeSet;

use pso_common::Severity;
use serde::Deserialize;

use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// A row of `file_lines.sql`.
#[derive(Clone, Debug, Default, Deserialize)]
struct Line {
    name: Option<String>,
    file: Option<String>,
    line: Option<i64>,
    error: String,
}

/// A row of `waiting.sql`.
#[derive(Clone, Debug, Deserialize)]
struct Waiting {
    name: String,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    if !server.facts.reads_files {
        found.note(format!(
            "whether the configuration files can be used is not seen; GRANT SELECT ON pg_catalog.pg_file_settings TO {role}; GRANT \
             EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {role}",
            role = server.facts.role_quoted
        ));
        return Ok(());
    }
    // In this order: asking for the files makes the session see what waits for a restart.
    let lines: Vec<Line> = server.rows(include_str!("../../../queries/file_lines.sql"))?;
    let waiting: Vec<Waiting> = server.rows(include_str!("../../../queries/waiting.sql"))?;
    let waiting: BTreeSet<String> = waiting.into_iter().map(|row| row.name.to_ascii_lowercase()).collect();
    found.examined += lines.len() as u64;
    found.findings.extend(lines.iter().filter_map(|line| judge(line, &waiting)));
    Ok(())
}

fn judge(line: &Line, waiting: &BTreeSet<String>) -> Option<Finding> {
    let name = line.name.as_deref();
    if name.is_some_and(|name| waiting.contains(&name.to_ascii_lowercase())) {
        return None;
    }
    let file = line.file.as_deref().unwrap_or("the configuration");
    let place = line.line.map_or_else(|| file.to_owned(), |number| format!("{file}:{number}"));
    let message = "the server cannot use this line: as long as it stands there no change of the file takes effect, and the server \
                   may not start again";
    let finding =
        Finding::new(Severity::Warning, "settings_file_error", place.as_str(), message).with("error", &line.error);
    let finding = match name {
        Some(name) => finding.with("setting", name),
        None => finding,
    };
    Some(finding.fix(format!("mend {place}, then SELECT pg_reload_conf()")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_restart_is_no_error() {
        let line = |name: &str| Line {
            name: Some(name.to_owned()),
            file: Some("/p.conf".to_owned()),
            line: Some(7),
            error: "setting could not be applied".to_owned(),
        };
        let waiting = BTreeSet::from(["max_connections".to_owned()]);
        assert_eq!(judge(&line("Max_Connections"), &waiting), None);
        let finding = judge(&line("work_mem"), &waiting).expect("told");
        assert_eq!(
            (finding.name().as_str(), finding.evidence()["setting"].as_str()),
            ("settings_file_error:/p.conf:7", "work_mem")
        );
    }
}
