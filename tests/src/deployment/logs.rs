//! Three days of logs: what the server says when it is well, and known numbers of what goes wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use fastrand::Rng;
use serde_json::json;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::Spec;
use super::log_lines::{self, Entry};
use super::plans;
use super::truth::{Form, LogTruth};
use super::words::pick;

const DAYS: u64 = 3;

/// Type, how many a day (give or take two), what it says, and whether a stack trace follows now and then. The last day has more than 50.
const SYNC_ERRORS: [(&str, u64, &str, bool); 6] = [
    ("SyncTimeout", 22, "sync took longer than 60s", true),
    ("DatabaseError", 13, "pq: deadlock detected on table sync_operations", true),
    ("ConnectionRefused", 8, "dial tcp 127.0.0.1:6333: connect: connection refused", false),
    ("QdrantError", 7, "upsert into plans answered 503", true),
    ("ParseError", 4, "titre « Phase 3.2 » mal formé à la ligne 42 ⚠️", false),
    ("ChecksumMismatch", 2, "somme de contrôle différente après écriture", false),
];

/// Writes `logs/` and gives what is in it.
pub(super) fn write(folder: &Path, spec: &Spec) -> Result<LogTruth> {
    let names: Vec<String> = plans::plans(spec).into_iter().map(|plan| plan.path).collect();
    let mut maker = Maker { spec, random: spec.random("logs"), plans: names };
    let mut events = Vec::new();
    let mut files = BTreeMap::new();
    // Rotated every 24 h: today's file, yesterday's, and the one before, compressed.
    for (day, name) in (0..DAYS).zip(["sync-engine.log", "sync-engine.log.1", "sync-engine.log.2.gz"]) {
        let entries = maker.sync_engine(day);
        files.insert(name.to_owned(), log_lines::write(folder, name, entries, &mut events)?);
    }
    let all_days = |make: &mut dyn FnMut(u64) -> Vec<Entry>| (0..DAYS).flat_map(make).collect::<Vec<_>>();
    let conflicts = all_days(&mut |day| maker.conflicts(day));
    let validation = all_days(&mut |day| maker.validation(day));
    let backup = (0..DAYS).map(|day| maker.backup(day)).collect::<Result<Vec<_>>>()?.concat();
    for (name, entries) in [("conflicts.log", conflicts), ("validation.log", validation), ("backup.log", backup)] {
        files.insert(name.to_owned(), log_lines::write(folder, name, entries, &mut events)?);
    }
    events.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    Ok(LogTruth { now: spec.now, events, files })
}

struct Maker<'a> {
    spec: &'a Spec,
    random: Rng,
    plans: Vec<String>,
}

