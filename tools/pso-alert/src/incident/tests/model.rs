//! A second, plain implementation of what incidents do, on seconds and lists: the tests hold the machine against it.

use std::collections::BTreeMap;

use pso_common::Severity;

use super::Said;
use crate::finding::rank;
use crate::notice::Because;

const LOST: i64 = 8 * 86_400;
const GONE: i64 = 2 * 86_400;
const SETTLING: i64 = 120;
const AFTERMATH: i64 = 3_600;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    Idle,
    Pending,
    Firing,
    NoData,
    Over,
}

/// How a name's records are to be understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sort {
    Level,
    Event,
    Log,
}

#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) hold: i64,
    pub(super) keep: i64,
    pub(super) repeat: i64,
    pub(super) limit: u32,
    pub(super) ends: bool,
    pub(super) patience: i64,
    pub(super) flap_changes: usize,
    pub(super) flap_within: i64,
    pub(super) flap_calm: i64,
    /// From whom what follows.
    pub(super) causes: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Belief {
    at: i64,
    severity: Severity,
    lost: bool,
    episode: u32,
    again: u32,
    flaps: bool,
}

#[derive(Clone, Debug)]
pub(super) struct One {
    sort: Sort,
    pub(super) phase: Phase,
    before: Phase,
    severity: Severity,
    since: i64,
    last: i64,
    seen: i64,
    missed: Option<i64>,
    freed: Option<i64>,
    well: Option<i64>,
    pub(super) episode: u32,
    belief: Option<Belief>,
    changes: Vec<i64>,
    pub(super) flapping: bool,
}

/// What a record says.
#[derive(Clone, Debug)]
pub(super) struct Says {
    pub(super) name: String,
    pub(super) at: i64,
    /// Absent: all is well.
    pub(super) bad: Option<Severity>,
}

pub(super) struct Model {
    pub(super) rules: Rules,
    pub(super) all: BTreeMap<String, One>,
    completes: bool,
}

impl One {
    fn fires(&self) -> bool {
        matches!(self.phase, Phase::Firing | Phase::NoData)
    }

    /// Its cause is over, and nothing new was said of it.
    fn is_freed(&self, now: i64) -> bool {
        self.freed.is_some_and(|freed| self.last < freed + SETTLING && now - freed < AFTERMATH)
    }

    fn bad(&mut self, severity: Severity, from: i64, to: i64, rules: &Rules) {
        if matches!(self.phase, Phase::Idle | Phase::Over) {
            (self.before, self.phase, self.since, self.last) = (self.phase, Phase::Pending, from, from);
            self.freed = None;
        }
        self.severity = severity;
        self.last = self.last.max(to);
        (self.seen, self.missed, self.well) = (to, None, None);
        if self.phase == Phase::NoData {
            self.phase = Phase::Firing;
        }
        if self.phase == Phase::Pending && self.last - self.since >= rules.hold {
            self.phase = Phase::Firing;
            self.episode += 1;
            self.change(self.last, rules);
            self.flapping |= self.changes.len() > rules.flap_changes;
        }
    }

    fn change(&mut self, at: i64, rules: &Rules) {
        self.changes.retain(|change| at - change < rules.flap_within);
        while self.changes.len() > rules.flap_changes {
            self.changes.remove(0);
        }
        self.changes.push(at);
    }

    fn good(&mut self, from: i64, to: i64, now: i64, rules: &Rules) {
        match self.phase {
            Phase::Idle | Phase::Over => {}
            Phase::Pending => self.phase = self.before,
            Phase::Firing | Phase::NoData => {
                (self.seen, self.missed) = (to, None);
                let well = *self.well.get_or_insert(from.max(self.last).min(now));
                if to - well >= rules.keep {
                    self.end(well, rules);
                }
            }
        }
    }

    fn end(&mut self, at: i64, rules: &Rules) {
        (self.phase, self.well, self.missed, self.freed) = (Phase::Over, None, None, None);
        self.change(at, rules);
    }

