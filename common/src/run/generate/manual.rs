//! A manual page: clap_mangen's sections for what clap knows, and ours for what the help says below the flags. Subcommands
//! stand in the page of their tool, so that one page answers. What belongs where: man-pages(7).

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::notes::{self, Note};

/// Every tool, for SEE ALSO. The end-to-end tests compare it with `tools/`.
const TOOLS: [&str; 9] = [
    "pso-alert",
    "pso-audit",
    "pso-backup",
    "pso-health",
    "pso-logscan",
    "pso-pgstats",
    "pso-prune",
    "pso-rehearse",
    "pso-restore",
];

const DOCUMENTATION: &str = "/usr/share/doc/pso-tools";

/// What roff writes in front of each piece: how to print an apostrophe. Once a page is enough.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Writes the page of the tool with these flags.
pub(super) fn write(command: Command, out: &mut dyn Write) -> std::io::Result<()> {
    let mut page = Vec::new();
    pieces(command, &mut page)?;
    let page = String::from_utf8_lossy(&page).replace(PREAMBLE, "");
    out.write_all(PREAMBLE.as_bytes())?;
    out.write_all(ascii(&page).as_bytes())
}

/// Every formatter knows these escapes; without `preconv` groff takes other bytes for Latin-1 (groff_char(7)).
fn ascii(page: &str) -> String {
    page.chars().fold(String::with_capacity(page.len()), |mut text, c| {
        if c.is_ascii() {
            text.push(c);
        } else {
            text.push_str(&format!("\\[u{:04X}]", u32::from(c)));
        }
        text
    })
}

fn pieces(mut command: Command, out: &mut dyn Write) -> std::io::Result<()> {
    command.build();
    let name = command.get_name().to_owned();
    let commands = leaves(&command);
    let usages: Vec<String> = std::iter::once(&command).chain(&commands).map(usage).collect();
    let notes = std::iter::once(&command).chain(&commands).flat_map(help_below).collect();

    // An empty date would be left out, and what follows taken for it. clap would list every flag of every tool's own and common ones in the synopsis.
    let page = Man::new(command.clone().override_usage(usages.join("\n"))).manual("pso tools").date(" ");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    if !commands.is_empty() {
        let mut roff = Roff::default();
        roff.control("SH", ["COMMANDS"]);
        roff.to_writer(out)?;
        for command in &commands {
            subcommand(command, out)?;
        }
    }
    let mut roff = Roff::default();
    below(&mut roff, notes);
    environment(&mut roff, std::iter::once(&command).chain(&commands));
    files(&mut roff);
    see_also(&mut roff, &name);
    roff.to_writer(out)
}

/// The subcommands that do something, at whatever depth, in the order of the help.
fn leaves(command: &Command) -> Vec<Command> {
    let own = command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set());
    own.flat_map(|sub| if sub.has_subcommands() { leaves(sub) } else { vec![sub.clone()] }).collect()
}

/// `pso-backup list [OPTIONS]`.
fn usage(command: &Command) -> String {
    let text = command.clone().render_usage().to_string();
    text.lines().map(|line| line.trim_start_matches("Usage:").trim()).collect::<Vec<_>>().join("\n")
}

fn help_below(command: &Command) -> Vec<Note> {
    command.get_after_help().map(|text| notes::parse(&text.to_string())).unwrap_or_default()
}

/// A subcommand with the flags that are its own.
fn subcommand(command: &Command, out: &mut dyn Write) -> std::io::Result<()> {
    let mut roff = Roff::default();
    let usage = usage(command);
    roff.control("SS", [usage.lines().next().unwrap_or_default()]);
    if let Some(about) = command.get_long_about().or_else(|| command.get_about()) {
        paragraphs(&mut roff, about.to_string().lines());
    }
    roff.to_writer(out)?;
    let own = command.clone().mut_args(|arg| {
        let hidden = arg.is_global_set() || arg.get_id() == "help" || arg.is_hide_set();
        arg.hide(hidden)
    });
    let mut options = Vec::new();
    Man::new(own).render_options_section(&mut options)?;
    // The flags stand below the subcommand's own heading.
    for line in String::from_utf8_lossy(&options).split_inclusive('\n').filter(|line| !line.starts_with(".SH")) {
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn paragraphs<'a>(roff: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        if line.trim().is_empty() {
            roff.control("PP", []);
        } else {
            roff.text([roman(line)]);
        }
    }
}

/// What stands below the flags: notes first, exit codes and examples last, as man-pages(7) has them.
fn below(roff: &mut Roff, notes: Vec<Note>) {
    let mut sections: Vec<(String, Vec<Note>)> = Vec::new();
    for note in notes {
        let heading = match note.heading.as_deref() {
            None => "NOTES".to_owned(),
            Some("Exit codes" | "Exit code") => "EXIT STATUS".to_owned(),
            Some(other) => other.to_uppercase(),
        };
        match sections.iter_mut().find(|(of, _)| *of == heading) {
            Some((_, notes)) => notes.push(note),
            None => sections.push((heading, vec![note])),
        }
    }
    let rank = |heading: &str| match heading {
        "EXIT STATUS" => 1,
        "EXAMPLES" => 2,
        _ => 0,
    };
    sections.sort_by_key(|(heading, _)| rank(heading));
    for (heading, notes) in sections {
        roff.control("SH", [heading.as_str()]);
        for (nth, note) in notes.iter().enumerate() {
            if nth > 0 {
                roff.control("PP", []);
            }
            if note.as_it_stands {
                roff.control("nf", []);
                for line in &note.lines {
                    roff.text([roman(line)]);
                }
                roff.control("fi", []);
            } else {
                paragraphs(roff, note.lines.iter().map(String::as_str));
            }
        }
    }
}

