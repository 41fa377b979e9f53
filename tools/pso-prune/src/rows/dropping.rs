//! Dropping a partition: detached first where others can go on reading the table meanwhile, and never with more rows than
//! were planned.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use pso_common::Run;
use pso_common::postgres::{Client, Error};

use super::apply::pause;
use super::due::count;
use super::partitions::{Drop, Place};
use super::server::Server;
use super::settings::RowSettings;
use super::tree::mark;

/// How often a lock is tried for that others hold.
const TRIES: u32 = 5;

/// Drops a partition; how many rows it had.
///
/// # Errors
/// When it cannot be done; then it is as it was, or the next run recognises it.
pub(crate) fn drop(
    run: &Run<'_>,
    client: &mut Client,
    server: Server,
    settings: &RowSettings,
    root: u32,
    partition: &Drop,
) -> anyhow::Result<u64> {
    let sql = &partition.sql;
    match &partition.place {
        Place::Attached { parent, bound, beside_default: false } if server.detaches_concurrently() => {
            detach(run, client, settings, root, partition, parent)?;
            let dropped = patiently(run, || drop_at_once(client, partition));
            if dropped.is_err() {
                // Seen again in its table; should that not succeed either, the next run finds it by its mark.
                let back =
                    format!("ALTER TABLE {parent} ATTACH PARTITION {sql} {bound}; COMMENT ON TABLE {sql} IS NULL");
                if let Err(error) = client.batch_execute(&back) {
                    return dropped.context(format!("it is detached and could not be attached again ({error})"));
                }
            }
            dropped
        }
        Place::Leaving { parent } => {
            patiently(run, || {
                Ok(client.batch_execute(&format!("ALTER TABLE {parent} DETACH PARTITION {sql} FINALIZE"))?)
            })
            .context("end detaching it")?;
            patiently(run, || drop_at_once(client, partition))
        }
        Place::Attached { .. } | Place::Apart => patiently(run, || drop_at_once(client, partition)),
    }
}

/// Takes a partition out of its table while others use that: in two transactions of the server's own, of which the second
/// waits for those who still see it.
fn detach(
    run: &Run<'_>,
    client: &mut Client,
    settings: &RowSettings,
    root: u32,
    partition: &Drop,
    parent: &str,
) -> anyhow::Result<()> {
    let sql = &partition.sql;
    let before: Option<String> =
        client.query_one("SELECT pg_catalog.obj_description($1, 'pg_class')", &[&partition.oid])?.get(0);
    let comment = |text: Option<&str>| {
        let text = text.map_or_else(|| "NULL".to_owned(), |text| format!("E'{}'", escaped(text)));
        format!("COMMENT ON TABLE {sql} IS {text}")
    };
    patiently(run, || Ok(client.batch_execute(&comment(Some(&mark(root))))?)).context("mark it")?;
    // Waiting holds up nobody here but VACUUM and changes of the table's definition.
    let long = settings.lock_timeout.saturating_mul(10).as_millis();
    client.batch_execute(&format!("SET lock_timeout = {long}"))?;
    let result = client.batch_execute(&format!("ALTER TABLE {parent} DETACH PARTITION {sql} CONCURRENTLY"));
    client.batch_execute(&format!("SET lock_timeout = {}", settings.lock_timeout.as_millis()))?;
    let Err(error) = result else { return Ok(()) };
    let pending = "SELECT coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false) FROM pg_catalog.pg_inherits AS i \
                   WHERE i.inhrelid = $1";
    let state: Option<bool> = client.query_opt(pending, &[&partition.oid])?.map(|row| row.get(0));
    match state {
        None => Ok(()),
        Some(true) => patiently(run, || {
            Ok(client.batch_execute(&format!("ALTER TABLE {parent} DETACH PARTITION {sql} FINALIZE"))?)
        })
        .context("end detaching it; the next run tries again"),
        Some(false) => {
            client.batch_execute(&comment(before.as_deref()))?;
            Err(error).context("detach it")
        }
    }
}

/// A text between `E'` and `'`.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "''")
}

/// Counts and drops it in one transaction. Nobody can write to it while it is counted; readers of the table are kept out
/// only for the moment in which it goes.
fn drop_at_once(client: &mut Client, partition: &Drop) -> anyhow::Result<u64> {
    let sql = &partition.sql;
    let mut tx = client.transaction()?;
    tx.batch_execute(&format!("LOCK TABLE {sql} IN SHARE MODE"))?;
    let rows = count(tx.query_one(&format!("SELECT pg_catalog.count(*) FROM {sql}"), &[])?.get(0))?;
    ensure!(rows <= partition.rows, "it has {rows} rows by now, and {} were planned; plan again", partition.rows);
    tx.batch_execute(&format!("DROP TABLE {sql}"))?;
    tx.commit()?;
    Ok(rows)
}

/// Tries again what another session's lock keeps from being done.
fn patiently<T>(run: &Run<'_>, mut attempt: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut tries = 1;
    loop {
        let error = match attempt() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let code = error.downcast_ref::<Error>().and_then(Error::code).map_or("", |code| code.code());
        if !["55P03", "40P01"].contains(&code) {
            return Err(error);
        }
        if tries == TRIES {
            bail!("others have it locked: {error:#}");
        }
        pause(run, Duration::from_millis(100 << tries))?;
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_written_back_as_it_was() {
        assert_eq!(escaped("l'été \\ 2025"), "l''été \\\\ 2025");
    }
}
