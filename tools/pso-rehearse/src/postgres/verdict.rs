//! Whose fault it is that a dump could not be restored: the dump's, or this machine's.

use pso_archive::load::Refused;
use pso_common::output::printable;

use super::child::Ended;
use super::server_log::Complaint;

/// Whose fault it is, and in which words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It cannot be restored, here or elsewhere.
    Archive(String),
    /// It could not be restored here, which says nothing of elsewhere.
    Machine(String),
}

/// What is unlike the server that the dump is of.
#[derive(Clone, Debug, Default)]
pub(super) struct Unlike {
    /// The major versions of the dump and of the cluster, where the cluster's is newer.
    pub(super) newer: Option<(u32, u32)>,
    /// The locale that this machine does not have.
    pub(super) locale: Option<String>,
}

/// Classes of SQLSTATE that say nothing of the dump: connection, functions in languages of which this machine may lack a module,
/// resources, intervention, foreign servers, internal ones of the system.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const MACHINE_CLASSES: [&str; 7] = ["08", "38", "53", "57", "58", "HV", "XX"];
/// Conditions that say nothing of the dump: a deadlock of two jobs, a lock that was not to be had, a stack that is too small
/// (`ulimit -s`).
const MACHINE_STATES: [&str; 3] = ["40P01", "55P03", "54001"];
/// What other systems of this kind may have and this one does not: extensions, their libraries, locales.
const NOT_HERE: [&str; 9] = [
    "is not available",
    "could not open extension control file",
    "shared_preload_libraries",
    "could not access file",
    "could not load library",
    "could not create locale",
    "not supported by this build",
    "not supported in this build",
    "user mapping not found",
];
/// What `pg_restore` says of a file that is no whole dump; from `pg_backup_archiver.c` and `pg_backup_custom.c`.
const NO_DUMP: [&str; 12] = [
    "end of file",
    "magic string",
    "valid archive",
    "block type",
    "block ID",
    "possibly corrupt",
    "uncompress",
    "file header",
    "unexpected data offset flag",
    "unexpected section code",
    "entry ID",
    "in archive",
];

/// Judges a `pg_restore` that has failed, by what it and the server have said.
pub(super) fn judge(ended: &Ended, complaints: &[Complaint], is_running: bool, unlike: &Unlike) -> Verdict {
    if let Some(fallen) = fallen(complaints, is_running) {
        return fallen;
    }
    let object = object(&ended.said);
    if let Some(error) = complaints.iter().find(|complaint| complaint.severity == "ERROR") {
        return blame(&object, (&error.state, &error.message), unlike);
    }
    // Nothing of the server's, so it is of the program's own.
    let own = own_words(&ended.said);
    if ended.status.code().is_none() {
        return Verdict::Machine(format!("pg_restore was ended from outside ({})", ended.status));
    }
    if own.contains("unsupported version") {
        return Verdict::Machine(format!("this pg_restore is too old for the dump: {own}"));
    }
    if NO_DUMP.iter().any(|words| own.contains(words)) {
        return Verdict::Archive(format!("{object}{own}"));
    }
    Verdict::Machine(format!("pg_restore failed ({}): {own}", ended.status))
}

/// Judges rows that the server has refused.
pub(super) fn judge_rows(refused: &Refused, complaints: &[Complaint], is_running: bool, unlike: &Unlike) -> Verdict {
    fallen(complaints, is_running).unwrap_or_else(|| blame(&table(refused), (&refused.state, &refused.message), unlike))
}

/// Whether the server is what has failed.
fn fallen(complaints: &[Complaint], is_running: bool) -> Option<Verdict> {
    if let Some(fall) = complaints.iter().find(|complaint| is_fall(complaint)) {
        return Some(Verdict::Machine(format!("the scratch server fell over: {}", shown(&fall.message))));
    }
    (!is_running).then(|| Verdict::Machine("the scratch server has ended before the dump was restored".to_owned()))
}

/// Whose fault an error of the server's is, by its SQLSTATE and message.
fn blame(object: &str, (state, message): (&str, &str), unlike: &Unlike) -> Verdict {
    let said = format!("{object}{} (SQLSTATE {state})", shown(message));
    match excuse((state, message), unlike) {
        Some(excuse) => Verdict::Machine(format!("{said}: {excuse}")),
        None => Verdict::Archive(said),
    }
}

/// `public.plans: `
fn table(refused: &Refused) -> String {
    refused.table.as_ref().map(|table| format!("{}: ", shown(table))).unwrap_or_default()
}

