//! A deployment of files only, and the tool run on it in this process, at any time of the clock.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::Parser as _;
use pso_backup::Cli;
use pso_common::Io;
use pso_common::io::{Clock, Env};
use pso_common::record::{AnyRecord, BackupArchiveRecord, Decision, Severity, Timestamp};
use pso_common::run::exit_code;
use tempfile::TempDir;

pub(crate) struct Deployment {
    folder: TempDir,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: u8,
    pub(crate) archives: Vec<(Severity, String, BackupArchiveRecord)>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn assert_code(&self, code: u8) -> &Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn assert_said(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "{text:?} is not in {self:#?}");
        self
    }

    /// The names of the archives with this decision.
    pub(crate) fn decided(&self, decision: Decision) -> Vec<&str> {
        let decided = self.archives.iter().filter(|(_, _, archive)| archive.decision == Some(decision));
        decided.map(|(_, name, _)| name.as_str()).collect()
    }

    /// The one archive.
    #[track_caller]
    pub(crate) fn archive(&self) -> &BackupArchiveRecord {
        assert_eq!(self.archives.len(), 1, "{self:#?}");
        &self.archives[0].2
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

/// Days at nine.
pub(crate) fn day(day: u32) -> String {
    format!("2026-11-{day:02}T09:00:00Z")
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

impl Deployment {
    /// Plans and configuration; `backup` is the section below `maintenance.backup`.
    pub(crate) fn new(backup: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["config", "roadmaps/plans", "scripts", "logs"] {
            fs::create_dir_all(folder.path().join(name)).expect("created");
        }
        let deployment = Self { folder };
        for number in 0..20 {
            let plan = format!("# Plan {number}\n{}", "- [ ] a task\n".repeat(500));
            fs::write(deployment.path(&format!("roadmaps/plans/{number}.md")), plan).expect("written");
        }
        deployment.configure(backup);
        deployment
    }

    pub(crate) fn configure(&self, backup: &str) {
        let text = format!("maintenance:\n  backup:\n    components: [config, plans]\n{backup}");
        fs::write(self.path("config/config.yaml"), text).expect("written");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn run(&self, now: &str, args: &[&str]) -> Outcome {
        let config = self.path("config/config.yaml").display().to_string();
        let all = [&["pso-backup", "--format", "jsonl", "--config", &config], args].concat();
        let cli = Cli::try_parse_from(all).expect("valid flags");
        let (stdout, stderr) = (Sink::default(), Sink::default());
        let mut io = Io::for_test("", stdout.clone(), stderr.clone());
        io.clock = Clock::Fixed(at(now));
        io.env = Env::from_process();
        let result = pso_backup::run(cli, &mut io);
        let mut stderr = stderr.text();
        if let Err(error) = &result {
            stderr.push_str(&format!("{error:#}\n"));
        }
        let stdout = stdout.text();
        let records = stdout.lines().map(|line| AnyRecord::parse(line).expect("a record"));
        let archives = records.filter_map(|record| record.as_kind::<BackupArchiveRecord>()).map(|record| {
            let record = record.expect("a backup.archive");
            (record.header.severity, record.header.name, record.body)
        });
        Outcome { code: exit_code(&result), archives: archives.collect(), stdout: stdout.clone(), stderr }
    }

    /// A backup that succeeds; the archive's path.
    #[track_caller]
    pub(crate) fn backup(&self, now: &str) -> PathBuf {
        let outcome = self.run(now, &[]);
        outcome.assert_code(0);
        outcome.archives.last().expect("an archive").2.path.clone().into()
    }

    /// What lies in a folder, locks aside.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name().into_string().expect("UTF-8"));
        let mut names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
        names.sort();
        names
    }
}

/// Changes one byte of the first entry.
pub(crate) fn damage(path: &Path) {
    let mut content = fs::read(path).expect("readable");
    // Behind the first header: whoever reads a sample does not read all of what stands between the entries.
    let length = |at: usize| usize::from(content[at]) + (usize::from(content[at + 1]) << 8);
    let start = 30 + length(26) + length(28);
    content[start + 5] ^= 1;
    fs::write(path, content).expect("written");
}
