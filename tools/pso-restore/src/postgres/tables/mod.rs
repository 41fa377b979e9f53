//! Single tables, into a schema of their own in the live database: nothing else is touched, so that rows can be looked at,
//! compared and taken back by hand. All of it is one transaction: a kill leaves nothing.

mod statements;

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::time::Instant;

use anyhow::{Context as _, anyhow, ensure};
use pso_archive::custom::{Block, Blocks, Toc};
use pso_archive::{Archive, Database, Entry, count_query, load, row_differences};
use pso_common::io::Cancel;
use pso_common::postgres::{Client, PgSettings};
use pso_common::record::Component;
use pso_common::{Run, Timestamp};

use super::choose;
use super::target::{APPLICATION, ident};
use crate::settings::Settings;
use crate::steps::Step;
use statements::Table;

/// Some tables of an archive, and the schema that they go into.
pub(crate) struct TablesPlan {
    schema: String,
    tables: Vec<Table>,
    source: Database,
    entry: Entry,
}

/// Plans the restore of tables; changes nothing.
///
/// # Errors
/// When the archive has no such table, or it cannot be made without others.
pub(crate) fn plan_tables(
    settings: &Settings,
    archive: &mut Archive,
    wanted: &[String],
    at: Timestamp,
) -> anyhow::Result<TablesPlan> {
    let source = choose(archive, &settings.postgres.dbname)?;
    let entry = archive.manifest().entry(&source.entry).cloned().context("the dump is not listed")?;
    let toc = Toc::read(BufReader::new(archive.entry(&entry.name)?))
        .and_then(|toc| load::check(&toc).map(|()| toc))
        .context("single tables cannot be taken out of this archive; restore the database elsewhere (--pg-dbname)")?;
    let schema = format!("pso_restored_{}", at.compact());
    let mut tables: Vec<Table> = Vec::new();
    for name in wanted {
        let table = statements::table(&toc, name, &schema)?;
        if tables.iter().any(|other| other.data == table.data) {
            continue;
        }
        ensure!(source.rows.contains_key(&table.name), "the manifest has no number of rows of {}", table.name);
        ensure!(
            tables.iter().all(|other| other.new != table.new),
            "two tables would have the name {}; restore them one after the other",
            table.new
        );
        tables.push(table);
    }
    // Asked now, so that nothing is begun in vain.
    load::session(&settings.postgres, APPLICATION)?;
    Ok(TablesPlan { schema, tables, source, entry })
}

impl TablesPlan {
    /// The steps that this plan will take.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.tables.iter().map(|table| self.step(table)).collect()
    }

    fn step(&self, table: &Table) -> Step {
        let mut message = format!("into {}, beside what is there", table.new);
        if !table.left_out.is_empty() {
            message.push_str(&format!("; without {}", table.left_out.join(", ")));
        }
        Step::new("restore", Component::Postgres, table.name.as_str()).rows(self.rows(table)).says(message)
    }

    fn rows(&self, table: &Table) -> u64 {
        self.source.rows.get(&table.name).copied().unwrap_or_default()
    }

    /// Carries it out, in one transaction.
    ///
    /// # Errors
    /// When the server refuses something, the rows are not those of the manifest, or the run is to stop. Nothing is then
    /// changed.
    pub(crate) fn apply(&self, run: &mut Run<'_>, settings: &PgSettings, archive: &mut Archive) -> anyhow::Result<()> {
        let started = Instant::now();
        let cancel = run.cancel().clone();
        let mut client = load::session(settings, APPLICATION)?;
        execute(&mut client, "SET synchronous_commit = on; BEGIN")?;
        execute(&mut client, &format!("CREATE SCHEMA {}", ident(&self.schema)))
            .with_context(|| format!("create the schema {}; the role needs CREATE on the database", self.schema))?;
        for table in &self.tables {
            run_all(&mut client, &table.before, &table.name)?;
        }
        run.progress(format_args!("loading {} tables", self.tables.len()));
        self.load(&mut client, archive, &cancel)?;
        for table in &self.tables {
            cancel.check()?;
            run_all(&mut client, &table.after, &table.name)?;
            execute(&mut client, &format!("ANALYZE {}", table.new))?;
        }
        self.compare(&mut client)?;
        cancel.check()?;
        execute(&mut client, "COMMIT").context("commit")?;
        for table in &self.tables {
            let mut step = self.step(table);
            let way_out = format!("when it is no longer wanted: DROP SCHEMA {} CASCADE", ident(&self.schema));
            step.message = format!("{}, compared with the manifest; {way_out}", step.message);
            step.done(run, started)?;
        }
        Ok(())
    }

    fn load(&self, client: &mut Client, archive: &mut Archive, cancel: &Cancel) -> anyhow::Result<()> {
        let mut entry = archive.entry(&self.entry.name)?;
        let mut reader = BufReader::new(&mut entry);
        let toc = Toc::read(&mut reader)?;
        let mut blocks = Blocks::new(reader, &toc);
        let mut left: BTreeMap<u32, &Table> = self.tables.iter().map(|table| (table.data, table)).collect();
        while let Some(block) = blocks.next_block()? {
            match block {
                Block::Table(id) => match left.remove(&id) {
                    Some(table) => copy(client, table, &mut blocks, cancel)
                        .with_context(|| format!("load the rows of {}", table.name))?,
                    None => blocks.content().skip()?,
                },
                Block::LargeObjects(_) => {
                    while blocks.large_object()?.is_some() {
                        blocks.content().skip()?;
                    }
                }
            }
            cancel.check()?;
        }
        drop(blocks);
        entry.finish(cancel)?;
        match left.values().next() {
            Some(table) => Err(anyhow!("the dump has no rows of {}, not even none", table.name)),
            None => Ok(()),
        }
    }

    fn compare(&self, client: &mut Client) -> anyhow::Result<()> {
        let (mut expected, mut found) = (BTreeMap::new(), BTreeMap::new());
        for table in &self.tables {
            expected.insert(table.name.clone(), self.rows(table));
            let row =
                client.query_one(&count_query(&table.new), &[]).with_context(|| format!("count {}", table.new))?;
            found.insert(table.name.clone(), u64::try_from(row.get::<_, i64>(0)).unwrap_or_default());
        }
        match row_differences(&expected, &found, false) {
            Some(differences) => Err(anyhow!("what was restored is not what was backed up: {differences}")),
            None => Ok(()),
        }
    }
}

fn copy<R: std::io::Read>(
    client: &mut Client,
    table: &Table,
    blocks: &mut Blocks<R>,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    let mut copy = client.copy_in(&table.copy).map_err(|error| load::said(&error))?;
    let dealt = load::deal(&mut blocks.content(), |rows| {
        cancel.check()?;
        Ok(copy.write_all(&rows.bytes)?)
    });
    cancel.check()?;
    // Where writing failed, the server has the reason.
    copy.finish().map_err(|error| load::said(&error))?;
    dealt.map(drop)
}

fn run_all(client: &mut Client, statements: &[String], name: &str) -> anyhow::Result<()> {
    statements.iter().try_for_each(|statement| {
        execute(client, statement).with_context(|| {
            format!(
                "make {name} again; where it needs a type or a function that is gone, restore the database elsewhere"
            )
        })
    })
}

fn execute(client: &mut Client, statement: &str) -> anyhow::Result<()> {
    client.batch_execute(statement).map_err(|error| load::said(&error))
}
