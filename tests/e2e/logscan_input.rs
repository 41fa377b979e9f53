//! What `pso-logscan` reads, what it does not, and that it never keeps quiet about that.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use pso_tests::tool::{Outcome, Tool, built_binary};
use tempfile::TempDir;

fn scan(folder: &Path, args: &[&str]) -> Outcome {
    let tool = Tool::new("pso-logscan").expect("built").folder(folder).args(args).args(["--max-errors", "10000000"]);
    tool.run().expect("ends")
}

fn errors(outcome: &Outcome) -> u64 {
    outcome.record("log.count", "error")["count"].as_u64().expect("a number")
}

/// Severity and message of an input's coverage.
fn said(outcome: &Outcome, name: &str) -> (String, String) {
    let record = outcome.record("log.coverage", name);
    let text = |field: &str| record[field].as_str().expect("a text").to_owned();
    (text("severity"), text("message"))
}

fn sh(folder: &Path, script: &str) {
    assert!(Command::new("sh").args(["-ec", script]).current_dir(folder).status().expect("sh").success(), "{script}");
}

fn lines(from: u64, count: u64) -> String {
    (from..from + count).map(|n| format!("2025-06-12T09:00:00Z ERROR E{} number {n}\n", n % 3)).collect()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn logs() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("created");
    folder
}

#[test]
fn every_kind_of_rotation_is_read_the_oldest_first() {
    let folder = logs();
    for (n, name) in [
        "sync-20250608.log",
        "sync.log-20250609",
        "sync.log.2025-06-10",
        "sync.log-20250611",
        "sync.log.4",
        "sync.log.3",
        "sync.log.2",
        "sync.log.1",
        "sync.log",
    ]
    .iter()
    .enumerate()
    {
        fs::write(folder.path().join("logs").join(name), lines(n as u64 * 10, 10)).expect("written");
    }
    sh(
        folder.path(),
        "cd logs; gzip sync.log.2 sync-20250608.log; zstd -q --rm sync.log.3 sync.log-20250609; xz sync.log.4",
    );
    let outcome = scan(folder.path(), &["logs"]);
    outcome.assert_code(3);
    assert_eq!(errors(&outcome), 80);
    let names: Vec<String> = outcome
        .records_of_kind("log.coverage")
        .iter()
        .map(|record| record["name"].as_str().expect("a text").replace("logs/", ""))
        .collect();
    assert_eq!(
        names,
        [
            "sync-20250608.log.gz",
            "sync.log-20250609.zst",
            "sync.log.2025-06-10",
            "sync.log-20250611",
            "sync.log.4.xz",
            "sync.log.3.zst",
            "sync.log.2.gz",
            "sync.log.1",
            "sync.log",
        ]
    );
    let (severity, message) = said(&outcome, "logs/sync.log.4.xz");
    assert_eq!(severity, "unknown");
    assert!(message.contains("packed with xz, which is not read"), "{message}");
}

#[test]
fn packed_files_are_read_as_their_programs_read_them() {
    let folder = logs();
    let write = |name: &str, parts: &[&[u8]]| {
        fs::write(folder.path().join("logs").join(name), parts.concat()).expect("written");
    };
    let (one, two) = (lines(0, 100), lines(100, 100));
    write("members.log.1.gz", &[&gz(one.as_bytes()), &gz(two.as_bytes())]);
    write("padded.log.1.gz", &[&gz(lines(200, 10).as_bytes()), &[0; 700]]);
    let read = scan(folder.path(), &["logs"]);
    read.assert_code(0);
    assert_eq!(errors(&read), 210);
    write("garbage.log.1.gz", &[&gz(lines(300, 10).as_bytes()), b"-----BEGIN SIGNATURE-----"]);
    let garbage = scan(folder.path(), &["logs"]);
    garbage.assert_code(1);
    assert_eq!(errors(&garbage), 220);
    let message = "25 bytes behind the end of the packed data belong to nothing: passed over";
    assert_eq!(said(&garbage, "logs/garbage.log.1.gz"), ("warning".into(), message.into()));
    sh(folder.path(), "rm logs/*");
    fs::write(folder.path().join("a"), &one).expect("written");
    fs::write(folder.path().join("b"), &two).expect("written");
    sh(folder.path(), "zstd -q a b; cat a.zst b.zst > logs/frames.log.1.zst; seq 9000000 | zstd -q > big.zst");
    assert_eq!(errors(&scan(folder.path(), &["logs"])), 200);
    // What breaks off counts up to there.
    let packed = gz(lines(0, 5000).as_bytes());
    write("cut.log.1.gz", &[&packed[..packed.len() - 100]]);
    sh(folder.path(), "cp big.zst logs/cut.log.2.zst; truncate -s -9 logs/cut.log.2.zst");
    let cut = scan(folder.path(), &["logs"]);
    cut.assert_code(3);
    assert!(errors(&cut) > 4000, "{cut}");
    for (name, packer) in [("logs/cut.log.1.gz", "gzip"), ("logs/cut.log.2.zst", "zstd")] {
        let (severity, message) = said(&cut, name);
        assert_eq!(severity, "unknown");
        assert!(message.starts_with("it could be read only up to line "), "{message}");
        assert!(message.ends_with(&format!("the {packer} data ends before its end")), "{message}");
    }
}

