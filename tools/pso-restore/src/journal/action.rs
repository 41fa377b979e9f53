//! What a restore does that must be undone when it fails: each action carries all that undoing it takes, so that the
//! same code does it in the run itself and in another one after a kill.

use std::path::PathBuf;

use anyhow::{anyhow, ensure};
use pso_common::Timestamp;
use pso_common::io::Cancel;
use pso_common::qdrant::Alias;
use pso_common::{Run, Severity};
use serde::{Deserialize, Serialize};

use crate::files;
use crate::postgres;
use crate::qdrant;
use crate::service::Commands;
use crate::settings::Settings;
use crate::steps::Step;

/// One action, noted before it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(crate) enum Action {
    /// A new database is created, to be restored into.
    NewDatabase(NewDatabase),
    /// A database is restored in one transaction.
    InPlace(InPlaceTransaction),
    /// That transaction is committed.
    Commit(InPlaceTransaction),
    /// Databases are renamed, all in one transaction.
    Rename(Renaming),
    /// A snapshot of a collection is made on the server and copied, in case it is needed.
    Save(Saving),
    /// A collection gets the archive's content.
    Collection(Replacing),
    /// An alias gets another meaning.
    Alias(Meaning),
    /// Files of one component are put in their places.
    Files(Swapping),
    /// The service is stopped; it is started again whatever becomes of the restore.
    Stop(Commands),
}

/// A new database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewDatabase {
    /// The database whose name it is to get.
    pub(crate) database: String,
    /// Its name until then.
    pub(crate) new: String,
}

/// A transaction that replaces a database's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InPlaceTransaction {
    pub(crate) database: String,
    /// `pg_current_xact_id()`, by which the server says later what became of it.
    pub(crate) transaction: String,
}

/// Names that change in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Renaming {
    pub(crate) databases: Vec<Swap>,
    /// The session that renames, by process and start: it has to have ended before its work is judged.
    pub(crate) session: (i32, String),
}

/// A new database takes the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Swap {
    /// The name that it gets.
    pub(crate) database: String,
    /// The name that it has.
    pub(crate) new: String,
    /// The name under which the old one is kept; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<String>,
    /// The new one, whatever its name is by now.
    pub(crate) oid: u32,
}

/// A snapshot asked of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saving {
    pub(crate) collection: String,
    /// When it was asked for.
    pub(crate) at: Timestamp,
    /// The snapshots that were there before.
    pub(crate) before: Vec<String>,
}

/// A collection that is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Replacing {
    pub(crate) collection: String,
    /// The name under which the archive's snapshot is uploaded.
    pub(crate) upload: String,
    /// Its bytes.
    pub(crate) size: u64,
    /// What was there; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Saved>,
}

/// The snapshot of what was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) file: PathBuf,
    /// Bytes.
    pub(crate) size: u64,
    /// Hex.
    pub(crate) sha256: String,
    /// Exact number of points.
    pub(crate) points: u64,
}

/// An alias that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meaning {
    pub(crate) alias: String,
    /// What it meant; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Alias>,
}

/// Files that are put in their places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Swapping {
    pub(crate) component: pso_common::record::Component,
    /// The folder that they go into.
    pub(crate) folder: PathBuf,
    /// Where the new ones wait.
    pub(crate) staged: PathBuf,
    /// Where the old ones go.
    pub(crate) kept: PathBuf,
    /// Paths below these folders, and whether another file is in their place.
    pub(crate) files: Vec<(PathBuf, bool)>,
    /// Folders that are created for them, in that order.
    pub(crate) created: Vec<PathBuf>,
}

impl Action {
    /// Brings back what was there. Says each failure with its way out; doing it twice does no harm. `did`: it is known
    /// to have been done.
    pub(super) fn undo(&self, run: &mut Run<'_>, settings: &Settings, did: bool) -> anyhow::Result<()> {
        match self {
            Self::NewDatabase(new) => postgres::drop_unfinished(run, &settings.postgres, new),
            Self::InPlace(transaction) => postgres::roll_back(run, &settings.postgres, transaction),
            Self::Commit(transaction) => postgres::take_back_commit(run, &settings.postgres, transaction),
            Self::Rename(renaming) => postgres::rename_back(run, &settings.postgres, renaming),
            Self::Save(saving) => {
                qdrant::forget(&settings.qdrant, saving);
                Ok(())
            }
            Self::Collection(replacing) => qdrant::put_back(run, &settings.qdrant, replacing, did),
            Self::Alias(meaning) => qdrant::mean_again(run, &settings.qdrant, meaning),
            Self::Files(swapping) => files::swap_back(run, swapping),
            // Not undone in this order, but at the very end: see `Journal::start_service`.
            Self::Stop(_) => Ok(()),
        }
    }

