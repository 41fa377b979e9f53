//! What a rehearsal comes to: gathered as it is found, and written in any case.

use std::path::{Path, PathBuf};
use std::time::Instant;

use pso_archive::{Manifest, Status};
use pso_common::io::elapsed_ms;
use pso_common::record::{Component, RehearseResultRecord};
use pso_common::{Run, Severity, Timestamp};

use crate::proof::Proof;
use crate::task::Outcome;
use crate::whole::Whole;

/// What has been found of one archive so far.
pub(crate) struct Findings {
    began: Instant,
    pub(crate) path: PathBuf,
    /// What holds of the archive, its parts included.
    pub(crate) proof: Proof,
    /// The rest of the record.
    pub(crate) record: RehearseResultRecord,
    /// The components that hold: what was counted in them can be compared with other nights.
    pub(crate) held: Vec<Component>,
    /// When the last component was restored; `None` once one was not.
    restored: Option<Instant>,
}

impl Findings {
    /// Of an archive of which nothing is known yet. Its restoration begins here.
    pub(crate) fn of(path: &Path) -> Self {
        let began = Instant::now();
        let record = RehearseResultRecord { path: path.display().to_string(), ..RehearseResultRecord::default() };
        Self {
            began,
            path: path.to_path_buf(),
            proof: Proof::default(),
            record,
            held: Vec::new(),
            restored: Some(began),
        }
    }

    /// What the manifest says.
    pub(crate) fn describe(&mut self, manifest: &Manifest) {
        let status = Status::new(manifest, 0, "");
        self.record.taken_at = Some(manifest.taken_at);
        self.record.source_host = Some(manifest.host.clone()).filter(|host| !host.is_empty());
        self.record.databases = manifest.databases.iter().map(|database| database.name.clone()).collect();
        self.record.system_identifiers = status.system_identifiers;
    }

    /// What the file says of itself.
    pub(crate) fn take_whole(&mut self, whole: &Whole) {
        self.proof.take(&whole.proof);
        self.record.size_bytes = whole.size_bytes;
        self.record.sha256 = Some(whole.sha256.clone());
    }

    /// What became of a component.
    pub(crate) fn take(&mut self, component: Component, outcome: Outcome) {
        let about = format!("{component}: {}", outcome.proof.message());
        match outcome.proof.severity() {
            Severity::Critical | Severity::High => self.proof.refute(about),
            Severity::Unknown => self.proof.cannot_tell(about),
            Severity::Warning => self.proof.warn(about),
            Severity::Ok | Severity::Info => {}
        }
        if outcome.proof.severity() <= Severity::Warning {
            self.held.push(component);
        }
        self.record.rows.extend(outcome.rows);
        self.record.points.extend(outcome.points);
        self.record.restored_bytes += outcome.restored.map_or(0, |restored| restored.bytes);
        self.restored = self.restored.zip(outcome.restored).map(|(last, restored)| last.max(restored.ended));
    }

    /// Whether everything that was tried holds, and all that matters was tried.
    pub(crate) fn hold(&self) -> bool {
        self.proof.severity() <= Severity::Warning
    }

    /// Writes the record.
    ///
    /// # Errors
    /// As [`Run::emit`].
    pub(crate) fn write(self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let (severity, message) = (self.proof.severity(), self.proof.message());
        let restored = self.restored.filter(|_| self.record.restored_bytes > 0 && severity != Severity::Critical);
        let restore = restored.and_then(|ended| u64::try_from(ended.duration_since(self.began).as_millis()).ok());
        let Proof { proven, unproven, refuted, warnings, .. } = self.proof;
        let body = RehearseResultRecord {
            proven,
            unproven,
            refuted,
            warnings,
            restore_ms: restore,
            elapsed_ms: elapsed_ms(self.began),
            ..self.record
        };
        run.emit(severity, name_of(&self.path), message, body)
    }
}

/// The name of an archive in records.
fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// What is to stand beside an archive that was rehearsed at a time, and was read from end to end before that.
pub(crate) fn rehearsed(status: Status, at: Timestamp) -> Status {
    Status { rehearsed_at: Some(at), verified_at: Some(at), ..status }
}
