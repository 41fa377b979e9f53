//! The database: schema, and rows over all six tables by COPY.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use postgres::Client;
use serde_json::json;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::words::{TOPICS, pick, sentence, uuid};
use super::{Spec, plans};

/// The schema of `planning_sync`.
pub const SCHEMA: &str = include_str!("schema.sql");

/// The six tables, those that others refer to first.
pub const TABLES: [&str; 6] = ["plans", "phases", "tasks", "sync_operations", "conflicts", "performance_metrics"];

const DAY: u64 = 86_400;

/// Creates the schema in an empty database and fills it. Gives the rows of each table; together they are `spec.rows`.
///
/// # Errors
/// When the database refuses, or fewer than 20 rows are asked for.
pub fn fill_database(client: &mut Client, spec: &Spec) -> Result<BTreeMap<String, u64>> {
    ensure!(spec.rows >= 20, "{} rows are too few for six tables", spec.rows);
    let share = |percent: usize| (spec.rows * percent / 100).max(1);
    let (plans, phases, tasks, operations, conflicts) = (share(1), share(5), share(44), share(30), share(5));
    let metrics = spec.rows - plans - phases - tasks - operations - conflicts;
    let mut random = spec.random("rows");
    client.batch_execute(SCHEMA).context("create the schema")?;
    let plan_ids = copy_plans(client, spec, plans, &mut random)?;
    let phase_ids = copy_phases(client, &plan_ids, phases, &mut random)?;
    copy_tasks(client, spec, &phase_ids, tasks, &mut random)?;
    copy_operations(client, spec, &plan_ids, operations, &mut random)?;
    copy_conflicts(client, spec, &plan_ids, conflicts, &mut random)?;
    copy_metrics(client, spec, metrics, &mut random)?;
    let sequences: String = ["sync_operations", "conflicts", "performance_metrics"]
        .map(|table| format!("SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}));"))
        .concat();
    client
        .batch_execute(&format!("{sequences} SELECT setval('sync_job_number', 1742); ANALYZE;"))
        .context("finish the database")?;
    let counts = [plans, phases, tasks, operations, conflicts, metrics].map(|count| count as u64);
    Ok(TABLES.iter().map(|table| (*table).to_owned()).zip(counts).collect())
}

/// Wears the tables out: every third task is updated and every tenth metric deleted, so that dead rows are more than a tenth of the live ones
/// until the next vacuum.
///
/// # Errors
/// When the database refuses.
pub fn wear_out(client: &mut Client) -> Result<()> {
    client
        .batch_execute(
            "UPDATE tasks SET description = description || ' ✏️' WHERE abs(hashtext(id::text)) % 3 = 0;
             DELETE FROM performance_metrics WHERE id % 10 = 0;",
        )
        .context("wear the tables out")
}

fn copy_plans(client: &mut Client, spec: &Spec, count: usize, random: &mut Rng) -> Result<Vec<String>> {
    let files = plans::plans(spec);
    let mut copy = Copy::default();
    let mut ids = Vec::with_capacity(count);
    for number in 0..count {
        let id = uuid(random);
        let file = files.get(number);
        let title = file
            .map_or_else(|| format!("Plan archivé n° {number} : {}", pick(random, &TOPICS)), |file| file.title.clone());
        let version =
            file.map_or_else(|| format!("v{}.{}", random.u8(1..12), random.u8(..9)), |file| file.version.clone());
        // Old plans have no file any more.
        let age_s = file.map_or_else(|| random.u64(90 * DAY..400 * DAY), |file| file.age_s);
        let checksum = file.map_or_else(|| "\\N".to_owned(), |file| hex(&Sha256::digest(&file.content)));
        let path = file.map(|file| format!("roadmaps/plans/{}", file.path));
        let metadata = json!({"path": path, "author": "Équipe Planning", "tags": ["dev", "été"]}).to_string();
        let status = pick(random, &["draft", "active", "active", "paused", "completed", "archived"]);
        let progress = format!("{}.{:02}", random.u8(..100), random.u8(..100));
        let created = stamp(spec, age_s + random.u64(DAY..30 * DAY))?;
        copy.row(
            &[&id, &title, &version, status, &progress, &metadata, &created, &stamp(spec, age_s)?],
            Some(&checksum),
        );
        ids.push(id);
    }
    copy.send(client, "plans (id, title, version, status, progress, metadata, created_at, modified_at, checksum)")?;
    Ok(ids)
}

fn copy_phases(client: &mut Client, plans: &[String], count: usize, random: &mut Rng) -> Result<Vec<String>> {
    let mut copy = Copy::default();
    let mut ids = Vec::with_capacity(count);
    for number in 0..count {
        let id = uuid(random);
        let metadata =
            json!({"durée_jours": random.u8(1..30), "équipe": pick(random, &["backend", "données", "qualité"])});
        let (plan, number) = (&plans[number % plans.len()], (number / plans.len() + 1).to_string());
        let title = format!("Phase {number} : {}", pick(random, &TOPICS));
        copy.row(&[&id, plan, &number, &title, &format!("{}.50", random.u8(..100)), &metadata.to_string()], None);
        ids.push(id);
    }
    copy.send(client, "phases (id, plan_id, phase_number, title, progress, metadata)")?;
    Ok(ids)
}

