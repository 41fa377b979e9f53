//! What the scratch cluster says: each line with its SQLSTATE.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::cluster::one_line;

/// How much is read at once, in bytes.
const MOST: u64 = 1 << 20;

/// The file that the server writes its complaints into.
#[derive(Debug)]
pub(super) struct ServerLog(PathBuf);

/// One complaint, as `log_line_prefix = '%e '` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// SQLSTATE.
    pub(super) state: String,
    /// `ERROR`, `FATAL`, `PANIC` or `LOG`.
    pub(super) severity: String,
    pub(super) message: String,
}

impl ServerLog {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// How long it is, to come back to.
    pub(super) fn mark(&self) -> u64 {
        std::fs::metadata(&self.0).map_or(0, |data| data.len())
    }

    /// What was complained about since then, the first of it.
    pub(super) fn since(&self, mark: u64) -> Vec<Complaint> {
        let mut bytes = Vec::new();
        let read = File::open(&self.0).and_then(|mut file| {
            file.seek(SeekFrom::Start(mark))?;
            file.take(MOST).read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&bytes).lines().filter_map(complaint).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Its end, in one line.
    pub(super) fn last_words(&self) -> String {
        let mark = self.mark().saturating_sub(600);
        let mut text = String::new();
        let read = File::open(&self.0).and_then(|mut file| {
            file.seek(SeekFrom::Start(mark))?;
            file.read_to_string(&mut text)
        });
        if read.is_err() || text.is_empty() { "it said nothing".to_owned() } else { one_line(&text) }
    }
}

/// `23505 ERROR:  could not create unique index "t_pkey"`; lines that go on begin with a tab.
fn complaint(line: &str) -> Option<Complaint> {
    let (state, rest) = line.split_once(' ')?;
    let is_state = state.len() == 5 && state.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let (severity, message) = rest.split_once(":  ")?;
    let is_severity = matches!(severity, "ERROR" | "FATAL" | "PANIC" | "LOG");
    (is_state && is_severity).then(|| Complaint {
        state: state.to_owned(),
        severity: severity.to_owned(),
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_have_a_state() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = ServerLog::new(folder.path().join("server.log"));
        assert!(log.since(0).is_empty());
        let text = "00000 LOG:  database system is ready to accept connections\n\
                    23505 ERROR:  could not create unique index \"t_pkey\"\n\tgoes on: ERROR:  x\nwords\n";
        std::fs::write(log.path(), text).expect("written");
        let all = log.since(0);
        assert_eq!((all.len(), all[1].state.as_str(), all[1].severity.as_str()), (2, "23505", "ERROR"));
        assert_eq!(all[1].message, "could not create unique index \"t_pkey\"");
        assert_eq!(log.since(log.mark()), []);
        assert!(log.last_words().ends_with("| words"), "{}", log.last_words());
    }
}
