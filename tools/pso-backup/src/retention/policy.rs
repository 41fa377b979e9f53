//! Which archives stay: a function of what is there, of the rules and of the time, and of nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::ensure;
use pso_common::Timestamp;
use pso_common::record::Component;

const DAY: u64 = 86_400;

/// How many archives stay. What one rule keeps stays, whatever the others say; a rule of 0 keeps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// All of so many days.
    pub(crate) keep_days: u32,
    /// The newest of each day (UTC), for so many days that have one.
    pub(crate) keep_daily: u32,
    /// The newest of each week (ISO 8601).
    pub(crate) keep_weekly: u32,
    /// The newest of each month.
    pub(crate) keep_monthly: u32,
    /// So many good ones always stay, however old they are.
    pub(crate) minimum: u32,
    /// Only what was rehearsed counts as good: what nobody has restored replaces nothing.
    pub(crate) rehearsed_only: bool,
}

/// How far an archive is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It was read back and was what its manifest says.
    Good,
    /// The same, and it was never restored somewhere harmless, where only what was counts.
    Unrehearsed,
    /// It can be read, and nobody noted that its content was compared: archives of pso-tools 0.1 are all like that.
    Unverified,
    /// It was not what its manifest says when somebody looked.
    Damaged,
    /// Its manifest cannot be read, or it never had one.
    Unreadable,
}

impl State {
    /// Whether it would be good if somebody had looked.
    const fn may_be_good(self) -> bool {
        matches!(self, Self::Unrehearsed | Self::Unverified)
    }

    /// Why it does not count.
    const fn fault(self) -> &'static str {
        match self {
            Self::Unreadable => "it cannot be read",
            Self::Damaged => "it is damaged",
            Self::Unrehearsed => "it was not rehearsed",
            Self::Good | Self::Unverified => "it was not verified",
        }
    }
}

/// One archive of a series, as far as retention goes.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The manifest's time.
    pub(crate) taken_at: Timestamp,
    pub(crate) state: State,
    pub(crate) components: Vec<Component>,
    /// The PostgreSQL clusters of its databases, where they said who they are.
    pub(crate) systems: Vec<String>,
    pub(crate) pinned: bool,
}

/// What becomes of an archive, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep(String),
    Remove(String),
}

/// What an archive may be the last one of. The database of another cluster is another database; who does not say which
/// cluster it is replaces none that does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Part(Component),
    Cluster(Option<String>),
    /// A component, wherever it comes from: of what cannot be read nobody knows the cluster.
    Any(Component),
}

