//! Nothing is deleted that no backup has.
//!
//! The guard holds for every part, also for those that delete nothing that an archive could bring back: a deployment without
//! a backup has worse trouble than old logs, and here somebody is told.

use std::time::Duration;

use anyhow::{Context as _, bail};
use pso_archive::catalog::{self, Listed};
use pso_archive::wanted;
use pso_common::config::ConfigValue as _;
use pso_common::postgres::{PgSettings, Purpose, connect};
use pso_common::record::{Component, PrunePart};
use pso_common::{Run, Timestamp};

use crate::settings::Settings;

/// An archive that is dated later than this from now was made with a wrong clock, and would count as young for too long.
const WRONG_CLOCK: Duration = Duration::from_secs(3600);

/// Refuses where no verified backup is young enough.
///
/// # Errors
/// Says what the newest archive lacks, and the ways out.
pub(crate) fn ensure_recent(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<()> {
    let Some(within) = settings.require_backup_within else { return Ok(()) };
    let folders = wanted::folders(&settings.paths);
    let archives = catalog::list(&folders).context("look for a recent backup; --without-backup goes on without one")?;
    let database = settings.parts.iter().any(|part| matches!(part, PrunePart::Rows | PrunePart::Vacuum));
    let need = Need {
        now: run.now(),
        within,
        database,
        cluster: database.then(|| system_identifier(&settings.postgres)).flatten(),
    };
    need.met_by(&archives, &folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" and "))
}

/// `None` where the server does not answer, or does not tell this role: then archives are not compared by it.
fn system_identifier(settings: &PgSettings) -> Option<String> {
    let mut client = connect(settings, "pso-prune", Purpose::Watch).ok()?;
    Some(client.query_one(include_str!("../queries/system_identifier.sql"), &[]).ok()?.get(0))
}

/// What an archive must be, so that something may be deleted because of it.
struct Need {
    now: Timestamp,
    within: Duration,
    /// Whether it must hold the database.
    database: bool,
    /// The cluster that the database must come from, where it can be told.
    cluster: Option<String>,
}

impl Need {
    fn met_by(&self, archives: &[Listed], folders: &str) -> anyhow::Result<()> {
        let Some(newest) = archives.first() else {
            bail!(
                "nothing was changed: there is no backup in {folders}; make one with `pso-backup`, or add --without-backup \
                 to do without"
            );
        };
        if archives.iter().any(|archive| self.lacks(archive).is_none()) {
            return Ok(());
        }
        let lacks = self.lacks(newest).unwrap_or_default();
        let way = if newest.verified_at.is_none() && self.is_young(newest) {
            "verify it with `pso-backup verify latest`, make another with `pso-backup`"
        } else {
            "make one with `pso-backup`"
        };
        bail!(
            "nothing was changed: no verified backup {}is younger than {} (maintenance.prune.require_backup_within); of the \
             newest, {}: {lacks}; {way}, or add --without-backup to do without",
            if self.database { "of this database " } else { "" },
            self.within.show(),
            newest.path.display(),
        )
    }

    /// Why an archive does not count; `None` when it does.
    fn lacks(&self, archive: &Listed) -> Option<String> {
        let taken_at = archive.taken_at();
        let summary = match &archive.content {
            Ok(summary) => summary,
            Err(error) => return Some(format!("it cannot be read: {error}")),
        };
        if archive.verified_at.is_none() {
            Some("it was not verified, or was found to be damaged".to_owned())
        } else if self.now.until(taken_at) > WRONG_CLOCK {
            Some(format!("it is dated {taken_at}, which is yet to come"))
        } else if !self.is_young(archive) {
            Some(format!("it was taken at {taken_at}"))
        } else if self.database && !summary.components.contains(&Component::Postgres) {
            Some("it does not hold the database".to_owned())
        } else if let Some(cluster) = &self.cluster
            && !summary.system_identifiers.is_empty()
            && !summary.system_identifiers.contains(cluster)
        {
            Some(format!("its database comes from another server ({})", summary.system_identifiers.join(", ")))
        } else {
            None
        }
    }

    fn is_young(&self, archive: &Listed) -> bool {
        archive.taken_at().until(self.now) <= self.within
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use pso_archive::NamedArchive;
    use pso_archive::catalog::Summary;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn archive(taken_at: &str, components: &[Component]) -> Listed {
        let taken_at = at(taken_at);
        Listed {
            path: PathBuf::from(format!("backups/daily/{}", NamedArchive::file_name(taken_at, 1))),
            size: 1,
            named: NamedArchive { at: taken_at, number: 1 },
            content: Ok(Summary {
                taken_at,
                kind: "daily".to_owned(),
                components: components.to_vec(),
                missing: Vec::new(),
                system_identifiers: vec!["7".to_owned()],
            }),
            encrypted: false,
            is_noted: true,
            verified_at: Some(taken_at),
            rehearsed_at: None,
        }
    }

    fn need() -> Need {
        Need {
            now: at("2026-11-22T09:00:00Z"),
            within: Duration::from_secs(7 * 86_400),
            database: true,
            cluster: Some("7".to_owned()),
        }
    }

    fn said(need: &Need, archives: &[Listed]) -> String {
        need.met_by(archives, "backups/daily").map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn what_counts_and_what_does_not() {
        let whole = [Component::Postgres, Component::Config];
        let good = archive("2026-11-15T09:00:00Z", &whole);
        assert_eq!(said(&need(), std::slice::from_ref(&good)), "fine", "exactly seven days");
        let old = archive("2026-11-15T08:59:59Z", &whole);
        let text = said(&need(), std::slice::from_ref(&old));
        assert!(text.contains("younger than 7d") && text.contains("20261115_085959.zip: it was taken at"), "{text}");
        assert!(text.contains("`pso-backup`, or add --without-backup"), "{text}");
        let unverified = Listed { verified_at: None, ..archive("2026-11-22T08:00:00Z", &whole) };
        let text = said(&need(), std::slice::from_ref(&unverified));
        assert!(text.contains("not verified") && text.contains("`pso-backup verify latest`"), "{text}");
        assert_eq!(said(&need(), &[unverified, good]), "fine", "an older one that is good will do");
        let files = archive("2026-11-22T08:00:00Z", &[Component::Config]);
        assert!(said(&need(), std::slice::from_ref(&files)).contains("does not hold the database"));
        assert_eq!(said(&Need { database: false, ..need() }, &[files]), "fine", "logs need no database");
        let future = archive("2027-11-22T08:00:00Z", &whole);
        assert!(said(&need(), &[future]).contains("yet to come"));
        let other = Need { cluster: Some("8".to_owned()), ..need() };
        assert!(said(&other, &[archive("2026-11-22T08:00:00Z", &whole)]).contains("another server (7)"));
        let broken = Listed { content: Err("no".to_owned()), ..archive("2026-11-22T08:00:00Z", &whole) };
        assert!(said(&need(), &[broken]).contains("cannot be read: no"));
        assert!(said(&need(), &[]).contains("there is no backup in backups/daily"));
    }
}