/// What says of an error on somebody's server that the data are at fault. There is no SQLSTATE of it, and such a server may
/// refuse much for reasons of its own.
const OF_DATA: [&str; 8] = [
    "could not create unique index",
    "duplicate key value",
    "violates ",
    "is violated by some row",
    "invalid input syntax",
    "invalid byte sequence",
    "missing data for column",
    "extra data after last",
];

/// Judges a `pg_restore` that has failed on somebody's server, by its own words only.
pub(super) fn judge_elsewhere(ended: &Ended) -> Verdict {
    let Some((_, error)) = ended.said.split_once("ERROR:  ") else {
        return judge(ended, &[], true, &Unlike::default());
    };
    of_words(format!("{}{}", object(&ended.said), shown(error.lines().next().unwrap_or_default())))
}

/// Judges rows that somebody's server has refused.
pub(super) fn judge_rows_elsewhere(refused: &Refused) -> Verdict {
    of_words(format!("{}{}", table(refused), shown(&refused.message)))
}

fn of_words(said: String) -> Verdict {
    if OF_DATA.iter().any(|words| said.contains(words)) { Verdict::Archive(said) } else { Verdict::Machine(said) }
}

/// Whether a server says of itself or of a session that it died: by a signal, or because another did.
fn is_fall(complaint: &Complaint) -> bool {
    // Those who help to build an index are ended so when that fails, which is told by an error of its own.
    let is_helper = complaint.message.starts_with("terminating background worker \"parallel worker\"");
    match complaint.severity.as_str() {
        "PANIC" => true,
        _ if is_helper => false,
        "FATAL" => complaint.state.starts_with("57P") || complaint.state.starts_with("53"),
        "LOG" => complaint.message.contains("was terminated by signal"),
        _ => false,
    }
}

/// Why an error is not the dump's fault; `None` where it is.
fn excuse((state, message): (&str, &str), unlike: &Unlike) -> Option<String> {
    let class = state.get(..2).unwrap_or_default();
    if message.contains("extension") && message.contains("is not available") || message.contains("control file") {
        let name = message.split('"').nth(1).unwrap_or("it");
        return Some(format!("install the package that brings {name} for this version of PostgreSQL"));
    }
    if NOT_HERE.iter().any(|words| message.contains(words)) {
        return Some("this machine lacks what the server of the dump has".to_owned());
    }
    if state == "42704" && message.starts_with("collation ") {
        return Some("this machine lacks that locale".to_owned());
    }
    if MACHINE_CLASSES.contains(&class) || MACHINE_STATES.contains(&state) {
        return Some("which says nothing of the dump".to_owned());
    }
    if let Some((dumped, here)) = unlike.newer.filter(|_| matches!(class, "42" | "0A" | "22")) {
        return Some(format!("PostgreSQL {here} may refuse what {dumped} took; install {dumped} to tell"));
    }
    // 42P17: the bounds of a partition that are in another order here.
    let locale = unlike.locale.as_deref().filter(|_| matches!(class, "22" | "23") || state == "42P17")?;
    Some(format!("the locale {locale} is not on this machine, and rules may hold in it only"))
}

/// What `pg_restore` was at: `from TOC entry 3269; 2606 16418 CONSTRAINT plans plans_pkey owner`, which it says where it works
/// alone; else the table, or the statement, of its first error.
fn object(said: &str) -> String {
    let mut lines = said.lines();
    let mut entry = None;
    for line in lines.by_ref() {
        if let Some((_, rest)) = line.split_once("from TOC entry ") {
            // Three numbers stand before it.
            entry = rest.split_once("; ").and_then(|(_, rest)| rest.splitn(3, ' ').nth(2));
        }
        if let Some((_, error)) = line.split_once("error: ") {
            if let Some(table) = error.strip_prefix("COPY failed for table ") {
                let table = table.split_once(": ").map_or(table, |(table, _)| table);
                entry = entry.or(Some(table));
            }
            break;
        }
    }
    if let Some(entry) = entry {
        return format!("{}: ", shown(entry));
    }
    let own: Vec<&str> = lines.take_while(|line| !line.starts_with("pg_restore: ")).collect();
    let Some(at) = own.iter().position(|line| line.starts_with("Command was: ")) else { return String::new() };
    let command: Vec<&str> = own[at..].iter().map(|line| line.trim()).collect();
    let command = command.join(" ");
    let command = command.trim_start_matches("Command was: ");
    // No values of rows, and no bodies of functions.
    let ends = [" VALUES", " AS $", ";"].iter().filter_map(|end| command.find(end)).min().unwrap_or(command.len());
    let command: String = command[..ends].chars().take(120).collect();
    format!("{}: ", shown(&command))
}

