//! `pso-pgstats` on a database of 5,000 tables: against `psql`, which asks the same queries and reads nothing, against
//! `check_postgres`, and what it costs the server beside a load.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pso_tests::pg::{Database, TempPg};
use serde_json::Value;

use crate::measure::peak;
use crate::{mib, number, say, tool};

/// How often it looks beside the load: as often as cron can.
const EVERY: Duration = Duration::from_secs(60);
/// The role that looks: what the README says it needs, and no more.
const WATCHER: &str = "watcher";
const PASSWORD: &str = "watcher-password";

/// What `check_postgres` is asked, each a run of it, with the limits that some actions cannot do without.
const ACTIONS: [(&str, &[&str]); 17] = [
    ("autovac_freeze", &[]),
    ("backends", &[]),
    ("bloat", &[]),
    ("commitratio", &[]),
    ("database_size", &["-w", "100GB", "-c", "200GB"]),
    ("hitratio", &[]),
    ("index_size", &["-w", "100GB", "-c", "200GB"]),
    ("last_analyze", &["-w", "1d", "-c", "2d"]),
    ("last_vacuum", &["-w", "1d", "-c", "2d"]),
    ("locks", &[]),
    ("prepared_txns", &[]),
    ("query_time", &["-w", "1h", "-c", "2h"]),
    ("replication_slots", &["-w", "100GB", "-c", "200GB"]),
    ("sequence", &[]),
    ("table_size", &["-w", "100GB", "-c", "200GB"]),
    ("txn_idle", &["-w", "1h", "-c", "2h"]),
    ("txn_wraparound", &[]),
];

/// The sections that answer the same.
const SAME: [&str; 12] = [
    "activity",
    "connections",
    "databases",
    "locks",
    "tables",
    "sizes",
    "bloat",
    "sequences",
    "vacuum",
    "wraparound",
    "slots",
    "prepared",
];

pub(crate) fn pgstats(folder: &Path) -> Result<()> {
    let scene = Scene::make(number("PSO_BENCH_TABLES", 5_000)?)?;
    scene.against_psql(folder)?;
    scene.against_check_postgres()?;
    scene.beside_a_load(folder)?;
    drop(scene);
    // As most databases are.
    Scene::make(50)?.against_check_postgres()
}

struct Scene {
    pg: TempPg,
    database: Database,
    tool: PathBuf,
}

