//! Whether an archive still is what was noted of it, before another one goes because of it. What was noted may be old:
//! a disk forgets in silence.

use std::path::Path;

use pso_archive::catalog::Listed;
use pso_archive::verify::{Depth, Sidecar, verify, verify_file};
use pso_archive::{Archive, Identities, Status};
use pso_common::io::Cancel;

use crate::record::name_of;

/// What is known besides the notes.
pub(crate) struct Trust<'a> {
    /// The keys to encrypted archives, where there are any; without one only their hash is compared.
    pub(crate) identities: Identities,
    /// An archive that was read back just now.
    pub(crate) proven: Option<&'a Path>,
}

impl Trust<'_> {
    pub(super) fn is_proven(&self, archive: &Listed) -> bool {
        self.proven.is_some_and(|proven| name_of(proven) == name_of(&archive.path))
    }

    /// Why an archive does not count as good, whatever was noted; `None` when it does. Reads all of it.
    ///
    /// # Errors
    /// When the run is to stop.
    pub(super) fn doubt(&self, archive: &Listed, cancel: &Cancel) -> anyhow::Result<Option<String>> {
        let doubt = if archive.encrypted { self.sealed(archive, cancel) } else { opened(archive, self, cancel) };
        // A run that is to stop has not found damage.
        cancel.check()?;
        Ok(doubt.unwrap_or_else(|error| Some(format!("{error:#}"))))
    }

    fn sealed(&self, archive: &Listed, cancel: &Cancel) -> anyhow::Result<Option<String>> {
        if !self.identities.is_empty() && Archive::open_with(&archive.path, &self.identities).is_ok() {
            return opened(archive, self, cancel);
        }
        let (_, sha256, sidecar) = verify_file(&archive.path, cancel)?;
        Ok(match sidecar {
            Sidecar::Differs(reason) => Some(reason),
            Sidecar::Matches | Sidecar::Absent | Sidecar::NotLooked => Status::read(&archive.path)
                .is_none_or(|status| status.sha256 != sha256)
                .then(|| "its hash is not the one that was noted when it was made".to_owned()),
        })
    }
}

fn opened(archive: &Listed, trust: &Trust<'_>, cancel: &Cancel) -> anyhow::Result<Option<String>> {
    let mut open = Archive::open_with(&archive.path, &trust.identities)?;
    let report = verify(&mut open, Depth::Packed, cancel)?;
    let is_as_noted = Status::read(&archive.path).is_some_and(|status| status.agrees_with(open.manifest()));
    let other = (!is_as_noted).then(|| "the .json file beside it says something else than its manifest".to_owned());
    Ok(report.summary().or(other))
}