    fn absent(&mut self, run: Option<(i64, i64)>, completes: bool, spoken: bool, now: i64, rules: &Rules) {
        if matches!(self.phase, Phase::Idle | Phase::Over) {
            return;
        }
        let unheard = now - self.seen;
        let missed = run.filter(|(began, _)| self.seen < *began);
        if self.sort != Sort::Level {
            let alone = self.sort == Sort::Log || !completes;
            let ended = match missed {
                Some((_, ended)) => Some(ended),
                None if !spoken && alone && unheard >= rules.patience => Some(self.seen + rules.patience),
                None => None,
            };
            if let Some(ended) = ended {
                let seen = self.seen;
                self.good(ended, ended, now, rules);
                self.seen = seen;
                return;
            }
        }
        self.missed = self.missed.or(missed.map(|(_, ended)| ended.min(now)));
        let lost = !spoken && unheard >= LOST;
        if lost || (self.missed.is_some() && unheard >= rules.patience) {
            match self.phase {
                Phase::Pending => self.phase = self.before,
                Phase::NoData
                    if self.well.is_none()
                        && (unheard >= 2 * LOST || self.missed.is_some_and(|missed| now - missed >= GONE)) =>
                {
                    self.good(now, now, now, rules);
                }
                Phase::Firing if self.well.is_none() => (self.phase, self.severity) = (Phase::NoData, Severity::High),
                _ => {}
            }
        }
    }

    fn passes(&mut self, now: i64, rules: &Rules) {
        let calm = self.changes.last().is_none_or(|last| now - last >= rules.flap_calm);
        self.flapping &= !calm;
        if let Some(well) = self.well.filter(|well| self.fires() && now - well >= rules.keep) {
            self.end(well, rules);
        }
    }

    fn tell(&mut self, held: bool, now: i64, rules: &Rules) -> Option<Because> {
        let over = self.phase == Phase::Over;
        if held || matches!(self.phase, Phase::Idle | Phase::Pending) {
            return None;
        }
        let why = match &self.belief {
            None if over => None,
            None => Some(if self.flapping { Because::Flapping } else { Because::Fired }),
            Some(belief) => {
                let worse = rank(self.severity) > rank(belief.severity);
                if self.flapping {
                    match (over, belief.flaps) {
                        (true, _) => None,
                        (false, false) => Some(Because::Flapping),
                        (false, true) => worse.then_some(Because::Worse),
                    }
                } else if over {
                    if !rules.ends {
                        self.belief = None;
                        return None;
                    }
                    Some(Because::Ended)
                } else if belief.episode != self.episode {
                    Some(Because::Fired)
                } else if worse || (self.phase == Phase::NoData && !belief.lost) {
                    Some(Because::Worse)
                } else {
                    let confirmed = self.last > belief.at || self.phase == Phase::NoData;
                    let due = confirmed
                        && now - belief.at >= rules.repeat
                        && (rules.limit == 0 || belief.again < rules.limit);
                    (due || belief.flaps).then_some(Because::Again)
                }
            }
        };
        match why {
            Some(Because::Ended) => self.belief = None,
            Some(because) => {
                let same = self.belief.as_ref().filter(|belief| belief.episode == self.episode && !belief.flaps);
                let again = same.map_or(0, |belief| belief.again) + u32::from(because == Because::Again);
                self.belief = Some(Belief {
                    at: now,
                    severity: self.severity,
                    lost: self.phase == Phase::NoData,
                    episode: self.episode,
                    again,
                    flaps: because == Because::Flapping || self.flapping,
                });
            }
            None => {}
        }
        why
    }
}

impl Model {
    pub(super) fn new(rules: Rules, names: &[(String, Sort)]) -> Self {
        let one = |sort| One {
            sort,
            phase: Phase::Idle,
            before: Phase::Idle,
            severity: Severity::Ok,
            since: 0,
            last: 0,
            seen: 0,
            missed: None,
            freed: None,
            well: None,
            episode: 0,
            belief: None,
            changes: Vec::new(),
            flapping: false,
        };
        Self { rules, all: names.iter().map(|(name, sort)| (name.clone(), one(*sort))).collect(), completes: false }
    }

    pub(super) fn clock_went_back(&mut self, now: i64) {
        for one in self.all.values_mut() {
            for stamp in [&mut one.since, &mut one.last, &mut one.seen].into_iter().chain(&mut one.changes) {
                *stamp = now.min(*stamp);
            }
            for stamp in [&mut one.well, &mut one.missed, &mut one.freed].into_iter().flatten() {
                *stamp = now.min(*stamp);
            }
            if let Some(belief) = &mut one.belief {
                belief.at = belief.at.min(now);
            }
        }
    }

