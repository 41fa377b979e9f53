//! SIGKILL at random moments: what is there is always whole, the old or the new, and the next run cleans up.
//!
//! `make test` does a few rounds with a fixed seed, `make torture` 200 each. `PSO_TORTURE_SEED` and
//! `PSO_TORTURE_ROUNDS` set both; where a test fails, its message says the seed and the moment.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pso_tests::deployment::{self, Spec};
use pso_tests::pg::TempPg;
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Service;
use pso_tests::tool::{Outcome, Running};
use pso_tests::wait;

use crate::parts::{Content, LIMIT, Parts, checked, walk};

/// Rounds in `make test`.
const ROUNDS: usize = 12;
const SEED: u64 = 20_261_122;

fn number<T: std::str::FromStr>(variable: &str, default: T) -> T {
    let Ok(text) = std::env::var(variable) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number"))
}

/// What is reported at the end, whether or not the runner shows the output of tests that pass.
fn report(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Kills at moments that are spread evenly over the time that an undisturbed run takes.
struct Killer {
    random: fastrand::Rng,
    seed: u64,
    rounds: usize,
    usual: Duration,
    seen: BTreeMap<String, usize>,
}

impl Killer {
    fn new(share: usize) -> Self {
        let seed = number("PSO_TORTURE_SEED", SEED);
        let rounds = number("PSO_TORTURE_ROUNDS", ROUNDS).div_ceil(share);
        Self { random: fastrand::Rng::with_seed(seed), seed, rounds, usual: Duration::MAX, seen: BTreeMap::new() }
    }

    /// The next moment. Rounds take turns in equal parts of the run, so that few rounds cover it too.
    fn moment(&mut self, round: usize) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let share = (round as f64 + self.random.f64()) / self.rounds as f64;
        self.usual.mul_f64(share)
    }

    /// Lets it run until then, and kills it; whether it had ended by itself.
    fn kill(&mut self, mut running: Running, after: Duration) -> (Outcome, bool) {
        // No hoping: any moment is right, this one was drawn.
        std::thread::sleep(after);
        let ended = !running.is_running().expect("looked at") || running.signal("KILL").is_err();
        (running.finish().expect("ends"), ended)
    }

    fn count(&mut self, what: &str) {
        *self.seen.entry(what.to_owned()).or_default() += 1;
    }

    fn summary(&self, what: &str) {
        let mut text = format!("{what}: {} kills within {:?}, seed {}", self.rounds, self.usual, self.seed);
        for (state, count) in &self.seen {
            // Writing to a string cannot fail.
            let _ = write!(text, "; {count} {state}");
        }
        report(&text);
    }
}

impl Content {
    /// What is different, in words.
    fn differences(&self, now: &Self) -> Vec<String> {
        let pairs = [(&self.rows, &now.rows), (&self.schema, &now.schema), (&self.points, &now.points)];
        let pairs = pairs.into_iter().chain(self.files.iter().zip(&now.files));
        pairs.flat_map(|(before, now)| before.differences(now)).collect()
    }
}

impl Parts {
    /// On a server of the test's own, with the right address in the configuration.
    pub(super) fn on(pg: &TempPg, name: &str, spec: Spec) -> Self {
        let database = pg.database(name).expect("a database");
        let (qdrant, service) = (TempQdrant::start().expect("Qdrant"), Service::start().expect("the service"));
        let folder = tempfile::tempdir().expect("a folder");
        let spec = spec.with_database(&database).with_qdrant(&qdrant).with_service(&service);
        deployment::write_files(folder.path(), &spec).expect("files");
        deployment::fill_database(&mut database.connect().expect("connected"), &spec).expect("rows");
        deployment::fill_qdrant(&qdrant.client(), &spec).expect("points");
        Self { folder, database, qdrant, service }
    }

    /// Whatever is on the Qdrant server that is not a collection: snapshots, and uploads that were refused.
    fn snapshots(&self) -> Vec<String> {
        let client = self.qdrant.client();
        let collections = client.collections().expect("collections");
        collections.iter().flat_map(|name| client.snapshots(name).expect("snapshots")).collect()
    }
}

