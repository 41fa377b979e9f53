//! Which numbers can have limits: each one line, which makes a constant, a key of `maintenance.health.limits` and a name for
//! `--limit`.

use pso_common::config::Field;
use serde::Deserialize;

use super::section::Limit;
use super::{Bounds, Quantity, Unit, Worse};

macro_rules! quantities {
    ($($(#[doc = $about:literal])+ $constant:ident = $key:ident, $worse:ident, $unit:ident $(, $bound:ident $value:literal)*;)+) => {
        $($(#[doc = $about])+
        pub(crate) const $constant: Quantity = Quantity {
            name: stringify!($key),
            unit: Unit::$unit,
            worse: Worse::$worse,
            default: Bounds { $($bound: Some($value),)* ..Bounds::NONE },
        };)+

        /// All of them.
        pub(crate) const QUANTITIES: &[Quantity] = &[$($constant),+];

        /// `maintenance.health.limits`.
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct LimitsSection {
            $($key: Option<Limit>,)+
        }

        impl LimitsSection {
            pub(super) fn of(&self, name: &str) -> Option<&Limit> {
                match name {
                    $(stringify!($key) => self.$key.as_ref(),)+
                    _ => None,
                }
            }
        }

        /// `thresholds` of `config/alerts.yaml`, where other keys may stand.
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        pub(super) struct Thresholds {
            $($key: Field,)+
        }

        impl Thresholds {
            pub(super) fn of(&self, name: &str) -> &Field {
                match name {
                    $(stringify!($key) => &self.$key,)+
                    _ => &None,
                }
            }
        }
    };
}

quantities! {
    /// CPU that planning-sync-server's `/metrics` reports. The specification's limit.
    CPU_USAGE = cpu_usage, Above, Percent, warning 80.0;
    /// Memory that planning-sync-server's `/metrics` reports. The specification's limit.
    MEMORY_USAGE = memory_usage, Above, Percent, critical 90.0;
    /// A file system's space in use, as `df` counts it. The specification's limit.
    DISK_USAGE = disk_usage, Above, Percent, warning 85.0;
    /// A file system's inodes in use.
    INODE_USAGE = inode_usage, Above, Percent, warning 85.0;
    /// This machine's CPUs in use. Busy is not ill: what waits for them is seen in the load.
    HOST_CPU_USAGE = host_cpu_usage, Above, Percent;
    /// This machine's memory, or the container's, that is not available to a new process.
    HOST_MEMORY_USAGE = host_memory_usage, Above, Percent, warning 90.0, critical 97.0;
    /// Share of the last minute in which something waited for memory (Linux).
    MEMORY_PRESSURE = memory_pressure, Above, Percent, warning 10.0;
    /// Swap in use. Old pages there do no harm; a full one ends in killed processes.
    SWAP_USAGE = swap_usage, Above, Percent, warning 80.0;
    /// Pages a second that go out to the swap or come back (Linux). From here on everything waits for the disk.
    SWAP_PAGES_PER_SECOND = swap_pages_per_second, Above, Count, warning 1000.0;
    /// Processes that the kernel killed for want of memory within the last hour (Linux).
    OOM_KILLS = oom_kills, Above, Count, high 0.0;
    /// What ran or waited to run, over five minutes, for each CPU.
    LOAD_PER_CPU = load_per_cpu, Above, Ratio, warning 2.0;
    /// Since this machine was started.
    UPTIME = uptime, Below, Seconds;
    /// How far this machine's clock and a server's are apart for certain.
    CLOCK_SKEW = clock_skew, Above, Seconds, warning 2.0, high 60.0;
    /// Mean duration of a sync. The specification's limit.
    SYNC_DURATION = sync_duration, Above, Seconds, warning 60.0;
    /// Failed sync operations, over the last hour where that is known. The specification's limit.
    ERROR_RATE = error_rate, Above, Percent, high 5.0;
    /// planning-sync-server's answer to `/health`. The specification's limit.
    RESPONSE_TIME = response_time, Above, Ms, warning 2000.0;
    /// Client sessions of PostgreSQL, of those that it takes.
    CONNECTION_USAGE = connection_usage, Above, Percent, warning 90.0;
    /// Until a port of the deployment has taken a connection.
    CONNECT_TIME = connect_time, Above, Ms, warning 500.0;
    /// Since the newest backup of the database was begun: one a day, with two hours to spare; then two missed ones.
    BACKUP_AGE = backup_age, Above, Seconds, warning 93_600.0, critical 180_000.0;
    /// The newest backup's size as a share of the median of those before it.
    BACKUP_SIZE_RATIO = backup_size_ratio, Below, Ratio, warning 0.5;
    /// Since a backup was last restored on trial: once a week, with a day to spare.
    REHEARSAL_AGE = rehearsal_age, Above, Seconds, warning 691_200.0;
    /// Since something was last written to a log.
    LOG_AGE = log_age, Above, Seconds;
    /// Bytes that the logs have grown by within the last hour, as far as that is known.
    LOG_GROWTH = log_growth, Above, Bytes;
    /// Markdown plans in their folder: an empty one may be a disk that is not mounted.
    PLAN_FILES = plan_files, Below, Count, warning 1.0;
    /// PostgreSQL's answer to the shortest query.
    POSTGRES_LATENCY = postgres_latency, Above, Ms, warning 1000.0;
    /// What a standby of PostgreSQL has still to replay, in time.
    REPLICATION_LAG = replication_lag, Above, Seconds, warning 60.0, critical 600.0;
    /// Changes that wait in the queue of a collection of Qdrant. It empties fast, and how long it may be is for the one to say
    /// who fills it.
    UPDATE_QUEUE = update_queue, Above, Count;
    /// Since the end of the last sync, as `/health` has it. How often there is one differs too much for a limit of its own.
    LAST_SYNC_AGE = last_sync_age, Above, Seconds;
    /// Conflicts that wait to be resolved, as `/health` counts them.
    PENDING_CONFLICTS = pending_conflicts, Above, Count;
    /// Syncs that are under way, as `/health` counts them.
    ACTIVE_SYNCS = active_syncs, Above, Count;
    /// Disk traffic that planning-sync-server's `/metrics` reports. It does not say the unit: it is that of the server.
    DISK_IO = disk_io, Above, MbPerSecond;
    /// Until the API token runs out. Tokens live an hour by default; that one ends within the day is a finding of
    /// `pso-audit`, as the specification has it.
    TOKEN_TIME_LEFT = token_time_left, Below, Seconds, warning 300.0;
    /// Until a TLS certificate runs out.
    CERTIFICATE_TIME_LEFT = certificate_time_left, Below, Seconds, warning 1_814_400.0, critical 604_800.0;
}
