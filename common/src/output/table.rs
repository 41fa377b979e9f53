//! Records as aligned columns: one table for each run of records of the same kind.

use std::io::{self, Write};

use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::human::{bytes, duration_ms, printable};
use super::{Render, View};
use crate::record::{Severity, schema};

/// Rows gathered before they are printed: enough to align a screenful or two, few enough to stay small.
const MAX_ROWS: usize = 500;

/// Cells longer than this are cut, except the last of a row.
const MAX_CELL: usize = 60;

pub(super) struct Table {
    color: bool,
    /// Columns of the terminal; lines are cut there. None where the table goes into a file or a pipe.
    width: Option<usize>,
    kind: String,
    columns: Vec<&'static str>,
    rows: Vec<Row>,
    headed: bool,
    printed: bool,
}

struct Row {
    severity: Severity,
    cells: Vec<Cell>,
}

struct Cell {
    text: String,
    right: bool,
}

impl Table {
    pub(super) const fn new(color: bool, width: Option<usize>) -> Self {
        Self { color, width, kind: String::new(), columns: Vec::new(), rows: Vec::new(), headed: false, printed: false }
    }

    fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let titles = ["SEVERITY".to_owned(), "NAME".to_owned()]
            .into_iter()
            .chain(self.columns.iter().map(|column| title(column)))
            .chain(["MESSAGE".to_owned()]);
        let rows = std::mem::take(&mut self.rows);
        // A column in which no row has anything is left out.
        let shown: Vec<(usize, String)> =
            titles.enumerate().filter(|(at, _)| rows.iter().any(|row| !row.cells[*at].text.is_empty())).collect();
        let widths: Vec<usize> = shown
            .iter()
            .map(|(at, title)| rows.iter().map(|row| row.cells[*at].text.width()).max().unwrap_or(0).max(title.width()))
            .collect();
        if !self.headed {
            if self.printed {
                writeln!(out)?;
            }
            let mut line = String::new();
            let head: Vec<Cell> =
                shown.iter().map(|(at, title)| Cell { text: title.clone(), right: rows[0].cells[*at].right }).collect();
            push_line(&mut line, head.iter().zip(&widths));
            self.fit(&mut line);
            let (bold, plain) = if self.color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
            writeln!(out, "{bold}{}\n{line}{plain}", self.kind)?;
            self.headed = true;
            self.printed = true;
        }
        for row in &rows {
            let mut line = String::new();
            push_line(&mut line, shown.iter().map(|(at, _)| &row.cells[*at]).zip(&widths));
            self.fit(&mut line);
            if let Some(color) = color(row.severity).filter(|_| self.color) {
                line = format!("\u{1b}[{color}m{line}\u{1b}[0m");
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// Cuts a line at the terminal's edge: a wrapped table cannot be read.
    fn fit(&self, line: &mut String) {
        if let Some(width) = self.width {
            *line = cut(line, width);
        }
    }
}

impl Render for Table {
    fn record(&mut self, out: &mut dyn Write, view: &View<'_>) -> io::Result<()> {
        let header = view.header;
        // The frame of a run is for programs; a person sees its end only when it went wrong.
        if header.kind == "run.start" || (header.kind == "run.end" && view.fields.get("error").is_none()) {
            return Ok(());
        }
        if header.kind != self.kind || self.rows.len() >= MAX_ROWS {
            self.flush(out)?;
        }
        if header.kind != self.kind {
            self.kind.clone_from(&header.kind);
            self.columns = schema::find(&header.kind).map(|info| info.columns.to_vec()).unwrap_or_default();
            self.headed = false;
        }
        let mut cells = vec![text(header.severity.as_str()), text(&cut(&header.name, MAX_CELL))];
        cells.extend(self.columns.iter().map(|column| cell(column, view.fields.get(*column))));
        cells.push(text(&header.message));
        self.rows.push(Row { severity: header.severity, cells });
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, _worst: Severity) -> io::Result<()> {
        self.flush(out)
    }
}

fn push_line<'a>(line: &mut String, cells: impl Iterator<Item = (&'a Cell, &'a usize)>) {
    for (at, (cell, &width)) in cells.enumerate() {
        let space = width.saturating_sub(cell.text.width());
        if at > 0 {
            line.push_str("  ");
        }
        if cell.right {
            line.extend(std::iter::repeat_n(' ', space));
            line.push_str(&cell.text);
        } else {
            line.push_str(&cell.text);
            line.extend(std::iter::repeat_n(' ', space));
        }
    }
    line.truncate(line.trim_end().len());
}

const fn color(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Ok | Severity::Info => None,
        Severity::Warning => Some("33"),
        Severity::High => Some("31"),
        Severity::Critical => Some("1;31"),
        Severity::Unknown => Some("35"),
    }
}

