//! The vector store: its optimiser runs, and what killed backups have left on its disk goes.

mod optimise;
mod snapshots;

use std::time::Duration;

use anyhow::Context as _;
use pso_archive::wanted;
use pso_common::Run;
use pso_common::config::{Config, Field};
use pso_common::qdrant::QdrantClient;
use pso_common::run::Confirmed;
use serde::Deserialize;

use crate::cleaning::Plan;
use crate::settings::Settings;
use crate::step::Step;

use optimise::Optimise;
use snapshots::Leftovers;

/// `maintenance.prune.qdrant`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QdrantSection {
    wait: Field,
}

/// How long a collection may take until it is green.
pub(crate) fn wait(config: &Config, section: &QdrantSection) -> anyhow::Result<Duration> {
    config.pick("maintenance.prune.qdrant.wait").file(&section.wait).or(Duration::from_secs(600))
}

/// Finds out which collections there are, and what lies beside them that is ours.
///
/// # Errors
/// When the server does not answer.
pub(crate) fn plan(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<Box<dyn Plan>> {
    let client = QdrantClient::new(&settings.qdrant);
    let context = || format!("look at Qdrant at {}", client.shown_url());
    let mut collections = Vec::new();
    for name in client.collections().with_context(context)? {
        run.cancel().check()?;
        collections.push(Optimise::plan(&client, name).with_context(context)?);
    }
    let mut leftovers = Vec::new();
    for folder in wanted::folders(&settings.paths) {
        leftovers.extend(Leftovers::plan(run, &client, folder).with_context(context)?);
    }
    Ok(Box::new(QdrantPlan { client, collections, leftovers }))
}

struct QdrantPlan {
    client: QdrantClient,
    collections: Vec<Optimise>,
    leftovers: Vec<Leftovers>,
}

impl Plan for QdrantPlan {
    fn steps(&self) -> Vec<Step> {
        let leftovers = self.leftovers.iter().flat_map(Leftovers::steps);
        leftovers.chain(self.collections.iter().map(Optimise::step)).collect()
    }

    fn apply(self: Box<Self>, run: &mut Run<'_>, settings: &Settings, _consent: &Confirmed) -> anyhow::Result<()> {
        for leftovers in &self.leftovers {
            run.cancel().check()?;
            leftovers.remove(run, &self.client)?;
        }
        for collection in &self.collections {
            run.cancel().check()?;
            collection.apply(run, &self.client, settings.qdrant_wait)?;
        }
        Ok(())
    }
}
