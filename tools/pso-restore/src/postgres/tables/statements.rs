//! The statements that make one table of a dump again, in another schema.

use anyhow::{Context as _, ensure};
use pso_archive::custom::{Toc, TocEntry};
use pso_archive::legacy::{Piece, SqlReader, copied_table};
use pso_archive::load::copy_statement;

use crate::postgres::target::ident;

/// A table of the dump.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name in the dump and the manifest, as SQL writes it: `public.tasks`.
    pub(super) name: String,
    /// Its new name, as SQL writes it.
    pub(super) new: String,
    /// The id of its data.
    pub(super) data: u32,
    pub(super) copy: String,
    /// What makes the table.
    pub(super) before: Vec<String>,
    /// Indexes and constraints, which come after the rows.
    pub(super) after: Vec<String>,
    /// What is not made again, and why.
    pub(super) left_out: Vec<String>,
}

/// Finds what makes the table `wanted`, a name as people or SQL write it.
///
/// # Errors
/// When the dump has no such table, or it cannot be made without others.
pub(super) fn table(toc: &Toc, wanted: &str, schema: &str) -> anyhow::Result<Table> {
    let is_meant = |entry: &&TocEntry| {
        entry.desc == "TABLE DATA"
            && (format!("{}.{}", entry.namespace, entry.tag) == wanted
                || copied_table(&entry.copy).as_deref() == Some(wanted))
    };
    let data = toc.entries.iter().find(is_meant).with_context(|| absent(toc, wanted))?;
    let definition = toc
        .entries
        .iter()
        .find(|entry| entry.desc == "TABLE" && entry.namespace == data.namespace && entry.tag == data.tag)
        .with_context(|| format!("the dump has rows of {wanted} and does not say how it is made"))?;
    let name =
        copied_table(&data.copy).with_context(|| format!("the rows of {wanted} are in another form than COPY"))?;
    let new = format!("{}.{}", ident(schema), own_name(&name).with_context(|| format!("{name} is in no schema"))?);
    let copy = copy_statement(&data.copy, &toc.encoding)
        .with_context(|| format!("the rows of {name} are in another form than COPY"))?;
    let mut table = Table {
        copy: renamed(&copy, "COPY ", &name, &new)
            .with_context(|| format!("the rows of {name} are in another form than COPY"))?,
        data: data.id,
        before: Vec::new(),
        after: Vec::new(),
        left_out: Vec::new(),
        name,
        new,
    };
    for statement in split(&definition.definition)? {
        table.make(&statement)?;
    }
    for entry in toc.entries.iter().filter(|entry| entry.dependencies.contains(&definition.id)) {
        table.add(entry)?;
    }
    Ok(table)
}

fn absent(toc: &Toc, wanted: &str) -> String {
    let is_parent =
        toc.entries.iter().any(|entry| entry.desc == "TABLE" && format!("{}.{}", entry.namespace, entry.tag) == wanted);
    if is_parent {
        return format!("{wanted} holds no rows of its own: it is partitioned, or foreign; name its partitions");
    }
    let mut names: Vec<String> = toc
        .entries
        .iter()
        .filter(|entry| entry.desc == "TABLE DATA")
        .filter_map(|entry| copied_table(&entry.copy))
        .collect();
    names.truncate(20);
    format!("the archive has no table {wanted}, but: {}; name it with its schema", names.join(", "))
}

impl Table {
    /// Takes a statement of the table's own definition.
    fn make(&mut self, statement: &str) -> anyhow::Result<()> {
        let heads = ["CREATE TABLE ", "CREATE UNLOGGED TABLE ", "ALTER TABLE ONLY ", "ALTER TABLE "];
        let made = heads.iter().find_map(|head| renamed(statement, head, &self.name, &self.new));
        let made = made.with_context(|| format!("{} is made in a way that is not known here", self.name))?;
        ensure!(
            !made.contains("\nINHERITS (") && !made.contains(")\nSERVER "),
            "{} is a part of another table, whose queries would find the restored rows; restore the whole database elsewhere \
             (--pg-dbname)",
            self.name
        );
        self.before.push(made);
        Ok(())
    }