/// The variables that the flags' help names, each with its flags.
fn environment<'a>(roff: &mut Roff, commands: impl Iterator<Item = &'a Command>) {
    let mut variables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for arg in commands.flat_map(Command::get_arguments) {
        for variable in variables_of(arg) {
            let flags = variables.entry(variable).or_default();
            let flag = arg.get_long().map_or_else(|| arg.get_id().to_string(), |long| format!("--{long}"));
            if !flags.contains(&flag) {
                flags.push(flag);
            }
        }
    }
    roff.control("SH", ["ENVIRONMENT"]);
    roff.text([roman("A flag is stronger than its variable, a variable stronger than the configuration file.")]);
    let database = variables.contains_key("PGHOST");
    for (variable, flags) in variables {
        roff.control("TP", []);
        roff.text([bold(variable)]);
        roff.text([roman(format!("As {}.", flags.join(", ")))]);
    }
    if database {
        roff.control("TP", []);
        roff.text([
            bold("PGPASSWORD"),
            roman(", "),
            bold("PGPASSFILE"),
            roman(", "),
            bold("PGSSLMODE"),
            roman(" and so on"),
        ]);
        roff.text([roman("As libpq has them.")]);
    }
    roff.control("TP", []);
    roff.text([bold("NO_COLOR")]);
    roff.text([roman("If it is set, tables have no colours.")]);
}

/// The names within `[env: …]`.
fn variables_of(arg: &Arg) -> Vec<String> {
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let Some((_, rest)) = help.split_once("[env: ") else { return Vec::new() };
    let listed = rest.split(']').next().unwrap_or_default();
    let words = listed.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.len() > 2).map(str::to_owned).collect()
}

fn files(roff: &mut Roff) {
    let files = [
        ("config/config.yaml", "The server's own configuration, with the tools' keys below maintenance:."),
        ("config/alerts.yaml", "Thresholds, and where notices go."),
    ];
    roff.control("SH", ["FILES"]);
    for (path, what) in files {
        roff.control("TP", []);
        roff.text([bold(path)]);
        roff.text([roman(what)]);
    }
    roff.control("TP", []);
    roff.text([bold(format!("{DOCUMENTATION}/examples"))]);
    roff.text([roman("Both with every key explained, where the tools were installed as a package.")]);
}

fn see_also(roff: &mut Roff, name: &str) {
    roff.control("SH", ["SEE ALSO"]);
    let mut others = Vec::new();
    for other in TOOLS.into_iter().filter(|&other| other != name) {
        if !others.is_empty() {
            others.push(roman(", "));
        }
        others.extend([bold(other), roman("(1)")]);
    }
    roff.text(others);
    roff.control("PP", []);
    roff.text([roman(format!("{DOCUMENTATION}/README.md"))]);
}

#[cfg(test)]
mod tests {
    use clap::{Args, CommandFactory as _, Parser, Subcommand};

    use super::*;

    /// Does a thing…
    ///
    /// It does it at length.
    #[derive(Parser)]
    #[command(
        name = "pso-thing",
        version,
        after_help = "Examples:\n  pso-thing | jq .\n\nAn aside.\n\nExit codes:\n  0  done"
    )]
    struct Cli {
        #[command(subcommand)]
        command: Option<Sub>,

        /// How many [env: PSO_MANY] [default: 3]
        #[arg(long, global = true)]
        many: Option<u32>,
    }

    #[derive(Subcommand)]
    enum Sub {
        /// Lists them
        List(ListArgs),
    }

    #[derive(Args)]
    struct ListArgs {
        /// The old ones too
        #[arg(long)]
        all: bool,
    }

    #[test]
    fn the_sections_in_their_order_with_what_belongs_there() {
        let mut page = Vec::new();
        write(Cli::command(), &mut page).expect("written");
        let page = String::from_utf8(page).expect("text");
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let expected = [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "COMMANDS",
            "NOTES",
            "\"EXIT STATUS\"",
            "EXAMPLES",
            "ENVIRONMENT",
            "FILES",
            "\"SEE ALSO\"",
        ];
        assert_eq!(headings, expected, "{page}");
        assert!(page.contains("pso\\-thing \\- Does a thing\\[u2026]\n"), "{page}");
        assert!(page.contains("\n.SS \"pso-thing list [OPTIONS]\"\nLists them\n"), "{page}");
        assert!(page.contains("\n.SH EXAMPLES\n.nf\npso\\-thing | jq .\n.fi\n"), "{page}");
        assert!(page.contains("\\fBPSO_MANY\\fR\nAs \\-\\-many.\n"), "{page}");
        assert_eq!(page.matches("\\fB\\-\\-many\\fR").count(), 1, "a global flag is told once\n{page}");
        assert_eq!(page.matches("\\fB\\-\\-all\\fR").count(), 1, "{page}");
    }
}
