//! Templates as records.

use pso_common::record::{LogLineRecord, LogTemplateRecord};
use pso_common::{Run, Severity};

use crate::report::{many, text};
use crate::scan::tally::Count;
use crate::stamps::Moment;
use crate::templates::{Gist, Level, Mined, Template};

/// What is said of a template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many templates are written.
    pub(crate) top: Option<usize>,
    /// Whether earlier runs have told what is usual: without them nothing is new.
    pub(crate) has_past: bool,
}

/// Writes the templates, the most frequent first.
///
/// # Errors
/// When stdout is closed or cannot be written.
pub(crate) fn templates(run: &mut Run<'_>, mined: &Mined, limits: Limits) -> anyhow::Result<()> {
    let mut others = Others::default();
    for (number, template) in mined.templates.iter().enumerate() {
        let new = template.new && limits.has_past;
        // What is new is what people are woken for: it is told however rare it is.
        if !new && limits.top.is_some_and(|top| number >= top) {
            others.templates += 1;
            others.count.add(template.count);
            continue;
        }
        let (severity, message) = judged(template, new);
        let (example, example_raw) = text(&template.example);
        let body = LogTemplateRecord {
            template_id: template.id.clone(),
            template: template.text.clone(),
            example,
            example_raw,
            level: template.level.map(|level| level.name().to_owned()),
            new,
            ..counted(template.count)
        };
        run.emit(severity, template.id.clone(), message, body)?;
    }
    if others.templates > 0 {
        let message = format!("{}, none of them new", many(others.templates, "more template"));
        let body =
            LogTemplateRecord { template_id: OTHERS.to_owned(), template: OTHERS.to_owned(), ..counted(others.count) };
        run.emit(Severity::Info, OTHERS, message, body)?;
    }
    Ok(())
}

/// The template that stands for those behind `--top`.
const OTHERS: &str = "(other)";

/// Templates that are not told one by one.
#[derive(Default)]
struct Others {
    templates: u64,
    count: Count,
}

fn counted(count: Count) -> LogTemplateRecord {
    LogTemplateRecord {
        count: count.count,
        first_at: count.first.and_then(Moment::timestamp),
        last_at: count.last.and_then(Moment::timestamp),
        ..LogTemplateRecord::default()
    }
}

/// How bad a template is: a new one of errors is worth a look.
fn judged(template: &Template, new: bool) -> (Severity, String) {
    match (new, template.level) {
        (true, Some(Level::Error | Level::Critical)) => {
            (Severity::Warning, format!("never seen before: {}", template.text))
        }
        (true, _) => (Severity::Info, format!("never seen before: {}", template.text)),
        (false, _) => (Severity::Info, String::new()),
    }
}

/// Writes the template of each record.
///
/// # Errors
/// When stdout is closed or cannot be written.
pub(crate) fn lines(run: &mut Run<'_>, mined: &Mined, lines: &[Gist], paths: &[String]) -> anyhow::Result<()> {
    for gist in lines {
        let Some(template) = mined.template_of(gist.slot).and_then(|number| mined.templates.get(number)) else {
            continue;
        };
        let body = LogLineRecord {
            path: paths.get(gist.file).cloned().unwrap_or_default(),
            line: (gist.line > 0).then_some(gist.line),
            offset: gist.offset,
            template_id: template.id.clone(),
        };
        run.emit(Severity::Info, template.id.clone(), "", body)?;
    }
    Ok(())
}
