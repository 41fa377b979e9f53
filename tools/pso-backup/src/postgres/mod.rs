//! The databases: of each one snapshot, in which rows are counted and which `pg_dump` dumps.

mod globals;

use std::collections::BTreeMap;
use std::io::{Read as _, Write};
use std::time::Duration;

use anyhow::Context as _;
use pso_archive::{ArchiveWriter, Database, NewEntry, Packing, Running, command, count_rows, encoded};
use pso_common::Run;
use pso_common::io::{Cancel, Env};
use pso_common::postgres::{Client, PgSettings, Program, Purpose, connect, find_program};
use pso_common::record::Component;

use crate::cli::{Compression, Globals};
use crate::progress::Progress;
use crate::settings::Settings;

const APPLICATION: &str = "pso-backup";
/// How long `pg_dump` waits for a table that somebody has locked.
const LOCK_WAIT: &str = "--lock-wait-timeout=30000";

/// Databases that can be reached, and a `pg_dump` that fits them.
pub(crate) struct PgSource {
    databases: Vec<Open>,
    program: Program,
    stall: Duration,
    compression: Compression,
    globals: Globals,
}

/// One of them.
struct Open {
    client: Client,
    settings: PgSettings,
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
    pub(crate) databases: Vec<Database>,
    /// The entry with the cluster's roles and tablespaces.
    pub(crate) globals: Option<String>,
    /// Why there is none, where it was wanted.
    pub(crate) no_globals: Option<String>,
    pub(crate) server_version: String,
    pub(crate) pg_dump_version: String,
    pub(crate) entries: u64,
    pub(crate) size: u64,
}

impl PgSource {
    /// Looks whether the databases can be dumped; changes and holds nothing yet.
    pub(crate) fn open(settings: &Settings, env: &Env) -> anyhow::Result<Self> {
        let mut databases = Vec::new();
        for name in &settings.databases {
            let settings = settings.postgres.with_dbname(name);
            let mut client = connect(&settings, APPLICATION, Purpose::Work)?;
            let facts = facts(&mut client).with_context(|| format!("look at the database {name}"))?;
            databases.push(Open { client, settings, facts });
        }
        let major = databases.iter().map(|open| open.facts.server_version_num / 10_000).max().unwrap_or_default();
        let program = find_program("pg_dump", major, settings.postgres.bin_dir.as_deref(), env)?;
        let (stall, compression, globals) = (settings.stall_timeout, settings.compression, settings.globals);
        Ok(Self { databases, program, stall, compression, globals })
    }

    /// Counts and dumps, one database after the other.
    pub(crate) fn capture(self, archive: &mut ArchiveWriter, run: &mut Run<'_>) -> anyhow::Result<Captured> {
        let Self { databases: opened, program, stall, compression, globals } = self;
        let dump = Dump { program: &program, stall, packing: compression.packing() };
        let mut captured = Captured {
            databases: Vec::new(),
            globals: None,
            no_globals: None,
            server_version: String::new(),
            pg_dump_version: program.version.clone(),
            entries: 0,
            size: 0,
        };
        let cluster = opened.first().map(|open| open.settings.clone());
        for open in opened {
            captured.server_version.clone_from(&open.facts.server_version);
            let (database, size) = open.capture(&dump, archive, run)?;
            captured.databases.push(database);
            captured.size += size;
        }
        if let Some(settings) = cluster.filter(|_| globals != Globals::No) {
            match globals::read(&settings, &program, stall, run) {
                Ok(text) => {
                    let entry = globals::add(&settings, &text, dump.packing, archive, run)?;
                    captured.size += entry.size;
                    captured.globals = Some(entry.name);
                }
                Err(error) => {
                    run.cancel().check()?;
                    let error = error.context("read the roles and tablespaces (maintenance.backup.globals)");
                    if globals == Globals::Yes {
                        return Err(error);
                    }
                    captured.no_globals = Some(format!("{error:#}"));
                }
            }
        }
        captured.entries = captured.databases.len() as u64 + u64::from(captured.globals.is_some());
        Ok(captured)
    }
}

/// The encoding of databases that take any bytes.
const ANY_BYTES: &str = "SQL_ASCII";

/// How databases are dumped.
struct Dump<'a> {
    program: &'a Program,
    stall: Duration,
    packing: Packing,
}

impl Open {
    fn capture(
        mut self,
        dump: &Dump<'_>,
        archive: &mut ArchiveWriter,
        run: &mut Run<'_>,
    ) -> anyhow::Result<(Database, u64)> {
        let name = self.settings.dbname.clone();
        run.progress(format_args!("dumping {name}"));
        let (at, env, cancel) = (run.now(), run.env().clone(), run.cancel().clone());
        let (snapshot, rows) = self.begin(&cancel).with_context(|| format!("count the rows of the database {name}"))?;
        let new = NewEntry {
            name: format!("postgres/{}.dump", encoded(&name)),
            component: Component::Postgres,
            source: self.settings.shown(),
            captured_at: at,
            modified_at: None,
            mode: None,
            packing: dump.packing,
        };
        let what = format!("dumping {name}");
        let (entry, ()) = archive
            .add(new, |out| {
                let mut out = Progress::new(out, run, what, None);
                dump.run(&self.settings, &self.facts.encoding, &snapshot, &mut out, &env, &cancel)
            })
            .with_context(|| format!("dump the database {name}"))?;
        // The session held the snapshot; nothing was changed in it.
        self.client.batch_execute("ROLLBACK").context("end the snapshot")?;
        let facts = self.facts;
        let database = Database {
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
        };
        Ok((database, entry.size))
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
}

impl Dump<'_> {
    fn run(
        &self,
        settings: &PgSettings,
        encoding: &str,
        snapshot: &str,
        out: &mut dyn Write,
        env: &Env,
        cancel: &Cancel,
    ) -> anyhow::Result<()> {
        let mut command = command(self.program, Some((settings, APPLICATION)), env);
        command.args(["--format=custom", "--no-password", LOCK_WAIT]).arg(format!("--snapshot={snapshot}"));
        // The archive packs on all cores; pg_dump would on one.
        command.arg("--compress=0");
        if encoding == ANY_BYTES {
            // What is in it need not be text in any encoding, and the server would refuse to call it UTF-8.
            command.arg("--encoding").arg(ANY_BYTES);
        }
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
    let system_identifier = client.query_one(include_str!("../../queries/system_identifier.sql"), &[]).ok();
    let row = client.query_one(include_str!("../../queries/database.sql"), &[])?;
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
