//! `bloat_table`: a table of which much is empty. Nothing breaks by it: scans read the empty pages too, and backups copy
//! them. Vacuum makes the space usable again for the table's own rows, but gives back only what is at its end.

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::output::bytes;
use pso_common::record::{Confidence, Labels, PgBloatRecord, PgSizeRecord, PgTableRecord};

use super::{Advice, Judged, Rule, evidence, mebibytes};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule =
    Rule { name: "bloat_table", on_standby: false, needs: &["bloat", "tables", "sizes"], judge };

/// `VACUUM (FULL)` of so little, with the TOAST table and the indexes that it writes anew too, is done in a moment; of more
/// nobody can tell how long the table is locked.
const MOMENT_BYTES: i64 = 64 << 20;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let records = &snapshot.records;
    let tables = records.bloat.iter().filter(|record| record.relkind != "i" && past(record, limits));
    tables
        .map(|record| {
            let table = records.tables.iter().find(|table| table.object == record.object);
            let named = |size: &&PgSizeRecord| size.schemaname == record.schemaname && size.relname == record.relname;
            let whole = records.sizes.iter().find(named).map(|size| size.size_bytes);
            advice(record, whole, table, limits)
        })
        .collect()
}

/// More of it is bloat than the limits allow.
pub(super) fn past(record: &PgBloatRecord, limits: &Limits) -> bool {
    let much = record.bloat_bytes.is_some_and(|bloat| bloat >= mebibytes(limits.min_bloat_mib));
    much && record.bloat_percent.is_some_and(|percent| percent > limits.max_bloat.0)
}

/// The numbers, and how old those are that are estimates.
pub(super) fn numbers(record: &PgBloatRecord, table: Option<&PgTableRecord>, limits: &Limits) -> Labels {
    evidence([
        ("size_bytes", Some(record.size_bytes.to_string())),
        ("bloat_bytes", record.bloat_bytes.map(|bloat| bloat.to_string())),
        ("bloat_percent", record.bloat_percent.map(|percent| percent.to_string())),
        ("limit", Some(limits.max_bloat.show())),
        ("method", record.method.clone()),
        ("fillfactor", Some(record.fillfactor.to_string())),
        ("n_dead_tup", table.map(|table| table.n_dead_tup.to_string())),
        ("last_analyze_at", table.and_then(|table| table.last_analyze_at).map(|at| at.to_string())),
        ("n_mod_since_analyze", table.map(|table| table.n_mod_since_analyze.to_string())),
    ])
}

pub(super) fn confidence(record: &PgBloatRecord) -> Confidence {
    if record.estimated { Confidence::Low } else { Confidence::High }
}

/// To what an estimate has to be held.
pub(super) const ESTIMATED: &str = "an estimate: measure it with --exact before you follow";

