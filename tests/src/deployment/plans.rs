//! The Markdown plans: 5 to 80 kB each, in folders and under names that archives get wrong.

use std::fmt::Write;

use fastrand::Rng;

use super::Spec;
use super::words::{EMOJI, TOPICS, pick, sentence};

const FOLDERS: [&str; 5] = ["", "consolidated/", "archivés/2024/", "archivés/2025/été/", "projets spéciaux 🚀/"];

/// A plan's file.
#[derive(Debug)]
pub(super) struct Plan {
    /// Relative to `roadmaps/plans`.
    pub(super) path: String,
    pub(super) title: String,
    pub(super) version: String,
    pub(super) content: String,
    /// Age of the last change, seconds.
    pub(super) age_s: u64,
}

pub(super) fn plans(spec: &Spec) -> Vec<Plan> {
    let mut random = spec.random("plans");
    (0..spec.plans).map(|number| plan(number, &mut random)).collect()
}

fn plan(number: usize, random: &mut Rng) -> Plan {
    let topic = TOPICS[number % TOPICS.len()];
    let emoji = pick(random, &EMOJI);
    let version = format!("v{}.{}", number + 12, random.u8(..9));
    let title = format!("Plan de développement {version} {emoji} {topic}");
    let slug = topic.replace([' ', '\''], "-");
    let name = match number % 11 {
        // macOS writes letter and accent apart; a name must come back as it was.
        5 => format!("plan-dev-{version}-{}.md", decomposed(&slug)),
        3 => format!("plan-dev-{version}-{slug}-{emoji}.md"),
        8 => format!("Plan {version} (copie) – {topic}.md"),
        _ => format!("plan-dev-{version}-{slug}.md"),
    };
    let content = content(&title, topic, random);
    let content = match number % 11 {
        7 => content.replace('\n', "\r\n"),
        9 => format!("\u{feff}{content}"),
        _ => content,
    };
    let path = format!("{}{name}", FOLDERS[number % FOLDERS.len()]);
    Plan { path, title, version, content, age_s: random.u64(3_600..90 * 86_400) }
}

fn content(title: &str, topic: &str, random: &mut Rng) -> String {
    // Between 5 and 80 kB, small ones more often: 5 kB times up to 16.
    let size = 5_200 << random.u32(..4);
    let size = size + random.usize(..size - 400);
    let mut text =
        format!("# {title}\n\n**Version** : {}  \n**Progression** : {} %\n\n", random.u16(1..90), random.u8(..=100));
    let mut phase = 0;
    while text.len() < size {
        phase += 1;
        // Writing to a string cannot fail.
        let _ = write!(text, "## Phase {phase} : {topic}\n\n{}.\n\n", sentence(random));
        for task in 1..=random.u8(4..12) {
            let mark = if random.bool() { 'x' } else { ' ' };
            let _ = writeln!(text, "- [{mark}] {phase}.{task} {}", sentence(random));
            if random.u8(..3) == 0 {
                let _ = writeln!(text, "  - {} : {} 🧩", pick(random, &TOPICS), sentence(random));
            }
        }
        if random.u8(..3) == 0 {
            let _ = write!(
                text,
                "\n| Étape | Durée | État |\n|---|---:|---|\n| {} | {} j | {} |\n",
                pick(random, &TOPICS),
                random.u8(1..20),
                pick(random, &EMOJI)
            );
        }
        if random.u8(..4) == 0 {
            let _ = write!(
                text,
                "\n```go\nfunc Phase{phase}(ctx context.Context) error {{\n\treturn nil // {}\n}}\n```\n",
                sentence(random)
            );
        }
        text.push('\n');
    }
    text
}

/// The accents of French as letters of their own (NFD).
fn decomposed(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, letter| {
        match letter {
            'é' => all.push_str("e\u{301}"),
            'è' => all.push_str("e\u{300}"),
            'ê' => all.push_str("e\u{302}"),
            'à' => all.push_str("a\u{300}"),
            'â' => all.push_str("a\u{302}"),
            other => all.push(other),
        }
        all
    })
}
