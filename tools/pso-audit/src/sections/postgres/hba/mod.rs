//! `pg_hba.conf`: who is let in from where, and what he must show for it. The first line that fits decides.

mod line;

use pso_common::Severity;

use self::line::{Line, Reach};
use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// Methods that need the password itself, so that it crosses the network (PostgreSQL's manual, 20.3).
const SENDS_PASSWORD: [&str; 5] = ["password", "ldap", "pam", "bsd", "radius"];

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    if !server.facts.reads_hba {
        found.note(format!(
            "pg_hba.conf is not seen; GRANT SELECT ON pg_catalog.pg_hba_file_rules TO {role}; GRANT EXECUTE ON FUNCTION \
             pg_catalog.pg_hba_file_rules() TO {role}",
            role = server.facts.role_quoted
        ));
        return Ok(());
    }
    let lines: Vec<Line> = server.rows(include_str!("../../../../queries/hba.sql"))?;
    found.examined += lines.len() as u64;
    let file = server.values.get("hba_file").unwrap_or("pg_hba.conf").to_owned();
    let outside = server.values.listens_outside();
    for (at, line) in lines.iter().enumerate() {
        let decided_by = lines[..at].iter().find(|earlier| earlier.decides_all_of(line));
        let Some(finding) = judge(line, outside, &file) else { continue };
        found.push(match decided_by {
            None => finding,
            Some(earlier) => unreached(finding, earlier),
        });
    }
    Ok(())
}

/// What is wrong with a line: the worst of it, because one line is mended once.
fn judge(line: &Line, outside: bool, file: &str) -> Option<Finding> {
    let file = line.file.as_deref().unwrap_or(file);
    let place = format!("{file}:{}", line.line);
    if let Some(error) = &line.error {
        return Some(wrong(line, error, &place, file));
    }
    let reach = line.reach();
    let judged = match line.method() {
        "trust" => trust(reach, outside),
        method if SENDS_PASSWORD.contains(&method) && !line.encrypted() => sends_password(reach),
        _ if reach == Reach::Everyone => everyone(line),
        "ident" => ident(reach),
        "md5" => md5(reach),
        _ => replication(line, reach),
    };
    let (severity, rule, message) = judged?;
    let finding = Finding::new(severity, rule, line.shown(), message).with("place", place);
    Some(finding.with("method", line.method()).fix(fix(line, rule, reach, file)))
}

/// A line that cannot be read has no fields. One that has them is understood and can never fit, as `hostssl` without TLS.
fn wrong(line: &Line, error: &str, place: &str, file: &str) -> Finding {
    let (severity, message) = if line.connection.is_some() {
        (Severity::Info, "the line never fits, so others decide about whom it was meant for")
    } else {
        (
            Severity::Warning,
            "the line is wrong: a reload ignores the whole file, and a server that is started again does not come up",
        )
    };
    let finding = Finding::new(severity, "hba_error", place, message).with("error", masked(error));
    finding.fix(format!("mend line {} of {file}, then SELECT pg_reload_conf()", line.line))
}

/// Without the piece of the line that many of the server's messages end in: it may be a password in the wrong place.
fn masked(error: &str) -> String {
    let end = error.find('"').into_iter().chain(error.find(": ")).min();
    end.map_or_else(|| error.to_owned(), |end| format!("{} …", error[..end].trim_end()))
}

type Judged = Option<(Severity, &'static str, &'static str)>;

const fn trust(reach: Reach, outside: bool) -> Judged {
    let (severity, message) = match reach {
        Reach::Socket => (
            Severity::Warning,
            "every user of this machine may log in over the socket as any of these roles, without a password",
        ),
        Reach::Loopback => (
            Severity::High,
            "every program on this machine may log in as any of these roles, without a password; whatever forwards to this \
             address, a tunnel or a proxy, lets others do so too",
        ),
        Reach::Outer | Reach::Everyone if outside => {
            (Severity::Critical, "other machines may log in as any of these roles, without a password")
        }
        Reach::Outer | Reach::Everyone => (
            Severity::High,
            "other machines may log in as any of these roles, without a password, as soon as the server listens on more than \
             loopback (listen_addresses)",
        ),
    };
    Some((severity, "hba_trust", message))
}

