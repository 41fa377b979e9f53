//! Templates: how well lines are grouped on logs whose true groups are known, and how fast, with Drain3 beside it.
//!
//! The logs are those of loghub, which are no part of the project: a folder for each, with `NAME_2k.log` and
//! `NAME_2k.log_structured.csv`. Drain3 is measured where the interpreter `PSO_BENCH_PYTHON` (else `python3`) can
//! import it; it is given the same raw lines, and its defaults.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use pso_common::record::{AnyRecord, LogLineRecord};

use crate::measure::seconds;
use crate::{input, path, say, tool};

/// Size of the logs that speed is measured on.
const LOG_BYTES: u64 = 100 << 20;
/// Lines of them that Drain3 is given: it would take minutes for all.
const DRAIN3_LINES: usize = 50_000;

/// Prints the cluster of each line, and at last the seconds that it took, without the start of Python.
const DRAIN3: &str = "\
import sys, time, logging
logging.disable(logging.CRITICAL)
from drain3 import TemplateMiner
lines = [line.rstrip('\\r\\n') for line in open(sys.argv[1], encoding='utf-8', errors='replace', newline='\\n')]
miner = TemplateMiner()
begin = time.perf_counter()
ids = [miner.add_log_message(line)['cluster_id'] for line in lines[:int(sys.argv[2])]]
took = time.perf_counter() - begin
print('\\n'.join(map(str, ids)))
print(took)
";

/// Measures templates: speed always, grouping accuracy where `loghub` is given.
pub(crate) fn templates(folder: &Path, loghub: Option<&Path>) -> Result<()> {
    let python = drain3_python();
    if python.is_none() {
        say("\ntemplates: Drain3 is not measured: python3 cannot import drain3 (pip install drain3)")?;
    }
    if let Some(loghub) = loghub {
        accuracy(loghub, python.as_ref())?;
    }
    say("\ntemplates, lines per second on one core, page cache warm, mean of 5 runs (goal: 1,000,000)")?;
    speed("generated log", &input::log(folder, LOG_BYTES, 10)?, python.as_ref())?;
    if let Some(loghub) = loghub {
        for name in names(loghub)? {
            speed(&format!("{name}, repeated"), &repeated(folder, &raw_log(loghub, &name), &name)?, python.as_ref())?;
        }
    }
    Ok(())
}

/// The grouping accuracy on each log, and the mean.
fn accuracy(loghub: &Path, python: Option<&OsString>) -> Result<()> {
    say("\ngrouping accuracy on raw lines (goal: mean 0.95, none below 0.80)      pso-logscan   Drain3")?;
    let (mut sum, mut drain3_sum, mut count) = (0.0, 0.0, 0.0);
    for name in names(loghub)? {
        let log = raw_log(loghub, &name);
        let truth = log.with_file_name(format!("{name}_2k.log_structured.csv"));
        let truth = fs::read_to_string(&truth).with_context(|| format!("read {}", truth.display()))?;
        let truth = column(&truth, "EventId").with_context(|| format!("{name}: there is no column EventId"))?;
        let own = grouping_accuracy(&truth, &assigned(&log, truth.len())?);
        let drain3 = match python {
            Some(python) => Some(grouping_accuracy(&truth, &drain3(python, &log, truth.len())?.0)),
            None => None,
        };
        say(&format!("  {name:<67} {own:>11.4}   {}", shown(drain3)))?;
        sum += own;
        drain3_sum += drain3.unwrap_or(0.0);
        count += 1.0;
    }
    ensure!(count > 0.0, "there is no log in {}", loghub.display());
    say(&format!("  {:<67} {:>11.4}   {}", "mean", sum / count, shown(python.map(|_| drain3_sum / count))))
}

fn shown(accuracy: Option<f64>) -> String {
    accuracy.map_or_else(|| "     -".to_owned(), |accuracy| format!("{accuracy:.4}"))
}

/// Lines per second of the tool, and of Drain3.
fn speed(what: &str, log: &Path, python: Option<&OsString>) -> Result<()> {
    let bytes = fs::read(log).with_context(|| format!("read {}", log.display()))?;
    #[expect(clippy::cast_precision_loss, reason = "there are not so many lines")]
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() as f64;
    drop(bytes);
    let scan = tool("pso-logscan")?;
    let took = seconds(&[format!("taskset -c 0 {} --templates {}", scan.display(), path(log)?)], 5)?;
    say(&format!("  pso-logscan, {what:<31} {:>10.0}", lines / took[0]))?;
    if let Some(python) = python {
        let (ids, took) = drain3(python, log, DRAIN3_LINES)?;
        #[expect(clippy::cast_precision_loss, reason = "there are not so many lines")]
        let rate = ids.len() as f64 / took;
        say(&format!("  Drain3,      {:<31} {rate:>10.0}", format!("{what} ({} lines)", ids.len())))?;
    }
    Ok(())
}

/// The logs in the folder.
fn names(loghub: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(loghub).with_context(|| format!("read {}", loghub.display()))? {
        let name = entry?.file_name().into_string().ok();
        names.extend(name.filter(|name| raw_log(loghub, name).is_file()));
    }
    names.sort_unstable();
    Ok(names)
}

fn raw_log(loghub: &Path, name: &str) -> PathBuf {
    loghub.join(name).join(format!("{name}_2k.log"))
}

