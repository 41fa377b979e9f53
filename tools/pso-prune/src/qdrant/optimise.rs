//! The optimiser of one collection.
//!
//! The call of the maintenance procedures, `POST /collections/NAME/index`, does not exist: a server answers 404. A change of
//! the configuration that changes nothing makes the optimiser look at the collection.

use std::thread;
use std::time::{Duration, Instant};

use pso_common::config::ConfigValue as _;
use pso_common::io::Cancel;
use pso_common::qdrant::{CollectionInfo, QdrantClient, QdrantError};
use pso_common::record::{PrunePart, StepState};
use pso_common::{Run, Severity};

use crate::step::Step;

/// Between two looks at it.
const STEP: Duration = Duration::from_millis(200);
/// The optimiser may not have begun yet when it is green once.
const LOOKS: u32 = 2;

/// A collection as it was planned.
pub(super) struct Optimise {
    name: String,
    before: CollectionInfo,
}

/// How waiting for it has ended.
enum Waited {
    Green(CollectionInfo),
    /// The optimiser has failed, or the collection has.
    Broken(String),
    /// What it was when the time was over.
    Still(CollectionInfo),
}

impl Optimise {
    pub(super) fn plan(client: &QdrantClient, name: String) -> Result<Self, QdrantError> {
        Ok(Self { before: client.info(&name)?, name })
    }

    pub(super) fn step(&self) -> Step {
        let said = format!("{}, {} segments", self.before.status, self.before.segments_count);
        Step::new(PrunePart::Qdrant, "optimise", self.name.as_str()).says(Severity::Ok, said)
    }

    pub(super) fn apply(&self, run: &mut Run<'_>, client: &QdrantClient, wait: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        run.progress(format_args!("the optimiser of {}", self.name));
        let waited = client.optimise(&self.name).and_then(|()| self.waited(client, wait, run.cancel()));
        run.cancel().check()?;
        let (state, severity, said) = match waited {
            Ok(Waited::Green(after)) => {
                let said =
                    format!("green; segments: {} before, {} after", self.before.segments_count, after.segments_count);
                (StepState::Done, Severity::Ok, said)
            }
            Ok(Waited::Broken(said)) => (StepState::Failed, Severity::High, said),
            Ok(Waited::Still(now)) => (StepState::Failed, Severity::Warning, still(&now, wait)),
            Err(error) if error.is_not_found() => {
                (StepState::Skipped, Severity::Ok, "the collection is gone".to_owned())
            }
            Err(error) => (StepState::Failed, Severity::High, error.to_string()),
        };
        self.step().says(severity, said).emit(run, state, Some(started))
    }

    fn waited(&self, client: &QdrantClient, wait: Duration, cancel: &Cancel) -> Result<Waited, QdrantError> {
        let until = Instant::now() + wait;
        let mut green = 0;
        loop {
            let now = client.info(&self.name)?;
            if let Some(reason) = broken(&now) {
                return Ok(Waited::Broken(reason));
            }
            green = if now.status == "green" { green + 1 } else { 0 };
            if green >= LOOKS {
                return Ok(Waited::Green(now));
            }
            if Instant::now() >= until || cancel.is_cancelled() {
                return Ok(Waited::Still(now));
            }
            thread::sleep(STEP);
        }
    }
}

/// Why a collection cannot become green; `None` while it can.
fn broken(now: &CollectionInfo) -> Option<String> {
    let is_broken = now.status == "red" || now.optimizer_status.is_object();
    let reason = now.optimizer_status.get("error").and_then(|error| error.as_str());
    let reason = reason.unwrap_or("Qdrant gives no reason; see its log");
    is_broken.then(|| format!("the collection is {}, and its optimiser has stopped: {reason}", now.status))
}

/// What a collection that is not green is at: <https://qdrant.tech/documentation/concepts/collections/>
fn still(now: &CollectionInfo, wait: Duration) -> String {
    let at = match now.status.as_str() {
        "yellow" => "the optimiser is still at it, and goes on by itself",
        "grey" => "the optimiser waits for a change to begin, as after a restart",
        _ => "it has only just become so",
    };
    format!(
        "{} after {} (maintenance.prune.qdrant.wait): {at}; {} segments now",
        now.status,
        wait.show(),
        now.segments_count
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(text: &str) -> CollectionInfo {
        serde_json::from_str(text).expect("an answer")
    }

    #[test]
    fn what_is_not_green_is_told() {
        // `optimizer_status` as Qdrant's OpenAPI has it: `ok`, or an object with the error.
        let red = info(r#"{"status":"red","optimizer_status":{"error":"disk full"},"segments_count":8,"config":{}}"#);
        assert_eq!(broken(&red).as_deref(), Some("the collection is red, and its optimiser has stopped: disk full"));
        let failed = info(r#"{"status":"green","optimizer_status":{"error":"no memory"},"config":{}}"#);
        assert!(broken(&failed).is_some_and(|reason| reason.ends_with("no memory")));
        let yellow = info(r#"{"status":"yellow","optimizer_status":"ok","segments_count":8,"config":{}}"#);
        assert_eq!(broken(&yellow), None);
        let said = still(&yellow, Duration::from_secs(600));
        assert!(said.starts_with("yellow after 10m") && said.ends_with("goes on by itself; 8 segments now"), "{said}");
        let grey = info(r#"{"status":"grey","optimizer_status":"ok","config":{}}"#);
        assert!(still(&grey, Duration::ZERO).contains("waits for a change to begin"));
    }
}