const fn sends_password(reach: Reach) -> Judged {
    match reach {
        Reach::Socket => None,
        Reach::Loopback => Some((
            Severity::Info,
            "hba_plain_password",
            "passwords are sent as they are, over loopback only and not encrypted",
        )),
        Reach::Outer | Reach::Everyone => Some((
            Severity::High,
            "hba_plain_password",
            "passwords are sent as they are over connections that need not be encrypted: whoever sees the network has them",
        )),
    }
}

fn everyone(line: &Line) -> Judged {
    let strong = line.encrypted() && matches!(line.method(), "scram-sha-256" | "cert" | "gss" | "sspi" | "oauth");
    let ident = line.method() == "ident";
    if strong || line.method() == "reject" {
        return None;
    }
    let (severity, message) = if ident {
        (Severity::High, "every machine may log in and says itself as whom (ident)")
    } else {
        (
            Severity::Warning,
            "every machine may try to log in, with less than scram-sha-256 or a certificate over TLS: passwords can be guessed \
             from anywhere, and what is said can be read on the way",
        )
    };
    Some((severity, "hba_open_to_all", message))
}

const fn ident(reach: Reach) -> Judged {
    match reach {
        // Over the socket `ident` means `peer`: the system itself says who it is.
        Reach::Socket => None,
        Reach::Loopback => Some((
            Severity::Warning,
            "hba_ident",
            "who logs in is asked of a service on this machine (ident), which any program can pretend to be while it is not running",
        )),
        Reach::Outer | Reach::Everyone => {
            Some((Severity::High, "hba_ident", "the other machine says itself as whom it logs in (ident)"))
        }
    }
}

const fn md5(reach: Reach) -> Judged {
    let severity = match reach {
        Reach::Socket | Reach::Loopback => Severity::Info,
        Reach::Outer | Reach::Everyone => Severity::Warning,
    };
    Some((
        severity,
        "hba_md5",
        "roles whose password is stored as md5 log in with it: the hash alone is enough for that",
    ))
}

fn replication(line: &Line, reach: Reach) -> Judged {
    let open = line.has_database("replication") && line.has_user("all") && line.method() != "reject";
    (open && reach >= Reach::Outer).then_some((
        Severity::Warning,
        "hba_replication",
        "from other machines every role with REPLICATION may copy the whole server; name the one role that does",
    ))
}

/// The line that does what it should, and how it comes into effect.
fn fix(line: &Line, rule: &str, reach: Reach, file: &str) -> String {
    let connection = match (reach, line.connection()) {
        (Reach::Outer | Reach::Everyone, "host" | "hostnossl" | "hostnogssenc") => "hostssl",
        (_, connection) => connection,
    };
    let method = if line.method() == "cert" { "cert" } else { "scram-sha-256" };
    let mut wanted = line.clone();
    if rule == "hba_replication" {
        wanted.users = Some(vec!["REPLICATION_ROLE".to_owned()]);
    }
    let wanted = wanted.rewritten(connection, method);
    let needs = if connection == "hostssl" { " (needs ssl = on)" } else { "" };
    format!(
        "replace line {} of {file} by `{wanted}`{needs}, then SELECT pg_reload_conf(); roles without a scram password need one \
         first (\\password)",
        line.line
    )
}