/// A log's lines again and again, up to [`LOG_BYTES`].
fn repeated(folder: &Path, log: &Path, name: &str) -> Result<PathBuf> {
    let target = folder.join(format!("{name}-{LOG_BYTES}.log"));
    if !target.is_file() {
        let mut text = fs::read(log).with_context(|| format!("read {}", log.display()))?;
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        let part = target.with_extension("part");
        let mut out = File::create(&part).with_context(|| format!("make {}", part.display()))?;
        for _ in 0..LOG_BYTES.div_ceil(text.len() as u64) {
            out.write_all(&text)?;
        }
        fs::rename(&part, &target).with_context(|| format!("make {}", target.display()))?;
    }
    Ok(target)
}

/// The template of each of the log's `lines` lines; lines that are no record's first are a group of their own each.
fn assigned(log: &Path, lines: usize) -> Result<Vec<String>> {
    let output =
        run(Command::new(tool("pso-logscan")?).args(["--format", "jsonl", "--templates", "--assign"]).arg(log))?;
    let mut groups: Vec<String> = (0..lines).map(|line| format!("line {line}")).collect();
    for record in output.stdout.split(|&byte| byte == b'\n').filter(|record| !record.is_empty()) {
        let record = AnyRecord::parse(std::str::from_utf8(record).context("a record is not UTF-8")?)?;
        if let Some(line) = record.as_kind::<LogLineRecord>() {
            let LogLineRecord { line, template_id, .. } = line?.body;
            let number = line.context("a log.line has no line")?;
            let place = usize::try_from(number)?.checked_sub(1).and_then(|at| groups.get_mut(at));
            *place.with_context(|| format!("there is no line {number} in {}", log.display()))? = template_id;
        }
    }
    Ok(groups)
}

/// The interpreter that can import Drain3.
fn drain3_python() -> Option<OsString> {
    let python = std::env::var_os("PSO_BENCH_PYTHON").unwrap_or_else(|| "python3".into());
    let import = Command::new(&python).args(["-c", "import drain3"]).stderr(Stdio::null()).status();
    import.is_ok_and(|status| status.success()).then_some(python)
}

/// Drain3's cluster of each of the log's first `lines` lines, and the seconds that it took, on one core.
fn drain3(python: &OsString, log: &Path, lines: usize) -> Result<(Vec<String>, f64)> {
    let lines = lines.to_string();
    let taskset = ["-c", "0"];
    let output = run(Command::new("taskset").args(taskset).arg(python).args(["-c", DRAIN3]).arg(log).arg(lines))?;
    let text = String::from_utf8(output.stdout).context("Drain3's output is not UTF-8")?;
    let mut ids: Vec<String> = text.lines().map(str::to_owned).collect();
    let took = ids.pop().context("Drain3 gave nothing")?;
    let took = took.parse().with_context(|| format!("Drain3 took {took:?}"))?;
    Ok((ids, took))
}

/// A program's output. Its exit code says what the tool found; what it could not do is not measured.
fn run(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    let error = || format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.code().is_some_and(|code| code < 3), "{}", error());
    Ok(output)
}

/// The share of lines whose group has exactly the lines of their true group.
fn grouping_accuracy(truth: &[String], groups: &[String]) -> f64 {
    let (truth, groups) = (lines_of(truth), lines_of(groups));
    let all: usize = truth.values().map(Vec::len).sum();
    let of_line: HashMap<usize, &Vec<usize>> = truth.values().map(|lines| (lines[0], lines)).collect();
    // Lines are in order, so that two groups of the same lines have the same first line.
    let right: usize = groups.values().filter(|lines| of_line.get(&lines[0]) == Some(lines)).map(Vec::len).sum();
    #[expect(clippy::cast_precision_loss, reason = "there are not so many lines")]
    let share = right as f64 / all.max(1) as f64;
    share
}

/// The numbers of each group's lines.
fn lines_of(groups: &[String]) -> HashMap<&str, Vec<usize>> {
    let mut lines: HashMap<&str, Vec<usize>> = HashMap::new();
    for (line, group) in groups.iter().enumerate() {
        lines.entry(group).or_default().push(line);
    }
    lines
}

/// A column of a table in RFC 4180's form; `None` where its first row has no such name.
fn column(csv: &str, name: &str) -> Option<Vec<String>> {
    let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
    let mut quoted = false;
    for letter in csv.trim_start_matches('\u{feff}').trim_end().chars() {
        let row = rows.last_mut()?;
        match letter {
            // A doubled quote within quotes ends them and begins them again; the values asked for here have none.
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            '\r' if !quoted => {}
            other => row.last_mut()?.push(other),
        }
    }
    let place = rows.first()?.iter().position(|title| title == name)?;
    rows.drain(1..).map(|row| row.into_iter().nth(place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accuracy_of(truth: &str, groups: &str) -> f64 {
        let each = |text: &str| -> Vec<String> { text.chars().map(String::from).collect() };
        grouping_accuracy(&each(truth), &each(groups))
    }

    #[test]
    fn a_group_is_right_as_a_whole_or_not_at_all() {
        assert_eq!(accuracy_of("aabb", "xxyy"), 1.0);
        assert_eq!(accuracy_of("aabb", "xxyz"), 0.5);
        assert_eq!(accuracy_of("aabb", "xxxx"), 0.0);
        assert_eq!(accuracy_of("abab", "xxyy"), 0.0);
        assert_eq!(accuracy_of("aaab", "xxyz"), 0.25);
    }

    #[test]
    fn a_table_has_quoted_fields() {
        let csv = "\u{feff}LineId,Content,EventId\r\n1,\"a, \"\"b\"\"\nc\",E1\r\n2,d,E2\r\n";
        assert_eq!(column(csv, "EventId"), Some(vec!["E1".to_owned(), "E2".to_owned()]));
        assert_eq!(column(csv, "Event"), None);
    }
}
