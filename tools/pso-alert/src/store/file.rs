//! The state file itself: made, opened, set aside when it is damaged.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use pso_common::{Severity, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::Trouble;
use super::fault::Fault;

const SCHEMA: &str = include_str!("schema.sql");

/// The version of [`SCHEMA`], kept as `PRAGMA user_version`.
const VERSION: i64 = 1;

/// `PRAGMA application_id`: "psoa". It tells our file from another program's: <https://www.sqlite.org/fileformat.html#application_id>.
const APPLICATION: i64 = 0x7073_6f61;

/// How long a run waits for another one's transaction.
const BUSY: Duration = if cfg!(test) { Duration::from_millis(300) } else { Duration::from_secs(5) };

/// Pages in the write-ahead log after which SQLite writes them back by itself. Twice its usual number: mostly we do it, at the
/// beginning of a run, since while it lasts nothing can be written, and a run that is killed then has not written down what it sent.
const CHECKPOINT_PAGES: i64 = 2_000;

/// Opens the state file, or makes it. What was mended on the way is told in `troubles`.
pub(super) fn open(path: &Path, troubles: &mut Vec<Trouble>) -> anyhow::Result<Connection> {
    let context = || format!("open the state file {}", path.display());
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(context)?;
    }
    private(path, troubles).with_context(context)?;
    let identity = identity(path);
    match connect(path) {
        Err(error) if Fault::of(&error) == Some(Fault::Damaged) => {
            set_aside(path, identity, troubles).with_context(context)?;
            private(path, troubles).with_context(context)?;
            connect(path).with_context(context)
        }
        opened => opened.with_context(context),
    }
}

/// Opens a state file that cannot be written, for what is in it.
pub(super) fn open_to_read(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    ensure!(is_current(&connection)?, "it is empty");
    Ok(connection)
}

/// State in memory.
pub(super) fn in_memory() -> anyhow::Result<Connection> {
    let mut connection = Connection::open_in_memory().context("make a state in memory")?;
    prepare(&mut connection)?;
    Ok(connection)
}

fn connect(path: &Path) -> anyhow::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // The log stays when the last run ends: writing it back each time would cost a run that has nothing to say two syncs.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let deadline = Instant::now() + BUSY;
    loop {
        let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0))?;
        if mode == "wal" {
            break;
        }
        match connection.pragma_update(None, "journal_mode", "wal") {
            Ok(()) => break,
            // Two runs that make the file at once: SQLite does not wait here, since both would wait for each other.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error.into()),
        }
    }
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    prepare(&mut connection)?;
    // What must survive a power failure is synced after its transaction: see `Store::transaction`.
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

fn prepare(connection: &mut Connection) -> anyhow::Result<()> {
    if is_current(connection)? {
        return Ok(());
    }
    connection.pragma_update(None, "synchronous", "full")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another run may have made the tables while this one waited.
    if !is_current(&transaction)? {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Whether its tables are there. An error when it is another program's, or a newer one of ours.
fn is_current(connection: &Connection) -> anyhow::Result<bool> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application == 0 && version == 0 {
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        ensure!(tables == 0, "it is another program's database; name another --state");
        return Ok(false);
    }
    ensure!(application == APPLICATION, "it is another program's database; name another --state");
    ensure!(version <= VERSION, "it was made by a newer pso-alert; use that one, or another --state");
    Ok(version == VERSION)
}

/// Makes the file readable to its owner only before SQLite puts anything into it; its companions take its mode.
fn private(path: &Path, troubles: &mut Vec<Trouble>) -> anyhow::Result<()> {
    match fs::metadata(path) {
        // A pipe would be waited for without end.
        Ok(found) if !found.is_file() => bail!("it is no file; name another --state"),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let private = || fs::Permissions::from_mode(0o600);
            file.set_permissions(private())?;
            for companion in [companion(path, "-wal"), companion(path, "-shm")] {
                match fs::set_permissions(&companion, private()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
            let text = format!(
                "the state file {} could be read by others (mode {mode:04o}); it is 0600 again",
                path.display()
            );
            troubles.push(Trouble { severity: Severity::Warning, text });
        }
    }
    drop(file);
    #[cfg(not(unix))]
    let _ = troubles;
    Ok(())
}

/// Renames a damaged file, with its companions, so that a new one can begin. A file that took its place meanwhile, because
/// another run did the same, is left alone.
pub(super) fn set_aside(path: &Path, seen: Option<(u64, u64)>, troubles: &mut Vec<Trouble>) -> anyhow::Result<()> {
    if seen.is_some() && identity(path) != seen {
        return Ok(());
    }
    let stamp = Timestamp::now().compact();
    let mut name = companion(path, &format!(".damaged-{stamp}"));
    // Two within one second.
    for number in 2.. {
        if !name.exists() {
            break;
        }
        name = companion(path, &format!(".damaged-{stamp}-{number}"));
    }
    fs::rename(path, &name).with_context(|| format!("set the damaged state file aside as {}", name.display()))?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(companion(path, suffix), companion(&name, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context("set the log of the damaged state file aside");
            }
            _ => {}
        }
    }
    troubles.push(Trouble::lost(format!(
        "the state file {} is damaged; it was set aside as {}, and a new one begins: what was told before is told again",
        path.display(),
        name.display()
    )));
    Ok(())
}

/// Has the log reach the disk.
pub(super) fn sync(path: &Path, folder_too: bool) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(companion(path, "-wal"))?.sync_data()?;
    #[cfg(unix)]
    if folder_too {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = folder_too;
    Ok(())
}

/// Length of the write-ahead log, in bytes.
pub(super) fn log_size(path: &Path) -> u64 {
    fs::metadata(companion(path, "-wal")).map_or(0, |found| found.len())
}

/// Writes the log back and cuts it. Another run that reads keeps it from being cut; then a later one does it.
pub(super) fn shorten(connection: &Connection) {
    if connection.busy_timeout(Duration::ZERO).is_ok() {
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let _ = connection.busy_timeout(BUSY);
    }
}

/// What tells a file from another one that has taken its name, where the system has such a thing.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