impl Maker<'_> {
    fn sync_engine(&mut self, day: u64) -> Vec<Entry> {
        let mut entries = Vec::new();
        for _ in 0..self.spec.log_lines {
            let plan = self.plan();
            let (level, text) = match self.random.u8(..10) {
                0 => ("WARN", format!("[sync-engine] retry {} of plan={plan}", self.random.u8(1..4))),
                1 | 2 => ("DEBUG", format!("[sync-engine] {} tasks of plan={plan} unchanged", self.random.u16(..300))),
                3 => ("INFO", format!("[scheduler] queue length {} errors=0", self.random.u8(..20))),
                _ => (
                    "INFO",
                    format!(
                        "[sync-engine] plan={plan} synced in {}.{}s ✅",
                        self.random.u8(1..59),
                        self.random.u8(..10)
                    ),
                ),
            };
            entries.push(self.entry(day, level, None, text));
        }
        for (kind, count, said, traced) in SYNC_ERRORS {
            for _ in 0..self.about(count) {
                let text = format!("[sync-engine] plan={} {said}", self.plan());
                let mut entry = self.entry(day, "ERROR", Some(kind), text);
                if traced && self.random.u8(..3) == 0 {
                    entry.trace = self.trace();
                }
                entries.push(entry);
            }
        }
        // Addresses of RFC 5737, which belong to nobody.
        for _ in 0..self.about(5) {
            let text = format!("[api] authentication failed for user=zoé from 192.0.2.{}", self.random.u8(1..));
            entries.push(self.entry(day, "WARN", None, text));
        }
        for _ in 0..self.about(3) {
            let text =
                format!("[api] authorization denied: POST /api/v1/sync/batch from 198.51.100.{}", self.random.u8(1..));
            entries.push(self.entry(day, "ERROR", Some("AuthFailure"), text));
        }
        entries.push(self.entry(day, "INFO", None, "[api] security scan finished: nothing found".to_owned()));
        for entry in &mut entries {
            let hour = (self.spec.now - entry.at).whole_hours() - i64::try_from(day * 24).unwrap_or_default();
            // Older builds wrote the older lines; the change from JSON to text came while the newest file was being written.
            entry.form = match (day, hour) {
                (2, _) => Form::Go,
                (1, 12..) | (0, 20..) => Form::Json,
                _ => Form::Text,
            };
        }
        entries
    }

    fn conflicts(&mut self, day: u64) -> Vec<Entry> {
        let mut entries = Vec::new();
        let unresolved = self.about(9);
        for number in 0..unresolved + self.about(25) {
            let (plan, id) = (self.plan(), format!("conflict-{day}{number:03}"));
            let kind = pick(&mut self.random, &["content_divergence", "version_mismatch", "deleted_in_source"]);
            let (level, text) = if number < unresolved {
                ("WARN", format!("[conflicts] conflict id={id} unresolved type={kind} severity=high plan={plan}"))
            } else {
                ("INFO", format!("[conflicts] conflict id={id} resolved type={kind} strategy=use_source plan={plan}"))
            };
            let mut entry = self.entry(day, level, None, text);
            entry.form = if number % 2 == 0 { Form::Text } else { Form::Json };
            entries.push(entry);
        }
        entries
    }

    fn validation(&mut self, day: u64) -> Vec<Entry> {
        let mut entries = Vec::new();
        for _ in 0..self.about(16) {
            let field = pick(&mut self.random, &["progress", "version", "état", "phase_number"]);
            let text = format!(
                "[validation] plan={} field={field}: valeur inattendue « {} »",
                self.plan(),
                self.random.u16(100..)
            );
            entries.push(self.entry(day, "ERROR", Some("ValidationError"), text));
        }
        for _ in 0..self.spec.log_lines / 10 {
            let text = format!("[validation] plan={} valid, score 0.{}", self.plan(), self.random.u8(80..100));
            entries.push(self.entry(day, "INFO", None, text));
        }
        for entry in &mut entries {
            let hours = (self.spec.now - entry.at).whole_hours();
            entry.form = if hours >= 12 { Form::Go } else { Form::Text };
        }
        entries
    }

    /// The specification's line a day; the one of yesterday failed.
    fn backup(&mut self, day: u64) -> Result<Vec<Entry>> {
        let mut entry = self.entry(day, "INFO", None, String::new());
        if day == 1 {
            entry.level = "ERROR";
            entry.error_type = Some("BackupFailed");
            entry.text = "[backup] pg_dump ended with code 1: could not translate host name « base »".to_owned();
            return Ok(vec![entry]);
        }
        // PowerShell's Get-Date: local time with its offset and seven digits.
        let summer = UtcOffset::from_hms(2, 0, 0).context("a time zone")?;
        let form = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7][offset_hour sign:mandatory]:[offset_minute]"
        );
        let name = format_description!("[year][month][day]_[hour][minute][second]");
        let at = entry.at.to_offset(summer);
        let line = json!({
            "timestamp": at.format(form).context("write a time stamp")?,
            "backup_path": format!(".\\backups\\daily\\{}.zip", at.format(name).context("write a time stamp")?),
            "size_mb": f64::from(self.random.u16(100..900)) / 100.0,
            "status": "success",
        });
        entry.form = Form::Json;
        entry.whole = Some(line.to_string());
        Ok(vec![entry])
    }

    fn entry(&mut self, day: u64, level: &'static str, error_type: Option<&'static str>, text: String) -> Entry {
        let at = self.time(day);
        Entry { at, form: Form::Text, level, error_type, text, trace: Vec::new(), whole: None }
    }

    /// A time in the `day`th window back; see [`Spec::now`] for what it keeps away from.
    fn time(&mut self, day: u64) -> OffsetDateTime {
        let age = day * 86_400 + self.random.u64(..24) * 3_600 + self.random.u64(60..3_300);
        self.spec.now - Duration::from_secs(age) + Duration::from_millis(self.random.u64(..1_000))
    }

    fn about(&mut self, count: u64) -> u64 {
        count + self.random.u64(..3)
    }

    fn plan(&mut self) -> String {
        let at = self.random.usize(..self.plans.len().max(1));
        self.plans.get(at).cloned().unwrap_or_else(|| "plan-dev-v48.md".to_owned())
    }

    fn trace(&mut self) -> Vec<String> {
        let mut lines = vec![format!("goroutine {} [running]:", self.random.u16(1..400))];
        for depth in 0..self.random.usize(2..6) {
            let name = [
                "(*SyncEngine).Run",
                "(*Store).Upsert",
                "(*Plan).Parse",
                "http.HandlerFunc.ServeHTTP",
                "main",
                "worker",
            ][depth % 6];
            lines.push(format!("planning/sync.{name}(0xc000{:06x})", self.random.u32(..1 << 24)));
            lines.push(format!(
                "\t/srv/planning-sync/sync/engine.go:{} +0x{:x}",
                self.random.u16(10..900),
                self.random.u16(..)
            ));
        }
        lines.push("caused by: contexte annulé (délai dépassé)".to_owned());
        lines
    }
}
