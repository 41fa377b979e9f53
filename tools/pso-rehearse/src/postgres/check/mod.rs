//! What holds of a database that was restored.

mod amcheck;
mod rows;
mod sequences;
mod whole;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::anyhow;
use pso_archive::Database;
use pso_archive::custom::Toc;
use pso_common::io::Cancel;
use pso_common::postgres::{Client, PgSettings, Purpose, connect};

use super::cluster::APPLICATION;
use crate::proof::Proof;

/// A restored database, and what it is compared with.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    /// How to connect to it.
    pub(super) settings: PgSettings,
    pub(super) database: &'a Database,
    /// What its dump holds, where that is known.
    pub(super) toc: Option<&'a Toc>,
    /// How many large objects it holds, where that is known.
    pub(super) large_objects: Option<u64>,
    pub(super) jobs: usize,
    pub(super) cancel: &'a Cancel,
}

/// What the manifest has nothing to compare with: a dump that was made or altered without them restores as well.
const NOT_COUNTED: &str = "whether the server had more views, functions, triggers, constraints, indexes and extensions than the dump: \
                           the manifest counts tables and rows";

/// The rows of each table, and what was proven.
///
/// # Errors
/// When nobody can tell: the server fails, or the run is to stop.
pub(super) fn check(checked: &Checked<'_>, proof: &mut Proof) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut client = checked.connect()?;
    rows::uncover(&mut client)?;
    whole::check(checked, &mut client, proof)?;
    sequences::check(checked, &mut client, proof)?;
    let trees = amcheck::prepare(&mut client, proof)?;
    let tables = rows::tables(&mut client)?;
    let mut work: VecDeque<Work> = trees.into_iter().map(Work::Amcheck).collect();
    // What takes long begins first; a count is quick once amcheck has read the table.
    work.extend(tables.into_iter().map(Work::Count));
    let found = side_by_side(checked, client, work)?;
    let mut counted = BTreeMap::new();
    let mut looked = Vec::new();
    for done in found {
        match done {
            Done::Counted(table, rows) => {
                counted.insert(table, rows);
            }
            Done::Looked(finding) => looked.push(finding),
        }
    }
    rows::compare(&checked.database.rows, &counted, proof);
    amcheck::tell(looked, proof);
    proof.leave(NOT_COUNTED);
    Ok(counted)
}

impl Checked<'_> {
    /// A session that sees all rows.
    fn connect(&self) -> anyhow::Result<Client> {
        let mut client = connect(&self.settings, APPLICATION, Purpose::Work)?;
        // What the dump may have set for its database is not for us.
        client.batch_execute(
            "SET row_security = off; SET search_path = ''; SET default_transaction_read_only = off; \
             SET max_parallel_workers_per_gather = 0",
        )?;
        Ok(client)
    }
}

/// Something to look at.
enum Work {
    Count(String),
    Amcheck(amcheck::Relation),
}

/// What was seen.
enum Done {
    Counted(String, u64),
    Looked(amcheck::Finding),
}

/// Does all of it with several sessions.
fn side_by_side(checked: &Checked<'_>, mut client: Client, work: VecDeque<Work>) -> anyhow::Result<Vec<Done>> {
    let sessions = checked.jobs.min(work.len()).max(1);
    let work = Mutex::new(work);
    thread::scope(|scope| {
        let more: Vec<_> =
            (1..sessions).map(|_| scope.spawn(|| go_on(checked, &mut checked.connect()?, &work))).collect();
        let mut result = go_on(checked, &mut client, &work);
        for worker in more {
            let theirs = worker.join().unwrap_or_else(|_| Err(anyhow!("a session that looks at the rows has crashed")));
            result = result.and_then(|mut done| {
                done.extend(theirs?);
                Ok(done)
            });
        }
        checked.cancel.check()?;
        result
    })
}

fn go_on(checked: &Checked<'_>, client: &mut Client, work: &Mutex<VecDeque<Work>>) -> anyhow::Result<Vec<Done>> {
    let mut done = Vec::new();
    loop {
        checked.cancel.check()?;
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        done.push(match next {
            None => return Ok(done),
            Some(Work::Count(table)) => {
                let rows = rows::count(client, &table)?;
                Done::Counted(table, rows)
            }
            Some(Work::Amcheck(relation)) => Done::Looked(amcheck::look(client, relation)?),
        });
    }
}