#[test]
fn the_same_content_counts_once() {
    let folder = logs();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("logs/a.log.2", &lines(0, 2000));
    write("logs/a.log.1", &lines(2000, 50));
    write("logs/a.log", &lines(3000, 60));
    write("logs/b.log", &lines(4000, 1));
    // Packed, and not removed; copied, and not yet truncated; copying under way; a second name; another folder.
    sh(
        folder.path(),
        "cd logs; gzip -k a.log.2; cp a.log a.log.0; head -c 500 a.log.1 > a.log.7; ln b.log c.log; \
         mkdir old; cp a.log.2 old/z.log",
    );
    let outcome = scan(folder.path(), &["logs"]);
    outcome.assert_code(0);
    assert_eq!(errors(&outcome), 2111, "{outcome}");
    for (name, expected) in [
        ("logs/a.log.2.gz", "its content is that of logs/a.log.2, and is counted there"),
        ("logs/a.log", "its content is that of logs/a.log.0, and is counted there"),
        ("logs/a.log.7", "its content is the beginning of what is in logs/a.log.1, and is counted there"),
        ("logs/c.log", "its content is that of logs/b.log, and is counted there"),
        ("logs/old/z.log", "its content is that of logs/a.log.2, and is counted there"),
    ] {
        assert_eq!(said(&outcome, name), ("info".into(), expected.into()), "{outcome}");
    }
}

#[test]
fn many_packed_files_are_counted_as_one_after_the_other() {
    let folder = logs();
    let mut all = Vec::new();
    for n in 0..24_u64 {
        let text = lines(n * 100_000, 3000 + n * 100);
        all.extend_from_slice(text.as_bytes());
        fs::write(folder.path().join(format!("logs/a.log.{}.gz", 90 - n)), gz(text.as_bytes())).expect("written");
    }
    fs::write(folder.path().join("all.txt"), &all).expect("written");
    let records = |outcome: &Outcome, kinds: &[&str]| -> Vec<serde_json::Value> {
        let mut records = outcome.records();
        records.retain(|record| kinds.iter().any(|kind| record["kind"] == *kind));
        for record in &mut records {
            for field in ["at", "path", "line", "offset"] {
                record.as_object_mut().expect("a record").remove(field);
            }
        }
        records
    };
    let kinds = ["log.count", "log.event"];
    let one = records(&scan(folder.path(), &["all.txt"]), &kinds);
    for _ in 0..5 {
        let outcome = scan(folder.path(), &["logs"]);
        assert_eq!(records(&outcome, &kinds), one);
        let paths: Vec<u64> = outcome
            .records_of_kind("log.coverage")
            .iter()
            .map(|record| record["lines"].as_u64().expect("a number"))
            .collect();
        assert_eq!(paths, Vec::from_iter((0..24).map(|n| 3000 + n * 100)), "in the order of the inputs");
    }
}

#[test]
fn bad_inputs_are_told_and_the_rest_is_read() {
    let folder = logs();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("good.log"), lines(0, 5)).expect("written");
    fs::write(path("empty.log"), "").expect("written");
    fs::write(path("binary.log"), b"\x7fELF\0\0\0 ERROR Noise\n".repeat(1000)).expect("written");
    symlink("b.log", path("a.log")).expect("linked");
    symlink("a.log", path("b.log")).expect("linked");
    fs::write(path("future.log"), "9999-12-31T23:59:59Z ERROR Last day\n9999-13-01T00:00:00Z ERROR None\n")
        .expect("written");
    fs::create_dir(path("void")).expect("created");
    for (name, severity, reason) in [
        ("gone.log", "unknown", "it cannot be opened: No such file or directory"),
        ("empty.log", "info", "it is empty"),
        ("binary.log", "unknown", "it is no text: it has NUL bytes and no time stamps"),
        ("a.log", "unknown", "it cannot be opened: Too many levels of symbolic links"),
        ("void", "unknown", "there are no logs in this folder"),
        ("future.log", "ok", ""),
    ] {
        let outcome = scan(folder.path(), &[name, "good.log"]);
        outcome.assert_code(if severity == "unknown" { 3 } else { 0 });
        let (found, message) = said(&outcome, name);
        assert_eq!(found, severity, "{name}: {message}");
        assert!(message.starts_with(reason), "{name}: {message}");
        assert!(errors(&outcome) >= 5, "{outcome}");
    }
    let future = scan(folder.path(), &["future.log"]);
    assert_eq!(future.record("log.count", "error.Last")["last_at"], "9999-12-31T23:59:59.000Z");
}