impl Scene {
    fn make(tables: u64) -> Result<Self> {
        // PostgreSQL's own defaults, and a log that says what was asked.
        let settings = [
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("shared_buffers", "128MB"),
            ("logging_collector", "on"),
            ("log_destination", "jsonlog"),
            // Nobody else changes what is there between two rounds.
            ("autovacuum", "off"),
        ];
        let pg = TempPg::with_settings(&settings)?;
        let database = pg.database("many_tables")?;
        database.enable_statements()?;
        database.execute_as_admin(&format!(
            "CREATE ROLE {WATCHER} LOGIN PASSWORD '{PASSWORD}'; GRANT pg_monitor, pg_read_all_data TO {WATCHER}"
        ))?;
        let mut client = database.connect()?;
        for first in (1..=tables).step_by(100) {
            let last = tables.min(first + 99);
            client.batch_execute(&format!(
                "DO $$ BEGIN FOR n IN {first}..{last} LOOP
                     EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, ref int, code text, at timestamptz DEFAULT now())', n);
                     EXECUTE format('CREATE INDEX t%s_code ON t%s (code)', n, n);
                     EXECUTE format('CREATE INDEX t%s_at ON t%s (at, ref) WHERE ref > 0', n, n);
                     EXECUTE format('INSERT INTO t%s (ref, code) SELECT i, md5(i::text) FROM generate_series(1, 40) AS i', n);
                     EXECUTE format('DELETE FROM t%s WHERE id > 30', n);
                 END LOOP; END $$"
            ))?;
        }
        client.batch_execute("ANALYZE")?;
        database.execute_as_admin("CHECKPOINT")?;
        let version = database.scalar("SHOW server_version")?;
        say(&format!(
            "\npso-pgstats: a database of {tables} tables, {} indexes and {tables} sequences, PostgreSQL {version} with its default settings",
            3 * tables
        ))?;
        let tool = fs::canonicalize(tool("pso-pgstats")?).context("find pso-pgstats")?;
        Ok(Self { pg, database, tool })
    }

    fn env(&self) -> Vec<(String, String)> {
        let mut env = self.database.env();
        env.extend([("PGUSER", WATCHER), ("PGPASSWORD", PASSWORD)].map(|(name, value)| (name.into(), value.into())));
        env
    }

    /// A run's seconds. What it says is not looked at, but that it could say it is.
    fn run(&self, command: &mut Command, good: impl Fn(i32) -> bool) -> Result<f64> {
        let shown = format!("{command:?}");
        command.envs(self.env()).current_dir(std::env::temp_dir());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let started = Instant::now();
        let output = command.output().with_context(|| format!("run {shown}"))?;
        let seconds = started.elapsed().as_secs_f64();
        let code = output.status.code().unwrap_or(-1);
        ensure!(good(code), "{shown} ended with {code}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(seconds)
    }

    fn pgstats(&self) -> Command {
        let mut command = Command::new(&self.tool);
        command.args(["--format", "jsonl", "--deadline", "5m"]).env("PSO_PG_STATEMENT_TIMEOUT", "60s");
        command
    }

    fn against_psql(&self, folder: &Path) -> Result<()> {
        let script = fs::canonicalize(folder).context("find target/bench")?.join("pgstats.sql");
        fs::write(&script, self.asked()?).with_context(|| format!("write {}", script.display()))?;
        let psql = || {
            let mut command = Command::new(self.pg.programs().join("psql"));
            command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f"]).arg(&script);
            command
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let rounds = number("PSO_BENCH_ROUNDS", 9)?;
        for _ in 0..rounds {
            ours.push(self.run(&mut self.pgstats(), |code| (0..=2).contains(&code))?);
            theirs.push(self.run(&mut psql(), |code| code == 0)?);
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        say(&format!("  {:<46} {ours:>8.3} s  median of {rounds}, alternately", "pso-pgstats, all sections"))?;
        say(&format!(
            "  {:<46} {theirs:>8.3} s  {:>5.2}  (goal 1.2)",
            "psql, the same queries in one connection",
            ours / theirs
        ))?;
        let env = self.env();
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let peak = peak(&self.tool, &["--format", "jsonl", "--deadline", "5m"], &env, None)?;
        say(&format!("  {:<46} {:>8.1} MiB  (goal 64)", "pso-pgstats, peak resident memory", mib(peak.kib)))
    }

    /// The very statements of one run, from the server's log, for psql.
    fn asked(&self) -> Result<String> {
        let logging = |value: &str| {
            self.database.execute_as_admin(&format!("ALTER ROLE {WATCHER} SET log_statement = '{value}'"))
        };
        logging("all")?;
        self.run(&mut self.pgstats(), |code| (0..=2).contains(&code))?;
        logging("none")?;
        let mut script = String::new();
        let folder = self.pg.data_folder().join("log");
        for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?.flatten() {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            for line in text.lines() {
                let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
                if entry["user"] != WATCHER {
                    continue;
                }
                let Some((what, sql)) = entry["message"].as_str().and_then(|message| message.split_once(": ")) else {
                    continue;
                };
                if what == "statement" || what.starts_with("execute") {
                    let parameters = entry["detail"].as_str().unwrap_or_default();
                    script.push_str(&filled(sql, parameters));
                    // On a line of its own: a comment may be the last one.
                    script.push_str("\n;\n");
                }
            }
        }
        let queries = script.matches("row_to_json(q)").count();
        ensure!(queries > 10, "the server's log has only {queries} of our queries");
        say(&format!("  one run asks {queries} queries"))?;
        Ok(script)
    }

    fn against_check_postgres(&self) -> Result<()> {
        if Command::new("check_postgres").arg("--version").output().is_err() {
            return say("  check_postgres is not installed (apt-get install check-postgres): not compared");
        }
        let mut seconds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let (mut same, mut all) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            for (action, args) in ACTIONS {
                let mut command = Command::new("check_postgres");
                command.arg(format!("--action={action}")).arg(format!("--dbname={}", self.database.name()));
                command.args(args).arg("--timeout=300");
                // It judges as it likes; 3 is "unknown": it could not tell.
                let taken = self.run(&mut command, |code| (0..=2).contains(&code))?;
                seconds.entry(action).or_default().push(taken);
            }
            same.push(self.run(self.pgstats().args(SAME), |code| (0..=2).contains(&code))?);
            all.push(self.run(&mut self.pgstats(), |code| (0..=2).contains(&code))?);
        }
        let mut dearest: Vec<(&str, f64)> =
            seconds.iter_mut().map(|(action, seconds)| (*action, median(seconds))).collect();
        dearest.sort_by(|one, other| other.1.total_cmp(&one.1));
        let theirs: f64 = dearest.iter().map(|(_, seconds)| seconds).sum();
        let (same, all) = (median(&mut same), median(&mut all));
        let shown: Vec<String> =
            dearest.iter().take(5).map(|(action, seconds)| format!("{action} {seconds:.2} s")).collect();
        say(&format!(
            "  {:<46} {theirs:>8.3} s  medians of 3, of which {}",
            format!("check_postgres, {} actions", dearest.len()),
            shown.join(", ")
        ))?;
        let ratio = |what: &str, ours: f64| {
            say(&format!("  {what:<46} {ours:>8.3} s  {:>5.1} times as fast  (goal 10)", theirs / ours))
        };
        ratio(&format!("pso-pgstats, the {} sections of the same", SAME.len()), same)?;
        ratio("pso-pgstats, all sections", all)
    }

    fn beside_a_load(&self, folder: &Path) -> Result<()> {
        let seconds = number("PSO_BENCH_LOAD_SECONDS", 120)?;
        let load = self.pg.database("load")?;
        let pgbench = |args: &[&str]| -> Result<Command> {
            let mut command = Command::new(self.pg.programs().join("pgbench"));
            command.args(args).envs(load.env()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            Ok(command)
        };
        ensure!(pgbench(&["-i", "-q", "-s", "10"])?.status().context("run pgbench")?.success(), "pgbench -i failed");
        // Besides the seven statements of pgbench's own script, some as an application has them: of seven, three of ours would be
        // among the first ten whatever they cost.
        let script = fs::canonicalize(folder).context("find target/bench")?.join("load.sql");
        fs::write(&script, LOAD).with_context(|| format!("write {}", script.display()))?;
        let file = format!("{}@1", script.display());
        let time = seconds.to_string();
        self.database.execute_as_admin("SELECT pg_stat_statements_reset()")?;
        let mut running = pgbench(&["-c", "4", "-j", "2", "-T", &time, "-b", "tpcb-like@5", "-f", &file])?
            .spawn()
            .context("run pgbench")?;
        let started = Instant::now();
        let mut runs = 0;
        while started.elapsed() < Duration::from_secs(seconds) && running.try_wait()?.is_none() {
            self.run(&mut self.pgstats(), |code| (0..=2).contains(&code))?;
            runs += 1;
            while started.elapsed() < EVERY * runs && running.try_wait()?.is_none() {
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        ensure!(running.wait().context("wait for pgbench")?.success(), "pgbench failed");
        let mut admin = self.database.connect_as_admin()?;
        let rows = admin.query(TOP, &[]).context("ask pg_stat_statements")?;
        say(&format!(
            "\n  {runs} runs of pso-pgstats within {seconds} s beside pgbench with 4 clients; the dearest statements:"
        ))?;
        let (mut best, mut ours_ms, mut all_ms): (Option<i64>, f64, f64) = (None, 0.0, 0.0);
        for row in &rows {
            let (rank, role, ms, calls, query): (i64, String, f64, i64, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            let ours = role == WATCHER;
            all_ms += ms;
            ours_ms += if ours { ms } else { 0.0 };
            if ours && best.is_none() {
                best = Some(rank);
            }
            if rank <= 10 || (ours && best == Some(rank)) {
                say(&format!("  {rank:>4}  {ms:>10.1} ms  {calls:>8} calls  {role:<10}  {query}"))?;
            }
        }
        say(&format!("  all of ours together: {:.1} % of the time that statements took", ours_ms * 100.0 / all_ms))?;
        match best {
            Some(rank) if rank <= 10 => say(&format!("  one of ours is number {rank} (goal: none among the ten)")),
            _ => say("  none of ours is among the ten (goal: none)"),
        }
    }
}

/// Queries of an application on pgbench's tables, none of them much dearer than the others.
const LOAD: &str = "\
\\set a random(1, 900000)
SELECT count(*), sum(abalance) FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 20000;
SELECT bid, count(*), avg(abalance) FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 20000 GROUP BY bid;
SELECT * FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 20000 ORDER BY abalance DESC LIMIT 10;
SELECT count(DISTINCT abalance) FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 20000;
SELECT count(*) FROM pgbench_accounts a JOIN pgbench_branches b USING (bid) WHERE a.aid BETWEEN :a AND :a + 20000;
SELECT max(aid) FROM pgbench_accounts WHERE filler LIKE '%x%' AND aid BETWEEN :a AND :a + 20000;
SELECT min(length(filler)) FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 20000;
SELECT stddev(abalance) FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 20000;
SELECT aid % 10, count(*) FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 20000 GROUP BY 1 ORDER BY 2;
SELECT string_agg(aid::text, ',') FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 20000;
";

/// The statements of the server, the dearest first.
const TOP: &str = "\
SELECT row_number() OVER (ORDER BY s.total_exec_time DESC), coalesce(r.rolname, '?')::text, s.total_exec_time, s.calls,
    left(regexp_replace(regexp_replace(s.query, '--[^\\n]*', '', 'g'), '\\s+', ' ', 'g'), 100)
FROM pg_stat_statements AS s LEFT JOIN pg_roles AS r ON r.oid = s.userid
ORDER BY s.total_exec_time DESC";

/// The statement with its parameters in it: `parameters: $1 = '1000', $2 = '10'`.
fn filled(sql: &str, parameters: &str) -> String {
    let Some((_, list)) = parameters.split_once(": ") else { return sql.to_owned() };
    let mut values: Vec<(&str, &str)> = list.split(", ").filter_map(|one| one.split_once(" = ")).collect();
    // `$1` is the beginning of `$10`.
    values.reverse();
    values.iter().fold(sql.to_owned(), |sql, (name, value)| sql.replace(name, value))
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