    /// Takes what depends on the table, where it needs no other one.
    fn add(&mut self, entry: &TocEntry) -> anyhow::Result<()> {
        let mut leave = |why: &str| self.left_out.push(format!("{} {} ({why})", entry.desc.to_lowercase(), entry.tag));
        match entry.desc.as_str() {
            "CONSTRAINT" | "CHECK CONSTRAINT" => {
                for statement in split(&entry.definition)? {
                    match renamed(&statement, "ALTER TABLE ONLY ", &self.name, &self.new)
                        .or_else(|| renamed(&statement, "ALTER TABLE ", &self.name, &self.new))
                    {
                        Some(made) => self.after.push(made),
                        None => self.left_out.push(format!("part of {}", entry.tag)),
                    }
                }
            }
            "INDEX" => match indexed(&entry.definition, &self.name, &self.new) {
                Some(made) => self.after.push(made),
                None => leave("it is made in a way that is not known here"),
            },
            "FK CONSTRAINT" => leave("it needs another table"),
            "DEFAULT" => leave("it may need a sequence of the live table"),
            "TRIGGER" | "RULE" | "POLICY" | "ROW SECURITY" => leave("it acts on others"),
            "SEQUENCE" if entry.definition.contains("ADD GENERATED") => leave("new rows would need its values"),
            _ => {}
        }
        Ok(())
    }
}

/// The statements of a definition, each without its semicolon.
fn split(definition: &str) -> anyhow::Result<Vec<String>> {
    let mut reader = SqlReader::new(definition.as_bytes());
    let mut statements = Vec::new();
    while let Some(piece) = reader.next_piece()? {
        if let Piece::Statement(statement) = piece {
            statements.push(statement.trim_end_matches(';').to_owned());
        }
    }
    Ok(statements)
}

/// The statement with the other name, where it begins with `head` and the name.
fn renamed(statement: &str, head: &str, name: &str, new: &str) -> Option<String> {
    let rest = statement.strip_prefix(head)?.strip_prefix(name)?;
    rest.starts_with([' ', '\n', '(']).then(|| format!("{head}{new}{rest}"))
}

/// `CREATE INDEX name ON public.tasks USING …`.
fn indexed(definition: &str, name: &str, new: &str) -> Option<String> {
    let statement = definition.trim_end().strip_suffix(';')?;
    let is_index = statement.starts_with("CREATE INDEX ") || statement.starts_with("CREATE UNIQUE INDEX ");
    let place = format!(" ON {name} USING ");
    let at = statement.find(&place).filter(|_| is_index)?;
    Some(format!("{} ON {new} USING {}", &statement[..at], &statement[at + place.len()..]))
}

/// What stands after the schema in a name as SQL writes it.
fn own_name(name: &str) -> Option<&str> {
    let mut quoted = false;
    let dot = name.find(|letter: char| {
        quoted ^= letter == '"';
        letter == '.' && !quoted
    });
    name.get(dot? + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_head_of_a_statement_gets_the_new_name() {
        let statement = "ALTER TABLE ONLY public.tasks\n    ADD CONSTRAINT c CHECK ((text <> 'public.tasks'::text))";
        let made = renamed(statement, "ALTER TABLE ONLY ", "public.tasks", "\"r\".tasks").expect("renamed");
        assert_eq!(made, "ALTER TABLE ONLY \"r\".tasks\n    ADD CONSTRAINT c CHECK ((text <> 'public.tasks'::text))");
        assert_eq!(renamed("CREATE TABLE public.tasks_old (", "CREATE TABLE ", "public.tasks", "x"), None);
        let index = "CREATE UNIQUE INDEX i ON public.tasks USING btree (id) WHERE (id > 0);\n";
        let made = indexed(index, "public.tasks", "\"r\".tasks").expect("renamed");
        assert_eq!(made, "CREATE UNIQUE INDEX i ON \"r\".tasks USING btree (id) WHERE (id > 0)");
        assert_eq!(indexed("CREATE INDEX i ON ONLY public.tasks USING btree (id);", "public.tasks", "x"), None);
    }

    #[test]
    fn a_dot_in_quotes_is_no_end_of_a_schema() {
        assert_eq!(own_name("public.tasks"), Some("tasks"));
        assert_eq!(own_name(r#""Été . 1"."a ""b""""#), Some(r#""a ""b""""#));
        assert_eq!(own_name("tasks"), None);
    }
}