fn copy_tasks(client: &mut Client, spec: &Spec, phases: &[String], count: usize, random: &mut Rng) -> Result<()> {
    let mut copy = Copy::default();
    for number in 0..count {
        let status = pick(random, &["pending", "in_progress", "blocked", "completed", "completed", "cancelled"]);
        let priority = pick(random, &["low", "medium", "medium", "high", "critical"]);
        let age = random.u64(DAY..120 * DAY);
        let completed = if status == "completed" { stamp(spec, random.u64(..age))? } else { "\\N".to_owned() };
        // What text formats trip over: tab, line break, backslash, quotes, an empty text.
        let description = match number % 500 {
            13 => "Deux lignes :\n\tla seconde est en retrait, chemin C:\\plans\\été".to_owned(),
            14 => String::new(),
            15 => "L'\"apostrophe\" et \\N qui n'est pas NULL".to_owned(),
            _ => sentence(random),
        };
        let phase = &phases[random.usize(..phases.len())];
        copy.row(&[&uuid(random), phase, &description, status, priority, &stamp(spec, age)?], Some(&completed));
    }
    copy.send(client, "tasks (id, phase_id, description, status, priority, created_at, completed_at)")
}

fn copy_operations(client: &mut Client, spec: &Spec, plans: &[String], count: usize, random: &mut Rng) -> Result<()> {
    let mut copy = Copy::default();
    for id in 1..=count {
        let kind = pick(random, &["markdown_to_dynamic", "dynamic_to_markdown", "batch", "validate"]);
        let status = if random.u8(..40) == 0 { "failed" } else { "completed" };
        let age = random.u64(60..60 * DAY);
        let seconds = random.u64(2..60.min(age));
        let metadata = json!({"job_id": format!("sync-job-{id}"), "tasks_processed": random.u16(..400), "durée": format!("{seconds}s")});
        let plan = &plans[random.usize(..plans.len())];
        let (started, completed) = (stamp(spec, age)?, stamp(spec, age - seconds)?);
        copy.row(&[&id.to_string(), kind, plan, status, &started, &completed, &metadata.to_string()], None);
    }
    copy.send(client, "sync_operations (id, operation_type, plan_id, status, started_at, completed_at, metadata)")
}

fn copy_conflicts(client: &mut Client, spec: &Spec, plans: &[String], count: usize, random: &mut Rng) -> Result<()> {
    let mut copy = Copy::default();
    for id in 1..=count {
        let kind = pick(random, &["content_divergence", "version_mismatch", "deleted_in_source"]);
        let severity = pick(random, &["low", "medium", "high"]);
        let status = pick(random, &["detected", "resolved", "resolved", "resolved", "ignored"]);
        let age = random.u64(60..45 * DAY);
        let resolved = if status == "resolved" { stamp(spec, random.u64(..age))? } else { "\\N".to_owned() };
        let source = format!("## Phase 3.2 : {}\n\n- [x] {}", pick(random, &TOPICS), sentence(random));
        let target = format!("## Phase 3.2 : {}\n\n- [ ] {}", pick(random, &TOPICS), sentence(random));
        let plan = &plans[random.usize(..plans.len())];
        copy.row(
            &[&id.to_string(), plan, kind, severity, status, &stamp(spec, age)?, &source, &target],
            Some(&resolved),
        );
    }
    let columns = "id, plan_id, type, severity, status, detected_at, source_content, target_content, resolved_at";
    copy.send(client, &format!("conflicts ({columns})"))
}

fn copy_metrics(client: &mut Client, spec: &Spec, count: usize, random: &mut Rng) -> Result<()> {
    let mut copy = Copy::default();
    for id in 1..=count {
        let kind = pick(random, &["cpu_usage", "memory_usage", "disk_io", "sync_duration", "response_time"]);
        // Without a finite end in binary, so that a dump that rounds is found out.
        let value = (random.f64() * 100.0 + 0.1).to_string();
        let details = if id % 3 == 0 { "\\N".to_owned() } else { json!({"hôte": "serveur-é1", "n": id}).to_string() };
        copy.row(&[&id.to_string(), &stamp(spec, random.u64(60..120 * DAY))?, kind, &value], Some(&details));
    }
    copy.send(client, "performance_metrics (id, timestamp, metric_type, value, details)")
}

/// Rows in COPY's text format.
#[derive(Default)]
struct Copy {
    text: String,
}

impl Copy {
    /// `last` is put as it is when it is `\N`, which is NULL.
    fn row(&mut self, fields: &[&str], last: Option<&str>) {
        for field in fields {
            self.escaped(field);
            self.text.push('\t');
        }
        match last {
            Some("\\N") => self.text.push_str("\\N"),
            Some(last) => self.escaped(last),
            None => drop(self.text.pop()),
        }
        self.text.push('\n');
    }

    fn escaped(&mut self, field: &str) {
        for letter in field.chars() {
            match letter {
                '\\' => self.text.push_str("\\\\"),
                '\t' => self.text.push_str("\\t"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                other => self.text.push(other),
            }
        }
    }

    fn send(&self, client: &mut Client, table: &str) -> Result<()> {
        let doing = || format!("copy rows into {table}");
        let mut writer = client.copy_in(&format!("COPY {table} FROM STDIN")).with_context(doing)?;
        writer.write_all(self.text.as_bytes()).with_context(doing)?;
        writer.finish().with_context(doing)?;
        Ok(())
    }
}

fn stamp(spec: &Spec, age_s: u64) -> Result<String> {
    let at: OffsetDateTime = spec.now - std::time::Duration::from_secs(age_s);
    at.format(&Rfc3339).context("write a time stamp")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
