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
    let lines = server.rows(include_str!("../../../../queries/hba.sql"));
    // The role may read the view: it is the server that may not read its file, which has the same SQLSTATE.
    let lines: Vec<Line> = lines.map_err(|failure| match failure {
        Failure::Hidden(text) => Failure::Unknown(text),
        failure => failure,
    })?;
    found.examined += lines.len() as u64;
    let place = Place {
        file: server.values.get("hba_file").unwrap_or("pg_hba.conf").to_owned(),
        outside: server.values.listens_outside(),
        ssl: !server.values.is("ssl", "off"),
        // As a decimal number: reset_val has no other way to show it.
        socket_mode: server.values.get("unix_socket_permissions").and_then(|mode| mode.parse().ok()).unwrap_or(0o777),
    };
    if lines.is_empty() {
        found.push(no_line(&place.file));
    }
    for (at, line) in lines.iter().enumerate() {
        let decided_by = lines[..at].iter().find(|earlier| earlier.decides_all_of(line));
        let Some(finding) = judge(line, &place) else { continue };
        found.push(match decided_by {
            None => finding,
            Some(earlier) => unreached(finding, earlier),
        });
    }
    Ok(())
}

/// What a line's meaning depends on.
struct Place {
    /// The file that has no other name in a row.
    file: String,
    /// Whether the server listens on more than loopback.
    outside: bool,
    ssl: bool,
    /// Who may open the server's socket.
    socket_mode: u32,
}

