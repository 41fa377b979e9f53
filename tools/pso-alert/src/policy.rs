//! How incidents are told: what `config/alerts.yaml` says beside channels and rules, with its defaults.

use std::collections::HashMap;
use std::time::Duration;

use pso_common::Severity;
use pso_common::record::Labels;

use crate::incident::built_in_inhibitions;

use crate::delivery;

/// When, how often and to whom.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// What a rule has that says nothing else.
    pub(crate) defaults: RuleOptions,
    /// Rules that say something, by name.
    pub(crate) rules: HashMap<String, RuleOptions>,
    pub(crate) flapping: Flapping,
    /// Notices that did not arrive so long after they were made are given up, and that is said.
    pub(crate) expire_after: Duration,
    /// More notices than this waiting for one channel that people read are told as a summary. 0: never.
    pub(crate) storm: usize,
    /// How bad it is that a run never ended.
    pub(crate) unfinished: Severity,
    /// How bad it is that nothing is known of an incident any more.
    pub(crate) no_data: Severity,
    pub(crate) expect: Vec<Expectation>,
    /// What follows from what; those of a deployment stand beside the built-in ones.
    pub(crate) inhibitions: Vec<Inhibition>,
    pub(crate) quiet_hours: Vec<QuietHours>,
}

/// What a rule may say of its incidents.
#[derive(Clone, Debug)]
pub(crate) struct RuleOptions {
    /// The condition must hold for so long before anybody is told.
    pub(crate) hold: Duration,
    /// It must be well for so long before that is told.
    pub(crate) keep_firing_for: Duration,
    /// Replaces the severity of the finding.
    pub(crate) severity: Option<Severity>,
    /// Where it stands what to do.
    pub(crate) runbook: Option<String>,
    /// Names of the channels that are told; all where absent.
    pub(crate) channels: Option<Vec<String>>,
    /// Labels that must be equal for notices to be in one message; empty: all that is due at the same time.
    pub(crate) group_by: Vec<String>,
    /// How long the first notice of a group waits for others.
    pub(crate) group_wait: Duration,
    /// It is told again after so long, if it was reported again since.
    pub(crate) repeat: Duration,
    /// It is told again even if it was not reported again: a channel forgets it otherwise.
    pub(crate) reminds: bool,
    /// How many times it is told again at most; 0: without end.
    pub(crate) repeat_limit: u32,
    /// Whether the end is told.
    pub(crate) resolved: bool,
    /// So long after the last record about it, an incident of a level that its tool's runs do not mention any more has no data,
    /// and one of events of which nothing else tells the end is over.
    pub(crate) no_data_after: Duration,
}

/// An incident that begins and ends so often is flapping.
#[derive(Clone, Debug)]
pub(crate) struct Flapping {
    /// Beginnings and ends. 0: nothing ever flaps.
    pub(crate) changes: usize,
    pub(crate) within: Duration,
    /// Without a change for so long, it flaps no more.
    pub(crate) calm: Duration,
}

/// A source or tool that must be heard of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expectation {
    /// What `--source` calls the pipe; any where absent.
    pub(crate) source: Option<String>,
    /// The tool whose runs come to their end; any where absent.
    pub(crate) tool: Option<String>,
    /// The host on which they do; any where absent.
    pub(crate) host: Option<String>,
    pub(crate) within: Duration,
    pub(crate) severity: Severity,
}

/// While something is wrong, what follows from it is not told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inhibition {
    /// Matches the incident that fires.
    pub(crate) when: Matchers,
    /// Match what follows from it.
    pub(crate) silences: Vec<Matchers>,
    /// Labels that must be equal in both, such as `host`.
    pub(crate) equal: Vec<String>,
}

/// Labels, `rule`, `state`, `severity`, `host`, `tool`, `name` and `kind`, each with a value or a pattern with `*`; all must fit.
pub(crate) type Matchers = Labels;

/// Hours in which little is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QuietHours {
    /// Minutes after midnight.
    pub(crate) from: u16,
    /// Minutes after midnight; not after `from` where it is the next day's.
    pub(crate) to: u16,
    /// Days on which they begin, 0 = Monday; empty: all.
    pub(crate) days: Vec<u8>,
    /// Name of a time zone; the machine's where absent.
    pub(crate) time_zone: Option<String>,
    /// What is less bad waits until they are over.
    pub(crate) below: Severity,
    /// The channels that keep them; all where absent.
    pub(crate) channels: Option<Vec<String>>,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

impl Default for RuleOptions {
    fn default() -> Self {
        Self {
            hold: Duration::ZERO,
            keep_firing_for: Duration::ZERO,
            severity: None,
            runbook: None,
            channels: None,
            group_by: Vec::new(),
            group_wait: Duration::ZERO,
            repeat: 4 * HOUR,
            reminds: false,
            repeat_limit: 0,
            resolved: true,
            no_data_after: HOUR,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        let defaults = RuleOptions::default();
        Self {
            rules: built_in(&defaults),
            defaults,
            flapping: Flapping { changes: 6, within: HOUR, calm: 30 * MINUTE },
            expire_after: 24 * HOUR,
            storm: 40,
            unfinished: Severity::High,
            no_data: Severity::High,
            expect: Vec::new(),
            inhibitions: built_in_inhibitions(),
            quiet_hours: Vec::new(),
        }
    }
}

/// The rules of ours that differ from the defaults.
fn built_in(defaults: &RuleOptions) -> HashMap<String, RuleOptions> {
    // The specification: "CPU Usage > 80 % pendant 5+ minutes".
    let cpu = RuleOptions { hold: 5 * MINUTE, ..defaults.clone() };
    // A channel that is not tried for a while is not well because of that: only a message that it takes ends this.
    let failed = RuleOptions { no_data_after: 365 * 24 * HOUR, ..defaults.clone() };
    // What is lost stays lost. While a channel stays down something is lost all the time: that is one incident, told as rarely as
    // others are.
    let lost = RuleOptions { resolved: false, no_data_after: 3 * HOUR, ..defaults.clone() };
    // That an error is not new any more, by the next run, does not mean that it is over.
    let new = RuleOptions { resolved: false, ..defaults.clone() };
    let rules = [("cpu_usage", cpu), ("log.new", new), (delivery::FAILED, failed), (delivery::LOST, lost)];
    rules.map(|(name, options)| (name.to_owned(), options)).into()
}

impl Policy {
    /// Lets the rules of ours that differ in one thing follow the defaults in all others.
    pub(crate) fn spread_defaults(&mut self) {
        self.rules = built_in(&self.defaults);
    }

    /// Lets what goes on be told again whether it was reported again or not.
    pub(crate) fn remind(&mut self) {
        std::iter::once(&mut self.defaults).chain(self.rules.values_mut()).for_each(|options| options.reminds = true);
    }

    /// What holds for a rule.
    pub(crate) fn of(&self, rule: &str) -> &RuleOptions {
        self.rules.get(rule).unwrap_or(&self.defaults)
    }
}
