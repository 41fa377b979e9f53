//! Records as aligned columns: one table for each run of records of the same kind.

use std::io::{self, Write};

use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::human::{bytes, duration_ms, printable};
use super::{Render, View};
use crate::record::{Severity, schema};

/// Rows gathered before they are printed: enough to align a screenful or two, few enough to stay small.
const MAX_ROWS: usize = 500;

/// Cells longer than this are cut; messages, and what stands below a row, are not.
const MAX_CELL: usize = 60;

/// No column is made narrower than this so that the others fit, and no name.
const MIN_CELL: usize = 12;
const MIN_NAME: usize = 24;

/// The place of the name in a row.
const NAME: usize = 1;

/// What stands below a row is indented by this.
const INDENT: &str = "    ";

pub(super) struct Table {
    color: bool,
    /// Columns of the terminal. None where the table goes into a file or a pipe.
    width: Option<usize>,
    kind: String,
    columns: Vec<&'static str>,
    /// The fields that stand below the row.
    below: Vec<&'static str>,
    rows: Vec<Row>,
    /// The head under which the next rows would stand.
    head: String,
    printed: bool,
}

struct Row {
    severity: Severity,
    cells: Vec<Cell>,
    message: String,
    below: Vec<String>,
}

struct Cell {
    text: String,
    right: bool,
}

/// A column as it is printed.
struct Column {
    /// Its place in the row.
    at: usize,
    width: usize,
    /// Whether it has numbers.
    right: bool,
}

impl Table {
    pub(super) const fn new(color: bool, width: Option<usize>) -> Self {
        Self {
            color,
            width,
            kind: String::new(),
            columns: Vec::new(),
            below: Vec::new(),
            rows: Vec::new(),
            head: String::new(),
            printed: false,
        }
    }

    fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let titles: Vec<Cell> = ["SEVERITY".to_owned(), "NAME".to_owned()]
            .into_iter()
            .chain(self.columns.iter().map(|column| title(column)))
            .map(|text| Cell { text, right: false })
            .collect();
        let rows = std::mem::take(&mut self.rows);
        // A column in which no row has anything is left out.
        let mut columns: Vec<Column> = (0..titles.len())
            .filter(|at| rows.iter().any(|row| !row.cells[*at].text.is_empty()))
            .map(|at| {
                let cells = || rows.iter().map(|row| &row.cells[at]);
                let width = cells().map(|cell| cell.text.width()).max().unwrap_or(0).max(titles[at].text.width());
                Column { at, width, right: cells().any(|cell| cell.right) }
            })
            .collect();
        let messages = rows.iter().map(|row| row.message.width()).max().unwrap_or(0);
        let beside = self.width.is_none_or(|width| whole(&columns) + 2 + messages.max("MESSAGE".len()) <= width);
        let cut_off = self.width.is_some_and(|width| narrow(&mut columns, width));
        let mut head = line(&titles, &columns);
        if cut_off {
            head.push_str(" …");
        }
        if beside && messages > 0 {
            let space = (whole(&columns) + 2).saturating_sub(head.width());
            head.extend(std::iter::repeat_n(' ', space));
            head.push_str("MESSAGE");
        }
        self.fit(&mut head);
        if head != self.head {
            if self.printed {
                writeln!(out)?;
            }
            let (bold, plain) = if self.color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
            writeln!(out, "{bold}{}\n{head}{plain}", self.kind)?;
            self.head = head;
            self.printed = true;
        }
        for row in &rows {
            let mut text = line(&row.cells, &columns);
            if beside && !row.message.is_empty() {
                let space = (whole(&columns) + 2).saturating_sub(text.width());
                text.extend(std::iter::repeat_n(' ', space));
                text.push_str(&row.message);
            }
            self.fit(&mut text);
            if let Some(color) = color(row.severity).filter(|_| self.color) {
                text = format!("\u{1b}[{color}m{text}\u{1b}[0m");
            }
            writeln!(out, "{text}")?;
            if !beside {
                for part in wrapped(&row.message, self.width.unwrap_or(usize::MAX).saturating_sub(INDENT.len())) {
                    writeln!(out, "{INDENT}{part}")?;
                }
            }
            for value in &row.below {
                // Not cut and not broken: it is there to be copied.
                writeln!(out, "{INDENT}{value}")?;
            }
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
            let info = schema::find(&header.kind);
            self.columns = info.map(|info| info.columns.to_vec()).unwrap_or_default();
            self.below = info.map(|info| info.below.to_vec()).unwrap_or_default();
            self.head.clear();
        }
        let mut cells = vec![text(header.severity.as_str()), text(&cut(&header.name, MAX_CELL))];
        cells.extend(self.columns.iter().map(|column| cell(column, view.fields.get(*column))));
        let below = self.below.iter().filter_map(|field| Some(below_rows(field, view.fields.get(*field)?)));
        let below = below.flatten().collect();
        let message = printable(&header.message).into_owned();
        self.rows.push(Row { severity: header.severity, cells, message, below });
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, _worst: Severity) -> io::Result<()> {
        self.flush(out)
    }
}

/// The width of all columns with the space between them.
fn whole(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width + 2).sum::<usize>().saturating_sub(2)
}

/// Makes the widest columns of text narrower until all fit: half a name says more than no number. Where that is not enough, the
/// last columns are left out; says whether any were.
fn narrow(columns: &mut Vec<Column>, width: usize) -> bool {
    let least = |column: &Column| if column.at == NAME { MIN_NAME } else { MIN_CELL };
    while whole(columns) > width {
        let texts = columns.iter_mut().filter(|column| !column.right && column.width > least(column));
        match texts.max_by_key(|column| column.width) {
            Some(widest) => widest.width -= 1,
            None => break,
        }
    }
    let all = columns.len();
    // Of those that do not fit anyhow, one more makes room for the mark that says so.
    if whole(columns) > width {
        while columns.len() > 1 && whole(columns) + 2 > width {
            columns.pop();
        }
    }
    columns.len() < all
}