/// What is wrong with a line: the worst of it, because one line is mended once.
fn judge(line: &Line, place: &Place) -> Option<Finding> {
    let file = line.file.as_deref().unwrap_or(&place.file);
    let at = format!("{file}:{}", line.line);
    if let Some(error) = &line.error {
        return Some(wrong(line, error, &at, file));
    }
    let reach = line.reach();
    let judged = match line.method() {
        // That is what the method `cert` is.
        "trust" if line.client_certificate() == Some("full") => replication(line, reach),
        "trust" if line.client_certificate().is_some() => ANY_CERTIFICATE,
        "trust" if reach == Reach::Socket && place.socket_mode & 0o077 == 0 => OWN_SOCKET,
        "trust" => trust(reach, place.outside),
        method if SENDS_PASSWORD.contains(&method) && !line.encrypted() => sends_password(reach),
        _ if reach == Reach::Everyone => everyone(line),
        "ident" => ident(reach),
        "md5" => md5(reach),
        _ => replication(line, reach),
    };
    let (severity, rule, message) = judged?;
    let finding = Finding::new(severity, rule, line.shown(), message).with("place", at);
    let finding = if reach == Reach::Socket {
        finding.with("unix_socket_permissions", format!("{:04o}", place.socket_mode))
    } else {
        finding
    };
    Some(finding.with("method", line.method()).fix(fix(line, rule, reach, file, place.ssl)))
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

/// `load_hba` of hba.c takes no file without a line.
fn no_line(file: &str) -> Finding {
    let message = "the file lets nobody in: a reload ignores it, and a server that is started again does not come up";
    let finding = Finding::new(Severity::Warning, "hba_error", file, message);
    finding.fix(format!("put the lines into {file} that are in effect now, then SELECT pg_reload_conf()"))
}

/// Without the piece of the line that many of the server's messages end in: it may be a password in the wrong place.
fn masked(error: &str) -> String {
    let end = error.find('"').into_iter().chain(error.find(": ")).min();
    end.map_or_else(|| error.to_owned(), |end| format!("{} …", error[..end].trim_end()))
}

type Judged = Option<(Severity, &'static str, &'static str)>;

const ANY_CERTIFICATE: Judged = Some((
    Severity::Warning,
    "hba_trust",
    "whoever has any certificate of the authority may log in as any of these roles, without a password",
));

const OWN_SOCKET: Judged = Some((
    Severity::Info,
    "hba_trust",
    "whoever runs as PostgreSQL's own user may log in over the socket as any of these roles, without a password; nobody else gets \
     at the socket (unix_socket_permissions)",
));

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
    let strong = line.client_certificate().is_some()
        || line.encrypted() && matches!(line.method(), "scram-sha-256" | "cert" | "gss" | "sspi" | "oauth");
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

/// The line that does what it should, and how it comes into effect; first what keeps people from being locked out by it.
fn fix(line: &Line, rule: &str, reach: Reach, file: &str, ssl: bool) -> String {
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
    let mut first = Vec::new();
    if connection == "hostssl" && !ssl {
        first.push("set ssl = on, see ssl_off");
    }
    if method == "scram-sha-256" && line.method() != "scram-sha-256" {
        first.push("give each of these roles that has none a scram password (\\password)");
    }
    let first = if first.is_empty() { String::new() } else { format!("first {}; then ", first.join(", and ")) };
    let tls = if connection == "hostssl" && line.connection() != "hostssl" {
        " (clients with sslmode=disable get in no more)"
    } else {
        ""
    };
    format!("{first}replace line {} of {file} by `{wanted}`{tls}, and SELECT pg_reload_conf()", line.line)
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

    fn place(outside: bool) -> Place {
        Place { file: "/data/pg_hba.conf".to_owned(), outside, ssl: true, socket_mode: 0o777 }
    }

    fn judged(text: &str, outside: bool) -> Option<(Severity, String)> {
        judge(&line(text), &place(outside)).map(|finding| (finding.severity, finding.record.rule))
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
            (format!("hostssl all all {any} trust clientcert=verify-full"), true, None),
            (format!("hostssl all all {any} trust clientcert=verify-ca"), true, Some((Severity::Warning, "hba_trust"))),
            (
                format!("hostssl all all {any} trust clientcert=no-verify"),
                true,
                Some((Severity::Critical, "hba_trust")),
            ),
            (format!("hostssl all all {any} password clientcert=verify-full"), true, None),
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
            let finding = judge(&line(text), &place(true)).expect("told");
            let wanted = finding.record.fix.split('`').nth(1).expect("a line").to_owned();
            // As the view prints it: with a netmask.
            let wanted =
                wanted.replace("/0 ", "/0.0.0.0 ").replace("/8 ", "/255.0.0.0 ").replace("/16 ", "/255.255.0.0 ");
            let wanted = wanted.replace("/32 ", "/255.255.255.255 ").replace("::/0.0.0.0", "::/::");
            assert_eq!(judged(&wanted, true), None, "{text}: {wanted}");
        }
    }

    #[test]
    fn a_socket_that_only_the_server_s_user_opens_is_little() {
        let own = Place { socket_mode: 0o700, ..place(true) };
        let told = judge(&line("local all all trust"), &own).expect("told");
        assert_eq!((told.severity, told.evidence()["unix_socket_permissions"].as_str()), (Severity::Info, "0700"));
    }

    #[test]
    fn the_fix_says_first_what_keeps_people_in() {
        let fix = |text: &str, ssl| judge(&line(text), &Place { ssl, ..place(true) }).expect("told").record.fix;
        let trust = fix("host all all 10.0.0.0/255.0.0.0 trust", false);
        assert!(trust.starts_with("first set ssl = on, see ssl_off, and give each of these roles"), "{trust}");
        let kept = fix("hostssl all all 0.0.0.0/0.0.0.0 password", true);
        assert!(!kept.contains("ssl = on") && !kept.contains("sslmode=disable"), "{kept}");
        let replication = fix("hostssl replication all 10.0.0.0/255.0.0.0 scram-sha-256", true);
        assert!(replication.starts_with("replace line 7 of"), "{replication}");
        let certified = fix("hostssl all all 10.0.0.0/255.0.0.0 md5 clientcert=verify-ca", true);
        assert!(certified.contains("`hostssl all all 10.0.0.0/8 scram-sha-256 clientcert=verify-ca`"), "{certified}");
    }

    #[test]
    fn a_wrong_line_and_one_that_is_never_reached() {
        let wrong = Line { line: 3, error: Some("end-of-line before role".to_owned()), ..Line::default() };
        let finding = judge(&wrong, &place(true)).expect("told");
        assert_eq!((finding.severity, finding.name().as_str()), (Severity::Warning, "hba_error:/data/pg_hba.conf:3"));
        assert_eq!(
            masked("authentication option not in name=value format: hunter2"),
            "authentication option not in name=value format …"
        );
        assert_eq!(masked("invalid authentication method \"hunter2\""), "invalid authentication method …");
        let never = Line { error: Some("cannot match".to_owned()), ..line("hostssl all all all scram-sha-256") };
        assert_eq!(judge(&never, &place(true)).map(|finding| finding.severity), Some(Severity::Info));
        let trust = judge(&line("host all all 10.0.0.0/255.0.0.0 trust"), &place(true)).expect("told");
        let dead = unreached(trust, &line("host all all all reject"));
        assert_eq!(
            (dead.severity, dead.evidence()["decided_by"].as_str()),
            (Severity::Info, "line 7: host all all all reject")
        );
    }
}