/// The first error of the program's own.
fn own_words(said: &str) -> String {
    let error = said.lines().find_map(|line| line.split_once("error: ").map(|(_, words)| words));
    match error.or_else(|| said.lines().find(|line| !line.trim().is_empty())) {
        Some(words) => shown(words),
        None => "it said nothing".to_owned(),
    }
}

/// Short, and on one line.
fn shown(text: &str) -> String {
    let text: String = text.trim().chars().take(300).collect();
    printable(&text).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    const SAID: &str = "pg_restore: while PROCESSING TOC:\n\
        pg_restore: from TOC entry 3269; 2606 16418 CONSTRAINT plans plans_pkey sync_user\n\
        pg_restore: error: could not execute query: ERROR:  could not create unique index \"plans_pkey\"\n\
        DETAIL:  Key (id)=(1) is duplicated.\nCommand was: ALTER TABLE ONLY public.plans\n";

    fn of(state: &str, message: &str, unlike: &Unlike) -> Verdict {
        let ended = Ended { status: ExitStatus::from_raw(256), said: SAID.to_owned() };
        let complaint =
            Complaint { state: state.to_owned(), severity: "ERROR".to_owned(), message: message.to_owned() };
        judge(&ended, &[complaint], true, unlike)
    }

    fn is_archives(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Archive(_))
    }

    #[test]
    fn an_error_of_the_data_is_the_archives_with_its_object() {
        let verdict = of("23505", "could not create unique index \"plans_pkey\"", &Unlike::default());
        let told =
            "CONSTRAINT plans plans_pkey sync_user: could not create unique index \"plans_pkey\" (SQLSTATE 23505)";
        assert_eq!(verdict, Verdict::Archive(told.to_owned()));
    }

    #[test]
    fn refused_rows_are_of_a_table() {
        let of = |state: &str, message: &str| Refused {
            state: state.to_owned(),
            message: message.to_owned(),
            table: Some("public.plans".to_owned()),
        };
        let broken = of("22P02", "invalid input syntax for type integer: \"x\"");
        let told = "public.plans: invalid input syntax for type integer: \"x\"";
        let here = Unlike::default();
        assert_eq!(judge_rows(&broken, &[], true, &here), Verdict::Archive(format!("{told} (SQLSTATE 22P02)")));
        assert_eq!(judge_rows_elsewhere(&broken), Verdict::Archive(told.to_owned()));
        assert!(!is_archives(&judge_rows(&broken, &[], false, &here)), "it is gone");
        let full = of("53100", "could not extend file \"base/1/2\": No space left on device");
        assert!(!is_archives(&judge_rows(&full, &[], true, &here)));
        assert!(!is_archives(&judge_rows_elsewhere(&full)));
    }

    #[test]
    fn jobs_name_the_table_or_the_statement() {
        let copy = "pg_restore: error: COPY failed for table \"z\": ERROR:  not here\nCONTEXT:  PL/pgSQL function\n";
        assert_eq!(object(copy), "\"z\": ");
        let statement = "pg_restore: error: could not execute query: ERROR:  could not create unique index \"t_pkey\"\n\
            DETAIL:  Key (id)=(2) is duplicated.\nCommand was: ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY \
            (id);\n\n\npg_restore: error: a worker process died unexpectedly\n";
        assert_eq!(object(statement), "ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id): ");
        let rows =
            "pg_restore: error: could not execute query: ERROR:  x\nCommand was: INSERT INTO t VALUES ('secret');\n";
        assert_eq!(object(rows), "INSERT INTO t: ");
        assert_eq!(object("pg_restore: error: x\n"), "");
    }

    #[test]
    fn what_the_machine_lacks_is_the_machines() {
        let here = Unlike::default();
        for (state, message) in [
            ("53100", "could not extend file \"base/1/2\": No space left on device"),
            ("58030", "could not read block 0 in file: I/O error"),
            ("0A000", "extension \"vector\" is not available"),
            ("58P01", "could not open extension control file \"/usr/share/vector.control\": No such file"),
            ("58P01", "could not access file \"$libdir/postgis-3\": No such file or directory"),
            ("22023", "could not create locale \"fr_FR.utf8\": No such file or directory"),
            ("42704", "collation \"pg_catalog.fr_FR\" for encoding \"UTF8\" does not exist"),
            ("57014", "canceling statement due to user request"),
            ("HV00N", "could not connect to server \"far\""),
            ("54001", "stack depth limit exceeded"),
            ("38000", "ModuleNotFoundError: No module named 'numpy'"),
        ] {
            let verdict = of(state, message, &here);
            assert!(!is_archives(&verdict), "{verdict:?}");
        }
        for (state, message) in [
            ("22P02", "invalid input syntax for type integer: \"x\""),
            ("42P01", "relation \"public.plans\" does not exist"),
            ("P0001", "no rows any more"),
            ("54000", "index row size 5000 exceeds btree version 4 maximum 2704"),
        ] {
            assert!(is_archives(&of(state, message, &here)), "{message}");
        }
        let Verdict::Machine(said) = of("0A000", "extension \"vector\" is not available", &here) else {
            panic!("machine")
        };
        assert!(said.contains("install the package that brings vector"), "{said}");
    }

    #[test]
    fn what_is_unlike_the_dumps_server_leaves_doubt() {
        let newer = Unlike { newer: Some((13, 18)), ..Unlike::default() };
        assert!(!is_archives(&of("42704", "type \"abstime\" does not exist", &newer)));
        assert!(is_archives(&of("23505", "could not create unique index", &newer)));
        let locale = Unlike { locale: Some("fr_FR.UTF-8".to_owned()), ..Unlike::default() };
        assert!(!is_archives(&of("23514", "check constraint \"small\" is violated by some row", &locale)));
        assert!(!is_archives(&of("42P17", "empty range bound specified for partition \"p\"", &locale)));
        assert!(is_archives(&of("42P01", "relation does not exist", &locale)));
        let elsewhere = |said: &str| {
            let said = format!("pg_restore: error: could not execute query: ERROR:  {said}\n");
            judge_elsewhere(&Ended { status: ExitStatus::from_raw(256), said })
        };
        assert!(!is_archives(&elsewhere("permission denied to create extension \"x\"")));
        assert!(is_archives(&elsewhere("could not create unique index \"t_pkey\"")));
    }

    #[test]
    fn pg_restore_itself_is_judged_by_its_words() {
        let of = |raw: i32, said: &str| {
            let ended = Ended { status: ExitStatus::from_raw(raw), said: said.to_owned() };
            judge(&ended, &[], true, &Unlike::default())
        };
        let broken = of(256, "pg_restore: error: could not read from input file: end of file\n");
        assert_eq!(broken, Verdict::Archive("could not read from input file: end of file".to_owned()));
        assert!(is_archives(&of(256, "pg_restore: error: unrecognized data block type (0) while searching archive\n")));
        assert!(!is_archives(&of(256, "pg_restore: error: unsupported version (1.99) in file header\n")));
        assert!(!is_archives(&of(256, "pg_restore: error: out of memory\n")));
        assert!(!is_archives(&of(256, "pg_restore: error: could not connect to server\n")));
        assert!(!is_archives(&of(9, "")), "killed");
        let fall = Complaint {
            state: "00000".to_owned(),
            severity: "LOG".to_owned(),
            message: "server process (PID 1) was terminated by signal 9: Killed".to_owned(),
        };
        let ended = Ended { status: ExitStatus::from_raw(256), said: SAID.to_owned() };
        assert!(!is_archives(&judge(&ended, &[fall], true, &Unlike::default())));
        assert!(!is_archives(&judge(&ended, &[], false, &Unlike::default())), "it is gone");
        let of = |state: &str, severity: &str, message: &str| Complaint {
            state: state.to_owned(),
            severity: severity.to_owned(),
            message: message.to_owned(),
        };
        let helper =
            of("57P01", "FATAL", "terminating background worker \"parallel worker\" due to administrator command");
        let double = of("23505", "ERROR", "could not create unique index \"i\"");
        assert!(is_archives(&judge(&ended, &[helper.clone(), double], true, &Unlike::default())));
        let full = of("53100", "ERROR", "could not extend file \"base/1/2\": No space left on device");
        let Verdict::Machine(said) = judge(&ended, &[helper, full], true, &Unlike::default()) else {
            panic!("machine")
        };
        assert!(said.contains("No space left on device"), "{said}");
    }
}
