//! Routines that do more than their caller may.

use pso_common::Severity;
use serde::Deserialize;

use super::public::revoked;
use super::server::{Failure, Server};
use crate::finding::{Finding, Found};

/// More routines than these are not told one by one.
const MOST: usize = 500;

/// A row of `functions.sql`.
#[derive(Clone, Debug, Default, Deserialize)]
struct Routine {
    /// With its arguments, quoted where it must be.
    routine: String,
    schema_quoted: String,
    definer: bool,
    has_search_path: bool,
    owner: String,
    owner_superuser: bool,
    for_everybody: bool,
    /// Who has let everybody run it, beside the owner; quoted where it must be.
    grantors: Option<Vec<String>>,
    language: String,
    untrusted: bool,
}

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    let mut routines: Vec<Routine> = server.rows(include_str!("../../../queries/functions.sql"))?;
    if routines.len() > MOST {
        routines.truncate(MOST);
        found.note(format!(
            "there are more than {MOST} routines with their owner's or the server's rights; {MOST} are looked at"
        ));
    }
    found.examined += routines.len() as u64;
    found.findings.extend(routines.iter().flat_map(judge));
    Ok(())
}

fn judge(routine: &Routine) -> Vec<Finding> {
    let new = |severity, rule: &str, message: &str| {
        let finding = Finding::new(severity, rule, &routine.routine, message).with("owner", &routine.owner);
        finding.with("language", &routine.language)
    };
    let revoke = format!("REVOKE EXECUTE ON ROUTINE {} FROM PUBLIC", routine.routine);
    let revoke = revoked(&revoke, routine.grantors.as_deref());
    let mut findings = Vec::new();
    if routine.definer && !routine.has_search_path {
        let message = "it runs with its owner's rights and its caller's search_path: the caller puts a table or a function of \
                       his own before the one that was meant, and the owner's rights do the rest";
        let fix = format!(
            "ALTER ROUTINE {} SET search_path = pg_catalog, {}, pg_temp",
            routine.routine, routine.schema_quoted
        );
        findings.push(new(Severity::Warning, "definer_without_search_path", message).fix(fix));
    }
    if routine.definer && routine.owner_superuser && routine.for_everybody {
        let message = "every role may run it, and it runs as a superuser";
        let fix = format!("{revoke};\n-- then GRANT EXECUTE to the roles that need it");
        findings.push(new(Severity::High, "definer_superuser_public", message).fix(fix));
    }
    if routine.untrusted {
        let message = "it is written in a language that can do whatever PostgreSQL's own user can on the server: files, programs, \
                       network; it belongs to no extension, so look at what it does";
        let fix = if routine.for_everybody {
            // No name in a comment: one with a line break in it would be run.
            format!("{revoke};\n-- or drop it, where nobody needs it")
        } else {
            format!("DROP ROUTINE {}", routine.routine)
        };
        let severity = if routine.for_everybody { Severity::Warning } else { Severity::Info };
        findings.push(new(severity, "function_untrusted", message).fix(fix));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(change: impl FnOnce(&mut Routine)) -> Vec<(Severity, String)> {
        let mut routine = Routine {
            routine: "public.f(a integer)".to_owned(),
            schema_quoted: "public".to_owned(),
            definer: true,
            for_everybody: true,
            ..Routine::default()
        };
        change(&mut routine);
        judge(&routine).into_iter().map(|finding| (finding.severity, finding.record.rule)).collect()
    }

    #[test]
    fn a_definer_needs_a_search_path_and_few_callers() {
        let path = (Severity::Warning, "definer_without_search_path".to_owned());
        let public = (Severity::High, "definer_superuser_public".to_owned());
        assert_eq!(rules(|_| ()), std::slice::from_ref(&path));
        assert_eq!(rules(|routine| routine.has_search_path = true), []);
        assert_eq!(rules(|routine| routine.owner_superuser = true), [path, public.clone()]);
        assert_eq!(rules(|routine| (routine.owner_superuser, routine.has_search_path) = (true, true)), [public]);
        assert_eq!(
            rules(|routine| {
                (routine.owner_superuser, routine.has_search_path, routine.for_everybody) = (true, true, false);
            }),
            []
        );
    }

    #[test]
    fn an_untrusted_language_is_told_until_few_may_use_it() {
        let untrusted = |for_everybody| {
            rules(|routine| (routine.definer, routine.untrusted, routine.for_everybody) = (false, true, for_everybody))
        };
        assert_eq!(untrusted(true), [(Severity::Warning, "function_untrusted".to_owned())]);
        assert_eq!(untrusted(false), [(Severity::Info, "function_untrusted".to_owned())]);
    }
}
