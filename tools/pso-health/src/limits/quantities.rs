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
    /// Mean duration of a sync. The specification's limit.
    SYNC_DURATION = sync_duration, Above, Seconds, warning 60.0;
    /// Failed sync operations, over the last hour where that is known. The specification's limit.
    ERROR_RATE = error_rate, Above, Percent, high 5.0;
    /// planning-sync-server's answer to `/health`. The specification's limit.
    RESPONSE_TIME = response_time, Above, Ms, warning 2000.0;
    /// Client sessions of PostgreSQL, of those that it takes.
    CONNECTION_USAGE = connection_usage, Above, Percent, warning 90.0;
    /// Until a TLS certificate runs out.
    CERTIFICATE_TIME_LEFT = certificate_time_left, Below, Seconds, warning 1_814_400.0, critical 604_800.0;
}
