//! The sections that ask the server nothing: advice, and what has changed. They follow from what the others read, be that live
//! or saved.

use std::collections::BTreeSet;

use pso_common::Run;

use crate::baseline::Baseline;
use crate::records::Snapshot;
use crate::report::{End, Ends};
use crate::sections::{Conclusion, Section};
use crate::settings::Settings;
use crate::{advice, changes};

/// What they follow from, besides what was read.
pub(crate) struct Conclusions<'a> {
    pub(crate) settings: &'a Settings,
    /// The run to compare with.
    pub(crate) baseline: Option<Baseline>,
}

impl<'a> Conclusions<'a> {
    /// Reads the baseline, if there is one.
    pub(crate) fn new(settings: &'a Settings, run: &mut Run<'_>) -> anyhow::Result<Self> {
        let baseline = settings.baseline.as_deref().map(|path| Baseline::read(path, run)).transpose()?;
        Ok(Self { settings, baseline })
    }

    /// The sections that it follows from, in the order in which they are shown.
    pub(crate) fn needs(&self, conclusion: Conclusion) -> Vec<&'static Section> {
        match conclusion {
            Conclusion::Advice => advice::needs().collect(),
            Conclusion::Changes if self.baseline.is_some() => changes::needs(&self.settings.sections),
            Conclusion::Changes => Vec::new(),
        }
    }

    /// Writes its records and gives its end. `reading_ms` is what it took to read what is not shown.
    pub(crate) fn write(
        &self,
        conclusion: Conclusion,
        snapshot: &Snapshot,
        ends: &Ends,
        reading_ms: u64,
        run: &mut Run<'_>,
    ) -> anyhow::Result<End> {
        match conclusion {
            Conclusion::Advice => advice::write(snapshot, ends, &self.settings.limits, reading_ms, run),
            Conclusion::Changes => {
                let needs = self.needs(conclusion);
                changes::write(snapshot, ends, &needs, self.baseline.as_ref(), reading_ms, run)
            }
        }
    }

    /// All sections that have to be read, in the order in which they are: as they are shown, and before a conclusion what it
    /// needs.
    pub(crate) fn order(&self) -> Vec<&'static Section> {
        let mut seen = BTreeSet::new();
        let shown = self.settings.sections.iter();
        shown
            .flat_map(|section| {
                section.conclusion().map_or_else(|| vec![*section], |conclusion| self.needs(conclusion))
            })
            .filter(|section| seen.insert(section.name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use pso_common::config::Config;
    use pso_common::io::Env;

    use super::*;
    use crate::cli::Cli;

    fn order(shown: &[&str], baseline: bool) -> Vec<&'static str> {
        let cli = Cli::try_parse_from([&["pso-pgstats"], shown].concat()).expect("valid flags");
        let config = Config::from_text("config/config.yaml", "", Env::default()).expect("empty");
        let settings = Settings::resolve(&cli, &config).expect("valid");
        let conclusions = Conclusions { settings: &settings, baseline: baseline.then(Baseline::default) };
        conclusions.order().iter().map(|section| section.name).collect()
    }

    #[test]
    fn what_advice_needs_is_read_before_it_and_once() {
        assert_eq!(order(&["sizes", "activity"], false), ["sizes", "activity"]);
        let needed: Vec<_> = advice::needs().map(|section| section.name).collect();
        assert!(needed.contains(&"indexes") && !needed.contains(&"advice"), "{needed:?}");
        assert_eq!(order(&["advice"], false), needed);
        let both = order(&["indexes", "advice", "tables"], false);
        assert_eq!(both[0], "indexes");
        assert_eq!(both.len(), needed.len(), "{both:?}");
    }

    #[test]
    fn what_is_compared_is_what_is_shown_or_all() {
        assert_eq!(order(&["changes"], false), Vec::<&str>::new());
        assert_eq!(order(&["changes", "sizes"], true), ["sizes"]);
        let all = order(&["changes"], true);
        assert!(all.contains(&"tables") && all.contains(&"sizes") && !all.contains(&"advice"), "{all:?}");
    }
}
