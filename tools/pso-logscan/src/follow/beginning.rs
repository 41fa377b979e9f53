//! Where the following begins: in each input of the first look.

use std::io::Read as _;
use std::path::Path;

use pso_common::{Run, Severity};

use crate::bookmark::entry::{Entry, absolute, name};
use crate::bookmark::plan::Planned;
use crate::follow::Follow;
use crate::follow::lines::Pending;
use crate::follow::source::Source;
use crate::follow::streams::pipe;
use crate::follow::teller::Input;
use crate::input::files::{Found, STDIN};
use crate::input::logfile::{Identity, LogFile, fill};
use crate::input::prints::Trace;
use crate::input::rotation;
use crate::pass::reading::Read;
use crate::report;
use crate::scan::tally::FileTally;
use crate::stamps::reader::Reader;
use crate::stamps::reference;

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

impl Follow<'_> {
    /// Begins with one of the inputs that were found first.
    pub(super) fn begin(&mut self, run: &mut Run<'_>, planned: Planned) -> anyhow::Result<()> {
        let shown = planned.found.shown();
        match &planned.found {
            Found::Not { severity, reason, .. } => {
                self.extent.unread += u64::from(*severity == Severity::Unknown);
                report::unread(run, shown, None, *severity, reason.clone())
            }
            Found::Twin { path, of, is_part, .. } => {
                self.begin_twin(run, path, &shown);
                report::twin(run, shown, planned.found.size(), of, *is_part)
            }
            Found::Stdin => {
                let stdin = run.take_stdin();
                let input = self.input(run, shown, None, FileTally::default());
                self.streams.add(Path::new(STDIN), input, self.sizes.max_line, move || Ok(Box::new(stdin)));
                Ok(())
            }
            Found::File(path) => match LogFile::open(path) {
                Ok(log) => self.begin_file(run, &planned, path, log),
                Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                    let input = self.input(run, shown, None, FileTally::default());
                    self.streams.add(path, input, self.sizes.max_line, pipe(path.clone()));
                    Ok(())
                }
                Err(error) => self.unreadable(run, &planned, &error),
            },
        }
    }

    /// A file whose content is in another one too, but whose name says that more may come.
    fn begin_twin(&mut self, run: &Run<'_>, path: &Path, shown: &str) {
        if !rotation::may_grow(&name(path)) {
            return;
        }
        let begun = LogFile::open(path).and_then(|log| {
            let (offset, lines) = end_of(&log)?;
            let mut input = self.input(run, shown.to_owned(), Some(path), FileTally { lines, ..FileTally::default() });
            input.read.before = Some(lines);
            Source::new(path, log, offset, self.sizes.max_line, input)
        });
        match begun {
            Ok(source) => self.sources.push(source),
            Err(_) => self.know(path),
        }
    }

    fn begin_file(&mut self, run: &mut Run<'_>, planned: &Planned, path: &Path, log: LogFile) -> anyhow::Result<()> {
        let grows = rotation::may_grow(&name(path));
        // What is to be read of what is there: behind the bookmark, what the window asks for, or nothing.
        let all = self.settings.bookmark.is_some() || self.settings.window.since.is_some();
        if !grows && (planned.untouched || !all) {
            self.know(path);
            self.remember(run, path, &log);
            self.entries.extend(planned.entry.clone());
            return Ok(());
        }
        let (offset, before) = match &planned.entry {
            Some(entry) => (entry.offset, entry.before(&self.settings.window)),
            None if all => (0, FileTally::default()),
            None => match end_of(&log) {
                Ok((offset, lines)) => (offset, FileTally { lines, ..FileTally::default() }),
                Err(error) => return self.unreadable(run, planned, &error),
            },
        };
        let before_lines = (offset > 0).then_some(before.lines);
        let mut input = self.input(run, planned.found.shown(), Some(path), before);
        input.read.before = before_lines;
        input.read.size = Some(log.identity.size);
        if log.is_packed() {
            return self.read_through(run, path, &log, offset, input);
        }
        match Source::new(path, log, offset, self.sizes.max_line, input) {
            Ok(mut source) => {
                source.poll(run, &mut self.teller)?;
                self.sources.push(source);
                if !grows {
                    self.retire(self.sources.len() - 1);
                }
                Ok(())
            }
            Err(error) => self.unreadable(run, planned, &error),
        }
    }

    /// Reads a packed file, or a copy, from `offset` of its text to its end. Nothing more of it is expected.
    pub(super) fn read_through(
        &mut self,
        run: &mut Run<'_>,
        path: &Path,
        log: &LogFile,
        offset: u64,
        mut input: Input,
    ) -> anyhow::Result<()> {
        self.know(path);
        let (mut pending, mut total) = (Pending::new(offset, self.sizes.max_line), offset);
        let mut trace = Trace::default();
        let text = log.text().and_then(|decoded| {
            let mut text = decoded.text;
            let (mut left, mut piece) = (offset, vec![0; PIECE]);
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
                text.read_exact(&mut piece[..most])?;
                trace.pass(&piece[..most]);
                left -= most as u64;
            }
            Ok((text, decoded.tally))
        });
        match text {
            Ok((mut text, packed)) => {
                let mut piece = vec![0; PIECE];
                loop {
                    let (filled, error) = fill(&mut text, &mut piece);
                    trace.pass(&piece[..filled]);
                    total += filled as u64;
                    pending.push(&piece[..filled], |lines| self.teller.tell(run, &mut input, &lines))?;
                    let ended = filled < PIECE || error.is_some() || run.cancel().is_cancelled();
                    if error.is_some() {
                        input.read.outcome.error = error;
                    }
                    if ended {
                        break;
                    }
                }
                if input.read.outcome.error.is_none() && !run.cancel().is_cancelled() {
                    pending.finish(|lines| self.teller.tell(run, &mut input, &lines))?;
                }
                input.read.read_bytes = packed.read_bytes();
                input.read.garbage = packed.garbage_bytes();
            }
            Err(error) => input.read.outcome.error = Some(error),
        }
        let prints = trace.prints(pending.end()).filter(|_| pending.end() > 0 && !input.read.is_binary());
        if let Some(prints) = prints {
            let tally = &input.read.outcome.tally;
            self.entries.push(Entry {
                path: absolute(path),
                identity: log.identity,
                prints,
                offset: pending.end(),
                lines: tally.lines,
                left: total - pending.end(),
                growing: false,
                record: tally.record.map(Into::into),
                seen_at: run.now(),
            });
        }
        self.done.push(input);
        Ok(())
    }

    /// An input that begins, or goes on behind what `before` says.
    pub(super) fn input(&self, run: &Run<'_>, shown: String, path: Option<&Path>, before: FileTally) -> Input {
        let zone = self.settings.zones.of(Path::new(&shown)).clone();
        let reference = path.map_or_else(|| run.now().into(), |path| reference::of_file(path, run.now()));
        let mut read = Read::default();
        read.outcome.tally = before;
        Input { shown, reader: Reader::new(zone, reference), read }
    }

    /// From now on the file is not looked at.
    pub(super) fn know(&mut self, path: &Path) {
        if let Ok(metadata) = path.metadata() {
            let identity = Identity::of(&metadata);
            self.known.insert((identity.device, identity.inode), identity);
        }
    }

    /// What is in the file is old, even when packing gives it to a new one.
    fn remember(&mut self, run: &Run<'_>, path: &Path, log: &LogFile) {
        let Some(skip) = log.plain() else { return };
        let offset = log.identity.size.saturating_sub(skip);
        if let (true, Ok(prints)) = (offset > 0, log.prints(skip, offset)) {
            let (path, identity) = (absolute(path), log.identity);
            let (lines, left, growing, record, seen_at) = (0, 0, false, None, run.now());
            self.before.push(Entry { path, identity, prints, offset, lines, left, growing, record, seen_at });
        }
    }

    fn unreadable(&mut self, run: &mut Run<'_>, planned: &Planned, error: &std::io::Error) -> anyhow::Result<()> {
        if let Found::File(path) = &planned.found {
            self.know(path);
        }
        self.entries.extend(planned.entry.clone());
        self.extent.unread += 1;
        let reason = format!("it cannot be read: {error}");
        report::unread(run, planned.found.shown(), planned.found.size(), Severity::Unknown, reason)
    }
}

/// Where the last finished line of a text ends, and how many lines that are.
fn end_of(log: &LogFile) -> std::io::Result<(u64, u64)> {
    let mut file = log.text()?.text;
    let (mut piece, mut at, mut end, mut lines) = (vec![0; 4 * PIECE], 0, 0, 0);
    loop {
        let (filled, error) = fill(&mut file, &mut piece);
        if let Some(error) = error {
            return Err(error);
        }
        let text = &piece[..filled];
        lines += memchr::memchr_iter(b'\n', text).count() as u64;
        end = memchr::memrchr(b'\n', text).map_or(end, |last| at + last as u64 + 1);
        at += filled as u64;
        if filled < piece.len() {
            return Ok((end, lines));
        }
    }
}
