//! The files: unpacked, compared, and read as what their names say.
//!
//! What restores byte by byte can be restored, whatever is in it: a plan that is not UTF-8 was none when it was backed up. It is
//! told as a warning, since whoever needs it then can do nothing with it.

mod content;
mod unpack;

use std::time::Instant;

use pso_archive::Entry;
use pso_common::record::Component;

use crate::proof::Proof;
use crate::scratch;
use crate::task::{Outcome, Restored, Task};
use content::Odd;

/// So many are named; of the rest there is a number.
const NAMED: usize = 3;

/// Restores the files of one component into the task's folder.
///
/// # Errors
/// When nobody can tell whether they can be restored.
pub(crate) fn rehearse(task: &mut Task<'_>, component: Component) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let mut outcome = Outcome::default();
    let entries: Vec<Entry> = task.archive.manifest().entries_of(component).cloned().collect();
    task.progress(format!("unpacking {} files of {component}", entries.len()));
    scratch::ensure_room(&task.folder, scratch::needed(task.archive.manifest(), &[component]))?;
    let (mut bytes, mut damaged) = (0, Vec::new());
    let mut odd: Vec<(Odd, &str)> = Vec::new();
    for entry in &entries {
        task.cancel.check()?;
        match unpack::unpack(&mut task.archive, entry, &task.folder, task.cancel)? {
            Ok(content) => odd
                .extend(content::look(component, &entry.name, content.as_deref()).map(|is| (is, entry.name.as_str()))),
            Err(damage) => damaged.push(damage),
        }
        bytes += entry.size;
    }
    outcome.restored = Some(Restored { began, ended: Instant::now(), bytes });
    tell(&mut outcome.proof, component, entries.len(), damaged, &odd);
    Ok(outcome)
}

fn tell(proof: &mut Proof, component: Component, files: usize, damaged: Vec<String>, odd: &[(Odd, &str)]) {
    let is_whole = damaged.is_empty();
    damaged.into_iter().for_each(|damage| proof.refute(damage));
    if is_whole {
        proof.prove(format!("{} of {component} unpacked and has the manifest's SHA-256", counted(files)));
    }
    for kind in Odd::ALL {
        let names: Vec<&str> = odd.iter().filter(|(is, _)| *is == kind).map(|(_, name)| *name).collect();
        if !names.is_empty() {
            let text = format!("{}: {}", kind.told(), listed(&names));
            if kind == Odd::NotRead { proof.leave(text) } else { proof.warn(text) }
        }
    }
    let (what, kinds) = match component {
        Component::Config => ("parses as YAML or JSON", &[Odd::NotYaml, Odd::NotJson, Odd::NotUtf8, Odd::NotRead][..]),
        Component::Plans => ("is UTF-8", &[Odd::NotUtf8, Odd::NotRead][..]),
        Component::Postgres | Component::Qdrant | Component::Scripts => return,
    };
    if is_whole && files > 0 && !odd.iter().any(|(is, _)| kinds.contains(is)) {
        proof.prove(format!("each text among them {what}"));
    }
}

fn counted(files: usize) -> String {
    match files {
        1 => "the 1 file".to_owned(),
        files => format!("each of {files} files"),
    }
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).map(|name| pso_common::output::printable(name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_is_named_once_with_a_number() {
        let mut proof = Proof::default();
        let odd = ["plans/a.md", "plans/b\u{1b}.md", "plans/c.md", "plans/d.md", "plans/e.md"]
            .map(|name| (Odd::NotUtf8, name));
        tell(&mut proof, Component::Plans, 9, Vec::new(), &odd);
        assert_eq!(proof.proven, ["each of 9 files of plans unpacked and has the manifest's SHA-256"]);
        assert_eq!(proof.warnings.len(), 1);
        assert!(
            proof.warnings[0].ends_with("plans/c.md and 2 more") && !proof.warnings[0].contains('\u{1b}'),
            "{proof:?}"
        );
        let mut proof = Proof::default();
        tell(&mut proof, Component::Config, 1, vec!["config/a.yaml: bad".to_owned()], &[]);
        assert_eq!((proof.proven.len(), proof.refuted.len()), (0, 1));
    }
}
