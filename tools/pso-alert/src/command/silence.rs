//! `pso-alert silence add|list|expire`: times in which nobody is told of some incidents.

use anyhow::{Context as _, ensure};
use pso_common::record::Labels;
use pso_common::{Run, Severity};

use crate::cli::{Cli, SilenceArgs, SilenceCommand};
use crate::evaluate::standing;
use crate::incident::Silence;
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::text::one_line;

/// Characters of an id that nobody mistakes for one another.
const ALPHABET: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// Length of an id: short enough to type, and there are 900 million of them.
const ID_LENGTH: usize = 6;

/// Longest comment and name, in bytes.
const MAX_TEXT: usize = 500;

pub(crate) fn run(run: &mut Run<'_>, cli: &Cli, command: &SilenceCommand) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, None, run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    match command {
        SilenceCommand::Add(args) => add(run, &settings, args),
        SilenceCommand::List { all } => list(run, &settings, *all),
        SilenceCommand::Expire { id } => expire(run, &settings, id),
    }
}

fn add(run: &mut Run<'_>, settings: &Settings, args: &SilenceArgs) -> anyhow::Result<()> {
    let mut silence = understood(run, args)?;
    let now = run.now();
    silence.check(now).context("make this silence")?;
    // From here on it is there, whoever reads that.
    run.must_finish();
    let store = Store::open(&settings.state)?;
    store.transaction(|transaction| {
        loop {
            silence.id = (0..ID_LENGTH).map(|_| char::from(ALPHABET[fastrand::usize(..ALPHABET.len())])).collect();
            if store::add_silence(transaction, &silence)? {
                return Ok(());
            }
        }
    })?;
    lasting(&store)?;
    let (open, _) = standing(&store, &settings.alerts.policy, false, now)?;
    let covered = open.iter().filter(|change| change.incident.is_firing() && change.incident.fits(&silence.matchers));
    run.warn(format_args!("silence {} covers {} of the incidents that fire now", silence.id, covered.count()));
    emit(run, &silence)
}

/// The silence that the flags mean; it has no id yet.
fn understood(run: &Run<'_>, args: &SilenceArgs) -> anyhow::Result<Silence> {
    let mut matchers = Labels::new();
    for (key, pattern) in &args.matchers {
        let twice = matchers.insert(key.clone(), pattern.clone()).is_some();
        ensure!(!twice, "--match {key} is given twice; both can never fit: make two silences");
    }
    let starts_at = args.from.unwrap_or_else(|| run.now());
    let ends_at = match (args.until, args.hold) {
        (Some(until), _) => until,
        (None, Some(span)) => starts_at.plus(span),
        (None, None) => anyhow::bail!("a silence needs an end: --for or --until"),
    };
    let env = run.env();
    let user = || ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| env.get(name)).unwrap_or("unknown");
    let by = args.by.as_deref().unwrap_or_else(user);
    Ok(Silence {
        id: String::new(),
        matchers,
        starts_at,
        ends_at,
        by: one_line(by, MAX_TEXT),
        comment: one_line(&args.comment, MAX_TEXT),
    })
}

fn list(run: &mut Run<'_>, settings: &Settings, all: bool) -> anyhow::Result<()> {
    if !settings.state.exists() {
        return Ok(());
    }
    let silences = Store::open(&settings.state)?.read(store::silences)?;
    let now = run.now();
    for silence in silences.iter().filter(|silence| all || silence.ends_at > now) {
        emit(run, silence)?;
    }
    Ok(())
}

fn expire(run: &mut Run<'_>, settings: &Settings, id: &str) -> anyhow::Result<()> {
    let now = run.now();
    ensure!(settings.state.exists(), "there is no state file {}, and no silence", settings.state.display());
    run.must_finish();
    let store = Store::open(&settings.state)?;
    let ended = store.transaction(|transaction| {
        let ended = store::expire_silence(transaction, id, now)?;
        let found = store::silences(transaction)?.into_iter().find(|silence| silence.id == id);
        Ok(found.map(|silence| (ended, silence)))
    })?;
    lasting(&store)?;
    let Some((ended, silence)) = ended else {
        anyhow::bail!("there is no silence {id}; `pso-alert silence list` shows those that there are");
    };
    ensure!(ended, "silence {id} has ended already, at {}", silence.ends_at);
    run.warn(format_args!("what silence {id} covered is told by the next run, or by `pso-alert flush` now"));
    emit(run, &silence)
}

/// A silence in a state that nobody else sees would be none.
fn lasting(store: &Store) -> anyhow::Result<()> {
    let troubles = store.take_troubles().into_iter().map(|trouble| trouble.text).collect::<Vec<_>>().join("; ");
    ensure!(store.is_lasting(), "write the state file: {troubles}");
    Ok(())
}

/// Writes a silence as a record.
pub(super) fn emit(run: &mut Run<'_>, silence: &Silence) -> anyhow::Result<()> {
    let record = silence.record(run.now());
    run.emit(Severity::Ok, silence.id.clone(), silence.comment.clone(), record)
}
