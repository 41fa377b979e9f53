//! What of the server matters to deleting rows, and our session with it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use pso_common::Run;
use pso_common::io::Cancel;
use pso_common::postgres::{Client, PgSettings, Purpose, connect};

use super::apply::pause;

const SERVER: &str = include_str!("../../queries/row_server.sql");

/// The advisory lock of those who prune rows of a database: "psoprune" in ASCII. It holds between machines, where the lock
/// of the deployment's folder does not.
const LOCK: i64 = 0x7073_6f70_7275_6e65;

/// How long to wait for that lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// The server, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    version: i32,
    rows_per_block: i32,
}

impl Server {
    /// # Errors
    /// When nothing can be deleted there.
    pub(crate) fn find(client: &mut Client) -> anyhow::Result<Self> {
        let row = client.query_one(SERVER, &[]).context("ask the server what it is")?;
        let version: i32 = row.get("version");
        ensure!(version >= 130_000, "it is PostgreSQL {}; 13 and later can be pruned", version / 10_000);
        ensure!(!row.get::<_, bool>("is_standby"), "it is a standby, which cannot be changed; prune its primary");
        ensure!(
            !row.get::<_, bool>("is_read_only"),
            "its transactions are read-only (default_transaction_read_only); nothing can be deleted there"
        );
        Ok(Self { version, rows_per_block: row.get("rows_per_block") })
    }

    /// Whether a partition can be detached while others read the table.
    pub(crate) const fn detaches_concurrently(self) -> bool {
        self.version >= 140_000
    }

    /// Rows `r0` in a range of blocks. Only 14 and later scan a range of ctids; earlier ones would read the whole table for
    /// it, so they get each that there can be, <https://www.postgresql.org/docs/14/release-14.html>.
    pub(crate) fn range(self, blocks: Range<u64>) -> String {
        // The number of the last block there can be.
        let end = blocks.end.min(u64::from(u32::MAX));
        if self.version >= 140_000 {
            return format!("r0.ctid >= '({},0)'::tid AND r0.ctid < '({end},0)'::tid", blocks.start);
        }
        format!(
            "r0.ctid = ANY (ARRAY(SELECT format('(%s,%s)', b, o)::tid FROM pg_catalog.generate_series({}, {}) AS b, \
             pg_catalog.generate_series(1, {}) AS o))",
            blocks.start,
            end.saturating_sub(1),
            self.rows_per_block
        )
    }
}

/// A session that may change rows, alone among those of this tool.
///
/// # Errors
/// When there is none, or another run is deleting rows of this database.
pub(crate) fn session(run: &Run<'_>, settings: &PgSettings, lock_timeout: Duration) -> anyhow::Result<Client> {
    let mut client = connect(settings, "pso-prune", Purpose::Work)?;
    client.batch_execute(&format!("SET lock_timeout = {}", lock_timeout.as_millis())).context("set the session up")?;
    // The session of a run that was killed ends when the server notices it, with its last statement.
    let deadline = Instant::now() + PATIENCE;
    while !client
        .query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&LOCK])
        .context("lock out other runs")?
        .get::<_, bool>(0)
    {
        ensure!(
            Instant::now() < deadline,
            "another pso-prune is deleting rows of this database; wait for it or stop it"
        );
        pause(run, Duration::from_millis(100))?;
    }
    Ok(client)
}

/// Ends the query that a session waits for when the run is asked to stop. Ends itself with this value.
pub(crate) struct Watch(Arc<AtomicBool>);

impl Watch {
    pub(crate) fn over(client: &mut Client, settings: &PgSettings, cancel: &Cancel) -> anyhow::Result<Self> {
        let pid: i32 = client.query_one("SELECT pg_catalog.pg_backend_pid()", &[])?.get(0);
        let ended = Arc::new(AtomicBool::new(false));
        let (seen, settings, cancel) = (Arc::clone(&ended), settings.clone(), cancel.clone());
        let watching = move || {
            while !seen.load(Ordering::Relaxed) {
                if cancel.is_cancelled() {
                    // Should this not succeed, the query's own time-out ends it.
                    if let Ok(mut other) = connect(&settings, "pso-prune", Purpose::Watch) {
                        let _ = other.execute("SELECT pg_catalog.pg_cancel_backend($1)", &[&pid]);
                    }
                    return;
                }
                thread::sleep(Duration::from_millis(50));
            }
        };
        thread::Builder::new().name("pg-watch".to_owned()).spawn(watching).context("start a thread")?;
        Ok(Self(ended))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_that_the_server_can_scan() {
        let now = Server { version: 150_000, rows_per_block: 291 };
        assert_eq!(now.range(32..64), "r0.ctid >= '(32,0)'::tid AND r0.ctid < '(64,0)'::tid");
        assert!(now.range(0..1 << 40).ends_with("'(4294967295,0)'::tid"));
        let old = Server { version: 130_000, rows_per_block: 291 };
        assert!(old.range(32..64).contains("generate_series(32, 63) AS b, pg_catalog.generate_series(1, 291)"));
    }
}