    /// Whether what undoing it takes is there, now that the restore came to its end.
    pub(super) fn ensure_way_back(&self, settings: &Settings) -> anyhow::Result<()> {
        match self {
            Self::Rename(renaming) => {
                let names: Vec<&str> = renaming.databases.iter().map(|swap| swap.database.as_str()).collect();
                let is_ours = postgres::has_swapped(&settings.postgres, renaming, false)?;
                ensure!(is_ours, "{} was renamed or replaced since", names.join(", "));
            }
            Self::Collection(Replacing { before: Some(saved), .. }) => {
                let there = std::fs::metadata(&saved.file).is_ok_and(|metadata| metadata.len() == saved.size);
                ensure!(there, "the snapshot {} is not there any more, or not whole", saved.file.display());
            }
            Self::Files(swapping) => {
                let replaced = swapping.files.iter().filter(|(_, replaced)| *replaced);
                for kept in replaced.map(|(path, _)| swapping.kept.join(path)) {
                    ensure!(kept.is_file(), "{}, which it has replaced, is not there any more", kept.display());
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What undoing it would do, for those who want to know first.
    pub(super) fn undo_step(&self) -> Option<Step> {
        use pso_common::record::Component::{Postgres, Qdrant};
        Some(match self {
            Self::NewDatabase(new) => Step::new("drop", Postgres, new.new.as_str()).says("the new database is dropped"),
            Self::InPlace(place) => {
                Step::new("restore", Postgres, place.database.as_str()).says("its transaction is rolled back")
            }
            Self::Commit(place) => Step::new("swap", Postgres, place.database.as_str())
                .says("where the transaction was committed, nothing can bring back what it replaced: --resume then"),
            Self::Rename(renaming) => {
                let names: Vec<&str> = renaming.databases.iter().map(|swap| swap.database.as_str()).collect();
                Step::new("swap", Postgres, names.join(", ")).says(
                    "where the databases were renamed, the old ones get their names again, and what was written into \
                     the new ones since is lost",
                )
            }
            Self::Save(_) | Self::Stop(_) => return None,
            Self::Collection(replacing) => {
                let step = Step::new("restore", Qdrant, replacing.collection.as_str());
                match &replacing.before {
                    Some(saved) => step
                        .rows(saved.points)
                        .size(saved.size)
                        .says(format!("from the snapshot that was made first, {}", saved.file.display())),
                    None => step.says("deleted: it was not there before"),
                }
            }
            Self::Alias(meaning) => Step::new("aliases", Qdrant, meaning.alias.as_str()).says(
                meaning
                    .before
                    .as_ref()
                    .map_or_else(|| "deleted".to_owned(), |before| format!("means {} again", before.collection_name)),
            ),
            Self::Files(swapping) => Step::new("restore", swapping.component, swapping.folder.display().to_string())
                .files(swapping.files.len() as u64)
                .says("the files that were there, as far as they were replaced"),
        })
    }

    /// The names that it changes.
    pub(crate) const fn renaming(&self) -> Option<&Renaming> {
        if let Self::Rename(renaming) = self { Some(renaming) } else { None }
    }

    /// The transaction that it commits.
    pub(crate) const fn commit(&self) -> Option<&InPlaceTransaction> {
        if let Self::Commit(transaction) = self { Some(transaction) } else { None }
    }

    /// Whether undoing it asks Qdrant.
    pub(crate) const fn is_of_qdrant(&self) -> bool {
        matches!(self, Self::Save(_) | Self::Collection(_) | Self::Alias(_))
    }

    /// Whether undoing it asks PostgreSQL.
    pub(crate) const fn is_of_postgres(&self) -> bool {
        matches!(self, Self::NewDatabase(_) | Self::InPlace(_) | Self::Commit(_) | Self::Rename(_))
    }

    /// A word or two for somebody who finds the journal.
    pub(super) fn describe(&self) -> Option<String> {
        Some(match self {
            Self::NewDatabase(new) => format!("the new database {}", new.new),
            Self::InPlace(place) => format!("a transaction in {}", place.database),
            Self::Rename(renaming) => {
                let names: Vec<&str> = renaming.databases.iter().map(|swap| swap.database.as_str()).collect();
                format!("the renaming of {}", names.join(", "))
            }
            Self::Save(_) | Self::Commit(_) => return None,
            Self::Collection(replacing) => format!("the collection {}", replacing.collection),
            Self::Alias(meaning) => format!("the alias {}", meaning.alias),
            Self::Files(swapping) => format!("{} files of {}", swapping.files.len(), swapping.component),
            Self::Stop(_) => "the stopped service".to_owned(),
        })
    }
}

/// A flag that no signal sets: what ended the restore must not end its undoing.
pub(crate) fn undisturbed() -> Cancel {
    Cancel::default()
}

/// Writes what could not be undone, and what somebody has to do about it; in the error too, since a table ends at the
/// terminal's edge.
pub(crate) fn not_undone(run: &mut Run<'_>, step: &Step, error: anyhow::Error, way_out: &str) -> anyhow::Result<()> {
    let message = format!("{error:#}; {way_out}");
    step.failed(run, Severity::Critical, &message)?;
    Err(anyhow!(message))
}