/// A field's name as a column title; the unit that the name carries is shown in the cells instead.
fn title(field: &str) -> String {
    let name = ["_bytes", "_ms", "_seconds"].iter().find_map(|unit| field.strip_suffix(unit)).unwrap_or(field);
    name.replace('_', " ").to_uppercase()
}

fn cell(field: &str, value: Option<&Value>) -> Cell {
    match value {
        None | Some(Value::Null) => text(""),
        Some(Value::String(value)) => text(&cut(value, MAX_CELL)),
        Some(Value::Bool(value)) => text(if *value { "yes" } else { "no" }),
        Some(Value::Number(number)) => {
            let shown = match number.as_u64() {
                Some(count) if field.ends_with("_bytes") => bytes(count),
                Some(ms) if field.ends_with("_ms") => duration_ms(ms),
                Some(seconds) if field.ends_with("_seconds") => duration_ms(seconds.saturating_mul(1000)),
                Some(count) => count.to_string(),
                None => number.as_f64().map_or_else(|| number.to_string(), decimal),
            };
            Cell { text: shown, right: true }
        }
        Some(Value::Array(values)) => {
            let items = values.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            text(&cut(&items.collect::<Vec<_>>().join(","), MAX_CELL))
        }
        Some(object @ Value::Object(_)) => text(&cut(&object.to_string(), MAX_CELL)),
    }
}

/// Up to two decimals, none where they are zero.
fn decimal(value: f64) -> String {
    let text = format!("{value:.2}");
    text.strip_suffix(".00").map_or_else(|| text.clone(), str::to_owned)
}

fn text(value: &str) -> Cell {
    Cell { text: printable(value).into_owned(), right: false }
}

/// The text, or what fits into `width` columns with an ellipsis at its end.
fn cut(value: &str, width: usize) -> String {
    if value.width() <= width {
        return value.to_owned();
    }
    let mut taken = 0;
    let kept = value.chars().take_while(|c| {
        taken += c.width().unwrap_or(0);
        taken < width
    });
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::AnyRecord;

    #[test]
    fn columns_align_and_empty_ones_are_left_out() {
        let mut table = Table::new(false, None);
        let mut out = Vec::new();
        for (name, bytes, message) in [("a", 10, "é"), ("longer", 2048, "two\u{1b}[0m words")] {
            let record = AnyRecord::parse(format!(
                r#"{{"schema":1,"kind":"pg.size","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"ok","name":"{name}","message":"{}","size_bytes":{bytes}}}"#,
                message.escape_default()
                    .to_string().replace("\\u{e9}", "\\u00e9").replace("\\u{1b}", "\\u001b")
            ))
            .expect("a record");
            let fields = record.fields().expect("fields");
            table.record(&mut out, &View { header: &record.header, fields: &fields }).expect("written");
        }
        table.finish(&mut out, Severity::Ok).expect("written");
        let expected = "pg.size\nSEVERITY  NAME       SIZE  MESSAGE\nok        a          10 B  é\n\
                        ok        longer  2.0 KiB  two·[0m words\n";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}
