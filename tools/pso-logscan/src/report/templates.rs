//! Templates as records.

use pso_common::record::{LogLineRecord, LogTemplateRecord};
use pso_common::{Run, Severity};

use crate::report::{many, text};
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
    let shown = limits.top.unwrap_or(usize::MAX);
    // What is new is what people are woken for: it is told however rare it is.
    let is_told = |(number, template): &(usize, &Template)| *number < shown || (template.new && limits.has_past);
    let told: Vec<&Template> =
        mined.templates.iter().enumerate().filter(is_told).map(|(_, template)| template).collect();
    for &template in &told {
        let new = template.new && limits.has_past;
        let (severity, message) = judged(template, new);
        let (example, example_raw) = text(&template.example);
        let body = LogTemplateRecord {
            template_id: template.id.clone(),
            template: template.text.clone(),
            count: template.count.count,
            first_at: template.count.first.and_then(Moment::timestamp),
            last_at: template.count.last.and_then(Moment::timestamp),
            example,
            example_raw,
            level: template.level.map(|level| level.name().to_owned()),
            new,
        };
        run.emit(severity, template.id.clone(), message, body)?;
    }
    let left = mined.templates.len() - told.len();
    if left > 0 {
        run.warn(format_args!("{} not shown: --top", many(left as u64, "more template")));
    }
    Ok(())
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
