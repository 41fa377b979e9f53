//! What a run of a tool left, and how tests ask about it. Everything here panics with the whole picture when an expectation is not met.

use std::fmt;

use serde_json::Value;

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The program's name.
    pub name: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its stdout, byte for byte.
    pub stdout: Vec<u8>,
    /// Its stderr; bytes that are not UTF-8 are replaced.
    pub stderr: String,
}

impl Outcome {
    /// stdout as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|error| panic!("stdout is not UTF-8: {error}\n{self}"))
    }

    /// stdout as records, one JSON object a line.
    ///
    /// # Panics
    /// When a line is blank, is not a JSON object, has no `kind` or is not as the schema of its kind says, and when the last line has no end.
    #[must_use]
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        let text = self.text();
        assert!(text.is_empty() || text.ends_with('\n'), "the last line of stdout has no end\n{self}");
        let parse = |(at, line): (usize, &str)| {
            let record: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("line {} of stdout is not JSON: {error}\n{line}\n{self}", at + 1));
            assert!(
                record.get("kind").is_some_and(Value::is_string),
                "line {} of stdout has no kind\n{line}\n{self}",
                at + 1
            );
            // What a tool passes through is not its own.
            if self.name.starts_with("pso-") && record["tool"] == self.name {
                crate::schema::conforms(&record).unwrap_or_else(|error| panic!("{error:#}\n{self}"));
            }
            record
        };
        text.lines().enumerate().map(parse).collect()
    }

    /// The records of one kind, in order.
    ///
    /// # Panics
    /// As [`Outcome::records`].
    #[must_use]
    #[track_caller]
    pub fn records_of_kind(&self, kind: &str) -> Vec<Value> {
        self.records().into_iter().filter(|record| record["kind"] == kind).collect()
    }

    /// The one record of a kind with that name.
    ///
    /// # Panics
    /// When there is none or more than one.
    #[must_use]
    #[track_caller]
    pub fn record(&self, kind: &str, name: &str) -> Value {
        let mut found: Vec<Value> = self.records_of_kind(kind);
        found.retain(|record| record["name"] == name);
        assert_eq!(found.len(), 1, "records of kind {kind} named {name}\n{self}");
        found.remove(0)
    }

    /// The `run.end` of the tool itself, which must be the last record.
    ///
    /// # Panics
    /// When the last record is not that.
    #[must_use]
    #[track_caller]
    pub fn run_end(&self) -> Value {
        let last = self.records().pop();
        let last = last.unwrap_or_else(|| panic!("no record at all\n{self}"));
        assert_eq!(last["kind"], "run.end", "the kind of the last record\n{self}");
        assert_eq!(last["tool"], self.name.as_str(), "the tool of the last record\n{self}");
        last
    }

    /// The exit code is `code`, and where records were written, `run.end` says the same.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "the exit code\n{self}");
        if self.stdout.starts_with(b"{") {
            assert_eq!(self.run_end()["exit_code"], code, "exit_code of run.end\n{self}");
        }
        self
    }

    /// stderr has `text` in it.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn assert_stderr_has(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "stderr does not say {text:?}\n{self}");
        self
    }

    /// Nothing was written to stderr.
    ///
    /// # Panics
    /// When something was.
    #[track_caller]
    pub fn assert_quiet(&self) -> &Self {
        assert!(self.stderr.is_empty(), "stderr is not empty\n{self}");
        self
    }

    /// None of the secrets is in stdout or stderr: neither as it is, nor the part of it that no escaping changes (its longest run of
    /// letters and digits, when that has 8 or more).
    ///
    /// # Panics
    /// When one is there.
    #[track_caller]
    pub fn assert_no_secret(&self, secrets: &[&str]) -> &Self {
        let stdout = String::from_utf8_lossy(&self.stdout);
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let plain = secret.split(|letter: char| !letter.is_ascii_alphanumeric()).max_by_key(|part| part.len());
            let plain = plain.filter(|part| part.len() >= 8);
            for form in plain.into_iter().chain([*secret]) {
                assert!(!stdout.contains(form), "a secret is in stdout: {form}\n{self}");
                assert!(!self.stderr.contains(form), "a secret is in stderr: {form}\n{self}");
            }
        }
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--- {} ended with ", self.name)?;
        match (self.code, self.signal) {
            (Some(code), _) => writeln!(f, "code {code}")?,
            (None, signal) => writeln!(f, "signal {}", signal.unwrap_or_default())?,
        }
        writeln!(f, "--- stdout\n{}--- stderr\n{}---", String::from_utf8_lossy(&self.stdout), self.stderr)
    }
}
