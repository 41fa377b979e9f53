//! Generated input; made once, the same every time, kept in `target/bench`.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use pso_common::Timestamp;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const ERRORS: [&str; 5] = ["SyncTimeout", "ConnectionLost", "ChecksumMismatch", "ParseFailure", "DatabaseError"];

/// The mean length of a line of [`log`].
const LINE_BYTES: u64 = 106;

/// A log in the main form of the maintained system's own, sorted by time, over about so many hours: of 100 lines about
/// two are errors, and one in 500 is a conflict, a validation error or a security event.
pub(crate) fn log(folder: &Path, bytes: u64, hours: u32) -> Result<PathBuf> {
    made(&folder.join(format!("sync-engine-{bytes}-{hours}h.log")), |out| {
        let mut random = fastrand::Rng::with_seed(4);
        let mut at = datetime!(2026-11-01 00:00 UTC);
        let mut written = 0;
        let step = i64::from(hours) * 3_600_000_000 / i64::try_from(bytes / LINE_BYTES)?;
        while written < bytes {
            at += Duration::microseconds(random.i64(0..2 * step));
            let line = log_line(&mut random, at);
            out.write_all(line.as_bytes())?;
            written += line.len() as u64;
        }
        Ok(())
    })
}

fn log_line(random: &mut fastrand::Rng, at: OffsetDateTime) -> String {
    let at = Timestamp::new(at);
    let plan = random.u32(1..180);
    match random.u32(0..1000) {
        0..20 => {
            let error = ERRORS[random.usize(..ERRORS.len())];
            format!(
                "{at} ERROR {error} [sync-engine] plan=plan-dev-v{plan}.md operation=sync attempt={} failed\n",
                random.u8(1..5)
            )
        }
        20 => format!("{at} WARN [conflicts] conflict of plan-dev-v{plan}.md is unresolved: both sides changed\n"),
        21 => format!("{at} WARN [api] authentication failed for user=ops from 10.0.0.{}\n", random.u8(..)),
        _ => format!(
            "{at} INFO [sync-engine] plan=plan-dev-v{plan}.md phase={} synchronised {} tasks in {} ms\n",
            random.u8(1..9),
            random.u32(1..400),
            random.u32(3..900)
        ),
    }
}

/// A folder with ten logs, as rotation leaves them: each `bytes` of `log`, packed.
pub(crate) fn rotated(folder: &Path, log: &Path, bytes: u64) -> Result<PathBuf> {
    let folder = folder.join(format!("rotated-{bytes}"));
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let mut lines = BufReader::new(File::open(log).with_context(|| format!("open {}", log.display()))?);
    for number in (1..=10).rev() {
        made(&folder.join(format!("sync.log.{number}.gz")), |out| {
            let mut packed = GzEncoder::new(out, Compression::new(6));
            std::io::copy(&mut lines.by_ref().take(bytes), &mut packed)?;
            // To the end of the line.
            let mut rest = Vec::new();
            lines.read_until(b'\n', &mut rest)?;
            packed.write_all(&rest)?;
            packed.finish()?;
            Ok(())
        })?;
    }
    Ok(folder)
}

/// A file that is one line.
pub(crate) fn one_line(folder: &Path, bytes: u64) -> Result<PathBuf> {
    made(&folder.join(format!("one-line-{bytes}.log")), |out| {
        let block = [b'x'; 64 << 10];
        (0..bytes / block.len() as u64).try_for_each(|_| out.write_all(&block)).map_err(Into::into)
    })
}

/// Records as a day of many tools gives them: most are fine, some are not.
pub(crate) fn records(folder: &Path, count: u64) -> Result<PathBuf> {
    made(&folder.join(format!("records-{count}.jsonl")), |out| {
        for at in 0..count {
            let severity = if at % 1000 == 0 { "high" } else { "ok" };
            writeln!(
                out,
                r#"{{"schema":1,"kind":"health.metric","at":"2026-11-22T09:00:00.000Z","tool":"pso-health","host":"h{}","severity":"{severity}","name":"cpu_usage","message":"CPU {} %","value":{},"unit":"percent","elapsed_ms":3,"labels":{{"host":"h{at}"}}}}"#,
                at % 5000,
                at % 100,
                at % 100,
            )?;
        }
        Ok(())
    })
}

/// Records of several kinds, all well: what rules look at and leave alone.
pub(crate) fn judged_records(folder: &Path, count: u64) -> Result<PathBuf> {
    made(&folder.join(format!("judged-{count}.jsonl")), |out| {
        for at in 0..count {
            let host = at % 50;
            let head = r#"{"schema":1,"at":"2026-11-22T09:00:00.000Z""#;
            match at % 4 {
                0 | 1 => writeln!(
                    out,
                    r#"{head},"kind":"health.metric","tool":"pso-health","host":"h{host}","severity":"ok","name":"cpu_usage","message":"CPU {} %","value":{},"unit":"percent","elapsed_ms":3,"labels":{{"cpu":"{}"}}}}"#,
                    at % 79,
                    at % 79,
                    at % 8
                )?,
                2 => writeln!(
                    out,
                    r#"{head},"kind":"health.check","tool":"pso-health","host":"h{host}","severity":"ok","name":"service.api","message":"healthy","status":"healthy","value":0,"elapsed_ms":3}}"#
                )?,
                _ => writeln!(
                    out,
                    r#"{head},"kind":"log.event","tool":"pso-logscan","host":"h{host}","severity":"info","name":"error.SyncTimeout","message":"2026-11-22 07:00:00 INFO sync {at}","class":"error","type":"SyncTimeout","path":"/var/log/sync.log","line":{at},"occurred_at":"2026-11-22T08:00:00Z","value":1}}"#
                )?,
            }
        }
        Ok(())
    })
}

/// Checks that fail, each another one.
pub(crate) fn failing_checks(folder: &Path, count: u64) -> Result<PathBuf> {
    made(&folder.join(format!("failing-{count}.jsonl")), |out| {
        for at in 0..count {
            writeln!(
                out,
                r#"{{"schema":1,"kind":"health.check","at":"2026-11-22T09:00:00.000Z","tool":"pso-health","host":"web-{}","severity":"critical","name":"http.target-{at}","message":"it did not answer within 2 s: connection to 10.0.{}.{}:8080 timed out","status":"timeout","elapsed_ms":2000,"labels":{{"target":"http://10.0.{}.{}:8080/health"}}}}"#,
                at % 50,
                at / 256,
                at % 256,
                at / 256,
                at % 256,
            )?;
        }
        Ok(())
    })
}

/// Makes a file unless it is there; it appears whole or not at all.
fn made(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<PathBuf> {
    if !path.is_file() {
        let part = path.with_extension("part");
        let doing = || format!("make {}", path.display());
        let mut out = BufWriter::new(File::create(&part).with_context(doing)?);
        fill(&mut out).and_then(|()| out.flush().map_err(Into::into)).with_context(doing)?;
        fs::rename(&part, path).with_context(doing)?;
    }
    Ok(path.to_path_buf())
}
