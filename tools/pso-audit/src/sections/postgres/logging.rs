//! Whether the server's log would show who came in.

use pso_common::Severity;

use super::server::{Failure, Server, Values};
use crate::finding::{Finding, Found};

#[expect(clippy::unnecessary_wraps, reason = "it is one of the parts, which may all fail")]
pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    found.findings.extend(judge(&server.values, server.facts.version_num));
    Ok(())
}

fn judge(values: &Values, version_num: i32) -> Vec<Finding> {
    // From 18 on it is a list of what is logged; `on` stands for three of them, and is still taken.
    let off = |name: &str| values.get(name).is_some_and(|value| matches!(value, "off" | ""));
    let finding = |name: &str, message: &str, value: &str| {
        let finding =
            Finding::new(Severity::Info, name, name, message).with(name, values.get(name).unwrap_or_default());
        let collector = values.get("logging_collector").unwrap_or("not seen");
        finding.with("logging_collector", collector).fix(values.fix(name, value))
    };
    let mut findings = Vec::new();
    if off("log_connections") {
        let message = "the server's log does not say who came in and from where: after a break-in nobody can tell";
        let value = if version_num >= 180_000 { "receipt,authentication,authorization" } else { "on" };
        findings.push(finding("log_connections", message, value));
    }
    if off("log_disconnections") {
        let message = "the server's log does not say when sessions ended and how long they were";
        findings.push(finding("log_disconnections", message, "on"));
    }
    if values.get("log_statement").is_some_and(|value| value != "none") {
        let message = "statements are logged as they come, and with them passwords: CREATE and ALTER ROLE … PASSWORD, user \
                       mappings; use \\password, which sends the hash only, and keep the log closed to others";
        findings.push(finding("log_statement", message, "none"));
    }
    findings.extend(file_mode(values));
    findings
}

/// The server's own log files; without the collector it writes none.
fn file_mode(values: &Values) -> Option<Finding> {
    let mode: u32 = values.get("log_file_mode")?.parse().ok()?;
    (values.is("logging_collector", "on") && mode & 0o007 != 0).then(|| {
        let message =
            "every user of the server's machine may read its log: statements with their data, and sometimes passwords";
        let finding = Finding::new(Severity::Warning, "log_file_mode", "log_file_mode", message);
        finding
            .with("log_file_mode", format!("{mode:04o}"))
            .fix(values.fix("log_file_mode", &format!("{:04o}", mode & !0o007)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(values: &[(&str, &str)], version_num: i32) -> Vec<(String, String)> {
        let judged = judge(&Values::of(values), version_num).into_iter();
        judged.map(|finding| (finding.record.rule, finding.record.fix)).collect()
    }

    #[test]
    fn what_is_logged_is_told_by_what_is_not() {
        let quiet = [("log_connections", "off"), ("log_disconnections", "off"), ("log_statement", "ddl")];
        let told: Vec<String> = rules(&quiet, 150_000).into_iter().map(|(rule, _)| rule).collect();
        assert_eq!(told, ["log_connections", "log_disconnections", "log_statement"]);
        let loud = [("log_connections", "on"), ("log_disconnections", "on"), ("log_statement", "none")];
        assert_eq!(rules(&loud, 150_000), []);
        assert_eq!(rules(&[("log_connections", "receipt")], 180_000), []);
        let (_, fix) = rules(&[("log_connections", "")], 180_000).remove(0);
        assert!(fix.starts_with("ALTER SYSTEM SET log_connections = 'receipt,authentication,authorization'"), "{fix}");
    }

    #[test]
    fn a_log_that_everybody_reads_is_told_where_there_is_one() {
        // As reset_val shows it: 420 is 0644, 416 is 0640.
        let told = |collector, mode| rules(&[("logging_collector", collector), ("log_file_mode", mode)], 150_000);
        assert_eq!(told("on", "420")[0].1, "ALTER SYSTEM SET log_file_mode = '0640';\nSELECT pg_reload_conf()");
        assert_eq!((told("on", "416"), told("on", "384"), told("off", "420")), (vec![], vec![], vec![]));
    }
}
