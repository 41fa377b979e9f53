//! Lines as they come, told at once.

use pso_common::Run;

use crate::follow::lines::Lines;
use crate::pass::reading::Read;
use crate::report;
use crate::scan::tally::{Counts, Event};
use crate::scan::{Rules, Scanner};
use crate::search::class::Class;
use crate::settings::Settings;
use crate::stamps::reader::Reader;

/// Tells the events of what is written, and adds everything up for the end.
pub(super) struct Teller<'a> {
    pub(super) settings: &'a Settings,
    /// As in a scan, but every event of a class that is wanted is kept for as long as it takes to write it.
    rules: Rules,
    /// All that was counted; without events, which were told.
    pub(super) counts: Counts,
}

/// An input that is followed: by what name and with what stamps, and what was read of it.
pub(super) struct Input {
    /// The path as records show it.
    pub(super) shown: String,
    pub(super) reader: Reader,
    /// What was read of it.
    pub(super) read: Read,
}

impl<'a> Teller<'a> {
    pub(super) fn new(settings: &'a Settings, mut rules: Rules) -> Self {
        let classes: Vec<Class> = rules.classes.all().collect();
        for class in classes {
            let keep = rules.keep.get_mut(class);
            *keep = if *keep > 0 { usize::MAX } else { 0 };
        }
        Self { settings, rules, counts: Counts::default() }
    }

    /// Tells what new lines of an input hold.
    ///
    /// # Errors
    /// When stdout is closed or cannot be written.
    pub(super) fn tell(&mut self, run: &mut Run<'_>, input: &mut Input, lines: &Lines<'_>) -> anyhow::Result<()> {
        let outcome = &mut input.read.outcome;
        let text = lines.text;
        outcome.has_nul |=
            outcome.tally.format.is_none() && memchr::memchr(0, &text[..text.len().min(8 << 10)]).is_some();
        outcome.cut_lines += u64::from(lines.cut);
        let mut scanner = Scanner::new(&self.rules, &input.reader, 0, outcome.tally.record);
        scanner.feed(text, lines.offset);
        let (tally, mut counts) = scanner.finish();
        counts.shift(outcome.tally.lines);
        outcome.tally.absorb(tally);
        let mut events: Vec<(Class, Event)> = Vec::new();
        for class in self.rules.classes.all() {
            let latest = std::mem::take(&mut counts.classes.get_mut(class).latest.events);
            events.extend(latest.into_iter().map(|event| (class, event)));
        }
        // As they stand in the file; a line of several classes in the order of these.
        events.sort_by_key(|(_, event)| event.position.line);
        for (class, event) in events {
            report::event(run, self.settings.classes.name(class), event, input.shown.clone())?;
        }
        self.counts.absorb(counts, &self.rules);
        Ok(())
    }
}
