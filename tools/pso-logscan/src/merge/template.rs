//! Templates of the same text.

use std::cmp::Reverse;

use pso_common::record::{Header, LogTemplateRecord};
use pso_common::{Run, Severity};

use crate::merge::coverage::Said;
use crate::merge::example::Span;
use crate::merge::folded::{Folded, cut};
use crate::scan::tally::OTHER_TYPES;

/// Longest template that is told from others, in bytes.
const MAX_TEMPLATE_BYTES: usize = 4 << 10;
/// Longest id and level that are kept, in bytes.
const MAX_WORD_BYTES: usize = 64;

#[derive(Debug)]
struct Total {
    said: Said,
    id: String,
    count: u64,
    span: Span,
    level: Option<(Level, String)>,
    new: bool,
}

/// How bad a level is, the worst first.
type Level = usize;

const LEVELS: [&[&str]; 6] = [
    &["fatal", "panic", "emergency", "emerg", "alert", "critical", "crit"],
    &["error", "err", "severe"],
    &["warning", "warn"],
    &["notice", "info", "information"],
    &["debug"],
    &["trace", "verbose"],
];

/// All templates so far.
#[derive(Debug, Default)]
pub(super) struct Templates(Folded<String, Total>);

impl Templates {
    pub(super) fn add(&mut self, header: &Header, body: LogTemplateRecord) {
        let LogTemplateRecord { template_id, template, count, first_at, last_at, level, new, .. } = body;
        let template = cut(template, MAX_TEMPLATE_BYTES);
        let id = cut(template_id, MAX_WORD_BYTES);
        let span = Span::new(first_at, last_at, Some(body.example), body.example_raw);
        let level = level.map(|level| {
            let level = cut(level, MAX_WORD_BYTES);
            let rank = LEVELS.iter().position(|words| words.contains(&level.to_ascii_lowercase().as_str()));
            (rank.unwrap_or(LEVELS.len()), level)
        });
        let total = Total { said: Said::of(header), id, count, span, level, new };
        let size = size_of::<Total>() + total.said.size() + template.len() + total.span.size();
        self.0.add(
            template,
            total,
            size,
            |_| Some(OTHER_TYPES.to_owned()),
            |old, new| {
                old.said.fold(new.said);
                old.count = old.count.saturating_add(new.count);
                old.span.fold(new.span);
                if new.id < old.id {
                    old.id = new.id;
                }
                // The worst that any of them names.
                old.level = [old.level.take(), new.level].into_iter().flatten().min();
                // New to one host is new to somebody: what wakes people is not to be hidden by a host that knows it.
                old.new |= new.new;
            },
        );
    }

    /// How many templates were not kept apart.
    pub(super) const fn lost(&self) -> u64 {
        self.0.lost()
    }

    /// Writes all templates, the most frequent first.
    ///
    /// # Errors
    /// When stdout is closed or cannot be written.
    pub(super) fn write(self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let mut totals: Vec<(String, Total)> = self.0.into_values().into_iter().collect();
        totals.sort_by(|(a, one), (b, other)| (Reverse(one.count), a).cmp(&(Reverse(other.count), b)));
        for (template, total) in totals {
            let Total { said, id, count, span, level, new } = total;
            let (severity, message): (Severity, String) = said.into_parts();
            let (first_at, last_at) = (span.first_at(), span.last_at());
            let (example, example_raw) = span.into_example();
            let body = LogTemplateRecord {
                template_id: id.clone(),
                template,
                count,
                first_at,
                last_at,
                example: example.unwrap_or_default(),
                example_raw,
                level: level.map(|(_, word)| word),
                new,
            };
            run.emit(severity, id, message, body)?;
        }
        Ok(())
    }
}
