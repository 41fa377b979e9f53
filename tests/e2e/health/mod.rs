//! `pso-health` against real servers, on this machine itself, and against every kind of broken one.

mod broken;
mod formats;
mod local;
mod postgres;
mod rounds;
mod servers;
mod targets;
mod tls;

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use pso_tests::pg::{Database, TempPg};
use pso_tests::qdrant::{Point, TempQdrant};
use pso_tests::service::Service;
use pso_tests::tool::{Outcome, Tool};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The checks of the servers: what this machine itself is like is for [`local`].
const CHECKS: &str = "service,metrics,postgres,qdrant";

/// The machine's own disk may be fuller than the specification likes.
const CONFIG: &str = "maintenance: {health: {limits: {disk_usage: 100}}}\n";

/// What is to be looked at: a service of the test's own, a database of its own, and the store that all tests share.
struct Parts {
    service: Service,
    database: Database,
    folder: TempDir,
}

impl Parts {
    fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("config")).expect("a folder");
        fs::write(folder.path().join("config/config.yaml"), CONFIG).expect("written");
        let database = TempPg::shared().expect("PostgreSQL").database(name).expect("a database");
        Self { service: Service::start().expect("a port"), database, folder }
    }

    fn alerts(&self, text: &str) {
        fs::write(self.folder.path().join("config/alerts.yaml"), text).expect("written");
    }

    fn tool(&self) -> Tool {
        self.tool_at(&self.service.url())
    }

    /// The tool with another service.
    fn tool_at(&self, service_url: &str) -> Tool {
        Tool::new("pso-health")
            .expect("built")
            .args(["--service-url", service_url, "--qdrant-url", &store().url()])
            .env("PSO_HEALTH_CHECKS", CHECKS)
            .envs(self.database.env())
            .folder(self.folder.path())
    }

    fn run(&self) -> Outcome {
        self.tool().run().expect("ends")
    }
}

fn store() -> &'static TempQdrant {
    static STORE: OnceLock<TempQdrant> = OnceLock::new();
    STORE.get_or_init(|| {
        let store = TempQdrant::start().expect("a vector store");
        let client = store.client();
        for (name, count) in [("plans", 3u64), ("tasks", 0)] {
            client.create_collection(name, 4).expect("created");
            let point = |number| Point { id: json!(number), vector: vec![1.0, 0.5, 0.25, 0.125], payload: json!({}) };
            client.upsert(name, &(1..=count).map(point).collect::<Vec<_>>()).expect("upserted");
            client.wait_green(name, Duration::from_secs(30)).expect("green");
        }
        store
    })
}

/// Kind and name of every record between start and end.
fn names(outcome: &Outcome) -> Vec<(String, String)> {
    let text = |record: &Value, key: &str| record[key].as_str().expect("a text").to_owned();
    let records = outcome.records();
    records[1..records.len() - 1].iter().map(|record| (text(record, "kind"), text(record, "name"))).collect()
}