fn spec() -> Spec {
    Spec { rows: 3_000, plans: 30, ..Spec::small(time::OffsetDateTime::now_utc()) }
}

#[test]
fn a_backup_may_be_killed_at_any_moment() {
    let mut killer = Killer::new(1);
    let parts = Parts::on(TempPg::shared().expect("PostgreSQL"), "torture_backup", spec());
    // Once for the caches, once for the time.
    for _ in 0..2 {
        let started = Instant::now();
        parts.archive();
        killer.usual = killer.usual.min(started.elapsed());
    }
    let content = parts.content();
    for round in 0..killer.rounds {
        let after = killer.moment(round);
        let context = format!("seed {}, round {round}, killed after {after:?}", killer.seed);
        let running = parts.tool("pso-backup", &[]).spawn().expect("started");
        let (_, ended) = killer.kill(running, after);
        let left = parts.daily().iter().filter(|name| name.contains(".partial-")).count();
        killer.count(match (ended, left, parts.snapshots().len()) {
            (true, ..) => "had ended",
            (_, 0, 0) => "left nothing",
            (_, _, 0) => "left a part of an archive",
            _ => "left a snapshot on the server",
        });
        // Whatever is listed is whole.
        let listed = parts.backup(&["list"]);
        listed.assert_code(0);
        for archive in listed.records_of_kind("backup.archive") {
            let path = archive["path"].as_str().expect("a path");
            let verified = parts.backup(&["verify", path]);
            assert_eq!(verified.code, Some(0), "{context}\n{verified}");
        }
        // The next run is not disturbed, and cleans up.
        let outcome = parts.backup(&[]);
        assert_eq!(outcome.code, Some(0), "{context}\n{outcome}");
        parts.assert_no_trace(&parts.daily());
        // Of a snapshot that was asked for in the moment of the kill nobody knows whether the server will still make it.
        let notes = fs::read_to_string(parts.path("backups/daily/.pso-backup.pending")).unwrap_or_default();
        assert!(notes.lines().all(|note| note.contains(r#""before":"#)), "{context}: {notes}");
        let is_left = |name: &String| name.starts_with('.') && name != ".pso-backup.pending";
        let hidden: Vec<String> = parts.daily().into_iter().filter(is_left).collect();
        assert_eq!(hidden, [""; 0], "{context}");
        // Two are enough to see that old ones stay as they are.
        let archives: Vec<String> = parts.daily().into_iter().filter(|name| name.ends_with(".zip")).collect();
        for old in &archives[..archives.len().saturating_sub(2)] {
            for name in parts.daily().iter().filter(|name| name.starts_with(old)) {
                fs::remove_file(parts.path("backups/daily").join(name)).expect("removed");
            }
        }
    }
    content.assert_same(&parts.content());
    killer.summary("pso-backup");
}

/// Two states of one deployment, and the archives that hold them.
struct Pair {
    parts: Parts,
    states: [(PathBuf, Content); 2],
    /// Which of the two is there.
    now: usize,
}

impl Pair {
    /// Different rows, definitions, points, aliases and files; the same names everywhere, because a restore leaves alone
    /// what an archive does not know.
    fn make(parts: Parts) -> Self {
        parts.database.execute("CREATE TABLE second AS SELECT generate_series(1, 20) AS n").expect("created");
        let first = parts.content();
        let archives = [parts.path("first.zip"), parts.path("second.zip")];
        keep(&parts, &archives[0]);
        parts
            .database
            .execute(
                "DELETE FROM conflicts; UPDATE tasks SET description = description || ' ✏️'; INSERT INTO second SELECT generate_series(1, 500);
                 ALTER TABLE plans ADD COLUMN note text DEFAULT 'neuf'",
            )
            .expect("changed");
        let client = parts.qdrant.client();
        let delete = serde_json::json!({"filter": {}});
        client.result("POST", "/collections/plans/points/delete?wait=true", Some(&delete)).expect("deleted");
        client.create_alias(deployment::ALIAS, "tasks").expect("set");
        for path in walk(&parts.path("roadmaps/plans")).iter().chain(&walk(&parts.path("scripts"))) {
            let text = fs::read_to_string(path).expect("readable");
            fs::write(path, format!("{text}\nSecond state.\n")).expect("written");
        }
        let second = parts.content();
        keep(&parts, &archives[1]);
        let [one, two] = archives;
        Self { parts, states: [(one, first), (two, second)], now: 1 }
    }

    fn archive(&self, state: usize) -> &str {
        self.states[state].0.to_str().expect("UTF-8")
    }

    /// Everything is as in one of the two states: the database as a whole, each collection, each file.
    fn is_old_or_new(&self) -> Result<()> {
        let (first, second) = (&self.states[0].1, &self.states[1].1);
        let now = self.locked_too()?;
        let whole = |state: &Content| state.rows == now.rows && state.schema == now.schema;
        ensure!(
            whole(first) || whole(second),
            "the database is neither: {:?}\nor {:?}",
            first.rows.differences(&now.rows),
            second.rows.differences(&now.rows)
        );
        for (name, items) in &now.points.parts {
            let is = |state: &Content| state.points.parts.get(name) == Some(items);
            ensure!(is(first) || is(second), "collection {name} is neither");
        }
        ensure!(now.points.parts.len() == first.points.parts.len(), "collections: {:?}", now.points.counts());
        for (at, files) in now.files.iter().enumerate() {
            for (folder, items) in &files.parts {
                let of = |state: &Content, file: &str| state.files[at].parts[folder].get(file).cloned();
                for file in first.files[at].parts[folder].keys() {
                    let hash = items.get(file).with_context(|| format!("{folder}/{file} is not there"))?;
                    let hash = Some(hash.clone());
                    ensure!(hash == of(first, file) || hash == of(second, file), "{folder}/{file} is neither");
                }
                ensure!(items.len() == first.files[at].parts[folder].len(), "{folder} has other files: {items:?}");
            }
        }
        Ok(())
    }

    /// The content, also of a database that a killed restore lets nobody into.
    fn locked_too(&self) -> Result<Content> {
        let name = self.parts.database.name();
        let mut admin = self.parts.database.connect_to("postgres")?;
        let closed = admin.query_one("SELECT NOT datallowconn FROM pg_database WHERE datname = $1", &[&name]);
        let closed: bool = closed.with_context(|| format!("there is no database {name}"))?.get(0);
        if !closed {
            return Ok(self.parts.content());
        }
        admin.batch_execute(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true"))?;
        let content = self.parts.content();
        admin.batch_execute(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"))?;
        Ok(content)
    }

    /// Nothing is left anywhere, but what a restore keeps until it is told to drop it.
    fn assert_clean(&self, keeps: bool, context: &str) {
        let parts = &self.parts;
        if keeps {
            parts.restore(&["--drop-previous", "--yes"]).assert_code(0);
        }
        parts.assert_no_trace_of_restore();
        assert_eq!(parts.snapshots(), [""; 0], "{context}");
        let mut admin = parts.database.connect_to("postgres").expect("connected");
        let sql = "SELECT datname::text FROM pg_database WHERE starts_with(datname, $1) OR NOT (datallowconn OR datistemplate)";
        let names = admin.query(sql, &[&parts.database.name()]).expect("databases");
        let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
        assert_eq!(names, [parts.database.name()], "{context}");
    }
}

fn keep(parts: &Parts, as_path: &Path) {
    let archive = parts.archive();
    for (from, to) in [(archive.clone(), as_path.to_owned()), (sidecar(&archive), sidecar(as_path))] {
        let text = fs::read(&from).expect("readable");
        let (from, to_name) = (name(&archive), name(as_path));
        let is_sidecar = to != as_path;
        // The hash file names its archive.
        let text = if is_sidecar { String::from_utf8_lossy(&text).replace(&from, &to_name).into_bytes() } else { text };
        fs::write(to, text).expect("written");
    }
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

fn sidecar(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}.sha256", name(path)))
}

fn restores_may_be_killed(name: &str, beside: bool, share: usize) {
    let mut killer = Killer::new(share);
    let pg = TempPg::start_new().expect("PostgreSQL");
    if beside {
        pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    }
    let mut pair = Pair::make(Parts::on(&pg, name, spec()));
    for _ in 0..2 {
        let started = Instant::now();
        pair.now = 1 - pair.now;
        pair.parts.restore(&[pair.archive(pair.now), "--yes"]).assert_code(0);
        killer.usual = killer.usual.min(started.elapsed());
        pair.states[pair.now].1.assert_same(&pair.parts.content());
        pair.assert_clean(true, "undisturbed");
    }
    for round in 0..killer.rounds {
        let after = killer.moment(round);
        let context = format!("seed {}, round {round}, killed after {after:?}", killer.seed);
        let wanted = 1 - pair.now;
        let archive = pair.archive(wanted).to_owned();
        let running = pair.parts.tool("pso-restore", &[&archive, "--yes"]).spawn().expect("started");
        let (_, ended) = killer.kill(running, after);
        // The server may still be at an upload, or end a session.
        wait::until_ok("everything to be the old or the new", LIMIT, || pair.is_old_or_new())
            .unwrap_or_else(|error| panic!("{context}: {error:#}"));
        let unfinished = pair.parts.path(".pso-restore/journal.jsonl").exists();
        let mut back = unfinished && killer.random.bool();
        if back {
            let outcome = pair.parts.restore(&["--rollback", "--yes"]);
            // Where it was committed in place, nothing of the old is left.
            let no_way_back = outcome.code == Some(3) && outcome.stderr.contains("there is no way back") && !beside;
            assert!(no_way_back || outcome.code == Some(0), "{context}\n{outcome}");
            back = !no_way_back;
        }
        if !back {
            let args: &[&str] = if unfinished { &["--resume", "--yes"] } else { &[&archive, "--yes"] };
            let outcome = pair.parts.restore(args);
            assert_eq!(outcome.code, Some(0), "{context}\n{outcome}");
            pair.now = wanted;
        }
        killer.count(match (ended, unfinished, back) {
            (true, ..) => "had ended",
            (_, false, _) => "restored again",
            (_, _, false) => "resumed",
            _ => "rolled back",
        });
        let differences = pair.states[pair.now].1.differences(&pair.parts.content());
        assert!(differences.is_empty(), "{context}: {differences:?}");
        pair.assert_clean(!back, &context);
    }
    killer.summary(&format!("pso-restore, {}", if beside { "beside" } else { "in place" }));
}

#[test]
fn a_restore_beside_may_be_killed_at_any_moment() {
    restores_may_be_killed("torture_beside", true, 1);
}

#[test]
fn a_restore_in_place_may_be_killed_at_any_moment() {
    restores_may_be_killed("torture_in_place", false, 2);
}

/// Only in `make torture`: it takes minutes and some 12 GiB of disk.
#[test]
#[ignore = "takes minutes; `make torture` runs it"]
fn a_table_of_3_gib_is_back() {
    let pg = TempPg::start_new().expect("PostgreSQL");
    pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    let parts = Parts::on(&pg, "torture_large", Spec::small(time::OffsetDateTime::now_utc()));
    parts
        .database
        .execute(
            "CREATE TABLE large AS SELECT n, repeat(md5(n::text) || md5((n * 7)::text) || ' ', 15) AS text FROM generate_series(1, 3300000) AS n;
             ALTER TABLE large ADD PRIMARY KEY (n)",
        )
        .expect("filled");
    let size: u64 =
        parts.database.scalar("SELECT pg_relation_size('large')").expect("a size").parse().expect("a number");
    assert!(size >= 3 << 30, "{size} bytes");
    let sum = "SELECT concat_ws(' ', count(*), sum(('x' || left(md5(t::text), 15))::bit(60)::bigint)) FROM large AS t";
    let before = parts.database.scalar(sum).expect("a sum");
    let limit = Duration::from_secs(1800);
    let run = |name: &str, args: &[&str]| checked(parts.tool(name, args).limit(limit));
    run("pso-backup", &["--only", "postgres"]).assert_code(0);
    run("pso-backup", &["verify"]).assert_code(0);
    parts.database.execute("DELETE FROM large WHERE n % 3 = 0").expect("damaged");
    run("pso-restore", &["latest", "--yes"]).assert_code(0);
    assert_eq!(parts.database.scalar(sum).expect("a sum"), before);
}
