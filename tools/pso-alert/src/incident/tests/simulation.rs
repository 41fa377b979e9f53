//! Thirty days at random, in which the machine must say what the model says, and what must never happen does not.
//!
//! `PSO_ALERT_SIMULATIONS` says how many (default 12); a failure names its seed, and `PSO_ALERT_SEED` repeats it alone.

use std::collections::BTreeMap;
use std::env;

use fastrand::Rng;
use pso_common::Severity;

use super::model::{Model, Phase, Rules, Says, Sort};
use super::{Said, World, key, secs, silence};
use crate::notice::Because;
use crate::policy::{Flapping, Inhibition, RuleOptions};

const DAYS: i64 = 30;

const SORTS: [(&str, Sort); 3] = [("health.check", Sort::Level), ("later.kind", Sort::Event), ("log.event", Sort::Log)];

/// One state, its model, and what people were told.
struct Simulation {
    rng: Rng,
    world: World,
    model: Model,
    kinds: BTreeMap<String, &'static str>,
    /// Name, from, to.
    silences: Vec<(String, i64, i64)>,
    /// What people believe: the episode, when they were told, and whether of its flapping.
    believed: BTreeMap<String, (u32, i64, bool)>,
    /// Why they were told last.
    last: BTreeMap<String, Because>,
    now: i64,
    told: usize,
    held: usize,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut pick = |choice: &[i64]| choice[rng.usize(..choice.len())];
        let mut rules = Rules {
            hold: pick(&[0, 0, 300]),
            keep: pick(&[0, 0, 120, 7_200]),
            repeat: pick(&[600, 14_400]),
            limit: u32::try_from(pick(&[0, 2])).expect("small"),
            ends: pick(&[1, 1, 1, 0]) == 1,
            patience: 3_600,
            flap_changes: usize::try_from(pick(&[4, 6])).expect("small"),
            flap_within: 3_600,
            flap_calm: 1_800,
            causes: Vec::new(),
        };
        let names: Vec<(String, Sort)> =
            (0..9).map(|number| (format!("n{number}"), SORTS[number % SORTS.len()].1)).collect();
        let kinds = names.iter().map(|(name, sort)| {
            let kind = SORTS.iter().find(|(_, other)| other == sort).expect("a kind").0;
            (name.clone(), kind)
        });
        let kinds = kinds.collect();
        // Some inhibitions: chains, circles and oneself among them.
        let mut inhibitions = Vec::new();
        for _ in 0..rng.usize(..6) {
            let (cause, consequence) = (rng.usize(..9), rng.usize(..9));
            let (cause, consequence) = (format!("n{cause}"), format!("n{consequence}"));
            let name = |name: &str| [("name".to_owned(), name.to_owned())].into();
            let (when, silences) = (name(&cause), vec![name(&consequence)]);
            inhibitions.push(Inhibition { when, silences, equal: vec!["host".to_owned()] });
            rules.causes.push((cause, consequence));
        }
        let span = |seconds: i64| secs(seconds.unsigned_abs());
        let mut world = World::new(RuleOptions {
            hold: span(rules.hold),
            keep_firing_for: span(rules.keep),
            repeat: span(rules.repeat),
            repeat_limit: rules.limit,
            resolved: rules.ends,
            no_data_after: span(rules.patience),
            ..RuleOptions::default()
        });
        world.policy.inhibitions = inhibitions;
        let (within, calm) = (span(rules.flap_within), span(rules.flap_calm));
        world.policy.flapping = Flapping { changes: rules.flap_changes, within, calm };
        let model = Model::new(rules, &names);
        let (silences, believed) = (Vec::new(), BTreeMap::new());
        Self { rng, world, model, kinds, silences, believed, last: BTreeMap::new(), now: 0, told: 0, held: 0 }
    }

    fn run(&mut self) {
        // A clock that jumps must not make this endless, nor end it at once.
        let (mut lived, mut silent) = (0, if self.rng.u32(..3) == 0 { 8 } else { 0 });
        while lived < DAYS * 86_400 {
            // In some of them nothing at all is heard in the last weeks.
            let muted = silent > 0 && lived > 10 * 86_400;
            silent -= i32::from(muted);
            let step = match self.rng.u32(..100) {
                _ if muted => self.rng.i64(2 * 86_400..4 * 86_400),
                0 => self.rng.i64(86_400..12 * 86_400),
                1..6 => self.rng.i64(3_600..20_000),
                6..30 => self.rng.i64(1..30),
                _ => self.rng.i64(30..900),
            };
            lived += step;
            let begin = self.now;
            self.now += step;
            if self.rng.u32(..300) == 0 {
                // Back by minutes, or by days.
                self.now = begin - self.rng.i64(120..3 * 86_400);
                self.world.book.pull_back(super::at(self.now));
                self.model.clock_went_back(self.now);
                self.believed.values_mut().for_each(|believed| believed.1 = believed.1.min(self.now));
                continue;
            }
            self.change_silences();
            let records = if muted { Vec::new() } else { self.records(begin) };
            // A run that mentions what came since it began.
            let run = (!muted && self.rng.u32(..5) == 0).then(|| (begin + self.rng.i64(0..step), self.now));
            let killed = self.rng.u32(..50) == 0;
            self.round(&records, run, killed);
        }
        self.end_well();
    }

    fn change_silences(&mut self) {
        self.silences.retain(|(_, _, to)| *to > self.now);
        if self.silences.len() < 3 && self.rng.u32(..60) == 0 {
            let from = self.now + self.rng.i64(-100..1_000);
            let name = format!("n{}", self.rng.usize(..9));
            self.silences.push((name, from, from + self.rng.i64(101..30_000)));
        }
        self.world.silences =
            self.silences.iter().map(|(name, from, to)| silence(&[("name", name)], *from, *to)).collect();
    }

    fn records(&mut self, begin: i64) -> Vec<Says> {
        let mut records = Vec::new();
        let busy = self.rng.u32(..4) != 0;
        for name in self.kinds.keys() {
            let count = if busy && self.rng.u32(..3) == 0 { self.rng.usize(1..6) } else { 0 };
            for _ in 0..count {
                let bad = match self.rng.u32(..10) {
                    0..5 => None,
                    5..7 => Some(Severity::Warning),
                    7..9 => Some(Severity::High),
                    _ => Some(Severity::Critical),
                };
                records.push(Says { name: name.clone(), at: self.rng.i64(begin + 1..=self.now), bad });
            }
        }
        records.sort_by_key(|says| says.at);
        records
    }

    /// One evaluation. One that is `killed` is as if it had never been, and its input is lost.
    fn round(&mut self, records: &[Says], run: Option<(i64, i64)>, killed: bool) {
        for says in records {
            let kind = self.kinds[&says.name];
            self.world.record(kind, &says.name, says.bad.unwrap_or(Severity::Ok), says.at);
        }
        if let Some((began, ended)) = run {
            self.world.completed(began, ended);
        }
        if killed {
            let file = self.world.file.clone();
            let book = &self.world.book;
            // A clock that went back just before has changed the book, and the file does not know it yet.
            let kept = (book.incidents.clone(), book.heard.clone(), book.changed.clone());
            self.world.evaluate(self.now);
            (self.world.book.incidents, self.world.book.heard, self.world.book.changed) = kept;
            self.world.file = file;
            self.world.batch = crate::batch::Batch::new(self.world.book.known());
            return;
        }
        let silences = self.silences.clone();
        let now = self.now;
        let silenced = |name: &str| silences.iter().any(|(other, from, to)| other == name && *from <= now && now < *to);
        let mut said = self.world.said(now);
        said.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = self.model.evaluate(records, run, &silenced, now);
        assert_eq!(said, expected, "at {now}, after {records:?} and the run {run:?}");
        for told in &said {
            assert!(!silenced(&told.0), "{told:?} at {now}, in a silence");
            self.hear(told);
        }
        self.nothing_is_kept_back(&silenced);
        self.told += said.len();
    }

    /// What people may hear, given what they heard before.
    fn hear(&mut self, (name, because, episode): &Said) {
        let believed = self.believed.get(name).copied();
        let now = self.now;
        let same = believed.filter(|(known, ..)| known == episode);
        match because {
            Because::Fired => assert!(same.is_none(), "{name} began twice in episode {episode}, at {now}"),
            // Where ends are not told, nobody hears that it was calm in between.
            Because::Flapping => {
                let known = self.model.rules.ends && self.last.get(name) == Some(&Because::Flapping);
                assert!(!known, "{name} at {now}: flaps twice");
            }
            Because::Worse => {
                let flaps = believed.is_some_and(|(_, _, flaps)| flaps);
                assert!(same.is_some() || flaps, "{name} at {now}: worse than what?");
            }
            Because::Again => {
                let Some((_, told, flaps)) = same else { panic!("{name} at {now}: again, but told what?") };
                assert!(flaps || now - told >= self.model.rules.repeat, "{name} at {now}: too soon after {told}");
            }
            Because::Ended => assert!(believed.is_some(), "{name} at {now}: an end without a beginning"),
            other => panic!("{other:?}"),
        }
        match because {
            Because::Ended => self.believed.remove(name),
            _ => {
                // Worse is told while it flaps, and does not say that it is calm.
                let flaps = *because == Because::Flapping
                    || (*because == Because::Worse && believed.is_some_and(|(_, _, flaps)| flaps));
                self.believed.insert(name.clone(), (*episode, now, flaps))
            }
        };
        self.last.insert(name.clone(), *because);
    }

    /// Whatever fires and is held back by nothing was told, in this episode; how much was held back is counted.
    fn nothing_is_kept_back(&mut self, silenced: &dyn Fn(&str) -> bool) {
        let must = self.model.must_be_told(silenced, self.now);
        for name in &must {
            let one = &self.model.all[name];
            let believed = self.believed.get(name);
            let heard = believed.is_some_and(|(episode, _, flaps)| *episode == one.episode || (one.flapping && *flaps));
            assert!(heard, "{name} fires in episode {} at {}, and people believe {believed:?}", one.episode, self.now);
        }
        let firing = self.model.all.values().filter(|one| matches!(one.phase, Phase::Firing | Phase::NoData)).count();
        self.held += firing - must.len();
        // What is over, and was told, is not believed any more.
        for (name, one) in &self.model.all {
            if one.phase == Phase::Over && !one.flapping && !silenced(name) && self.model.rules.ends {
                assert!(!self.believed.contains_key(name), "{name} is over at {}, and people do not know", self.now);
            }
        }
        if !self.model.rules.ends {
            let over = |name: &String| self.model.all[name].phase == Phase::Over && !self.model.all[name].flapping;
            self.believed.retain(|name, _| !over(name) || silenced(name));
        }
    }

    /// In the end all is well, and people know it.
    fn end_well(&mut self) {
        self.silences.clear();
        self.world.silences.clear();
        let names: Vec<String> = self.kinds.keys().cloned().collect();
        for _ in 0..3 {
            self.now += 10_000;
            let well = |name: &String| Says { name: name.clone(), at: self.now - 1, bad: None };
            let records: Vec<Says> = names.iter().map(well).collect();
            self.round(&records, None, false);
        }
        assert!(self.believed.is_empty(), "{:?}", self.believed);
        for name in &names {
            let settled = self.world.book.incidents.get(&key(name)).is_none_or(|incident| incident.is_settled());
            assert!(settled, "{name} is not settled");
        }
    }
}

#[test]
fn in_thirty_days_at_random_the_machine_says_what_the_model_says() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("PSO_ALERT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("PSO_ALERT_SIMULATIONS").unwrap_or(12),
    };
    let (mut told, mut held) = (0, 0);
    for seed in seeds {
        let mut simulation = Simulation::new(seed);
        let run = std::panic::AssertUnwindSafe(|| simulation.run());
        if let Err(panic) = std::panic::catch_unwind(run) {
            let message = panic.downcast_ref::<String>().map_or("", String::as_str);
            panic!("seed {seed} (repeat it with PSO_ALERT_SEED={seed}): {message}");
        }
        told += simulation.told;
        held += simulation.held;
    }
    // A simulation in which nothing happens proves nothing.
    assert!(told > 1_000 && held > 1_000, "told {told} times, held back {held} times");
}