/// `whole_bytes`: with TOAST and indexes, where that is known.
fn advice(record: &PgBloatRecord, whole_bytes: Option<i64>, table: Option<&PgTableRecord>, limits: &Limits) -> Advice {
    let (size, bloat) = (record.size_bytes, record.bloat_bytes.unwrap_or_default());
    let at_once = whole_bytes.is_some_and(|whole| whole.max(size) <= MOMENT_BYTES);
    let way = if at_once {
        "VACUUM (FULL) gives it back; it locks the table while it writes it anew, which at this size is a moment, but first it \
         waits for who uses the table, and everybody else waits behind it: SET lock_timeout before"
    } else {
        "new rows use it again, so do something only if few will come: pg_repack or pg_squeeze write the table anew beside the \
         traffic; VACUUM (FULL) locks it for as long as that takes and needs a window"
    };
    let estimated = if record.estimated { format!(" ({ESTIMATED})") } else { String::new() };
    let (size, share) = (bytes(size.unsigned_abs()), record.bloat_percent.unwrap_or_default());
    let mut evidence = numbers(record, table, limits);
    evidence.extend(whole_bytes.map(|whole| ("with_toast_and_indexes_bytes".to_owned(), whole.to_string())));
    Advice {
        severity: Severity::Info,
        object: record.object.clone(),
        why: format!("{} of its {size} hold no rows, {share} %{estimated}; {way}", bytes(bloat.unsigned_abs())),
        evidence,
        confidence: confidence(record),
        sql: at_once.then(|| format!("VACUUM (FULL, ANALYZE) {}", record.object)),
        undo_sql: None,
        gain_bytes: record.bloat_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    const MIB: i64 = 1 << 20;

    fn table(size_mib: i64, bloat_mib: i64, percent: f64) -> PgBloatRecord {
        PgBloatRecord {
            object: "public.t".to_owned(),
            relkind: "r".to_owned(),
            size_bytes: size_mib * MIB,
            bloat_bytes: Some(bloat_mib * MIB),
            bloat_percent: Some(percent),
            estimated: true,
            ..PgBloatRecord::default()
        }
    }

    fn advised(record: PgBloatRecord) -> Vec<Advice> {
        let whole = record.size_bytes;
        advised_of(record, Some(whole))
    }

    fn advised_of(record: PgBloatRecord, whole_bytes: Option<i64>) -> Vec<Advice> {
        let size = |size_bytes| PgSizeRecord { size_bytes, ..PgSizeRecord::default() };
        let snapshot = snapshot(|records| {
            records.sizes = whole_bytes.into_iter().map(size).collect();
            records.bloat = vec![record];
        });
        judged(&RULE, &snapshot).advice
    }

    #[test]
    fn a_table_that_is_mostly_empty_is_advised_past_both_limits() {
        assert_eq!(advised(table(64, 32, 50.0)), []);
        assert_eq!(advised(table(60, 31, 51.0)), []);
        let advice = advised(table(62, 32, 50.01)).remove(0);
        assert_eq!((advice.severity, advice.confidence), (Severity::Info, Confidence::Low));
        assert!(advice.why.contains("measure it with --exact"), "{}", advice.why);
        assert_eq!(advice.gain_bytes, Some(32 * MIB));
        let unknown = PgBloatRecord { bloat_bytes: None, bloat_percent: None, ..table(100, 0, 0.0) };
        assert_eq!(advised(unknown), []);
        assert_eq!(advised(PgBloatRecord { relkind: "i".to_owned(), ..table(100, 90, 90.0) }), [], "an index");
    }

    #[test]
    fn only_a_table_that_is_small_is_locked_for_it() {
        let small = advised(table(64, 60, 90.0)).remove(0);
        assert_eq!(small.sql.as_deref(), Some("VACUUM (FULL, ANALYZE) public.t"));
        let large = advised(table(65, 60, 90.0)).remove(0);
        assert!(large.sql.is_none() && large.why.contains("pg_repack"), "{}", large.why);
        // What it is locked for is all of it, TOAST and indexes too, where that could be measured.
        assert!(advised_of(table(62, 60, 90.0), Some(64 * MIB)).remove(0).sql.is_some());
        for whole in [Some(64 * MIB + 1), None] {
            assert_eq!(advised_of(table(62, 60, 90.0), whole).remove(0).sql, None, "{whole:?}");
        }
    }

    #[test]
    fn what_was_measured_is_sure() {
        let advice = advised(PgBloatRecord { estimated: false, ..table(64, 60, 90.0) }).remove(0);
        assert!(advice.confidence == Confidence::High && !advice.why.contains("--exact"), "{}", advice.why);
    }

    #[test]
    fn how_old_the_estimate_is_stands_in_the_evidence() {
        let analyzed = Some("2026-11-20T09:00:00Z".parse().expect("a time"));
        let snapshot = snapshot(|records| {
            records.bloat = vec![table(64, 60, 90.0)];
            let object = "public.t".to_owned();
            records.tables =
                vec![PgTableRecord { object, last_analyze_at: analyzed, n_dead_tup: 7, ..PgTableRecord::default() }];
        });
        let evidence = judged(&RULE, &snapshot).advice.remove(0).evidence;
        assert_eq!(
            (evidence["last_analyze_at"].as_str(), evidence["n_dead_tup"].as_str()),
            ("2026-11-20T09:00:00.000Z", "7")
        );
    }
}
