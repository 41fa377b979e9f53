//! What is there now, as a hash: a plan that somebody has looked at holds only as long as that is the same.

use pso_archive::Digest;
use pso_common::Run;
use pso_common::record::Component;

use crate::files::FilesPlan;
use crate::postgres::{self, PgPlan};
use crate::qdrant::QdrantPlan;
use crate::settings::Settings;
use crate::steps::Step;

/// The hash of everything, and of each part.
pub(crate) struct Present {
    archive: String,
    parts: Vec<Part>,
}

/// A database, a collection, the aliases, a folder.
struct Part {
    component: Component,
    object: String,
    hash: String,
}

impl Present {
    /// Looks at every target. No times and no names with a time are in it.
    pub(crate) fn look(
        run: &Run<'_>,
        settings: &Settings,
        archive_sha256: &str,
        databases: &[PgPlan],
        qdrant: Option<&QdrantPlan>,
        files: &[FilesPlan],
    ) -> anyhow::Result<Self> {
        let mut parts = Vec::new();
        let mut add = |component, object: String, facts: &[String]| {
            parts.push(Part { component, object, hash: hash(facts) });
        };
        for plan in databases {
            let mut facts = postgres::present(&settings.postgres, &plan.database, run.cancel())?;
            facts.push(plan.way().to_owned());
            add(Component::Postgres, plan.database.clone(), &facts);
        }
        for (object, facts) in qdrant.map(QdrantPlan::present).unwrap_or_default() {
            add(Component::Qdrant, object, &facts);
        }
        for plan in files {
            add(plan.component, plan.folder.display().to_string(), &plan.present());
        }
        Ok(Self { archive: archive_sha256.to_owned(), parts })
    }

    /// The hash of the whole.
    pub(crate) fn hash(&self) -> String {
        let parts =
            self.parts.iter().flat_map(|part| [part.component.to_string(), part.object.clone(), part.hash.clone()]);
        let facts: Vec<String> =
            ["pso-restore plan 1".to_owned(), self.archive.clone()].into_iter().chain(parts).collect();
        hash(&facts)
    }

    /// The hash of what a step changes.
    pub(crate) fn hash_of(&self, step: &Step) -> Option<String> {
        let part = self.parts.iter().find(|part| Some(part.component) == step.component && part.object == step.object);
        part.map(|part| part.hash.clone())
    }

    /// The archive and the parts, with the beginning of their hashes.
    pub(crate) fn parts(&self) -> String {
        let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_owned();
        let parts = self.parts.iter().map(|part| format!("{}:{} {}", part.component, part.object, short(&part.hash)));
        std::iter::once(format!("archive {}", short(&self.archive))).chain(parts).collect::<Vec<_>>().join(", ")
    }
}

/// One hash over some texts; their lengths are in it, so that no other division gives the same.
fn hash(facts: &[String]) -> String {
    let mut digest = Digest::default();
    for fact in facts {
        digest.update(&(fact.len() as u64).to_le_bytes());
        digest.update(fact.as_bytes());
    }
    digest.finish().1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_and_so_does_where_one_ends() {
        let present = |archive: &str, hashes: &[&str]| {
            let part =
                |hash: &&str| Part { component: Component::Plans, object: "p".to_owned(), hash: (*hash).to_owned() };
            Present { archive: archive.to_owned(), parts: hashes.iter().map(part).collect() }.hash()
        };
        let all = [present("a", &["1"]), present("b", &["1"]), present("a", &["2"]), present("a", &["1", "1"])];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 64);
            assert!(!all[..at].contains(one), "{at}");
        }
        let texts = |list: &[&str]| hash(&list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_ne!(texts(&["ab", "c"]), texts(&["a", "bc"]));
    }
}