#[test]
fn what_has_no_size_is_read_and_a_pipe_among_logs_is_told() {
    let folder = logs();
    // The system's own files say that they are empty.
    if Path::new("/proc/version").exists() {
        let outcome = scan(folder.path(), &["/proc/version"]);
        assert_eq!(outcome.record("log.coverage", "/proc/version")["lines"], 1, "{outcome}");
    }
    fs::write(folder.path().join("logs/a.log"), lines(0, 2)).expect("written");
    sh(folder.path(), "mkfifo logs/pipe.log");
    let outcome = scan(folder.path(), &["logs"]);
    outcome.assert_code(3);
    let message = "it is a pipe or a device: name it to have it read";
    assert_eq!(said(&outcome, "logs/pipe.log"), ("unknown".into(), message.into()));
    assert_eq!(errors(&outcome), 2);
}

#[test]
fn what_must_not_be_read_is_told() {
    let folder = logs();
    fs::write(folder.path().join("logs/secret.log"), lines(0, 5)).expect("written");
    fs::write(folder.path().join("logs/open.log"), lines(0, 2)).expect("written");
    let mode = |name: &str, mode| {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).expect("changed");
    };
    mode("logs/secret.log", 0o000);
    mode("logs", 0o755);
    mode("", 0o755);
    let is_root = Command::new("id").arg("-u").output().expect("id").stdout == b"0\n";
    let program = built_binary("pso-logscan").expect("built");
    let outcome = if is_root {
        // Root may read everything, so somebody else has to try. The tool may lie where only root may go.
        let copy = folder.path().join("tool");
        fs::copy(program, &copy).expect("copied");
        let args = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        Tool::program("setpriv").args(args).arg(&copy).arg("logs").folder(folder.path()).run().expect("ends")
    } else {
        Tool::program(program).arg("logs").folder(folder.path()).run().expect("ends")
    };
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let (severity, message) = said(&outcome, "logs/secret.log");
    assert_eq!(
        (severity.as_str(), message.as_str()),
        ("unknown", "it cannot be read: Permission denied (os error 13)")
    );
    assert_eq!(errors(&outcome), 2);
}

#[test]
fn a_line_of_five_gibibytes_takes_no_memory() {
    let folder = logs();
    let mut log = File::create(folder.path().join("logs/long.log")).expect("created");
    log.write_all(lines(0, 3).as_bytes()).expect("written");
    log.write_all(b"2025-06-12T09:00:00Z ERROR Long ").expect("written");
    // A hole: it takes no room on the disk.
    log.seek(SeekFrom::Current(5 << 30)).expect("sought");
    log.write_all(format!("\n{}", lines(3, 2)).as_bytes()).expect("written");
    drop(log);
    let script = "ulimit -v 400000; exec \"$0\" --max-errors 999 logs";
    // Most of the time is the kernel's, which makes zeros.
    let tool = Tool::program("sh")
        .limit(Duration::from_secs(300))
        .args(["-c", script])
        .arg(built_binary("pso-logscan").expect("built"));
    let outcome = tool.folder(folder.path()).run().expect("ends");
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert_eq!(errors(&outcome), 6);
    let message = "1 line longer than 1 MiB: of these only the first MiB was looked at";
    assert_eq!(said(&outcome, "logs/long.log"), ("unknown".into(), message.into()));
    assert_eq!(outcome.record("log.coverage", "logs/long.log")["lines"], 6);
}

#[test]
fn a_file_that_goes_while_it_waits_for_its_turn_is_told() {
    // A pipe that is read before it says when: what comes after it is looked at when its writer has ended.
    let folder = logs();
    sh(folder.path(), "mkfifo first");
    fs::write(folder.path().join("second.log"), lines(0, 2)).expect("written");
    fs::write(folder.path().join("third.log"), lines(10, 3)).expect("written");
    let tool =
        Tool::new("pso-logscan").expect("built").folder(folder.path()).args(["first", "second.log", "third.log"]);
    let running = tool.spawn().expect("started");
    // Opening it waits for the reader.
    let mut pipe = File::options().write(true).open(folder.path().join("first")).expect("opened");
    pipe.write_all(lines(100, 1).as_bytes()).expect("written");
    fs::remove_file(folder.path().join("second.log")).expect("removed");
    drop(pipe);
    let outcome = running.finish().expect("ends");
    let (severity, message) = said(&outcome, "second.log");
    // Other threads may have been quicker than we.
    match severity.as_str() {
        "unknown" => {
            assert_eq!(message, "it cannot be read: No such file or directory (os error 2)");
            outcome.assert_code(3);
            assert_eq!(errors(&outcome), 4);
        }
        _ => {
            outcome.assert_code(0);
            assert_eq!(errors(&outcome), 6);
        }
    }
}
