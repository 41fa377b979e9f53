//! PostgreSQL: who may do what, who gets in from where, and what can be read on the way.
//!
//! One read-only session, as whatever role the tools have. What that role may not see is a note with the way to show it; no
//! part keeps the others from being looked at. Each part is a file: a query of `queries/`, and a pure function over its rows.

mod commands;
mod data_folder;
mod encryption;
mod extensions;
mod files;
mod functions;
mod hba;
mod logging;
mod mappings;
mod passwords;
mod policies;
mod public;
mod roles;
mod server;
mod sessions;
mod settings;
mod version;

use std::time::Duration;

use pso_common::postgres::PgSettings;

use self::server::{Failure, Server};
pub(crate) use self::settings::{PostgresSection, PostgresSettings};
use super::{Context, Section};
use crate::finding::Found;

/// A part, by the name that tells which could not be looked at.
type Part = (&'static str, fn(&mut Server, &mut Found) -> Result<(), Failure>);

const PARTS: &[Part] = &[
    ("version", version::look),
    ("encryption", encryption::look),
    ("sessions", sessions::look),
    ("pg_hba.conf", hba::look),
    ("roles", roles::look),
    ("passwords", passwords::look),
    ("rights of PUBLIC", public::look),
    ("policies", policies::look),
    ("functions", functions::look),
    ("extensions", extensions::look),
    ("user mappings", mappings::look),
    ("logging", logging::look),
    ("commands", commands::look),
    ("configuration files", files::look),
    ("data folder", data_folder::look),
];

/// What one step of the section may take, in whole tenths of a second: it is shown when it is over.
fn third(left: Duration) -> Duration {
    let tenths = u64::try_from((left / 3).as_millis() / 100).unwrap_or(u64::MAX / 100);
    Duration::from_millis((tenths * 100).max(1))
}

/// The connection with time-outs that end before the section has to. A time-out of 0 is none.
fn within(settings: &PgSettings, left: Duration) -> PgSettings {
    let third = third(left);
    let bounded = |timeout: Duration| if timeout.is_zero() { third } else { timeout.min(third) };
    let mut within = settings.clone();
    within.connect_timeout = bounded(settings.connect_timeout);
    within.statement_timeout = bounded(settings.statement_timeout);
    within
}

pub(crate) struct Postgres;

impl Section for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn about(&self) -> &'static str {
        "roles, passwords, pg_hba.conf, TLS, rights of PUBLIC, functions, logging and version of PostgreSQL"
    }

    fn look(&self, context: &Context, found: &mut Found) -> anyhow::Result<()> {
        let mut server =
            Server::open(&within(&context.settings.postgres, context.left()), &context.settings.audit_postgres)?;
        if server.facts.in_recovery {
            found.note("this is a standby: what changes roles, rights or functions is run on its primary");
        }
        for (name, look) in PARTS {
            context.cancel.check()?;
            if context.left().is_zero() {
                // What was found until now counts.
                found.unknown(format!("{name}, and what comes after it: the time is up, see --timeout"));
                return Ok(());
            }
            match look(&mut server, found) {
                Ok(()) => {}
                Err(Failure::Hidden(text)) => {
                    found.note(format!("{name}: the role {} may not read it: {text}", server.facts.role_quoted));
                }
                Err(Failure::Unknown(text)) => found.unknown(format!("{name}: {text}")),
                Err(Failure::Lost(text)) => anyhow::bail!("{name}: the connection is lost: {text}"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_are_short_enough_and_short_to_read() {
        assert_eq!(third(Duration::from_micros(5_399_947)), Duration::from_millis(1700));
        assert!(!third(Duration::ZERO).is_zero());
    }
}