    /// Records, and the run that came to its end; who is silenced. Returns what is told.
    pub(super) fn evaluate(
        &mut self,
        records: &[Says],
        run: Option<(i64, i64)>,
        silenced: &dyn Fn(&str) -> bool,
        now: i64,
    ) -> Vec<Said> {
        let rules = self.rules.clone();
        self.completes |= run.is_some();
        // Each as it was, at each of its moments; the last is how it stands.
        let mut stories: BTreeMap<String, Vec<One>> = BTreeMap::new();
        let mut meanwhile: BTreeMap<String, One> = BTreeMap::new();
        for (name, one) in &mut self.all {
            let own: Vec<&Says> = records.iter().filter(|says| says.name == *name).collect();
            let mut steps: Vec<(Option<Severity>, i64, i64)> = Vec::new();
            let known = !matches!(one.phase, Phase::Idle | Phase::Over);
            // Events do not take each other back, whichever came first.
            let stays = one.sort != Sort::Level && own.iter().any(|says| says.bad.is_some());
            for says in own {
                let was_bad = steps.iter().any(|step| step.0.is_some());
                if says.bad.is_none() && ((!known && !was_bad) || stays) {
                    continue;
                }
                match steps.last_mut() {
                    Some(last) if last.0.is_some() == says.bad.is_some() => {
                        last.2 = says.at;
                        if says.bad.map(rank) > last.0.map(rank) {
                            last.0 = says.bad;
                        }
                    }
                    _ => steps.push((says.bad, says.at, says.at)),
                }
            }
            let story = stories.entry(name.clone()).or_default();
            let spoken = !steps.is_empty();
            let mut stands = false;
            for (bad, from, to) in steps {
                let was = one.clone();
                match bad {
                    Some(severity) => one.bad(severity, from, to, &rules),
                    None => one.good(from, to, now, &rules),
                }
                if was.fires() && !one.fires() && !meanwhile.contains_key(name) {
                    meanwhile.insert(name.clone(), was.clone());
                }
                // What was over before it was pending is told when it stays so.
                stands = was.fires() || !matches!(one.phase, Phase::Idle | Phase::Over);
                if stands {
                    story.push(one.clone());
                }
            }
            let was = one.clone();
            one.absent(run, self.completes, spoken, now, &rules);
            one.passes(now, &rules);
            if was.fires() && !one.fires() && !meanwhile.contains_key(name) {
                meanwhile.insert(name.clone(), was.clone());
            }
            if one.phase == was.phase && stands {
                story.pop();
            }
        }
        let following = follow(&self.all, &rules.causes);
        for (name, story) in &stories {
            let moments = self.all.get(name).into_iter().chain(story);
            if let Some(first) = moments.into_iter().find(|one| one.fires()) {
                meanwhile.insert(name.clone(), first.clone());
            }
        }
        let followed = follow(&meanwhile, &rules.causes);
        for (name, one) in &mut self.all {
            if one.fires() && followed.contains(name) && !following.contains(name) {
                one.freed = Some(now);
            }
        }
        let mut said = Vec::new();
        for (name, one) in &mut self.all {
            for mut moment in stories.remove(name).unwrap_or_default() {
                moment.belief.clone_from(&one.belief);
                let held = silenced(name) || (moment.fires() && (followed.contains(name) || moment.is_freed(now)));
                if let Some(because) = moment.tell(held, now, &rules) {
                    said.push((name.clone(), because, moment.episode));
                }
                one.belief = moment.belief;
            }
            let held = silenced(name) || (one.fires() && (following.contains(name) || one.is_freed(now)));
            if let Some(because) = one.tell(held, now, &rules) {
                said.push((name.clone(), because, one.episode));
            }
        }
        said
    }

    /// Whose beginning people must have heard of: nothing holds it back.
    pub(super) fn must_be_told(&self, silenced: &dyn Fn(&str) -> bool, now: i64) -> Vec<String> {
        let following = follow(&self.all, &self.rules.causes);
        let must = |(name, one): &(&String, &One)| {
            one.fires() && !silenced(name) && !following.contains(*name) && !one.is_freed(now)
        };
        self.all.iter().filter(must).map(|(name, _)| name.clone()).collect()
    }
}

/// Who follows from another: reached from whoever has no cause, and in circles from whoever began first.
fn follow(all: &BTreeMap<String, One>, causes: &[(String, String)]) -> Vec<String> {
    let fires = |name: &String| all.get(name).is_some_and(One::fires);
    let edges: Vec<&(String, String)> = causes.iter().filter(|(a, b)| a != b && fires(a) && fires(b)).collect();
    let mut order: Vec<&String> = all.keys().filter(|name| fires(name)).collect();
    order.sort_by_key(|name| (edges.iter().any(|(_, b)| b == *name), all[*name].since, (*name).clone()));
    let (mut roots, mut reached): (Vec<&String>, Vec<&String>) = (Vec::new(), Vec::new());
    for name in order {
        if reached.contains(&name) {
            continue;
        }
        roots.push(name);
        reached.push(name);
        loop {
            let more = edges.iter().find(|(a, b)| reached.contains(&a) && !reached.contains(&b));
            let Some((_, b)) = more else { break };
            reached.push(b);
        }
    }
    reached.into_iter().filter(|name| !roots.contains(name)).cloned().collect()
}
