//! A deployment with everything that a backup takes, and what of it must be the same again.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pso_tests::deployment::{self, Spec};
use pso_tests::fingerprint::{self, Fingerprint};
use pso_tests::pg::{Database, TempPg};
use pso_tests::proxy::TcpProxy;
use pso_tests::qdrant::TempQdrant;
use pso_tests::schema;
use pso_tests::service::Service;
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A deployment of the test's own.
pub(crate) struct Parts {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
    pub(crate) qdrant: TempQdrant,
    pub(crate) service: Service,
}

/// Everything that a backup takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Content {
    pub(crate) rows: Fingerprint,
    pub(crate) schema: Fingerprint,
    pub(crate) points: Fingerprint,
    pub(crate) files: Vec<Fingerprint>,
}

impl Content {
    #[track_caller]
    pub(crate) fn assert_same(&self, now: &Self) {
        self.rows.assert_same(&now.rows);
        self.schema.assert_same(&now.schema);
        self.points.assert_same(&now.points);
        for (before, now) in self.files.iter().zip(&now.files) {
            before.assert_same(now);
        }
    }
}

impl Parts {
    pub(crate) fn start(name: &str) -> Self {
        let database = TempPg::shared().expect("PostgreSQL").database(name).expect("a database");
        let qdrant = TempQdrant::start().expect("Qdrant");
        let service = Service::start().expect("the service");
        let folder = tempfile::tempdir().expect("a folder");
        let spec = Spec::small(time::OffsetDateTime::now_utc())
            .with_database(&database)
            .with_qdrant(&qdrant)
            .with_service(&service);
        deployment::write_files(folder.path(), &spec).expect("files");
        deployment::fill_database(&mut database.connect().expect("connected"), &spec).expect("rows");
        deployment::fill_qdrant(&qdrant.client(), &spec).expect("points");
        Self { folder, database, qdrant, service }
    }

    pub(crate) fn tool(&self, name: &str, args: &[&str]) -> Tool {
        Tool::new(name).expect("built").args(args).folder(self.folder.path())
    }

    pub(crate) fn backup(&self, args: &[&str]) -> Outcome {
        checked(self.tool("pso-backup", args))
    }

    pub(crate) fn restore(&self, args: &[&str]) -> Outcome {
        checked(self.tool("pso-restore", args))
    }

