//! The database: one snapshot, in which rows are counted and which `pg_dump` dumps.

use std::collections::BTreeMap;
use std::io::{Read as _, Write};
use std::time::Duration;

use anyhow::Context as _;
use pso_archive::{ArchiveWriter, Database, NewEntry, Packing, Running, command, count_rows, encoded};
use pso_common::Timestamp;
use pso_common::io::{Cancel, Env};
use pso_common::postgres::{Client, PgSettings, Program, Purpose, connect, find_program};
use pso_common::record::Component;

const APPLICATION: &str = "pso-backup";
/// How long `pg_dump` waits for a table that somebody has locked.
const LOCK_WAIT: &str = "--lock-wait-timeout=30000";

/// A database that can be reached, and a `pg_dump` that fits it.
pub(crate) struct PgSource {
    client: Client,
    settings: PgSettings,
    program: Program,
    stall: Duration,
    facts: Facts,
}

struct Facts {
    server_version: String,
    server_version_num: u32,
    system_identifier: Option<String>,
    owner: String,
    encoding: String,
    collate: String,
    ctype: String,
    locale_provider: String,
    locale: Option<String>,
}

/// What was captured.
pub(crate) struct Captured {
    pub(crate) database: Database,
    pub(crate) server_version: String,
    pub(crate) pg_dump_version: String,
    pub(crate) size: u64,
}

impl PgSource {
    /// Looks whether the database can be dumped; changes and holds nothing yet.
    pub(crate) fn open(settings: &PgSettings, stall: Duration, env: &Env) -> anyhow::Result<Self> {
        let mut client = connect(settings, APPLICATION, Purpose::Work)?;
        let facts = facts(&mut client).with_context(|| format!("look at the database {}", settings.dbname))?;
        let program = find_program("pg_dump", facts.server_version_num / 10_000, settings.bin_dir.as_deref(), env)?;
        Ok(Self { client, settings: settings.clone(), program, stall, facts })
    }

    /// Counts and dumps.
    pub(crate) fn capture(
        mut self,
        archive: &mut ArchiveWriter,
        at: Timestamp,
        env: &Env,
        cancel: &Cancel,
    ) -> anyhow::Result<Captured> {
        let name = self.settings.dbname.clone();
        let (snapshot, rows) = self.begin(cancel).with_context(|| format!("count the rows of the database {name}"))?;
        let new = NewEntry {
            name: format!("postgres/{}.dump", encoded(&name)),
            component: Component::Postgres,
            source: self.settings.shown(),
            captured_at: at,
            modified_at: None,
            mode: None,
            // pg_dump's own format is compressed already.
            packing: Packing::Store,
        };
        let (entry, ()) = archive
            .add(new, |out| self.dump(&snapshot, out, env, cancel))
            .with_context(|| format!("dump the database {name}"))?;
        // The session held the snapshot; nothing was changed in it.
        self.client.batch_execute("ROLLBACK").context("end the snapshot")?;
        let facts = self.facts;
        Ok(Captured {
            size: entry.size,
            database: Database {
                name,
                entry: entry.name,
                server_version_num: facts.server_version_num,
                system_identifier: facts.system_identifier,
                owner: facts.owner,
                encoding: facts.encoding,
                collate: facts.collate,
                ctype: facts.ctype,
                locale_provider: facts.locale_provider,
                locale: facts.locale,
                rows,
                captured_at: at,
            },
            server_version: facts.server_version,
            pg_dump_version: self.program.version,
        })
    }

    /// Takes the snapshot and counts in it. Counting first leaves a lock on every table until the dump is done: a
    /// TRUNCATE or DROP in between, which no snapshot protects from, has to wait.
    fn begin(&mut self, cancel: &Cancel) -> anyhow::Result<(String, BTreeMap<String, u64>)> {
        self.client.batch_execute(
            // With row security a count would be smaller than the table; off, it is an error instead.
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off",
        )?;
        let snapshot: String = self.client.query_one("SELECT pg_catalog.pg_export_snapshot()", &[])?.get(0);
        let rows = count_rows(&mut self.client, cancel)?;
        Ok((snapshot, rows))
    }

    fn dump(&self, snapshot: &str, out: &mut dyn Write, env: &Env, cancel: &Cancel) -> anyhow::Result<()> {
        let mut command = command(&self.program, Some((&self.settings, APPLICATION)), env);
        command.args(["--format=custom", "--no-password", LOCK_WAIT]).arg(format!("--snapshot={snapshot}"));
        let mut running = Running::start(command, cancel, Some(self.stall))?;
        let mut stdout = running.take_stdout().context("pg_dump has no output")?;
        let mut chunk = vec![0; 256 << 10];
        loop {
            match stdout.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => {
                    running.beat();
                    out.write_all(&chunk[..read])?;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("read from pg_dump"),
            }
        }
        running.finish()
    }
}

fn facts(client: &mut Client) -> anyhow::Result<Facts> {
    // Most roles may not read it, and outside of a transaction the refusal costs nothing.
    let system_identifier = client.query_one(include_str!("../queries/system_identifier.sql"), &[]).ok();
    let row = client.query_one(include_str!("../queries/database.sql"), &[])?;
    Ok(Facts {
        server_version: row.get("server_version"),
        server_version_num: u32::try_from(row.get::<_, i32>("server_version_num"))?,
        system_identifier: system_identifier.map(|row| row.get(0)),
        owner: row.get("owner"),
        encoding: row.get("encoding"),
        collate: row.get("collate"),
        ctype: row.get("ctype"),
        locale_provider: row.get("locale_provider"),
        locale: row.get("locale"),
    })
}
