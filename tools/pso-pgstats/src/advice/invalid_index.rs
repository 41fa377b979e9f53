//! `invalid_index`: what `CREATE INDEX CONCURRENTLY` or `REINDEX CONCURRENTLY` leaves behind when it fails. No query uses it,
//! every write keeps it up to date.

use std::collections::BTreeSet;

use pso_common::Severity;
use pso_common::record::{Confidence, PgIndexRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::report::count;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "invalid_index", on_standby: false, needs: &["indexes"], judge };

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    let names: BTreeSet<(&str, &str)> =
        snapshot.records.indexes.iter().map(|index| (index.on_table.as_str(), index.indexrelname.as_str())).collect();
    let unusable = |index: &&PgIndexRecord| !(index.valid && index.ready || index.temporary);
    let (building, failed): (Vec<_>, Vec<_>) =
        snapshot.records.indexes.iter().filter(unusable).partition(|index| index.building);
    let mut judged: Judged = failed
        .into_iter()
        .map(|index| {
            let left = original(&index.indexrelname).is_some_and(|original| {
                let table = index.on_table.as_str();
                // Where both names are as long as can be, that of the original was cut to make room for what was added.
                let cut =
                    |name: &str| name != index.indexrelname && name.len().min(index.indexrelname.len()) >= LONGEST_NAME;
                let begin = names
                    .range((table, original)..)
                    .take_while(|(on, name)| *on == table && name.starts_with(original));
                index.schemaname == TOAST
                    || names.contains(&(table, original))
                    || begin.into_iter().any(|(_, name)| cut(name))
            });
            advice(index, left)
        })
        .collect();
    if !building.is_empty() {
        let indexes = count(building.len(), ("index", "indexes"));
        judged.note(Severity::Info, format!("{indexes} not judged, because another session may be building it"));
    }
    judged
}

/// Where the long values of all tables are, with an index that nobody made.
const TOAST: &str = "pg_toast";

/// `NAMEDATALEN` - 1, in bytes; less where a letter of several bytes would have been cut in two.
const LONGEST_NAME: usize = 63 - 3;

/// The name of the index that `REINDEX CONCURRENTLY` was to replace: it adds `_ccnew` or `_ccold`, and a number where that
/// name is taken.
fn original(name: &str) -> Option<&str> {
    let base = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    base.strip_suffix("_ccnew").or_else(|| base.strip_suffix("_ccold"))
}

fn advice(index: &PgIndexRecord, left_by_reindex: bool) -> Advice {
    let promised = index.unique || index.primary || index.exclusion || index.constraint || index.replica_identity;
    let (why, sql) = match (left_by_reindex, promised || index.extension) {
        // The server allows to drop it only as long as it is not valid.
        (true, _) if index.schemaname == TOAST => (
            "left behind in the TOAST table by a REINDEX CONCURRENTLY that failed, where only a superuser can drop it; what it was to \
             replace is still there",
            Some(format!("DROP INDEX CONCURRENTLY {}", index.object)),
        ),
        (true, false) => (
            "left behind by a REINDEX CONCURRENTLY that failed; what it was to replace is still there",
            Some(format!("DROP INDEX CONCURRENTLY {}", index.object)),
        ),
        // Whoever drops what keeps a promise should have looked.
        (true, true) => (
            "left behind by a REINDEX CONCURRENTLY that failed; what it was to replace is still there. It keeps a promise, so \
             look at both before you drop it",
            None,
        ),
        (false, _) if index.exclusion => ("not usable; REINDEX INDEX builds it again, and locks out who writes", None),
        (false, _) => (
            "no query uses it, and every write keeps it up to date: CREATE INDEX CONCURRENTLY failed. This builds it again; \
             where its values are not unique although they have to be, it will fail again",
            Some(format!("REINDEX INDEX CONCURRENTLY {}", index.object)),
        ),
    };
    Advice {
        severity: Severity::Warning,
        object: index.object.clone(),
        why: why.to_owned(),
        evidence: evidence([
            ("table", Some(index.on_table.clone())),
            ("indisvalid", Some(index.valid.to_string())),
            ("indisready", Some(index.ready.to_string())),
            ("indisunique", Some(index.unique.to_string())),
            ("size_bytes", index.size_bytes.map(|size| size.to_string())),
        ]),
        confidence: Confidence::High,
        gain_bytes: if left_by_reindex && sql.is_some() { index.size_bytes } else { None },
        sql,
        // Nothing that could be used is lost.
        undo_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn index(name: &str, valid: bool) -> PgIndexRecord {
        PgIndexRecord {
            indexrelname: name.to_owned(),
            object: format!("public.{name}"),
            on_table: "public.t".to_owned(),
            size_bytes: Some(8192),
            valid,
            ready: true,
            ..PgIndexRecord::default()
        }
    }

    fn judge_all(indexes: Vec<PgIndexRecord>) -> Judged {
        judged(&RULE, &snapshot(|records| records.indexes = indexes))
    }

    #[test]
    fn one_that_failed_is_built_again() {
        assert_eq!(judge_all(vec![index("i", true)]).advice, []);
        let advice = judge_all(vec![index("i", false)]).advice.remove(0);
        assert_eq!(advice.sql.as_deref(), Some("REINDEX INDEX CONCURRENTLY public.i"));
        assert_eq!((advice.gain_bytes, advice.severity), (None, Severity::Warning));
        assert_eq!(judge_all(vec![PgIndexRecord { ready: false, ..index("i", true) }]).advice.len(), 1);
        assert_eq!(judge_all(vec![PgIndexRecord { temporary: true, ..index("i", false) }]).advice, []);
    }

    #[test]
    fn one_that_may_be_being_built_is_left_alone() {
        let building = judge_all(vec![PgIndexRecord { building: true, ..index("i", false) }]);
        assert_eq!(building.advice, []);
        assert!(building.notes[0].text.starts_with("1 index not judged"), "{building:?}");
    }

    #[test]
    fn what_a_reindex_left_is_dropped_if_it_keeps_no_promise() {
        for name in ["i_ccnew", "i_ccold", "i_ccnew2"] {
            let advice = judge_all(vec![index("i", true), index(name, false)]).advice.remove(0);
            assert_eq!(advice.sql, Some(format!("DROP INDEX CONCURRENTLY public.{name}")));
            assert_eq!(advice.gain_bytes, Some(8192));
            let unique = PgIndexRecord { unique: true, ..index(name, false) };
            assert_eq!(judge_all(vec![index("i", true), unique]).advice.remove(0).sql, None);
            let (schemaname, unique) = (TOAST.to_owned(), true);
            let advice = judge_all(vec![PgIndexRecord { schemaname, unique, ..index(name, false) }]).advice.remove(0);
            assert!(advice.sql.expect("SQL").starts_with("DROP ") && advice.why.contains("only a superuser"));
            // The name of the other was cut.
            let long = "i".repeat(63);
            let cut = format!("{}{}", &long[..63 - name.len() + 1], &name[1..]);
            let advice = judge_all(vec![index(&long, true), index(&cut, false)]).advice.remove(0);
            assert_eq!(advice.sql, Some(format!("DROP INDEX CONCURRENTLY public.{cut}")));
            // Somebody's own name.
            let advice = judge_all(vec![index("other", true), index(name, false)]).advice.remove(0);
            assert_eq!(advice.sql, Some(format!("REINDEX INDEX CONCURRENTLY public.{name}")));
        }
    }
}