/// Cells in their columns.
fn line(cells: &[Cell], columns: &[Column]) -> String {
    let mut line = String::new();
    for (place, column) in columns.iter().enumerate() {
        let text = cut(&cells[column.at].text, column.width);
        let space = column.width.saturating_sub(text.width());
        if place > 0 {
            line.push_str("  ");
        }
        if column.right {
            line.extend(std::iter::repeat_n(' ', space));
            line.push_str(&text);
        } else {
            line.push_str(&text);
            line.extend(std::iter::repeat_n(' ', space));
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// The text in lines that are no wider than this, broken between words where that is possible.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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

/// What stands below a row of one field: a text as it is, a list line by line under the field's name.
fn below_rows(field: &str, value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if !text.is_empty() => vec![below_row(text)],
        Value::Array(items) => {
            items.iter().filter_map(Value::as_str).map(|item| format!("{field}: {}", printable(item))).collect()
        }
        _ => Vec::new(),
    }
}

/// What is there to be copied, and a warning where the copy would be something else.
fn below_row(value: &str) -> String {
    let shown = printable(value);
    // Line ends part statements; as spaces they do no harm outside of names.
    if shown == value.replace(";\n", "; ") {
        return shown.into_owned();
    }
    format!("{shown}  (has characters that a terminal does not show: take it from --format jsonl)")
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

    fn printed(width: Option<usize>, lines: &[&str]) -> String {
        let mut table = Table::new(false, width);
        let mut out = Vec::new();
        for line in lines {
            let record =
                AnyRecord::parse(format!(r#"{{"schema":1,"at":"2026-11-22T09:00:00Z","tool":"t","host":"h",{line}}}"#))
                    .expect("a record");
            let fields = record.fields().expect("fields");
            table.record(&mut out, &View { header: &record.header, fields: &fields }).expect("written");
        }
        table.finish(&mut out, Severity::Ok).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn on_a_narrow_terminal_names_shrink_and_messages_stand_below() {
        let name = "a_schema_with_a_name.a_table_with_a_longer_name";
        let size = format!(
            r#""kind":"pg.size","severity":"ok","name":"{name}","message":"","size_bytes":1024,"table_bytes":1,"index_bytes":0"#
        );
        let expected = "pg.size\nSEVERITY  NAME                         SIZE  TABLE  INDEX\n\
                        ok        a_schema_with_a_name.a_…  1.0 KiB    1 B    0 B\n";
        assert_eq!(printed(Some(57), &[&size]), expected);
        let advice = r#""kind":"pg.advice","severity":"info","name":"a:b","message":"why it is so and what it means",
            "confidence":"low","sql":"DROP INDEX CONCURRENTLY \"a name\".\"another of them\"""#;
        let expected = "pg.advice\nSEVERITY  NAME  CONFIDENCE\ninfo      a:b   low\n    why it is so and what it\n    means\n\
                        \u{20}   DROP INDEX CONCURRENTLY \"a name\".\"another of them\"\n";
        assert_eq!(printed(Some(28), &[advice]), expected);
        // What does not fit is left out as a whole, and the head says so.
        let expected = "pg.size\nSEVERITY  NAME                         SIZE …\n\
                        ok        a_schema_with_a_name.a_…  1.0 KiB\n";
        assert_eq!(printed(Some(46), &[&size]), expected);
        let expected = "pg.advice\nSEVERITY  NAME  CONFIDENCE  MESSAGE\n\
                        info      a:b   low         why it is so and what it means\n\
                        \u{20}   DROP INDEX CONCURRENTLY \"a name\".\"another of them\"\n";
        assert_eq!(printed(None, &[advice]), expected);
    }

    #[test]
    fn a_list_stands_below_its_row_line_by_line() {
        let result = r#""kind":"rehearse.component","severity":"ok","name":"plans","message":"","component":"plans",
            "proven":["44 files","UTF-8"],"unproven":[],"entries":1,"size_bytes":1,"elapsed_ms":1"#;
        let expected = "rehearse.component\nSEVERITY  NAME   ENTRIES  SIZE  ELAPSED\n\
                        ok        plans        1   1 B     1 ms\n    proven: 44 files\n    proven: UTF-8\n";
        assert_eq!(printed(None, &[result]), expected);
    }

    #[test]
    fn what_cannot_be_copied_from_a_terminal_says_so() {
        assert_eq!(below_row("A;\nB"), "A; B");
        let warned = "DROP TABLE \"a b\"  (has characters that a terminal does not show: take it from --format jsonl)";
        assert_eq!(below_row("DROP TABLE \"a\nb\""), warned);
    }

    #[test]
    fn the_head_stands_again_where_the_columns_are_others() {
        let row = |name: &str| {
            format!(
                r#""kind":"pg.size","severity":"ok","name":"{name}","message":"","size_bytes":1,"table_bytes":1,"index_bytes":1"#
            )
        };
        let (short, long) = (row("t"), row("much_longer"));
        let mut lines = vec![short.as_str(); MAX_ROWS];
        assert_eq!(printed(None, &[lines.clone(), lines.clone()].concat()).matches("SEVERITY").count(), 1);
        lines.push(&long);
        let text = printed(None, &lines);
        assert_eq!(text.matches("SEVERITY").count(), 2, "{text}");
    }

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