    /// A backup that must succeed; the archive.
    pub(crate) fn archive(&self) -> PathBuf {
        let outcome = self.backup(&[]);
        outcome.assert_code(0);
        let records = outcome.records_of_kind("backup.archive");
        let archive = records.last().expect("an archive");
        self.folder.path().join(archive["path"].as_str().expect("a path"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn content(&self) -> Content {
        let mut client = self.database.connect().expect("connected");
        let files = ["config", "scripts", "roadmaps/plans"].map(|name| self.path(name));
        // A folder that is not there has no files.
        let files =
            files.map(|path| if path.exists() { fingerprint::files(&path) } else { Ok(Fingerprint::default()) });
        Content {
            rows: fingerprint::tables(&mut client).expect("rows"),
            schema: fingerprint::schema(&mut client).expect("definitions"),
            points: fingerprint::points(&self.qdrant.client()).expect("points"),
            files: files.into_iter().map(|files| files.expect("files")).collect(),
        }
    }

    /// Loses a table, rows, a collection, points and plans; changes a script and the configuration.
    pub(crate) fn damage(&self) {
        self.database
            .execute("DROP TABLE tasks CASCADE; DELETE FROM conflicts; DROP VIEW unresolved_conflicts")
            .expect("damaged");
        let client = self.qdrant.client();
        assert!(client.delete_collection("plans").expect("deleted"));
        let delete = serde_json::json!({"filter": {}});
        client.result("POST", "/collections/tasks/points/delete?wait=true", Some(&delete)).expect("deleted");
        assert_eq!(client.count("tasks").expect("a count"), 0);
        fs::remove_dir_all(self.path("roadmaps/plans")).expect("removed");
        fs::write(self.path("scripts/backup-daily.ps1"), "rm -rf /").expect("written");
        let alerts = self.path("config/alerts.yaml");
        fs::write(&alerts, "alerts: {}\n").expect("written");
    }

    /// What lies in the folder of the daily archives, the lock file aside.
    pub(crate) fn daily(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("backups/daily"))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .filter(|name| name != ".pso-backup.lock")
            .collect();
        names.sort();
        names
    }

    /// Nothing of a failed backup is left anywhere.
    #[track_caller]
    pub(crate) fn assert_no_trace(&self, before: &[String]) {
        assert_eq!(self.daily(), before);
        let client = self.qdrant.client();
        for collection in client.collections().expect("collections") {
            assert_eq!(client.snapshots(&collection).expect("snapshots"), [""; 0], "{collection}");
        }
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pso-%' AND pid <> pg_backend_pid()";
        wait::until("our sessions to end", LIMIT, || {
            (self.database.scalar(sessions).expect("sessions") == "0").then_some(())
        })
        .expect("no session is left");
    }

    /// Adds a line of YAML below `maintenance:`.
    pub(crate) fn configure(&self, line: &str) {
        self.reconfigure("\nmaintenance:\n", &format!("\nmaintenance:\n  {line}\n"));
    }

    /// Replaces a piece of the configuration.
    pub(crate) fn reconfigure(&self, from: &str, to: &str) {
        let path = self.path("config/config.yaml");
        let text = fs::read_to_string(&path).expect("readable");
        assert!(text.contains(from), "{from} is not in {text}");
        fs::write(&path, text.replace(from, to)).expect("written");
    }

    pub(crate) fn last_log(&self) -> Value {
        let text = fs::read_to_string(self.path("logs/backup.log")).expect("a log");
        serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
    }

    /// The environment that lets a tool reach PostgreSQL through `proxy`.
    pub(crate) fn through(&self, proxy: &TcpProxy) -> Vec<(String, String)> {
        let mut env = self.database.env();
        env.push(("PGPORT".to_owned(), proxy.port().to_string()));
        env.retain(|(name, value)| name != "PGPORT" || *value == proxy.port().to_string());
        env
    }

    /// More than a second of dump for a slow line.
    pub(crate) fn fatten(&self) {
        let sql = "CREATE TABLE fat AS SELECT n, md5(n::text) || md5((n * 7)::text) AS text FROM generate_series(1, 60000) AS n";
        self.database.execute(sql).expect("filled");
    }
}

/// A deployment on a server of its own, whose role may create databases.
pub(crate) fn on_own_server(name: &str) -> (TempPg, Parts) {
    let pg = TempPg::start_new().expect("PostgreSQL");
    let database = pg.database("planning_sync").expect("a database");
    let parts = Parts { database, ..Parts::start(name) };
    let spec = Spec::small(time::OffsetDateTime::now_utc());
    deployment::fill_database(&mut parts.database.connect().expect("connected"), &spec).expect("rows");
    pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
    (pg, parts)
}

/// Runs a tool, and holds its records against the contract.
pub(crate) fn checked(tool: Tool) -> Outcome {
    let outcome = tool.run().expect("ends");
    if outcome.stdout.starts_with(b"{") {
        for record in outcome.records() {
            schema::conforms(&record).unwrap_or_else(|error| panic!("{error:#}\n{outcome}"));
        }
    }
    outcome
}

pub(crate) fn states(outcome: &Outcome, state: &str) -> Vec<String> {
    let steps = outcome.records_of_kind("restore.step");
    let of_state = steps.iter().filter(|step| step["state"] == state);
    of_state
        .map(|step| format!("{} {}", step["step"].as_str().unwrap_or(""), step["name"].as_str().unwrap_or("")))
        .collect()
}

pub(crate) fn flip(path: &Path, at: u64) {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(path).expect("opened");
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut byte)).expect("read");
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(&[byte[0] ^ 1])).expect("written");
}

impl Parts {
    #[track_caller]
    pub(crate) fn assert_no_trace_of_restore(&self) {
        let left: Vec<String> =
            walk(&self.path(".pso-restore")).into_iter().filter(|path| !path.ends_with("/lock")).collect();
        assert_eq!(left, [""; 0]);
        let client = self.qdrant.client();
        for collection in client.collections().expect("collections") {
            assert_eq!(client.snapshots(&collection).expect("snapshots"), [""; 0], "{collection}");
        }
    }
}

pub(crate) fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path().display().to_string());
        }
    }
    found
}
