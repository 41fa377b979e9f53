//! `pso-prune` on a real deployment.

mod backup;
mod frame;
mod killed;
mod logs;
mod qdrant;
mod rows;
mod rows_locks;
mod rows_partitions;
mod rows_references;
mod rows_versions;
mod tmp;
mod vacuum;

use std::fs;
use std::path::PathBuf;

use pso_tests::pg::{Database, TempPg};
use pso_tests::tool::{Outcome, Tool};
use tempfile::TempDir;

use crate::parts::checked;

/// A database of the test's own, and a folder with a configuration.
struct Place {
    database: Database,
    folder: TempDir,
}

impl Place {
    fn new(name: &str) -> Self {
        Self::of(TempPg::shared().expect("PostgreSQL").database(name).expect("a database"))
    }

    fn of(database: Database) -> Self {
        Self { database, folder: tempfile::tempdir().expect("a folder") }
    }

    /// `pso-prune rows`, not run yet.
    fn tool(&self, args: &[&str]) -> Tool {
        Tool::new("pso-prune")
            .expect("built")
            .arg("rows")
            .args(args)
            .envs(self.database.env())
            .folder(self.folder.path())
    }

    fn prune(&self, args: &[&str]) -> Outcome {
        checked(self.tool(args))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What stands below `maintenance.prune`, each line by four blanks.
    fn configure(&self, lines: &str) {
        fs::create_dir_all(self.path("config")).expect("a folder");
        fs::write(self.path("config/config.yaml"), format!("maintenance:\n  prune:\n{lines}")).expect("written");
    }

    fn execute(&self, sql: &str) {
        self.database.execute(sql).expect("executed");
    }

    fn admin(&self, sql: &str) {
        self.database.execute_as_admin(sql).expect("executed");
    }

    fn scalar(&self, sql: &str) -> String {
        self.database.scalar(sql).expect("a value")
    }

    fn admin_scalar(&self, sql: &str) -> String {
        let mut admin = self.database.connect_as_admin().expect("connected");
        admin.query_one(&format!("SELECT ({sql})::text"), &[]).expect("a value").get(0)
    }
}

/// What the steps came to: `STEP OBJECT STATE ROWS`.
fn states(outcome: &Outcome) -> Vec<String> {
    let steps = outcome.records_of_kind("prune.step");
    let text = |step: &serde_json::Value, name: &str| step[name].as_str().unwrap_or("-").to_owned();
    let each = |step: &serde_json::Value| {
        let rows = step["rows"].as_u64().map_or_else(|| "-".to_owned(), |rows| rows.to_string());
        format!("{} {} {} {rows}", text(step, "step"), text(step, "object"), text(step, "state"))
    };
    steps.iter().map(each).collect()
}
