//! `pso-health`: a thousand targets of which five are dead, a whole look at a deployment on this machine, and a thousand
//! rounds.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pso_tests::deployment::{self, Spec};
use pso_tests::pg::TempPg;
use pso_tests::proxy::{Mode, TcpProxy};
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Service;
use serde_json::Value;
use time::OffsetDateTime;

use crate::measure::peak;
use crate::{mib, number, path, say, tool};

/// Targets, and how many of them take a connection and then say nothing.
const TARGETS: usize = 1000;
const DEAD: usize = 5;
/// The time-out of each.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn health(folder: &Path) -> Result<()> {
    let temp = tempfile::tempdir_in(folder).context("create a temporary folder")?;
    targets(temp.path())?;
    let pg = TempPg::start_new()?;
    let database = pg.database("planning_sync")?;
    let (qdrant, service) = (TempQdrant::start()?, Service::start()?);
    let spec = Spec::demo(OffsetDateTime::now_utc());
    let spec = spec.with_database(&database).with_qdrant(&qdrant).with_service(&service);
    deployment::write_files(temp.path(), &spec)?;
    deployment::fill_database(&mut database.connect()?, &spec)?;
    deployment::fill_qdrant(&qdrant.client(), &spec)?;
    whole(temp.path())?;
    rounds(temp.path())
}

fn targets(folder: &Path) -> Result<()> {
    let answers = answers()?;
    let dead = TcpProxy::start(answers)?;
    dead.set(Mode::BlackHole)?;
    let mut config = "maintenance:\n  health:\n    targets:\n".to_owned();
    for at in 0..TARGETS {
        // Spread over the list, the last of them near its end.
        let port = if at % (TARGETS / DEAD) == TARGETS / DEAD - 1 { dead.port() } else { answers };
        writeln!(
            config,
            "      - {{http: 'http://127.0.0.1:{port}/{at}', name: 't{at}', timeout: {}s}}",
            TIMEOUT.as_secs()
        )?;
    }
    let file = folder.join("targets.yaml");
    fs::write(&file, config).context("write the configuration")?;
    say(&format!(
        "\npso-health, {TARGETS} HTTP targets, {DEAD} of them dead, time-out {TIMEOUT:?} (goals: 1.2 × that, 64 MiB)"
    ))?;
    for _ in 0..3 {
        let started = Instant::now();
        let peak = peak(&tool("pso-health")?, &["--only", "http", "--config", path(&file)?], &[], None)?;
        let took = started.elapsed();
        let ratio = took.as_secs_f64() / TIMEOUT.as_secs_f64();
        say(&format!(
            "  {took:>8.2?}  {ratio:>5.2} × the time-out  {:>6.1} MiB  exit code {}",
            mib(peak.kib),
            peak.exit_code
        ))?;
    }
    Ok(())
}

/// A server that gives every request the same answer, from as many threads as there are targets that can ask at once.
fn answers() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listen")?;
    let port = listener.local_addr()?.port();
    for _ in 0..8 {
        let listener = listener.try_clone()?;
        std::thread::spawn(move || {
            for peer in listener.incoming() {
                let Ok(mut peer) = peer else { continue };
                let mut request = [0; 4096];
                // One read: a request of this size comes in one piece.
                let _ = peer.read(&mut request);
                let _ = peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            }
        });
    }
    Ok(port)
}

/// The tool, for runs in another folder.
fn absolute() -> Result<PathBuf> {
    tool("pso-health")?.canonicalize().context("find pso-health")
}

/// How much longer the whole takes than the slowest of its probes.
fn whole(folder: &Path) -> Result<()> {
    say("\npso-health, every check of a deployment on this machine (goal: 30 ms beyond the slowest probe)")?;
    let mut beyond = Vec::new();
    for _ in 0..10 {
        let started = Instant::now();
        let output = Command::new(absolute()?)
            .args(["--config", "config/config.yaml"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .context("run pso-health")?;
        let took = started.elapsed();
        let records: Vec<Value> =
            output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        ensure!(records.len() > 20, "{}", String::from_utf8_lossy(&output.stderr));
        let probes = records.iter().filter(|record| record["kind"] != "run.end");
        let slowest =
            probes.filter_map(|record| Some((record["elapsed_ms"].as_u64()?, record["name"].as_str()?))).max();
        let (slowest, name) = slowest.context("no record says how long it took")?;
        beyond.push((took.as_secs_f64() * 1000.0 - slowest as f64, took, slowest, name.to_owned()));
    }
    beyond.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (median, took, slowest, name) = &beyond[beyond.len() / 2];
    say(&format!("  median of 10: {took:.1?}, the slowest probe {slowest} ms ({name}): {median:.1} ms beyond it"))
}

/// What a process holds.
#[derive(Debug)]
struct Held {
    resident_kib: u64,
    threads: usize,
    descriptors: usize,
}

impl Held {
    fn of(child: &Child) -> Result<Self> {
        let process = Path::new("/proc").join(child.id().to_string());
        let status = fs::read_to_string(process.join("status")).context("look at the tool")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let count = |what: &str| Ok::<_, std::io::Error>(fs::read_dir(process.join(what))?.count());
        Ok(Self {
            resident_kib: resident.context("the tool has no memory: it has ended")?,
            threads: count("task")?,
            descriptors: count("fd")?,
        })
    }
}

fn rounds(folder: &Path) -> Result<()> {
    let wanted = number("PSO_BENCH_ROUNDS", 1000)?;
    say(&format!("\npso-health --every 100ms, {wanted} rounds (goal: no growth)"))?;
    let (records, prom) = (folder.join("rounds.jsonl"), folder.join("rounds.prom"));
    let mut child = Command::new(absolute()?)
        .args(["--config", "config/config.yaml", "--every", "100ms", "--count", &wanted.to_string()])
        .arg("--records")
        .arg(&records)
        .arg("--textfile")
        .arg(&prom)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("run pso-health")?;
    let result = watch(&mut child, &records, wanted);
    // It has ended by itself unless something failed.
    let _ = child.kill();
    child.wait().context("wait for pso-health")?;
    result
}

fn watch(child: &mut Child, records: &Path, wanted: u64) -> Result<()> {
    let mut next = 1;
    while child.try_wait()?.is_none() {
        let ended = rounds_so_far(records)?;
        // Between two rounds, or in one: threads of checks come and go.
        if ended >= next {
            say(&format!("  after {ended:>4} rounds: {}", shown(&least(child)?)))?;
            next = if next == 1 { wanted / 10 } else { next + wanted * 3 / 10 }.max(next + 1);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    ensure!(rounds_so_far(records)? == wanted, "it has ended early");
    Ok(())
}

/// The least of several looks: what it holds between rounds.
fn least(child: &Child) -> Result<Held> {
    let mut least = Held::of(child)?;
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(5));
        let Ok(held) = Held::of(child) else { break };
        least.threads = least.threads.min(held.threads);
        least.descriptors = least.descriptors.min(held.descriptors);
        least.resident_kib = least.resident_kib.max(held.resident_kib);
    }
    Ok(least)
}

fn shown(held: &Held) -> String {
    format!("{:>6.1} MiB, {} threads, {} descriptors", mib(held.resident_kib), held.threads, held.descriptors)
}

fn rounds_so_far(records: &Path) -> Result<u64> {
    let text = match fs::read_to_string(records) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).context("read the records"),
    };
    let last = text.lines().rev().find(|line| line.contains("\"kind\":\"health.round\""));
    let last = last.and_then(|line| serde_json::from_str::<Value>(line).ok());
    Ok(last.and_then(|record| record["round"].as_u64()).unwrap_or_default())
}
