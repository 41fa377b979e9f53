//! The files: unpacked and compared, and whether they are what their names say.

use std::io::Read as _;
use std::time::Instant;

use anyhow::Context as _;
use pso_archive::Entry;
use pso_common::record::Component;

use crate::proof::Proof;
use crate::task::{Outcome, Restored, Task};

/// A file longer than this is unpacked and compared, and not looked into (bytes).
const LOOKED_INTO: u64 = 16 << 20;

/// Restores the files of one component into the task's folder.
///
/// # Errors
/// When nobody can tell whether they can be restored.
pub(crate) fn rehearse(task: &mut Task<'_>, component: Component) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let mut outcome = Outcome::default();
    let entries: Vec<Entry> = task.archive.manifest().entries_of(component).cloned().collect();
    let mut bytes = 0;
    for entry in &entries {
        task.cancel.check()?;
        let content = unpack(task, entry)?;
        bytes += entry.size;
        if let Some(fault) = content.and_then(|content| fault_of(component, &entry.name, &content)) {
            outcome.proof.refute(fault);
        }
    }
    outcome.restored = Some(Restored { began, ended: Instant::now(), bytes });
    prove(&mut outcome.proof, component, entries.len());
    Ok(outcome)
}

fn prove(proof: &mut Proof, component: Component, files: usize) {
    if !proof.is_refuted() {
        proof.prove(format!("{files} files of {component} unpack and have the manifest's SHA-256"));
    }
}

/// Its content, where it is short enough to be looked into.
fn unpack(task: &mut Task<'_>, entry: &Entry) -> anyhow::Result<Option<Vec<u8>>> {
    let mut reader = task.archive.entry(&entry.name)?;
    let mut content = Vec::new();
    (&mut reader).take(LOOKED_INTO + 1).read_to_end(&mut content).with_context(|| format!("unpack {}", entry.name))?;
    reader.finish(task.cancel)?;
    Ok(Some(content).filter(|content| content.len() as u64 <= LOOKED_INTO))
}

/// What is wrong with a file's content.
fn fault_of(component: Component, name: &str, content: &[u8]) -> Option<String> {
    match component {
        Component::Plans if name.ends_with(".md") => {
            std::str::from_utf8(content).err().map(|error| format!("{name} is not UTF-8: {error}"))
        }
        _ => None,
    }
}