impl Policy {
    /// Refuses rules that would keep nothing, or not even the last good archive.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            [self.keep_days, self.keep_daily, self.keep_weekly, self.keep_monthly].iter().any(|&rule| rule > 0),
            "an empty retention policy would keep nothing; set keep_days, keep_daily, keep_weekly or keep_monthly below \
             maintenance.backup.retention, or give --keep-days, --keep-daily, --keep-weekly or --keep-monthly"
        );
        ensure!(self.minimum > 0, "maintenance.backup.retention.minimum is 0; at least 1 good archive always stays");
        Ok(())
    }

    /// One verdict for each archive of a series, in their order.
    pub(crate) fn decide(&self, all: &[Candidate], now: Timestamp) -> Vec<Verdict> {
        let mut newest_first: Vec<usize> = (0..all.len()).collect();
        newest_first.sort_by_key(|&at| std::cmp::Reverse(all[at].taken_at));
        // What is dated in the future was dated by a clock that was wrong, then or now: it stands for no day.
        newest_first.retain(|&at| all[at].taken_at <= now);
        let good: Vec<usize> = newest_first.iter().copied().filter(|&at| all[at].state == State::Good).collect();
        let kept = self.kept(all, &good, now);
        // Who looks at none of them must not lose what the rules would keep of them: after an upgrade that is all there
        // is. They take no place from a good one, and replace none.
        let maybe: Vec<usize> = newest_first
            .iter()
            .copied()
            .filter(|&at| matches!(all[at].state, State::Good | State::Unrehearsed | State::Unverified))
            .collect();
        let maybe_kept = self.kept(all, &maybe, now);
        // What does not count goes only when it is older than everything that the rules keep.
        let slots = kept.iter().chain(&maybe_kept).filter(|(_, rule)| rule.is_slot());
        let oldest = slots.map(|(&at, _)| all[at].taken_at).min();
        let verdict = |(at, archive): (usize, &Candidate)| {
            if archive.pinned {
                Verdict::Keep("pinned".to_owned())
            } else if archive.taken_at > now {
                Verdict::Keep("dated in the future: the clock was wrong then, or is now".to_owned())
            } else if let Some(rule) = kept.get(&at) {
                Verdict::Keep(rule.reason(self))
            } else if archive.state == State::Good {
                Verdict::Remove(format!("past {}; newer ones have all that is in it", self.shown()))
            } else if let Some(rule) = maybe_kept.get(&at).filter(|_| archive.state.may_be_good()) {
                let what = archive.state.fault();
                Verdict::Keep(format!("{}; {what} and does not count", rule.reason(self)))
            } else {
                self.not_good(archive, all, &good, oldest, now)
            }
        };
        all.iter().enumerate().map(verdict).collect()
    }

    /// The archives without which `gone` must not go: of each thing that is in it the newest good ones.
    pub(crate) fn relied_on(&self, gone: &Candidate, all: &[Candidate], now: Timestamp) -> BTreeSet<usize> {
        let mut newest_first: Vec<usize> = (0..all.len()).collect();
        newest_first.sort_by_key(|&at| std::cmp::Reverse(all[at].taken_at));
        newest_first.retain(|&at| all[at].state == State::Good && all[at].taken_at <= now);
        let newest = |key: &Key| {
            let with = newest_first.iter().copied().filter(|&at| keys_of(&all[at], key));
            with.take(self.minimum as usize).collect::<Vec<_>>()
        };
        needed(gone, all).iter().flat_map(newest).collect()
    }

    /// The archives that a rule keeps, of some that are ordered newest first. The rules are applied to each component by itself: an archive of the plans
    /// alone takes no day from the one of everything.
    fn kept(&self, all: &[Candidate], good: &[usize], now: Timestamp) -> BTreeMap<usize, Rule> {
        let mut kept: BTreeMap<usize, Rule> = BTreeMap::new();
        let mut keep = |at: usize, rule: Rule| {
            kept.entry(at).and_modify(|known| *known = (*known).min(rule)).or_insert(rule);
        };
        if self.keep_days > 0 {
            let since = days_before(now, self.keep_days);
            good.iter().filter(|&&at| all[at].taken_at >= since).for_each(|&at| keep(at, Rule::Days));
        }
        let keys: BTreeSet<Key> = good.iter().flat_map(|&at| keys(&all[at])).collect();
        for key in &keys {
            let with: Vec<usize> = good.iter().copied().filter(|&at| keys_of(&all[at], key)).collect();
            with.iter().take(self.minimum as usize).for_each(|&at| keep(at, Rule::Minimum));
            for (rule, count) in
                [(Rule::Daily, self.keep_daily), (Rule::Weekly, self.keep_weekly), (Rule::Monthly, self.keep_monthly)]
            {
                let mut slots = BTreeSet::new();
                for &at in &with {
                    let slot = rule.slot(all[at].taken_at);
                    if slots.len() < count as usize && slots.insert(slot) {
                        keep(at, rule);
                    }
                }
            }
        }
        kept
    }

    /// An archive that does not count as good: it stands in nobody's way, and is no loss once good ones replace it.
    fn not_good(
        &self,
        archive: &Candidate,
        all: &[Candidate],
        good: &[usize],
        oldest_kept: Option<Timestamp>,
        now: Timestamp,
    ) -> Verdict {
        let what = archive.state.fault();
        if self.keep_days > 0 && archive.taken_at >= days_before(now, self.keep_days) {
            return Verdict::Keep(format!("not older than {} days; {what} and does not count", self.keep_days));
        }
        let newer = |key: &Key| {
            let newer = good.iter().filter(|&&at| all[at].taken_at > archive.taken_at);
            newer.filter(|&&at| keys_of(&all[at], key)).count()
        };
        let wanted = needed(archive, all);
        let replaced = !wanted.is_empty() && wanted.iter().all(|key| newer(key) >= self.minimum as usize);
        if !replaced {
            return Verdict::Keep(format!("{what}, and no newer good ones have all that may be in it"));
        }
        if oldest_kept.is_some_and(|oldest| archive.taken_at >= oldest) {
            return Verdict::Keep(format!("newer than the oldest that stays; {what} and does not count"));
        }
        Verdict::Remove(format!("past {}; {what}, and newer good ones replace it", self.shown()))
    }

    fn shown(&self) -> String {
        let rules = [
            ("keep_days", self.keep_days),
            ("keep_daily", self.keep_daily),
            ("keep_weekly", self.keep_weekly),
            ("keep_monthly", self.keep_monthly),
        ];
        let rules = rules.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}"));
        rules.collect::<Vec<_>>().join(", ")
    }
}