/// The same about a line that an earlier one leaves nothing to decide.
fn unreached(mut finding: Finding, earlier: &Line) -> Finding {
    if finding.record.rule != "hba_error" {
        finding.severity = finding.severity.min(Severity::Info);
        finding
            .message
            .push_str("; the line is never reached now, because an earlier one decides, and is when that one goes");
        finding = finding.with("decided_by", format!("line {}: {}", earlier.line, earlier.shown()));
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::line::line;
    use super::*;

    fn judged(text: &str, outside: bool) -> Option<(Severity, String)> {
        judge(&line(text), outside, "/data/pg_hba.conf").map(|finding| (finding.severity, finding.record.rule))
    }

    #[test]
    fn each_kind_of_line_on_both_sides() {
        let (any, lan, own) = ("0.0.0.0/0.0.0.0", "10.0.0.0/255.0.0.0", "127.0.0.1/255.255.255.255");
        for (text, outside, expected) in [
            (format!("host all all {any} trust"), true, Some((Severity::Critical, "hba_trust"))),
            (format!("hostssl all all {lan} trust"), true, Some((Severity::Critical, "hba_trust"))),
            (format!("host all all {any} trust"), false, Some((Severity::High, "hba_trust"))),
            (format!("host all all {own} trust"), true, Some((Severity::High, "hba_trust"))),
            ("local all all trust".to_owned(), true, Some((Severity::Warning, "hba_trust"))),
            ("local all all peer".to_owned(), true, None),
            ("local all all password".to_owned(), true, None),
            (format!("host all all {lan} password"), true, Some((Severity::High, "hba_plain_password"))),
            (format!("hostnossl all all {lan} ldap"), true, Some((Severity::High, "hba_plain_password"))),
            (format!("host all all {own} password"), true, Some((Severity::Info, "hba_plain_password"))),
            (format!("hostssl all all {lan} password"), true, None),
            (format!("hostssl all all {any} password"), true, Some((Severity::Warning, "hba_open_to_all"))),
            (format!("host all all {any} scram-sha-256"), true, Some((Severity::Warning, "hba_open_to_all"))),
            (format!("hostssl all all {any} md5"), true, Some((Severity::Warning, "hba_open_to_all"))),
            ("host all all ::/:: ident".to_owned(), true, Some((Severity::High, "hba_open_to_all"))),
            (format!("hostssl all all {any} scram-sha-256"), true, None),
            (format!("hostssl all all {any} cert"), true, None),
            (format!("host all all {any} reject"), true, None),
            (format!("host all all {lan} ident"), true, Some((Severity::High, "hba_ident"))),
            (format!("host all all {own} ident"), true, Some((Severity::Warning, "hba_ident"))),
            ("local all all ident".to_owned(), true, None),
            (format!("host all all {lan} md5"), true, Some((Severity::Warning, "hba_md5"))),
            ("local all all md5".to_owned(), true, Some((Severity::Info, "hba_md5"))),
            (format!("host all all {lan} scram-sha-256"), true, None),
            (
                format!("hostssl replication all {lan} scram-sha-256"),
                true,
                Some((Severity::Warning, "hba_replication")),
            ),
            (format!("hostssl replication standby {lan} scram-sha-256"), true, None),
            (format!("host replication all {own} scram-sha-256"), true, None),
        ] {
            let expected = expected.map(|(severity, rule)| (severity, rule.to_owned()));
            assert_eq!(judged(&text, outside), expected, "{text} {outside}");
        }
    }

    #[test]
    fn what_the_fix_says_is_no_finding() {
        for text in [
            "host all all 0.0.0.0/0.0.0.0 trust",
            "local all all trust",
            "host all all 127.0.0.1/255.255.255.255 ident",
            "hostnossl app bob 10.1.0.0/255.255.0.0 password",
            "hostssl all all ::/:: md5",
            "host replication all 10.0.0.0/255.0.0.0 scram-sha-256",
        ] {
            let finding = judge(&line(text), true, "f").expect("told");
            let wanted = finding.record.fix.split('`').nth(1).expect("a line").to_owned();
            // As the view prints it: with a netmask.
            let wanted =
                wanted.replace("/0 ", "/0.0.0.0 ").replace("/8 ", "/255.0.0.0 ").replace("/16 ", "/255.255.0.0 ");
            let wanted = wanted.replace("/32 ", "/255.255.255.255 ").replace("::/0.0.0.0", "::/::");
            assert_eq!(judged(&wanted, true), None, "{text}: {wanted}");
        }
    }

    #[test]
    fn a_wrong_line_and_one_that_is_never_reached() {
        let wrong = Line { line: 3, error: Some("end-of-line before role".to_owned()), ..Line::default() };
        let finding = judge(&wrong, true, "/data/pg_hba.conf").expect("told");
        assert_eq!((finding.severity, finding.name().as_str()), (Severity::Warning, "hba_error:/data/pg_hba.conf:3"));
        assert_eq!(
            masked("authentication option not in name=value format: hunter2"),
            "authentication option not in name=value format …"
        );
        assert_eq!(masked("invalid authentication method \"hunter2\""), "invalid authentication method …");
        let never = Line { error: Some("cannot match".to_owned()), ..line("hostssl all all all scram-sha-256") };
        assert_eq!(judge(&never, true, "f").map(|finding| finding.severity), Some(Severity::Info));
        let trust = judge(&line("host all all 10.0.0.0/255.0.0.0 trust"), true, "f").expect("told");
        let dead = unreached(trust, &line("host all all all reject"));
        assert_eq!(
            (dead.severity, dead.evidence()["decided_by"].as_str()),
            (Severity::Info, "line 7: host all all all reject")
        );
    }
}