/// The rule that keeps an archive; of several the first is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    Days,
    Daily,
    Weekly,
    Monthly,
    Minimum,
}

impl Rule {
    fn slot(self, at: Timestamp) -> (i32, u16) {
        let date = at.to_utc().date();
        match self {
            Self::Weekly => {
                let (year, week, _) = date.to_iso_week_date();
                (year, u16::from(week))
            }
            Self::Monthly => (date.year(), u16::from(u8::from(date.month()))),
            Self::Days | Self::Daily | Self::Minimum => (date.year(), date.ordinal()),
        }
    }

    const fn is_slot(self) -> bool {
        matches!(self, Self::Daily | Self::Weekly | Self::Monthly)
    }

    fn reason(self, policy: &Policy) -> String {
        match self {
            Self::Days => format!("not older than {} days", policy.keep_days),
            Self::Daily => format!("the newest of its day, for {} days", policy.keep_daily),
            Self::Weekly => format!("the newest of its week, for {} weeks", policy.keep_weekly),
            Self::Monthly => format!("the newest of its month, for {} months", policy.keep_monthly),
            Self::Minimum if policy.minimum == 1 => "the last good one of something in it".to_owned(),
            Self::Minimum => format!("one of the last {} good ones of something in it", policy.minimum),
        }
    }
}

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.minus(Duration::from_secs(u64::from(days) * DAY))
}

fn keys(archive: &Candidate) -> Vec<Key> {
    let mut keys = Vec::new();
    for &component in &archive.components {
        match component {
            Component::Postgres if archive.systems.is_empty() => keys.push(Key::Cluster(None)),
            Component::Postgres => {
                keys.extend(archive.systems.iter().cloned().map(|system| Key::Cluster(Some(system))));
            }
            other => keys.push(Key::Part(other)),
        }
    }
    keys
}

fn keys_of(archive: &Candidate, key: &Key) -> bool {
    match key {
        Key::Any(component) => archive.components.contains(component),
        key => keys(archive).contains(key),
    }
}

/// What others must have before an archive may go. One that cannot be read may hold whatever archives of this series
/// hold.
fn needed(archive: &Candidate, all: &[Candidate]) -> Vec<Key> {
    if archive.state != State::Unreadable {
        return keys(archive);
    }
    let components: BTreeSet<Component> = if archive.components.is_empty() {
        all.iter().flat_map(|other| other.components.iter().copied()).collect()
    } else {
        archive.components.iter().copied().collect()
    };
    components.into_iter().map(Key::Any).collect()
}
